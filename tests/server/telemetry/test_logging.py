"""The log: lines for people, JSON for machines, one id from the request over every query to the record, and no secret."""

from __future__ import annotations

import json
import logging
import re
import sys
from pathlib import Path

import pytest

from judge.server.telemetry import logging as logs
from judge.settings import Settings
from judge.sources.prometheus.settings import PrometheusSettings
from tests.docs.pages import DOCS, blocks
from tests.servers import wait_until

ULID = re.compile(r"01[0-9A-HJKMNP-TV-Z]{24}")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
PASSWORD = "correct-horse-battery"
TOKEN = "tenant-header-secret"


def record(message: str, *args: object, known: dict[str, object] | None = None) -> logging.LogRecord:
    made = logging.LogRecord("judge.test", logging.INFO, __file__, 1, message, args, None)
    made.__dict__.update({"fields": {} if known is None else known})
    return made


def as_json(made: logging.LogRecord, secrets: tuple[str, ...] = ()) -> dict[str, object]:
    line = logs.JsonForm(secrets).format(made)
    assert "\n" not in line
    return json.loads(line, parse_constant=pytest.fail)


@pytest.mark.integration
def test_one_id_goes_from_the_request_over_every_query_to_the_record(judge, relay, question):
    with judge(relay.url, JUDGE_LOG_FORMAT="json") as service:
        headers, answer = service.ask("/v1/verdict", question, X_Request_Id="argo-run-17")
        _, kept = service.ask(f"/v1/verdicts/{answer['id']}")
        [line] = [one for one in service.documents() if one.get("verdict")]

    assert ULID.fullmatch(answer["id"])
    assert headers["X-Request-Id"] == answer["id"] == kept["id"] == line["request_id"] == line["id"]
    assert line["caller_request_id"] == "argo-run-17"
    assert len(relay.asked) > 5
    assert {one.headers["X-Request-Id"] for one in relay.asked} == {answer["id"]}


@pytest.mark.integration
def test_a_repeated_question_has_a_request_of_its_own_and_the_verdict_of_before(judge, relay, question):
    with judge(relay.url, JUDGE_LOG_FORMAT="json") as service:
        _, first = service.ask("/v1/verdict", question)
        headers, again = service.ask("/v1/verdict", question)
        *_, line = [one for one in service.documents() if one.get("verdict")]

    assert again["id"] == first["id"] == line["id"]
    assert headers["X-Request-Id"] == line["request_id"] != first["id"]
    assert (line["repeated"], line["message"].startswith(f"verdict {first['id']}")) == (True, True)


@pytest.mark.integration
def test_the_line_of_a_verdict_has_typed_fields(judge, relay, question):
    with judge(relay.url, JUDGE_LOG_FORMAT="json") as service:
        _, answer = service.ask("/v1/verdict", question)
        lines = service.documents()
    [line] = [one for one in lines if one.get("verdict")]
    in_each = set.intersection(*map(set, lines))
    [shown] = [json.loads(block.text) for block in blocks(DOCS / "server.md", "text") if block.text.startswith("{")]

    assert set(shown) == {*line, "caller_request_id"}

    assert RFC3339.fullmatch(line.pop("time"))
    assert 0 < line.pop("seconds") < 10
    assert line.pop("message").startswith(f"verdict {answer['id']} fail config=http-service ")
    assert line == {
        "level": "INFO",
        "logger": "judge.http",
        "request_id": answer["id"],
        "id": answer["id"],
        "verdict": "fail",
        "config": "http-service",
        "baseline": question["baseline"],
        "canary": question["canary"],
        "score": answer["score"],
        "caller": "anyone",
        "look": answer["window"]["look"],
        "source": "default",
        "repeated": False,
    }
    assert in_each >= {"time", "level", "logger", "message"}


@pytest.mark.integration
def test_text_is_one_readable_line_a_verdict(judge, relay, question):
    with judge(relay.url) as service:
        _, answer = service.ask("/v1/verdict", question)
        [line] = [one for one in service.lines() if " verdict " in one]

    expected = rf"\S+ \S+ INFO judge\.http verdict {answer['id']} fail config=http-service baseline=\w+ canary=\w+ score=\S+ seconds=\S+ "
    assert re.fullmatch(expected + r"caller=anyone look=\d+", line)


@pytest.mark.integration
def test_gunicorns_own_lines_and_tracebacks_are_json_too(judge, relay, tmp_path, question):
    script = tmp_path / "sitecustomize.py"
    script.write_text(
        "from judge.verdicts.service import Service\ndef broken(*_, **__): raise RuntimeError('boom')\nService.ask = broken\n"
    )
    with judge(relay.url, JUDGE_LOG_FORMAT="json", PYTHONPATH=str(tmp_path)) as service:
        with pytest.raises(OSError, match="500"):
            service.ask("/v1/verdict", question)
        _kill_a_worker(service)
        wait_until(lambda: any(one["logger"] == "gunicorn.error" for one in service.documents()), "gunicorn says that a worker died")
        lines = service.documents()

    [crash] = [one for one in lines if "exception" in one]
    assert crash["level"] == "ERROR"
    assert "RuntimeError: boom" in crash["exception"]
    assert ULID.fullmatch(crash["request_id"])


