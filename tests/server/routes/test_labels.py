"""Labels and filters over HTTP, and a verdict that could not be kept."""

from __future__ import annotations

import json
import sqlite3
import threading
from contextlib import closing

import pytest

from judge.archive import NoArchive, open_archive
from judge.archive.filters import FILTERS
from judge.errors import ArchiveError
from judge.server.app import create_app
from judge.verdicts.service import Service
from tests.demo_service import NOW

WRONG = {"label": "wrong", "by": "ann", "why": "<i>the load test</i> ran"}


@pytest.fixture
def verdict(client, questions):
    """The answer about the bad canary."""
    return client.post("/v1/verdict", json=questions["bad"]).json


def test_a_verdict_is_labelled_and_the_newest_label_counts(client, verdict):
    address = f"/v1/verdicts/{verdict['id']}/labels"

    first = client.post(address, json=WRONG)
    second = client.post(address, json={"label": "right", "by": "bob"})

    kept = {**WRONG, "at": "2025-11-20T09:00:05Z"}
    assert (first.status_code, first.json) == (200, {"labels": [kept]})
    assert second.json == {"labels": [{"label": "right", "by": "bob", "why": "", "at": "2025-11-20T09:00:05Z"}, kept]}
    assert client.get(address).json == second.json
    assert [row["label"] for row in client.get("/v1/verdicts?label=right").json["verdicts"]] == ["right"]
    assert client.get("/v1/verdicts?label=wrong").json == {"verdicts": []}


@pytest.mark.parametrize(
    ("body", "path", "said"),
    [
        ({}, "label", "is missing: was the verdict right or wrong?"),
        ({"label": "maybe", "by": "ann"}, "label", "must say what the verdict was, found 'maybe'"),
        ({"label": "right"}, "by", "is missing: who says so?"),
        ({"label": "right", "by": " "}, "by", "is missing: who says so?"),
        ({"label": "right", "by": "a" * 101}, "by", "is longer than 100 characters"),
        ({**WRONG, "why": "a" * 2001}, "why", "is longer than 2000 characters"),
        ({**WRONG, "wy": "x"}, "wy", "unknown key; did you mean 'why'?"),
        ({**WRONG, "by": 7}, "by", "must be a text, found 7"),
        ({**WRONG, "label": True}, "label", "must be a text, found True"),
        ([WRONG], "", "expected a JSON object"),
        ("wrong", "", "expected a JSON object"),
    ],
)
def test_a_label_is_read_strictly(client, verdict, body, path, said):
    answer = client.post(f"/v1/verdicts/{verdict['id']}/labels", json=body)

    assert (answer.status_code, answer.json["path"]) == (400, path)
    assert said in answer.json["error"]
    assert client.get(f"/v1/verdicts/{verdict['id']}/labels").json == {"labels": []}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_what_a_page_of_another_site_could_send_is_refused(client, verdict, kind):
    answer = client.post(f"/v1/verdicts/{verdict['id']}/labels", data=json.dumps(WRONG), content_type=kind)

    assert answer.status_code == 400
    assert "Content-Type: application/json" in answer.json["error"]


@pytest.mark.parametrize("body", ["", "{", '{"label": "right", "label": "wrong"}', "[" * 100_000])
def test_a_body_that_is_no_json_is_refused(client, verdict, body):
    assert client.post(f"/v1/verdicts/{verdict['id']}/labels", data=body, content_type="application/json").status_code == 400


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_verdict_has_no_labels(client, method):
    assert client.open("/v1/verdicts/nope/labels", method=method, json=WRONG).status_code == 404


def test_without_an_archive_there_is_nothing_to_label(settings):
    client = create_app(Service(settings, NoArchive()), clock=lambda: NOW).test_client()

    answer = client.post("/v1/verdicts/nope/labels", json=WRONG)

    assert (answer.status_code, "this judge has no archive" in answer.json["error"]) == (404, True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("service=shop", 1),
        ("service=pay", 0),
        ("canary=r6cpj765v&baseline=lmbjm2z2v", 1),
        ("namespace=&rollout=&label=", 1),
        ("since=2025-11-20T09:00:05Z", 1),
        ("since=1h", 1),
        ("until=2025-11-20T09:00:05Z", 0),
        ("label=none", 1),
    ],
)
def test_the_list_is_filtered(client, verdict, query, found):
    for address in ("/v1/verdicts", "/"):
        assert client.get(f"{address}?{query}").text.count(verdict["id"]) >= found
        assert (verdict["id"] in client.get(f"{address}?{query}").text) is bool(found)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("servce=shop", "unknown filter 'servce'; did you mean 'service'?"),
        ("label=maybe", "unknown label 'maybe'"),
        ("verdict=passed", "unknown verdict 'passed'; did you mean 'pass'?"),
        ("since=yesterday", "not a time: 'yesterday'"),
        ("since=-1", "not a time"),
        ("until=9e99", "not a time"),
    ],
)
def test_wrong_filters_are_named(client, query, said):
    answer = client.get(f"/v1/verdicts?{query}")

    assert (answer.status_code, said in answer.json["error"]) == (400, True)


