"""Servers that the integration tests share: they hold the past of every scenario in `tests.history`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.history import Rollout, openmetrics, rollouts
from tests.integration import prometheus3
from tests.servers import prometheus, victoria_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def history_end() -> float:
    """Unix seconds at which every history ends: the last full minute before the tests began."""
    return time.time() // 60 * 60


@pytest.fixture(scope="session")
def history(history_end: float) -> dict[str, Rollout]:
    """The rollouts in the servers, by scenario."""
    return rollouts(end=history_end)


@pytest.fixture(scope="session")
def history_text(history: dict[str, Rollout]) -> str:
    """OpenMetrics text of all of them."""
    return openmetrics((side for each in history.values() for side in (each.baseline, each.canary)), seed=7)


@pytest.fixture(scope="session", params=["prometheus 2", pytest.param("prometheus 3", marks=pytest.mark.extended)])
def prometheus_program(request: pytest.FixtureRequest) -> Path | None:
    """A real Prometheus: the one that is installed, and one of the next generation, which is built once."""
    if request.param == "prometheus 2":
        return None
    return prometheus3.build(request.config.cache.mkdir("prometheus-3"))


@pytest.fixture(scope="session")
def prometheus_url(history_text: str, prometheus_program: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus that holds the histories."""
    with prometheus(tmp_path_factory.mktemp("prometheus"), blocks=history_text, program=prometheus_program) as url:
        yield url


@pytest.fixture(scope="session")
def victoria_metrics_url(history_text: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real VictoriaMetrics that holds the same histories."""
    with victoria_metrics(tmp_path_factory.mktemp("victoria-metrics"), history=history_text) as url:
        yield url
