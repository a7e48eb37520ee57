"""Whatever stands in a record, a row or a tally: the page is whole, runs nothing of it and shows it as text."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from judge.archive.types import ConfigTally, MetricTally
from judge.reports.list_pages import config_page, configs_page, message_page, rollout_page, verdicts_page
from judge.reports.verdict_page import Around, verdict_page
from tests.reports.html import checked
from tests.reports.sample import record

PIECES = st.sampled_from(
    [
        "<script>alert(1)</script>",
        "</script>",
        "</style>",
        "</title>",
        "<!--",
        "]]>",
        "<svg onload=alert(1)>",
        "<img src=x onerror=alert(1)>",
        '" onfocus="alert(1)" autofocus="',
        "' onclick='alert(1)",
        "javascript:alert(1)",
        "{{ 7 * 7 }}",
        "{% raw %}",
        "&lt;b&gt;",
        "&#60;b&#62;",
        "\x00",
        "\u202e",
        "\ud800",
        "\u2028",
        "%",
        "../..",
    ]
)
NASTY = st.one_of(st.lists(PIECES, min_size=1, max_size=4).map("".join), st.text(max_size=20))
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])


def poisoned(text: str) -> dict[str, Any]:
    """The sample's record with this text wherever somebody may have written something."""
    base = copy.deepcopy(record())
    base["id"] = text
    base["request"] |= {
        "config": text,
        "rollout": text,
        "baseline": text,
        "canary": text,
        "scope": text,
        "args": {text: text, "service": text},
    }
    base["verdict"] |= {
        "verdict": text,
        "reason": text,
        "warnings": [text],
        "judge": text,
        "groups": [{"name": text, "weight": 1.0, "score": 1.0}],
    }
    base |= {"source": {"url": text, text: text}, "versions": {text: text}, "config": {"name": text, text: [text]}, "warnings": [text]}
    base["settings"] = {text: {text: text}}
    base["conditions"] = {side: {"pods": 1.0, "age": 2.0, "places": {text: 1.0}} for side in ("baseline", "canary")}
    for one, sample in zip(base["verdict"]["results"], base["samples"], strict=True):
        words = dict.fromkeys(("reason", "group", "tolerance", "must_detect", "unit", "direction", "classification"), text)
        named = {"labels": {text: one["name"]}, "name": text, "queries": {text: text}, "warnings": [text]}
        one.update(words, **named, decision={"test": text, "p": 0.1, "level": 0.2, "look": 1, "of": 2})
        sample.update(metric=text, labels=one["labels"])
    return base


def row(text: str) -> dict[str, Any]:
    names = ("id", "config", "rollout", "baseline", "canary", "verdict", "reason", "service", "namespace", "label")
    return dict.fromkeys(names, text) | {"asked_at": 1.0, "score": 1.0, "look": 1, "looks": 2, "window_end": 1.0}


@pytest.mark.extended
@FEW
@given(NASTY)
def test_a_verdict_shows_it_as_text(text) -> None:
    base = poisoned(text)
    label = {"label": text, "by": text, "why": text, "at": 1.0}
    around = Around(looks=[row(text), row(text)], records=[base, base], labels=[label, label], may_label=True, no_dump=text)

    for public_url in ("", "/"):
        page = checked(verdict_page(base, public_url=public_url, around=around))
        assert len(page.all("script")) == (2 if public_url else 1)
        assert len(page.all("style")) == 1
        assert not page.all("b")


@FEW
@given(NASTY)
def test_every_other_page_shows_it_as_text(text) -> None:
    metric = MetricTally(metric=text, group=text, critical=True, classifications={text: 1})
    tally = ConfigTally(config=text, verdicts={text: 1}, labels={text: 1}, metrics=(metric,), oldest=1.0, newest=1.0)
    asked = dict.fromkeys(("config", "rollout", "canary", "baseline"), text)
    filters = dict.fromkeys(("config", "service", "since", "until", "verdict", "label"), text)
    pages = [
        verdicts_page([row(text)], older=text, filters=filters, configs=[text]),
        verdicts_page([], filters=filters),
        rollout_page([row(text)], records=[poisoned(text)], asked=asked),
        rollout_page([], asked=asked),
        configs_page([tally], served=[text, f"{text}2"]),
        config_page(tally, description=text, current=False),
        message_page(text, [text], faults=[(text, text)], do=[text]),
    ]

    for html in pages:
        page = checked(html)
        assert len(page.all("script")) == 2
        assert len(page.all("style")) == 1
        assert not page.all("b")


def test_the_page_s_own_scripts_cannot_be_ended_early() -> None:
    """What ends a script or hides it in a comment must not stand in one."""
    from judge.reports.html import _asset

    for name in ("report.js", "service.js"):
        assert not any(text in _asset(name).lower() for text in ("</script", "<!--", "<script"))
    assert "</style" not in _asset("style.css").lower()
