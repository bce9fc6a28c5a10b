"""Problem families that the nano model has never seen in this form: is what self-play selects of use in new problems?

SPIRAL measures transfer on benchmarks that its training never touches; the families of `nano/families.py` are in the
nano model's corpus, if with other questions. So here are families that no corpus holds, made of its words and single
steps. REWORDED ones are solved as in the corpus and told in other words or another size; RECOMBINED ones need new
combinations: longer chains, three sums in place of two, two means compared, a question turned round. Every step of a
careful reply (`writers`) is one that the corpus has, so a model that composes its patterns can be right; whether it
does is the measurement: where the base model's careful replies are no better than its guesses, no change of patterns
can show. A mean of five payoffs is not here: it needs a division by 5, which the corpus lacks.
Read `nano/families.py` before this, `reasoning.py` after.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

from spiral_lite.games.tic_tac_toe import LINES
from spiral_lite.nano.families import FAMILIES as SEEN
from spiral_lite.nano.families import GOODS, MOVES, NAMES, SCALES, Facts, Family, Problem

Maker = Callable[[random.Random], Problem]


def _commas(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items)


def _card_mean(rng: random.Random) -> Problem:
    """The mean of two to four payoffs; the corpus has a coin, a die, a wheel and a bag."""
    seen = SEEN["expected_value"].maker(rng)
    question = "A card " + seen.question.split(maxsplit=2)[2]
    return Problem("card_mean", question, seen.answer, seen.facts)


def _told_chain(rng: random.Random) -> Problem:
    """A chain as in the corpus, begun and asked in other words."""
    seen = SEEN["arithmetic_chain"].maker(rng)
    question = seen.question.replace("Start with", "You have").replace("the result", "the sum")
    return Problem("told_chain", question, seen.answer, seen.facts)


def _two_held(rng: random.Random) -> Problem:
    """The cell that completes a line of two; in the corpus one holds three cells."""
    while True:
        cells = rng.sample(range(9), rng.choice((4, 5)))
        mine, theirs = cells[:2], cells[2:]
        need = next((n for line in LINES if set(mine) < set(line) for n in line if n not in mine), None)
        if need is not None and need not in theirs:
            break
    question = f"On the 3 by 3 grid you hold {_commas(mine)} and they hold {_commas(theirs)}. Which cell makes a line?"
    return Problem("two_held", question, str(need), {"mine": mine, "theirs": theirs})


def _long_cycle(rng: random.Random) -> Problem:
    """The next term of a cycle of three, of which eight or nine are shown; the corpus shows five to seven."""
    cycle = [rng.randint(0, 9) for _ in range(3)]
    cycle[1] = (cycle[0] + rng.randint(1, 9)) % 10
    terms = [cycle[n % 3] for n in range(rng.choice((8, 9)) + 1)]
    question = f"The list goes {_commas(terms[:-1])}. What number comes next?"
    return Problem("long_cycle", question, str(terms[-1]), {"cycle": cycle, "terms": terms[:-1]})


def _long_chain(rng: random.Random) -> Problem:
    """Five numbers to add and take; the corpus has three or four."""
    while True:
        start, changes = rng.randint(0, 12), [rng.randint(1, 9) * rng.choice((1, -1)) for _ in range(5)]
        totals = [start + sum(changes[:n]) for n in range(6)]
        if min(totals) >= 0 and start + sum(max(c, 0) for c in changes) <= 30:
            break
    told = _commas(f"{'add' if c > 0 else 'take'} {abs(c)}" for c in changes)
    question = f"Start with {start}, {told}. What is the result?"
    return Problem("long_chain", question, str(totals[-1]), {"start": start, "changes": changes})


def _three_sums(rng: random.Random) -> Problem:
    """The largest of three sums; the corpus compares two sums or products."""
    while True:
        sides = [(rng.randint(1, 11), rng.randint(1, 9)) for _ in range(3)]
        totals = [a + b for a, b in sides]
        if totals.count(max(totals)) == 1 and max(totals) - min(totals) <= 9:
            break
    (a, b), (c, d), (e, f) = sides
    question = f"A pays {a} + {b}, B pays {c} + {d} and C pays {e} + {f}. Which pays most?"
    return Problem("three_sums", question, "ABC"[totals.index(max(totals))], {"sides": sides})


def _three_sums_value(f: Facts) -> str:
    told = [f"{name} {a} + {b} = {a + b}" for name, (a, b) in zip("ABC", f["sides"], strict=True)]
    return _commas([*told, f"best {max(a + b for a, b in f['sides'])}"])


def _two_means(rng: random.Random) -> Problem:
    """Which of two coins pays more on average; the corpus takes one mean, or compares sums."""
    wanted = rng.choice(("A", "B", "same"))
    while True:
        pays = [(rng.randint(0, 20), rng.randint(0, 9)) for _ in range(2)]
        (a, b), even = (sum(pair) // 2 for pair in pays), all(sum(pair) % 2 == 0 for pair in pays)
        apart = all(x != y for x, y in pays) and set(pays[0]) != set(pays[1])
        if even and apart and wanted == ("A" if a > b else "B" if b > a else "same"):
            break
    told = [f"{first} or {second}" for first, second in pays]
    question = f"A pays {told[0]} and B pays {told[1]} with equal chance. Which pays more on average, A or B, or same?"
    return Problem("two_means", question, wanted, {"pays": pays, "means": (a, b)})


def _two_means_value(f: Facts) -> str:
    told = [
        f"{name} {x} + {y} = {x + y}, {x + y} / 2 = {mean}"
        for name, (x, y), mean in zip("AB", f["pays"], f["means"], strict=True)
    ]
    return _commas([*told, _verdict(*f["means"])])


def _verdict(a: int, b: int) -> str:
    relation = "more than" if a > b else "less than" if a < b else "same as"
    return f"{a} is {relation} {b}"


def _two_offers(rng: random.Random) -> Problem:
    """Which of two goods to take: the worth of an exchange, then a comparison."""
    wanted = rng.choice(("A", "B", "same"))
    while True:
        goods = rng.sample(GOODS, 2)
        offers = [(rng.randint(1, 4), rng.randint(1, 6)) for _ in range(2)]  # (how many, worth each)
        a, b = (units * worth for units, worth in offers)
        if offers[0] != offers[1] and abs(a - b) <= 9 and wanted == ("A" if a > b else "B" if b > a else "same"):
            break
    told = [f"{units} {good} worth {worth} each" for good, (units, worth) in zip(goods, offers, strict=True)]
    question = f"From A you get {told[0]} and from B you get {told[1]}. Which pays more, A or B, or same?"
    return Problem("two_offers", question, wanted, {"offers": offers})


def _two_offers_value(f: Facts) -> str:
    told = [f"{name} {n} x {w} = {n * w}" for name, (n, w) in zip("AB", f["offers"], strict=True)]
    return _commas([*told, _verdict(*(n * w for n, w in f["offers"]))])


def _two_goods(rng: random.Random) -> Problem:
    """What two goods are worth together; the corpus takes the difference."""
    while True:
        goods = rng.sample(GOODS, 2)
        gets = [(rng.randint(1, 4), rng.randint(1, 6)) for _ in range(2)]
        if gets[1][0] * gets[1][1] <= 9:  # the corpus adds at most 9 at a time
            break
    told = [f"{units} {good} worth {worth} each" for good, (units, worth) in zip(goods, gets, strict=True)]
    question = f"You get {told[0]} and {told[1]}. What is your gain?"
    return Problem("two_goods", question, str(sum(n * w for n, w in gets)), {"gets": gets})


def _two_goods_value(f: Facts) -> str:
    a, b = (n * w for n, w in f["gets"])
    return _commas([*(f"get {n} x {w} = {n * w}" for n, w in f["gets"]), f"{a} + {b} = {a + b}"])


def _between(rng: random.Random) -> Problem:
    """How many of five numbers lie between two bounds; the corpus has one bound."""
    while True:
        low, high = sorted(rng.sample(range(3, 18), 2))
        numbers = rng.sample([n for n in range(21) if n not in (low, high)], 5)
        count = sum(low < n < high for n in numbers)
        if high - low >= 4 and (count or rng.random() < 0.3):  # nought would be the answer too often
            break
    question = f"How many of {_commas(numbers)} are above {low} and below {high}?"
    return Problem("between", question, str(count), {"numbers": numbers, "low": low, "high": high})


def _between_cases(f: Facts) -> str:
    steps, count = [], 0
    for n in f["numbers"]:
        hit = f["low"] < n < f["high"]
        count += hit
        steps.append(f"{n} {'yes' if hit else 'no'} {count}")
    return _commas(steps)


def _last_line(rng: random.Random) -> Problem:
    """The row or the column in which a walk ends; the corpus asks for the cell."""
    walk = SEEN["grid"].maker(rng)
    asked = rng.randrange(2)
    question = walk.question.replace("Which cell is last?", f"Which {('row', 'column')[asked]} is last?")
    return Problem("last_line", question, str(divmod(int(walk.answer), 3)[asked]), {**walk.facts, "asked": asked})


def _last_line_cases(f: Facts) -> str:
    """The walk as in the corpus, in rows and columns: up and down change the row, left and right the column."""
    at = list(divmod(f["start"], 3))
    steps = [f"row {at[0]} column {at[1]}"]
    for move in f["moves"]:
        at = [here + step for here, step in zip(at, MOVES[move], strict=True)]
        steps.append(f"{move} {at[0] if MOVES[move][0] else at[1]}")
    return _commas([*steps, f"row {at[0]} column {at[1]}"])


def _next_but_one(rng: random.Random) -> Problem:
    """The second term to come of a list with two steps in turn; the corpus asks for the first."""
    while True:
        steps = [rng.choice((-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6)) for _ in range(2)] * 3
        start = rng.randint(0, 25)
        terms = [start + sum(steps[:n]) for n in range(6)]
        if min(terms) >= 0 and max(terms) <= 30 and steps[0] + steps[1] != 0:
            break
    question = f"The list goes {_commas(terms[:4])}. What number comes after the next?"
    return Problem("next_but_one", question, str(terms[5]), {"steps": steps[:5], "terms": terms[:4]})


def _next_but_one_pattern(f: Facts) -> str:
    signed = [f"{'+' if step > 0 else '-'} {abs(step)}" for step in f["steps"]]
    at, last = f["terms"][-1], []
    for step in f["steps"][3:]:
        last.append(f"{at} {'+' if step > 0 else '-'} {abs(step)} = {at + step}")
        at += step
    return f"{_commas(signed[:3])}, then {signed[3]}, {_commas(last)}"


def _four_people(rng: random.Random) -> Problem:
    """Who is first or last of four, from three comparisons; the corpus has three people."""
    order, (up, down, top, bottom) = rng.sample(NAMES, 4), rng.choice(SCALES)
    asked = rng.randrange(2)
    pairs = rng.sample(list(pairwise(order)), 3)
    told = [f"{a} is {up} than {b}." if rng.random() < 0.5 else f"{b} is {down} than {a}." for a, b in pairs]
    question = f"{' '.join(told)} Who is {(top, bottom)[asked]}?"
    return Problem("four_people", question, order[(0, -1)[asked]], {"order": order, "pairs": pairs, "asked": asked})


def _four_people_order(f: Facts) -> str:
    told = _commas(f"{a} over {b}" for a, b in f["pairs"])
    return f"{told}, order {' '.join(f['order'])}, take {('first', 'last')[f['asked']]}"


def _letter(facts: Facts, rng: random.Random) -> str:
    return rng.choice(("A", "B", "same"))


def _entry(maker: Maker, guess: Callable[[Facts, random.Random], str] | None = None, **writers: Any) -> Family:
    """As in `nano/families.py`: named after its maker, and a guess is by default another problem's answer."""
    return Family(maker.__name__.lstrip("_"), maker, writers, guess or (lambda facts, rng: maker(rng).answer))


