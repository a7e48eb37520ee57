"""Canaries for the tests of the sequential judge: one metric, or several, with their window."""

from __future__ import annotations

import numpy as np

from judge.core.config import CanaryConfig, Direction, LooksConfig, MetricConfig, WindowConfig
from judge.core.model import Series, SeriesPair, Window
from judge.core.sequential.judge import judge_sequential
from judge.core.sequential.settings import DEFAULTS

STEP = 15.0


def noise(n=40, *, seed=3, cv=0.05):
    return 100 * np.exp(cv * np.random.default_rng(seed).standard_normal(n))


def pair(baseline, canary, *, t=None, t_canary=None, metric="latency", **more):
    baseline, canary = np.asarray(baseline, dtype=float), np.asarray(canary, dtype=float)
    t = np.arange(len(baseline)) * STEP if t is None else np.asarray(t, dtype=float)
    t_canary = np.arange(len(canary)) * STEP if t_canary is None else np.asarray(t_canary, dtype=float)
    return SeriesPair(metric=metric, baseline=Series(t=t, v=baseline), canary=Series(t=t_canary, v=canary), **more)


def counts(errors_b, requests_b, errors_c, requests_c, **more):
    sides = [np.asarray(side, dtype=float) for side in (errors_b, requests_b, errors_c, requests_c)]
    series = [Series(t=np.arange(len(side)) * STEP, v=side) for side in sides]
    return SeriesPair(metric="errors", baseline=series[0], baseline_total=series[1], canary=series[2], canary_total=series[3], **more)


def look(number, of, n=40):
    return Window(start=0.0, end=n * STEP, step=STEP, look=number, of=of)


def judged(*pairs, window=None, settings=DEFAULTS, looks=None, min_samples=5, direction=Direction.INCREASE, **metric):
    """Judge pairs of one critical metric, or of several."""
    names = list(dict.fromkeys(one.metric for one in pairs))
    metrics = tuple(MetricConfig(name=name, critical=True, direction=direction, **metric) for name in names)
    config = CanaryConfig(
        name="test",
        metrics=metrics,
        judge="sequential",
        window=WindowConfig(step=STEP),
        looks=LooksConfig() if looks is None else looks,
        min_samples=min_samples,
    )
    return judge_sequential(config, pairs, window=window, settings=settings)
