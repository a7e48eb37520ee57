"""What is in the pictures of a page: time with its bands and marks, evidence look by look, how values are spread."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from judge.reports.charts.distribution import distribution
from judge.reports.charts.evidence_by_look import evidence, steps
from judge.reports.charts.time_series import times
from judge.reports.decision_text import against_level, decided, missing
from judge.reports.verdict_page import Around, verdict_page
from judge.reports.view_model import findings
from judge.sources.prometheus.settings import PrometheusSettings
from tests.reports.html import svgs, text_of
from tests.reports.sample import START, STEP, record


def at_look(number: int, *, p: float = 0.2, classification: str = "undecided", change: float = 0.1, width: float = 0.2) -> dict[str, Any]:
    """The sample's record as it might have been at an earlier look."""
    found = copy.deepcopy(record(verdict_id=f"01LOOK{number}"))
    found["window"] |= {"look": number, "end": START + 4 * number * STEP}
    found["asked_at"] = found["window"]["end"] + 5
    latency = found["verdict"]["results"][2]
    latency |= {"classification": classification, "decision": {"test": "whole", "p": p, "level": 0.01 * number, "look": number, "of": 20}}
    latency["comparison"] |= {"change": change, "change_low": change - width, "change_high": change + width, "pvalue_directed": p}
    return found


LOOKS = [at_look(1), at_look(2, width=0.1, p=0.05), at_look(3, width=0.05, p=0.0001, classification="high", change=0.18)]


def row(of: dict[str, Any]) -> dict[str, Any]:
    window = of["window"]
    return {
        "id": of["id"],
        "asked_at": of["asked_at"],
        "look": window["look"],
        "window_end": window["end"],
        "verdict": "fail",
        "canary": "c",
    }


PAGE = verdict_page(LOOKS[-1], around=Around(looks=[row(one) for one in LOOKS], records=LOOKS))


def test_the_warm_up_is_shaded_before_the_window() -> None:
    first = svgs(PAGE, "series")[1]
    warm = first.find(".//rect[@class='warm']")

    assert float(warm.get("x")) == 0.0
    assert float(warm.get("width")) > 10
    assert "warm-up, not judged" in text_of(PAGE)


@pytest.mark.parametrize(
    ("changes", "shaded"),
    [
        pytest.param({}, True, id="judged from the end of the warm-up"),
        pytest.param({"first_sample": None}, False, id="the first sample is not known"),
        pytest.param({"warmup": 0.0}, False, id="no warm-up"),
        pytest.param({"first_sample": START - 86_400}, False, id="warm long before the window"),
    ],
)
def test_only_a_warm_up_that_ends_where_the_window_begins_is_shown(changes, shaded) -> None:
    base = record()
    base["window"] |= changes

    assert (times(base).warm is not None) == shaded


def test_a_warm_up_that_is_longer_than_the_window_is_cut() -> None:
    base = record()
    base["window"] |= {"warmup": 36_000.0, "first_sample": START - 36_000.0}

    assert times(base).warm == (START - 0.2 * 30 * STEP, START)


def test_gaps_are_shaded_and_counted() -> None:
    gaps = svgs(PAGE, "series")[1].findall(".//rect[@class='gap canary']")

    assert len(gaps) == 1
    assert "gaps without samples: canary 1 (6 min)" in text_of(PAGE)


def test_earlier_looks_are_marked_with_their_numbers_and_this_one_is_not() -> None:
    picture = svgs(PAGE, "series")[1]

    assert len(picture.findall(".//line[@class='look']")) == 2
    assert [name.text for name in picture.findall(".//text[@class='tick name']")] == ["warm-up", "1", "2"]


def test_many_looks_are_marked_and_some_of_them_named() -> None:
    rows = [{"id": str(n), "asked_at": 0.0, "look": n, "window_end": START + 10 * n} for n in range(1, 101)]
    picture = svgs(verdict_page(record(), around=Around(looks=rows)), "series")[0]

    assert len(picture.findall(".//line[@class='look']")) == 100
    assert len(picture.findall(".//text[@class='tick name']")) == 1 + 10


def test_the_samples_are_beside_the_picture_for_the_script() -> None:
    picture = svgs(PAGE, "series")[1]
    rows = [entry.split(",") for entry in picture.get("data-samples").split()]

    assert len(rows) == 31
    assert picture.get("data-unit") == "ms"
    assert float(picture.get("data-factor")) == 1000.0
    assert float(picture.get("data-from")) + float(rows[0][0]) == START
    assert [entry for entry in rows if entry[2] == ""] == rows[12:17]


def test_evidence_has_a_point_a_look_whose_form_says_what_was_found() -> None:
    picture = svgs(PAGE, "evidence")[1]
    forms = [one.get("class") for one in picture if one.get("class") in {"interval ring undecided", "interval high"} and one.tag != "line"]

    assert forms == ["interval ring undecided", "interval ring undecided", "interval high"]
    assert len(picture.findall("circle[@class='p']")) == 3
    assert len(picture.findall("line[@class='level']")) == 3
    assert picture.get("aria-label").startswith("latency-p99, look by look: from +10% [-10%, +30%] at look 1 to +18% [+13%, +23%]")


