"""Ratios of counts compared as the counts they are, over-dispersion and dependence corrected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from judge.core.config import Direction, Margin, MetricConfig
from judge.core.model import Counts, Floats
from judge.core.sequential.evidence import Evidence
from judge.core.sequential.settings import SequentialSettings
from judge.core.statistics.counts import newcombe, ratio_exceeds
from judge.core.statistics.dependence import batch_length, batch_means, mean_of

_NONE = 1e-9
"""Fewer requests than this are none, whatever a query has divided them by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """Counts of both sides and the one-sided p of a change beyond tolerance, up and down (1 where not asked)."""

    counts: Counts
    up: float
    down: float
    batches: int

    @property
    def baseline(self) -> float:
        """The baseline's proportion."""
        return self.counts.baseline_events / self.counts.baseline_total

    @property
    def canary(self) -> float:
        """The canary's proportion."""
        return self.counts.canary_events / self.counts.canary_total

    def amount(self, margin: Margin) -> float:
        """A margin as a difference of proportions, by the rarer outcome of the baseline."""
        return margin.amount(min(self.baseline, 1 - self.baseline))

    def interval(self, tail: float) -> tuple[float, float]:
        """Difference canary minus baseline, with `tail` on each side."""
        c, v = self.counts, self.counts.dispersion
        return newcombe(c.canary_events / v, c.canary_total / v, c.baseline_events / v, c.baseline_total / v, level=1 - 2 * tail)


def compare_counts(evidence: Evidence, metric: MetricConfig, settings: SequentialSettings, *, first: float = 0.0) -> Ratio | None:
    """Compare the counts from the share `first` of the canary's window on; None where a side has no requests.

    Where most requests count as events (a success ratio) the rarer outcome is compared, so
    that successes and errors are judged alike.
    """
    assert evidence.canary_events is not None
    assert evidence.canary_total is not None
    assert evidence.baseline_events is not None
    assert evidence.baseline_total is not None
    begin = int(len(evidence.canary_total) * first)
    other = begin if evidence.paired else 0
    e_c, n_c = evidence.canary_events[begin:], evidence.canary_total[begin:]
    e_b, n_b = evidence.baseline_events[other:], evidence.baseline_total[other:]
    # Where samples overlap every request is in `stride` of them.
    sums = tuple(float(column.sum()) / evidence.stride for column in (e_c, n_c, e_b, n_b))
    if min(sums[1], sums[3]) < _NONE:
        return None
    vif, batches = _inflation(evidence, settings, (e_c, n_c, e_b, n_b))
    counts = Counts(canary_events=sums[0], canary_total=sums[1], baseline_events=sums[2], baseline_total=sums[3], dispersion=vif)
    common = (sums[0] + sums[2]) / (sums[1] + sums[3])
    rate_c, rate_b = sums[0] / sums[1], sums[2] / sums[3]
    ec, nc, eb, nb = (value / vif for value in sums)
    flipped = common > 0.5
    if flipped:
        ec, eb = max(nc - ec, 0.0), max(nb - eb, 0.0)
    more, less = rate_c - rate_b > metric.tolerance.absolute, rate_b - rate_c > metric.tolerance.absolute
    rising, falling = (less, more) if flipped else (more, less)
    p_rise = ratio_exceeds(ec, nc, eb, nb, ratio=1 + metric.tolerance.relative) if rising else 1.0
    p_fall = ratio_exceeds(eb, nb, ec, nc, ratio=1 / max(1 - metric.tolerance.relative, 1e-9)) if falling else 1.0
    up, down = (p_fall, p_rise) if flipped else (p_rise, p_fall)
    return Ratio(
        counts=counts,
        up=up if metric.direction is not Direction.DECREASE else 1.0,
        down=down if metric.direction is not Direction.INCREASE else 1.0,
        batches=batches,
    )


def _inflation(evidence: Evidence, settings: SequentialSettings, columns: tuple[Floats, Floats, Floats, Floats]) -> tuple[float, int]:
    """Variance of the difference of proportions over what independent requests would have, at least 1."""
    e_c, n_c, e_b, n_b = columns
    rate_c, rate_b = float(e_c.sum() / n_c.sum()), float(e_b.sum() / n_b.sum())
    part_c = (e_c - rate_c * n_c) / float(n_c.sum())
    part_b = (e_b - rate_b * n_b) / float(n_b.sum())
    expected = evidence.stride * (rate_c * (1 - rate_c) / float(n_c.sum()) + rate_b * (1 - rate_b) / float(n_b.sum()))

    def long_run(parts: Floats) -> tuple[float, int]:
        length = batch_length(len(parts), stride=evidence.stride, most=settings.most_batches)
        means = batch_means(parts, length=length)
        return (float((mean_of(means).deviation * len(parts)) ** 2) if len(means) >= 3 else float(np.square(parts).sum())), len(means)

    if evidence.paired:
        variance, batches = long_run(part_c - part_b)
    else:
        (one, few), (two, many) = long_run(part_c), long_run(part_b)
        variance, batches = one + two, min(few, many)
    return (max(1.0, variance / expected) if expected > 0 else 1.0), batches
