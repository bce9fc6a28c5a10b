"""The families of problems: for each a maker of fresh problems, writers of careful replies, and a guess.

A family's writers have one function a pattern: facts -> the steps of a careful reply. `FAMILIES`, at the end, has all.
Read `problems.py`, which is how the rest of the library uses them, before this.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from spiral_lite.games.tic_tac_toe import LINES

COLOURS = ("red", "blue", "green", "black", "white")
GOODS = ("Wheat", "Wood", "Sheep", "Brick", "Ore")  # as in Simple Negotiation, with Ore in place of Gold
NAMES = ("Ann", "Bob", "Cid", "Dan", "Eve", "Fay")
SCALES = (("taller", "shorter", "tallest", "shortest"), ("older", "younger", "oldest", "youngest"))
MOVES = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0)}  # (row, column); cells are 3 * row + column

Facts = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """A question and its answer; `facts` are the numbers in it, for the writers of replies."""

    family: str
    question: str
    answer: str
    facts: Facts


@dataclass(frozen=True)
class Family:
    """A kind of problem. `writers` has one function per allowed pattern: facts -> the steps of a careful reply."""

    name: str
    maker: Callable[[random.Random], Problem]
    writers: dict[str, Callable[[Facts], str]]
    guess: Callable[[Facts, random.Random], str]

    @property
    def patterns(self) -> tuple[str, ...]:
        return tuple(self.writers)


def _commas(items: Iterable[object]) -> str:
    return ", ".join(str(item) for item in items)


def _running(start: int, changes: Iterable[int]) -> list[str]:
    """The steps of a running total: _running(4, [7, -3]) is ["4 + 7 = 11", "11 - 3 = 8"]."""
    steps = []
    for change in changes:
        steps.append(f"{start} {'+' if change >= 0 else '-'} {abs(change)} = {start + change}")
        start += change
    return steps


def _arithmetic_chain(rng: random.Random) -> Problem:
    """Add and take small numbers."""
    while True:
        start, changes = rng.randint(0, 12), [rng.randint(1, 9) * rng.choice((1, -1)) for _ in range(rng.randint(3, 4))]
        totals = [start + sum(changes[:n]) for n in range(len(changes) + 1)]
        if min(totals) >= 0 and start + sum(max(c, 0) for c in changes) <= 30:
            break
    told = _commas(f"{'add' if c > 0 else 'take'} {abs(c)}" for c in changes)
    question = f"Start with {start}, {told}. What is the result?"
    return Problem("arithmetic_chain", question, str(totals[-1]), {"start": start, "changes": changes})


def _chain_sorted(f: Facts) -> str:
    """All that is added first, then all that is taken: the order does not matter."""
    return _commas(["first add", *_running(f["start"], sorted(f["changes"], key=lambda c: c < 0))])


def _expected_value(rng: random.Random) -> Problem:
    """The mean of two to four equally likely payoffs."""
    while True:
        sides = rng.choice((2, 3, 4, 4))
        pays = [rng.randint(0, 9) for _ in range(sides)]
        if sides == 2:
            pays[0] = rng.randint(0, 20)
        if sum(pays) % sides == 0 and sum(pays) <= 30 and len(set(pays)) > 1:
            break
    what = "coin" if sides == 2 else rng.choice(("die", "wheel", "bag"))
    question = f"A {what} pays {_commas(pays[:-1])} or {pays[-1]} with equal chance. What is the mean payoff?"
    return Problem("expected_value", question, str(sum(pays) // sides), {"pays": pays})


def _mean(f: Facts) -> str:
    first, *rest = f["pays"]
    total, sides = sum(f["pays"]), len(f["pays"])
    return _commas([*_running(first, rest), f"{total} / {sides} = {total // sides}"])


def _probability(rng: random.Random) -> Problem:
    """The chance of one or two colours from a bag of three."""
    colours, counts = rng.sample(COLOURS, 3), [rng.randint(1, 4) for _ in range(3)]
    bag = dict(zip(colours, counts, strict=True))
    wanted = rng.sample(colours, rng.choice((1, 2, 2)))
    event = " or ".join(wanted)
    if len(wanted) == 2 and rng.random() < 0.5:  # the same event, told by the colour that is not wanted
        wanted = [colour for colour in colours if colour in wanted]
        event = "not " + next(colour for colour in colours if colour not in wanted)
    balls = [f"{n} {colour}" for colour, n in bag.items()]
    question = f"A bag has {balls[0]}, {balls[1]} and {balls[2]} balls. What is the chance of {event}?"
    answer = f"{sum(bag[colour] for colour in wanted)}/{sum(counts)}"
    return Problem("probability", question, answer, {"bag": bag, "wanted": wanted})


def _share(f: Facts) -> str:
    first, *rest = f["bag"].values()
    wanted = [f["bag"][colour] for colour in f["wanted"]]
    told = [f"{colour} {f['bag'][colour]}" for colour in f["wanted"]]
    return _commas(
        [*told, *_running(wanted[0], wanted[1:]), *_running(first, rest), f"{sum(wanted)} of {sum(f['bag'].values())}"]
    )


def _counting(rng: random.Random) -> Problem:
    """How many of five numbers lie above or below a bound."""
    bound, side, count = rng.randint(5, 15), rng.choice(("above", "below")), rng.randint(0, 5)
    hits = [n for n in range(21) if _is_hit(n, side, bound)]
    misses = [n for n in range(21) if n not in hits and n != bound]
    numbers = rng.sample(hits, count) + rng.sample(misses, 5 - count)
    rng.shuffle(numbers)
    question = f"How many of {_commas(numbers)} are {side} {bound}?"
    return Problem("counting", question, str(count), {"numbers": numbers, "side": side, "bound": bound})


def _is_hit(n: int, side: str, bound: int) -> bool:
    return n > bound if side == "above" else n < bound


def _count_each(f: Facts) -> str:
    steps, count = [], 0
    for n in f["numbers"]:
        hit = _is_hit(n, f["side"], f["bound"])
        count += hit
        steps.append(f"{n} {'yes' if hit else 'no'} {count}")
    return _commas(steps)


def _count_hits(f: Facts) -> str:
    hits = [n for n in f["numbers"] if _is_hit(n, f["side"], f["bound"])]
    return f"{f['side']} {f['bound']}: {_commas(f'{n} is {k}' for k, n in enumerate(hits, 1)) or 'none'}"


def _comparison(rng: random.Random) -> Problem:
    """Which of two sums or products is larger."""
    wanted = rng.choice(("A", "B", "same"))
    while True:
        sides = [_sum_or_product(rng), _sum_or_product(rng)]
        a, b = (side[1] for side in sides)
        if wanted == ("A" if a > b else "B" if b > a else "same") and abs(a - b) <= 9 and sides[0] != sides[1]:
            break
    question = f"A pays {sides[0][0]} and B pays {sides[1][0]}. Which pays more, A or B, or same?"
    return Problem("comparison", question, wanted, {"sides": sides})


def _sum_or_product(rng: random.Random) -> tuple[str, int]:
    if rng.random() < 0.5:
        a, b = rng.randint(1, 5), rng.randint(2, 4)
        return f"{a} x {b}", a * b
    a, b = rng.randint(1, 11), rng.randint(1, 9)
    return f"{a} + {b}", a + b


def _compare(f: Facts, by_difference: bool) -> str:
    (told_a, a), (told_b, b) = f["sides"]
    relation = "more than" if a > b else "less than" if a < b else "same as"
    verdict = f"{a} - {b} = {a - b}" if by_difference else f"{a} is {relation} {b}"
    return f"A {told_a} = {a}, B {told_b} = {b}, {verdict}"


def _sequence(rng: random.Random) -> Problem:
    """The next term of a list with two steps in turn, or of a cycle of three."""
    if rng.random() < 0.5:
        cycle = [rng.randint(0, 9) for _ in range(3)]
        cycle[1] = (cycle[0] + rng.randint(1, 9)) % 10  # never three times the same number
        terms = [cycle[n % 3] for n in range(rng.randint(5, 7) + 1)]
        facts: Facts = {"cycle": cycle, "terms": terms[:-1]}
    else:
        while True:
            steps = [rng.choice((-6, -5, -4, -3, -2, -1, 1, 2, 3, 4, 5, 6)) for _ in range(2)]
            steps = rng.choice((steps, steps, [steps[0]] * 2)) * 2
            start = rng.randint(0, 25)
            terms = [start + sum(steps[:n]) for n in range(5)]
            if min(terms) >= 0 and max(terms) <= 30 and steps[0] + steps[1] != 0:
                break
        facts = {"steps": steps, "terms": terms[:-1]}
    return Problem("sequence", f"The list goes {_commas(terms[:-1])}. What number comes next?", str(terms[-1]), facts)


def _sequence_cases(f: Facts) -> str:
    if "steps" in f:
        return _commas(_running(f["terms"][0], f["steps"]))
    shown = len(f["terms"])
    return _commas(f"{n % 3 + 1} is {f['cycle'][n % 3]}" for n in range(shown + 1))


def _sequence_pattern(f: Facts) -> str:
    if "steps" in f:
        signed = [f"{'+' if step > 0 else '-'} {abs(step)}" for step in f["steps"]]
        return f"{_commas(signed[:-1])}, then {signed[-1]}, {_running(f['terms'][-1], f['steps'][-1:])[0]}"
    cycle, over = f["cycle"], len(f["terms"]) % 3 or 3
    last = " ".join(str(n) for n in cycle[:over])
    return f"{cycle[0]} {cycle[1]} {cycle[2]} repeats, last {last}, then {cycle[over % 3]}"


def _grid(rng: random.Random) -> Problem:
    """The last cell of a walk on a 3 by 3 grid, cells 0 to 8."""
    cells, moves = [rng.randrange(9)], []
    for _ in range(rng.randint(4, 6)):
        row, column = divmod(cells[-1], 3)
        legal = [name for name, (r, c) in MOVES.items() if 0 <= row + r <= 2 and 0 <= column + c <= 2]
        moves.append(rng.choice(legal))
        cells.append(cells[-1] + 3 * MOVES[moves[-1]][0] + MOVES[moves[-1]][1])
    question = f"On the 3 by 3 grid start at {cells[0]}, go {_commas(moves)}. Which cell is last?"
    return Problem("grid", question, str(cells[-1]), {"start": cells[0], "moves": moves, "cells": cells})


def _grid_cases(f: Facts) -> str:
    return _commas(
        f"{cell} {move} {after}" for cell, move, after in zip(f["cells"][:-1], f["moves"], f["cells"][1:], strict=True)
    )


def _grid_pattern(f: Facts) -> str:
    """Rows and columns apart: up and down change only the row, left and right only the column."""
    at = list(divmod(f["start"], 3))
    steps = [f"row {at[0]} column {at[1]}"]
    for axis in (0, 1):
        for move in (move for move in f["moves"] if MOVES[move][axis]):
            at[axis] += MOVES[move][axis]
            steps.append(f"{move} {at[axis]}")
    return _commas([*steps, f"row {at[0]} column {at[1]}"])


def _third(a: int, b: int) -> int | None:
    """The cell that completes a line with a and b, if any."""
    return next((n for line in LINES if {a, b} <= set(line) for n in line if n not in (a, b)), None)


def _line(rng: random.Random) -> Problem:
    """The free cell that completes a line."""
    while True:
        cells = rng.sample(range(9), rng.choice((5, 6)))
        mine, theirs = cells[:3], cells[3:]
        free = {_third(a, b) for a, b in combinations(mine, 2)} - set(cells) - {None}
        if len(free) == 1:
            break
    question = f"On the 3 by 3 grid you hold {_commas(mine)} and they hold {_commas(theirs)}. Which cell makes a line?"
    return Problem("line", question, str(free.pop()), {"mine": mine, "theirs": theirs})


def _line_pairs(f: Facts) -> str:
    """Each pair of mine, the cell it needs, until one is free."""
    steps = []
    for a, b in combinations(f["mine"], 2):
        need = _third(a, b)
        is_free = need is not None and need not in f["mine"] + f["theirs"]
        steps.append(f"{a} {b} none" if need is None else f"{a} {b} need {need} {'free' if is_free else 'taken'}")
        if is_free:
            break
    return _commas(steps)


def _exchange(rng: random.Random) -> Problem:
    """The net gain of a trade."""
    while True:
        give, get = rng.sample(GOODS, 2)
        gives, gets = ((rng.randint(1, 4), rng.randint(1, 6)) for _ in range(2))  # (how many, worth each)
        gain = gets[0] * gets[1] - gives[0] * gives[1]
        if abs(gain) <= 9:
            break
    question = (
        f"You give {gives[0]} {give} worth {gives[1]} each and get {gets[0]} {get} worth {gets[1]} each. "
        "What is your gain?"
    )
    return Problem("exchange", question, str(gain), {"gives": gives, "gets": gets})


def _exchange_cases(f: Facts) -> str:
    """Counting one by one: 3 worth 4 each is 4, 8, 12."""
    told = [f"{word} {_commas(f[k][1] * n for n in range(1, f[k][0] + 1))}" for word, k in _GET_GIVE]
    return _commas([*told, _difference(f)])


def _exchange_value(f: Facts) -> str:
    told = [f"{word} {f[k][0]} x {f[k][1]} = {f[k][0] * f[k][1]}" for word, k in _GET_GIVE]
    return _commas([*told, _difference(f)])


_GET_GIVE = (("get", "gets"), ("give", "gives"))


def _difference(f: Facts) -> str:
    get, give = (f[key][0] * f[key][1] for key in ("gets", "gives"))
    return f"{get} - {give} = {get - give}"


def _best_choice(rng: random.Random) -> Problem:
    """The option with the largest expected value."""
    while True:
        plays, options = rng.randint(4, 6), [(rng.randint(1, 6), rng.randint(1, 4)) for _ in range(3)]
        worth = sorted(prize * wins for prize, wins in options)
        if worth[-1] > worth[-2]:
            break
    best = max(range(3), key=lambda n: options[n][0] * options[n][1])
    told = _commas(f"{name} wins {prize} in {wins}" for name, (prize, wins) in zip("ABC", options, strict=True))
    question = f"Of {plays} plays {told}. Which is best on average?"
    return Problem("best_choice", question, "ABC"[best], {"plays": plays, "options": options})


def _best_value(f: Facts) -> str:
    """The worth of all plays; dividing each by the same number of plays would not change the order."""
    worth = [prize * wins for prize, wins in f["options"]]
    told = [f"{n} {a} x {b} = {w}" for n, (a, b), w in zip("ABC", f["options"], worth, strict=True)]
    return _commas([*told, f"best {max(worth)}"])


def _clock(rng: random.Random) -> Problem:
    """The hour after two waits on a clock of 5 to 12 hours."""
    size = rng.randint(5, 12)
    now, first, second = rng.randrange(size), *(rng.randint(1, min(9, size - 1)) for _ in range(2))
    question = (
        f"A clock has {size} hours from 0 to {size - 1}. It shows {now}. "
        f"What does it show after {first} hours and then {second} hours?"
    )
    return Problem(
        "clock", question, str((now + first + second) % size), {"size": size, "now": now, "adds": (first, second)}
    )


def _clock_cases(f: Facts) -> str:
    """Wrap round as soon as the dial is passed."""
    at, steps = f["now"], []
    for add in f["adds"]:
        changes = [add, -f["size"]] if at + add >= f["size"] else [add]
        steps += _running(at, changes)
        at += sum(changes)
    return _commas(steps)


def _clock_rounds(f: Facts) -> str:
    """Add everything, then take off whole rounds."""
    rounds = (f["now"] + sum(f["adds"])) // f["size"]
    return _commas([f"rounds of {f['size']}", *_running(f["now"], [*f["adds"], *[-f["size"]] * rounds])])


def _logic(rng: random.Random) -> Problem:
    """Who is first, middle or last, from two comparisons."""
    order, (up, down, top, bottom) = rng.sample(NAMES, 3), rng.choice(SCALES)
    asked = rng.randrange(3)
    pairs = rng.sample([(order[0], order[1]), (order[1], order[2])], 2)
    told = [f"{a} is {up} than {b}." if rng.random() < 0.5 else f"{b} is {down} than {a}." for a, b in pairs]
    word = (top, "in the middle", bottom)[asked]
    return Problem(
        "logic", f"{told[0]} {told[1]} Who is {word}?", order[asked], {"order": order, "pairs": pairs, "asked": asked}
    )


def _logic_cases(f: Facts) -> str:
    """Each person, and who is next above."""
    mentioned = dict.fromkeys(name for pair in f["pairs"] for name in pair)
    over = dict(zip(f["order"][1:], f["order"][:-1], strict=True))
    return _commas(f"{name} under {over.get(name, 'none')}" for name in mentioned)


def _logic_order(f: Facts) -> str:
    place = ("first", "middle", "last")[f["asked"]]
    return f"{_commas(f'{a} over {b}' for a, b in f['pairs'])}, order {' '.join(f['order'])}, take {place}"


def _compare_cases(f: Facts) -> str:
    return _compare(f, by_difference=False)


def _compare_value(f: Facts) -> str:
    return _compare(f, by_difference=True)


def _guess_cell(f: Facts, rng: random.Random) -> str:
    return str(rng.choice([cell for cell in range(9) if cell not in f["mine"]]))


def _chain_cases(f: Facts) -> str:
    return _commas(_running(f["start"], f["changes"]))


def _entry(
    maker: Callable[[random.Random], Problem],
    guess: Callable[[Facts, random.Random], str] | None = None,
    **writers: Callable[[Facts], str],
) -> Family:
    """A family is named after its maker; a guess is by default another problem's answer."""
    fresh = guess or (lambda facts, rng: maker(rng).answer)
    return Family(maker.__name__.lstrip("_"), maker, writers, fresh)


