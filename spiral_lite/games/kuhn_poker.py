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

from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, ClassVar, NamedTuple

from spiral_lite.games.base import CHANCE, TERMINAL, Chance, Game, State, as_json

CARDS = "JQK"
VARIANTS = ("textbook", "published")
LEGAL = {"": ("[check]", "[bet]"), "k": ("[check]", "[bet]"), "b": ("[fold]", "[call]"), "kb": ("[fold]", "[call]")}
LETTER = {"[check]": "k", "[bet]": "b", "[fold]": "f", "[call]": "c"}
DECK = {dealt: tuple(card for card in CARDS if card != dealt) for dealt in ("", *CARDS)}  # the cards left after one
CHANCES = {dealt: Chance.among([(card, 1 / len(deck)) for card in deck]) for dealt, deck in DECK.items()}


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

    @property
    def value(self) -> float | None:
        if self.variant == "published":
            return 0.0  # the last round alone pays, and its value is 0 whoever starts: never folding guarantees it
        # 1: Kuhn 1950. 2: by the linear program of evaluation.exact.game_value, which takes minutes for 3 (-1/228).
        return {1: -1 / 18, 2: 0.0}.get(self.rounds)

    def initial_state(self) -> KuhnState:
        return KuhnState(self)

    def starter(self, round_index: int) -> int:
        """Who acts first in a round (counted from 0)."""
        return (round_index + (self.variant == "published")) % 2

    @cached_property
    def starters(self) -> tuple[int, ...]:
        """`starter` of every round, and of the one after the last."""
        return tuple(self.starter(index) for index in range(self.rounds + 1))


class Played(NamedTuple):
    """What a player saw of a finished round: the other's card only where a showdown turned it up."""

    card: str
    starter: int
    actions: tuple[str, ...]
    winner: int
    chips: int
    other_card: str | None


class Known(NamedTuple):
    """All that a player may know."""

    you: int
    rounds: int
    variant: str
    rounds_played: tuple[Played, ...]
    card: str | None
    starter: int
    actions: tuple[str, ...]
    legal: tuple[str, ...]


@dataclass(frozen=True, init=False)
class KuhnState(State):
    """`cards` are those dealt in this round (player 0's first); `betting` is k, b, kb; `finished` keeps what player 0
    and what player 1 saw of the rounds before."""

    cards: str = ""
    betting: str = ""
    finished: tuple[tuple[Played, ...], tuple[Played, ...]] = field(default=((), ()), compare=False, repr=False)
    player = CHANCE  # set in __init__; no field, as it follows from the others

    def __init__(
        self,
        game: KuhnPoker,
        history: tuple[str, ...] = (),
        cards: str = "",
        betting: str = "",
        finished: tuple[tuple[Played, ...], tuple[Played, ...]] = ((), ()),
    ) -> None:
        played = len(finished[0])
        if len(cards) == 2:
            player = (game.starters[played] + len(betting)) % 2
        else:
            player = CHANCE if played < game.rounds else TERMINAL
        fields = {
            "game": game,
            "history": history,
            "cards": cards,
            "betting": betting,
            "finished": finished,
            "player": player,
        }
        object.__setattr__(self, "__dict__", fields)  # all at once: half the time of a generated __init__

    @property
    def chips(self) -> int:
        """The net of player 0 over the finished rounds."""
        return sum(played.chips if played.winner == 0 else -played.chips for played in self.finished[0])

    @property
    def last_winner(self) -> int:
        """Who won the latest of them."""
        return self.finished[0][-1].winner

    def legal_actions(self) -> tuple[str, ...]:
        return LEGAL[self.betting] if len(self.cards) == 2 else ()

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        return tuple(self._chance().probability.items()) if self.player == CHANCE else ()

    def _chance(self) -> Chance:
        return CHANCES[self.cards] if self.player == CHANCE else super()._chance()

    def chance_seen_by(self) -> tuple[int, ...]:
        return (len(self.cards),)

    def _next(self, action: str) -> KuhnState:
        game, cards, finished, history = self.game, self.cards, self.finished, (*self.history, action)
        if len(cards) < 2:
            return KuhnState(game, history, cards + action, "", finished)
        betting = self.betting + LETTER[action]
        if betting in LEGAL:
            return KuhnState(game, history, cards, betting, finished)
        starter, actions = game.starters[len(finished[0])], history[len(history) - len(betting) :]
        for_0, for_1 = _played(game.variant, cards, starter, actions)
        return KuhnState(game, history, "", "", ((*finished[0], for_0), (*finished[1], for_1)))

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

    def known(self, player: int) -> Known:
        game, history, rounds_played = self.game, self.history, self.finished[player]
        return Known(
            player,
            game.rounds,
            game.variant,
            rounds_played,
            self.cards[player] if len(self.cards) > player else None,
            game.starters[len(rounds_played)],
            history[len(history) - len(self.betting) :],
            self.legal_actions(),
        )

    def information(self, player: int) -> dict[str, Any]:
        """`Known` as JSON data."""
        return dict(as_json(self.known(player)))


@cache  # two variants, six deals, two starters, five ways to bet
def _played(variant: str, cards: str, starter: int, actions: tuple[str, ...]) -> tuple[Played, Played]:
    """A round that is over, as player 0 and as player 1 saw it."""
    folded = actions[-1] == "[fold]"
    if folded:
        winner, chips = (starter + len(actions)) % 2, 1  # not the one who folded
    else:
        winner = 0 if CARDS.index(cards[0]) > CARDS.index(cards[1]) else 1
        chips = 2 if actions[-1] == "[call]" and variant == "textbook" else 1
    for_0, for_1 = (
        Played(cards[player], starter, actions, winner, chips, None if folded else cards[1 - player])
        for player in (0, 1)
    )
    return for_0, for_1
