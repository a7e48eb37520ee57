"""OpenTelemetry traces: a real service sends them to a real receiver; off they cost nothing, and broken they break nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from judge.errors import ConfigError
from judge.server.telemetry import tracing
from judge.settings import Settings
from tests.history import openmetrics
from tests.integration import prometheus3
from tests.server.telemetry.otlp import receiver
from tests.servers import loopback, prometheus, wait_until

SERVER, CLIENT, ERROR = 2, 3, 2
"""Kinds and status of spans, as OTLP numbers them."""
CALLERS = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
QUICK = {"OTEL_BSP_SCHEDULE_DELAY": "100"}
STAGES = {"wait", "lookup", "fetch", "judge", "keep", "answer"}


def where(found):
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": found.url, **QUICK}


@pytest.mark.integration
def test_a_verdict_is_one_trace_from_the_caller_to_prometheus(judge, relay, question):
    with receiver() as found, judge(relay.url, JUDGE_LOG_FORMAT="json", **where(found)) as service:
        _, answer = service.ask("/v1/verdict", question, traceparent=CALLERS)
        wait_until(lambda: found.named("POST /v1/verdict"), "the request's span has come")
        [line] = [one for one in service.documents() if one.get("verdict")]
    _, trace, parent, _ = CALLERS.split("-")
    spans = [span for span in found.spans if span.trace == trace]
    [top] = found.named("POST /v1/verdict")
    queries = found.named("query")

    assert (top.trace, top.above, top.kind) == (trace, parent, SERVER)
    assert {span.name for span in spans if span.above == top.id} == STAGES
    assert line["trace_id"] == trace
    assert (top.resource["service.name"], top.attributes["http.response.status_code"]) == ("canary-judge", 200)
    assert top.attributes["judge.request_id"] == top.attributes["judge.id"] == answer["id"]
    told = {name: top.attributes[f"judge.{name}"] for name in ("verdict", "config", "baseline", "canary", "score", "look")}
    assert told == {
        "verdict": "fail",
        "config": "http-service",
        "baseline": question["baseline"],
        "canary": question["canary"],
        "score": answer["score"],
        "look": answer["window"]["look"],
    }
    fetches = {span.id for span in found.named("fetch")}
    assert {span.above for span in queries} == fetches
    assert {(span.attributes["judge.source"], span.kind) for span in queries} == {("default", CLIENT)}
    assert sorted(span.attributes["db.query.text"] for span in queries) == sorted(one.form["query"] for one in relay.asked)
    assert {one.headers["traceparent"] for one in relay.asked} == {f"00-{trace}-{span.id}-01" for span in queries}
    assert {one.headers["X-Request-Id"] for one in relay.asked} == {answer["id"]}


@pytest.mark.integration
@pytest.mark.extended
def test_prometheus_goes_on_with_the_trace_and_notes_it_in_its_query_log(judge, bad_canary, question, tmp_path, request):
    program = prometheus3.build(request.config.cache.mkdir("prometheus-3"))
    folder = tmp_path / "prometheus"
    blocks = openmetrics((bad_canary.baseline, bad_canary.canary), seed=7)
    with receiver() as found:
        asked = {"client_type": "http", "endpoint": found.url.removeprefix("http://"), "insecure": True, "sampling_fraction": 1.0}
        more = {"tracing": asked, "global": {"query_log_file": str(folder / "queries.log")}}
        with prometheus(folder, blocks=blocks, program=program, more=more) as source, judge(source, **where(found)) as service:
            service.ask("/v1/verdict", question)
            wait_until(lambda: found.named("POST /v1/verdict"), "our spans have come")
            ours = {span.id for span in found.named("query")}
            wait_until(lambda: ours <= {span.above for span in found.spans}, "Prometheus' spans have come")
            noted = [json.loads(line) for line in (folder / "queries.log").read_text().splitlines()]
    [top] = found.named("POST /v1/verdict")
    theirs = [span for span in found.spans if span.resource["service.name"] == "prometheus" and span.above in ours]

    assert {span.trace for span in theirs} == {top.trace}
    assert len(noted) == len(ours) > 5
    assert {one["traceID"] for one in noted} == {top.trace}


@pytest.mark.integration
def test_no_span_holds_a_secret_even_where_the_source_says_it_back(judge, question, tmp_path):
    secret = "tell-nobody-4711"
    configs = tmp_path / "configs"
    configs.mkdir()
    from tests.integration.test_scenarios import CONFIGS

    (configs / "http-service.yaml").write_bytes((CONFIGS / "http-service.yaml").read_bytes())
    with receiver() as found, loopback(lambda asked: asked.say(500, f"no {asked.headers['X-Auth-Token']}")) as source:
        document = {"sources": {"default": {"url": source.url, "headers": {"X-Auth-Token": secret}}}}
        (configs / "server.yaml").write_text(json.dumps(document))
        with judge("", configs=configs, **where(found)) as service:
            service.ask("/v1/verdict", question, Authorization=f"Bearer {secret}")
            wait_until(lambda: found.named("POST /v1/verdict"), "the request's span has come")
    failed = found.named("query")

    assert [one for one in source.asked if one.headers["X-Auth-Token"] == secret]
    assert {(span.status, span.attributes["error.type"]) for span in failed} == {(ERROR, "SourceUnreachable")}
    assert [span.name for span in found.spans if secret in span.text] == []


@pytest.mark.integration
def test_both_workers_send_and_the_last_spans_come_when_the_service_ends(judge, relay):
    with receiver() as found:
        slow = {**where(found), "OTEL_BSP_SCHEDULE_DELAY": "600000"}
        with judge(relay.url, **slow) as service:
            for _ in range(40):
                service.ask("/healthz")
            assert found.spans == []
            _end(service)
            wait_until(lambda: len(found.named("GET /healthz")) == 40, "the last spans have come")

    assert len({span.id for span in found.spans}) == len(found.spans)


def _end(service):
    import psutil

    port = service.url.rpartition(":")[2]
    [master] = [one for one in psutil.Process().children() if port in one.cmdline()]
    master.terminate()


@pytest.mark.integration
def test_a_receiver_that_is_away_changes_no_answer(judge, relay, question):
    with judge(relay.url, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_EXPORTER_OTLP_TIMEOUT="1", **QUICK) as service:
        _, answer = service.ask("/v1/verdict", question)

    assert answer["verdict"] == "fail"


OTLP = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("setting", "environ", "on"),
    [
        pytest.param(False, {}, False, id="nothing said"),
        pytest.param(True, {}, True, id="the settings say so"),
        pytest.param(False, OTLP, True, id="an address is set"),
        pytest.param(False, {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True, id="an address of traces is set"),
        pytest.param(False, {"OTEL_TRACES_EXPORTER": "otlp"}, True, id="an exporter is set"),
        pytest.param(True, {"OTEL_SDK_DISABLED": "true"}, False, id="switched off by OpenTelemetry's own variable"),
        pytest.param(True, {**OTLP, "OTEL_TRACES_EXPORTER": "none"}, False, id="the exporter none"),
    ],
)
def test_what_turns_traces_on(setting, environ, on):
    assert tracing.wanted(Settings(traces=setting), environ) is on


def test_without_the_extra_the_settings_are_refused_and_the_variables_only_warned_of(monkeypatch, caplog):
    monkeypatch.setattr(tracing, "_NEEDED", ("opentelemetry.sdk.trace", "opentelemetry.nowhere"))

    assert tracing.wanted(Settings(), OTLP) is False
    assert "pip install '.[otel]'" in caplog.text
    with pytest.raises(ConfigError, match=re.escape("traces: needs the extra otel: pip install '.[otel]'")):
        tracing.wanted(Settings(traces=True), {})


def test_while_they_are_off_nothing_of_opentelemetry_is_imported():
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from judge.archive import NoArchive\n"
        "from judge.server.telemetry import tracing\n"
        "from judge.server.app import create_app\n"
        "from judge.verdicts.service import Service\n"
        "from judge.settings import Settings\n"
        "settings = Settings(config_dir=Path('judge/demo'))\n"
        "assert not tracing.wanted(settings, {})\n"
        "assert create_app(Service(settings, NoArchive())).test_client().get('/healthz').status_code == 200\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.')])\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
