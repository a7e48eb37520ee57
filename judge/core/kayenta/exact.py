r"""Kayenta's interval without its solver: the order statistics Brent looks for, whatever the unit.

The statistic only changes where the shift equals a difference x - y. So where it
crosses z, -z and 0 are three order statistics of the n*m differences, and they
scale with the data: a metric in seconds and the same metric in microseconds get
the same verdict. Kayenta stops up to 1e-4 beside them.

References
----------
.. [1] M. Hollander, D. A. Wolfe, E. Chicken, "Nonparametric Statistical Methods",
   3rd ed., Wiley 2014, sections 4.2 and 4.3: the interval and the estimate.
.. [2] D. B. Johnson, T. Mizoguchi, "Selecting the K-th element in X + Y", SIAM J.
   Comput. 7 (1978) 147-153: the pivot that always discards a quarter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from judge.core.kayenta.counting import LARGEST, Side, Spread
from judge.core.kayenta.kernel import Interval, Z
from judge.core.kayenta.shift_counts import Lookup
from judge.core.model import Floats

PAIRS_TO_PARTITION = 20_000
"""Up to so many differences are all computed; above, they are narrowed down first."""

_SAMPLE = 48
_FEW = 2_000
_SECANTS = 3
_NEIGHBOURS = 2


def exact_interval(x: Floats, y: Floats, *, z: float = Z) -> Interval:
    """Give the shift of x over y (Hodges-Lehmann) and its interval as order statistics of the differences.

    Parameters
    ----------
    x, y : array of shape (n,) and (m,)
        Finite values, at least one each.
    z : float
        How many standard deviations the interval reaches to either side; Kayenta's 98 % by default.

    Raises
    ------
    ValueError
        Where a side is empty or holds an infinity or NaN.

    Examples
    --------
    >>> exact_interval(np.arange(2.0, 13, 2), np.arange(1.0, 12, 2))
    Interval(lower=-7.0, upper=9.0, estimate=1.0)
    """
    n, m = len(x), len(y)
    if not n or not m:
        raise ValueError(f"need samples on both sides, got {n} and {m}")
    xs, ys = np.sort(x), np.sort(y)
    # NaN sorts last and is under no limit.
    if not all(side[0] >= -LARGEST and side[-1] <= LARGEST for side in (xs, ys)):
        raise ValueError(f"need finite values, of at most {LARGEST:g}")
    pairs = n * m
    sigma = Spread(n, m).deviation(Side.of(xs).ties + Side.of(ys).ties)
    # At most so many differences above a shift, and the shift is not rejected: U - nm/2 - 1/2 <= z sigma.
    most = math.floor(pairs / 2 + 0.5 + z * sigma)
    low = max(pairs - 1 - most, 0)
    lower, below, above, upper = ordered_differences(xs, ys, [low, (pairs - 1) // 2, pairs // 2, pairs - 1 - low])
    return Interval(lower=lower, upper=upper, estimate=below + (above - below) / 2)


def ordered_differences(xs: Floats, ys: Floats, ranks: Sequence[int]) -> list[float]:
    """Pick the differences x - y of these ranks (0 is the smallest) out of all n*m, to within rounding.

    Parameters
    ----------
    xs, ys : array of shape (n,) and (m,)
        Sorted finite values, at least one each.
    ranks : sequence of int
        Each from 0 to n*m - 1.

    Examples
    --------
    >>> ordered_differences(np.array([1.0, 10.0]), np.array([0.0, 3.0]), [0, 3])
    [-2.0, 10.0]
    """
    pairs = len(xs) * len(ys)
    if pairs <= PAIRS_TO_PARTITION:
        flat = np.subtract.outer(xs, ys).ravel()
        flat.partition(sorted(set(ranks)))
        return [float(flat[rank]) for rank in ranks]
    lookup = Lookup(Side.of(xs), Side.of(ys))
    sample = np.sort(np.subtract.outer(_spread_out(xs), _spread_out(ys)), axis=None)
    found: dict[int, float] = {}
    for rank in sorted(set(ranks)):
        if rank not in found:
            # The estimate's two ranks are neighbours and mostly come out of one search.
            found |= _Narrowing(lookup).to(rank, sample, also={other for other in ranks if 0 < other - rank <= _NEIGHBOURS})
    return [found[rank] for rank in ranks]


def _spread_out(ordered: Floats) -> Floats:
    """Take at most `_SAMPLE` values, evenly by rank."""
    if len(ordered) <= _SAMPLE:
        return ordered
    at = (np.arange(_SAMPLE) + 0.5) * (len(ordered) / _SAMPLE)
    taken: Floats = ordered[at.astype(np.intp)]
    return taken


class _Narrowing:
    """Drops differences on either side of a rank until few are left.

    Of row i the differences x_i - y_j with ``few[i] <= j < many[i]`` are kept: `kept`
    pairs of distinct values. `below` counts the samples' pairs that were dropped below.
    """

    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        rows, columns = len(lookup.x.values), len(lookup.y.values)
        self.few, self.many = np.zeros(rows, dtype=np.intp), np.full(rows, columns, dtype=np.intp)
        self.kept, self.below, self.above = rows * columns, 0.0, 0.0
        self.pairs = float(lookup.x.n) * lookup.y.n
        self.low, self.high = lookup.low, lookup.high

    def to(self, rank: int, sample: Floats, also: AbstractSet[int]) -> dict[int, float]:
        """Give the difference of this rank, and of those in `also` that turn up beside it."""
        # Two pivots about the rank, each between two of the sample's differences: on one it would tie.
        aside, last = len(sample) / _SAMPLE, len(sample) - 2
        guess = (rank + 0.5) / self.pairs * len(sample)
        places = [int(min(max(guess + side * aside, 0), last)) for side in (1, -1)]
        pivots = [float(sample[place] + (sample[place + 1] - sample[place]) / 2) for place in places] if last >= 0 else []
        secants = _SECANTS
        while self.kept > _FEW:
            before, straight = self.kept, bool(pivots or secants)
            if not pivots and secants:
                secants -= 1
                pivots = self._on_a_line(rank)
            pivot = pivots.pop() if pivots else self._median_of_medians()
            if self._split(rank, pivot) or (self.kept == before and not straight):
                # The pivot is a difference of this rank; or rounding no longer tells those that are left apart.
                return {rank: pivot}
        differences, weights = self._gathered()
        inside = [r for r in (rank, *also) if self.below <= r < self.pairs - self.above]
        if weights is None:
            places = [int(r - self.below) for r in inside]
            differences.partition(places)
            return {r: float(differences[place]) for r, place in zip(inside, places, strict=True)}
        order = differences.argsort()
        passed = self.below + weights[order].cumsum()
        return {r: float(differences[order[int(passed.searchsorted(r, "right"))]]) for r in inside}

    def _on_a_line(self, rank: int) -> list[float]:
        """Two pivots about the rank, as if the differences kept lay evenly."""
        left = self.pairs - self.above - self.below
        margin = max(left * _FEW / self.kept / 4, 1.0)
        shares = [(rank - self.below + side * margin) / left for side in (1, -1)]
        return [self.low + min(max(share, 0.0), 1.0) * (self.high - self.low) for share in shares]

    def _split(self, rank: int, pivot: float) -> bool:
        """Drop the side of the pivot without the rank; True where the pivot itself has it."""
        x, y = self.lookup.x, self.lookup.y
        u, above, tied = self.lookup.count(pivot)
        above = above.astype(np.intp, copy=False)
        u_or_tied, not_below = u, above
        if tied:
            ties = above < len(y.values)
            ties[ties] = y.values[above[ties]] == (x.values - pivot)[ties]
            not_below = above + ties
            u_or_tied += float((x.weights[ties] * y.weights[above[ties]]).sum())
        if rank < self.pairs - u_or_tied:
            self.few, self.above, self.high = np.maximum(self.few, not_below), u_or_tied, pivot
        elif rank >= self.pairs - u:
            self.many, self.below, self.low = np.minimum(self.many, above), self.pairs - u, pivot
        else:
            return True
        self.kept = int((self.many - self.few).sum())
        return False

    def _median_of_medians(self) -> float:
        """The weighted median of the rows' medians: at least a quarter lies on either side."""
        width = self.many - self.few
        rows = np.flatnonzero(width)
        medians = self.lookup.x.values[rows] - self.lookup.y.values[(self.few[rows] + self.many[rows] - 1) // 2]
        order = medians.argsort()
        passed = width[rows][order].cumsum()
        return float(medians[order[int(passed.searchsorted(passed[-1] / 2))]])

    def _gathered(self) -> tuple[Floats, Floats | None]:
        """The differences kept, and how many of the samples' pairs each stands for (None: one)."""
        x, y = self.lookup.x, self.lookup.y
        width = self.many - self.few
        ends = width.cumsum()
        columns = np.arange(int(ends[-1])) + np.repeat(self.few - ends + width, width)
        differences = np.repeat(x.values, width) - y.values[columns]
        if x.counts is None and y.counts is None:
            return differences, None
        return differences, np.repeat(x.weights, width) * y.weights[columns]
