"""Kayenta's rank interval for many pairs of one shape at once: Brent in lockstep, one lane a search.

Every lane makes the steps `brent.brent` makes, in the same order of the same
double operations, so the floats are the same as one at a time. It pays where a
pair is small: at 60 samples a side about twice, from 120 not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from judge.core.kayenta.brent import EPSILON, ITERATIONS, TOLERANCE
from judge.core.kayenta.counting import GUARD, LARGEST, AllTied, Side, Spread
from judge.core.kayenta.kernel import Z, rank_interval
from judge.core.kayenta.shift_counts import Lookup
from judge.core.model import Floats, Mask

PAIRS_TO_SORT = 10_000
"""Up to so many differences a pair are sorted for all pairs together; above, one pair after another is quicker."""

_AT_ONCE = 4_000_000
_TARGETS = np.array([Z, -Z, 0.0])

Indices = NDArray[np.intp]


def deviations(spread: Spread, ties: Floats) -> Floats:
    """Sigma for many tie sums, none of which ties everything."""
    found: Floats = np.sqrt(spread._factor * (spread._total - ties / spread._pairs))
    return found


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Intervals:
    """One interval a row, arrays of shape (rows,); `tied` marks those for which Kayenta throws, NaN in the others."""

    lower: Floats
    upper: Floats
    estimate: Floats
    tied: Mask


def rank_intervals(x: Floats, y: Floats) -> Intervals:
    """Give for each row what `kernel.rank_interval` gives.

    Parameters
    ----------
    x, y : array of shape (rows, n) and (rows, m)
        The canary's and the baseline's samples: at least one each, no NaN.

    Raises
    ------
    ValueError
        Where the shapes do not fit, or a row has no samples.

    Examples
    --------
    >>> found = rank_intervals(np.array([np.arange(2.0, 13, 2), [5.0] * 6]), np.array([np.arange(1.0, 12, 2), [5.0] * 6]))
    >>> found.lower.tolist(), found.tied.tolist()
    ([-6.999992458676531, nan], [False, True])
    """
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or not x.shape[1] or not y.shape[1]:
        raise ValueError(f"need arrays of shape (rows, n) and (rows, m) with samples on both sides, got {x.shape} and {y.shape}")
    rows, pairs = len(x), x.shape[1] * y.shape[1]
    found = np.full((rows, 3), np.nan)
    alone, tied = np.ones(rows, dtype=np.bool_), np.zeros(rows, dtype=np.bool_)
    if pairs <= PAIRS_TO_SORT:
        step = max(1, _AT_ONCE // pairs)
        for start in range(0, rows, step):
            part = slice(start, start + step)
            _together(x[part], y[part], found[part], alone[part], tied[part])
    for row in np.flatnonzero(alone):
        try:
            interval = rank_interval(x[row], y[row])
        except AllTied:
            tied[row] = True
            continue
        found[row] = interval.lower, interval.upper, interval.estimate
    return Intervals(lower=found[:, 0], upper=found[:, 1], estimate=found[:, 2], tied=tied)


class _Rows:
    """The rows that can be searched together, sorted, with their differences."""

    def __init__(self, xs: Floats, ys: Floats, guard: Floats) -> None:
        self.xs, self.ys, self.guard = xs, ys, guard
        (rows, n), m = xs.shape, ys.shape[1]
        self.pairs = n * m
        differences = np.empty((rows, n, m))
        np.subtract(xs[:, :, None], ys[:, None, :], out=differences)
        self.flat = differences.reshape(-1)
        self.flat.reshape(rows, -1).sort(axis=1)
        self.spread = Spread(n, m)
        self.ties = np.zeros(rows)
        for row in np.flatnonzero((xs[:, 1:] == xs[:, :-1]).any(axis=1) | (ys[:, 1:] == ys[:, :-1]).any(axis=1)):
            self.ties[row] = Side.of(xs[row]).ties + Side.of(ys[row]).ties
        self.sigma = deviations(self.spread, self.ties)
        self.low, self.high = xs[:, 0] - ys[:, -1], xs[:, -1] - ys[:, 0]
        self.tied = np.zeros(rows, dtype=np.bool_)
        self._lookups: dict[int, Lookup] = {}

    def _lookup(self, row: int) -> Lookup:
        if row not in self._lookups:
            self._lookups[row] = Lookup(Side.of(self.xs[row]), Side.of(self.ys[row]))
        return self._lookups[row]

    def ends(self) -> Floats:
        """The statistic at the smallest and the largest difference, shape (rows, 2)."""
        xs, ys = self.xs, self.ys
        found = np.stack([self._one_pair(0, -1, self.low, self.pairs - 1.0), self._one_pair(-1, 0, self.high, 0.0)], axis=1)
        crowded = np.ones(len(xs), dtype=np.bool_)
        if min(xs.shape[1], ys.shape[1]) > 1:
            steps = [xs[:, 1] - xs[:, 0], xs[:, -1] - xs[:, -2], ys[:, 1] - ys[:, 0], ys[:, -1] - ys[:, -2]]
            crowded = np.minimum.reduce(steps) <= 2 * self.guard
        for row in np.flatnonzero(crowded):
            try:
                found[row] = self._lookup(int(row)).ends()
            except AllTied:
                self.tied[row] = True
        return found

    def _one_pair(self, i: int, j: int, mu: Floats, others: float) -> Floats:
        """Give the statistic where one pair alone is in doubt; it ties with nothing else."""
        moved, y = self.xs[:, i] - mu, self.ys[:, j]
        dz = others + np.where(moved > y, 1.0, np.where(moved == y, 0.5, 0.0)) - self.spread.half
        ties = self.ties + np.where(moved == y, 6.0, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = (dz - 0.5 * np.sign(dz)) / deviations(self.spread, ties)
        return found

    def statistic(self, row: Indices, mu: Floats) -> Floats:
        """Kayenta's statistic of one probe a lane."""
        flat, pairs = self.flat, self.pairs
        start = row * pairs
        # A binary search in all lanes at once: how many differences lie below mu.
        at = np.zeros(len(mu), dtype=np.intp)
        size = 1 << pairs.bit_length()
        while size := size >> 1:
            ahead = np.minimum(at + size, pairs)
            at = np.where(flat.take(start + ahead - 1) < mu, ahead, at)
        dz = pairs - self.spread.half - at
        found: Floats = (dz - 0.5 * np.sign(dz)) / self.sigma[row]
        guard = self.guard[row]
        doubtful = (at < pairs) & (flat.take(start + np.minimum(at, pairs - 1)) - mu <= guard)
        doubtful |= (at > 0) & (mu - flat.take(start + np.maximum(at, 1) - 1) <= guard)
        for lane in np.flatnonzero(doubtful):
            try:
                found[lane] = self._lookup(int(row[lane])).statistic(float(mu[lane]))
            except AllTied:
                self.tied[row[lane]] = True
        return found


