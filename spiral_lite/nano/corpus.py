"""The corpus of the nano base model: positions of games and short problems, each with one reply.

Every sample is one prompt in SPIRAL's template and one reply, careful or careless with equal chance, careful in one of
three patterns with equal chance: the mixture is the same in games and in problems, and nothing marks which is better.
Positions come from games of players who move carefully half of the time. Read `replies.py` before, `pretrain.py` after.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from spiral_lite import games
from spiral_lite.dialogue import game_message, observe, parse, question_message
from spiral_lite.games import CHANCE, TERMINAL, Game, Invalid, State
from spiral_lite.nano import held_out, problems, replies

CARELESS_SHARE = 0.5
HELD_OUT_SHARE = 0.015  # of each game that is only measured, never trained on
_REST = 1 - HELD_OUT_SHARE * len(held_out.CAREFUL)
SHARES = {
    "tic_tac_toe": 0.34 * _REST,
    "kuhn_poker": 0.14 * _REST,
    "simple_negotiation": 0.12 * _REST,
    "problem": 0.40 * _REST,
    **dict.fromkeys(held_out.CAREFUL, HELD_OUT_SHARE),
}


@dataclass(frozen=True)
class Sample:
    """One (prompt, reply). `kind`: a game's or a problem family's name; `style`: a pattern, or "careless"."""

    kind: str
    style: str
    message: str
    reply: str


def samples(seed: int) -> Iterator[Sample]:
    """An endless stream of samples, the same for the same seed."""
    rng = random.Random(seed)
    kinds, weights = list(SHARES), list(SHARES.values())
    while True:
        kind = rng.choices(kinds, weights)[0]
        if kind == "problem":
            yield _problem_sample(rng)
        else:
            state = position(_game(kind, rng), rng)
            style = _style(rng, problems.PATTERNS)
            yield Sample(kind, style, game_message(observe(state, state.player), state.game), reply(state, style, rng))


def reply(state: State, style: str, rng: random.Random) -> str:
    """A reply of the player to move in this style, checked: the corpus holds no invalid move."""
    text = replies.careless(state, rng) if style == "careless" else replies.careful(state, style, rng)
    action = parse(text, state)
    if isinstance(action, Invalid):
        raise AssertionError(f"the corpus wrote an invalid reply: {text!r} in {state.history}: {action.reason}")
    return text


def position(game: Game, rng: random.Random) -> State:
    """A position of a game between players who move carefully half of the time; every turn of it is as likely."""
    states: list[State] = []
    state = game.initial_state()
    while state.player != TERMINAL and len(states) < game.max_turns:
        if state.player == CHANCE:
            state = state.apply(state.sample_chance(rng))
            continue
        states.append(state)
        style = _style(rng, problems.PATTERNS)
        action = parse(reply(state, style, rng), state)
        assert isinstance(action, str)
        state = state.apply(action)
    return rng.choice(states)


def _style(rng: random.Random, patterns: tuple[str, ...]) -> str:
    return "careless" if rng.random() < CARELESS_SHARE else rng.choice(patterns)


def _problem_sample(rng: random.Random) -> Sample:
    family = rng.choice(sorted(problems.FAMILIES))
    problem = problems.make(family, rng)
    while problems.held_out(problem.question):  # kept for evaluation
        problem = problems.make(family, rng)
    style = _style(rng, problems.patterns_of(family))
    text = problems.careless(problem, rng) if style == "careless" else problems.careful(problem, style)
    return Sample(family, style, question_message(problem.question), text)


@functools.cache
def _kuhn(rounds: int, variant: str) -> Game:
    return games.make("kuhn_poker", rounds=rounds, variant=variant)


def _game(kind: str, rng: random.Random) -> Game:
    """The game with its usual options most of the time, so that the model can also play the others."""
    if kind == "kuhn_poker" and rng.random() < 0.2:
        return _kuhn(rng.randint(1, 5), rng.choice(("textbook", "published")))
    if kind == "simple_negotiation" and rng.random() < 0.2:
        return games.make(kind, resources="five")
    return games.make(kind)
