"""95 % intervals where several replies answer one problem: such replies are no independent values.

A hundred problems asked four times are worth between 100 and 400 independent replies; counting them as 400 makes every
difference look sure. A family's share of right replies gets a Wilson interval with the effective number (the design
effect of Kish, Survey Sampling, 1965; used so in Korn & Graubard 1998); the mean over families gets a percentile
bootstrap that draws whole problems (Efron & Tibshirani 1993, chapter 13). SPIRAL publishes neither.
Read `intervals.py` before this, `reasoning.py` after.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from spiral_lite.evaluation.intervals import Interval, score_ends

RESAMPLES = 4000


def clustered_share(shares: Sequence[float], each: int) -> Interval:
    """The mean of `shares`, one a problem, of `each` replies; `n` of the result is the number of replies.

    With one reply a problem it is Wilson's interval. Otherwise the effective number of replies lies between the number
    of problems (all replies to a problem alike) and of replies (as if independent). Where the shares do not differ it
    cannot be estimated, and is the number of problems.

    >>> print(clustered_share([1, 0, 1, 1], each=1))
    0.75 [0.301, 0.954]
    >>> print(clustered_share([1, 0, 1, 1], each=4), clustered_share([0.75, 0.75, 0.5, 1], each=4))
    0.75 [0.301, 0.954] 0.75 [0.505, 0.898]
    """
    problems = len(shares)
    if problems == 0 or each < 1:
        raise ValueError(f"{problems} problems with {each} replies each: an interval needs at least one of both")
    mean = math.fsum(shares) / problems
    variance = statistics.variance(shares) / problems if problems > 1 else 0.0
    effective = float(problems)
    if each > 1 and variance > 0:
        effective = min(problems * each, max(problems, mean * (1 - mean) / variance))
    return Interval(mean, *score_ends(mean, effective), problems * each)


def mean_of_families(families: Sequence[Sequence[float]], seed: int = 0, draw_families: bool = False) -> Interval:
    """The mean over families of their mean share; each family lists one share a problem. `n`: the number of problems.

    The interval draws problems anew within each family: what other problems of these families would give. With
    `draw_families` it draws the families, too: what to expect of other families of the same kind. It has no width
    where all shares are 0, or all are 1.
    """
    rng = np.random.default_rng(seed)
    values = [np.asarray(shares, float) for shares in families]
    drawn = np.stack([_resampled(partial(_mean_at, v), len(v), rng) for v in values])  # [families, resamples]
    if draw_families:
        slots = [drawn[rng.integers(len(values), size=RESAMPLES), rng.permutation(RESAMPLES)] for _ in values]
        drawn = np.stack(slots)
    mean = float(np.mean([v.mean() for v in values]))
    return _percentiles(mean, drawn.mean(0), sum(map(len, values)))


def bootstrap(statistic: Callable[[Any], float], n: int, seed: int = 0) -> Interval:
    """`statistic(indices)` of all n values, with the interval that drawing n of them with replacement gives."""
    found = _resampled(statistic, n, np.random.default_rng(seed))
    return _percentiles(float(statistic(np.arange(n))), found, n)


def _mean_at(values: Any, indices: Any) -> float:
    return float(values[indices].mean())


def _resampled(statistic: Callable[[Any], float], n: int, rng: np.random.Generator) -> Any:
    return np.array([statistic(rng.integers(n, size=n)) for _ in range(RESAMPLES)], float)


def _percentiles(estimate: float, found: Any, n: int) -> Interval:
    low, high = np.percentile(found, (2.5, 97.5))
    return Interval(estimate, float(low), float(high), n)
