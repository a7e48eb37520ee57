"""What the reports read out of a record: the order, the series with their gaps, the margins."""

from __future__ import annotations

from typing import Any

import pytest

from judge.reports.view_model import findings, runs
from tests.reports.sample import comparison, record, result


def judged(*results: dict[str, Any], **changed: object) -> dict[str, Any]:
    """A record of these results."""
    base = record(**changed)
    return base | {"verdict": base["verdict"] | {"results": list(results)}}


def only(**changed: object) -> Any:
    """The finding of one result."""
    return findings(judged(result("m", "pass", "why", **changed)))[0]


def compared(**changed: object) -> dict[str, Any]:
    """A comparison of two made-up sides."""
    sides = ({"t": [0, 1, 2], "v": [9.0, 10.0, 11.0]}, {"t": [0, 1, 2], "v": [11.0, 12.0, 13.0]})
    return comparison(*sides, **changed)


def test_the_worst_metric_comes_first() -> None:
    results = [
        result("passed", "pass", ""),
        result("no data", "nodata", ""),
        result("open", "undecided", ""),
        result("broken", "error", ""),
        result("low", "low", "", comparison=compared(pvalue_directed=0.001)),
        result("surely high", "high", "", comparison=compared(pvalue_directed=0.0001)),
        result("critical high", "high", "", critical=True, comparison=compared(pvalue_directed=0.01)),
        result("passed closely", "pass", "", comparison=compared(pvalue_directed=0.03)),
    ]

    names = [finding.title for finding in findings(judged(*results))]

    assert names == ["critical high", "surely high", "low", "broken", "open", "no data", "passed closely", "passed"]


@pytest.mark.parametrize(
    ("side", "total", "step", "expected"),
    [
        pytest.param({"t": [0, 60, 120], "v": [1, 2, 3]}, None, 60.0, [[(0, 1), (60, 2), (120, 3)]], id="no gap, one run"),
        pytest.param(
            {"t": [0, 60, 240, 300], "v": [1, 2, 3, 4]}, None, 60.0, [[(0, 1), (60, 2)], [(240, 3), (300, 4)]], id="an absent time is a gap"
        ),
        pytest.param({"t": [0, 60, 120], "v": [1, None, 3]}, None, 60.0, [[(0, 1)], [(120, 3)]], id="a null is a gap"),
        pytest.param(
            {"t": [0, 300, 600, 900], "v": [1, 2, 3, 4]}, None, 60.0, [[(0, 1), (300, 2), (600, 3), (900, 4)]], id="sparser than the step"
        ),
        pytest.param(
            {"t": [0, 60, 120, 180], "v": [1, "Infinity", "NaN", 3]}, None, 60.0, [[(0, 1)], [(180, 3)]], id="words for no number are gaps"
        ),
        pytest.param({"t": [120, 0, 60], "v": [3, 1, 2]}, None, None, [[(0, 1), (60, 2), (120, 3)]], id="times are sorted"),
        pytest.param({"t": [7], "v": [1]}, None, None, [[(7, 1)]], id="one sample"),
        pytest.param({"t": [], "v": []}, None, 60.0, [], id="no samples"),
        pytest.param(None, None, 60.0, [], id="no such side"),
        pytest.param({"t": [0, 60], "v": [1, 2]}, {"t": [0, 60], "v": [10, 10]}, 60.0, [[(0, 0.1), (60, 0.2)]], id="a ratio of counts"),
        pytest.param({"t": [60], "v": [2]}, {"t": [0, 60], "v": [10, 10]}, 60.0, [[(0, 0.0), (60, 0.2)]], id="absent events are no events"),
        pytest.param({"t": [0, 60], "v": [0, 2]}, {"t": [0, 60], "v": [0, 10]}, 60.0, [[(60, 0.2)]], id="no requests, no ratio"),
        pytest.param({"t": [0, 60], "v": [None, 2]}, {"t": [0, 60], "v": [10, 10]}, 60.0, [[(60, 0.2)]], id="null events are a gap"),
    ],
)
def test_runs_leave_gaps_open(side, total, step, expected) -> None:
    assert runs(side, total, step=step) == expected


