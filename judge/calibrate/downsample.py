"""The same pairs at a longer step, worked out from the samples that are there.

Counts of two steps add up; a query whose range is the step gives the mean of both; any other query gives, at a longer step,
just fewer of the same samples. A shorter step would need other questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from judge.calibrate.healthy_pairs import Case
from judge.core import formatting as words
from judge.core.config import CanaryConfig, MetricConfig
from judge.core.model import Floats, Series, SeriesPair
from judge.core.templates import placeholders

FACTORS = (2, 4)
_LEAST_STEPS = 10
_SAME_TIME = 1e-3


def steps(config: CanaryConfig, cases: Sequence[Case]) -> Iterator[tuple[str, CanaryConfig, list[Case]]]:
    """Twice and four times the step, where the window still has ten of them: name, config, pairs."""
    for factor in FACTORS:
        step = factor * config.window.step
        if not cases or config.window.length < _LEAST_STEPS * step:
            continue
        changed = replace(config, window=replace(config.window, step=step))
        yield f"a sample every {words.duration(step)}", changed, [coarser(case, config, factor) for case in cases]


def coarser(case: Case, config: CanaryConfig, factor: int) -> Case:
    """One pair at so many times the step."""
    step = config.window.step * factor
    return replace(case, pairs=tuple(_pair(pair, config.metric(pair.metric), case, step) for pair in case.pairs))


def _pair(pair: SeriesPair, metric: MetricConfig, case: Case, step: float) -> SeriesPair:
    if metric.limit is not None:
        return pair
    ranges = "step" in placeholders(metric.denominator if metric.denominator else metric.query)

    def taken(series: Series, start: float) -> Series:
        return _joined(series, start, step, add=bool(metric.denominator)) if ranges else _every(series, start, step)

    before = case.start - case.shift
    return replace(
        pair,
        baseline=taken(pair.baseline, before),
        canary=taken(pair.canary, case.start),
        baseline_total=None if pair.baseline_total is None else taken(pair.baseline_total, before),
        canary_total=None if pair.canary_total is None else taken(pair.canary_total, case.start),
        # A range that is the step grows with it.
        rate_window=max(pair.rate_window, step) if ranges and pair.rate_window is not None else pair.rate_window,
    )


def _every(series: Series, start: float, step: float) -> Series:
    """The samples that lie on the longer step."""
    place = (series.t - start) / step
    kept = np.abs(place - np.round(place)) * step < _SAME_TIME
    return replace(series, t=series.t[kept], v=series.v[kept])


def _joined(series: Series, start: float, step: float, *, add: bool) -> Series:
    """The samples of each longer step added up, or their mean, at its end; the very first one ends where the window begins and is alone."""
    number = np.ceil((series.t - start - _SAME_TIME) / step).astype(np.int64)
    inside = number > 0
    numbers, begins, counts = np.unique(number[inside], return_index=True, return_counts=True)
    if not len(numbers):
        return replace(series, t=series.t[:0], v=series.v[:0])
    sums = np.add.reduceat(series.v[inside], begins)
    t: Floats = start + numbers.astype(np.float64) * step
    return replace(series, t=t, v=sums if add else sums / counts)