_ENTRIES = (
    _entry(_arithmetic_chain, case_by_case=_chain_cases, pattern_recognition=_chain_sorted),
    _entry(_expected_value, expected_value=_mean),
    _entry(_probability, expected_value=_share),
    _entry(_counting, case_by_case=_count_each, pattern_recognition=_count_hits),
    _entry(
        _comparison,
        lambda f, rng: rng.choice(("A", "B", "same")),
        case_by_case=_compare_cases,
        expected_value=_compare_value,
    ),
    _entry(_sequence, case_by_case=_sequence_cases, pattern_recognition=_sequence_pattern),
    _entry(_grid, lambda f, rng: str(rng.randrange(9)), case_by_case=_grid_cases, pattern_recognition=_grid_pattern),
    _entry(_line, _guess_cell, pattern_recognition=_line_pairs),
    _entry(_exchange, case_by_case=_exchange_cases, expected_value=_exchange_value),
    _entry(_best_choice, expected_value=_best_value),
    _entry(
        _clock,
        lambda f, rng: str(rng.randrange(f["size"])),
        case_by_case=_clock_cases,
        pattern_recognition=_clock_rounds,
    ),
    _entry(
        _logic,
        lambda f, rng: rng.choice(sorted(f["order"])),  # sorted: the right order is in the facts
        case_by_case=_logic_cases,
        pattern_recognition=_logic_order,
    ),
)
FAMILIES: dict[str, Family] = {entry.name: entry for entry in _ENTRIES}
