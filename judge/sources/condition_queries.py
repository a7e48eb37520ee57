"""Answers about the conditions of both sides: pods, ages, places, the expected share of the requests."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from judge.config.units import expected_share
from judge.core.conditions import Conditions, SideConditions
from judge.sources import Answer

CONDITIONS = ("pods", "age", "places")

Key = tuple[str, str, str]


def read_conditions(answers: Mapping[Key, Answer], asked: Iterable[str], *, share: str = "") -> Conditions:
    """Read what a source told of both sides' conditions; what it did not tell is a problem in words.

    Parameters
    ----------
    answers : mapping
        By metric (empty here), part and side.
    asked : iterable of str
        Which of `CONDITIONS` were asked.
    share : str
        The canary's expected part of all requests (``20%``), empty where nothing is expected.
    """
    asked = tuple(asked)
    problems = []
    expected = None
    if share:
        try:
            expected = expected_share(share)
        except ValueError as error:
            problems.append(f"the canary's expected share of the requests: {error}")
    sides = {}
    for side in ("baseline", "canary"):
        found: dict[str, dict[str, float]] = {}
        for part in asked:
            answer = answers.get(("", part, side))
            if answer is None or answer.problem is not None:
                why = "it was not asked" if answer is None or answer.problem is None else answer.problem.message
                problems.append(f"the {side}'s {part} could not be found out: {why}")
            else:
                found[part] = _values(answer)
        sides[side] = SideConditions(pods=_sum(found.get("pods")), age=_largest(found.get("age")), places=found.get("places", {}))
    queries = {f"{part} {side}": answer.query.text for (metric, part, side), answer in answers.items() if not metric and part in asked}
    return Conditions(baseline=sides["baseline"], canary=sides["canary"], share=expected, problems=tuple(problems), queries=queries)


def _values(answer: Answer) -> dict[str, float]:
    """Newest finite value of every series, by its label values."""
    found: dict[str, float] = {}
    for series in answer.series:
        if len(series) and math.isfinite(series.v[-1]):
            name = "/".join(value for _, value in sorted(series.labels.items()))
            found[name] = found.get(name, 0.0) + float(series.v[-1])
    return found


def _sum(values: Mapping[str, float] | None) -> float | None:
    return sum(values.values()) if values else None


def _largest(values: Mapping[str, float] | None) -> float | None:
    return max(values.values()) if values else None
