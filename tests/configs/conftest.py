"""One real Prometheus for all ready-made configs, holding what `tests.configs.exporters` tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from judge.sources.prometheus.settings import PrometheusSettings
from judge.sources.prometheus.source import PrometheusSource
from tests.configs.exporters import openmetrics
from tests.servers import prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def exporters_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus that has scraped all nine exporters."""
    with prometheus(tmp_path_factory.mktemp("exporters"), blocks=openmetrics()) as url:
        yield url


@pytest.fixture(scope="session")
def exporters_source(exporters_url: str) -> Iterator[PrometheusSource]:
    """The judge's own source, for that server."""
    source = PrometheusSource(PrometheusSettings(url=exporters_url))
    yield source
    source.close()
