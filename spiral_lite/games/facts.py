"""Pairs of a true and a false statement, for `truth_and_deception`.

Source: written for this project, from the small tables below; no sentence comes from another game or data set. Licence:
the project's, Apache-2.0. Half of the pairs are arithmetic, half are things that everybody can look up (capitals,
calendar, animals, shapes, elements, planets, units). The false statement of a pair is the true one with another answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

Pair = tuple[str, str]  # (true, false)

CAPITALS = {
    "Canada": "Ottawa",
    "Cuba": "Havana",
    "Egypt": "Cairo",
    "France": "Paris",
    "Greece": "Athens",
    "Italy": "Rome",
    "Japan": "Tokyo",
    "Kenya": "Nairobi",
    "Norway": "Oslo",
    "Peru": "Lima",
    "Poland": "Warsaw",
    "Spain": "Madrid",
}
MONTHS = {"January": 31, "April": 30, "May": 31, "June": 30, "August": 31, "September": 30, "November": 30}
LEGS = {"A hen": 2, "A dog": 4, "A cow": 4, "An ant": 6, "A bee": 6, "A spider": 8, "A crab": 10}
SIDES = {"A triangle": 3, "A square": 4, "A pentagon": 5, "A hexagon": 6, "An octagon": 8}
SYMBOLS = {"gold": "Au", "silver": "Ag", "iron": "Fe", "copper": "Cu", "tin": "Sn", "lead": "Pb", "sodium": "Na"}
PLANETS = ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune")  # from the Sun outwards
UNITS = {
    "minute": ("60 seconds", "100 seconds"),
    "day": ("24 hours", "20 hours"),
    "week": ("7 days", "5 days"),
    "century": ("100 years", "50 years"),
    "kilometre": ("1000 metres", "100 metres"),
    "dozen": ("12 pieces", "10 pieces"),
}
FIRST, SECOND = (17, 26, 38, 49), (14, 27, 35)  # the numbers of sums and differences
FACTORS = ((6, 7), (6, 8), (7, 7), (7, 8), (7, 9), (8, 8), (8, 9), (9, 9), (12, 7), (13, 6), (14, 5), (15, 8))
PRIMES, COMPOSITES = (23, 29, 31, 37, 41, 43, 47), (21, 27, 33, 39, 49, 51, 57)
SQUARES = (11, 12, 13, 14, 15, 16, 17)


def arithmetic() -> Iterator[Pair]:
    """Sums, differences, products, squares, primes; a wrong result is 1, 2 or 10 away from the right one."""
    equations = [(f"{a} + {b}", a + b) for a in FIRST for b in SECOND]
    equations += [(f"{a + b} - {b}", a) for a in FIRST for b in SECOND]
    equations += [(f"{a} x {b}", a * b) for a, b in FACTORS]
    equations += [(f"{a} x {a}", a * a) for a in SQUARES]
    for number, (term, result) in enumerate(equations):
        wrong = result + (1, -2, 10, -1, 2, -10)[number % 6]
        yield f"{term} = {result}.", f"{term} = {wrong}."
    for prime, composite in zip(PRIMES, COMPOSITES, strict=True):
        yield f"{prime} is a prime number.", f"{composite} is a prime number."


def general() -> Iterator[Pair]:
    """What everybody can look up."""
    for (country, capital), other in zip(CAPITALS.items(), _next_of(list(CAPITALS.values())), strict=True):
        yield f"{capital} is the capital of {country}.", f"{other} is the capital of {country}."
    for (element, symbol), other in zip(SYMBOLS.items(), _next_of(list(SYMBOLS.values())), strict=True):
        yield f"The symbol of {element} is {symbol}.", f"The symbol of {element} is {other}."
    for month, days in MONTHS.items():
        yield f"{month} has {days} days.", f"{month} has {61 - days} days."
    for animal, legs in LEGS.items():
        yield f"{animal} has {legs} legs.", f"{animal} has {legs + 2} legs."
    for shape, sides in SIDES.items():
        yield f"{shape} has {sides} sides.", f"{shape} has {sides + 1} sides."
    for near, far in pairwise(PLANETS):
        yield f"{near} is nearer to the Sun than {far}.", f"{far} is nearer to the Sun than {near}."
    for unit, (right, wrong) in UNITS.items():
        yield f"A {unit} has {right}.", f"A {unit} has {wrong}."


def _next_of(answers: list[str]) -> list[str]:
    """Of each answer the next one: wrong, and of the same kind."""
    return answers[1:] + answers[:1]


PAIRS = (*arithmetic(), *general())
