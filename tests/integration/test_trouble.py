"""A slow, dead or lying Prometheus behind a real service: an answer in time, never a pass."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.integration.service import post, serving
from tests.servers import free_port, loopback

CONFIGS = Path(__file__).parent / "configs"
QUESTION = {"config": "http-service", "baseline": "aaa", "canary": "bbb", "service": "shop"}


def slow(asked):
    time.sleep(600)


def drip(asked):
    asked.send_response(200)
    asked.send_header("Content-Length", "1000000")
    asked.end_headers()
    for _ in range(6000):
        asked.wfile.write(b" ")
        asked.wfile.flush()
        time.sleep(0.1)


def page(asked):
    asked.say(200, "<html>please log in</html>", Content_Type="text/html")


def refused(asked):
    asked.say_json({"status": "error", "errorType": "bad_data", "error": "parse error: unexpected end of input"}, status=400)


def unavailable(asked):
    asked.say(503, "try later")


@pytest.mark.integration
@pytest.mark.parametrize(
    ("answer", "verdict", "reason"),
    [
        pytest.param(slow, "inconclusive", "did not answer within", id="hangs"),
        pytest.param(drip, "inconclusive", "was not done within", id="drips"),
        pytest.param(page, "inconclusive", "error-ratio: ", id="a login page"),
        pytest.param(unavailable, "inconclusive", "error-ratio: ", id="503"),
        pytest.param(refused, "error", "parse error: unexpected end of input", id="refuses the query"),
    ],
)
def test_trouble_is_answered_in_time_with_its_cause(tmp_path, answer, verdict, reason):
    with loopback(answer) as source, serving(tmp_path / "judge", prometheus=source.url, configs=CONFIGS, JUDGE_DEADLINE="4") as url:
        began = time.monotonic()
        found = post(url, QUESTION)
        seconds = time.monotonic() - began

    assert found["verdict"] == verdict, found
    assert reason in found["reason"]
    assert found["pass"] is False
    assert seconds < 60


@pytest.mark.integration
def test_a_dead_prometheus_is_named(tmp_path):
    dead = f"http://127.0.0.1:{free_port()}"
    with serving(tmp_path / "judge", prometheus=dead, configs=CONFIGS) as url:
        found = post(url, QUESTION)

    assert found["verdict"] == "inconclusive"
    assert "Connection refused" in found["reason"]
    assert dead in found["reason"]


@pytest.mark.integration
def test_a_config_may_ask_for_503_when_the_source_fails(tmp_path):
    configs = tmp_path / "configs"
    configs.mkdir()
    (configs / "c.yaml").write_text((CONFIGS / "http-service.yaml").read_text() + "on_source_error: error\n")
    with serving(tmp_path / "judge", prometheus=f"http://127.0.0.1:{free_port()}", configs=configs) as url:
        found = post(url, QUESTION)

    assert found["status"] == 503
    assert "Connection refused" in found["error"]
