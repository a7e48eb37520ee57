"""What the tests of the Prometheus source share."""

from __future__ import annotations

from typing import Any

import pytest

from judge.config.server_settings import SourceSettings
from judge.sources import Query
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
        source = PrometheusSource(SourceSettings(**{"url": url, **settings}))
        opened.append(source)
        return source

    yield make
    for source in opened:
        source.close()
