"""What was found, as plain data that JSON can hold: reports and notebooks read this and nothing else.

Shares are ``{count, of, share, low, high}`` with Wilson's 95 % interval; changes are fractions, times unix
seconds. What is not known is None.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from judge.calibrate.healthy_pairs import Case, Plan
from judge.calibrate.past_rollouts import Replayed
from judge.calibrate.rates import Share, look_by, quantile, share, smallest_caught, spread
from judge.calibrate.regressions import Trial
from judge.calibrate.settings_grid import Variant
from judge.calibrate.timeline import Timeline
from judge.calibrate.trials import Judged
from judge.core.config import CanaryConfig, MetricConfig

WANTED = (0.8, 0.95)
_DECIDED_AT_FIRST = 0.05


def known(value: float | None, digits: int = 6) -> float | None:
    """A number that JSON can hold."""
    return None if value is None or not math.isfinite(value) else round(float(value), digits)


def shared(one: Share) -> dict[str, Any]:
    """A share with its interval."""
    return {key: value if isinstance(value, int) else known(value) for key, value in asdict(one).items()}


def history(timeline: Timeline) -> dict[str, Any]:
    """Versions, rollouts, gaps and restarts."""
    return {
        "versions": list(timeline.versions),
        "rollouts": [rollout(one) for one in timeline.rollouts],
        "gaps": [list(gap) for gap in timeline.gaps],
        "restarts": [[at, pod] for at, pod in timeline.restarts],
        "switches": [[at, version] for at, version in timeline.switches],
        "seen": None if timeline.seen is None else list(timeline.seen),
    }


def rollout(one: Any) -> dict[str, Any]:
    """One rollout that was found."""
    return {
        "baseline": one.baseline,
        "canary": one.canary,
        "start": one.start,
        "end": one.end,
        "ending": one.ending.value,
        "baseline_pods": one.pods[0],
        "canary_pods": one.pods[1],
        "share": known(one.share, 3),
        "weights": [list(step) for step in one.weights],
    }


def pairs(plan: Plan, cases: Sequence[Case], base: str) -> dict[str, Any]:
    """How many windows there were, and what became of them."""
    sizes = sorted((len(part.canary), len(part.baseline)) for part in plan.parts)
    usual = sizes[len(sizes) // 2] if sizes else None
    return {
        "length": plan.length,
        "windows": plan.windows,
        "left_out": dict(plan.left_out),
        "kinds": dict(Counter(case.kind.value for case in cases)),
        "basis": base,
        "canary_pods": None if usual is None else usual[0],
        "baseline_pods": None if usual is None else usual[1],
        "splits": len(plan.parts),
    }


def tally(judged: Sequence[Judged], config: CanaryConfig) -> dict[str, Any]:
    """What healthy pairs came to: of the rollout, and of each metric."""
    n = len(judged)
    outcomes = Counter(one.outcome for one in judged)
    found: dict[str, Any] = {
        "n": n,
        "stopped": shared(share(sum(one.stopped > 0 for one in judged), n)),
        "marginal": shared(share(outcomes["marginal"], n)),
        "inconclusive": shared(share(outcomes["inconclusive"], n)),
        "passed": shared(share(outcomes["pass"], n)),
        "passed_by_look": {str(look): known(value, 4) for look, value in _passed_by_look(judged).items()},
        "metrics": {},
    }
    for metric in config.metrics:
        mine = [one.metrics[metric.name] for one in judged if metric.name in one.metrics]
        there = [one for one in mine if one.last not in {"nodata", "error"}]
        found["metrics"][metric.name] = {
            "limit": metric.limit is not None,
            "critical": metric.critical,
            "regressed": shared(share(sum(one.look > 0 for one in there), len(there))),
            "undecided": shared(share(sum(one.last == "undecided" for one in there), len(there))),
            "no_data": len(mine) - len(there),
            "by_test": dict(Counter(one.ground for one in there if one.look)),
        }
    return found


def _passed_by_look(judged: Sequence[Judged]) -> dict[int, float]:
    looks = sorted({look for one in judged for look in one.outcomes})
    return {look: sum(one.outcomes.get(look) == "pass" for one in judged) / len(judged) for look in looks}


def power(config: CanaryConfig, trials: Sequence[Trial]) -> dict[str, Any]:
    """Shares caught by metric, shape and size, and the smallest size caught with 80 and 95 %."""
    found: dict[str, Any] = {}
    for metric in config.metrics:
        shapes: dict[str, Any] = {}
        for shape in dict.fromkeys(trial.shape for trial in trials if trial.metric == metric.name):
            mine = sorted((trial for trial in trials if (trial.metric, trial.shape) == (metric.name, shape)), key=lambda trial: trial.size)
            sizes = [trial.size for trial in mine]
            caught = [trial.caught / max(len(trial.looks), 1) for trial in mine]
            shapes[shape] = {
                "sizes": [
                    {
                        "size": trial.size,
                        "caught": shared(share(trial.caught, len(trial.looks))),
                        "look_80": look_by(trial.looks, wanted=0.8),
                        "look_50": look_by(trial.looks, wanted=0.5),
                    }
                    for trial in mine
                ],
                "smallest": {f"{wanted:.0%}": _smallest(mine, sizes, caught, wanted) for wanted in WANTED},
            }
        if shapes:
            found[metric.name] = {"counted": bool(metric.denominator), "stops_alone": stops_alone(config, metric), "shapes": shapes}
    return found


def _smallest(mine: Sequence[Trial], sizes: Sequence[float], caught: Sequence[float], wanted: float) -> dict[str, Any] | None:
    size = smallest_caught(sizes, caught, wanted=wanted)
    if size is None:
        return None
    tried = next((trial for trial in mine if trial.size >= size - 1e-12), mine[-1])
    return {"size": known(size, 4), "look": look_by(tried.looks, wanted=wanted)}


def stops_alone(config: CanaryConfig, metric: MetricConfig) -> bool:
    """Whether a rollout fails where this metric alone is regressed."""
    if metric.critical:
        return True
    groups = config.groups
    members = Counter(one.group for one in config.metrics)
    weights = {name: groups.get(name, 0.0) if groups else 1.0 for name in members}
    total = sum(weights.values())
    mine = 100 * weights[metric.group] / total / members[metric.group] if total > 0 else 100 / len(config.metrics)
    return 100 - mine < config.score.marginal


def samples(config: CanaryConfig, judged: Sequence[Judged], plan: Plan) -> dict[str, Any]:
    """What the samples are like: dependence, offsets between pods, the time of day."""
    found = {}
    of_part = {at: index for index, part in enumerate(plan.parts) for at in part.windows}
    for metric in config.metrics:
        traits = [(one.start, one.traits[metric.name]) for one in judged if metric.name in one.traits]
        if not traits:
            continue
        by_part: dict[int, list[float]] = {}
        by_hour: dict[int, list[float]] = {}
        for start, trait in traits:
            if start in of_part and math.isfinite(trait.change):
                by_part.setdefault(of_part[start], []).append(trait.change)
            by_hour.setdefault(int(start % 86400 // 3600), []).append(trait.level)
        medians = [quantile(changes, 0.5) for changes in by_part.values() if len(changes) >= 4]
        changes = [trait.change for _, trait in traits]
        found[metric.name] = {
            "samples": known(quantile([float(trait.n) for _, trait in traits], 0.5)),
            "effective": known(quantile([trait.effective for _, trait in traits], 0.5), 2),
            "autocorrelation": known(quantile([trait.lag for _, trait in traits], 0.5), 3),
            "change_spread": known(spread(changes), 5),
            "change_97": known(quantile([abs(change) for change in changes], 0.975), 5),
            "pod_offsets": known(spread(medians), 5) if len(medians) >= 5 else None,
            "by_hour": {str(hour): known(quantile(levels, 0.5)) for hour, levels in sorted(by_hour.items())},
        }
    return found


def variant(one: Variant) -> dict[str, Any]:
    """Other settings and what they come to."""
    return {
        "name": one.name,
        "chosen": one.chosen,
        "stopped": shared(one.stopped),
        "undecided": shared(one.undecided),
        "caught": shared(one.caught),
    }


def template(config: CanaryConfig, judged: Sequence[Judged]) -> dict[str, Any]:
    """The numbers of an AnalysisTemplate: how long to wait, how often to look, how many times."""
    interval = config.looks.interval if config.looks.interval is not None else config.window.step
    count = max(config.looks.count, 1)
    first = 1
    by_look: dict[int, int] = Counter(look for one in judged for look, outcome in one.outcomes.items() if outcome != "inconclusive")
    for look in sorted({look for one in judged for look in one.outcomes}):
        if by_look.get(look, 0) >= _DECIDED_AT_FIRST * len(judged):
            first = look
            break
    # A live question is numbered by the time since the canary was warm: look k begins k - 1 intervals after.
    delay = (
        config.window.warmup + max(first - 1, 1 if count > 1 else 0) * interval
        if count > 1
        else config.window.warmup + config.window.length
    )
    return {
        "initial_delay": delay,
        "interval": interval if count > 1 else None,
        "count": max(count - max(first - 1, 1) + 1, 1) if count > 1 else 1,
        "first_look": first,
    }


def replayed(one: Replayed) -> dict[str, Any]:
    """One rollout with its looks."""
    return {
        **rollout(one.rollout),
        "outcome": None if one.outcome is None else one.outcome.value,
        "stopped_at": _look(one.looks[-1]) if one.stopped else None,
        "why_not": one.why_not,
        "reason": one.looks[-1].verdict.reason if one.looks else one.why_not,
        "agrees": one.agrees,
        "looks": [
            {"look": look.window.look, "end": look.window.end, "verdict": look.verdict.outcome.value, "score": known(look.verdict.score, 2)}
            for look in one.looks
        ],
    }


def _look(analysis: Any) -> Mapping[str, Any]:
    window = analysis.window
    return {"look": window.look, "of": window.of, "after": window.end - window.start}
