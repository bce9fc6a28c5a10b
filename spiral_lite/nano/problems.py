r"""Short reasoning problems, each answered with care in up to three patterns, or by a guess.

Part of the nano base model's corpus, and the measure of transfer: does self-play on games make careful replies, and so
right answers, more common here? The three patterns are those that SPIRAL (arXiv:2506.24119, section 5) finds in
its reasoning traces. It measures transfer on MATH500 and the like; a model of 1.5M parameters needs smaller steps, so:

- each step of a careful reply is ONE operation, its operands copied right before it (`4 + 7 = 11`), and ends with a
  number that a lookup can give: a sum up to 39, a product of small digits, a comparison of numbers up to 24;
- every reply opens with the sentence of its pattern (`OPENINGS`) and ends with `\boxed{answer}`;
- a careless reply draws an answer from the same range without looking at the right one;
- the questions for which `held_out` is true never enter the corpus; evaluation uses only those.

    >>> problem = make("arithmetic_chain", random.Random(1))
    >>> careful(problem, "case_by_case").endswith(rf"So \boxed{{{problem.answer}}}.")
    True
"""

from __future__ import annotations

import hashlib
import random
import re
from fractions import Fraction

from spiral_lite.nano.families import FAMILIES, Family, Problem

PATTERNS = ("case_by_case", "expected_value", "pattern_recognition")
OPENINGS = {
    "case_by_case": "Case by case:",
    "expected_value": "Expected value:",
    "pattern_recognition": "Find the pattern:",
    "careless": "Just guess:",
}


def make(family: str, rng: random.Random) -> Problem:
    """A fresh problem of `family`; the same state of `rng` gives the same problem."""
    return _family(family).maker(rng)


def careful(problem: Problem, pattern: str) -> str:
    """A whole careful reply in `pattern`; always right."""
    family = _family(problem.family)
    if pattern not in family.writers:
        raise ValueError(f"no {pattern!r} reply for {family.name}; its patterns: {', '.join(family.patterns)}")
    return rf"{OPENINGS[pattern]} {family.writers[pattern](problem.facts)}. So \boxed{{{problem.answer}}}."


def careless(problem: Problem, rng: random.Random) -> str:
    """A guess: a plausible answer drawn independently of the right one."""
    return rf"{OPENINGS['careless']} \boxed{{{_family(problem.family).guess(problem.facts, rng)}}}."


def patterns_of(family: str) -> tuple[str, ...]:
    """The patterns in which `family` can be answered with care."""
    return _family(family).patterns


def pattern_of(reply: str) -> str:
    """The key of `OPENINGS` with whose sentence the reply starts, or "none".

    >>> pattern_of("Find the pattern: + 3, + 3"), pattern_of("So what")
    ('pattern_recognition', 'none')
    """
    return next((name for name, opening in OPENINGS.items() if reply.lstrip().startswith(opening)), "none")


def is_right(problem: Problem, reply_answer: str | None) -> bool:
    """Whether the text in the box is the answer; numbers count by value, so 2/4 is 1/2."""
    if reply_answer is None:
        return False
    given, wanted = _value(reply_answer), _value(problem.answer)
    return given is not None and given == wanted


def held_out(question: str) -> bool:
    """True for a fixed tenth of all questions: they are for evaluation and never in the corpus."""
    return int.from_bytes(hashlib.sha256(question.encode()).digest()[:8], "big") % 10 == 0


def _family(name: str) -> Family:
    if name not in FAMILIES:
        raise ValueError(f"unknown problem family {name!r}; known: {', '.join(FAMILIES)}")
    return FAMILIES[name]


def _value(text: str) -> Fraction | str | None:
    text = "".join(text.split()).casefold()
    if not re.fullmatch(r"-?[0-9]{1,4}(/[0-9]{1,4})?", text):
        return text or None
    top, _, bottom = text.partition("/")
    return Fraction(int(top), int(bottom or 1)) if int(bottom or 1) else None
