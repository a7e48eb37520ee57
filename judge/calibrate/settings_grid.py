"""The same pairs under other settings: longer and shorter windows, longer steps, other tolerances."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from judge.calibrate.downsample import steps
from judge.calibrate.healthy_pairs import Case
from judge.calibrate.rates import Share, share
from judge.calibrate.regressions import caught_at
from judge.calibrate.trials import judge_all
from judge.core.config import CanaryConfig, LooksConfig, Margin, MetricConfig
from judge.core.model import Series, SeriesPair
from judge.parallel import Workers

TOLERANCES = (0.5, 2.0, 3.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What other settings come to: healthy pairs stopped and undecided, and those caught where one metric is worse by `must_detect`."""

    name: str
    stopped: Share
    undecided: Share
    caught: Share
    chosen: bool = False


def variants(config: CanaryConfig, cases: Sequence[Case], *, workers: Workers, most: int, seed: int) -> list[Variant]:
    """Judge these pairs by the config as it is and with one thing changed at a time."""
    chosen = thin(cases, most)
    found = [_try("as it is", config, chosen, workers, seed, chosen=True)]
    for name, changed, cut in lengths(config, cases, most=most):
        found.append(_try(name, changed, cut, workers, seed))
    for name, changed, coarse in steps(config, chosen):
        found.append(_try(name, changed, coarse, workers, seed))
    for factor in TOLERANCES:
        metrics = tuple(_scaled(metric, factor) for metric in config.metrics)
        changed = replace(config, metrics=metrics)
        found.append(_try(f"every tolerance x {factor:g}", changed, chosen, workers, seed))
    return [one for one in found if one.stopped.of]


def thin(cases: Sequence[Case], most: int) -> list[Case]:
    """At most so many, evenly over time."""
    if len(cases) <= most:
        return list(cases)
    return [cases[int(index)] for index in np.linspace(0, len(cases) - 1, most)]


def lengths(config: CanaryConfig, cases: Sequence[Case], *, most: int) -> Iterator[tuple[str, CanaryConfig, list[Case]]]:
    """Half and twice the window, with looks as often as before."""
    from judge.core import formatting as words

    for factor in (0.5, 2.0):
        length = config.window.length * factor // config.window.step * config.window.step
        count = max(round(config.looks.count * factor), 1)
        if length < 10 * config.window.step or not cases:
            continue
        changed = replace(
            config, window=replace(config.window, length=length), looks=LooksConfig(count=count, interval=config.looks.interval)
        )
        cut = [halved(case, length) for case in cases] if factor < 1 else doubled(cases)
        yield f"{words.duration(length)} judged", changed, thin(cut, most)


def halved(case: Case, length: float) -> Case:
    """The first part of a case."""
    requests = None if case.requests is None else (case.requests[0] * length / case.length, case.requests[1] * length / case.length)
    return replace(case, length=length, requests=requests)


def doubled(cases: Sequence[Case]) -> list[Case]:
    """Neighbouring windows of the same pods as one."""
    found = []
    waiting: Case | None = None
    for case in sorted(cases, key=lambda one: one.start):
        if waiting is not None and _follows(waiting, case):
            pairs = tuple(_joined(one, other) for one, other in zip(waiting.pairs, case.pairs, strict=True))
            requests = None
            if waiting.requests is not None and case.requests is not None:
                requests = (waiting.requests[0] + case.requests[0], waiting.requests[1] + case.requests[1])
            found.append(replace(waiting, length=waiting.length + case.length, pairs=pairs, requests=requests))
            waiting = None
        else:
            waiting = case
    return found


def _follows(one: Case, other: Case) -> bool:
    """Whether a case goes on where another ends, with the same pods on each side."""
    if abs(other.start - one.start - one.length) > 1e-6 or len(one.pairs) != len(other.pairs):
        return False
    return all(a.queries == b.queries and a.labels == b.labels for a, b in zip(one.pairs, other.pairs, strict=True))


def _joined(one: SeriesPair, other: SeriesPair) -> SeriesPair:
    def both(first: Series | None, second: Series | None) -> Series | None:
        if first is None or second is None:
            return first if second is None else second
        later = second.t > first.t[-1] if len(first) else np.ones(len(second), dtype=np.bool_)
        return replace(first, t=np.concatenate([first.t, second.t[later]]), v=np.concatenate([first.v, second.v[later]]))

    baseline, canary = both(one.baseline, other.baseline), both(one.canary, other.canary)
    assert baseline is not None
    assert canary is not None
    return replace(
        one,
        baseline=baseline,
        canary=canary,
        baseline_total=both(one.baseline_total, other.baseline_total),
        canary_total=both(one.canary_total, other.canary_total),
    )


def _scaled(metric: MetricConfig, factor: float) -> MetricConfig:
    """Another tolerance, with a must_detect that stays larger."""
    if metric.limit is not None:
        return metric
    tolerance = Margin(relative=metric.tolerance.relative * factor, absolute=metric.tolerance.absolute * factor)
    must_detect = Margin(
        relative=max(metric.must_detect.relative, 1.5 * tolerance.relative),
        absolute=max(metric.must_detect.absolute, 1.5 * tolerance.absolute),
    )
    return replace(metric, tolerance=tolerance, must_detect=must_detect)


def _try(name: str, config: CanaryConfig, cases: Sequence[Case], workers: Workers, seed: int, *, chosen: bool = False) -> Variant:
    judged = judge_all(config, cases, workers=workers, traits=False)
    some = thin(cases, 40)
    tasks = [(config, some, metric.name, seed) for metric in config.metrics if metric.limit is None]
    caught = [look for looks in workers.each(_noticed, tasks) for look in looks]
    return Variant(
        name=name,
        stopped=share(sum(one.stopped > 0 for one in judged), len(judged)),
        undecided=share(sum(one.outcome == "inconclusive" for one in judged), len(judged)),
        caught=share(sum(look > 0 for look in caught), len(caught)),
        chosen=chosen,
    )


def _noticed(task: tuple[CanaryConfig, Sequence[Case], str, int]) -> list[int]:
    """Looks at which one metric is caught that is worse by the config's own `must_detect`."""
    config, cases, name, seed = task
    metric = config.metric(name)
    return [
        caught_at(config, case, metric, "counts" if metric.denominator else "level", noticed(case, metric), seed=seed) for case in cases
    ]


def noticed(case: Case, metric: MetricConfig) -> float:
    """The size of the change that the config says must not slip through; of counts as a share of the requests."""
    if not metric.denominator:
        return max(metric.must_detect.relative, 1e-6)
    pair = next((one for one in case.pairs if one.metric == metric.name and one.baseline_total is not None), None)
    if pair is None or pair.baseline_total is None:
        return metric.must_detect.absolute
    total = float(pair.baseline_total.v.sum())
    return metric.must_detect.amount(float(pair.baseline.v.sum()) / total if total > 0 else 0.0)
