r"""What every way of counting shares: distinct values, Kayenta's statistic of a count, and ranking itself.

The statistic of a shift :math:`\mu` is (U - nm/2 - c) / sigma, where U counts the
pairs with :math:`x - \mu > y` (ties half), c is half a pair towards zero, and sigma is
corrected for all ties among the n + m values.

U and the tie sum are whole or half numbers below 2^53, hence exact, whichever
way they are counted. What must not differ is which values tie, and that depends
on how :math:`x - \mu` rounds: `GUARD` tells where rounding could matter.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from judge.core.kayenta.brent import EPSILON
from judge.core.model import Floats

Statistic: TypeAlias = Callable[[float], float]
Integers: TypeAlias = NDArray[np.int64]

GUARD = 8 * EPSILON
"""Times the largest |x| + |y|: more than x - y and x - mu together can be wrong by rounding."""

LARGEST = 5e307
"""Values beyond this are ranked at every probe: three of them added up may overflow."""

_MANTISSA = np.int64(0x7FFF_FFFF_FFFF_FFFF)
_NEGATIVE_ZERO = np.iinfo(np.int64).min


class AllTied(ArithmeticError):
    """Every observation ties with every other at some probe: there is no interval."""

    def __init__(self) -> None:
        super().__init__("cannot compute confidence interval when all observations are tied")


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One side's distinct values in order, how often each occurs (None: once), and what they tie.

    `gap` is the smallest step between neighbours, infinite for a single value;
    `ties` adds up :math:`t^3 - t` over the counts t.
    """

    values: Floats
    counts: Floats | None
    ties: float
    gap: float
    n: int

    @classmethod
    def of(cls, ordered: Floats) -> Side:
        """Take sorted finite values, at least one."""
        n = len(ordered)
        if n == 1:
            return cls(ordered, None, 0.0, math.inf, 1)
        gaps = ordered[1:] - ordered[:-1]
        gap = float(gaps.min())
        if gap > 0:
            return cls(ordered, None, 0.0, gap, n)
        edges = np.flatnonzero(gaps)
        if not len(edges):
            return cls(ordered[:1], np.array([float(n)]), float(n) ** 3 - n, math.inf, n)
        starts = np.zeros(len(edges) + 1, dtype=np.intp)
        starts[1:] = edges + 1
        counts = np.diff(starts, append=n).astype(float)
        return cls(ordered[starts], counts, float((counts**3 - counts).sum()), float(gaps[edges].min()), n)

    @property
    def weights(self) -> Floats:
        """How often each value occurs."""
        return np.ones(len(self.values)) if self.counts is None else self.counts


class Spread:
    """Turns a count and a tie sum into Kayenta's statistic."""

    __slots__ = ("_factor", "_pairs", "_total", "half")

    def __init__(self, n: int, m: int) -> None:
        """Take the numbers of samples."""
        a, b = float(n), float(m)
        self.half = a * b / 2
        self._factor = a * b / 12
        self._total = a + b + 1
        self._pairs = (a + b) * (a + b - 1)

    def deviation(self, ties: float) -> float:
        """Sigma of U for this tie sum; raises AllTied where it is zero."""
        variance = self._factor * (self._total - ties / self._pairs)
        if variance == 0:
            raise AllTied
        return math.sqrt(variance)

    def statistic(self, u: float, ties: float) -> float:
        """Deviation of U from its expectation, corrected for continuity, in standard deviations."""
        dz = u - self.half
        return (dz - 0.5 * ((dz > 0) - (dz < 0))) / self.deviation(ties)


def sortable(values: Floats) -> Integers:
    """Integers that sort and tie as java.lang.Double.compare: -0.0 below 0.0; NaN as infinity.

    Examples
    --------
    >>> sortable(np.array([-1.0, -0.0, 0.0, 1e-300, np.inf])).argsort().tolist()
    [0, 1, 2, 3, 4]
    """
    bits = np.where(np.isnan(values), np.inf, values).view(np.int64)
    return np.where(bits < 0, bits ^ _MANTISSA, bits)


def has_negative_zero(values: Floats, ordered: Floats) -> bool:
    """Tell whether values hold a -0.0; `ordered` are the same ones sorted.

    The zeros are looked for as they came: numpy sorts by minimum and maximum on some processors, where one zero may replace the other.
    """
    if ordered[0] > 0 or ordered[-1] < 0:
        return False
    return bool(np.count_nonzero(values.view(np.int64) == _NEGATIVE_ZERO))


def by_ranking(x: Floats, y: Floats) -> Statistic:
    """Rank all values at every probe, as Kayenta does: slow, and right for every double."""
    spread = Spread(len(x), len(y))
    ordered = np.sort(sortable(y))
    known: dict[float | None, float] = {}

    def statistic(mu: float) -> float:
        # Where Brent does not converge (infinities) he asks for the same point a thousand times.
        # A dictionary finds no NaN again, and takes -0.0 for 0.0: zeros are not kept.
        key = None if math.isnan(mu) else mu
        if key != 0 and key in known:
            return known[key]
        with np.errstate(invalid="ignore", over="ignore"):
            moved = sortable(x - mu)
        u = float(ordered.searchsorted(moved, "left").sum() + ordered.searchsorted(moved, "right").sum()) / 2
        pooled = np.sort(np.concatenate([moved, ordered]))
        runs = np.diff(np.flatnonzero(pooled[1:] != pooled[:-1]), prepend=-1, append=len(pooled) - 1).astype(float)
        found = known[key] = spread.statistic(u, float((runs**3 - runs).sum()))
        return found

    return statistic
