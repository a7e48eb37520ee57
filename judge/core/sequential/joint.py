"""All metrics taken together: many that are each a little worse, none of them enough to tell alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from judge.core.config import Direction, MetricConfig
from judge.core.model import Floats
from judge.core.sequential.evidence import Evidence, Scaled
from judge.core.sequential.settings import SequentialSettings
from judge.core.statistics.dependence import batch_length, batch_means, mean_of, robust_scale, winsorise

FEWEST_METRICS = 3
_LEAST_NOISE = 0.02
"""A metric that hardly varies must not outweigh all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """The mean change of `metrics` metrics in their bad directions, each in units of its own noise.

    `change` is the plain mean, a fraction of the baseline; `worse` metrics went in the bad direction.

    `p_noted` is against half of what is tolerated, `p_beyond` against all of it; both are
    held against `level`.
    """

    metrics: int
    change: float
    worse: int
    p_noted: float
    p_beyond: float
    level: float


def together(parts: Sequence[tuple[Evidence, MetricConfig, Scaled | None]], settings: SequentialSettings, *, level: float) -> Joint | None:
    """Average the paired differences of all metrics time by time; None where fewer than three can be averaged.

    What the metrics share stays in the average, so their correlation needs no assumption.
    """
    rows: list[Floats] = []
    times: list[Floats] = []
    accepted: list[float] = []
    changes, stride = [], 1
    for evidence, metric, scaled in parts:
        if scaled is None or not scaled.logarithmic or not evidence.paired or metric.direction is Direction.EITHER or len(evidence.t) < 10:
            continue
        sign, side = (1, 0) if metric.direction is Direction.INCREASE else (-1, 1)
        tolerated, noticed = scaled.tolerance[side], scaled.must_detect[side]
        d = sign * winsorise(scaled.canary - scaled.baseline)
        # One metric that is far worse is that metric's own finding, and says little of the others.
        d = d - max(float(d.mean()) - noticed, 0.0)
        noise = max(robust_scale(d)[1], _LEAST_NOISE)
        rows.append(d / noise)
        accepted.append(tolerated / noise)
        times.append(evidence.t)
        changes.append(float(d.mean()))
        stride = max(stride, evidence.stride)
    if len(rows) < FEWEST_METRICS:
        return None
    average = _at_common_times(rows, times)
    length = batch_length(len(average), stride=stride, most=settings.most_batches)
    if len(average) < 10 or len(average) // length < settings.min_batches:
        return None
    found = mean_of(batch_means(average, length=length))
    if found.effective < settings.min_effective:
        return None
    most = float(np.mean(accepted))
    return Joint(
        metrics=len(rows),
        change=float(np.expm1(np.mean(changes))),
        worse=sum(change > 0 for change in changes),
        p_noted=found.below(settings.joint_accepted * most),
        p_beyond=found.below(most),
        level=level,
    )


def _at_common_times(rows: Sequence[Floats], times: Sequence[Floats]) -> Floats:
    first = times[0]
    if all(len(t) == len(first) and (t is first or bool((t == first).all())) for t in times):
        same: Floats = np.mean(np.stack(rows), axis=0)
        return same
    common = first
    for t in times[1:]:
        common = np.intersect1d(common, t, assume_unique=True)
    if not len(common):
        return np.empty(0)
    shared: Floats = np.mean(np.stack([row[np.searchsorted(t, common)] for row, t in zip(rows, times, strict=True)]), axis=0)
    return shared
