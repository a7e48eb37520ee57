"""The HTTP door, asked as Argo Rollouts' web provider asks."""

from __future__ import annotations

import json

import pytest

from judge.archive import NoArchive, open_archive
from judge.errors import ArchiveError
from judge.server.app import create_app
from judge.verdicts.service import Service
from tests.demo_service import NOW

ALWAYS = {"verdict", "pass", "fail", "score", "code", "reason", "metrics", "window", "id", "report"}


def strict(text):
    """Parse as Go does: no NaN, no Infinity, nothing behind the document."""

    def refuse(word):
        raise AssertionError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def post(client, question, **options):
    return client.post("/v1/verdict", json=question, headers={"User-Agent": "Go-http-client/1.1"}, **options)


@pytest.mark.parametrize(("canary", "verdict", "code"), [("healthy", "pass", 0), ("bad", "fail", 2)])
def test_post_and_get_give_the_same_answer(client, questions, canary, verdict, code):
    posted = post(client, questions[canary])
    got = client.get("/v1/verdict", query_string=questions[canary])

    document = strict(posted.text)
    assert (posted.status_code, posted.mimetype) == (200, "application/json")
    assert set(document) == ALWAYS
    assert (document["verdict"], document["code"], document["pass"], document["fail"]) == (
        verdict,
        code,
        verdict == "pass",
        verdict == "fail",
    )
    assert strict(got.text) == document
    assert len(posted.data) < 1024


def test_body_without_a_content_type_is_read(client, questions):
    answer = client.post("/v1/verdict", data=json.dumps(questions["bad"]))

    assert answer.status_code == 200


def test_a_trailing_slash_is_not_redirected(client, questions):
    assert client.post("/v1/verdict/", json=questions["bad"]).status_code == 200


def test_the_same_question_gets_the_same_answer_and_is_judged_once(client, questions):
    first, second = (strict(post(client, questions["bad"]).text) for _ in range(2))

    assert first == second
    assert len(strict(client.get("/v1/verdicts").text)["verdicts"]) == 1


def test_an_inconclusive_answer_for_want_of_data_is_asked_anew(client, questions):
    question = {**questions["bad"], "canary": "unknown"}

    first, second = (strict(post(client, question).text) for _ in range(2))

    assert first["verdict"] == second["verdict"] == "inconclusive"
    assert first["id"] != second["id"]


def test_full_detail(client, questions):
    document = strict(post(client, {**questions["bad"], "detail": "full"}).text)

    worst = next(result for result in document["results"] if result["name"] == "error-ratio")
    assert worst["classification"] == "high"
    assert worst["comparison"]["counts"]["canary_events"] > worst["comparison"]["counts"]["baseline_events"]
    assert 'rollouts_pod_template_hash="' in worst["queries"]["canary"]
    assert worst["n_canary"] == worst["n_baseline"] == 31


def test_the_record_explains_the_verdict(client, questions):
    document = strict(post(client, questions["bad"]).text)

    record = strict(client.get(f"/v1/verdicts/{document['id']}").text)

    assert record["verdict"]["reason"].startswith(document["reason"].removesuffix("…"))
    assert record["request"]["canary"] == questions["bad"]["canary"]
    assert record["config"]["name"] == "http-service"
    assert record["versions"]["judge"]
    assert record["settings"]["deadline"] == 8
    assert record["settings"]["source"] == {"name": "default", "type": "dumps"}
    assert record["source"] == {"type": "dumps", "path": "canaries.jsonl.gz"}
    assert all(len(sample["canary"]["t"]) == len(sample["canary"]["v"]) for sample in record["samples"])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{bad", "the body is not JSON"),
        ("", "the body is empty"),
        ("[1]", "expected a JSON object, found a list"),
        ("null", "expected a JSON object, found null"),
        ('{"look": NaN}', "NaN is not JSON"),
        ('{"config": "a", "config": "b"}', "'config' is there twice"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe{}", "not JSON"),
        ('{"config": "nope"}', "there is no config 'nope'"),
    ],
)
def test_bad_bodies(client, body, message):
    answer = client.post("/v1/verdict", data=body, content_type="application/json")

    document = strict(answer.text)
    assert answer.status_code == 400
    assert message in document["error"]
    assert {"error", "path", "allowed"} <= set(document)


def test_a_wrong_question_names_the_key_and_what_is_allowed(client, questions):
    answer = post(client, {**questions["bad"], "servce": "x"})

    document = strict(answer.text)
    assert answer.status_code == 400
    assert document["path"] == "servce"
    assert "service" in document["allowed"]


def test_a_key_twice_in_the_query_string_is_refused(client):
    answer = client.get("/v1/verdict?config=a&config=b")

    assert (answer.status_code, strict(answer.text)["path"], strict(answer.text)["error"]) == (400, "config", "is given 2 times")


