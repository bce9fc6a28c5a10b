"""Simple Negotiation: trade goods that the two of you value differently; whoever gains more value wins.

As SPIRAL configures it: 10 turns, `[Offer: 3 Wood -> 2 Gold]` (the offerer gives 3 Wood and gets 2 Gold), `[Accept]`
and `[Deny]`, with free text around them. `resources="two"` is the first version (fixed goods and values, no chance);
`resources="five"` the later one, whose endowments and values are drawn. How we settle what the rules leave open:
1. The legal list of SPIRAL's first code held three random offers, so nearly every real offer was invalid. Here every
   offer that both sides can honour is legal: `read` parses it; `legal_actions` only lists a few.
2. Both inventories are public, so that each side can tell which offers are legal; values are private.
3. An offer stays open for one turn: the other player accepts it, denies it, or denies it by a new offer.
4. An accepted trade does not end the game, which always lasts 10 turns; an offer in the last turn lapses.
Read `kuhn_poker.py` before this, `offers.py` and `dialogue/replies.py` after.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import add, mul, sub
from typing import Any, ClassVar, NamedTuple

from spiral_lite.games.base import CHANCE, TERMINAL, Chance, Game, Invalid, State, as_json
from spiral_lite.games.offers import ANSWERS, ARROW, EXAMPLE, KEPT, Amounts, Offer, Pair, amounts_of, said_in

GOODS = {"two": ("Wood", "Gold"), "five": ("Wheat", "Wood", "Sheep", "Brick", "Gold")}
BASE_VALUES = {"Wheat": 5, "Wood": 10, "Sheep": 15, "Brick": 25, "Gold": 40}  # of "five"; drawn within 20 % of them
UNITS = range(5, 26)  # of each good, in "five"
LOWEST_VALUE, HIGHEST_VALUE = 5, 40


class OpenOffer(NamedTuple):
    """What both know of it."""

    by: int
    gives: Amounts
    gets: Amounts


class Known(NamedTuple):
    """All that a player may know. The values of the other player are in no field."""

    you: int
    resources: tuple[str, ...]
    values: Amounts
    inventories: Pair
    offer: OpenOffer | None
    actions: tuple[str, ...]
    turns: int
    turns_left: int
    legal: tuple[str, ...]


@dataclass(frozen=True)
class SimpleNegotiation(Game):
    """`resources` is "two" (fixed) or "five" (drawn). A win pays 1, an equal gain 0."""

    name: ClassVar[str] = "simple_negotiation"
    max_turns: ClassVar[int] = 10

    resources: str = "two"

    def __post_init__(self) -> None:
        if self.resources not in GOODS:
            raise ValueError(f"resources={self.resources!r} is unknown; known: {', '.join(GOODS)}")

    @property
    def max_return(self) -> float:
        return 1.0

    @cached_property
    def goods(self) -> tuple[str, ...]:
        """The names of what is traded; every tuple of amounts is in this order."""
        return GOODS[self.resources]

    @cached_property
    def deals(self) -> int:
        """How many chance nodes open the game: units of each good for player 0, then 1, then the same for values."""
        return len(DEALS) if self.resources == "five" else 0

    @cached_property
    def to_move(self) -> tuple[int, ...]:
        """`state.player` by the length of the history."""
        return (CHANCE,) * self.deals + tuple(turn % 2 for turn in range(self.max_turns)) + (TERMINAL,)

    def initial_state(self) -> State:
        if self.deals:
            return DealingState(self)
        amounts = amounts_of(self.goods)
        units, values = (amounts(10, 10), amounts(10, 10)), (amounts(5, 15), amounts(15, 5))
        return NegotiationState(self, (), units, values, units)


def deal_after(k: int, goods: tuple[str, ...]) -> tuple[int, str, bool]:
    """(player, good, is it a value?) of the chance node after `k` others."""
    n = len(goods)
    return k // n % 2, goods[k % n], k >= 2 * n


def _deal(k: int) -> dict[str, int]:
    """What chance may deal after `k` deals: the texts and the numbers in them."""
    player, good, is_value = deal_after(k, GOODS["five"])
    if not is_value:
        return {f"Player {player} has {units} {good}": units for units in UNITS}
    spread = BASE_VALUES[good] // 5
    low = max(BASE_VALUES[good] - spread, LOWEST_VALUE)
    high = min(BASE_VALUES[good] + spread, HIGHEST_VALUE)
    return {f"Player {player} values {good} {value}": value for value in range(low, high + 1)}


DEALS = tuple(_deal(k) for k in range(4 * len(GOODS["five"])))  # every chance node of "five"
CHANCES = tuple(Chance.among([(text, 1 / len(deal)) for text in deal]) for deal in DEALS)


def _dealt(history: tuple[str, ...], goods: tuple[str, ...]) -> tuple[Pair, Pair]:
    """(units, values) of the two players, as far as dealt."""
    numbers = [deal[outcome] for deal, outcome in zip(DEALS, history)]
    n = len(goods)
    parts = (numbers[start : start + n] for start in range(0, 4 * n, n))
    units_0, units_1, values_0, values_1 = [amounts_of(goods[: len(part)])(*part) for part in parts]
    return (units_0, units_1), (values_0, values_1)


@dataclass(frozen=True)
class DealingState(State):
    """Chance deals units and values, one number a node. There are many of these, so they hold the history alone."""

    player = CHANCE

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        return tuple(self._chance().probability.items())

    def _chance(self) -> Chance:
        return CHANCES[len(self.history)]

    def chance_seen_by(self) -> tuple[int, ...]:
        player, _, is_value = deal_after(len(self.history), self.game.goods)
        return (player,) if is_value else (0, 1)

    def legal_actions(self) -> tuple[str, ...]:
        return ()

    def returns(self) -> tuple[float, float]:
        return (0.0, 0.0)

    def _next(self, action: str) -> State:
        game, history = self.game, (*self.history, action)
        if len(history) < len(DEALS):
            return DealingState(game, history)
        units, values = _dealt(history, game.goods)
        return NegotiationState(game, history, units, values, units)

    def known(self, player: int) -> Known:
        units, values = _dealt(self.history, self.game.goods)
        return NegotiationState(self.game, self.history, units, values, units).known(player)

    def information(self, player: int) -> dict[str, Any]:
        """`Known` as JSON data."""
        return dict(as_json(self.known(player)))


@dataclass(frozen=True, init=False)
class NegotiationState(State):
    """The players trade. Pairs are of player 0 and 1: `units` at the start, `values`, and what each has now, `held`;
    `offer` is open."""

    units: Pair = ((), ())
    values: Pair = ((), ())
    held: Pair = ((), ())
    offer: Offer | None = None
    player = CHANCE  # set in __init__; no field, as it follows from the others

    def __init__(
        self,
        game: SimpleNegotiation,
        history: tuple[str, ...],
        units: Pair,
        values: Pair,
        held: Pair,
        offer: Offer | None = None,
    ) -> None:
        fields = {
            "game": game,
            "history": history,
            "units": units,
            "values": values,
            "held": held,
            "offer": offer,
            "player": game.to_move[len(history)],
        }
        object.__setattr__(self, "__dict__", fields)  # all at once: half the time of a generated __init__

    @property
    def turn(self) -> int:
        """How many actions the players have made."""
        return len(self.history) - self.game.deals

    def gain(self, player: int) -> int:
        """By how much the value of `player`'s inventory has grown since the start."""
        grown = map(sub, self.held[player], self.units[player])
        return sum(map(mul, self.values[player], grown))

    def legal_actions(self) -> tuple[str, ...]:
        """Accept and Deny where an offer is open, then some of the many offers; they depend on public facts only."""
        player, held = self.player, self.held
        if player not in (0, 1):
            return ()
        offers = _listed_offers(self.game.goods, held[player], held[1 - player])
        return ("[Accept]", "[Deny]", *offers) if self.offer else offers

    def read(self, text: str) -> str | Invalid:
        """The LAST bracketed action of `text`, in canonical form; other bracketed words and free text are talk."""
        player, goods = self.player, self.game.goods
        if player not in (0, 1):
            return Invalid("nobody is to move: the game is over or waits for chance")
        action, claims, _ = said_in(text, goods) if len(text) <= KEPT else said_in.__wrapped__(text, goods)
        for side, good, amount, digits in claims:
            giver = player ^ side  # side 1 is the other player
            has = self.held[giver][good]
            if amount > has:
                return Invalid(f"player {giver} cannot give {digits} {goods[good]}: player {giver} has {has}")
        if self.offer is None and action in ANSWERS:
            return Invalid(f"{action} is not legal here: no offer is open; make one, such as {EXAMPLE}")
        return action

    def _next(self, action: str) -> NegotiationState:
        held, offer = self.held, said_in(action, self.game.goods).offer
        if action == "[Accept]":
            held = self._after_trade()
        return NegotiationState(self.game, (*self.history, action), self.units, self.values, held, offer)

    def _after_trade(self) -> Pair:
        """`held` once the open offer is accepted by the player to move."""
        assert self.offer is not None, "read() lets nobody accept where no offer is open"
        given, asked, _, _ = self.offer
        taker, offerer = self.held[self.player], self.held[1 - self.player]
        taker = taker._make(map(sub, map(add, taker, given), asked))
        offerer = offerer._make(map(sub, map(add, offerer, asked), given))
        return (taker, offerer) if self.player == 0 else (offerer, taker)

    def returns(self) -> tuple[float, float]:
        if self.player != TERMINAL:
            return (0.0, 0.0)
        mine, others = self.gain(0), self.gain(1)
        result = float((mine > others) - (mine < others))
        return (result, -result)

    def known(self, player: int) -> Known:
        game, history, offer = self.game, self.history, self.offer
        turns, turn = game.max_turns, len(history) - game.deals
        return Known(
            player,
            game.goods,
            self.values[player],
            self.held,
            OpenOffer((turn - 1) % 2, offer.gives, offer.gets) if offer else None,
            history[game.deals :],
            turns,
            turns - turn if turn > 0 else turns,  # all of them while chance deals
            self.legal_actions(),
        )

    def information(self, player: int) -> dict[str, Any]:
        """`Known` as JSON data."""
        return dict(as_json(self.known(player)))


@lru_cache(maxsize=4096)
def _listed_offers(goods: tuple[str, ...], mine: Amounts, others: Amounts) -> tuple[str, ...]:
    """What `legal_actions` lists: one unit for one or two, of the two pairs of goods that are most plentiful."""
    n, texts = len(goods), _short_offers(goods)
    plenty = [m if m < o else o for m in mine for o in others]  # at [i * n + j]: units of i and j that both could trade
    plenty[:: n + 1] = [0] * n  # nobody trades a good for itself
    offers: list[str] = []
    for _ in range(2):
        most = max(plenty)
        if most:
            pair = plenty.index(most)
            plenty[pair] = 0
            offers += texts[pair][: others[pair % n]]  # the other may have but one
    return tuple(offers)


@lru_cache(maxsize=8)
def _short_offers(goods: tuple[str, ...]) -> list[tuple[str, str]]:
    """At [i * n + j]: one unit of good i for one and for two of good j."""
    return [(f"[Offer: 1 {i} {ARROW} 1 {j}]", f"[Offer: 1 {i} {ARROW} 2 {j}]") for i in goods for j in goods]
