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

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

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

    @property
    def goods(self) -> tuple[str, ...]:
        """The names of what is traded; every tuple of amounts is in this order."""
        return GOODS[self.resources]

    @property
    def deals(self) -> int:
        """How many chance nodes open the game: units of each good for player 0, then 1, then the same for values."""
        return 4 * len(self.goods) if self.resources == "five" else 0

    def initial_state(self) -> NegotiationState:
        if self.deals:
            return NegotiationState(self)
        return NegotiationState(self, units=TWO_UNITS * 2, values=TWO_VALUES[0] + TWO_VALUES[1])


@dataclass(frozen=True)
class NegotiationState(State):
    """`units` (at the start) and `values` hold player 0's, then player 1's, one number a good, as far as dealt;
    `traded` is what player 0 has got since, per good (negative: given away); `offer` is open, (given, asked for)."""

    units: tuple[int, ...] = ()
    values: tuple[int, ...] = ()
    traded: tuple[int, ...] = ()
    offer: tuple[tuple[int, ...], tuple[int, ...]] | None = None

    @property
    def turn(self) -> int:
        """How many actions the players have made."""
        return len(self.history) - self.game.deals

    @property
    def player(self) -> int:
        if self.turn < 0:
            return CHANCE
        return self.turn % 2 if self.turn < self.game.max_turns else TERMINAL

    def inventory(self, player: int) -> tuple[int, ...]:
        """What `player` holds now, per good (while goods are dealt: as far as known)."""
        n, sign = len(self.game.goods), 1 if player == 0 else -1
        start = self.units[player * n : (player + 1) * n]
        return tuple(units + sign * change for units, change in zip(start, self.traded or (0,) * n, strict=False))

    def own_values(self, player: int) -> tuple[int, ...]:
        """What a unit of each good is worth to `player`."""
        n = len(self.game.goods)
        return self.values[player * n : (player + 1) * n]

    def gain(self, player: int) -> int:
        """By how much the value of `player`'s inventory has grown since the start."""
        sign = 1 if player == 0 else -1
        return sign * sum(v * change for v, change in zip(self.own_values(player), self.traded, strict=False))

    def _dealt_next(self) -> tuple[int, str, bool]:
        """(player, good, is it a value?) of the chance node that this state is."""
        n, k = len(self.game.goods), len(self.history)
        return k // n % 2, self.game.goods[k % n], k >= 2 * n

    def chance_outcomes(self) -> tuple[tuple[str, float], ...]:
        if self.player != CHANCE:
            return ()
        player, good, is_value = self._dealt_next()
        if is_value:
            spread = BASE_VALUES[good] // 5
            low = max(BASE_VALUES[good] - spread, LOWEST_VALUE)
            high = min(BASE_VALUES[good] + spread, HIGHEST_VALUE)
            names = [f"Player {player} values {good} {value}" for value in range(low, high + 1)]
        else:
            names = [f"Player {player} has {units} {good}" for units in UNITS]
        return tuple((name, 1 / len(names)) for name in names)

    def chance_seen_by(self) -> tuple[int, ...]:
        player, _, is_value = self._dealt_next()
        return (player,) if is_value else (0, 1)

    def legal_actions(self) -> tuple[str, ...]:
        """Accept and Deny where an offer is open, then some of the many offers; they depend on public facts only."""
        if self.player not in (0, 1):
            return ()
        goods, mine, others = self.game.goods, self.inventory(self.player), self.inventory(1 - self.player)
        pairs = [(i, j) for i in range(len(goods)) for j in range(len(goods)) if i != j and mine[i] and others[j]]
        pairs.sort(key=lambda pair: -min(mine[pair[0]], others[pair[1]]))  # the goods that are plentiful first
        offers = [
            f"[Offer: {given} {goods[i]} {ARROW} {asked} {goods[j]}]"
            for i, j in pairs[:2]
            for given, asked in LISTED
            if given <= mine[i] and asked <= others[j]
        ]
        return (*(("[Accept]", "[Deny]") if self.offer else ()), *offers)

    def read(self, text: str) -> str | Invalid:
        """The LAST bracketed action of `text`, in canonical form; other bracketed words and free text are talk."""
        if self.player not in (0, 1):
            return Invalid("nobody is to move: the game is over or waits for chance")
        for content in _brackets_from_the_end(text):
            word = content.strip()
            if word.lower() in ("accept", "deny"):
                return self._read_answer(word)
            if word[:5].lower() == "offer":
                read = self._read_offer(word)
                return read if isinstance(read, Invalid) else self._write_offer(*read)
        return Invalid(f"no action in brackets; write [Accept], [Deny] or an offer such as {EXAMPLE}")

    def _read_answer(self, word: str) -> str | Invalid:
        if word not in ("Accept", "Deny"):
            return Invalid(f"[{word}] is not an action; write [{word.capitalize()}], with one capital")
        if self.offer is None:
            return Invalid(f"[{word}] is not legal here: no offer is open; make one, such as {EXAMPLE}")
        return f"[{word}]"

    def _read_offer(self, word: str) -> tuple[tuple[int, ...], tuple[int, ...]] | Invalid:
        """(given, asked for) of "Offer: ...", if both sides can honour it."""
        if not word.startswith("Offer:") or word.count(ARROW) != 1:
            return Invalid(f"[{_short(word)}] is no offer; write it as {EXAMPLE}: what you give {ARROW} what you get")
        left, right = word.removeprefix("Offer:").split(ARROW)
        given = self._read_amounts(left, self.player)
        if isinstance(given, Invalid):
            return given
        asked = self._read_amounts(right, 1 - self.player)
        if isinstance(asked, Invalid):
            return asked
        for good, gives, gets in zip(self.game.goods, given, asked, strict=True):
            if gives and gets:
                return Invalid(f"{good} is on both sides of the offer; give one resource and ask for another")
        return given, asked

    def _read_amounts(self, text: str, giver: int) -> tuple[int, ...] | Invalid:
        """Units of each good in "3 Wood, 1 Sheep", if player `giver` holds them."""
        goods, held = self.game.goods, self.inventory(giver)
        amounts = dict.fromkeys(goods, 0)
        for item in text.split(",", len(goods)):
            words = item.split(None, 2)
            if len(words) != 2:
                return Invalid(f"{_short(item.strip())!r} is no amount; write a number and a resource, such as 3 Wood")
            number, good = words[0], words[1]
            if good not in amounts:
                return Invalid(f"unknown resource {_short(good)!r}; the resources are {', '.join(goods)}")
            digits = number.lstrip("0")
            if not (number.isascii() and number.isdigit()) or not digits:
                return Invalid(f"{_short(number)!r} {good} is no amount; amounts are whole numbers from 1 up")
            if amounts[good]:
                return Invalid(f"{good} is named twice on one side of the offer; write its total once")
            # nobody can hold a number of four digits, and int() refuses one of thousands
            if len(digits) > 3 or int(digits) > held[goods.index(good)]:
                return Invalid(
                    f"player {giver} cannot give {_short(digits)} {good}: player {giver} has {held[goods.index(good)]}"
                )
            amounts[good] = int(digits)
        return tuple(amounts.values())

    def _write_offer(self, given: tuple[int, ...], asked: tuple[int, ...]) -> str:
        left, right = (
            ", ".join(f"{amount} {good}" for amount, good in zip(side, self.game.goods, strict=True) if amount)
            for side in (given, asked)
        )
        return f"[Offer: {left} {ARROW} {right}]"

    def _next(self, action: str) -> NegotiationState:
        game, history = self.game, (*self.history, action)
        if self.player == CHANCE:
            if self._dealt_next()[2]:
                return NegotiationState(game, history, self.units, (*self.values, int(action.split()[-1])))
            return NegotiationState(game, history, (*self.units, int(action.split()[-2])), self.values)
        offer, traded = None, self.traded
        if action == "[Accept]":
            traded = self._after_trade()
        elif action != "[Deny]":
            read = self._read_offer(action[1:-1])
            offer = None if isinstance(read, Invalid) else read
        return NegotiationState(game, history, self.units, self.values, traded, offer)

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
        given, asked = (
            {good: amount for good, amount in zip(self.game.goods, side, strict=True) if amount} for side in self.offer
        )
        return {"by": (self.turn - 1) % 2, "gives": given, "gets": asked}


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
