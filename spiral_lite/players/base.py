"""What a player is: it gets a batch of prompts and gives a reply to each. Scripts, a random player, a person.

Scripted players read the state, not the text, and write a bare `\\boxed{action}`; a language model reads the message.
Randomness comes in with each prompt's seed. Read `dialogue` before this, `language_model.py` after.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from spiral_lite import dialogue
from spiral_lite.games import Invalid, State


@dataclass(frozen=True)
class Prompt:
    """A turn that waits for a reply: `message` is what the player reads, `seed` is the randomness that it may use, and
    `game_seed` is the same number in every turn of a game."""

    state: State
    message: str
    seed: int
    game_seed: int = 0


@dataclass(frozen=True)
class Reply:
    """What a player wrote. Language models add the text and the tokens of prompt and reply, and the log-probability
    (nats) of each reply token under the distribution it was sampled from; `truncated`: the token limit cut it."""

    text: str
    prompt: str = ""
    prompt_ids: tuple[int, ...] = ()
    ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    truncated: bool = False


class Player(Protocol):
    """Anything with a name that answers prompts."""

    @property
    def name(self) -> str: ...

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]: ...


class Desk:
    """Where turns wait for a player: hand in prompts at any time, collect replies as they come. Here they come all at
    once, as one batch. Close it when the games are over."""

    def __init__(self, player: Player) -> None:
        self.player = player
        self._waiting: list[tuple[Any, Prompt]] = []

    def ask(self, turns: Sequence[tuple[Any, Prompt]]) -> None:
        """turns: (anything to recognise the reply by, prompt)."""
        self._waiting += turns

    def collect(self) -> list[tuple[Any, Reply]]:
        """Replies that are ready, at least one if any turn waits."""
        turns, self._waiting = self._waiting, []
        replies = self.player.reply([prompt for _, prompt in turns]) if turns else []
        return [(key, reply) for (key, _), reply in zip(turns, replies, strict=True)]

    def close(self) -> None:
        """Forgets the turns that wait."""
        self._waiting = []


class Scripted:
    """A player that maps (state, rng) to an action: the base of all that need no language model."""

    def __init__(self, choose: Callable[[State, random.Random], str], name: str) -> None:
        self.choose, self.name = choose, name

    def reply(self, prompts: Sequence[Prompt]) -> list[Reply]:
        return [Reply(f"\\boxed{{{self.choose(p.state, random.Random(p.seed))}}}") for p in prompts]


def random_player() -> Scripted:
    """Every legal action with the same probability."""
    return Scripted(lambda state, rng: rng.choice(state.legal_actions()), "random")


def person(ask: Callable[[str], str] = input) -> Scripted:
    """Asks a person (or a script, where `ask` is one) until the answer is a legal action."""

    def choose(state: State, rng: random.Random) -> str:
        text = dialogue.observe(state, state.player)
        while True:
            action = state.read(ask(f"{text}\nYour move: ").strip())
            if not isinstance(action, Invalid):
                return action
            text = action.reason

    return Scripted(choose, "person")
