"""Unseen families: right by another route, in no form that the corpus has, made of steps that it has."""

import random
import re
from fractions import Fraction
from itertools import permutations

import pytest

from spiral_lite.evaluation.unseen import FAMILIES
from spiral_lite.nano import problems
from spiral_lite.nano.families import FAMILIES as SEEN
from spiral_lite.nano.families import GOODS, NAMES, Problem

EACH = pytest.mark.parametrize("family", FAMILIES)


def sample(family: str, n: int = 300, seed: int = 0) -> list[Problem]:
    rng = random.Random(f"{family} {seed}")
    return [FAMILIES[family].maker(rng) for _ in range(n)]


def solve(family: str, question: str) -> str:
    """The answer from the text of the question alone."""
    n = [int(k) for k in re.findall(r"\d+", question)]
    if family == "card_mean":
        return str(Fraction(sum(n), len(n)))
    if family == "two_held":
        theirs = [int(k) for k in re.findall(r"\d", question.split("they")[1])]
        magic = (1, 6, 5, 8, 4, 0, 3, 2, 7)  # of magic square 2 7 6 / 9 5 1 / 4 3 8, less one: lines sum to 12
        (cell,) = [k for k in range(9) if k not in n[2:4] and magic[k] + magic[n[2]] + magic[n[3]] == 12]
        assert cell not in theirs
        return str(cell)
    if family == "long_cycle":
        return str(n[len(n) % 3])
    if family in ("long_chain", "told_chain"):
        return str(n[0] + sum(int(k) * (1 if w == "add" else -1) for w, k in re.findall(r"(add|take) (\d+)", question)))
    if family == "three_sums":
        return max(re.findall(r"([ABC]) pays (\d+) \+ (\d+)", question), key=lambda s: int(s[1]) + int(s[2]))[0]
    if family == "two_means":
        a, b = (Fraction(int(x) + int(y), 2) for x, y in re.findall(r"pays (\d+) or (\d+)", question))
        return larger(a, b)
    if family == "two_offers":
        return larger(*(int(x) * int(y) for x, y in re.findall(r"get (\d+) \w+ worth (\d+)", question)))
    if family == "two_goods":
        return str(n[0] * n[1] + n[2] * n[3])
    if family == "between":
        return str(len(set(n[:5]) & set(range(n[5] + 1, n[6]))))
    if family == "last_line":
        row, column = divmod(n[2], 3)
        for move in re.findall(r"left|right|up|down", question):
            row += {"up": -1, "down": 1}.get(move, 0)
            column += {"left": -1, "right": 1}.get(move, 0)
        return str(row if "row" in question else column)
    if family == "next_but_one":
        return str(2 * n[3] - n[1])  # two steps on, as two steps before
    if family == "four_people":
        facts = re.findall(r"(\w+) is (\w+) than (\w+)", question)
        above = [(a, b) if word in ("taller", "older") else (b, a) for a, word, b in facts]
        names = {name for pair in above for name in pair}
        (order,) = [p for p in permutations(names) if all(p.index(a) < p.index(b) for a, b in above)]
        return order[0 if re.search(r"tallest|oldest", question) else -1]
    raise AssertionError(f"no independent solver for {family}")


def larger(a: Fraction | int, b: Fraction | int) -> str:
    return "A" if a > b else "B" if b > a else "same"


def form(question: str) -> str:
    """A question without what differs from problem to problem of a family."""
    question = re.sub(r"\d+", "#", question)
    question = re.sub("|".join(NAMES), "N", question)
    question = re.sub("|".join(GOODS), "G", question)
    question = re.sub(r"\b(?:add|take)\b", "a", question)
    return re.sub(r"\b(?:left|right|up|down)\b", "m", question)


def shapes(steps: str) -> set[str]:
    """The steps of a reply without their numbers, names and letters."""
    steps = re.sub(r"-?\d+", "#", re.sub("|".join(NAMES), "N", steps))
    steps = re.sub(r"\b[ABC]\b", "L", re.sub(r"\b(?:left|right|up|down)\b", "m", steps))
    return {re.sub(r"N( N)+", "N N", step) for step in steps.split(", ")}


