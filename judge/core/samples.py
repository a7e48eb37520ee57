"""Which samples of a pair may be compared: finite ones, that share no data, and enough of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from judge.core import formatting as words
from judge.core.model import Classification, Floats, Mask, Series, SeriesPair
from judge.core.pairing import Aligned, align, events_where_asked

INFINITE_SHARE = 0.1
"""More infinite samples than this on a side and nothing is decided from the rest."""

_COUNT_ROUNDING = 1.05
"""Extrapolated counts may exceed their total by this much before the query is called wrong."""

LARGEST = 1e305
"""Larger values stand for infinity, as the largest number of a float does where a program has not measured anything yet."""

_MIN_RUNS = 4
_IDENTICAL_DISTINCT = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Finite values that share no data, with the counts behind them where they are ratios.

    `baseline` has shape (n,), `canary` (m,); the events and totals, where given, have
    the shapes of their side. `n_baseline` and `n_canary` count samples before those
    that share data were left out.
    """

    baseline: Floats
    canary: Floats
    n_baseline: int
    n_canary: int
    baseline_events: Floats | None = None
    baseline_total: Floats | None = None
    canary_events: Floats | None = None
    canary_total: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prepared:
    """A sample that may be compared, or why there is none."""

    sample: Sample | None = None
    classification: Classification = Classification.UNDECIDED
    reason: str = ""
    n_baseline: int = 0
    n_canary: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One side's values, shape (n,), in one column, or events and totals in two."""

    name: str
    t: Floats
    columns: tuple[Floats, ...]

    @property
    def finite(self) -> Mask:
        """Rows that are finite in every column."""
        mask: Mask = np.ones(len(self.t), dtype=np.bool_)
        for column in self.columns:
            mask &= np.abs(column) <= LARGEST
        return mask

    @property
    def infinite(self) -> int:
        """Rows with an infinity in any column."""
        return int((np.abs(np.vstack(self.columns)) > LARGEST).any(axis=0).sum())

    def keep(self, rows: Mask) -> Side:
        """Keep these rows."""
        return replace(self, t=self.t[rows], columns=tuple(column[rows] for column in self.columns))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """`stride` samples share data; `why` says so in words, empty where they do not."""

    stride: int = 1
    why: str = ""


def repeated(values: Floats) -> int:
    """How often the source repeats each sample: 4 where a series scraped every minute is asked every 15 s.

    Told by all inner runs of equal values having lengths with a common divisor;
    fewer than four such runs tell nothing.

    Examples
    --------
    >>> repeated(np.repeat([1.0, 2, 3, 4, 5, 6, 7], 4))
    4
    >>> repeated(np.array([0.0, 0, 1, 0, 2, 2, 0, 1, 1]))
    1
    """
    edges = np.flatnonzero(np.diff(values) != 0) + 1
    inner = np.diff(edges)
    if len(inner) < _MIN_RUNS:
        return 1
    return int(np.gcd.reduce(inner))


def overlap(*, step: float, rate_window: float | None, repeats: int) -> Overlap:
    """Tell how many consecutive samples share data.

    Parameters
    ----------
    step : float
        Seconds between samples.
    rate_window : float or None
        Seconds of data under each sample.
    repeats : int
        As `repeated` found it.

    Examples
    --------
    >>> overlap(step=15, rate_window=60, repeats=1)
    Overlap(stride=4, why='each sample covers 60 s, asked every 15 s: one in 4 is compared')
    """
    by_window = 1 if rate_window is None or step <= 0 else max(1, math.ceil(rate_window / step - 1e-9))
    if by_window >= repeats and by_window > 1:
        return Overlap(
            stride=by_window, why=f"each sample covers {rate_window:g} s, asked every {step:g} s: one in {by_window} is compared"
        )
    if repeats > 1:
        return Overlap(
            stride=repeats,
            why=f"the source repeats each sample {repeats} times (step {step:g} s is shorter than its own): one in {repeats} is compared",
        )
    return Overlap()


def thin(t: Floats, values: Floats, *, stride: int, step: float) -> Floats:
    """Keep one sample in `stride`, by time, so that gaps do not shift what is kept.

    In each stretch of ``stride * step`` seconds the last sample is kept.
    """
    if stride <= 1 or not len(t):
        return values
    stretch = np.floor((t - t[-1]) / (stride * step) - 1e-9)
    last = np.append(np.flatnonzero(np.diff(stretch) != 0), len(t) - 1)
    kept: Floats = values[last]
    return kept


def same_samples(baseline: Floats, canary: Floats) -> bool:
    """Both sides are the very same measurements, not merely alike.

    True for equal values in equal order where the values vary: a constant (no
    errors at all, three replicas) is rightly equal on both sides.
    """
    return len(baseline) == len(canary) and len(np.unique(baseline)) >= _IDENTICAL_DISTINCT and bool(np.array_equal(baseline, canary))


