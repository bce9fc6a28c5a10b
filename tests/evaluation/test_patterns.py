"""Reading patterns: exact on the nano model's replies, by rules elsewhere; the rules against labels by hand."""

import json
import random
import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spiral_lite.evaluation import patterns
from spiral_lite.evaluation.patterns import LABELS, agreement, by_rules, pattern_of, read, usage
from spiral_lite.nano import families, problems
from spiral_lite.nano.problems import PATTERNS

ROWS = patterns.labelled()


@pytest.mark.parametrize("family", families.FAMILIES)
def test_exact_for_nano(family: str) -> None:
    rng = random.Random(0)
    for _ in range(20):
        problem = problems.make(family, rng)
        for pattern in problems.patterns_of(family):
            assert pattern_of(problems.careful(problem, pattern)) == pattern
        assert pattern_of(problems.careless(problem, rng)) == "none"


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("case_by_case", "Case 1: n is even, so n = 2k. Case 2: n is odd."),
        ("case_by_case", "If I bet, he may fold. If I check, he may bet. Otherwise we show cards."),
        ("expected_value", "The expected value of calling is 1/2 * 2 - 1/2 * 2 = 0, so fold."),
        ("expected_value", "A bet is risky: the probability that he holds the King is 50%."),
        (
            "pattern_recognition",
            "The differences between consecutive terms are 3, 5, 7: the pattern goes on with 9.",
        ),
        ("pattern_recognition", "By symmetry the corners are alike."),
        ("none", "3 + 4 = 7, and 7 - 2 = 5."),
        ("none", "I take the centre."),
        ("none", ""),
    ],
)
def test_rules(pattern: str, text: str) -> None:
    assert by_rules(text) == pattern
    assert by_rules(text.upper().replace(" ", "\n ")) == pattern


def test_the_heavier_pattern_wins_and_then_the_earlier() -> None:
    assert by_rules("Case 1 and case 2. The pattern repeats. Expected value 3. Case 3.") == "case_by_case"
    assert by_rules("By symmetry, on average it is worth nothing.") == "expected_value"
    assert by_rules("By symmetry, on average") == "pattern_recognition"
    assert by_rules("On average, by symmetry") == "expected_value"


def test_one_cue_again_and_again_counts_three_times() -> None:
    weights = [patterns.evidence("chance " * n)["expected_value"][0] for n in (0, 1, 3, 400)]
    assert weights == [0, 1, 3, 3]


def test_cues_are_read_in_linear_time() -> None:
    """None can run on: no repetition without an end, so a match is short and every place is tried once."""
    for cue, weight in (pair for cues in patterns.CUES.values() for pair in cues):
        assert not re.search(r"(?<!\\)[*+]|\{\d*,\}", cue), cue
        assert re.compile(cue)
        assert weight in (1, 2, 3)


@given(st.text())
def test_total(text: str) -> None:
    reading = read(text)
    assert reading.pattern in LABELS
    assert reading.words == len(text.split())


def test_validity() -> None:
    assert read(r"So \boxed{4}.").valid
    assert not any(read(text).valid for text in ("So 4.", r"\boxed{4", r"\boxed{ }"))
    assert not read(r"\boxed{[9]}", valid=False).valid  # the game knows better


def test_usage() -> None:
    replies = [r"Expected value: worth 2. So \boxed{[bet]}.", "Just guess: 3", "four words are here"]
    assert usage(map(read, replies)) == {
        "none": {"share": pytest.approx(2 / 3), "valid": 0.0, "words": 3.5},
        "expected_value": {"share": pytest.approx(1 / 3), "valid": 1.0, "words": 6.0},
    }


def test_kappa_by_hand() -> None:
    """20 yes-yes, 15 no-no, 5 and 10 apart: observed 0.7, by chance 0.5 * 0.6 + 0.5 * 0.4, kappa 0.4."""
    yes, no = "case_by_case", "none"
    pairs = [(yes, yes)] * 20 + [(yes, no)] * 5 + [(no, yes)] * 10 + [(no, no)] * 15
    found = agreement(*zip(*pairs))
    assert found.accuracy.mean == pytest.approx(0.7)
    assert found.kappa.mean == pytest.approx(0.4)
    assert found.kappa.low < 0.4 < found.kappa.high
    assert (found.kappa.high - found.kappa.low) / 2 == pytest.approx(1.96 * 0.13, rel=0.2)  # Fleiss et al. 1969: 0.127
    assert found.confusion[yes] == {yes: 20, "expected_value": 0, "pattern_recognition": 0, no: 5}
    assert found.confusion[no][yes] == 10
    assert found == agreement(*zip(*pairs))


def test_the_labelled_replies() -> None:
    assert len(ROWS) == 100
    assert [row.id for row in ROWS] == list(range(1, 101))
    assert len({row.reply for row in ROWS}) == 100
    assert {row.label for row in ROWS} == set(LABELS)
    assert all(row.split == ("dev", "test")[row.id % 2] for row in ROWS)
    sources = Counter(row.source.split(",")[0] for row in ROWS)
    assert sources["nano"] + sources["SmolLM2-135M-Instruct"] + sources["SmolLM2-135M-Instruct after warm-up"] >= 60
    assert not any(re.search(r"[A-Za-z]:\\|(^|\s)/\w+/", row.reply) for row in ROWS)
    for row in ROWS:
        opening = problems.pattern_of(row.reply)
        assert opening in ("none", "careless", row.label) or row.source != "nano"


def test_agreement_from_below() -> None:
    """Half of the replies were kept from whoever wrote the rules; these say what to expect elsewhere."""
    found = patterns.measured(ROWS)
    assert found["all"].accuracy.mean >= 0.84
    assert found["all"].kappa.mean >= 0.75
    assert found["test"].kappa.mean >= 0.55
    assert found["free text, test"].kappa.low >= 0.25
    confusion = found["all"].confusion  # the rules overlook patterns, but do not take one for another
    assert sum(confusion[a][b] for a in PATTERNS for b in PATTERNS if a != b) == 0


def test_command(capsys, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["patterns", "--json"])
    patterns.main()
    assert json.loads(capsys.readouterr().out)["all"]["accuracy"]["n"] == 100
    monkeypatch.setattr("sys.argv", ["patterns", "--wrong"])
    patterns.main()
    assert "Cohen's kappa" in capsys.readouterr().out
