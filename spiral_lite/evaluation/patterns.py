r"""Which of SPIRAL's reasoning patterns a reply uses: case by case, expected value, pattern recognition, or none.

The nano model names its pattern in its first words, so there the reading is exact (`problems.pattern_of`). Free text
of larger models is read by rules: each pattern has cues, regular expressions with weights, and the pattern with the
largest sum wins if that is at least ENOUGH. Rules, unlike a language model that judges, can be read, run anywhere and
say the same twice. How far to trust them is measured on 100 replies labelled by reading (`data/patterns/`), of which
every second one was looked at while the rules were written:

    python -m spiral_lite.evaluation.patterns

A cue has no unbounded repetition, so a reply is read in time linear in its length. Read `reasoning.py` before this.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spiral_lite import dialogue
from spiral_lite.evaluation.clusters import bootstrap
from spiral_lite.evaluation.intervals import Interval, wilson
from spiral_lite.nano import problems
from spiral_lite.nano.problems import PATTERNS

LABELLED = Path(__file__).resolve().parents[2] / "data" / "patterns" / "replies.jsonl"
LABELS = (*PATTERNS, "none")
ENOUGH = 2  # of weight; one weak cue is no pattern
MOST = 3  # times that one cue counts in a reply, or a long reply would always show something

_SOMEONE = r"(?:i|we|you|he|she|they|it|x|n|both|my opponent|the opponent|player [01]|they do|one of)"
_WORTH = r"(?:value|payoff|return|gain|profit|utility|number|score|outcome|winnings|loss|cost)"
CUES: dict[str, tuple[tuple[str, int], ...]] = {  # lower case, one space between words; the weight of each time
    "case_by_case": (
        (r"\bcase[ -]by[ -]case\b", 3),
        (r"\bcase \(?(?:\d|one|two|three|[a-d]\b|i{1,3}\b)", 2),
        (r"\b(?:two|three|four|possible|following|all|both|separate|these) (?:cases|scenarios|possibilities)\b", 2),
        (r"\b(?:scenario|option|possibility) (?:\d|[a-d]\b)", 1),
        (r"\b(?:first|second|third|other|last|either|this|each) (?:case|scenario|possibility)\b", 1),
        (r"\b(?:check|consider|try|test|look at|go through|examine) (?:each|every|all|both)\b", 2),
        (r"\bone by one\b|\bin turn\b", 1),
        (r"\bif " + _SOMEONE + r"\b", 1),
        (r"\b(?:if|when|for) \$?[a-z] ?(?:[=<>]|\\(?:le|ge|lt|gt)\b)", 1),
        (r"\b(?:suppose|assume|alternatively|otherwise|on the other hand|what if)\b|\bcontradict", 1),
        (r"\beither\b", 1),
    ),
    "expected_value": (
        (r"\bexpected " + _WORTH, 3),
        (r"\b(?:average|mean) " + _WORTH, 2),
        (r"\bexpectation\b|\bevs?\b|\be\[|\be\(", 2),
        (r"\bon average\b|\bweighted\b|\bbreak[- ]even\b|\bpot odds\b|\bnet (?:gain|loss|worth)\b", 2),
        (r"\bexpect (?:to (?:win|lose|get|gain) )?(?:about )?\d", 2),
        (r"\bprobabilit(?:y|ies)\b|\bchances?\b|\bodds\b|\blikel(?:y|ihood)\b", 1),
        (r"\bpayoffs?\b|\bworth\b|\bprofit(?:able)?\b|\brisk(?:y)?\b", 1),
        (r"\d ?(?:\\?%|percent\b)|\bwith \d/\d|\d out of \d", 1),
        (r"\bhalf (?:of )?the time\b|\bover many\b|\bin the long run\b", 1),
    ),
    "pattern_recognition": (
        (r"\bpatterns?\b|\brepeat(?:s|ing)?\b|\bperiod(?:ic)?\b|\bcycles?\b|\bcyclic\b", 2),
        (r"\b(?:arithmetic|geometric) (?:sequence|progression|series)\b|\bgeneral (?:formula|form|rule|term)\b", 2),
        (r"\bdifferences? (?:between|of) (?:each|consecutive|successive|the (?:terms|numbers))", 2),
        (r"\b(?:each|every) (?:term|number|step|time)\b|\bin general\b|\b(?:well-known|standard|classic)\b", 1),
        (r"\bsymmetr(?:y|ic|ical)\b|\btelescop(?:es|ing)\b|\bin a row\b|\bforks?\b|\binvariant\b", 2),
        (r"\b(?:notice|observe|recogni[sz]e)\b|\bsimilar(?:ly)?\b|\bsame (?:structure|form|way|idea)\b", 1),
        (r"\b(?:diagonal|threat(?:s|ens?)?|line)\b|\bmod(?:ulo)?\b|\bformula\b|\bsequence\b", 1),
    ),
}
_COMPILED = {name: [(re.compile(cue), weight) for cue, weight in cues] for name, cues in CUES.items()}


@dataclass(frozen=True)
class Reading:
    """What a reply shows on its face. `valid`: it has an answer in a box, or the game took its move."""

    pattern: str
    words: int
    valid: bool


def read(reply: str, valid: bool | None = None) -> Reading:
    """valid: what the game said of the reply, if it was a move (`turn.invalid is None`).

    >>> read(r"Suppose he has the King: I lose. If he has the Jack, I win. \\boxed{[check]}")
    Reading(pattern='case_by_case', words=15, valid=True)
    """
    boxed = dialogue.boxed(reply)
    return Reading(pattern_of(reply), len(reply.split()), bool(boxed and boxed.strip()) if valid is None else valid)


def pattern_of(reply: str) -> str:
    """One of LABELS: by the nano model's first words where there are any ("Just guess:" is none), or by the rules."""
    opening = problems.pattern_of(reply)
    if opening != "none":
        return opening if opening in PATTERNS else "none"
    return by_rules(reply)


