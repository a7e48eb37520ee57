"""One pair of series becomes evidence: values of both sides, what they share, on which scale they are compared."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from judge.core.config import Margin, MetricConfig
from judge.core.model import Classification, Floats, SeriesPair
from judge.core.samples import (
    INFINITE_SHARE,
    Sample,
    Side,
    both_sides,
    compared_values,
    finite_sides,
    overlap,
    repeated,
    same_samples,
    thin,
    wrong_counts,
)
from judge.core.statistics.dependence import winsorise

_FAR = 1e100
"""Further than this many times the baseline's level a value is pulled in: its square must still be a number."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What may be compared of one pair.

    `baseline` has shape (n,), `canary` (m,): values, or events as a share of their
    total. Where `paired`, n = m and element i of both is from one time. `stride`
    consecutive samples share data; `spacing` is in seconds. `ranked` holds the samples
    that share nothing. Where `refusal` is not empty there is nothing to compare.
    """

    baseline: Floats
    canary: Floats
    t: Floats
    paired: bool
    stride: int
    spacing: float
    ranked: Sample | None
    baseline_events: Floats | None = None
    baseline_total: Floats | None = None
    canary_events: Floats | None = None
    canary_total: Floats | None = None
    warnings: tuple[str, ...] = ()
    classification: Classification = Classification.UNDECIDED
    refusal: str = ""

    @property
    def counted(self) -> bool:
        """The values are ratios of counts."""
        return self.baseline_total is not None


def gather(pair: SeriesPair, *, rate_window: float | None, step: float) -> Evidence:
    """Align a pair, leave out what is not finite, and tell how much consecutive samples share."""
    aligned, baseline, canary = both_sides(pair)
    warnings = [f"{aligned.dropped} samples had no partner at their time and were left out"] if aligned.dropped else []
    if not aligned.paired and _at_once(baseline.t, canary.t):
        warnings.append(
            "the sides ran at once but have no sample times in common (clocks or scrapes are offset): compared without pairing, "
            "so what hits both sides at once is not cancelled"
        )
    (baseline, canary), infinite = finite_sides(baseline, canary, paired=aligned.paired)
    refusal, classification = "", Classification.UNDECIDED
    for side, count in zip((baseline, canary), infinite, strict=True):
        seen = count + len(side.t)
        if count > INFINITE_SHARE * seen:
            refusal = f"{count} of {seen} {side.name} samples are infinite (a division by zero, or the top histogram bucket)"
        elif count:
            warnings.append(f"{count} infinite {side.name} samples were left out")
    wrong = wrong_counts(baseline) or wrong_counts(canary)
    if not refusal and wrong:
        refusal, classification = wrong, Classification.ERROR
    if not refusal and aligned.paired and _alike(baseline, canary):
        refusal = "baseline and canary are the same samples: both queries selected the same pods; check the scope"
        classification = Classification.ERROR
    counted = len(baseline.columns) > 1
    repeats = 1 if counted else min(repeated(baseline.columns[0]), repeated(canary.columns[0]))
    spacing = _spacing(baseline.t, step)
    shared = overlap(step=spacing, rate_window=rate_window if rate_window is not None else pair.rate_window, repeats=repeats)
    values_b, values_c = compared_values(baseline), compared_values(canary)
    return Evidence(
        baseline=values_b,
        canary=values_c,
        t=canary.t,
        paired=aligned.paired,
        stride=shared.stride,
        spacing=spacing,
        ranked=None if refusal else _ranked(baseline, canary, shared.stride, spacing),
        baseline_events=baseline.columns[0] if counted else None,
        baseline_total=baseline.columns[1] if counted else None,
        canary_events=canary.columns[0] if counted else None,
        canary_total=canary.columns[1] if counted else None,
        warnings=tuple(warnings),
        classification=classification,
        refusal=refusal,
    )


def _alike(baseline: Side, canary: Side) -> bool:
    """Both sides are the very same measurements; most are told apart by their first ones."""
    one, other = baseline.columns[-1], canary.columns[-1]
    return bool(np.array_equal(one[:2], other[:2])) and same_samples(one, other)


def _ranked(baseline: Side, canary: Side, stride: int, spacing: float) -> Sample:
    n_baseline, n_canary = len(baseline.t), len(canary.t)
    if stride > 1:
        baseline, canary = (
            replace(side, columns=tuple(thin(side.t, column, stride=stride, step=spacing) for column in side.columns))
            for side in (baseline, canary)
        )
    return Sample(baseline=compared_values(baseline), canary=compared_values(canary), n_baseline=n_baseline, n_canary=n_canary)


def _spacing(t: Floats, step: float) -> float:
    if len(t) < 2:
        return step
    gaps = np.sort(np.diff(t))
    return float(gaps[len(gaps) // 2])


def _at_once(t: Floats, other: Floats) -> bool:
    """Whether the sides' times overlap for more than half of the shorter one."""
    if len(t) < 2 or len(other) < 2:
        return False
    common = min(t[-1], other[-1]) - max(t[0], other[0])
    return bool(common > 0.5 * min(t[-1] - t[0], other[-1] - other[0]))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scaled:
    """Both sides on the scale of relative change: logarithms where all values are positive, else shares of `base`.

    `base` is the baseline's level in the metric's unit. `tolerance` and `must_detect` are on
    the scale, (for a rise, for a fall); all positive, infinite where a fall cannot be so large.
    """

    baseline: Floats
    canary: Floats
    logarithmic: bool
    base: float
    unit: float
    tolerance: tuple[float, float]
    must_detect: tuple[float, float]


