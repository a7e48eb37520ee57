"""The sequential judge. Read this first.

    pairs -> evidence -> assessment (levels from the budget) -> result with its sentence -> scoring -> verdict

`judge_sequential` is pure: the same pairs, config and window give the same verdict,
always; a question asked again spends nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from judge.core import formatting as words
from judge.core.classification import blank_result, classify
from judge.core.config import CanaryConfig, MetricConfig
from judge.core.coverage import complete, hold_back, missing_side, source_trouble
from judge.core.model import MetricResult, Outcome, SeriesPair, Traffic, Verdict, Wait, Window
from judge.core.scoring import decide, too_little_traffic, weigh
from judge.core.sequential import baseline_checks as fairness
from judge.core.sequential import explanation
from judge.core.sequential.assessment import Ground, assess
from judge.core.sequential.budget import look_of, share_out
from judge.core.sequential.evidence import Evidence, gather
from judge.core.sequential.joint import Joint, together
from judge.core.sequential.power import wait
from judge.core.sequential.settings import SequentialSettings, for_requests, requests_of, settings_of


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Case:
    """One pair on its way: `result` where it is settled without statistics."""

    metric: MetricConfig
    blank: MetricResult
    evidence: Evidence | None = None
    result: MetricResult | None = None


def judge_sequential(
    config: CanaryConfig,
    pairs: Sequence[SeriesPair],
    *,
    traffic: Traffic | None = None,
    window: Window | None = None,
    warnings: Sequence[str] = (),
    settings: SequentialSettings | None = None,
) -> Verdict:
    """Judge a canary against its baseline at one of several planned looks.

    The parameters are those of `judge.core.canary.judge_canary`. `settings` replaces what the config says.
    A pair's series reach from the canary's start to this look.
    """
    sizes = requests_of(traffic, pairs)
    settings = for_requests(settings_of(config) if settings is None else settings, sizes)
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
    results, waits, parts, swinging = [], [], [], []
    for case in cases:
        if case.result is not None or case.evidence is None:
            results.append(case.result if case.result is not None else case.blank)
            continue
        found = assess(case.evidence, case.metric, look, budgets.of(case.metric), settings)
        parts.append((case.evidence, case.metric, found.scaled))
        if found.ground in {Ground.TAIL, Ground.SPREAD} and found.classification.regressed:
            swinging.append(case.metric.name)
        if not settings.explain:
            results.append(replace(case.blank, classification=found.classification, reason=found.ground.value, suspect=found.suspect))
            continue
        waiting = wait(case.evidence, case.metric, found, settings)
        if waiting is not None:
            waits.append((case.metric.name, waiting))
        notes = fairness.of_the_samples(case.evidence, case.metric, found.scaled)
        results.append(
            explanation.explained(case.blank, case.metric, case.evidence, found, look=look, waiting=waiting, notes=notes, settings=settings)
        )
    unfair = [*fairness.of_the_plan(config, window, look), *fairness.of_the_labels(ordered), *fairness.of_the_traffic(traffic)]
    unfair += fairness.of_the_swings(swinging, sizes)
    results = hold_back(results, ordered, window)
    verdict = decide(results, config, traffic=traffic, source_trouble=source_trouble(pairs), warnings=(*warnings, *unfair))
    if settings.joint and not too_little_traffic(config, traffic) and not source_trouble(pairs):
        level = look.level(budgets.joint, settings.spending_power)
        verdict = _with_joint(verdict, config, together(parts, settings, level=level))
    return _with_wait(verdict, waits)


def _prepare(pair: SeriesPair, metric: MetricConfig, config: CanaryConfig) -> _Case:
    """Settle what needs no statistics the way every judge does; else gather the evidence."""
    blank = blank_result(pair, metric)
    asked_twice = bool(pair.queries) and pair.queries.get("baseline") == pair.queries.get("canary")
    if pair.problem is not None or metric.limit is not None or missing_side(pair) or asked_twice:
        settled = classify(pair, metric, config)
        return _Case(metric=metric, blank=blank, result=settled)
    evidence = gather(pair, rate_window=metric.rate_window, step=config.window.step)
    needed = metric.min_samples if metric.min_samples is not None else config.min_samples
    if evidence.ranked is not None:
        n_canary, n_baseline = len(evidence.ranked.canary), len(evidence.ranked.baseline)
        few, side = min((n_canary, "canary"), (n_baseline, "baseline"), key=lambda count: count[0])
        if few < max(needed, 2):
            refusal = f"{few} independent {side} sample{'' if few == 1 else 's'}, at least {max(needed, 2)} are needed"
            if evidence.stride > 1:
                refusal += f" ({evidence.stride} consecutive samples share data, so {len(evidence.canary)} are but {n_canary})"
            evidence = replace(evidence, refusal=refusal, ranked=None)
    if evidence.refusal:
        return _Case(metric=metric, blank=blank, evidence=evidence, result=explanation.refused(blank, evidence))
    return _Case(metric=metric, blank=blank, evidence=evidence)


def _weights(cases: Sequence[_Case], config: CanaryConfig) -> list[float]:
    """Weight of every case, as scoring will set it."""
    return [result.weight for result in weigh([case.blank for case in cases], config.groups)]


def _with_joint(verdict: Verdict, config: CanaryConfig, found: Joint | None) -> Verdict:
    """Keep a canary from passing that is a little worse in everything; fail it where that is more than tolerated."""
    if found is None or found.level <= 0 or found.p_noted > found.level or verdict.outcome in {Outcome.FAIL, Outcome.ERROR}:
        return verdict
    said = explanation.jointly(found)
    if found.p_beyond <= found.level:
        score = max(min(verdict.score, config.score.marginal - 0.01), 0.0)
        return replace(verdict, outcome=Outcome.FAIL, score=score, reason=said)
    if verdict.outcome is not Outcome.PASS:
        return replace(verdict, warnings=(*verdict.warnings, said))
    below = max(config.score.passing - 0.01, config.score.marginal)
    reason = f"{said} (score {words.number(below)} < {words.number(config.score.passing)})"
    return replace(verdict, outcome=Outcome.MARGINAL, score=min(verdict.score, below), reason=reason)


def _with_wait(verdict: Verdict, waits: Sequence[tuple[str, Wait]]) -> Verdict:
    """Tell when the last undecided metric should be decided, and say it of an inconclusive canary."""
    hopeful = [(name, waiting) for name, waiting in waits if not waiting.hopeless]
    if not hopeful:
        return verdict
    name, latest = max(hopeful, key=lambda item: item[1].seconds)
    verdict = replace(verdict, decided_in=latest.seconds)
    if verdict.outcome is not Outcome.INCONCLUSIVE:
        return verdict
    said = f"at the present rate the last undecided metric ({name}) should be decided in {words.duration(latest.seconds)}"
    hopeless = len(waits) - len(hopeful)
    if hopeless:
        said += f"; {hopeless} more will hardly be decided by waiting"
    return replace(verdict, warnings=(*verdict.warnings, said))