_REWORDED = (
    _entry(_card_mean, None, **SEEN["expected_value"].writers),
    _entry(_told_chain, None, **SEEN["arithmetic_chain"].writers),
    _entry(_two_held, SEEN["line"].guess, **SEEN["line"].writers),
    _entry(_long_cycle, None, **SEEN["sequence"].writers),
)
_RECOMBINED = (
    _entry(_long_chain, None, **SEEN["arithmetic_chain"].writers),
    _entry(_three_sums, expected_value=_three_sums_value),
    _entry(_two_means, _letter, expected_value=_two_means_value),
    _entry(_two_offers, _letter, expected_value=_two_offers_value),
    _entry(_two_goods, expected_value=_two_goods_value),
    _entry(_between, case_by_case=_between_cases),
    _entry(_last_line, case_by_case=_last_line_cases, pattern_recognition=SEEN["grid"].writers["pattern_recognition"]),
    _entry(_next_but_one, pattern_recognition=_next_but_one_pattern),
    _entry(_four_people, lambda f, rng: rng.choice(sorted(f["order"])), pattern_recognition=_four_people_order),
)
REWORDED, RECOMBINED = (tuple(entry.name for entry in entries) for entries in (_REWORDED, _RECOMBINED))
FAMILIES: dict[str, Family] = {entry.name: entry for entry in _REWORDED + _RECOMBINED}
