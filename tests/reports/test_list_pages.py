"""The list, a canary's looks, configs, messages: what they show, where they lead, what they say where there is nothing."""

from __future__ import annotations

from typing import Any

import pytest

from judge.archive.scorecard import scores
from judge.archive.types import ConfigTally, MetricTally
from judge.reports.list_pages import config_page, configs_page, message_page, rollout_page, verdicts_page
from tests.reports.html import checked, links, text_of
from tests.reports.sample import record


def row(**changed: Any) -> dict[str, Any]:
    return {
        "id": "01JD",
        "asked_at": 1_763_629_860.0,
        "config": "http-service",
        "rollout": "shop",
        "baseline": "6f9c7b8d5",
        "canary": "7d4b9c6f8",
        "verdict": "fail",
        "score": 50.0,
        "look": 7,
        "looks": 20,
        "reason": "latency-p99 +18%",
        "service": "shop",
        "namespace": None,
        "window_end": 1_763_629_800.0,
        "label": None,
    } | changed


TALLY = ConfigTally(
    config="http-service",
    verdicts={"pass": 3, "fail": 1},
    labels={"right": 1},
    oldest=1_763_620_000.0,
    newest=1_763_629_860.0,
    metrics=(
        MetricTally(metric="error-ratio", group="errors", critical=True, classifications={"pass": 3, "high": 1}, fired_at=1_763_629_860.0),
        MetricTally(metric="memory", group="", critical=False, classifications={"undecided": 3, "nodata": 1}),
    ),
)
LABELLED = [
    {"asked_at": 1_763_629_860.0, "config": "http-service", "verdict": "fail", "label": "right", "metrics": {"error-ratio": "high"}}
]


def test_the_list_leads_to_each_verdict_its_config_and_its_canary() -> None:
    html = verdicts_page([row(), row(id="01/..", verdict="pass", score=100.0, label="wrong")], public_url="/judge/")
    found = links(html)

    assert "/judge/verdicts/01JD" in found
    assert "/judge/verdicts/01%2F.." in found
    assert "/judge/configs/http-service" in found
    assert "/judge/rollout?config=http-service&rollout=shop&baseline=6f9c7b8d5&canary=7d4b9c6f8&service=shop" in found
    assert "✖ fail http-service shop 2025-11-20 09:11:00 50/100 7/20 7d4b9c6f8 against 6f9c7b8d5 latency-p99 +18%" in text_of(html)
    assert "100/100 7/20 7d4b9c6f8 against 6f9c7b8d5 wrong" in text_of(html)


def test_the_list_goes_on_with_its_filters_and_shows_them() -> None:
    html = verdicts_page([row()], older="01JD", filters={"config": "a&b", "verdict": "", "since": "2d", "until": "1d"}, configs=["a&b"])

    assert "/?config=a%26b&since=2d&until=1d&before=01JD" in links(html)
    assert "Only config a&amp;b , since 2d , until 1d . Show all" in text_of(html)
    assert '<option value="2d" selected>since 2d</option>' in html
    assert '<input type="hidden" name="until" value="1d">' in html
    assert '<input name="config" value="a&amp;b" autocomplete="off" list="configs">' in html


def test_only_the_newest_page_of_the_list_is_loaded_again() -> None:
    assert 'data-live="10"' in verdicts_page([row()])
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in verdicts_page([row()])
    older = verdicts_page([row()], newest=False)
    assert "data-live=" not in older.partition("<script>")[0]
    assert "Newest verdicts" in text_of(older)


def test_a_verdict_without_a_score_or_rollout_is_listed() -> None:
    html = verdicts_page(
        [row(score=None, rollout=None, service=None, look=None, verdict="inconclusive", baseline=None, canary=None, asked_at=None)]
    )

    assert "? inconclusive http-service latency-p99 +18%" in text_of(html)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({}, "No verdict yet A verdict appears here as soon as a canary is judged.", id="no verdicts at all"),
        pytest.param({"filters": {"config": "x"}}, "No verdict matches. Every filter must hold", id="none that match"),
        pytest.param({"newest": False}, "There are no older verdicts.", id="none before this one"),
    ],
)
def test_an_empty_list_says_what_to_do(changes, said) -> None:
    html = verdicts_page([], **changes)

    checked(html)
    assert said in text_of(html)


