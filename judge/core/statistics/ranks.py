r"""Mann-Whitney's U, its p-values, and the Hodges-Lehmann shift with its interval.

All three come from one statistic, so they agree: the interval at level
:math:`1 - \alpha` excludes a shift exactly when the two-sided test of that shift
has :math:`p < \alpha` (both with the same null distribution).

scipy.stats gives the same p-values (the tests compare with it); it is not
imported here because loading it costs more than judging a canary.

References
----------
.. [1] H. B. Mann, D. R. Whitney, "On a test of whether one of two random variables
   is stochastically larger than the other", Ann. Math. Stat. 18 (1947) 50-60.
.. [2] J. L. Hodges, E. L. Lehmann, "Estimates of location based on rank tests",
   Ann. Math. Stat. 34 (1963) 598-611.
.. [3] M. Hollander, D. A. Wolfe, E. Chicken, "Nonparametric Statistical Methods",
   3rd ed., Wiley 2014, sections 4.1 to 4.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from judge.core.model import Floats
from judge.core.statistics.differences import ordered_differences

EXACT_LIMIT = 25
"""Up to this many samples on the larger side the null distribution is exact (without ties)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankTest:
    """`u` counts pairs in which x is larger (a tie is half); `effect` is that as a share.

    `pvalue` is two-sided, `greater` that of "x tends to be larger than y", `less` the other; `ties` is `tie_sum`.
    """

    u: float
    effect: float
    pvalue: float
    greater: float
    less: float
    ties: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """Hodges-Lehmann estimate of x minus y with its interval, in the unit of the data."""

    estimate: float
    low: float
    high: float


def min_samples(alpha: float, other: int | None = None) -> int:
    r"""Fewest samples a side for which a one-sided test at `alpha` can reject at all.

    Without ties the smallest one-sided *p*-value of n against m samples is
    :math:`1 / \binom{n+m}{n}`. With `other` given, m is fixed at it; otherwise m = n.
    The result is at least 2.

    Parameters
    ----------
    alpha : float
        One-sided level, ``0 < alpha < 1``.
    other : int, optional
        Samples on the other side.

    Examples
    --------
    >>> min_samples(0.025), min_samples(0.01), min_samples(0.0005)
    (4, 5, 7)
    >>> min_samples(0.01, other=15)
    2
    """
    if not 0 < alpha < 1:
        msg = f"alpha must be between 0 and 1, got {alpha}"
        raise ValueError(msg)
    n = 2
    while 1 / math.comb(n + (n if other is None else max(other, 1)), n) > alpha:
        n += 1
    return n


def u_statistic(x: Floats, y: Floats) -> float:
    """Count the pairs in which x is larger than y; a tie counts half.

    Examples
    --------
    >>> u_statistic(np.array([1.0, 3.0]), np.array([2.0, 3.0]))
    1.5
    """
    ordered = np.sort(y)
    below = np.searchsorted(ordered, x, side="left")
    up_to = np.searchsorted(ordered, x, side="right")
    return float((below.sum() + up_to.sum()) / 2)


def tie_sum(x: Floats, y: Floats) -> float:
    r"""Add up :math:`t^3 - t` over the groups of equal values in both samples together."""
    pooled = np.concatenate([x, y])
    pooled.sort()
    (edges,) = (pooled[1:] != pooled[:-1]).nonzero()
    if len(edges) == len(pooled) - 1:
        return 0.0
    runs = np.diff(np.concatenate([[-1], edges, [len(pooled) - 1]])).astype(float)
    return float((runs**3 - runs).sum())


def standard_error(n: int, m: int, ties: float) -> float:
    """Standard deviation of U when both samples are from one distribution ([3]_, eq. 4.13)."""
    total = n + m
    if total < 2:
        return 0.0
    return math.sqrt(max(n * m / 12 * (total + 1 - ties / (total * (total - 1))), 0.0))


@lru_cache(maxsize=256)
def null_cdf(n: int, m: int) -> Floats:
    """Exact distribution of U without ties: element u is P(U <= u), shape (n*m + 1,).

    The generating function of U is the Gaussian binomial coefficient, built here
    factor by factor: multiply by (1 - q^(m+i)), divide by (1 - q^i).
    """
    n, m = min(n, m), max(n, m)
    ways = np.zeros(n * m + 1)
    ways[0] = 1.0
    for i in range(1, n + 1):
        shifted = ways.copy()
        if m + i <= n * m:
            shifted[m + i :] -= ways[: -(m + i)]
        for start in range(min(i, len(shifted))):
            shifted[start::i] = np.cumsum(shifted[start::i])
        ways = shifted
    cdf: Floats = np.minimum(np.cumsum(ways) / math.comb(n + m, n), 1.0)
    cdf.setflags(write=False)
    return cdf