def by_rules(text: str) -> str:
    """The pattern whose cues weigh most, the earlier one of two that weigh the same; "none" below ENOUGH."""
    scores = evidence(text)
    best = max(PATTERNS, key=lambda name: (scores[name][0], -scores[name][1]))
    return best if scores[best][0] >= ENOUGH else "none"


def evidence(text: str) -> dict[str, tuple[int, int]]:
    """For each pattern the weight of its cues and where the first one stands (the length of the text if none)."""
    text = " ".join(text.lower().split())
    found = {}
    for name, cues in _COMPILED.items():
        weight, first = 0, len(text)
        for cue, each in cues:
            places = [match.start() for match in cue.finditer(text)]
            weight += each * min(len(places), MOST)
            first = min([first, *places])
        found[name] = (weight, first)
    return found


def usage(readings: Iterable[Reading]) -> dict[str, dict[str, float]]:
    """{pattern: {"share" of the replies, "valid": share of these, "words": their mean length}}, the commonest first."""
    rows = list(readings)
    counts = sorted({row.pattern for row in rows}, key=lambda p: -sum(row.pattern == p for row in rows))
    table = {}
    for name in counts:
        these = [row for row in rows if row.pattern == name]
        table[name] = {
            "share": len(these) / len(rows),
            "valid": sum(row.valid for row in these) / len(these),
            "words": sum(row.words for row in these) / len(these),
        }
    return table


@dataclass(frozen=True)
class Labelled:
    """A reply and what a person made of it. `source`: who wrote it; `asked`: to what it answers, in short; `split`:
    "dev" was looked at while the rules were written, "test" only afterwards."""

    id: int
    source: str
    split: str
    asked: str
    reply: str
    label: str


@dataclass(frozen=True)
class Agreement:
    """Between labels and readings of n replies. `kappa` is Cohen's (1960), agreement beyond chance, with a bootstrap
    interval over replies; `confusion[label][reading]` counts."""

    accuracy: Interval
    kappa: Interval
    confusion: dict[str, dict[str, int]]

    def to_dict(self) -> dict[str, Any]:
        return {"accuracy": self.accuracy.to_dict(), "kappa": self.kappa.to_dict(), "confusion": self.confusion}

    def __str__(self) -> str:
        rows = [["label", *LABELS]]
        rows += [[label, *(str(self.confusion[label][reading]) for reading in LABELS)] for label in LABELS]
        table = "\n".join("  ".join(cell.rjust(19) for cell in row) for row in rows)
        return f"{self.accuracy.n} replies: accuracy {self.accuracy}, Cohen's kappa {self.kappa}\n{table}"


def agreement(labels: Sequence[str], readings: Sequence[str], seed: int = 0) -> Agreement:
    """How far two readers of the same replies agree.

    >>> agreement(["none", "case_by_case"] * 10, ["none", "case_by_case"] * 10).kappa.mean
    1.0
    """
    pairs = list(zip(labels, readings, strict=True))
    codes = [[LABELS.index(one) for one in pair] for pair in pairs]
    confusion = {label: {reading: pairs.count((label, reading)) for reading in LABELS} for label in LABELS}
    return Agreement(
        wilson(sum(a == b for a, b in pairs), len(pairs)), bootstrap(_kappa_of(codes), len(pairs), seed), confusion
    )


def _kappa_of(codes: Sequence[Sequence[int]]) -> Callable[[Any], float]:
    """Cohen's kappa of the pairs at some indices: (observed - by chance) / (1 - by chance)."""
    import numpy as np

    pairs = np.asarray(codes)

    def kappa(indices: Any) -> float:
        one, other = (np.eye(len(LABELS))[pairs[indices, side]] for side in (0, 1))  # [n, labels]
        observed, chance = (one * other).sum(1).mean(), float(one.mean(0) @ other.mean(0))
        return float((observed - chance) / (1 - chance)) if chance < 1 else 1.0  # all alike

    return kappa


def labelled(file: Path = LABELLED) -> list[Labelled]:
    """The replies labelled by hand."""
    return [Labelled(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]


def measured(rows: Sequence[Labelled]) -> dict[str, Agreement]:
    """Agreement of `pattern_of` on all replies, on those kept for testing, on those that it reads by the rules."""
    free = [row for row in rows if problems.pattern_of(row.reply) == "none"]
    parts = {"all": rows, "test": [row for row in rows if row.split == "test"], "free text": free}
    parts["free text, test"] = [row for row in free if row.split == "test"]
    return {
        name: agreement([row.label for row in part], [pattern_of(row.reply) for row in part])
        for name, part in parts.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How far the rules agree with labels by hand.")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--wrong", action="store_true", help="also show what is read otherwise, of the dev split")
    options = parser.parse_args()
    rows = labelled()
    found = measured(rows)
    if options.json:
        print(json.dumps({name: part.to_dict() for name, part in found.items()}))
        return
    for name, part in found.items():
        print(f"{name}: {part}\n")
    for row in rows if options.wrong else []:
        if row.split == "dev" and pattern_of(row.reply) != row.label:
            print(json.dumps(asdict(row) | {"read": pattern_of(row.reply), "evidence": evidence(row.reply)}))


if __name__ == "__main__":
    main()
