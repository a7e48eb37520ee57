"""A real Prometheus with a bad canary behind a relay that remembers the headers, and a judge that is started with ``judge serve``."""

from __future__ import annotations

import json
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.conftest import Relay
from tests.history import openmetrics, rollout
from tests.integration.service import serving
from tests.integration.test_scenarios import CONFIGS
from tests.servers import Loopback, loopback, prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


class Judge:
    """A running service: its address, and what it has written."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self._log = folder / "judge.log"

    def ask(self, path: str, question: Mapping[str, Any] | None = None, **headers: str) -> tuple[dict[str, str], Any]:
        """Ask; headers of the answer and its document. Names of headers are written with underscores."""
        body = None if question is None else json.dumps(question).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"{self.url}{path}", data=body, headers=named)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return dict(answer.headers), json.loads(answer.read())

    def lines(self) -> list[str]:
        """Every line of the log."""
        return self._log.read_text(encoding="utf-8").splitlines()

    def documents(self) -> list[dict[str, Any]]:
        """Every line of a log of JSON, read strictly."""

        def refuse(word: str) -> None:
            raise AssertionError(f"{word} is not JSON")

        return [json.loads(line, parse_constant=refuse) for line in self.lines()]

    def metrics(self) -> dict[str, float]:
        """Every sample of ``/metrics``."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=120) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


@pytest.fixture(scope="session")
def bad_canary():
    """A canary that answers eight times as many errors as its baseline."""
    return rollout("errors", end=time.time() // 60 * 60)


@pytest.fixture(scope="session")
def real_prometheus(bad_canary, tmp_path_factory):
    """A real Prometheus with its history."""
    with prometheus(tmp_path_factory.mktemp("prometheus"), blocks=openmetrics((bad_canary.baseline, bad_canary.canary), seed=7)) as url:
        yield url


@pytest.fixture
def relay(real_prometheus) -> Iterator[Loopback]:
    """Hands queries on, and remembers them with their headers."""
    with loopback(Relay(real_prometheus)) as server:
        yield server


@pytest.fixture
def question(bad_canary):
    """What is asked about it."""
    hashes = {"baseline": bad_canary.baseline.hash, "canary": bad_canary.canary.hash}
    return {"config": "http-service", **hashes, "service": "errors", "end": str(bad_canary.canary.end)}


@pytest.fixture
def judge(tmp_path):
    """Start a judge in front of a source."""

    @contextmanager
    def started(source: str, *, configs: Path = CONFIGS, **environ: str) -> Iterator[Judge]:
        folder = tmp_path / "judge"
        with serving(folder, prometheus=source, configs=configs, **environ) as url:
            yield Judge(url, folder)

    return started
