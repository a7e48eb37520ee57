"""What is too much is refused at the door by the name of its limit: bodies, values, windows, metrics, points, queries."""

from __future__ import annotations

import json

import pytest

from judge.archive import open_archive
from judge.server.app import create_app
from judge.sources.prometheus.settings import PrometheusSettings
from judge.verdicts.service import Service
from tests.demo_service import NOW
from tests.server.routes.test_verdicts import strict
from tests.servers import loopback

CONFIG = """
name: small
args: {note: {type: text, default: none}, region: {allowed: [eu-1, "us-*"], default: eu-1}}
sides: {type: hash}
scope: 'hash="${hash}"'
window: {step: 60s, length: 30m, longest: 6h}
metrics:
  - {name: requests, query: 'sum(x{note="${note}",region="${region}",${scope}})'}
"""
ASKED = {"config": "small", "baseline": "6f9c7b8d5", "canary": "7d4b9c6f8"}


@pytest.fixture
def door(settings, tmp_path):
    """A service before a Prometheus that has nothing; also how often it was asked."""
    (tmp_path / "small.yaml").write_text(CONFIG, encoding="utf-8")
    many = "\n".join(f"  - {{name: m{number}, query: 'x{{${{scope}}}}'}}" for number in range(2001))
    (tmp_path / "many.yaml").write_text(f"name: many\nscope: 'hash=\"${{hash}}\"'\nmetrics:\n{many}\n", encoding="utf-8")
    archive = open_archive(settings.archive_url)
    count = []

    def nothing(asked):
        count.append(asked)
        asked.say_result("vector" if "time" in asked.form else "matrix", [])

    with loopback(nothing) as server:
        source = PrometheusSettings(url=server.url, max_points=100, max_query_length=500)
        service = Service(settings.model_copy(update={"sources": {"default": source}, "config_dir": tmp_path, "max_body": 4096}), archive)
        yield create_app(service, clock=lambda: NOW).test_client(), count
    archive.close()


@pytest.mark.parametrize(
    ("changes", "path", "said"),
    [
        pytest.param({"note": "x" * 1001}, "note", "is longer than 1000 characters", id="a value"),
        pytest.param(
            {"window": "7h"},
            "window",
            "must be between one step (60 s) and 21600s (window.longest of the config), found '7h'",
            id="a window",
        ),
        pytest.param({"start": NOW - 7 * 3600}, "start", "lies more than 21600s before the end of the window", id="a start"),
        pytest.param({"start": 0, "end": NOW}, "start", "(window.longest)", id="a start long ago"),
        pytest.param(
            {"region": "eu-2"}, "region", "'eu-2' is none of the values that the config allows", id="a value that is not among the allowed"
        ),
        pytest.param({"canary": "shop-canary"}, "canary", "'shop-canary' is not a pod-template hash", id="a side of another type"),
        pytest.param({"config": "many"}, "config", "there is no config 'many'", id="a config of too many metrics"),
    ],
)
def test_what_is_too_much_in_a_question_is_refused_unasked(door, changes, path, said):
    client, count = door
    answer = client.post("/v1/verdict", json={**ASKED, **changes})
    document = strict(answer.text)

    assert (answer.status_code, document["path"]) == (400, path)
    assert said in document["error"]
    assert count == []


def test_a_config_of_too_many_metrics_is_named(door):
    client, _ = door

    assert "at most 2000" in " ".join(strict(client.get("/readyz").text)["problems"])


@pytest.mark.parametrize(
    "body",
    [pytest.param(json.dumps({**ASKED, "note": "x" * 5000}), id="a large body"), pytest.param(" " * 5000, id="spaces")],
)
def test_a_large_body_is_refused_unread(door, body):
    client, _ = door
    answer = client.post("/v1/verdict", data=body)

    assert answer.status_code == 413
    assert strict(answer.text)["error"] == "the body is larger than 4096 bytes"


@pytest.mark.parametrize("body", ["[" * 4000, '{"a":' * 700])
def test_deep_json_is_no_more_than_wrong(door, body):
    client, _ = door
    answer = client.post("/v1/verdict", data=body)

    assert answer.status_code == 400
    assert "the body is not JSON" in strict(answer.text)["error"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        pytest.param({"note": '"' * 200}, "more than 500 (max_query_length)", id="a query that grows by escaping"),
        pytest.param({"start": NOW - 3 * 3600}, "more than 100 (max_points)", id="points"),
    ],
)
def test_what_is_too_much_for_the_source_is_not_asked_and_never_passes(door, changes, said):
    client, count = door
    answer = client.post("/v1/verdict", json={**ASKED, "start": NOW - 1800, **changes, "detail": "full"})
    document = strict(answer.text)

    assert answer.status_code == 200
    assert document["verdict"] in {"inconclusive", "error"}
    assert said in answer.text
    assert count == []
