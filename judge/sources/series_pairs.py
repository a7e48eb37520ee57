"""Answers of a source become pairs of series, one for each label set of a metric."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial

from judge.core.config import MetricConfig
from judge.core.model import Classification, Problem, Series, SeriesPair, label_words
from judge.core.pairing import events_of, pair_by_labels, strangers
from judge.core.templates import PROMQL, QueryLanguage
from judge.sources import Answer

Key = tuple[str, str, str]


def build_pairs(
    metric: MetricConfig, answers: Mapping[Key, Answer], apart: AbstractSet[str], language: QueryLanguage = PROMQL
) -> list[SeriesPair]:
    """Pair both sides of one metric.

    Parameters
    ----------
    metric : MetricConfig
    answers : mapping
        By metric, part and side.
    apart : set of str
        Labels of the scope, which differ between the sides by design.
    language : QueryLanguage
        Of the queries.

    Returns
    -------
    list of SeriesPair
        At least one; where something could not be fetched, one that carries the problem.
    """
    mine = {(part, side): answer for (name, part, side), answer in answers.items() if name == metric.name}
    queries = {_query_name(part, side): answer.query.text for (part, side), answer in mine.items()}
    warnings = tuple(dict.fromkeys(f"{side}: {text}" for (_, side), answer in mine.items() for text in answer.warnings))
    # The series' own rate window counts, not that of a limit over the whole window.
    windows = [language.rate_window(answer.query.text) for answer in mine.values() if not answer.query.instant]
    window = max((found for found in windows if found is not None), default=None)
    made = partial(SeriesPair, metric=metric.name, queries=queries, warnings=warnings)
    problem = _worst(mine.values())
    if problem is not None:
        return [made(baseline=Series.empty(), canary=Series.empty(), problem=problem)]
    if metric.denominator:
        return _count_pairs(partial(made, rate_window=window), mine, apart, warnings)
    baseline, canary = _series(mine, "value", "baseline"), _series(mine, "value", "canary")
    if metric.limit is not None:
        found = canary if canary else (Series.empty(),)
        return [made(baseline=Series.empty(), canary=series, labels=series.labels if len(found) > 1 else {}) for series in found]
    return [
        made(baseline=pair.baseline, canary=pair.canary, labels=pair.labels, rate_window=window, problem=pair.problem)
        for pair in pair_by_labels(baseline, canary, apart=apart)
    ]


def _count_pairs(
    made: Callable[..., SeriesPair], mine: Mapping[tuple[str, str], Answer], apart: AbstractSet[str], warnings: tuple[str, ...]
) -> list[SeriesPair]:
    totals = {side: _series(mine, "denominator", side) for side in ("baseline", "canary")}
    events = {side: _series(mine, "numerator", side) for side in ("baseline", "canary")}
    lost = [labels for side in totals for labels in strangers(events[side], totals[side], apart=apart)]
    if lost:
        message = f"the numerator has series that the denominator lacks ({{{label_words(lost[0])}}}); give both the same sum by (…)"
        problem = Problem(classification=Classification.ERROR, message=message)
        return [made(baseline=Series.empty(), canary=Series.empty(), problem=problem, rate_window=None)]
    if not events["baseline"] and not events["canary"] and totals["baseline"] and totals["canary"]:
        # Right where there are no errors, and just what a misspelt label looks like.
        warnings = (*warnings, "the numerator has no series on either side, which counts as no events: make sure that its labels are right")
    return [
        made(
            baseline=events_of(pair.baseline, events["baseline"], totals["baseline"], apart=apart),
            canary=events_of(pair.canary, events["canary"], totals["canary"], apart=apart),
            baseline_total=pair.baseline,
            canary_total=pair.canary,
            labels=pair.labels,
            problem=pair.problem,
            warnings=warnings,
        )
        for pair in pair_by_labels(totals["baseline"], totals["canary"], apart=apart)
    ]


def _series(mine: Mapping[tuple[str, str], Answer], part: str, side: str) -> Sequence[Series]:
    answer = mine.get((part, side))
    return () if answer is None else answer.series


def _query_name(part: str, side: str) -> str:
    return f"{side}_numerator" if part == "numerator" else side


def _worst(answers: Iterable[Answer]) -> Problem | None:
    """A refused query says more than a source that was away."""
    problems = [answer.problem for answer in answers if answer.problem is not None]
    refused = [problem for problem in problems if problem.classification is Classification.ERROR]
    return refused[0] if refused else problems[0] if problems else None
