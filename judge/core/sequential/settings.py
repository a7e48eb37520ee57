"""What the sequential judge may be told, with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class SequentialSettings:
    """Error budgets, switches and the least there must be to decide.

    `alpha` is the chance, over all looks and metrics, of failing a canary that is
    worse by exactly what is tolerated; `beta` that of passing one metric that is
    worse by exactly `notice`. `critical_share` of alpha goes to the critical
    metrics where there are both kinds. The weights share one metric's budget among
    its tests; a test that is switched off leaves its share to the others.
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
    critical_share: float = 0.65
    joint_share: float = 0.04
    whole_weight: float = 0.50
    recent_weight: float = 0.35
    tail_weight: float = 0.08
    spread_weight: float = 0.07
    spending_power: float = 2.5
    min_batches: int = 8
    min_effective: float = 6.0
    min_shape_samples: int = 15
    most_batches: int = 30
    agreement: float = 0.05
    suspicion: float = 0.01
    healing: float = 0.005
    spike_deviations: float = 4.5
    spike_notices: float = 2.0
    spike_rarity: float = 0.0125
    spread_accepted: float = 2.0
    joint_accepted: float = 0.5
    explain: bool = True


DEFAULTS = SequentialSettings()