@EACH
def test_answers_are_right_by_another_route(family: str) -> None:
    for problem in sample(family):
        assert problem.family == family
        assert problem.answer == solve(family, problem.question), problem


def test_no_corpus_has_their_form() -> None:
    assert not set(FAMILIES) & set(SEEN)
    rng = random.Random(5)
    seen = {form(problems.make(name, rng).question) for name in SEEN for _ in range(500)}
    assert len(seen) > len(SEEN)
    for family in FAMILIES:
        assert not seen & {form(problem.question) for problem in sample(family)}, family


@EACH
def test_a_careful_reply_is_made_of_steps_that_the_corpus_has(family: str) -> None:
    rng = random.Random(1)
    known = set()
    for name, seen in SEEN.items():
        for _ in range(200):
            facts = problems.make(name, rng).facts
            known |= set().union(*(shapes(writer(facts)) for writer in seen.writers.values()))
    for problem in sample(family):
        for writer in FAMILIES[family].writers.values():
            assert shapes(writer(problem.facts)) <= known, writer(problem.facts)


@EACH
def test_every_step_is_true_and_small(family: str) -> None:
    for problem in sample(family):
        for pattern, writer in FAMILIES[family].writers.items():
            reply = writer(problem.facts)
            steps = re.findall(r"(\d+) ([-+x/]) (\d+) = (\d+)", reply)
            assert len(steps) == reply.count("="), reply
            for a, op, b, c in steps:
                x, y = int(a), int(b)
                assert int(c) == {"+": x + y, "-": x - y, "x": x * y, "/": Fraction(x, y or 1)}[op], reply
                assert int(c) <= {"+": 39, "-": 39, "x": 24, "/": 15}[op], reply
                assert min(x, y) <= 9, reply
            assert pattern in problems.PATTERNS
            if re.fullmatch(r"\d+", problem.answer) and family not in (
                "between",
                "last_line",
                "two_held",
                "long_cycle",
            ):
                assert reply.endswith(f"= {problem.answer}"), reply


@EACH
def test_a_guess_is_plausible_and_seldom_right(family: str) -> None:
    rng = random.Random(3)
    drawn = sample(family, 2000)
    guesses = [FAMILIES[family].guess(problem.facts, rng) for problem in drawn]
    right = sum(problems.is_right(problem, guess) for problem, guess in zip(drawn, guesses))
    assert 0.02 < right / 2000 < 0.4
    answers = {problem.answer for problem in sample(family, 2000, seed=1)}
    assert sum(guess in answers for guess in guesses) > 0.99 * 2000


@EACH
def test_there_are_many(family: str) -> None:
    drawn = sample(family, 3000)
    assert len({problem.question for problem in drawn}) > 1000
    answers = [problem.answer for problem in drawn]
    assert max(map(answers.count, set(answers))) < 0.5 * 3000
    assert not any(re.search(r"=|boxed|So ", problem.question) for problem in drawn)


@EACH
def test_same_seed_same_problem_and_global_generator_untouched(family: str) -> None:
    before = random.getstate()
    assert sample(family, 30) == sample(family, 30) != sample(family, 30, seed=1)
    assert random.getstate() == before


def test_each_move_of_a_walk_says_where_it_leads() -> None:
    for problem in sample("last_line"):
        reply = FAMILIES["last_line"].writers["case_by_case"](problem.facts)
        cells = [f"row {cell // 3} column {cell % 3}" for cell in problem.facts["cells"]]
        told, *moves, end = reply.split(", ")
        assert (told, end) == (cells[0], cells[-1])
        at = dict(zip(("row", "column"), divmod(problem.facts["start"], 3)))
        for step, cell in zip(moves, cells[1:], strict=True):
            move, value = step.split()
            at["row" if move in ("up", "down") else "column"] = int(value)
            assert f"row {at['row']} column {at['column']}" == cell