def prepare(pair: SeriesPair, *, rate_window: float | None, step: float) -> Prepared:
    """Bring a pair to values that may be compared: at equal times, finite, sharing no data.

    Parameters
    ----------
    pair : SeriesPair
        With samples on both sides.
    rate_window : float or None
        Seconds of data under each sample, where the config says so.
    step : float
        Seconds between samples, where the samples are too few to tell.
    """
    aligned, baseline, canary = both_sides(pair)
    warnings = [f"{aligned.dropped} samples had no partner at their time and were left out"] if aligned.dropped else []
    (baseline, canary), infinite = finite_sides(baseline, canary, paired=aligned.paired)
    n_baseline, n_canary = len(baseline.t), len(canary.t)

    def refuse(classification: Classification, reason: str) -> Prepared:
        return Prepared(classification=classification, reason=reason, n_baseline=n_baseline, n_canary=n_canary, warnings=tuple(warnings))

    for side, count in zip((baseline, canary), infinite, strict=True):
        if count > INFINITE_SHARE * (count + len(side.t)):
            reason = f"{count} of {count + len(side.t)} {side.name} samples are infinite (a division by zero, or the top histogram bucket)"
            return refuse(Classification.UNDECIDED, reason)
        if count:
            warnings.append(f"{count} infinite {side.name} samples were left out")
    wrong = wrong_counts(baseline) or wrong_counts(canary)
    if wrong:
        return refuse(Classification.ERROR, wrong)
    if aligned.paired and same_samples(baseline.columns[-1], canary.columns[-1]):
        return refuse(
            Classification.ERROR, "baseline and canary are the same samples: both queries selected the same pods; check the scope"
        )
    counted = len(baseline.columns) > 1
    repeats = 1 if counted else min(repeated(baseline.columns[0]), repeated(canary.columns[0]))
    spacing = float(np.median(np.diff(baseline.t))) if n_baseline > 1 else step
    shared = overlap(step=spacing, rate_window=rate_window if rate_window is not None else pair.rate_window, repeats=repeats)
    if shared.stride > 1:
        warnings.append(shared.why)
        baseline, canary = (
            replace(side, columns=tuple(thin(side.t, column, stride=shared.stride, step=spacing) for column in side.columns))
            for side in (baseline, canary)
        )
    return Prepared(
        sample=Sample(
            baseline=compared_values(baseline),
            canary=compared_values(canary),
            n_baseline=n_baseline,
            n_canary=n_canary,
            baseline_events=baseline.columns[0] if counted else None,
            baseline_total=baseline.columns[1] if counted else None,
            canary_events=canary.columns[0] if counted else None,
            canary_total=canary.columns[1] if counted else None,
        ),
        warnings=tuple(warnings),
    )


def finite_sides(baseline: Side, canary: Side, *, paired: bool) -> tuple[tuple[Side, Side], tuple[int, int]]:
    """Keep the rows that are finite, of a pair on both sides; and count the infinite ones of each side."""
    infinite = baseline.infinite, canary.infinite
    if paired:
        both = baseline.finite & canary.finite
        return (baseline.keep(both), canary.keep(both)), infinite
    return (baseline.keep(baseline.finite), canary.keep(canary.finite)), infinite


def both_sides(pair: SeriesPair) -> tuple[Aligned, Side, Side]:
    """Align both sides; where there are counts, by the times of their totals."""
    if pair.baseline_total is None or pair.canary_total is None:
        aligned = align(pair.baseline, pair.canary)
        columns_b: tuple[Floats, ...] = (aligned.baseline,)
        columns_c: tuple[Floats, ...] = (aligned.canary,)
    else:
        aligned = align(pair.baseline_total, pair.canary_total)
        events_b = _at(events_where_asked(pair.baseline, pair.baseline_total), aligned.t)
        events_c = _at(events_where_asked(pair.canary, pair.canary_total), aligned.t_canary)
        columns_b, columns_c = (events_b, aligned.baseline), (events_c, aligned.canary)
    return (
        aligned,
        Side(name="baseline", t=aligned.t, columns=columns_b),
        Side(name="canary", t=aligned.t_canary, columns=columns_c),
    )


def _at(series: Series, times: Floats) -> Floats:
    """Values at times that the series is known to have."""
    found: Floats = series.v[np.searchsorted(series.t, times)]
    return found


def compared_values(side: Side) -> Floats:
    """The compared values: the only column, or events as a share of their total."""
    if len(side.columns) == 1:
        return side.columns[0]
    events, totals = side.columns
    return np.divide(events, totals, out=np.zeros(len(events)), where=totals > 0)


def wrong_counts(side: Side) -> str:
    """Say why counts cannot be counts, or nothing."""
    if len(side.columns) == 1:
        return ""
    events, totals = side.columns
    if bool((events < 0).any()) or bool((totals < 0).any()):
        return f"the {side.name} has negative counts; use increase(…) of a counter"
    if events.sum() > _COUNT_ROUNDING * totals.sum():
        counted = f"{words.count(float(events.sum()))} events of {words.count(float(totals.sum()))}"
        return f"the {side.name} counts {counted}: the numerator must be a part of the denominator"
    return ""