def _is_exact(n: int, m: int, ties: float) -> bool:
    return ties == 0 and max(n, m) <= EXACT_LIMIT


def _tail(u: float, n: int, m: int, ties: float) -> float:
    """P(U >= u) under the null: exact for small samples without ties, else normal with continuity."""
    if _is_exact(n, m, ties):
        cdf = null_cdf(n, m)
        # The distribution is symmetric: P(U >= u) = P(U <= nm - u).
        index = math.floor(n * m - u)
        return float(cdf[min(index, len(cdf) - 1)]) if index >= 0 else 0.0
    deviation = standard_error(n, m, ties)
    if deviation == 0:
        return 1.0
    z = (u - n * m / 2 - 0.5) / deviation
    return 0.5 * math.erfc(z / math.sqrt(2))


def mann_whitney(x: Floats, y: Floats) -> RankTest:
    """Test whether x tends to be larger or smaller than y.

    Parameters
    ----------
    x, y : array of shape (n,) and (m,)
        At least one value each, no NaN; infinite values are ranked as such.

    Raises
    ------
    ValueError
        Where a side is empty or holds NaN.

    Examples
    --------
    >>> found = mann_whitney(np.array([6.0, 7, 8, 9]), np.array([1.0, 2, 3, 4]))
    >>> found.u, round(found.greater, 4), round(found.pvalue, 4), found.effect
    (16.0, 0.0143, 0.0286, 1.0)
    """
    n, m = len(x), len(y)
    if n == 0 or m == 0 or bool(np.isnan(x).any()) or bool(np.isnan(y).any()):
        msg = f"Mann-Whitney needs values on both sides and no NaN, got {n} and {m} samples"
        raise ValueError(msg)
    u = u_statistic(x, y)
    ties = tie_sum(x, y)
    greater = _tail(u, n, m, ties)
    less = _tail(n * m - u, n, m, ties)
    return RankTest(u=u, effect=u / (n * m), pvalue=min(1.0, 2 * min(greater, less)), greater=greater, less=less, ties=ties)


def critical_rank(n: int, m: int, ties: float, alpha: float) -> int:
    """How many of the ordered differences lie outside the interval on each side.

    This is the largest U that the one-sided test rejects. The interval runs from the
    (k+1)-th smallest to the (k+1)-th largest of the n*m differences; -1 where `alpha` (one-sided) cannot be reached and no finite
    interval has the level ([3]_, eq. 4.19).
    """
    if _is_exact(n, m, ties):
        return int(np.searchsorted(null_cdf(n, m), alpha, side="right")) - 1
    z = -NormalDist().inv_cdf(alpha)
    return math.floor(n * m / 2 - 0.5 - z * standard_error(n, m, ties))


def hodges_lehmann(x: Floats, y: Floats, *, level: float, ties: float | None = None) -> Shift:
    """Estimate how far x lies above y, with its two-sided interval at `level`.

    The interval is infinite where so few samples cannot give the level.

    Parameters
    ----------
    x, y : array of shape (n,) and (m,)
        Finite values, at least one each.
    level : float
        Two-sided confidence level, ``0 < level < 1``.
    ties : float, optional
        Of both together, where it is known (`RankTest.ties`).

    Examples
    --------
    >>> hodges_lehmann(np.array([11.0, 12, 13, 14, 15]), np.array([1.0, 2, 3, 4, 5]), level=0.95)
    Shift(estimate=10.0, low=7.0, high=13.0)
    """
    n, m = len(x), len(y)
    total = n * m
    outside = critical_rank(n, m, tie_sum(x, y) if ties is None else ties, (1 - level) / 2)
    middle = [(total - 1) // 2, total // 2]
    if outside < 0:
        below, above = ordered_differences(x, y, middle)
        return Shift(estimate=(below + above) / 2, low=-math.inf, high=math.inf)
    # A shift is rejected when at most `outside` differences lie on its other side, so
    # the interval ends at the differences of rank `outside` from either end (from 0).
    low, below, above, high = ordered_differences(x, y, [outside, *middle, total - 1 - outside])
    return Shift(estimate=(below + above) / 2, low=low, high=high)
