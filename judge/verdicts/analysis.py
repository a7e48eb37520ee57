"""One analysis end to end: render the queries, fetch, judge.

    request -> window -> queries -> answers -> pairs -> core.judge_canary -> Analysis

Front doors own the clock and the ids; nothing here looks at the time of day, so an
analysis can be replayed exactly.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

from judge.core import formatting as words
from judge.core.canary import judge_canary
from judge.core.conditions import Conditions
from judge.core.config import CanaryConfig
from judge.core.model import Classification, Outcome, Problem, SeriesPair, Traffic, Verdict, Window
from judge.core.pairing import present
from judge.errors import SourceUnreachable
from judge.observer import observer
from judge.sources import Answer, Query, Source
from judge.sources.condition_queries import CONDITIONS, read_conditions
from judge.sources.query_plan import Questions
from judge.sources.series_pairs import build_pairs
from judge.wire.json import dumps
from judge.wire.request import Request

_JUDGING_TIME = 1.0
"""Seconds of the deadline that are kept for judging and answering."""
_LEAST_FETCH = 0.2
_NO_TURN: AbstractContextManager[object] = nullcontext()

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Analysis:
    """A verdict with everything that led to it; `warnings` are those that the judge was given.

    `partial` tells that a part of the source did not answer.
    """

    request: Request
    config: CanaryConfig
    window: Window
    verdict: Verdict
    pairs: tuple[SeriesPair, ...] = ()
    traffic: Traffic | None = None
    conditions: Conditions | None = None
    source: Mapping[str, Any] | None = None
    source_trouble: str = ""
    warnings: tuple[str, ...] = ()
    partial: bool = False

    @property
    def conclusive(self) -> bool:
        """The same question need not be judged again: nothing was missing or broken."""
        if self.partial:
            return False
        if self.verdict.outcome in {Outcome.PASS, Outcome.MARGINAL, Outcome.FAIL}:
            return True
        missing = self.verdict.count(Classification.NODATA, Classification.ERROR)
        unknown = self.traffic is not None and bool(self.traffic.problem)
        return self.verdict.outcome is Outcome.INCONCLUSIVE and bool(self.pairs) and not missing and not unknown

    @property
    def source_failed(self) -> bool:
        """Trouble of the source kept the judge from a verdict."""
        if self.verdict.outcome is not Outcome.INCONCLUSIVE:
            return False
        away = any(pair.problem is not None and pair.problem.classification is Classification.NODATA for pair in self.pairs)
        return away or bool(self.source_trouble)


def question(request: Request, config: CanaryConfig, *, now: float) -> str:
    """Name a question, so that the same one asked twice gets the same answer.

    Without `end` the question is about now, to the step: no newer sample could
    change the answer within one step.
    """
    step = config.window.step
    end = _floor(now if request.end is None else min(request.end, now), step)
    asked = [
        config.digest,
        request.baseline,
        request.canary,
        request.scope,
        request.rollout,
        sorted(request.args.items()),
        request.start,
        end,
        request.window,
        request.look,
    ]
    return hashlib.sha256(dumps(asked).encode()).hexdigest()


def run(
    request: Request,
    config: CanaryConfig,
    source: Source,
    *,
    now: float,
    deadline: float = 30.0,
    clock: Clock = time.monotonic,
    turn: AbstractContextManager[object] = _NO_TURN,
) -> Analysis:
    """Judge one canary.

    Parameters
    ----------
    request, config
        What is asked, and how it is judged.
    source : Source
        Where the series come from.
    now : float
        Unix seconds: the newest time that may be judged.
    deadline : float
        Seconds until there must be an answer; what has not been fetched by then
        is missing, and the verdict says so.
    turn : context manager
        Held while the processor is needed and nothing is waited for.

    Raises
    ------
    SourceUnreachable
        Where the source failed and the config says ``on_source_error: error``.
    """
    if request.baseline == request.canary:
        reason = (
            f"baseline and canary are the same ({request.canary}): there is nothing to compare (a first deployment has no stable version)"
        )
        return unjudged(request, config, reason, now=now)
    fetcher = _Fetcher(source=source, until=clock() + max(deadline - _JUDGING_TIME, deadline / 2), clock=clock)
    queries = Questions(request=request, config=config, language=source.language)
    window, answers, early = _first_samples(request, config, queries, fetcher, now)
    if early is not None:
        found = _nothing_yet(request, config, window, early, answers, source)
    else:
        missing = [query for query in queries.all(window) if _key(query) not in answers]
        answers |= {_key(answer.query): answer for answer in fetcher.fetch(missing)}
        with observer().stage("judge"), turn:
            found = _judge(request, config, window, answers, queries, source)
    if config.on_source_error == "error":
        _raise_for_trouble(answers.values())
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetcher:
    source: Source
    until: float
    clock: Clock

    def fetch(self, queries: Sequence[Query]) -> list[Answer]:
        """Ask within what is left of the deadline."""
        if not queries:
            return []
        with observer().stage("fetch"):
            return self.source.fetch(queries, deadline=max(self.until - self.clock(), _LEAST_FETCH))


def _key(query: Query) -> tuple[str, str, str]:
    return query.metric, query.part, query.side


def _floor(value: float, step: float) -> float:
    return math.floor(value / step + 1e-9) * step


def _ceil(value: float, step: float) -> float:
    return math.ceil(value / step - 1e-9) * step


def _first_samples(
    request: Request, config: CanaryConfig, queries: Questions, fetcher: _Fetcher, now: float
) -> tuple[Window, dict[tuple[str, str, str], Answer], str | None]:
    """Find the window; where it depends on the canary's first sample, ask for the canary's samples first.

    Returns the window, the answers that came with it (already cut to it), and a
    sentence where there is nothing to judge yet.
    """
    plan = config.window
    length = plan.length if request.window is None else request.window
    at = now if request.end is None else min(request.end, now)
    end = _floor(at, plan.step)
    if request.start is not None:
        start = min(_ceil(request.start, plan.step), end)
        return _numbered(Window(start=start, end=end, step=plan.step), request, config, warm_for=at - start), {}, None
    searched = Window(start=_floor(end - length - plan.warmup, plan.step), end=end, step=plan.step, warmup=plan.warmup)
    got = fetcher.fetch(queries.canary_samples(searched))
    answers = {_key(answer.query): answer for answer in got}
    first = present(series for answer in got for series in answer.series)
    if first is None:
        window = _numbered(replace(searched, start=_floor(end - length, plan.step)), request, config, warm_for=0.0)
        return window, answers, "the canary has no samples yet" if got else None
    # A canary that was there when the search began is older than what is judged.
    origin = first + plan.warmup
    start = max(_ceil(origin, plan.step), _floor(end - length, plan.step))
    window = _numbered(replace(searched, start=min(start, end), first_sample=first), request, config, warm_for=at - origin)
    if start > end:
        age = words.duration(max(end - first, 0.0))
        return window, answers, f"the canary's first sample is {age} old and its warm-up lasts {words.duration(plan.warmup)}"
    cut = {
        key: replace(
            answer,
            query=replace(answer.query, start=window.start),
            series=tuple(inside for inside in (series.between(window.start, window.end) for series in answer.series) if len(inside)),
        )
        for key, answer in answers.items()
    }
    return window, cut, None


def _numbered(window: Window, request: Request, config: CanaryConfig, *, warm_for: float) -> Window:
    """Number the look by the seconds since the canary was warm: no state, and a repeated question spends nothing.

    The time counts at which was asked, not the step before it: looks that are not a whole number of steps apart would
    otherwise share a number, and leave the next one out.
    """
    look = request.look if request.look is not None else look_number(config, warm_for)
    return replace(window, look=look, of=max(config.looks.count, 1))


def look_number(config: CanaryConfig, warm_for: float) -> int:
    """The number of the look so many seconds after the canary was warm, from 1 to the looks that the config plans.

    Examples
    --------
    >>> from judge.core.config import LooksConfig
    >>> config = CanaryConfig(name="c", metrics=(), looks=LooksConfig(count=20, interval=90))
    >>> [look_number(config, warm_for) for warm_for in (0, 89, 90, 180, 3600)]
    [1, 1, 2, 3, 20]
    """
    interval = config.looks.interval if config.looks.interval is not None else config.window.step
    return min(1 + math.floor(max(warm_for, 0.0) / interval + 1e-9), max(config.looks.count, 1))


def _judge(
    request: Request,
    config: CanaryConfig,
    window: Window,
    answers: Mapping[tuple[str, str, str], Answer],
    queries: Questions,
    source: Source,
) -> Analysis:
    apart = queries.apart()
    pairs = [pair for metric in config.metrics for pair in build_pairs(metric, answers, apart, source.language)]
    traffic = _traffic(config, answers)
    conditions = None if config.conditions is None else read_conditions(answers, config.conditions.queries, share=queries.share())
    warnings = _warnings(request, window, answers)
    verdict = judge_canary(config, pairs, traffic=traffic, conditions=conditions, window=window, warnings=warnings)
    return Analysis(
        request=request,
        config=config,
        window=window,
        verdict=verdict,
        pairs=tuple(pairs),
        traffic=traffic,
        conditions=conditions,
        source=source.describe(),
        warnings=tuple(warnings),
        partial=_partial(answers),
    )


def _warnings(request: Request, window: Window, answers: Mapping[tuple[str, str, str], Answer]) -> list[str]:
    found = []
    if request.look is not None and request.look > window.of:
        found.append(f"look {request.look} is beyond the {window.of} that the config plans")
    partial = sum(answer.partial for answer in answers.values())
    if partial:
        found.append(f"the source answered {partial} of {len(answers)} queries in part only: what is missing may be what matters")
    for (metric, part, side), answer in answers.items():
        if not metric:
            found += [f"{part}, {side}: {text}" for text in answer.warnings]
    return list(dict.fromkeys(found))


def _partial(answers: Mapping[tuple[str, str, str], Answer]) -> bool:
    """Whether a part of the source did not answer."""
    return any(answer.partial for answer in answers.values())


def _traffic(config: CanaryConfig, answers: Mapping[tuple[str, str, str], Answer]) -> Traffic | None:
    """Requests on both sides; no series means no requests."""
    if config.traffic is None:
        return None
    sides: dict[str, float | None] = {}
    problem = ""
    for side in ("baseline", "canary"):
        answer = answers.get(("", "traffic", side))
        if answer is None or answer.problem is not None:
            sides[side], problem = None, "it was not asked" if answer is None or answer.problem is None else answer.problem.message
        else:
            newest = [float(series.v[-1]) for series in answer.series if len(series)]
            sides[side] = sum(value for value in newest if math.isfinite(value))
    queries = {side: answer.query.text for (metric, part, side), answer in answers.items() if not metric and part == "traffic"}
    return Traffic(baseline=sides["baseline"], canary=sides["canary"], problem=problem, queries=queries)


def unjudged(request: Request, config: CanaryConfig, reason: str, *, now: float) -> Analysis:
    """Answer `inconclusive` without asking the source, for this reason."""
    step = config.window.step
    length = config.window.length if request.window is None else request.window
    end = _floor(now if request.end is None else min(request.end, now), step)
    start = end - length if request.start is None else min(_ceil(request.start, step), end)
    window = _numbered(Window(start=_floor(start, step), end=end, step=step), request, config, warm_for=0.0)
    return Analysis(request=request, config=config, window=window, verdict=uncompared(config, reason))


def _nothing_yet(
    request: Request, config: CanaryConfig, window: Window, reason: str, answers: Mapping[tuple[str, str, str], Answer], source: Source
) -> Analysis:
    """No samples to judge: because the canary is young, or because the source failed us."""
    failed = [answer for answer in answers.values() if answer.problem is not None]
    if failed:
        worst = next((answer for answer in failed if _problem(answer).classification is Classification.ERROR), failed[0])
        reason = f"{worst.query.metric}: {_problem(worst).message}"
    refused = len(failed) == len(answers) and any(_problem(answer).classification is Classification.ERROR for answer in failed)
    partial = _partial(answers)
    said = dict.fromkeys(text for answer in answers.values() for text in answer.warnings)
    warnings = (*_warnings(request, window, answers), *said) if partial else ()
    verdict = replace(uncompared(config, reason), warnings=warnings)
    if refused:
        verdict = replace(verdict, outcome=Outcome.ERROR)
    trouble = reason if failed and not refused else ""
    return Analysis(
        request=request,
        config=config,
        window=window,
        verdict=verdict,
        source=source.describe(),
        source_trouble=trouble,
        warnings=warnings,
        partial=partial,
    )


def _problem(answer: Answer) -> Problem:
    assert answer.problem is not None
    return answer.problem


def uncompared(config: CanaryConfig, reason: str) -> Verdict:
    """A verdict that was reached before anything could be compared."""
    empty = judge_canary(config, [])
    results = tuple(replace(result, reason="not compared") for result in empty.results)
    return replace(empty, outcome=Outcome.INCONCLUSIVE, reason=reason, results=results)


def _raise_for_trouble(answers: Any) -> None:
    for answer in answers:
        if answer.query.part in CONDITIONS:
            continue  # they only ever warn
        if answer.problem is not None and answer.problem.classification is Classification.NODATA:
            raise SourceUnreachable(f"{answer.query.metric}: {answer.problem.message}")
