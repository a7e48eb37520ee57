"""Metrics become groups, groups a score, the score a verdict.

Three rules keep the score honest: what was not decided never counts as passed; a
critical metric that regressed fails alone; and the score never says more than
the verdict (an inconclusive canary scores between `marginal` and `pass`), so that
a template which reads only the score is not misled either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from judge.core import formatting as words
from judge.core.config import CanaryConfig, ScoreThresholds
from judge.core.model import Classification, GroupScore, MetricResult, Outcome, Traffic, Verdict

_JUST_BELOW = 0.01
_HALF = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shares:
    """Weight of each kind of result; they add up to 100."""

    passed: float
    regressed: float
    open: float
    error: float

    @property
    def score(self) -> float:
        """Share of the decided weight that passed."""
        decided = self.passed + self.regressed
        return 100 * self.passed / decided if decided else 0.0


def weigh(results: Sequence[MetricResult], groups: Mapping[str, float]) -> tuple[MetricResult, ...]:
    """Give every result its share of 100: the group's weight, split evenly within the group.

    Without `groups` every group that has results weighs the same.
    """
    members: dict[str, int] = {}
    for result in results:
        members[result.group] = members.get(result.group, 0) + 1
    weights = {name: groups.get(name, 0.0) if groups else 1.0 for name in members}
    total = sum(weights.values())
    if total <= 0:
        weights, total = dict.fromkeys(members, 1.0), float(len(members))
    return tuple(replace(result, weight=100 * weights[result.group] / total / members[result.group]) for result in results)


def score_groups(results: Sequence[MetricResult]) -> tuple[GroupScore, ...]:
    """Score each group, in the order of first appearance."""
    scores = []
    for name in dict.fromkeys(result.group for result in results):
        inside = [result for result in results if result.group == name]
        scores.append(GroupScore(name=name, weight=sum(r.weight for r in inside), score=_shares(inside).score))
    return tuple(scores)


def _shares(results: Sequence[MetricResult]) -> _Shares:
    def share(*kinds: Classification) -> float:
        return sum(result.weight for result in results if result.classification in kinds)

    return _Shares(
        passed=share(Classification.PASS),
        regressed=share(Classification.HIGH, Classification.LOW),
        open=share(Classification.UNDECIDED, Classification.NODATA),
        error=share(Classification.ERROR),
    )


def decide(
    results: Sequence[MetricResult],
    config: CanaryConfig,
    *,
    traffic: Traffic | None = None,
    source_trouble: str = "",
    warnings: tuple[str, ...] = (),
) -> Verdict:
    """Decide the canary; the first rule that applies gives the reason.

    `source_trouble` says, where it is not empty, that some series could not be
    fetched: then nothing can pass.
    """
    weighed = weigh(results, config.groups)
    outcome, score, reason = _rule(weighed, config, traffic, source_trouble)
    return Verdict(
        outcome=outcome,
        score=agree(round(score, 2), outcome, config.score),
        reason=reason,
        judge=config.judge,
        results=weighed,
        groups=score_groups(weighed),
        warnings=warnings,
    )


def agree(score: float, outcome: Outcome, thresholds: ScoreThresholds) -> float:
    """Keep a score that is not a verdict's own out of the pass and fail ranges."""
    if outcome not in {Outcome.INCONCLUSIVE, Outcome.ERROR}:
        return score
    below = max(thresholds.passing - _JUST_BELOW, 0.0)
    return min(max(score, min(thresholds.marginal, below)), below)


