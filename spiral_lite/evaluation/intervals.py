"""95 % intervals: of a mean (Student's t) and of a share (Wilson 1927).

Every measured number of this library comes with one. Read this first, then `matches`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

Z95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Interval:
    """An estimate from `n` values and its 95 % interval. The interval of one value's mean is the whole line."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def ci95(self) -> tuple[float, float]:
        return (self.low, self.high)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, which has no infinity: an end that is nowhere is None."""
        return {"mean": self.mean, "ci95": finite(self.ci95), "n": self.n}

    def __str__(self) -> str:
        return f"{self.mean:.3g} [{self.low:.3g}, {self.high:.3g}]"


def finite(ci95: tuple[float, float]) -> list[float | None]:
    """An interval as JSON can hold it."""
    return [end if math.isfinite(end) else None for end in ci95]


def mean_interval(values: Iterable[float]) -> Interval:
    """The mean and its interval by the t-distribution, for independent values; equal ones give an interval of width 0.

    >>> print(mean_interval([1, -1, 1, 1]))
    0.5 [-1.09, 2.09]
    """
    sample = [float(value) for value in values]
    n = len(sample)
    if n == 0:
        raise ValueError("an interval needs at least one value, and there are none: was a game played?")
    mean = math.fsum(sample) / n
    if n == 1:
        return Interval(mean, -math.inf, math.inf, 1)
    variance = math.fsum((value - mean) ** 2 for value in sample) / (n - 1)
    half = t_quantile(n - 1) * math.sqrt(variance / n)
    return Interval(mean, mean - half, mean + half, n)


def wilson(successes: int, n: int) -> Interval:
    """The share of successes and Wilson's score interval: it stays in [0, 1] and is honest at 0 and at n.

    >>> print(wilson(0, 100))
    0 [0, 0.037]
    """
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"{successes} successes of {n}: there must be 0 to n of them, and n at least 1")
    return Interval(successes / n, *score_ends(successes / n, n), n)


def score_ends(share: float, n: float) -> tuple[float, float]:
    """The ends of Wilson's interval of a share; n may be an effective number (see `clusters`)."""
    z2 = Z95**2
    centre = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    return (0.0 if share == 0 else centre - half, 1.0 if share == 1 else centre + half)  # exactly, not to rounding


def t_quantile(df: int) -> float:
    """The 97.5 % quantile of Student's t with `df` degrees of freedom.

    Exact for 1 and 2, then the expansion of Cornish and Fisher (Abramowitz & Stegun 26.7.5): its error is 0.12 % at 3
    and below 0.01 % from 6 on, so the core needs no scipy.
    """
    if df < 1:
        raise ValueError(f"df={df}: a spread needs at least two values, so df is at least 1")
    if df == 1:
        return math.tan(math.pi * 0.475)
    if df == 2:
        return 0.95 / math.sqrt(2 * 0.975 * 0.025)
    z = Z95
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / df**power for power, term in enumerate(terms))