@pytest.mark.parametrize(
    ("query", "key"), [("servce=shop", "servce"), ("limit=0", "limit"), ("limit=5&limit=6", "limit"), ("label=x", "label")]
)
def test_wrong_filters_say_which_key_and_what_is_allowed(client, query, key):
    document = client.get(f"/v1/verdicts?{query}").json

    assert document["path"] == key
    assert document["faults"][0]["path"] == key
    assert ("service" in document["allowed"]) is (key == "servce")


def test_every_filter_is_in_the_description(client):
    [operation] = client.get("/openapi.json").json["paths"]["/v1/verdicts"].values()

    assert {parameter["name"] for parameter in operation["parameters"]} == {"limit", "before", *FILTERS}


# A verdict that could not be kept


@pytest.fixture(params=["no file", "not a database", "newer"])
def broken(request, tmp_path):
    """An archive in trouble."""
    path = tmp_path / "archive.db"
    if request.param == "no file":
        path.mkdir()
    elif request.param == "not a database":
        path.write_bytes(b"not a database " * 1000)
    else:
        with closing(sqlite3.connect(path)) as raw, raw:
            raw.executescript("CREATE TABLE judge_schema (version INTEGER PRIMARY KEY); INSERT INTO judge_schema VALUES (99);")
    with closing(open_archive(f"sqlite:///{path}", patience=0.2)) as archive:
        yield archive


def test_a_verdict_that_was_not_kept_says_so(settings, questions, broken):
    client = create_app(Service(settings, broken), clock=lambda: NOW).test_client()

    short = client.post("/v1/verdict", json=questions["bad"])
    full = client.post("/v1/verdict", json={**questions["bad"], "detail": "full"}).json

    assert (short.status_code, short.json["verdict"], short.json["report"]) == (200, "fail", "")
    assert short.json["reason"].endswith(" (this verdict was not kept)")
    assert len(short.data) < 1024
    assert full["warnings"][-1].startswith(f"this verdict was not kept: archive {broken.where}: ")
    assert client.get("/readyz").status_code == 200
    assert client.get("/readyz").json["problems"]
    assert client.get("/v1/verdicts").status_code == 503


# Retention, beside the answers


def test_the_service_deletes_what_need_not_be_kept(settings, questions, monkeypatch):
    monkeypatch.setattr("judge.verdicts.service.TIDY_SECONDS", 0.01)
    monkeypatch.setattr("judge.verdicts.service.TIDY_PAUSE", 0.01)
    with closing(open_archive(settings.archive_url)) as archive:
        service = Service(settings.model_copy(update={"archive_keep_days": 1.0}), archive)
        for number, question in enumerate(questions.values()):
            service.ask(question, id=f"01{number}", now=NOW + 86_400 * number)
        stop, emptied = threading.Event(), threading.Event()
        prune = archive.prune

        def pruned(*args, **options):
            found = prune(*args, **options)
            if not found.verdicts:
                emptied.set()
            return found

        monkeypatch.setattr(archive, "prune", pruned)
        thread = threading.Thread(target=service.keep_tidy, args=(stop,), kwargs={"clock": lambda: NOW + 90_000})
        thread.start()
        assert emptied.wait(20)
        stop.set()
        thread.join(20)

        assert [row["id"] for row in archive.list()] == ["011"]


def test_trouble_of_the_archive_is_waited_out(settings, monkeypatch):
    monkeypatch.setattr("judge.verdicts.service.TIDY_SECONDS", 0.01)
    stop, calls = threading.Event(), []
    service = Service(settings.model_copy(update={"archive_keep_days": 1.0}), NoArchive())

    def failing(*_, **__):
        calls.append(1)
        if len(calls) == 3:
            stop.set()
        raise ArchiveError("locked")

    monkeypatch.setattr(service.archive, "prune", failing)
    service.keep_tidy(stop, clock=lambda: NOW)

    assert len(calls) == 3