def _together(x: Floats, y: Floats, found: Floats, alone: Mask, tied: Mask) -> None:
    """Search all rows that hold neither infinities nor -0.0 nor neighbours that rounding could merge.

    Fills `found` and `tied` and clears `alone` for these rows.
    """
    xs, ys = np.sort(x, axis=1), np.sort(y, axis=1)
    largest = np.maximum(np.maximum(-xs[:, 0], xs[:, -1]), np.maximum(-ys[:, 0], ys[:, -1]))
    scale = np.maximum(np.abs(xs[:, 0]), np.abs(xs[:, -1])) + np.maximum(np.abs(ys[:, 0]), np.abs(ys[:, -1]))
    guard = GUARD * scale
    zeros = ((x == 0) & np.signbit(x)).any(axis=1) | ((y == 0) & np.signbit(y)).any(axis=1)
    with np.errstate(invalid="ignore"):
        gaps = xs[:, 1:] - xs[:, :-1]
    close = ((gaps > 0) & (gaps <= guard[:, None])).any(axis=1)
    fit = np.flatnonzero((largest <= LARGEST) & ~zeros & ~close)
    if not len(fit):
        return
    rows = _Rows(xs[fit], ys[fit], guard[fit])
    ends = rows.ends()
    roots = _search(rows, ends)
    roots[rows.tied] = np.nan
    found[fit] = roots
    tied[fit] = rows.tied
    alone[fit] = False


