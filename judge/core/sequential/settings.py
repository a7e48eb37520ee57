"""What the sequential judge may be told, with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from judge.core.config import CanaryConfig


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialSettings:
    """Error budgets, switches and the least there must be to decide.

    `alpha` is the chance, over all looks and metrics, of failing a canary that is
    worse by exactly what is tolerated; `beta` that of passing one metric that is
    worse by exactly `notice`. `critical_share` of alpha goes to the critical
    metrics where there are both kinds. The weights share one metric's budget among
    its tests; a test that is switched off leaves its share to the others.
    An undecided metric is `suspect` where a change of `notice` has more than this probability.
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