def test_a_p_under_its_level_lies_under_it_in_the_picture() -> None:
    picture = svgs(PAGE, "evidence")[1]
    p = [float(one.get("cy")) for one in picture.findall("circle[@class='p']")]
    level = [float(one.get("y1")) for one in picture.findall("line[@class='level']")]

    assert [below > bar for below, bar in zip(p, level, strict=True)] == [False, False, True]


def test_evidence_is_a_table_too() -> None:
    seen = text_of(PAGE)

    assert "1 08:44:00 ? undecided +10% [-10%, +30%] 0.2 &gt; 0.01 31/26" in seen
    assert "3 08:52:00 ✖ high +18% [+13%, +23%] 0.0001 ≤ 0.03 31/26" in seen


def test_a_page_of_one_look_says_so() -> None:
    html = verdict_page(record())

    assert not svgs(html, "evidence")
    assert "This page knows of one look alone" in text_of(html)


def test_looks_that_measured_otherwise_are_left_out_of_the_picture() -> None:
    before = copy.deepcopy(LOOKS[0])
    before["verdict"]["results"][2]["comparison"] |= {"change": None, "shift": 0.1}
    told = steps([before, LOOKS[2]], "x")[("latency-p99", "[]")]

    assert evidence("latency-p99", told) == ""
    assert evidence("latency-p99", told[:1]) == ""
    assert evidence("latency-p99", []) == ""


def test_both_sides_are_spread_over_one_axis() -> None:
    picture = svgs(PAGE, "distribution")[1]

    assert len(picture.findall("path")) == 2
    assert picture.get("aria-label").startswith("latency-p99, how the values are spread: baseline median 6")


def test_a_value_far_away_is_counted_at_the_edge() -> None:
    base = record()
    base["samples"][2]["canary"]["v"][0] = 900.0
    finding = next(one for one in findings(base) if one.title == "latency-p99")

    drawn = distribution(finding)
    assert "1 above" in drawn
    assert "900" not in drawn


def test_a_side_without_samples_is_named() -> None:
    finding = next(one for one in findings(record()) if one.title == "cache-hit-ratio")

    assert ">no samples</text>" in distribution(finding)


def test_one_sample_is_no_distribution() -> None:
    finding = next(one for one in findings(record()) if one.title == "oom-kills")

    assert distribution(finding) == ""


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({}, ""),
        ({"decision": None}, ""),
        ({"decision": {"test": "healed", "p": 1.0, "level": None, "look": 3, "of": 4}}, "healed since, look 3 of 4"),
        ({"decision": {"test": "of another version", "look": 0, "of": 0}}, "of another version"),
    ],
)
def test_the_test_that_decided_is_named(result, said) -> None:
    assert decided(result) == said


@pytest.mark.parametrize(
    ("p", "level", "said"), [(None, 0.01, "–"), (1e-9, 0.01, "<0.0001 ≤ 0.01"), (0.01, 0.01, "0.01 ≤ 0.01"), (0.02, 0.01, "0.02 > 0.01")]
)
def test_a_p_stands_beside_its_level(p, level, said) -> None:
    assert against_level(p, level) == said


@pytest.mark.parametrize(
    ("wait", "said"),
    [
        (None, ""),
        ({"samples": 1.0, "seconds": 15.0, "requests": 0.0}, "about 1 more sample, 15 s"),
        ({"samples": 40.0, "seconds": 600.0, "requests": 12_345.6}, "about 40 more samples (12,346 more requests on the canary), 10 min"),
        ({"samples": None, "seconds": None}, "waiting does not help: the change lies too near a margin"),
    ],
)
def test_what_is_missing_is_said_with_the_time_it_takes(wait, said) -> None:
    assert missing({"wait": wait}) == said


@pytest.mark.parametrize(
    "address",
    [
        "",
        None,
        7,
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://prom/",
        "//prom",
        "http://",
        "http://user:secret@prom:9090",
        "http://prom:9090\\@evil/",
        "http://prom:9090/?x=1",
        "http://prom:9090/#x",
        'http://prom"onclick="x',
        "http://prom:99999999",
        "http://prom\n/",
        "http://pröm/",
    ],
)
def test_only_a_plain_web_address_is_linked(address) -> None:
    assert PrometheusSettings.query_page({"url": address}, "up", start=0.0, end=1.0, step=15.0) == ""


@pytest.mark.parametrize("address", ["http://prom:9090", "https://prom.example/prometheus/", "http://[::1]:9090", "http://10.0.0.1"])
def test_a_query_is_opened_over_the_judged_window(address) -> None:
    link = PrometheusSettings.query_page({"url": address}, 'x{a="&#<>"}', start=START, end=START + 1800, step=15.0)

    assert link.startswith(f"{address.rstrip('/')}/graph?g0.expr=x%7Ba%3D%22%26%23%3C%3E%22%7D&")
    assert "g0.range_input=1800s&g0.end_input=2025-11-20+09%3A10%3A00&g0.step_input=15" in link


def test_a_query_that_is_too_long_for_an_address_is_not_linked() -> None:
    assert PrometheusSettings.query_page({"url": "http://prom:9090"}, "x" * 7000, start=None, end=None, step=None) == ""
