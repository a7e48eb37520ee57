"""One question has one answer, one id and one whole record, whether HTTP, `judge run`, a notebook or a dump asks it."""

from __future__ import annotations

import json

import pytest

from judge import notebook
from judge.verdicts.service import Service
from tests.demo_service import DEMO
from tests.one_question import HEALTHY, PERIOD, by_fetch, by_http, by_notebook, by_run

WHOLE = {"question", "settings", "versions", "source", "config", "config_digest", "request", "window", "samples", "verdict"}


@pytest.fixture(params=["sqlite", "none"])
def archive_url(request, tmp_path, monkeypatch):
    """An archive that everybody uses, and none."""
    url = "none" if request.param == "none" else f"sqlite:///{tmp_path / 'judge.sqlite'}"
    monkeypatch.setenv("JUDGE_CONFIG_DIR", str(DEMO))
    monkeypatch.setenv("JUDGE_ARCHIVE_URL", url)
    monkeypatch.chdir(tmp_path)
    return url


def test_a_question_that_is_asked_twice_has_one_id(archive_url):
    assert by_run(**PERIOD)["id"] == by_run(**PERIOD)["id"]


def test_everybody_gets_the_id_of_the_first_answer(archive_url, tmp_path):
    if archive_url == "none":
        pytest.skip("HTTP gives each request an id of its own; without an archive no later one can know it")
    first = by_http(archive_url, **PERIOD)["id"]

    assert by_run(**PERIOD)["id"] == first
    assert by_notebook(**PERIOD)["id"] == first
    assert by_fetch(tmp_path / "saved.jsonl.gz", **PERIOD)["id"] == first
    assert by_http(archive_url, **PERIOD)["id"] == first


def test_run_a_notebook_and_the_score_of_the_dump_agree_on_the_whole_record(archive_url, tmp_path):
    ran = by_run(**PERIOD)
    live = by_notebook(**PERIOD)
    scored = by_fetch(tmp_path / "saved.jsonl.gz", **PERIOD)

    assert ran["id"] == live["id"] == scored["id"]
    assert [name for name in WHOLE if not live[name]] == []
    assert [name for name in WHOLE if not scored[name]] == []
    assert live["settings"]["source"]["name"] == "default"
    differs = {name for name in live if json.dumps(live[name]) != json.dumps(scored[name])}
    # A file may say anything, so it answers no live question. Without an archive each asks at its own time.
    assert differs - {"asked_at"} == {"reusable"}
    assert archive_url == "none" or "asked_at" not in differs


def test_a_dump_of_another_origin_has_a_whole_record_too():
    first, again = notebook.score(DEMO / "canaries.jsonl.gz"), notebook.score(DEMO / "canaries.jsonl.gz")

    assert [name for record in first for name in WHOLE if not record[name]] == []
    assert [record["question"] for record in first] == [record["question"] for record in again]
    assert len({record["question"] for record in first}) == len(first)


def test_another_judge_is_another_question_and_is_in_the_record(tmp_path, archive_url):
    from judge.sources.dumps.read import load_dump
    from judge.verdicts.rejudge import rejudge
    from judge.verdicts.score_dump import score_dump

    dump = load_dump(DEMO / "canaries.jsonl.gz")[1]
    own, other = score_dump(dump), score_dump(dump, judge="mann-whitney")

    assert own["question"] != other["question"]
    assert other["settings"]["judge"] == other["verdict"]["judge"] == "mann-whitney"
    assert rejudge(other).is_identical


def test_a_live_question_is_asked_of_the_service_alone(monkeypatch, archive_url):
    asked = []
    real = Service.ask

    def noted(self, raw, **more):
        asked.append(raw["canary"])
        return real(self, raw, **more)

    monkeypatch.setattr(Service, "ask", noted)
    by_run(**PERIOD)
    by_notebook(**PERIOD)
    by_http(archive_url, **PERIOD)

    assert asked == [HEALTHY["canary"]] * 3
