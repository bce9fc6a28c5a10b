"""Kuhn poker: three cards, one bet, and the smallest game in which a player must bluff.

Textbook rules (Kuhn 1950): both ante 1 chip and get one of J < Q < K; a bet adds 1 chip, a call matches it. The value
to the first player is -1/18, and the equilibria are a one-parameter family. A match of several rounds alternates the
starter and is won by the chip leader.

`variant="published"` is the game that SPIRAL's published environment really plays. It differs in four ways:
1. the pot never grows, so a called bet pays 1 chip like a fold, although its rules text says that a bet adds one:
   its value is 0 and never folding guarantees it, so nothing is left to bluff about;
2. the winner of the LAST round wins the match, whoever leads in chips;
3. player 1 starts the first round and so, of five, the last: a hidden edge for one seat;
4. its deals come from the process-wide random generator (not reproduced: our deals are chance nodes).
Read `tic_tac_toe.py` before this, `simple_negotiation.py` after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, ClassVar

from spiral_lite.games.base import CHANCE, TERMINAL, Game, State

CARDS = "JQK"
VARIANTS = ("textbook", "published")
LEGAL = {"": ("[check]", "[bet]"), "k": ("[check]", "[bet]"), "b": ("[fold]", "[call]"), "kb": ("[fold]", "[call]")}
LETTER = {"[check]": "k", "[bet]": "b", "[fold]": "f", "[call]": "c"}
DECK = {dealt: tuple(card for card in CARDS if card != dealt) for dealt in ("", *CARDS)}  # the cards left after one
CUMULATIVE = {n: tuple(accumulate([1 / n] * n)) for n in (2, 3)}  # the chances of n cards, summed up


@dataclass(frozen=True)
class KuhnPoker(Game):
    """`rounds=1` pays chips (±1, ±2); a longer match, and the published variant, pays ±1 for winning, 0 for a tie."""

    name: ClassVar[str] = "kuhn_poker"

    rounds: int = 1
    variant: str = "textbook"

    def __post_init__(self) -> None:
        if not isinstance(self.rounds, int) or not 1 <= self.rounds <= 12:
            raise ValueError(f"rounds={self.rounds!r}: a match has 1 to 12 rounds (50 turns at most), e.g. rounds=5")
        if self.variant not in VARIANTS:
            raise ValueError(f"variant={self.variant!r} is unknown; known: {', '.join(VARIANTS)}")

    @property
    def max_return(self) -> float:
        return 2.0 if self.rounds == 1 and self.variant == "textbook" else 1.0

    def initial_state(self) -> KuhnState:
        return KuhnState(self)

    def starter(self, round_index: int) -> int:
        """Who acts first in a round (counted from 0)."""
        return (round_index + (self.variant == "published")) % 2

    @cached_property
    def starters(self) -> tuple[int, ...]:
        """`starter` of every round, and of the one after the last."""
        return tuple(self.starter(index) for index in range(self.rounds + 1))


@dataclass(frozen=True, init=False)
class KuhnState(State):
    """`round` counts from 0; `cards` are those dealt in it (player 0's first); `betting` is k, b, kb; `chips` is the
    net of player 0 over the finished rounds; `last_winner` won the latest of them; `finished` keeps what the rounds
    looked like: (cards, actions, winner, chips) each."""

    round: int = 0
    cards: str = ""
    betting: str = ""
    chips: int = 0
    last_winner: int = 0
    finished: tuple[tuple[str, tuple[str, ...], int, int], ...] = field(default=(), compare=False, repr=False)

    def __init__(
        self,
        game: KuhnPoker,
        history: tuple[str, ...] = (),
        round: int = 0,
        cards: str = "",
        betting: str = "",
        chips: int = 0,
        last_winner: int = 0,
        finished: tuple[tuple[str, tuple[str, ...], int, int], ...] = (),
    ) -> None:
        self.__dict__.update(  # at once: half the time that a frozen dataclass takes, which sets one by one
            game=game,
            history=history,
            round=round,
            cards=cards,
            betting=betting,
            chips=chips,
            last_winner=last_winner,
            finished=finished,
        )

    @property
    def player(self) -> int:
        if len(self.cards) == 2:
            return (self.game.starters[self.round] + len(self.betting)) % 2
        return CHANCE if self.round < self.game.rounds else TERMINAL

    def legal_actions(self) -> tuple[str, ...]:
        return LEGAL[self.betting] if len(self.cards) == 2 else ()

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        if self.player != CHANCE:
            return ()
        deck = DECK[self.cards]
        return tuple((card, 1 / len(deck)) for card in deck)

    def _chance(self) -> tuple[Sequence[str], Sequence[float]]:
        if self.player != CHANCE:
            return super()._chance()
        deck = DECK[self.cards]
        return deck, CUMULATIVE[len(deck)]

    def chance_seen_by(self) -> tuple[int, ...]:
        return (len(self.cards),)

    def _next(self, action: str) -> KuhnState:
        game, history, rounds = self.game, (*self.history, action), self.finished
        if len(self.cards) < 2:
            return KuhnState(game, history, self.round, self.cards + action, "", self.chips, self.last_winner, rounds)
        betting = self.betting + LETTER[action]
        if betting in LEGAL:
            return KuhnState(game, history, self.round, self.cards, betting, self.chips, self.last_winner, rounds)
        winner, stake = self._showdown(betting)
        chips = self.chips + (stake if winner == 0 else -stake)
        rounds = (*rounds, (self.cards, history[len(history) - len(betting) :], winner, stake))
        return KuhnState(game, history, self.round + 1, "", "", chips, winner, rounds)

    def _showdown(self, betting: str) -> tuple[int, int]:
        """(winner, chips won) of a finished betting sequence."""
        if betting.endswith("f"):
            return 1 - self.player, 1
        winner = 0 if CARDS.index(self.cards[0]) > CARDS.index(self.cards[1]) else 1
        called = betting.endswith("c") and self.game.variant == "textbook"
        return winner, 2 if called else 1

    def returns(self) -> tuple[float, float]:
        if self.player != TERMINAL:
            return (0.0, 0.0)
        if self.game.variant == "published":
            result = 1.0 if self.last_winner == 0 else -1.0
        elif self.game.rounds == 1:
            result = float(self.chips)
        else:
            result = float((self.chips > 0) - (self.chips < 0))
        return (result, -result)

    def information(self, player: int) -> dict[str, Any]:
        """`rounds_played`: for each finished round [own card, actions, winner, chips, other's card or None]."""
        return {
            "you": player,
            "rounds": self.game.rounds,
            "variant": self.game.variant,
            "rounds_played": self._rounds_played(player),
            "card": self.cards[player] if len(self.cards) > player else None,
            "starter": self.game.starters[self.round],
            "actions": list(self.history[len(self.history) - len(self.betting) :]),
            "legal": list(self.legal_actions()),
        }

    def _rounds_played(self, player: int) -> list[dict[str, Any]]:
        """What `player` saw of the finished rounds: the other's card only where a showdown turned it up."""
        return [
            {
                "card": cards[player],
                "starter": self.game.starters[index],
                "actions": list(actions),
                "winner": winner,
                "chips": chips,
                "other_card": None if actions[-1] == "[fold]" else cards[1 - player],
            }
            for index, (cards, actions, winner, chips) in enumerate(self.finished)
        ]
