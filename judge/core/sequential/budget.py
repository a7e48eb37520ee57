r"""The rollout's error budget: which level each test of each metric has at this look.

One critical metric fails a rollout alone, so the critical ones share their part
equally (Bonferroni). The others fail it only where at least k of them regress, so
each may be tested at k times an equal share ([1]_, theorem 2.1, which asks nothing
of the dependence between metrics).

References
----------
.. [1] E. L. Lehmann, J. P. Romano, "Generalizations of the familywise error rate",
   Ann. Stat. 33 (2005) 1138-1154.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from judge.core.config import CanaryConfig, MetricConfig
from judge.core.model import Window
from judge.core.sequential.settings import SequentialSettings
from judge.core.statistics.looks import levels


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Which look this is; `beyond` where the plan has no such look."""

    number: int
    of: int

    @property
    def beyond(self) -> bool:
        """The whole budget was planned for earlier looks."""
        return self.number > self.of

    def level(self, alpha: float, power: float) -> float:
        """One-sided level of a test with this budget at this look; 0 beyond the plan."""
        if self.beyond or alpha <= 0:
            return 0.0
        return levels(self.of, alpha, power)[max(self.number, 1) - 1]

    def __str__(self) -> str:
        """``look 3 of 20``, nothing where there is but one."""
        return "" if self.of <= 1 else f"look {self.number} of {self.of}"


def look_of(config: CanaryConfig, window: Window | None) -> Look:
    """Number the look; without a window it is taken for the last one planned."""
    if window is None:
        planned = max(config.looks.count, 1)
        return Look(number=planned, of=planned)
    return Look(number=max(window.look, 1), of=max(window.of, 1))


def by_the_clock(config: CanaryConfig, window: Window | None) -> int | None:
    """Number the look by the time it covers, where the plan has an interval."""
    if window is None or config.looks.interval is None or config.looks.interval <= 0:
        return None
    return int((window.end - window.start) / config.looks.interval + 1e-6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets:
    """Budget of one critical and of one other metric, and of all metrics taken together."""

    critical: float
    other: float
    joint: float

    def of(self, metric: MetricConfig) -> float:
        """The budget of this metric."""
        return self.critical if metric.critical else self.other


def share_out(metrics: Sequence[MetricConfig], weights: Sequence[float], *, marginal: float, settings: SequentialSettings) -> Budgets:
    """Split the rollout's budget.

    Parameters
    ----------
    metrics : sequence of MetricConfig
        One for each pair that is compared (limits are not).
    weights : sequence of float
        Their shares of 100.
    marginal : float
        The score below which a canary fails.
    """
    joint = settings.alpha * settings.joint_share if settings.joint else 0.0
    left = settings.alpha - joint
    others = [weight for metric, weight in zip(metrics, weights, strict=True) if not metric.critical]
    critical = len(metrics) - len(others)
    for_critical = left * (settings.critical_share if others else 1.0) if critical else 0.0
    for_others = left - for_critical
    return Budgets(
        critical=for_critical / critical if critical else 0.0,
        other=min(fewest_to_fail(others, marginal) / len(others), 1.0) * for_others if others else 0.0,
        joint=joint,
    )


def fewest_to_fail(weights: Sequence[float], marginal: float) -> int:
    """How many metrics, the heaviest first, must regress for the score to fall below `marginal`.

    Examples
    --------
    >>> fewest_to_fail([10.0] * 10, 75.0), fewest_to_fail([60.0, 40.0], 75.0)
    (3, 1)
    """
    lost = 0.0
    for count, weight in enumerate(sorted(weights, reverse=True), start=1):
        lost += weight
        if 100 - lost < marginal - 1e-9:
            return count
    return max(len(weights), 1)


def split(budget: float, settings: SequentialSettings, *, name: str, counted: bool) -> dict[str, float]:
    """Share a metric's budget among the tests it gets: whole, recent, tail, spread."""
    off = settings.off.get(name, frozenset())
    wanted = {"whole": settings.whole_weight}
    if settings.recent and "recent" not in off:
        wanted["recent"] = settings.recent_weight
    if not counted:
        if settings.tail and "tail" not in off:
            wanted["tail"] = settings.tail_weight
        if settings.spread and "spread" not in off:
            wanted["spread"] = settings.spread_weight
    total = sum(wanted.values())
    return {test: budget * weight / total for test, weight in wanted.items()}