def test_a_canary_is_told_look_by_look() -> None:
    first, second = record("pass", verdict_id="01A"), record(verdict_id="01B")
    rows = [row(id="01A", verdict="pass", look=1), row(id="01B", look=2)]
    html = rollout_page(rows, records=[first, second], asked={"canary": "7d4b9c6f8", "baseline": "6f9c7b8d5"})

    page = checked(html)
    assert "http-service : canary 7d4b9c6f8 against 6f9c7b8d5 ✖ fail score 50/100 look 2 of 20" in text_of(html)
    assert [one["href"] for one in page.all("a") if one.get("class") in {"pass", "fail"}][:2] == ["/verdicts/01A", "/verdicts/01B"]
    assert "error-ratio critical ✔ pass ✖ high" in text_of(html)
    assert 'data-live="10"' in html


def test_a_canary_that_is_not_kept_says_so() -> None:
    html = rollout_page([], asked={"canary": "7d4b9c6f8"})

    checked(html)
    assert "No look at this canary is kept canary 7d4b9c6f8 : no verdict on it is in the archive." in text_of(html)


def test_a_metric_that_a_look_did_not_have_is_not_there() -> None:
    early, late = record("pass", verdict_id="01A"), record(verdict_id="01B")
    early["verdict"]["results"] = [one for one in early["verdict"]["results"] if one["name"] != "error-ratio"]

    html = rollout_page([row(id="01A"), row(id="01B")], records=[early, late], asked={"canary": "7d4b9c6f8"})

    assert "error-ratio critical not there ✖ high" in text_of(html)


def test_configs_are_listed_with_what_became_of_them() -> None:
    html = configs_page([TALLY], served=["http-service", "unused"])

    checked(html)
    assert "http-service 4 ✔ 3 pass ✖ 1 fail 1 / 0 2025-11-20 09:11:00" in text_of(html)
    assert {"/configs/http-service", "/configs/unused", "/?config=http-service&verdict=fail"} <= set(links(html))
    assert "Nothing to add up" in text_of(configs_page([]))


def test_a_config_tells_how_often_each_metric_fired_and_was_right() -> None:
    html = config_page(TALLY, scores=scores(LABELLED), description="Errors and memory.")

    checked(html)
    seen = text_of(html)
    assert "http-service Errors and memory." in seen
    assert "error-ratio critical errors 4 25% (1) 0% (0) 0% (0) 2025-11-20 09:11:00 100% (1 of 1) 100% (1 of 1)" in seen
    assert "memory 4 0% (0) 75% (3) 25% (1) never – –" in seen
    assert "1 labelled verdict: 1 right, 0 wrong. Precision of its fails 100% (1 of 1)" in seen
    assert "2025-11 1 100% (1 of 1)" in seen


@pytest.mark.parametrize(
    ("tally", "current", "said"),
    [
        pytest.param(ConfigTally(config="new"), True, "It has not been asked for yet", id="never asked"),
        pytest.param(ConfigTally(config="nwe"), False, "Check the spelling: all configs .", id="never there"),
        pytest.param(TALLY, False, "This judge serves no config of this name now", id="gone"),
        pytest.param(TALLY, True, "None of its verdicts is labelled", id="no labels"),
    ],
)
def test_a_config_without_more_says_what_to_do(tally, current, said) -> None:
    html = config_page(tally, current=current)

    checked(html)
    assert said in text_of(html)


def test_a_message_says_what_is_wrong_where_and_what_to_do() -> None:
    html = message_page("No", ["It is broken."], faults=[("verdict", "unknown verdict 'bad'"), ("", "more")], do=["Mend it."])

    checked(html)
    assert "No It is broken. verdict unknown verdict &#39;bad&#39; here more What to do Mend it. Recent verdicts" in text_of(html)
