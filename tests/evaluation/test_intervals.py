"""Intervals against known values and by simulation."""

from __future__ import annotations

import json
import math
import random

import pytest

from spiral_lite.evaluation.intervals import mean_interval, t_quantile, wilson


@pytest.mark.parametrize(
    ("df", "known"),
    [(1, 12.70620), (2, 4.302653), (3, 3.182446), (4, 2.776445), (9, 2.262157), (29, 2.045230), (1000, 1.962339)],
)
def test_t_quantiles_agree_with_the_tables(df: int, known: float) -> None:
    assert t_quantile(df) == pytest.approx(known, rel=1.5e-3 if df < 6 else 1e-4)


def test_t_quantiles_agree_with_scipy() -> None:
    stats = pytest.importorskip("scipy.stats")
    for df in range(6, 200):
        assert t_quantile(df) == pytest.approx(stats.t.ppf(0.975, df), rel=1e-4)


def test_a_mean() -> None:
    found = mean_interval([2.0, 4.0, 6.0])
    half = 4.302653 * 2 / math.sqrt(3)
    assert (found.mean, found.n) == (4.0, 3)
    assert found.ci95 == pytest.approx((4 - half, 4 + half))


def test_one_value_says_nothing_about_the_spread() -> None:
    found = mean_interval([3.0])
    assert found.ci95 == (-math.inf, math.inf)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False)) == {"mean": 3.0, "ci95": [None, None], "n": 1}


def test_no_values_are_refused() -> None:
    with pytest.raises(ValueError, match="at least one value"):
        mean_interval([])
    with pytest.raises(ValueError, match="n at least 1"):
        wilson(0, 0)
    with pytest.raises(ValueError, match="5 successes of 4"):
        wilson(5, 4)
    with pytest.raises(ValueError, match="df=0"):
        t_quantile(0)


def test_wilson_against_published_values() -> None:
    """Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    known = {(81, 263): (0.2553, 0.3662), (15, 148): (0.0624, 0.1605), (0, 20): (0, 0.1611), (1, 29): (0.0061, 0.1718)}
    for (successes, n), ci95 in known.items():
        assert wilson(successes, n).ci95 == pytest.approx(ci95, abs=6e-5)
    assert wilson(20, 20).high == 1.0


def test_the_interval_of_a_mean_covers() -> None:
    rng = random.Random(0)
    covered = sum(
        found.low <= 0.5 <= found.high
        for found in (mean_interval([rng.random() for _ in range(12)]) for _ in range(2000))
    )
    assert 0.93 < covered / 2000 < 0.97
