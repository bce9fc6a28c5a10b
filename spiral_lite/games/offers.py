"""What a text offers in a negotiation, whatever the position: `[Offer: 3 Wood -> 2 Gold]`, `[Accept]`, `[Deny]`.

Whether both sides can honour it is for `simple_negotiation.py` to say; read that first.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from spiral_lite.games.base import Invalid

ARROW = "->"
ANSWERS = ("[Accept]", "[Deny]")
EXAMPLE = "[Offer: 3 Wood -> 2 Gold]"
KEPT = 100  # characters: longer texts are read anew each time, so that no cache fills with long replies
Amounts = Any  # a NamedTuple with one number a good, of a type that `amounts_of` makes
Pair = tuple[Amounts, Amounts]  # player 0's, player 1's


@lru_cache(maxsize=64)
def amounts_of(goods: tuple[str, ...]) -> Any:
    """The type of `Amounts` of these goods, which are all that are traded, or some."""
    make_type: Any = namedtuple  # of names that mypy cannot see
    kind = make_type("Amounts", goods)
    kind.__reduce__ = lambda amounts: (_unpickled, (goods, tuple(amounts)))  # pickle looks for types in modules
    return kind


def _unpickled(goods: tuple[str, ...], numbers: tuple[int, ...]) -> Amounts:
    return amounts_of(goods)(*numbers)


class Offer(NamedTuple):
    """What the one who offers gives and gets: of every good (0 of most), and of the named goods alone."""

    given: tuple[int, ...]
    asked: tuple[int, ...]
    gives: Amounts
    gets: Amounts


class Claim(NamedTuple):
    """A part of an offer, which somebody must hold: the one who offers (side 0) or the other player (side 1)."""

    side: int
    good: int  # its index
    amount: int
    digits: str  # as they are quoted


class Said(NamedTuple):
    """What a text says in any position: an action in canonical form, or why it is none; of an offer also its parts."""

    action: str | Invalid
    claims: tuple[Claim, ...] = ()
    offer: Offer | None = None


@lru_cache(maxsize=4096)
def said_in(text: str, goods: tuple[str, ...]) -> Said:
    """What `text` says; the last bracketed action counts."""
    for content in _brackets_from_the_end(text):
        word = content.strip()
        start = word[:7].lower()
        if start in ("accept", "deny"):
            if f"[{word}]" in ANSWERS:
                return Said(f"[{word}]")
            return Said(Invalid(f"[{word}] is not an action; write [{word.capitalize()}], with one capital"))
        if start[:5] == "offer":
            return _offer_in(word, goods)
    return Said(Invalid(f"no action in brackets; write [Accept], [Deny] or an offer such as {EXAMPLE}"))


def _offer_in(word: str, goods: tuple[str, ...]) -> Said:
    """What "Offer: ..." says, as far as it can be read."""
    if not word.startswith("Offer:") or word.count(ARROW) != 1:
        return Said(Invalid(f"[{_short(word)}] is no offer; write it as {EXAMPLE}: what you give {ARROW} what you get"))
    claims: list[Claim] = []
    sides = []
    for side, text in enumerate(word.removeprefix("Offer:").split(ARROW)):
        amounts = _read_amounts(text, side, goods, claims)
        if isinstance(amounts, Invalid):
            return Said(amounts, tuple(claims))
        sides.append(amounts)
    given, asked = sides
    for good, gives, gets in zip(goods, given, asked, strict=True):
        if gives and gets:
            why = f"{good} is on both sides of the offer; give one resource and ask for another"
            return Said(Invalid(why), tuple(claims))
    gives, gets = (
        amounts_of(tuple(good for good, units in zip(goods, side, strict=True) if units))(*filter(None, side))
        for side in sides
    )
    left, right = (", ".join(f"{units} {good}" for good, units in side._asdict().items()) for side in (gives, gets))
    return Said(f"[Offer: {left} {ARROW} {right}]", tuple(claims), Offer(given, asked, gives, gets))


def _read_amounts(text: str, side: int, goods: tuple[str, ...], claims: list[Claim]) -> tuple[int, ...] | Invalid:
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