def _kill_a_worker(service):
    import psutil

    port = service.url.rpartition(":")[2]
    [master] = [one for one in psutil.Process().children() if port in one.cmdline()]
    master.children()[0].kill()


@pytest.mark.integration
def test_no_line_holds_a_secret_or_a_token(judge, relay, question, tmp_path):
    settings = tmp_path / "configs"
    settings.mkdir()
    from tests.integration.test_scenarios import CONFIGS

    for path in CONFIGS.glob("*.yaml"):
        (settings / path.name).write_bytes(path.read_bytes())
    away = relay.url.replace("http://", f"http://me:{PASSWORD}@").rpartition(":")[0] + ":9"
    source = {"url": away, "headers": {"X-Auth-Token": TOKEN}, "connect_timeout": "1s"}
    (settings / "server.yaml").write_text(json.dumps({"sources": {"default": source}, "log_format": "json"}))
    with judge("", configs=settings) as service:
        service.ask("/v1/verdict", question, Authorization=f"Bearer {TOKEN}-of-the-caller", X_Request_Id=f"x {PASSWORD}")
        service.ask("/readyz", None, Cookie=PASSWORD)
        text = "\n".join(service.lines())

    assert '"verdict": "inconclusive"' in text
    assert [secret for secret in (PASSWORD, TOKEN) if secret in text] == []


@pytest.mark.parametrize(("value", "written"), [(float("nan"), "nan"), (float("inf"), "inf"), (float("-inf"), "-inf")])
def test_a_number_that_json_cannot_hold_is_spelt_as_text(value, written):
    assert as_json(record("odd", known={"score": value}))["score"] == written
    assert as_json(record("odd", known={"deep": {"list": [value, 1]}}))["deep"] == {"list": [written, 1]}


def test_a_field_does_not_take_the_place_of_the_time_or_the_message():
    line = as_json(record("said %s", "once", known={"message": "other", "time": 1, "level": "NONE", "more": 2}))

    assert (line["message"], line["level"], line["more"]) == ("said once", "INFO", 2)
    assert RFC3339.fullmatch(line["time"])


@pytest.mark.parametrize("sent", ["a\nINFO forged", "a\r\nINFO forged", "a\x1b[31mred", "a\x85b\u2028c", "half \ud800 pair"], ids=ascii)
def test_nothing_that_is_sent_begins_a_line_or_moves_the_cursor(sent):
    made = record("refused %s", sent)

    text = logs.TextForm().format(made)
    assert as_json(made)["message"].encode("utf-8", "replace")
    text.encode()
    assert re.search(r"^INFO", text, flags=re.MULTILINE) is None
    assert all(part.isprintable() for part in text.split("\n"))


def test_a_traceback_stays_readable_in_text():
    try:
        raise ValueError("bad")
    except ValueError:
        made = logging.LogRecord("judge", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())

    head, *rest = logs.TextForm().format(made).split("\n")
    assert head.endswith("ERROR judge failed")
    assert rest[-1] == "    ValueError: bad"
    assert all(line.startswith("    ") for line in rest)


@pytest.mark.parametrize("form", [logs.TextForm, logs.JsonForm])
def test_secrets_of_the_settings_are_blotted_out(form):
    plain = PrometheusSettings(
        url="https://me:s3cret%21pass@prom/", password_env="PASSWORD", bearer_token_env="TOKEN", headers={"X-Api-Key": "key-1"}
    ).resolved({"PASSWORD": "pa55word", "TOKEN": "t0kent0ken"}, Path())
    settings = Settings(
        sources={"a": plain, "b": plain.model_copy(update={"headers": {"X-Scope-OrgID": "team"}})},
        archive_url="postgresql://u:dbsecret@h/d",
    )
    secrets = logs.secrets_of(settings)
    made = record("%s", "s3cret%21pass s3cret!pass pa55word t0kent0ken key-1 dbsecret team", known={"field": "pa55word"})

    line = form(secrets).format(made)
    assert [secret for secret in ("s3cret", "pa55word", "t0kent0ken", "key-1", "dbsecret") if secret in line] == []
    assert "team" in line


@pytest.mark.integration
@pytest.mark.parametrize("sent", ["a" * 65, "two words", "semi;colon", "ü", "<b>"], ids=ascii)
def test_an_odd_id_of_a_caller_is_not_taken(judge, relay, sent):
    with judge(relay.url, JUDGE_LOG_FORMAT="json") as service:
        headers, _ = service.ask("/healthz", None, X_Request_Id=sent.encode().decode("latin-1"))
        text = "\n".join(service.lines())

    assert ULID.fullmatch(headers["X-Request-Id"])
    assert sent not in text