def _rule(
    results: tuple[MetricResult, ...], config: CanaryConfig, traffic: Traffic | None, source_trouble: str
) -> tuple[Outcome, float, str]:
    shares = _shares(results)
    few = too_little_traffic(config, traffic)
    if few:
        return Outcome.INCONCLUSIVE, shares.score, few
    critical = next((r for r in results if r.critical and r.classification.regressed), None)
    if critical is not None:
        return Outcome.FAIL, 0.0, f"critical {critical.title}: {critical.reason}"
    worst = max((r for r in results if r.classification.regressed), key=_gravity, default=None)
    if worst is not None and 100 - shares.regressed < config.score.marginal:
        best = words.number(100 - shares.regressed)
        return Outcome.FAIL, shares.score, f"{worst.title}: {worst.reason} (score at best {best} < {words.number(config.score.marginal)})"
    stopped = _not_decided(results, shares, source_trouble)
    if stopped is not None:
        return stopped[0], shares.score, stopped[1]
    score = round(shares.score, 2)
    decided = [r for r in results if r.classification is Classification.PASS or r.classification.regressed]
    passed = sum(r.classification is Classification.PASS for r in decided)
    if score >= config.score.passing:
        doubt = _doubt(results, shares, config)
        if doubt:
            return Outcome.INCONCLUSIVE, score, doubt
        open_words = "" if passed == len(results) else f", {len(results) - passed} not passed"
        return Outcome.PASS, score, f"{passed} of {len(results)} metrics within what is accepted{open_words}; score {words.number(score)}"
    if score >= config.score.marginal and worst is not None:
        return (
            Outcome.MARGINAL,
            score,
            f"{worst.title}: {worst.reason} (score {words.number(score)} < {words.number(config.score.passing)})",
        )
    # The decided part alone scores too low, but what is still open could lift it.
    return (
        Outcome.INCONCLUSIVE,
        score,
        f"score {words.number(score)} of the decided metrics, {words.number(shares.open)}% of the weight is open",
    )


def _doubt(results: tuple[MetricResult, ...], shares: _Shares, config: CanaryConfig) -> str:
    """Say which metric that is not decided, or not known, looks too bad for a pass, or nothing.

    Where the canary would not fail even if all of them had regressed, they may stay open.
    """
    suspects = [result for result in results if result.suspect]
    if not suspects:
        return ""
    weight = sum(result.weight for result in suspects)
    worst = 100 * shares.passed / (shares.passed + shares.regressed + weight)
    if worst >= config.score.marginal:
        return ""
    first = max(suspects, key=_gravity)
    known, if_so = ("not known", "is worse") if first.unheard else ("not decided and looks worse than what must not slip through", "is")
    return (
        f"{first.title} is {known} "
        f"(score {words.number(round(worst, 2))} < {words.number(config.score.marginal)} if it {if_so}): {first.reason}"
    )


def _not_decided(results: tuple[MetricResult, ...], shares: _Shares, source_trouble: str) -> tuple[Outcome, str] | None:
    """Say why nothing may pass, or nothing."""
    if not results:
        return Outcome.ERROR, "there is no metric to judge"
    broken = [r for r in results if r.classification is Classification.ERROR]
    if any(r.critical for r in broken) or shares.error > _HALF:
        first = next((r for r in broken if r.critical), broken[0])
        return Outcome.ERROR, f"{first.title}: {first.reason}"
    if source_trouble:
        return Outcome.INCONCLUSIVE, source_trouble
    if broken:
        return Outcome.INCONCLUSIVE, f"{broken[0].title} could not be judged: {broken[0].reason}"
    undecided = next((r for r in results if r.critical and r.classification is not Classification.PASS), None)
    if undecided is not None:
        return Outcome.INCONCLUSIVE, f"critical {undecided.title} is {undecided.classification.value}: {undecided.reason}"
    if shares.open > _HALF:
        first = max((r for r in results if r.classification is not Classification.PASS), key=_gravity)
        return Outcome.INCONCLUSIVE, f"{words.number(shares.open)}% of the weight is not decided; {first.title}: {first.reason}"
    return None


def _gravity(result: MetricResult) -> tuple[float, float, float]:
    """What makes one result rather than another the reason: weight, then evidence, then how far it moved."""
    found = result.comparison
    if found is None:
        # A limit that was broken is certain; of what has no samples nothing is known.
        return (result.weight, 0.0, math.inf) if result.classification.regressed else (result.weight, -1.0, 0.0)
    evidence = -found.pvalue_directed if math.isfinite(found.pvalue_directed) else -1.0
    return result.weight, evidence, math.inf if math.isnan(found.change) else abs(found.change)


def too_little_traffic(config: CanaryConfig, traffic: Traffic | None) -> str:
    """Say that there were fewer requests than the config asks for, or nothing."""
    if config.traffic is None:
        return ""
    if traffic is None or traffic.problem:
        return f"traffic is unknown: {'not asked' if traffic is None else traffic.problem}"
    for side, requests in (("canary", traffic.canary), ("baseline", traffic.baseline)):
        seen = 0.0 if requests is None else requests
        if not math.isfinite(seen):
            return f"traffic is unknown: the requests of the {side} are {seen:g}, which is no number of requests"
        if seen < config.traffic.min_requests:
            needed = words.count(config.traffic.min_requests)
            return f"too little traffic: the {side} answered {words.count(seen)} requests, {needed} are needed"
    return ""
