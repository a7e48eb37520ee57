"""A judge in front of a relay in front of a real Prometheus that holds a canary with errors."""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import pytest

from tests.faults.callers import Callers
from tests.integration.service import serving
from tests.integration.test_scenarios import CONFIGS
from tests.servers import loopback, prometheus

from tests.history import openmetrics, rollout  # isort: skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers import Asked


class Relay:
    """Hands every request on to a real Prometheus, or does what `fault` says instead."""

    def __init__(self, target: str) -> None:
        self._target = urlsplit(target)
        self.fault: Callable[[Asked], None] | None = None
        self._local = threading.local()

    def __call__(self, asked: Asked) -> None:
        """Answer one request."""
        fault = self.fault
        if fault is not None:
            fault(asked)
            return
        host, port = self._target.hostname, self._target.port
        assert host is not None
        connection = http.client.HTTPConnection(host, port, timeout=30)
        try:
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", asked.path, body=urlencode(asked.form), headers=headers)
            answer = connection.getresponse()
            asked.say(answer.status, answer.read(), Content_Type=answer.headers.get("Content-Type", "application/json"))
        finally:
            connection.close()


@pytest.fixture(scope="session")
def bad_rollout():
    """A canary that answers eight times as many errors as its baseline."""
    return rollout("errors", end=time.time() // 60 * 60)


@pytest.fixture(scope="session")
def real_prometheus(bad_rollout, tmp_path_factory):
    """A real Prometheus with its history."""
    text = openmetrics((bad_rollout.baseline, bad_rollout.canary), seed=7)
    with prometheus(tmp_path_factory.mktemp("prometheus"), blocks=text) as url:
        yield url


@pytest.fixture(scope="session")
def relay(real_prometheus):
    """The relay and its address."""
    made = Relay(real_prometheus)
    with loopback(made) as server:
        yield made, server.url


@pytest.fixture(scope="session")
def question(bad_rollout):
    """What is asked about it."""
    return {
        "config": "http-service",
        "baseline": bad_rollout.baseline.hash,
        "canary": bad_rollout.canary.hash,
        "service": "errors",
        "end": str(bad_rollout.canary.end),
    }


@pytest.fixture
def judge(relay, question):
    """Start a judge; its callers."""

    @contextmanager
    def started(directory: Path, *, source: str = relay[1], configs: Path = CONFIGS, **environ: str) -> Iterator[Callers]:
        relay[0].fault = None
        with serving(directory, prometheus=source, configs=configs, **{"JUDGE_DEADLINE": "3", **environ}) as url:
            callers = Callers(url, question)
            assert callers.ask().verdict == "fail", callers.heard
            yield callers
        relay[0].fault = None

    return started
