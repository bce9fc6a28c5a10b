"""Truth and Deception: player 0 knows which of two facts is true, and talks player 1 into choosing the other.

As SPIRAL configures it (TextArena's game with 6 turns): the deceiver and the guesser speak in turn, five messages in
all, and in the last turn the guesser chooses; whoever is right about the choice wins. The facts are our own
(`facts.py`). What differs from the published code:
1. There a choice that names both facts always wins. Here it is one of `[Fact 1]`, `[Fact 2]`, letter for letter.
   `variant="published"` takes any text that names one of them, in any case, and pays as published if it names both.
2. Its rules promise 6 turns of talk and a choice after them, but the sixth turn is the choice. Ours say so.
3. A message has at most LONGEST characters, in either variant: it becomes part of every later prompt.
4. What is said is one line in brackets and has none within, so that it looks like no line of the game; nor `<` without
   a space behind it, so that no tokenizer of a language model takes it for a mark of its own.

The secret is which fact is true: a chance node that player 0 alone sees. Only then come the sentences, seen by both,
in an order that fits the secret. A guesser who knows the world can tell; nothing else may tell, and `games.check`
watches that up to the sentences, the test of this game, which exchanges true and false in the table, to the end.
Read `simple_negotiation.py` before this.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, NamedTuple

from spiral_lite.games import facts
from spiral_lite.games.base import CHANCE, TERMINAL, Chance, Game, Invalid, State, as_json

VARIANTS = ("textbook", "published")
LONGEST = 200  # characters of a message
SECRETS = ("Fact 1 is true", "Fact 2 is true")
CHOICES = ("[Fact 1]", "[Fact 2]")
DEALS = 2  # chance nodes: the secret, the sentences
TYPICAL = (  # things to say, of the deceiver and of the guesser
    ("[Fact 1 is true.]", "[Fact 2 is true.]", "[Trust me.]"),
    ("[I think Fact 1 is true.]", "[I think Fact 2 is true.]", "[Why?]"),
)


@dataclass(frozen=True)
class TruthAndDeception(Game):
    """The winner gets 1. `variant="published"` lets a choice name both facts."""

    name: ClassVar[str] = "truth_and_deception"
    max_turns: ClassVar[int] = 6

    variant: str = "textbook"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise ValueError(f"variant={self.variant!r} is unknown; known: {', '.join(VARIANTS)}")

    @property
    def max_return(self) -> float:
        return 1.0

    def initial_state(self) -> TruthState:
        return TruthState(self)


class Known(NamedTuple):
    """All that a player may know; `truth` (0: Fact 1) is None for the guesser."""

    you: int
    facts: tuple[str, ...]  # none before they are dealt
    truth: int | None
    said: tuple[str, ...]  # player 0's, player 1's, ...; at the end the last one is the choice
    turns_left: int
    legal: tuple[str, ...]


@dataclass(frozen=True)
class TruthState(State):
    """History: the secret, the sentences, five messages, the choice."""

    @property
    def turn(self) -> int:
        """How many times the players have spoken, below 0 before the facts are dealt."""
        return len(self.history) - DEALS

    @property
    def choosing(self) -> bool:
        """Is this the turn in which the guesser chooses?"""
        return self.turn == self.game.max_turns - 1

    @property
    def player(self) -> int:
        if self.turn < 0:
            return CHANCE
        return self.turn % 2 if self.turn < self.game.max_turns else TERMINAL

    @property
    def truth(self) -> int:
        """The place of the true fact."""
        return SECRETS.index(self.history[0])

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        return tuple(self._chance().probability.items()) if self.player == CHANCE else ()

    def _chance(self) -> Chance:
        return _sentences(facts.PAIRS, self.truth) if self.history else SECRET

    def chance_seen_by(self) -> tuple[int, ...]:
        return (0, 1) if self.history else (0,)

    def legal_actions(self) -> tuple[str, ...]:
        """The choices; before, a few of the many things that one can say."""
        if self.player not in (0, 1):
            return ()
        return CHOICES if self.choosing else TYPICAL[self.player]

    def read(self, text: str) -> str | Invalid:
        """What is said, in brackets; in the last turn the choice."""
        if self.player not in (0, 1):
            return Invalid("nobody is to speak: the game is over or waits for chance")
        if not self.choosing:
            return spoken(text)
        if self.game.variant == "published":
            named = [choice for choice in CHOICES if choice.lower() in text.lower()]
            return " ".join(named) or Invalid(f"{text[:60]!r} names no fact; choose {' or '.join(CHOICES)}")
        return super().read(text)

    def _next(self, action: str) -> TruthState:
        return TruthState(self.game, (*self.history, action))

    def returns(self) -> tuple[float, float]:
        if self.player != TERMINAL:
            return (0.0, 0.0)
        return (-1.0, 1.0) if CHOICES[self.truth] in self.history[-1] else (1.0, -1.0)

    def known(self, player: int) -> Known:
        return Known(
            player,
            _sentences_in(self.history[1]) if self.turn >= 0 else (),
            self.truth if player == 0 and self.history else None,
            self.history[DEALS:],
            self.game.max_turns - max(self.turn, 0),
            self.legal_actions(),
        )

    def information(self, player: int) -> dict[str, Any]:
        """`Known` as JSON data."""
        return dict(as_json(self.known(player)))


SECRET = Chance.among([(secret, 1 / len(SECRETS)) for secret in SECRETS])
MARKS = ("Fact 1: ", " Fact 2: ")


@cache
def _sentences(pairs: tuple[facts.Pair, ...], truth: int) -> Chance:
    """Every pair of sentences, the true one at its place."""
    shown = [(pair[truth], pair[1 - truth]) for pair in pairs]  # a pair is (true, false)
    return Chance.among([(f"{MARKS[0]}{first}{MARKS[1]}{second}", 1 / len(pairs)) for first, second in shown])


@cache
def _sentences_in(outcome: str) -> tuple[str, ...]:
    """The two sentences of an outcome of `_sentences`."""
    first, second = outcome.removeprefix(MARKS[0]).split(MARKS[1])
    return (first, second)


def spoken(text: str) -> str | Invalid:
    """What a text says, as one line in brackets, or why it cannot be said.

    >>> spoken(" I know:  [Fact 1]\\n is <b>true</b>. ")
    '[I know: Fact 1 is < b>true< /b>.]'
    """
    words = " ".join(text.replace("[", "").replace("]", "").split())
    words = re.sub(r"<(?=\S)", "< ", words)
    if not words:
        return Invalid(f"nothing is said; write some words, such as {TYPICAL[0][0]}")
    if len(words) > LONGEST:
        return Invalid(f"{words[:20]!r}... has {len(words)} characters; a message has at most {LONGEST}")
    return f"[{words}]"
