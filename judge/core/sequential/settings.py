"""What the sequential judge may be told, with its defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from judge.core.config import CanaryConfig
from judge.core.model import SeriesPair, Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialSettings:
    """Error budgets, switches and the least there must be to decide.

    `alpha` is the chance, over all looks and metrics, of failing a canary that is
    worse by exactly what is tolerated; `beta` that of passing one metric that is
    worse by exactly `must_detect`. `critical_share` of alpha goes to the critical
    metrics where there are both kinds. The weights share one metric's budget among
    its tests; a test that is switched off leaves its share to the others.
    `wider` is how many times as widely as its baseline a healthy canary may swing, since it has fewer requests.
    An undecided metric is `suspect` where a change of `must_detect` has more than this probability.
    `explain` may be switched off where only the verdicts count (a simulation): the
    decisions are the same, without sentences and intervals. `off` names tests to switch off for single metrics (``{"cpu": {"tail"}}``).
    """

    alpha: float = 0.05
    beta: float = 0.05
    recent: bool = True
    tail: bool = True
    spread: bool = True
    joint: bool = True
    off: Mapping[str, frozenset[str]] = field(default_factory=dict)
    critical_share: float = 0.75
    joint_share: float = 0.04
    whole_weight: float = 0.55
    recent_weight: float = 0.28
    tail_weight: float = 0.07
    spread_weight: float = 0.10
    spending_power: float = 2.2
    min_batches: int = 8
    min_effective: float = 6.0
    enough_samples: float = 30.0
    min_shape_samples: int = 15
    most_batches: int = 30
    agreement: float = 0.05
    suspicion: float = 0.01
    suspect: float = 0.9
    healing: float = 0.005
    spike_deviations: float = 4.5
    spike_notices: float = 2.0
    spike_rarity: float = 0.0125
    spread_accepted: float = 1.5
    wider: float = 1.0
    joint_accepted: float = 0.5
    explain: bool = True


DEFAULTS = SequentialSettings()


def settings_of(config: CanaryConfig) -> SequentialSettings:
    """What a config says of the error budget and of the tests that are not made.

    Examples
    --------
    >>> from judge.core.config import MetricConfig
    >>> config = CanaryConfig(name="c", metrics=(MetricConfig(name="m", off=frozenset({"tail"})),), alpha=0.01)
    >>> found = settings_of(config)
    >>> found.alpha, dict(found.off)
    (0.01, {'m': frozenset({'tail'})})
    """
    off = {metric.name: metric.off for metric in config.metrics if metric.off}
    return replace(DEFAULTS, alpha=config.alpha, joint=config.joint, off=off)


def for_requests(settings: SequentialSettings, sizes: tuple[float, float] | None) -> SequentialSettings:
    """Expect a canary with fewer requests than its baseline to swing more widely.

    A mean, a share or a quantile of independent requests varies by one over the root of their number, and what is averaged over pods
    by one over the root of theirs. Without this a healthy canary with a twelfth of the requests is failed for its spread half of the time.

    Parameters
    ----------
    settings : SequentialSettings
    sizes : tuple of float, optional
        Requests of baseline and canary, as `requests_of` tells them.

    Examples
    --------
    >>> for_requests(DEFAULTS, (9000.0, 1000.0)).wider
    3.0
    >>> for_requests(DEFAULTS, (1000.0, 9000.0)).wider, for_requests(DEFAULTS, None).wider
    (1.0, 1.0)
    """
    if sizes is None:
        return settings
    baseline, canary = sizes
    ratio = baseline / canary
    return replace(settings, wider=math.sqrt(ratio)) if math.isfinite(ratio) and ratio > 1 else settings


def requests_of(traffic: Traffic | None, pairs: Sequence[SeriesPair] = ()) -> tuple[float, float] | None:
    """Requests of baseline and canary, where they are known: by the traffic, else by a ratio of counts.

    Examples
    --------
    >>> requests_of(Traffic(baseline=9000.0, canary=1000.0)), requests_of(None)
    ((9000.0, 1000.0), None)
    """
    sides = (None, None) if traffic is None else (traffic.baseline, traffic.canary)
    baseline, canary = sides if sides[0] and sides[1] else _totals(pairs)
    return (baseline, canary) if baseline and canary else None


def _totals(pairs: Sequence[SeriesPair]) -> tuple[float, float]:
    """Requests on both sides by the ratio of counts that covers most of them; nothing where there is none."""
    found = [
        (float(np.nansum(pair.baseline_total.v)), float(np.nansum(pair.canary_total.v)))
        for pair in pairs
        if pair.baseline_total is not None and pair.canary_total is not None
    ]
    return max(found, key=sum, default=(0.0, 0.0))
