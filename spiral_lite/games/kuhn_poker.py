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

from dataclasses import dataclass
from typing import Any, ClassVar

from spiral_lite.games.base import CHANCE, TERMINAL, Game, State

CARDS = "JQK"
VARIANTS = ("textbook", "published")
LEGAL = {"": ("[check]", "[bet]"), "k": ("[check]", "[bet]"), "b": ("[fold]", "[call]"), "kb": ("[fold]", "[call]")}
LETTER = {"[check]": "k", "[bet]": "b", "[fold]": "f", "[call]": "c"}


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


@dataclass(frozen=True)
class KuhnState(State):
    """`round` counts from 0; `cards` are those dealt in it (player 0's first); `betting` is k, b, kb; `chips` is the
    net of player 0 over the finished rounds; `last_winner` won the latest of them."""

    round: int = 0
    cards: str = ""
    betting: str = ""
    chips: int = 0
    last_winner: int = 0

    @property
    def player(self) -> int:
        if self.round == self.game.rounds:
            return TERMINAL
        if len(self.cards) < 2:
            return CHANCE
        return (self.game.starter(self.round) + len(self.betting)) % 2

    def legal_actions(self) -> tuple[str, ...]:
        return LEGAL[self.betting] if self.player in (0, 1) else ()

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        if self.player != CHANCE:
            return ()
        deck = [card for card in CARDS if card not in self.cards]
        return tuple((card, 1 / len(deck)) for card in deck)

    def chance_seen_by(self) -> tuple[int, ...]:
        return (len(self.cards),)

    def _next(self, action: str) -> KuhnState:
        history = (*self.history, action)
        if self.player == CHANCE:
            return KuhnState(self.game, history, self.round, self.cards + action, "", self.chips, self.last_winner)
        betting = self.betting + LETTER[action]
        if betting in LEGAL:
            return KuhnState(self.game, history, self.round, self.cards, betting, self.chips, self.last_winner)
        winner, stake = self._showdown(betting)
        chips = self.chips + (stake if winner == 0 else -stake)
        return KuhnState(self.game, history, self.round + 1, "", "", chips, winner)

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
            "starter": self.game.starter(self.round),
            "actions": list(self.history[len(self.history) - len(self.betting) :]) if self.betting else [],
            "legal": list(self.legal_actions()),
        }

    def _rounds_played(self, player: int) -> list[dict[str, Any]]:
        """What `player` saw of the finished rounds: the other's card only where a showdown turned it up."""
        if self.round == 0:
            return []
        played, before = [], self.game.initial_state()
        actions: list[str] = []
        for action in self.history:
            after = before.apply(action)
            if before.player != CHANCE:
                actions.append(action)
            if after.round > before.round:
                shown = actions[-1] != "[fold]"
                played.append(
                    {
                        "card": before.cards[player],
                        "starter": self.game.starter(before.round),
                        "actions": actions,
                        "winner": after.last_winner,
                        "chips": abs(after.chips - before.chips),
                        "other_card": before.cards[1 - player] if shown else None,
                    }
                )
                actions = []
            before = after
        return played
