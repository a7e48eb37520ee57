"""The short form of the door's benchmark, with slack for a busy machine."""

from __future__ import annotations

from tests.benchmarks.kayenta_door import MOST_GROWTH_MB, MOST_MS, measure


def test_one_request_costs_what_is_promised():
    found = measure(rounds=5, requests=300)

    print(found)
    assert found["cpu_ms"] < 2 * MOST_MS
    assert found["grown_mb"] < MOST_GROWTH_MB
