"""Answers of a source become pairs: nothing lost in silence."""

from __future__ import annotations

import numpy as np
import pytest

from judge.core.config import Limit, MetricConfig
from judge.core.model import Classification, Problem, Series
from judge.sources import Answer, Query
from judge.sources.series_pairs import build_pairs

VALUE = MetricConfig(name="m", query="q")
COUNTS = MetricConfig(name="m", numerator="n", denominator="d")


def series(*values, **labels):
    return Series(t=np.arange(len(values)) * 60.0, v=np.array(values, float), labels=labels)


def answers(**parts):
    """Answers by ``part_side``: series, or a problem."""
    found = {}
    for name, given in parts.items():
        part, side = name.split("_")
        text = f"rate(x{{side='{side}'}}[2m])"
        query = Query(metric="m", part=part, side=side, scope="s", against="o", text=text, start=0, end=600, step=60)
        problem = given if isinstance(given, Problem) else None
        found["m", part, side] = Answer(query=query, series=() if problem else tuple(given), problem=problem, warnings=("partial",))
    return found


def test_a_pair_keeps_its_queries_window_and_warnings():
    [pair] = build_pairs(VALUE, answers(value_baseline=[series(1)], value_canary=[series(2)]), set())

    assert pair.queries == {"baseline": "rate(x{side='baseline'}[2m])", "canary": "rate(x{side='canary'}[2m])"}
    assert pair.rate_window == 120
    assert pair.warnings == ("baseline: partial", "canary: partial")


def test_one_pair_a_label_set():
    both = [series(1, route="/a", hash="x"), series(2, route="/b", hash="x")]

    pairs = build_pairs(VALUE, answers(value_baseline=both, value_canary=both[:1]), {"hash"})

    assert [(pair.labels["route"], len(pair.canary)) for pair in pairs] == [("/a", 1), ("/b", 0)]


def test_counts_belong_to_the_total_of_their_labels():
    totals = [series(10, 20, route="/a"), series(30, 40, route="/b")]
    events = [series(1, 2, route="/b")]
    given = answers(denominator_baseline=totals, denominator_canary=totals, numerator_baseline=events, numerator_canary=[])

    first, second = build_pairs(COUNTS, given, set())

    assert (len(first.baseline), first.baseline_total.v.tolist()) == (0, [10, 20])
    assert (second.baseline.v.tolist(), len(second.canary)) == ([1, 2], 0)


def test_a_numerator_that_is_nowhere_is_no_events_and_said():
    given = answers(denominator_baseline=[series(10)], denominator_canary=[series(10)], numerator_baseline=[], numerator_canary=[])

    [pair] = build_pairs(COUNTS, given, set())

    assert pair.problem is None
    assert "make sure that its labels are right" in pair.warnings[-1]


def test_events_that_no_total_has_are_an_error_and_not_zero():
    given = answers(
        denominator_baseline=[series(10)],
        denominator_canary=[series(10)],
        numerator_baseline=[],
        numerator_canary=[series(5, code="500"), series(3, code="503")],
    )

    [pair] = build_pairs(COUNTS, given, set())

    assert pair.problem.classification is Classification.ERROR
    assert "the numerator has series that the denominator lacks" in pair.problem.message


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (Classification.NODATA, None, Classification.NODATA),
        (Classification.NODATA, Classification.ERROR, Classification.ERROR),
        (Classification.ERROR, Classification.NODATA, Classification.ERROR),
    ],
)
def test_a_refused_query_says_more_than_a_source_that_was_away(first, second, expected):
    def given(kind):
        return [series(1)] if kind is None else Problem(classification=kind, message=kind.value)

    [pair] = build_pairs(VALUE, answers(value_baseline=given(first), value_canary=given(second)), set())

    assert pair.problem.classification is expected


def test_a_limit_has_a_pair_for_each_label_set_of_the_canary():
    metric = MetricConfig(name="m", query="q", limit=Limit(max=0))

    pairs = build_pairs(metric, answers(value_canary=[series(0, pod="a"), series(1, pod="b")]), set())

    assert [pair.labels["pod"] for pair in pairs] == ["a", "b"]


def test_a_limit_without_series_is_one_pair_without_samples():
    metric = MetricConfig(name="m", query="q", limit=Limit(max=0))

    [pair] = build_pairs(metric, answers(value_canary=[]), set())

    assert len(pair.canary) == 0
