"""Simple Negotiation: trade goods that the two of you value differently; whoever gains more value wins.

As SPIRAL configures it: 10 turns, `[Offer: 3 Wood -> 2 Gold]` (the offerer gives 3 Wood and gets 2 Gold), `[Accept]`
and `[Deny]`, with free text around them. `resources="two"` is the first version (fixed goods and values, no chance);
`resources="five"` the later one, whose endowments and values are drawn. How we settle what the rules leave open:
1. The legal list of SPIRAL's first code held three random offers, so nearly every real offer was invalid. Here every
   offer that both sides can honour is legal: `read` parses it; `legal_actions` only lists a few.
2. Both inventories are public, so that each side can tell which offers are legal; values are private.
3. An offer stays open for one turn: the other player accepts it, denies it, or denies it by a new offer.
4. An accepted trade does not end the game, which always lasts 10 turns; an offer in the last turn lapses.
Read `kuhn_poker.py` before this, `dialogue/replies.py` after.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from operator import add, sub
from typing import Any, ClassVar, NamedTuple

from spiral_lite.games.base import CHANCE, TERMINAL, Game, Invalid, State

GOODS = {"two": ("Wood", "Gold"), "five": ("Wheat", "Wood", "Sheep", "Brick", "Gold")}
BASE_VALUES = {"Wheat": 5, "Wood": 10, "Sheep": 15, "Brick": 25, "Gold": 40}  # of "five"; drawn within 20 % of them
UNITS = range(5, 26)  # of each good, in "five"
LOWEST_VALUE, HIGHEST_VALUE = 5, 40
TWO_UNITS = (10, 10)
TWO_VALUES = ((5, 15), (15, 5))
ARROW = "->"
EXAMPLE = "[Offer: 3 Wood -> 2 Gold]"
LISTED = ((1, 1), (1, 2))  # amounts (given, asked for) of the offers that `legal_actions` lists, for two pairs of goods
KEPT = 100  # characters: longer offers are read anew each time, so that no cache fills with long replies
Amounts = tuple[int, ...]  # one number a good


class Deal(NamedTuple):
    """A chance node: what it may deal (text: number), the texts, and the running sum of their probabilities."""

    numbers: dict[str, int]
    outcomes: tuple[str, ...]
    cumulative: tuple[float, ...]


class Offer(NamedTuple):
    """What the player to move gives and asks for, and the action that says so."""

    given: Amounts
    asked: Amounts
    action: str


class Claim(NamedTuple):
    """A part of an offer, which somebody must hold: the one who offers (side 0) or the other player (side 1)."""

    side: int
    good: int  # its index
    amount: int
    digits: str  # as they are quoted


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

    def initial_state(self) -> NegotiationState:
        if self.deals:
            return NegotiationState(self)
        return NegotiationState(self, units=TWO_UNITS * 2, values=TWO_VALUES[0] + TWO_VALUES[1])


def deal_after(k: int, goods: tuple[str, ...]) -> tuple[int, str, bool]:
    """(player, good, is it a value?) of the chance node after `k` others."""
    n = len(goods)
    return k // n % 2, goods[k % n], k >= 2 * n


def _deal(k: int) -> Deal:
    """What chance may deal after `k` deals."""
    player, good, is_value = deal_after(k, GOODS["five"])
    if is_value:
        spread = BASE_VALUES[good] // 5
        low = max(BASE_VALUES[good] - spread, LOWEST_VALUE)
        high = min(BASE_VALUES[good] + spread, HIGHEST_VALUE)
        numbers = {f"Player {player} values {good} {value}": value for value in range(low, high + 1)}
    else:
        numbers = {f"Player {player} has {units} {good}": units for units in UNITS}
    return Deal(numbers, tuple(numbers), tuple(accumulate([1 / len(numbers)] * len(numbers))))


DEALS = tuple(_deal(k) for k in range(4 * len(GOODS["five"])))  # every chance node of "five"


@dataclass(frozen=True, init=False)
class NegotiationState(State):
    """`units` (at the start) and `values` hold player 0's, then player 1's, one number a good, as far as dealt;
    `traded` is what player 0 has got since, per good (negative: given away); `offer` is open, (given, asked for)."""

    units: tuple[int, ...] = ()
    values: tuple[int, ...] = ()
    traded: tuple[int, ...] = ()
    offer: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    def __init__(
        self,
        game: SimpleNegotiation,
        history: tuple[str, ...] = (),
        units: Amounts = (),
        values: Amounts = (),
        traded: Amounts = (),
        offer: tuple[Amounts, Amounts] | None = None,
    ) -> None:
        # at once: half the time that a frozen dataclass takes, which sets one by one
        self.__dict__.update(game=game, history=history, units=units, values=values, traded=traded, offer=offer)

    @property
    def turn(self) -> int:
        """How many actions the players have made."""
        return len(self.history) - self.game.deals

    @property
    def player(self) -> int:
        turn = len(self.history) - self.game.deals
        if turn < 0:
            return CHANCE
        return turn % 2 if turn < self.game.max_turns else TERMINAL

    def inventory(self, player: int) -> tuple[int, ...]:
        """What `player` holds now, per good (while goods are dealt: as far as known)."""
        return self._inventories[player]

    @cached_property
    def _inventories(self) -> tuple[Amounts, Amounts]:
        n, units, traded = len(self.game.goods), self.units, self.traded
        if not traded:
            return units[:n], units[n:]
        return tuple(map(add, units[:n], traded)), tuple(map(sub, units[n:], traded))

    def own_values(self, player: int) -> tuple[int, ...]:
        """What a unit of each good is worth to `player`."""
        n = len(self.game.goods)
        return self.values[player * n : (player + 1) * n]

    def gain(self, player: int) -> int:
        """By how much the value of `player`'s inventory has grown since the start."""
        sign = 1 if player == 0 else -1
        return sign * sum(v * change for v, change in zip(self.own_values(player), self.traded, strict=False))

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        if self.player != CHANCE:
            return ()
        names = DEALS[len(self.history)].outcomes
        return tuple((name, 1 / len(names)) for name in names)

    def _chance(self) -> tuple[Sequence[str], Sequence[float]]:
        k = len(self.history)
        if k >= self.game.deals:
            return super()._chance()
        deal = DEALS[k]
        return deal.outcomes, deal.cumulative

    def chance_seen_by(self) -> tuple[int, ...]:
        player, _, is_value = deal_after(len(self.history), self.game.goods)
        return (player,) if is_value else (0, 1)

    def legal_actions(self) -> tuple[str, ...]:
        """Accept and Deny where an offer is open, then some of the many offers; they depend on public facts only."""
        player = self.player
        if player not in (0, 1):
            return ()
        held = self._inventories
        offers = _listed_offers(self.game.goods, held[player], held[1 - player])
        return ("[Accept]", "[Deny]", *offers) if self.offer else offers

    def read(self, text: str) -> str | Invalid:
        """The LAST bracketed action of `text`, in canonical form; other bracketed words and free text are talk."""
        if self.player not in (0, 1):
            return Invalid("nobody is to move: the game is over or waits for chance")
        for content in _brackets_from_the_end(text):
            word = content.strip()
            start = word[:7].lower()
            if start in ("accept", "deny"):
                return self._read_answer(word)
            if start[:5] == "offer":
                read = self._read_offer(word)
                return read if isinstance(read, Invalid) else read.action
        return Invalid(f"no action in brackets; write [Accept], [Deny] or an offer such as {EXAMPLE}")

    def _read_answer(self, word: str) -> str | Invalid:
        if word not in ("Accept", "Deny"):
            return Invalid(f"[{word}] is not an action; write [{word.capitalize()}], with one capital")
        if self.offer is None:
            return Invalid(f"[{word}] is not legal here: no offer is open; make one, such as {EXAMPLE}")
        return f"[{word}]"

    def _read_offer(self, word: str) -> Offer | Invalid:
        """ "Offer: ...", if both sides can honour it."""
        goods, player = self.game.goods, self.player
        claims, read = offer_in(word, goods) if len(word) <= KEPT else offer_in.__wrapped__(word, goods)
        for side, good, amount, digits in claims:
            giver = 1 - player if side else player
            held = self._inventories[giver][good]
            if amount > held:
                return Invalid(f"player {giver} cannot give {digits} {goods[good]}: player {giver} has {held}")
        return read

    def _next(self, action: str) -> NegotiationState:
        game, history = self.game, (*self.history, action)
        k = len(self.history)
        if k < game.deals:
            number = DEALS[k].numbers[action]
            if 2 * k < game.deals:
                return NegotiationState(game, history, (*self.units, number), self.values)
            return NegotiationState(game, history, self.units, (*self.values, number))
        offer, traded = None, self.traded
        if action == "[Accept]":
            traded = self._after_trade()
        elif action != "[Deny]":
            _, read = offer_in(action[1:-1], game.goods)
            offer = None if isinstance(read, Invalid) else (read.given, read.asked)
        after = NegotiationState(game, history, self.units, self.values, traded, offer)
        if traded is self.traded:
            after.__dict__["_inventories"] = self._inventories  # nothing changed hands
        return after

    def _after_trade(self) -> tuple[int, ...]:
        """`traded` once the open offer is accepted by the player to move."""
        assert self.offer is not None, "read() lets nobody accept where no offer is open"
        sign = -1 if self.player == 1 else 1  # player 1 accepts: player 0 gives what was offered
        before = self.traded or (0,) * len(self.game.goods)
        return tuple(t + sign * (g - a) for t, g, a in zip(before, *self.offer, strict=True))

    def returns(self) -> tuple[float, float]:
        if self.player != TERMINAL:
            return (0.0, 0.0)
        mine, others = self.gain(0), self.gain(1)
        result = float((mine > others) - (mine < others))
        return (result, -result)

    def information(self, player: int) -> dict[str, Any]:
        """`offer` is open: by whom, what that player gives and gets. The values of the other player are in no key."""
        goods = self.game.goods
        return {
            "you": player,
            "resources": list(goods),
            "values": dict(zip(goods, self.own_values(player), strict=False)),
            "inventories": [dict(zip(goods, self.inventory(p), strict=False)) for p in (0, 1)],
            "offer": self._open_offer(),
            "actions": list(self.history[self.game.deals :]),
            "turns": self.game.max_turns,
            "turns_left": min(self.game.max_turns, self.game.max_turns - self.turn),
            "legal": list(self.legal_actions()),
        }

    def _open_offer(self) -> dict[str, Any] | None:
        if self.offer is None:
            return None
        goods, (given, asked) = self.game.goods, self.offer
        gives = {good: amount for good, amount in zip(goods, given, strict=True) if amount}
        gets = {good: amount for good, amount in zip(goods, asked, strict=True) if amount}
        return {"by": (self.turn - 1) % 2, "gives": gives, "gets": gets}


