"""The archive on both stores: what is kept, and how it is listed."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from judge.archive import Archive, open_archive
from judge.archive.types import Wanted
from judge.errors import ArchiveError, VerdictNotFound
from tests.archive.records import asked, ids
from tests.reports.sample import record


def test_a_record_comes_back_as_it_was_kept(archive: Archive) -> None:
    kept = record(verdict_id="01A")

    assert archive.keep(kept) == "01A"
    assert archive.get("01A") == kept
    assert archive.answer(kept["question"]) == kept


def test_a_record_outlives_the_process_that_kept_it(archive: Archive, url: str) -> None:
    archive.keep(record(verdict_id="01A"))
    archive.close()

    with closing(open_archive(url)) as reopened:
        assert reopened.get("01A") == record(verdict_id="01A")
        reopened.ping()


def test_a_closed_archive_opens_again_on_use(archive: Archive) -> None:
    archive.keep(record(verdict_id="01A"))
    archive.close()

    assert ids(archive.list()) == ["01A"]


def test_the_second_to_answer_a_question_gets_the_first_ones_id(archive: Archive) -> None:
    first, second = record(verdict_id="01A"), record("pass", verdict_id="01B")

    assert archive.keep(first) == "01A"
    assert archive.keep(second) == "01A"
    assert archive.answer(first["question"]) == first
    assert ids(archive.list()) == ["01A"]


def test_keeping_a_reusable_record_twice_changes_nothing(archive: Archive) -> None:
    assert [archive.keep(record(verdict_id="01A")) for _ in range(2)] == ["01A", "01A"]
    assert ids(archive.list()) == ["01A"]


def test_a_record_that_is_not_reusable_is_kept_but_answers_nobody(archive: Archive) -> None:
    once = record(verdict_id="01A", reusable=False)

    assert archive.keep(once) == "01A"
    assert archive.answer(once["question"]) is None
    assert archive.keep(record(verdict_id="01B")) == "01B"
    assert archive.get("01A") == once


def test_an_id_is_not_given_twice(archive: Archive) -> None:
    archive.keep(asked("01A", 1.0))

    with pytest.raises(ArchiveError, match="keeps this verdict already"):
        archive.keep(asked("01A", 2.0))


def test_a_row_holds_what_a_list_shows_and_no_samples(archive: Archive) -> None:
    archive.keep(record(verdict_id="01A"))

    assert archive.list() == [
        {
            "id": "01A",
            "asked_at": 1_763_629_860.0,
            "config": "http-service",
            "rollout": "shop",
            "baseline": "6f9c7b8d5",
            "canary": "7d4b9c6f8",
            "verdict": "fail",
            "score": 0.0,
            "look": 7,
            "reason": "error-ratio +620% (limit +25% and 0.1 pp), 98% interval +540% to +700%, counts p=0.0004",
            "looks": 20,
            "service": "shop",
            "namespace": "default",
            "judge": "mann-whitney",
            "window_start": 1_763_628_000.0,
            "window_end": 1_763_629_800.0,
            "label": None,
            "replayed": False,
        }
    ]


def test_the_list_is_newest_first_and_its_last_id_asks_for_the_next_page(archive: Archive) -> None:
    for verdict_id, at in [("01B", 20.0), ("01A", 10.0), ("01D", 30.0), ("01C", 30.0), ("01E", 40.0)]:
        archive.keep(asked(verdict_id, at))

    assert ids(archive.list()) == ["01E", "01D", "01C", "01B", "01A"]
    assert ids(archive.list(limit=2)) == ["01E", "01D"]
    assert ids(archive.list(limit=2, before="01D")) == ["01C", "01B"]
    assert ids(archive.list(before="01A")) == []
    assert archive.list(limit=0) == archive.list(limit=-1) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({"config": "grpc"}, ["01C", "01B"], id="by config"),
        pytest.param({"rollout": "pay"}, ["01C"], id="by rollout"),
        pytest.param({"config": "grpc", "rollout": "shop"}, ["01B"], id="both must hold"),
        pytest.param({"verdict": "fail"}, ["01C", "01B", "01A"], id="by verdict"),
        pytest.param({"verdict": "pass"}, [], id="none of this verdict"),
        pytest.param({"config": "grpc' OR '1'='1"}, [], id="quotes are only text"),
        pytest.param({"config": "grpc", "before": "01C"}, ["01B"], id="filter and page"),
    ],
)
def test_the_list_is_filtered(archive: Archive, wanted: dict[str, str], found: list[str]) -> None:
    archive.keep(asked("01A", 10.0))
    archive.keep(asked("01B", 20.0, config="grpc"))
    archive.keep(asked("01C", 30.0, config="grpc", rollout="pay"))

    filters = {key: value for key, value in wanted.items() if key != "before"}

    assert ids(archive.list(before=wanted.get("before"), wanted=Wanted(**filters))) == found


@pytest.mark.parametrize("find", [lambda a: a.get("01Z"), lambda a: a.list(before="01Z")], ids=["get", "list before"])
def test_an_unknown_id_is_not_found(archive: Archive, find: Any) -> None:
    with pytest.raises(VerdictNotFound, match="no verdict has the id '01Z'"):
        find(archive)


def test_awkward_text_is_kept_and_found(archive: Archive) -> None:
    awkward = asked("01A", 1.0, rollout="shop\0|'é☃\ud800")
    archive.keep(awkward)

    assert archive.get("01A") == awkward
    assert ids(archive.list(wanted=Wanted(rollout="shop\0|'é☃\ud800"))) == ["01A"]


def test_a_verdict_without_a_window_is_kept(archive: Archive) -> None:
    archive.keep(record(verdict_id="01A", window=None, traffic=None))

    assert archive.list()[0]["look"] is None


def test_a_record_that_is_not_strict_json_is_refused(archive: Archive) -> None:
    with pytest.raises(ArchiveError, match="record of verdict 01A is not strict JSON"):
        archive.keep(record(verdict_id="01A", asked_at=float("nan")))
    assert archive.list() == []


def test_none_keeps_nothing() -> None:
    archive = open_archive("none")
    archive.ping()

    assert archive.keep(record(verdict_id="01A")) == "01A"
    assert archive.answer(record()["question"]) is None
    assert archive.list() == []
    with pytest.raises(VerdictNotFound, match="no archive"):
        archive.get("01A")
    archive.close()