@pytest.mark.parametrize(
    ("tolerance", "changed", "expected"),
    [
        pytest.param("5%", {}, 0.05, id="a fraction"),
        pytest.param("0.25 s", {"baseline_value": 5.0}, 0.05, id="an amount, as a fraction of the baseline"),
        pytest.param("25% and 0.1 pp", {"baseline_value": 0.002}, 0.5, id="the larger part: points"),
        pytest.param("25% and 0.1 pp", {"baseline_value": 0.02}, 0.25, id="the larger part: percent"),
        pytest.param("5%", {"change": None, "shift": 1.0, "baseline_value": 10.0}, 0.5, id="a fraction, as an amount"),
        pytest.param("3 s", {"change": None, "shift": 1.0, "baseline_value": 0.0}, 3.0, id="an amount"),
        pytest.param("5%", {"change": None, "shift": 1.0, "baseline_value": 0.0}, None, id="a fraction of nothing"),
        pytest.param("1e+06 m2", {"change": None, "shift": 1.0, "baseline_value": 0.0}, 1e6, id="an exponent, and a digit in the unit"),
        pytest.param("", {}, None, id="none"),
        pytest.param("as agreed", {}, None, id="words"),
    ],
)
def test_a_margin_is_put_into_the_measure_of_the_picture(tolerance, changed, expected) -> None:
    interval = only(tolerance=tolerance, comparison=compared(**changed)).interval

    assert interval.tolerance == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("direction", "limit", "marks"),
    [("increase", "+5%", [0.05]), ("decrease", "-5%", [-0.05]), ("either", "±5%", [-0.05, 0.05])],
)
def test_margins_lie_on_the_side_that_is_bad(direction, limit, marks) -> None:
    finding = only(direction=direction, comparison=compared())

    assert finding.accepted == limit
    assert finding.interval.marks(finding.interval.tolerance) == marks


def test_the_change_is_told_in_percent_or_else_in_the_unit() -> None:
    fraction = only(comparison=compared(change=0.184, change_low=0.09, change_high=0.27))
    seconds = only(unit="s", comparison=compared(change=None, shift=0.012, shift_low=-0.0004, shift_high=0.02))
    counted = only(
        comparison=compared(
            change=None,
            shift=0.035,
            shift_low=0.01,
            shift_high=0.06,
            counts={"baseline_events": 0.0, "baseline_total": 900.0, "canary_events": 7.0, "canary_total": 200.0, "dispersion": 1.0},
        )
    )

    assert fraction.change_text == "+18% [+9%, +27%]"
    assert seconds.change_text == "+12 ms [-0.4 ms, +20 ms]"
    assert counted.change_text == "+3.5 pp [+1 pp, +6 pp]"
    assert counted.counts == "baseline 0 of 900, canary 7 of 200"


def test_a_comparison_without_an_interval_shows_its_point_only() -> None:
    assert only(comparison=compared(change=0.1, change_low=None, change_high=None)).change_text == "+10%"
    assert only(comparison=None).change_text == "–"


def test_labels_belong_to_the_title_and_pick_the_samples() -> None:
    of = {"route": "/b"}
    base = judged(result("m", "pass", "", labels=of))
    base["samples"] = [
        {"metric": "m", "labels": {"route": "/a"}, "baseline": {"t": [0], "v": [1]}, "canary": {"t": [], "v": []}},
        {"metric": "m", "labels": of, "baseline": {"t": [0], "v": [2]}, "canary": {"t": [], "v": []}},
    ]

    finding = findings(base)[0]

    assert finding.title == 'm{route="/b"}'
    assert finding.baseline == [[(0.0, 2.0)]]


def test_a_limit_on_the_canary_alone_has_bounds_and_no_margin() -> None:
    finding = only(tolerance="at least 2 s, at most 5 s", comparison=compared())

    assert finding.bounds == (2.0, 5.0)
    assert finding.interval.tolerance is None
    assert finding.accepted == "min 2 s, max 5 s"


def test_a_record_with_next_to_nothing_in_it_is_read() -> None:
    assert findings({}) == []
    assert findings({"verdict": {"results": [{}]}})[0].meaning == "error"