@lru_cache(maxsize=4096)
def _listed_offers(goods: tuple[str, ...], mine: Amounts, others: Amounts) -> tuple[str, ...]:
    """What `legal_actions` lists: for two pairs of goods, those that are plentiful first."""
    pairs = [
        (-given if given < asked else -asked, i, j)
        for i, given in enumerate(mine)
        if given
        for j, asked in enumerate(others)
        if asked and i != j
    ]
    best = [pairs.pop(pairs.index(min(pairs))) for _ in range(min(2, len(pairs)))]
    return tuple(
        f"[Offer: {given} {goods[i]} {ARROW} {asked} {goods[j]}]"
        for _, i, j in best
        for given, asked in LISTED
        if given <= mine[i] and asked <= others[j]
    )


@lru_cache(maxsize=4096)
def offer_in(word: str, goods: tuple[str, ...]) -> tuple[tuple[Claim, ...], Offer | Invalid]:
    """What "Offer: ..." claims, as far as it can be read, and the offer, or why it is none."""
    if not word.startswith("Offer:") or word.count(ARROW) != 1:
        return (), Invalid(f"[{_short(word)}] is no offer; write it as {EXAMPLE}: what you give {ARROW} what you get")
    claims: list[Claim] = []
    sides = []
    for side, text in enumerate(word.removeprefix("Offer:").split(ARROW)):
        amounts = _read_amounts(text, side, goods, claims)
        if isinstance(amounts, Invalid):
            return tuple(claims), amounts
        sides.append(amounts)
    given, asked = sides
    for good, gives, gets in zip(goods, given, asked, strict=True):
        if gives and gets:
            why = f"{good} is on both sides of the offer; give one resource and ask for another"
            return tuple(claims), Invalid(why)
    left, right = (
        ", ".join(f"{amount} {good}" for amount, good in zip(amounts, goods, strict=True) if amount)
        for amounts in sides
    )
    return tuple(claims), Offer(given, asked, f"[Offer: {left} {ARROW} {right}]")


