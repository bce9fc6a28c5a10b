"""Intervals of clustered replies: closed forms where there are any, coverage by simulation where there are none."""

import math
import statistics

import numpy as np
import pytest

from spiral_lite.evaluation.clusters import bootstrap, clustered_share, mean_of_families
from spiral_lite.evaluation.intervals import wilson


def test_one_reply_a_problem_is_wilson() -> None:
    shares = [1.0] * 7 + [0.0] * 5
    assert clustered_share(shares, each=1).ci95 == wilson(7, 12).ci95


def test_replies_that_are_all_alike_count_once() -> None:
    shares = [1.0] * 30 + [0.0] * 20
    alike, once = clustered_share(shares, each=4), wilson(30, 50)
    assert alike.n == 200
    assert alike.ci95 == pytest.approx(once.ci95, abs=2e-3)  # the sample variance divides by 49
    assert clustered_share([1.0] * 50, each=4).ci95 == wilson(50, 50).ci95
    assert clustered_share([0.5] * 50, each=4).ci95 == wilson(25, 50).ci95


def test_replies_that_vary_like_independent_ones_count_each() -> None:
    shares = [0.0] * 6 + [0.25] * 25 + [0.5] * 38 + [0.75] * 25 + [1.0] * 6  # binomial(4, 1/2), about
    assert statistics.variance(shares) == pytest.approx(0.25 / 4, rel=0.05)
    assert clustered_share(shares, each=4).ci95 == pytest.approx(wilson(200, 400).ci95, abs=2e-3)


def test_coverage_where_problems_differ_in_difficulty() -> None:
    rng = np.random.default_rng(1)
    covered = naive = 0
    for _ in range(400):
        difficulty = rng.beta(0.5, 0.5, size=60)  # most problems nearly always right, or nearly never
        right = rng.binomial(4, difficulty)
        covered += _holds(clustered_share(list(right / 4), each=4).ci95)
        naive += _holds(wilson(int(right.sum()), 240).ci95)
    assert covered / 400 > 0.92
    assert naive / 400 < 0.88  # what counting replies as independent would claim to be 95 %


def _holds(ci95: tuple[float, float]) -> bool:
    return ci95[0] <= 0.5 <= ci95[1]


def test_the_mean_of_families_has_the_error_of_a_stratified_mean() -> None:
    rng = np.random.default_rng(2)
    families = [list(rng.binomial(1, p, size=200).astype(float)) for p in (0.2, 0.5, 0.9)]
    error = math.sqrt(sum(statistics.pvariance(f) / len(f) for f in families)) / 3
    found = mean_of_families(families)
    assert found.mean == pytest.approx(sum(map(statistics.mean, families)) / 3)
    assert found.n == 600
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.06)
    wider = mean_of_families(families, draw_families=True)
    between = statistics.pvariance([statistics.mean(f) for f in families]) / 3
    assert (wider.high - wider.low) / 2 == pytest.approx(1.96 * math.sqrt(error**2 + between), rel=0.15)


def test_families_weigh_alike_whatever_their_size() -> None:
    assert mean_of_families([[1.0] * 10, [0.0] * 90]).mean == 0.5


def test_the_bootstrap_knows_its_seed_and_leaves_the_global_generator_alone() -> None:
    before = np.random.get_state()[1].tolist()
    values = np.arange(50.0)
    first, again, other = (bootstrap(lambda i: values[i].mean(), 50, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert np.random.get_state()[1].tolist() == before
    assert first.mean == 24.5
    assert (first.high - first.low) / 2 == pytest.approx(1.96 * statistics.pstdev(values) / math.sqrt(50), rel=0.06)


def test_nothing_to_count_is_refused() -> None:
    with pytest.raises(ValueError, match="0 problems with 4 replies"):
        clustered_share([], 4)
    with pytest.raises(ValueError, match="1 problems with 0 replies"):
        clustered_share([1.0], 0)