def _search(rows: _Rows, ends: Floats) -> Floats:
    """Solve three searches a row; gives the roots of shape (rows, 3)."""
    count = len(ends)
    lane = np.arange(3 * count)
    row, target = lane // 3, np.tile(_TARGETS, count)
    a, b = rows.low[row], rows.high[row]
    fa, fb = ends[row, 0] - target, ends[row, 1] - target
    roots = np.empty(3 * count)
    # Ends that hold the root already: the interval's with a margin, the estimate's (target 0) only exactly.
    estimate = target == 0
    at_low = np.where(estimate, fa == 0, fa <= 0)
    at_high = np.where(estimate, fb == 0, fb >= 0)
    roots[at_low] = a[at_low]
    only_high = at_high & ~at_low
    roots[only_high] = b[only_high]
    go = ~(at_low | at_high) & ~rows.tied[row]
    lane, row, target, a, b, fa, fb = (v[go] for v in (lane, row, target, a, b, fa, fb))
    c, fc = a, fa
    for _ in range(ITERATIONS):
        if not len(lane):
            break
        previous = b - a
        swap = np.abs(fc) < np.abs(fb)
        a, b, c = np.where(swap, b, a), np.where(swap, c, b), np.where(swap, b, c)
        fa, fb, fc = np.where(swap, fb, fa), np.where(swap, fc, fb), np.where(swap, fb, fc)
        tol = 2 * EPSILON * np.abs(b) + TOLERANCE / 2
        step = (c - b) / 2
        go = ~((np.abs(step) <= tol) | (fb == 0))
        if not go.all():
            roots[lane[~go]] = b[~go]
            lane, row, target, previous, tol, step = (v[go] for v in (lane, row, target, previous, tol, step))
            a, b, c, fa, fb, fc = (v[go] for v in (a, b, c, fa, fb, fc))
        step = _interpolated(a, b, c, fa, fb, fc, previous=previous, tol=tol, step=step)
        step = np.where(np.abs(step) < tol, np.where(step > 0, tol, -tol), step)
        a, fa = b, fb
        b = b + step
        fb = rows.statistic(row, b) - target
        same = ((fb > 0) & (fc > 0)) | ((fb < 0) & (fc < 0))
        c, fc = np.where(same, a, c), np.where(same, fa, fc)
    roots[lane] = b
    return roots.reshape(count, 3)


def _interpolated(
    a: Floats, b: Floats, c: Floats, fa: Floats, fb: Floats, fc: Floats, *, previous: Floats, tol: Floats, step: Floats
) -> Floats:
    """Give Brent's secant or inverse quadratic step where he accepts it, else half the bracket."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        cb = c - b
        t2 = fb / fa
        q, t1 = fa / fc, fb / fc
        secant = a == c
        p = np.where(secant, cb * t2, t2 * (cb * q * (q - t1) - (b - a) * (t1 - 1)))
        q = np.where(secant, 1 - t2, (q - 1) * (t1 - 1) * (t2 - 1))
        q = np.where(p > 0, -q, q)
        p = np.where(p > 0, p, -p)
        accept = (np.abs(previous) >= tol) & (np.abs(fa) > np.abs(fb))
        accept &= (p < 0.75 * cb * q - np.abs(tol * q) / 2) & (p < np.abs(previous * q / 2))
        return np.where(accept, p / q, step)