def on_scale(evidence: Evidence, metric: MetricConfig) -> Scaled:
    """Choose the scale.

    On the logarithmic scale a fall is noticed where the rise that would undo it
    is: -16.7 % for 20 %, so that swapping the sides mirrors the answer.
    """
    x, y = evidence.canary, evidence.baseline
    if min(x.min(), y.min()) > 0:
        log_x, log_y = np.log(x), np.log(y)
        base = float(np.exp(log_y.mean()))
        accepted, noticed = _relative(metric.tolerance, base), _relative(metric.must_detect, base)
        return Scaled(
            baseline=log_y,
            canary=log_x,
            logarithmic=True,
            base=base,
            unit=base,
            tolerance=(math.log1p(accepted), -math.log1p(-accepted) if accepted < 1 else math.inf),
            must_detect=(math.log1p(noticed), _noticed_fall(noticed, accepted)),
        )
    # A single glitch of the baseline must not be its level: beside it every change would be small.
    usual_x, usual_y = winsorise(x), winsorise(y)
    base = float(usual_y.mean())
    largest = max(float(np.abs(usual_x).max()), float(np.abs(usual_y).max()))
    unit = abs(base) if abs(base) > 1e-9 * largest else largest if largest > 0 else 1.0
    x, y = (np.clip(side, -_FAR * unit, _FAR * unit) for side in (x, y))
    accepted, noticed = metric.tolerance.amount(base) / unit, metric.must_detect.amount(base) / unit
    return Scaled(
        baseline=y / unit,
        canary=x / unit,
        logarithmic=False,
        base=base,
        unit=unit,
        tolerance=(accepted, accepted),
        must_detect=(noticed, noticed),
    )


def fraction(value: float, scaled: Scaled) -> float:
    """A value on the scale as a fraction of the baseline."""
    if not scaled.logarithmic:
        return value * scaled.unit / abs(scaled.base) if scaled.base else math.nan
    return math.expm1(value) if value < 700 else math.inf


def _noticed_fall(noticed: float, accepted: float) -> float:
    """Where a fall is noticed on the logarithmic scale: as the rise that would undo it, yet never before what is tolerated."""
    fall = math.log1p(noticed)
    tolerated = -math.log1p(-accepted) if accepted < 1 else math.inf
    return fall if fall >= tolerated else -math.log1p(-noticed) if noticed < 1 else math.inf


def _relative(margin: Margin, base: float) -> float:
    return max(margin.relative, margin.absolute / base)