def test_a_body_of_two_megabytes_is_refused(client):
    answer = client.post("/v1/verdict", data=b"x" * 2_000_000)

    assert answer.status_code == 413
    assert "larger than 1048576 bytes" in strict(answer.text)["error"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", "/v1/verdict", 405), ("GET", "/nope", 404), ("GET", "/v1/verdicts/xyz", 404), ("GET", "/verdicts/xyz", 404)],
)
def test_errors_are_json_too(client, method, path, status):
    answer = client.open(path, method=method)

    assert answer.status_code == status
    assert strict(answer.text)["error"]


def test_a_wrong_method_is_told_the_right_ones(client):
    answer = client.put("/v1/verdict")

    assert {"GET", "POST"} <= set(strict(answer.text)["allowed"]) == set(answer.headers["Allow"].split(", "))


def test_equal_hashes_are_inconclusive(client, questions):
    document = strict(post(client, {**questions["bad"], "canary": questions["bad"]["baseline"]}).text)

    assert (document["verdict"], document["code"]) == ("inconclusive", 3)
    assert "nothing to compare" in document["reason"]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=999", "verdict=maybe", "foo=1"])
def test_wrong_filters_of_the_list(client, query):
    assert client.get(f"/v1/verdicts?{query}").status_code == 400


def test_list_can_be_filtered_and_paged(client, questions):
    for question in questions.values():
        post(client, question)

    rows = strict(client.get("/v1/verdicts").text)["verdicts"]
    failed = strict(client.get("/v1/verdicts?verdict=fail").text)["verdicts"]
    older = strict(client.get(f"/v1/verdicts?before={rows[0]['id']}").text)["verdicts"]

    assert len(rows) == 2
    assert [row["verdict"] for row in failed] == ["fail"]
    assert older == rows[1:]


def test_pages_show_the_verdict_and_need_nothing_from_elsewhere(client, questions):
    document = strict(post(client, questions["bad"]).text)

    page, index = client.get(f"/verdicts/{document['id']}"), client.get("/")

    assert page.mimetype == index.mimetype == "text/html"
    assert "error-ratio" in page.text
    assert document["id"] in index.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]


def test_health(client):
    assert strict(client.get("/healthz").text)["status"] == "ok"
    assert strict(client.get("/readyz").text) == {
        "ready": True,
        "configs": ["http-service"],
        "sources": {"default": "closed"},
        "problems": [],
    }


def test_not_ready_without_a_config(settings, tmp_path):
    (tmp_path / "empty").mkdir()
    app = create_app(Service(settings.model_copy(update={"config_dir": tmp_path / "empty"}), NoArchive()))

    answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    assert "no usable config" in strict(answer.text)["problems"][0]


def test_own_metrics_count_the_verdicts(client, questions):
    def seen():
        line = 'judge_verdicts_total{config="http-service",verdict="fail"} '
        return next((float(text.removeprefix(line)) for text in client.get("/metrics").text.splitlines() if text.startswith(line)), 0.0)

    before = seen()
    post(client, questions["bad"])

    assert seen() == before + 1


def test_a_verdict_is_answered_where_it_cannot_be_kept(settings, questions, tmp_path):
    (tmp_path / "taken").mkdir()
    archive = open_archive(f"sqlite:///{tmp_path / 'taken'}")
    client = create_app(Service(settings, archive), clock=lambda: NOW).test_client()

    answer = post(client, questions["bad"])

    assert (answer.status_code, strict(answer.text)["verdict"]) == (200, "fail")
    assert client.get("/v1/verdicts").status_code == 503
    assert strict(client.get("/readyz").text)["problems"]


def test_an_error_nobody_foresaw_is_strict_json_without_its_text(service, questions, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("secret inside")

    monkeypatch.setattr(service, "ask", broken)

    answer = post(create_app(service).test_client(), questions["bad"])

    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert strict(answer.text)["error"].startswith("internal error (RuntimeError)")


def test_a_missing_source_is_said_with_its_cure(settings, questions):
    client = create_app(Service(settings.model_copy(update={"sources": {}}), NoArchive()), clock=lambda: NOW).test_client()

    answer = post(client, questions["bad"])

    assert answer.status_code == 400
    assert "set JUDGE_PROMETHEUS_URL" in strict(answer.text)["error"]


def test_the_race_for_one_question_has_one_winner(service, questions, monkeypatch):
    # Another worker keeps its verdict between our look-up and our keeping.
    first = strict(post(create_app(service, clock=lambda: NOW).test_client(), questions["bad"]).text)
    monkeypatch.setattr(service.archive, "answer", lambda _: None)

    second = strict(post(create_app(service, clock=lambda: NOW).test_client(), questions["bad"]).text)

    assert second == first


def test_a_look_up_that_fails_does_not_stop_the_verdict(service, questions, monkeypatch):
    def failing(_):
        raise ArchiveError("locked")

    monkeypatch.setattr(service.archive, "answer", failing)

    assert strict(post(create_app(service, clock=lambda: NOW).test_client(), questions["bad"]).text)["verdict"] == "fail"
