"""The sequential judge. Read this first.

    pairs -> evidence -> assessment (levels from the budget) -> result with its sentence -> scoring -> verdict

`judge_sequential` is pure: the same pairs, config and window give the same verdict,
always; a question asked again spends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from judge.core import words
from judge.core.classification import classify
from judge.core.config import CanaryConfig, MetricConfig
from judge.core.methods import METHODS
from judge.core.model import Classification, MetricResult, Outcome, SeriesPair, Traffic, Verdict, Window
from judge.core.presence import complete, missing_side, source_trouble
from judge.core.scoring import decide, weigh
from judge.core.sequential import explanation, fairness
from judge.core.sequential.assessment import assess
from judge.core.sequential.budget import Look, look_of, share_out
from judge.core.sequential.evidence import Evidence, gather
from judge.core.sequential.joint import Joint, together
from judge.core.sequential.settings import DEFAULTS, SequentialSettings

NAME = "sequential"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Case:
    """One pair on its way: `result` where it is settled without statistics."""

    pair: SeriesPair
    metric: MetricConfig
    evidence: Evidence | None = None
    result: MetricResult | None = None


def judge_sequential(
    config: CanaryConfig,
    pairs: Sequence[SeriesPair],
    *,
    traffic: Traffic | None = None,
    window: Window | None = None,
    warnings: Sequence[str] = (),
    settings: SequentialSettings = DEFAULTS,
) -> Verdict:
    """Judge a canary against its baseline at one of several planned looks.

    Parameters
    ----------
    config : CanaryConfig
        Every pair's metric must be one of its metrics. A metric without a pair
        counts as `nodata`.
    pairs : sequence of SeriesPair
        Both sides of each metric, one pair for each label set, from the canary's
        start to this look.
    traffic : Traffic, optional
        Requests on both sides; needed where the config asks for a minimum.
    window : Window, optional
        Which look this is, of how many; without it this is the last one of the
        config's plan.
    warnings : sequence of str
        What the reader of the verdict should know besides.
    settings : SequentialSettings

    Returns
    -------
    Verdict
        Never raises for bad data: a metric that cannot be judged is a result.

    Raises
    ------
    KeyError
        Where a pair's metric is not in the config.

    Examples
    --------
    >>> import numpy as np
    >>> from judge.core.config import MetricConfig
    >>> from judge.core.model import Series
    >>> t = np.arange(40) * 15.0
    >>> slow = SeriesPair(
    ...     metric="latency",
    ...     baseline=Series(t=t, v=100 + 5 * np.sin(7 * t)),
    ...     canary=Series(t=t, v=130 + 5 * np.cos(5 * t)),
    ... )
    >>> config = CanaryConfig(name="doc", metrics=(MetricConfig(name="latency", critical=True),), judge="sequential")
    >>> verdict = judge_sequential(config, [slow])
    >>> verdict.outcome.value, verdict.score, verdict.results[0].classification.value
    ('fail', 0.0, 'high')
    """
    metrics = {metric.name: metric for metric in config.metrics}
    ordered = complete(config, pairs)
    look = look_of(config, window)
    cases = [_prepare(pair, metrics[pair.metric], config) for pair in ordered]
    compared = [case for case in cases if case.result is None]
    weights = _weights(cases, config)
    budgets = share_out(
        [case.metric for case in compared],
        [weight for case, weight in zip(cases, weights, strict=True) if case.result is None],
        marginal=config.score.marginal,
        settings=settings,
    )
    results = []
    for case in cases:
        if case.result is not None:
            results.append(case.result)
            continue
        assert case.evidence is not None
        found = assess(case.evidence, case.metric, look, budgets.of(case.metric), settings)
        results.append(explanation.result(case.pair, case.metric, case.evidence, found, look, settings))
    verdict = decide(
        results,
        config,
        traffic=traffic,
        source_trouble=source_trouble(pairs),
        warnings=(*warnings, *fairness.warnings(config, ordered, window, look)),
    )
    if settings.joint:
        parts = [(case.evidence, case.metric) for case in compared if case.evidence is not None]
        verdict = _with_joint(verdict, config, together(parts, settings), look, budgets.joint, settings)
    return verdict


def _prepare(pair: SeriesPair, metric: MetricConfig, config: CanaryConfig) -> _Case:
    """Settle what needs no statistics the way every judge does; else gather the evidence."""
    asked_twice = bool(pair.queries) and pair.queries.get("baseline") == pair.queries.get("canary")
    if pair.problem is not None or metric.limit is not None or missing_side(pair) or asked_twice:
        return _Case(pair=pair, metric=metric, result=classify(pair, metric, config, METHODS["mann-whitney"]))
    evidence = gather(pair, rate_window=metric.rate_window, step=config.window.step)
    needed = metric.min_samples if metric.min_samples is not None else config.min_samples
    if evidence.ranked is not None:
        few = min(len(evidence.ranked.canary), len(evidence.ranked.baseline))
        if few < needed:
            side = "canary" if len(evidence.ranked.canary) <= len(evidence.ranked.baseline) else "baseline"
            evidence = replace(
                evidence,
                refusal=f"{few} independent {side} sample{'' if few == 1 else 's'}, at least {needed} are needed",
                ranked=None,
            )
    if evidence.refusal:
        return _Case(pair=pair, metric=metric, evidence=evidence, result=explanation.refused(pair, metric, evidence))
    return _Case(pair=pair, metric=metric, evidence=evidence)


def _weights(cases: Sequence[_Case], config: CanaryConfig) -> list[float]:
    """Weight of every case, as scoring will set it."""
    placeholders = [explanation.blank(case.pair, case.metric) for case in cases]
    return [result.weight for result in weigh(placeholders, config.groups)]


def _with_joint(
    verdict: Verdict, config: CanaryConfig, found: Joint | None, look: Look, budget: float, settings: SequentialSettings
) -> Verdict:
    """Keep a canary from passing that is a little worse in everything."""
    if found is None or verdict.outcome in {Outcome.FAIL, Outcome.ERROR}:
        return verdict
    level = look.level(budget, settings.spending_power)
    if found.p_noted > level:
        return verdict
    said = explanation.jointly(found)
    if found.p_beyond <= level:
        return replace(verdict, outcome=Outcome.FAIL, score=min(verdict.score, config.score.marginal - 0.01), reason=said)
    if verdict.outcome is not Outcome.PASS:
        return replace(verdict, warnings=(*verdict.warnings, said))
    below = max(config.score.passing - 0.01, config.score.marginal)
    reason = f"{said} (score {words.number(below)} < {words.number(config.score.passing)})"
    return replace(verdict, outcome=Outcome.MARGINAL, score=min(verdict.score, below), reason=reason)


__all__ = ["NAME", "Classification", "judge_sequential"]
