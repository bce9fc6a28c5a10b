"""Liar's dice: bid on what all dice together show, or call the other's bid a lie; the caller or the bidder loses a die.

As SPIRAL configures TextArena's LiarsDice-v0: 5 dice each and no wild ones. A bid `[Bid: 3, 4]` (three 4s) may lower
neither quantity nor face of the bid before it and must raise one. After a `[Call]` the bidder loses a die if there are
fewer than he bid, else the caller does; both learn how many there are, not whose. All dice are rolled anew, the player
who did not call begins, and who has lost his last die has lost the game. How we differ from the published code:
1. no bid exceeds the dice on the table (there, any number passes, so that its games have no bound; here 108 turns are
   the most, of 10,000 random games the longest had 45, and SPIRAL's limit of 50 is not applied);
2. a bid names at least one die (there, `[Bid: 0, 6]` opens a round too, and cannot be called).
Its rules text asks for "a higher quantity or higher face", which reads as if [Bid: 3, 2] could follow [Bid: 2, 5], as
it does at most tables; its code refuses that, and so does this game.

`variant="openspiel"` is OpenSpiel's `liars_dice`: one round, sixes are wild, and a higher quantity may have any face.
A roll is a chance node a die, of 6 outcomes: all five at once would be 7776. A player's dice are shown in order of
size, as which die it was means nothing. Read `kuhn_poker.py` before this, `dialogue/liars_dice.py` after.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, NamedTuple

from spiral_lite.games.base import CHANCE, TERMINAL, Chance, Game, Invalid, State, as_json

FACES = "123456"
CALL = "[Call]"
DIE = Chance.among([(face, 1 / len(FACES)) for face in FACES])
MOST_DICE = 5
VARIANTS = ("published", "openspiel")


class Bid(NamedTuple):
    """At least `quantity` of all dice show `face`."""

    quantity: int
    face: int

    def __str__(self) -> str:
        return f"[Bid: {self.quantity}, {self.face}]"


BIDS = {str(bid): bid for bid in (Bid(q, f) for q in range(1, 2 * MOST_DICE + 1) for f in range(1, len(FACES) + 1))}


class Played(NamedTuple):
    """What a player saw of a finished round."""

    dice: tuple[int, ...]  # his own
    starter: int
    actions: tuple[str, ...]
    showing: int  # how many of all dice made the last bid true
    loser: int


class Known(NamedTuple):
    """All that a player may know. The dice of the other player are in no field."""

    you: int
    variant: str
    rounds_played: tuple[Played, ...]
    dice: tuple[int, ...]
    dice_left: tuple[int, int]
    starter: int
    actions: tuple[str, ...]
    legal: tuple[str, ...]


@dataclass(frozen=True)
class LiarsDice(Game):
    """`dice` is how many each player starts with. A win pays 1; there is no draw."""

    name: ClassVar[str] = "liars_dice"
    max_turns: ClassVar[int] = 108  # with 10, 9, ... 2 dice on the table, each bid one higher than the last; then calls

    dice: int = MOST_DICE
    variant: str = "published"

    def __post_init__(self) -> None:
        if not isinstance(self.dice, int) or not 1 <= self.dice <= MOST_DICE:
            raise ValueError(f"dice={self.dice!r}: each player starts with 1 to {MOST_DICE} dice, e.g. dice=5")
        if self.variant not in VARIANTS:
            raise ValueError(f"variant={self.variant!r} is unknown; known: {', '.join(VARIANTS)}")

    @property
    def max_return(self) -> float:
        return 1.0

    def initial_state(self) -> LiarsDiceState:
        return LiarsDiceState(self, (), (self.dice, self.dice))


@dataclass(frozen=True)
class LiarsDiceState(State):
    """`dice` are those rolled in this round, player 0's first; `bids` counts the round's actions; `finished` keeps what
    player 0 and what player 1 saw of the rounds before. Pairs are of player 0 and 1."""

    dice_left: tuple[int, int] = (0, 0)
    dice: str = ""
    starter: int = 0
    bids: int = 0
    finished: tuple[tuple[Played, ...], tuple[Played, ...]] = ((), ())

    @property
    def on_the_table(self) -> int:
        """How many dice both have together."""
        return sum(self.dice_left)

    @property
    def bid(self) -> Bid | None:
        """The bid that may be called."""
        return BIDS[self.history[-1]] if self.bids else None

    @property
    def player(self) -> int:
        played = self.finished[0]
        if 0 in self.dice_left or (played and self.game.variant == "openspiel"):
            return TERMINAL
        return (self.starter + self.bids) % 2 if len(self.dice) == self.on_the_table else CHANCE

    def legal_actions(self) -> tuple[str, ...]:
        """Bids from the lowest up, then the call."""
        return _legal(self.game.variant, self.on_the_table, self.bid) if self.player in (0, 1) else ()

    def read(self, text: str) -> str | Invalid:
        """As every game, but the reason does not list sixty bids."""
        legal = self.legal_actions()
        if text in legal:
            return text
        some = ", ".join((*legal[:2], "...", *legal[-2:])) if len(legal) > 4 else ", ".join(legal)
        above = f" after {self.bid}" if self.bid else ""
        return Invalid(f"{text[:60]!r} is not legal here; legal{above}: {some}")

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        return tuple(DIE.probability.items()) if self.player == CHANCE else ()

    def _chance(self) -> Chance:
        return DIE if self.player == CHANCE else super()._chance()

    def chance_seen_by(self) -> tuple[int, ...]:
        return (0,) if len(self.dice) < self.dice_left[0] else (1,)

    def dice_of(self, player: int) -> tuple[int, ...]:
        """The dice of a player, as far as rolled, in order of size."""
        mine = self.dice[: self.dice_left[0]] if player == 0 else self.dice[self.dice_left[0] :]
        return tuple(sorted(map(int, mine)))

    def _next(self, action: str) -> LiarsDiceState:
        game, history, left = self.game, (*self.history, action), self.dice_left
        if len(self.dice) < self.on_the_table:
            return LiarsDiceState(game, history, left, self.dice + action, self.starter, 0, self.finished)
        if action != CALL:
            return LiarsDiceState(game, history, left, self.dice, self.starter, self.bids + 1, self.finished)
        bid, caller = BIDS[self.history[-1]], self.player
        showing = sum(int(die) == bid.face or (game.variant == "openspiel" and die == FACES[-1]) for die in self.dice)
        loser = caller if showing >= bid.quantity else 1 - caller
        actions = history[len(history) - self.bids - 1 :]
        seen_0, seen_1 = (
            (*self.finished[player], Played(self.dice_of(player), self.starter, actions, showing, loser))
            for player in (0, 1)
        )
        left = (left[0] - (loser == 0), left[1] - (loser == 1))
        return LiarsDiceState(game, history, left, "", 1 - caller, 0, (seen_0, seen_1))

    def returns(self) -> tuple[float, float]:
        if self.player != TERMINAL:
            return (0.0, 0.0)
        return (-1.0, 1.0) if self.finished[0][-1].loser == 0 else (1.0, -1.0)

    def known(self, player: int) -> Known:
        return Known(
            player,
            self.game.variant,
            self.finished[player],
            self.dice_of(player),
            self.dice_left,
            self.starter,
            self.history[len(self.history) - self.bids :],
            self.legal_actions(),
        )

    def information(self, player: int) -> dict[str, Any]:
        """`Known` as JSON data."""
        return dict(as_json(self.known(player)))


@cache  # two variants, ten sizes of the table, at most 60 bids
def _legal(variant: str, on_the_table: int, bid: Bid | None) -> tuple[str, ...]:
    """The bids above `bid`, and the call."""
    low = bid or Bid(0, 0)
    higher = (new for new in BIDS.values() if new > low and new.quantity <= on_the_table)
    if variant == "published":
        higher = (new for new in higher if new.face >= low.face)
    return (*map(str, higher), CALL) if bid else tuple(map(str, higher))
