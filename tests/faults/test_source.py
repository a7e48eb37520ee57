"""The source breaks: killed, frozen, slow, lying, flooding."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.history import openmetrics
from tests.servers import free_port, get, process, require

pytestmark = pytest.mark.integration

SECONDS = 2.5
RECOVERY = 25.0
"""The longest pause of the circuit, and a deadline."""


def hang(asked):
    time.sleep(SECONDS)


def drip(asked):
    asked.send_response(200)
    asked.send_header("Content-Length", "1000000")
    asked.end_headers()
    for _ in range(int(10 * SECONDS)):
        asked.wfile.write(b" ")
        asked.wfile.flush()
        time.sleep(0.1)


def garbage(asked):
    asked.say(200, os.urandom(2000), Content_Type="application/json")


def half(asked):
    asked.say(
        200, b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1', Content_Type="application/json"
    )


def page(asked):
    asked.say(200, "<html>please log in</html>", Content_Type="text/html")


def flood(asked):
    """A gigabyte, if anybody reads it."""
    asked.send_response(200)
    asked.send_header("Content-Length", str(2**30))
    asked.end_headers()
    block = b" " * 2**20
    for _ in range(2**10):
        asked.wfile.write(block)


def elsewhere(asked):
    asked.say(302, "", Location="http://127.0.0.1:1/api/v1/query_range")


def too_many(asked):
    asked.say(429, "slow down", Retry_After="1")


def unavailable(asked):
    asked.say(503, "try later")


def hang_up(asked):
    asked.connection.close()


FAULTS = [hang, drip, garbage, half, page, flood, elsewhere, too_many, unavailable, hang_up]


@pytest.fixture(scope="module")
def one_judge(relay, question, tmp_path_factory):
    """One judge for all faults of the relay: what one fault leaves behind must not trouble the next."""
    from tests.faults.callers import Callers
    from tests.integration.service import serving
    from tests.integration.test_scenarios import CONFIGS

    with serving(tmp_path_factory.mktemp("judge"), prometheus=relay[1], configs=CONFIGS, JUDGE_DEADLINE="3") as url:
        yield lambda: Callers(url, question)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_nothing_passes_nothing_is_late_and_nothing_is_lost(relay, one_judge, fault):
    callers = one_judge()
    callers.recovers(within=RECOVERY)
    with callers.asking():
        time.sleep(0.5)
        relay[0].fault = fault
        try:
            time.sleep(SECONDS)
        finally:
            relay[0].fault = None
        callers.recovers(within=RECOVERY)

    counts = callers.check()
    print(f"{fault.__name__}: {counts}")
    assert counts["fail"] >= 2
    # While it lasted there were answers, and they said that nothing could be told.
    assert counts.get("inconclusive", 0) + counts.get("error", 0) >= 1


@pytest.fixture
def a_prometheus(bad_rollout, tmp_path):
    """A real Prometheus as a process that can be stopped and started; its address and how to start it."""
    import subprocess

    program = require("prometheus", "prometheus")
    history, data = tmp_path / "history.om", tmp_path / "data"
    history.write_text(openmetrics((bad_rollout.baseline, bad_rollout.canary), seed=7))
    promtool = require("promtool", "prometheus")
    subprocess.run([promtool, "tsdb", "create-blocks-from", "openmetrics", history, data], check=True, capture_output=True)
    (tmp_path / "prometheus.yml").write_text("{}")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        program,
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    ]
    return url, lambda: process(command, tmp_path / "prometheus.log", ready=lambda: get(f"{url}/-/ready"))


def test_a_prometheus_that_is_killed_and_comes_back(judge, a_prometheus, tmp_path):
    url, start = a_prometheus
    with start() as running, judge(tmp_path / "judge", source=url) as callers:
        with callers.asking():
            time.sleep(0.5)
            running.kill()
            running.wait()
            time.sleep(SECONDS)
        with start(), callers.asking():
            callers.recovers(within=RECOVERY)
            counts = callers.check()
    print(f"killed: {counts}")
    assert counts["inconclusive"] >= 1


def test_a_prometheus_that_is_frozen_and_thaws(judge, a_prometheus, tmp_path):
    url, start = a_prometheus
    with start() as running, judge(tmp_path / "judge", source=url) as callers:
        with callers.asking():
            time.sleep(0.5)
            running.send_signal(signal.SIGSTOP)
            time.sleep(SECONDS)
            running.send_signal(signal.SIGCONT)
            callers.recovers(within=RECOVERY)
        counts = callers.check()
    print(f"frozen: {counts}")
    assert counts["inconclusive"] >= 1
