"""What may really be the case: positions that a player cannot tell from the one that he is in.

A walk (Metropolis et al. 1953) over what is hidden from the player: what chance dealt in secret, and the last move
where the other has made it in secret. A step draws one such outcome anew, or exchanges two, and repeats the rest of the
history; it is taken if the player would then know exactly the same, with the probability that makes each position as
frequent as chance makes it. How the other plays counts for nothing: every secret move is as likely as the next.
It starts from the truth, so a secret that no single draw or exchange can change would stay.
Read `games/base.py` before this, `mcts.py` after.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from itertools import pairwise

from spiral_lite.games import CHANCE, Game, State

FIRST_SWEEPS = 3  # over everything hidden, before the first position; then one sweep a position


def possible_worlds(state: State, rng: random.Random) -> Iterator[State]:
    """Positions that are the same to the player to move, without end; `state` itself, once, if nothing is hidden.

    >>> from spiral_lite import games
    >>> worlds = possible_worlds(games.make("kuhn_poker").replay(["K", "J"]), random.Random(0))
    >>> sorted({next(worlds).history for _ in range(50)})
    [('K', 'J'), ('K', 'Q')]
    """
    hidden = hidden_steps(state, state.player)
    if not hidden:
        yield state
        return
    world = _World(state.game, state.player, state)
    for _ in range(FIRST_SWEEPS * len(hidden)):
        world.step(hidden, rng)
    while True:
        for _ in hidden:
            world.step(hidden, rng)
        yield world.state


def hidden_steps(state: State, player: int) -> list[int]:
    """The places in the history of what `player` has not seen."""
    path, hidden = _path(state.game, state.history), []
    for step, before in enumerate(path[:-1]):
        if before.player == CHANCE and player not in before.chance_seen_by():
            hidden.append(step)
    if len(path) > 1 and path[-2].player == 1 - player:
        known, others = state.known(player), set(path[-2].legal_actions()) - {state.history[-1]}
        if any(path[-2].apply(action).known(player) == known for action in others):
            hidden.append(len(path) - 2)
    return hidden


class _World:
    """A position that looks to `player` as the real one does."""

    def __init__(self, game: Game, player: int, state: State) -> None:
        self.game, self.player, self.state = game, player, state
        self.known = state.known(player)
        self.path = _path(game, state.history)

    def step(self, hidden: list[int], rng: random.Random) -> None:
        """Tries one change of what is hidden, and makes it if it is possible."""
        step = rng.choice(hidden)
        here = _odds(self.path[step])
        changes = {step: rng.choices(list(here), list(here.values()))[0]}
        other = rng.choice(hidden)
        exchanged = other != step and rng.random() < 0.5
        if exchanged:
            changes = {step: self.state.history[other], other: self.state.history[step]}
        path = self._changed(changes)
        if path is None:
            return
        gain = _log_probability(path) - _log_probability(self.path)
        if not exchanged:  # likely outcomes are drawn more often, which is to count once
            gain += math.log(here[self.state.history[step]]) - math.log(here[changes[step]])
        if math.log(1 - rng.random()) <= gain:
            self.path, self.state = path, path[-1]

    def _changed(self, changes: dict[int, str]) -> list[State] | None:
        """The path with other outcomes at some steps, if it is possible and looks the same."""
        path = self.path[: min(changes) + 1]
        history = self.state.history
        if all(history[step] == outcome for step, outcome in changes.items()):
            return None
        for step in range(len(path) - 1, len(history)):
            try:
                path.append(path[-1].apply(changes.get(step, history[step])))
            except ValueError:
                return None
            if path[-1].player != self.path[step + 1].player:
                return None
        return path if path[-1].known(self.player) == self.known else None


def _path(game: Game, history: tuple[str, ...]) -> list[State]:
    """The positions of a game, from the first on."""
    path = [game.initial_state()]
    for action in history:
        path.append(path[-1].apply(action))
    return path


def _odds(state: State) -> dict[str, float]:
    """The outcomes of a chance node; all actions of a player alike."""
    legal = state.legal_actions()
    return dict(state.chance_outcomes()) or dict.fromkeys(legal, 1 / len(legal))


def _log_probability(path: list[State]) -> float:
    """Of all that chance did."""
    return math.fsum(
        math.log(_odds(state)[after.history[-1]]) for state, after in pairwise(path) if state.player == CHANCE
    )