def _read_amounts(text: str, side: int, goods: tuple[str, ...], claims: list[Claim]) -> Amounts | Invalid:
    """Units of each good in "3 Wood, 1 Sheep"; each item is added to `claims` as it is read."""
    amounts = dict.fromkeys(goods, 0)
    for item in text.split(",", len(goods)):
        words = item.split(None, 2)
        if len(words) != 2:
            return Invalid(f"{_short(item.strip())!r} is no amount; write a number and a resource, such as 3 Wood")
        number, good = words
        if good not in amounts:
            return Invalid(f"unknown resource {_short(good)!r}; the resources are {', '.join(goods)}")
        digits = number.lstrip("0")
        if not (number.isascii() and number.isdigit()) or not digits:
            return Invalid(f"{_short(number)!r} {good} is no amount; amounts are whole numbers from 1 up")
        if amounts[good]:
            return Invalid(f"{good} is named twice on one side of the offer; write its total once")
        # nobody can hold a number of four digits, and int() refuses one of thousands
        amounts[good] = int(digits) if len(digits) <= 3 else 1000
        claims.append(Claim(side, goods.index(good), amounts[good], _short(digits)))
    return tuple(amounts.values())


def _brackets_from_the_end(text: str) -> Iterator[str]:
    """The contents of [...] in `text`, the last first. Linear: each step looks only at what no step has seen."""
    limit = len(text)
    while (start := text.rfind("[", 0, limit)) >= 0:
        end = text.find("]", start, limit)
        if end >= 0:
            yield text[start + 1 : end]
        limit = start


def _short(text: str) -> str:
    """What a reason quotes of a reply: never the whole of a long one."""
    return text if len(text) <= 40 else text[:37] + "..."
