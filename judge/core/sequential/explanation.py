"""What was found in one metric as a tired person reads it: a plain sentence, then the numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from judge.core import formatting as words
from judge.core.config import MetricConfig
from judge.core.model import Comparison, Decision, MetricResult, Wait
from judge.core.sequential import NAME
from judge.core.sequential.assessment import Assessment, Ground
from judge.core.sequential.budget import Look
from judge.core.sequential.evidence import Evidence, Scaled, fraction
from judge.core.sequential.joint import Joint
from judge.core.sequential.messages import Saying, sentence
from judge.core.sequential.settings import SequentialSettings
from judge.core.statistics.dependence import Posterior, winsorise
from judge.core.statistics.ranks import RankTest, Shift, hodges_lehmann, mann_whitney


def refused(empty: MetricResult, evidence: Evidence) -> MetricResult:
    """Give the result of a pair that cannot be compared."""
    return replace(
        empty,
        classification=evidence.classification,
        reason=evidence.refusal,
        n_baseline=len(evidence.baseline),
        n_canary=len(evidence.canary),
        warnings=(*empty.warnings, *evidence.warnings),
    )


def explained(
    empty: MetricResult,
    metric: MetricConfig,
    evidence: Evidence,
    found: Assessment,
    *,
    look: Look,
    waiting: Wait | None,
    notes: tuple[str, ...],
    settings: SequentialSettings,
) -> MetricResult:
    """Give the result with its sentence and every number behind it."""
    comparison = compare(evidence, metric, found, settings)
    saying = Saying(metric=metric, evidence=evidence, found=found, comparison=comparison, look=look, waiting=waiting, settings=settings)
    return replace(
        empty,
        classification=found.classification,
        reason=sentence(saying),
        n_baseline=len(evidence.baseline),
        n_canary=len(evidence.canary),
        comparison=comparison,
        decision=_decision(found, look),
        wait=waiting,
        suspect=found.suspect,
        warnings=(*empty.warnings, *evidence.warnings, *notes),
    )


def _decision(found: Assessment, look: Look) -> Decision:
    test = found.ground.value if found.ground is not Ground.NONE else Ground.WHOLE.value
    return Decision(test=test, p=found.p, level=found.levels.get(test), look=look.number, of=look.of)


def compare(evidence: Evidence, metric: MetricConfig, found: Assessment, settings: SequentialSettings) -> Comparison | None:
    """Collect the numbers: Mann-Whitney on samples that share no data, and the estimate that decided.

    The interval is at the level of the test that decided; of a metric that is not a
    regression, at the level at which it may pass.
    """
    if evidence.ranked is None or (found.estimate is None and found.ratio is None):
        return None
    # Order means nothing to ranks, and sorted samples are ranked faster.
    canary, baseline = np.sort(evidence.ranked.canary), np.sort(evidence.ranked.baseline)
    ranks = found.ranks if found.ranks is not None else mann_whitney(canary, baseline)
    tail = settings.beta
    if found.ground in {Ground.WHOLE, Ground.RECENT} and found.classification.regressed:
        tail = max(found.levels[found.ground.value] / (2 if metric.direction.value == "either" else 1), 1e-12)
    if found.ratio is not None:
        return _of_counts(evidence, found, ranks, tail)
    assert found.estimate is not None
    assert found.scaled is not None
    shift = hodges_lehmann(canary, baseline, level=1 - 2 * tail, ties=ranks.ties if found.ranks is None else None)
    return _of_values(evidence, found, found.estimate, found.scaled, ranks, shift, tail)


def _of_values(
    evidence: Evidence, found: Assessment, whole: Posterior, scaled: Scaled, ranks: RankTest, shift: Shift, tail: float
) -> Comparison:
    level = 1 - 2 * tail
    recent = found.ground is Ground.RECENT and found.recent is not None
    estimate = found.recent if recent and found.recent is not None else whole
    low, high = estimate.interval(tail)
    known = scaled.logarithmic or scaled.base != 0
    if not known:
        # A share of nothing is nothing: the mean in the metric's own unit says how much.
        shift = Shift(estimate=estimate.mean * scaled.unit, low=low * scaled.unit, high=high * scaled.unit)
    return Comparison(
        method=NAME,
        level=level,
        u=ranks.u,
        pvalue=ranks.pvalue,
        pvalue_directed=found.p,
        effect=ranks.effect,
        shift=shift.estimate,
        shift_low=shift.low,
        shift_high=shift.high,
        change=fraction(estimate.mean, scaled) if known else math.nan,
        change_low=fraction(low, scaled) if known else math.nan,
        change_high=fraction(high, scaled) if known else math.nan,
        n_baseline=len(evidence.baseline),
        n_canary=len(evidence.canary),
        n_effective=_effective(evidence, scaled, whole),
        baseline_value=scaled.base,
        canary_value=_level(evidence, scaled),
    )


def _effective(evidence: Evidence, scaled: Scaled, whole: Posterior) -> int:
    """How many independent samples a side would tell the mean as surely."""
    n = min(len(scaled.canary), len(scaled.baseline))
    if evidence.paired:
        single = float(winsorise(scaled.canary - scaled.baseline).var())
    else:
        single = n * sum(float(winsorise(side).var()) / len(side) for side in (scaled.canary, scaled.baseline))
    mean = whole.deviation**2
    return n if single <= mean * 1e-6 or single >= n * mean else max(int(single / mean), 1)


def _level(evidence: Evidence, scaled: Scaled) -> float:
    mean = float(scaled.canary.mean())
    return math.exp(mean) if scaled.logarithmic else float(evidence.canary.mean())


def _of_counts(evidence: Evidence, found: Assessment, ranks: RankTest, tail: float) -> Comparison:
    recent = found.ground is Ground.RECENT and found.recent_ratio is not None
    ratio = found.recent_ratio if recent and found.recent_ratio is not None else found.ratio
    assert ratio is not None
    assert evidence.ranked is not None
    low, high = ratio.interval(tail)
    base, difference = ratio.baseline, ratio.canary - ratio.baseline
    return Comparison(
        method=NAME,
        level=1 - 2 * tail,
        u=ranks.u,
        pvalue=ranks.pvalue,
        pvalue_directed=found.p,
        effect=ranks.effect,
        shift=difference,
        shift_low=low,
        shift_high=high,
        change=difference / base if base else math.nan,
        change_low=low / base if base else math.nan,
        change_high=high / base if base else math.nan,
        n_baseline=len(evidence.baseline),
        n_canary=len(evidence.canary),
        n_effective=max(int(min(len(evidence.baseline), len(evidence.canary)) / ratio.counts.dispersion), 1),
        baseline_value=base,
        canary_value=ratio.canary,
        counts=ratio.counts,
    )


def jointly(found: Joint) -> str:
    """Say what all metrics show together."""
    many = "more than what is tolerated" if found.p_beyond <= found.level else "though none of them alone beyond what is tolerated"
    return (
        f"{found.worse} of {found.metrics} metrics are worse, by {words.percent(found.change, sign=True)} on average: "
        f"together more than chance explains ({words.p_value(found.p_noted)}), {many}"
    )
