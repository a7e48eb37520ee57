"""JUnit XML: every verdict is a suite that a CI system can read, whatever the names hold."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from judge.cli.main import cli
from judge.reports.formats import FORMATS
from judge.reports.junit import broken, suite
from tests.demo_service import DEMO

JUNIT = FORMATS["junit"]


def result(name="latency", classification="pass", reason="fine", **more):
    return {"name": name, "classification": classification, "reason": reason, "labels": {}, "weight": 50.0, **more}


def record(*results, verdict="pass", reason="all well", **more):
    request = {"config": "shop", "baseline": "aaa", "canary": "bbb", "rollout": ""}
    window = {"start": 0.0, "end": 900.0, "look": 7, "of": 20}
    found = {"verdict": verdict, "reason": reason, "score": 50.0, "judge": "sequential", "warnings": [], "results": list(results)}
    return {"id": "01J", "request": request, "window": window, "verdict": {**found, **more}, "samples": []}


def suites(text):
    whole = fromstring(text.encode())
    assert whole.tag == "testsuites"
    return list(whole)


@pytest.mark.parametrize(
    ("classification", "kind"),
    [
        ("pass", None),
        ("high", "failure"),
        ("low", "failure"),
        ("undecided", "skipped"),
        ("nodata", "skipped"),
        ("error", "error"),
        ("?", "error"),
    ],
)
def test_each_classification_is_what_a_ci_system_shows(classification, kind):
    (found,) = suites(JUNIT.alone(record(result(classification=classification, reason="why & how"))))

    case = found.find("testcase[@name='latency']")
    kinds = [child.tag for child in case if child.tag != "system-out"]
    assert kinds == ([] if kind is None else [kind])
    if kind is not None:
        assert (case[0].get("type"), case[0].get("message")) == (classification, "why & how")


@pytest.mark.parametrize(
    ("verdict", "kind"), [("pass", None), ("fail", "failure"), ("marginal", "skipped"), ("inconclusive", "skipped"), ("error", "error")]
)
def test_the_verdict_is_a_test_of_its_own(verdict, kind):
    (found,) = suites(JUNIT.alone(record(verdict=verdict, reason="because")))

    case = found.find("testcase[@name='verdict']")
    assert [child.tag for child in case if child.tag != "system-out"] == ([] if kind is None else [kind])


def test_the_counts_are_those_of_the_cases():
    found = record(result(), result("b", "high"), result("c", "undecided"), result("d", "error"), verdict="fail", warnings=["unlike load"])
    (made,) = suites(JUNIT.alone(found))

    assert {name: made.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "5",
        "failures": "2",
        "errors": "1",
        "skipped": "1",
    }
    assert made.get("timestamp") == "1970-01-01T00:15:00"
    assert {each.get("name"): each.get("value") for each in made.find("properties")}["look"] == "7 of 20"
    assert made.findtext("system-out") == "warning: unlike load"


@given(st.text(), st.text())
def test_no_name_and_no_reason_breaks_the_document(name, reason):
    text = JUNIT.alone(record(result(name, "high", reason), verdict="fail", reason=reason))

    assert len(suites(text)[0].findall("testcase")) == 2
    assert suites("\n".join((JUNIT.opening, broken(name, reason), suite(record()), JUNIT.closing)))[0].get("errors") == "1"


def test_many_canaries_are_one_document_a_broken_one_among_them(tmp_path):
    file = tmp_path / "broken.jsonl"
    file.write_text('{"id": "torn", "metrics": 7}\n', encoding="utf-8")

    done = CliRunner().invoke(cli, ["score", str(DEMO / "canaries.jsonl.gz"), str(file), "--format", "junit"])

    found = suites(done.stdout)
    assert [each.get("errors") for each in found][-1] == "1"
    assert {each.find("testcase").get("name") for each in found} == {"verdict"}
    assert len(found) >= 3
