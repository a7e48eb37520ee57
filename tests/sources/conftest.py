"""What the tests of the Prometheus source share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from judge.sources import Query
from judge.sources.prometheus.settings import PrometheusSettings
from judge.sources.prometheus.source import PrometheusSource

END = 1_700_000_100.0


def ask(text: str = "up", **fields: Any) -> Query:
    """A query for three steps of 15 s, unless said otherwise."""
    fields = {
        "metric": "m",
        "part": "value",
        "side": "canary",
        "scope": "abc",
        "against": "xyz",
        "start": END - 30,
        "end": END,
        "step": 15.0,
        **fields,
    }
    return Query(text=text, **fields)


@pytest.fixture
def open_source():
    """Make sources that are closed after the test."""
    opened = []

    def make(url: str, **settings: Any) -> PrometheusSource:
        secrets = {f"{key}_env": settings.pop(key) for key in ("password", "bearer_token") if key in settings}
        document = PrometheusSettings(**{"url": url, **settings, **{key: key.upper() for key in secrets}})
        source = PrometheusSource(document.resolved({key.upper(): value for key, value in secrets.items()}, Path()))
        opened.append(source)
        return source

    yield make
    for source in opened:
        source.close()
