"""A made-up past of two days in a real VictoriaMetrics, shared by the tests of this folder."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from judge.calibrate.cache import Cache
from judge.calibrate.history_reader import Reader
from judge.sources.prometheus.settings import PrometheusSettings
from tests.calibrate.history import Past, import_into, past
from tests.servers import free_port, get, process, require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextmanager
def victoria(folder: Path, *, memory: str = "256MB") -> Iterator[str]:
    """An empty VictoriaMetrics; answers its address."""
    program = require("victoria-metrics", "victoria-metrics")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        program,
        f"-storageDataPath={folder / 'vmdata'}",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-search.latencyOffset=0s",
        f"-memory.allowedBytes={memory}",
        "-loggerLevel=WARN",
    ]
    with process(command, folder / "victoria-metrics.log", ready=lambda: get(f"{url}/health")):
        yield url


@pytest.fixture(scope="session")
def short_past() -> Past:
    """Thirty rollouts in two days, scraped every 30 s: the short form."""
    return past(days=2.0, scrape=30.0)


@pytest.fixture(scope="session")
def past_url(short_past: Past, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that holds it."""
    with victoria(tmp_path_factory.mktemp("calibrate")) as url:
        import_into(url, short_past)
        yield url


@pytest.fixture(scope="session")
def past_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Answers of that server, which the tests share as a user's runs do."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def open_reader() -> Iterator[Callable[..., Reader]]:
    """Make readers whose sources are closed after the test."""
    opened = []

    def make(url: str, *, folder: Path | None = None, **asked: float) -> Reader:
        source = PrometheusSettings(url=url, max_series=20_000, max_bytes=256 * 1024 * 1024, read_timeout=30, concurrency=1).open()
        opened.append(source)
        return Reader(source, address=url, cache=Cache(folder), **{"rate": 0.0, "deadline": 30.0, **asked})

    yield make
    for source in opened:
        source.close()
