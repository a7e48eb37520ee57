"""The made-up past is what it says, and the same each time."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from tests.history import SCENARIOS, Side, openmetrics, pod_hash, rollout, rollouts, victoria_metrics_lines
from tests.servers import require

END = 1_700_003_600.0
SIDE = Side(hash="abc", start=END - 3600, end=END)


def samples(text: str) -> dict[str, list[tuple[float, float]]]:
    """By series, (time, value) pairs."""
    found: dict[str, list[tuple[float, float]]] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            series, value, t = line.rsplit(" ", 2)
            found.setdefault(series, []).append((float(t), float(value)))
    return found


def last(text: str, *parts: str) -> float:
    """Sum of the last values of the series that hold all these parts."""
    return sum(values[-1][1] for series, values in samples(text).items() if all(part in series for part in parts))


def test_the_same_seed_gives_the_same_text_and_another_another():
    assert openmetrics([SIDE], seed=1) == openmetrics([SIDE], seed=1)
    assert openmetrics([SIDE], seed=1) != openmetrics([SIDE], seed=2)


def test_a_side_is_the_same_whoever_stands_beside_it():
    assert set(openmetrics([SIDE]).splitlines()) <= set(openmetrics([replace(SIDE, hash="other"), SIDE]).splitlines())


def test_an_hour_of_two_sides_takes_less_than_three_seconds():
    began = time.process_time()
    openmetrics([SIDE, replace(SIDE, hash="other")])

    assert time.process_time() - began < 3


def test_rates_errors_and_latencies_are_as_asked():
    text = openmetrics([replace(SIDE, error_ratio=0.04, latency_scale=2.0)])
    requests = last(text, "http_requests_total")

    assert requests == pytest.approx(30 * 3600, rel=0.05)
    assert last(text, "http_requests_total", 'code="500"') / requests == pytest.approx(0.04, rel=0.05)
    assert last(text, 'le="0.15"') / requests == pytest.approx(0.46, abs=0.04)  # the median is 0.16 s
    assert last(text, "_count") == last(text, 'le="+Inf"') == requests
    assert last(text, "_sum") / requests == pytest.approx(0.16 * np.exp(0.18), rel=0.05)


def test_pods_share_the_load_and_are_scraped_at_times_of_their_own():
    found = samples(openmetrics([SIDE]))
    pods = {series: values for series, values in found.items() if series.startswith("http_request_duration_seconds_count")}

    assert len(pods) == 3
    assert len({values[0][0] % 15 for values in pods.values()}) == 3
    assert [values[-1][1] for values in pods.values()] == pytest.approx([36_000] * 3, rel=0.05)
    for values in pods.values():
        assert np.diff([t for t, _ in values]) == pytest.approx(15.0)


def test_both_sides_go_through_the_same_ups_and_downs():
    text = openmetrics([replace(SIDE, pods=1), replace(SIDE, pods=1, hash="other")])
    rates = [np.diff([v for _, v in values])[:230] for series, values in samples(text).items() if "seconds_count" in series]

    assert np.corrcoef(rates[0], rates[1])[0, 1] > 0.3


def test_counters_go_on_during_a_gap_in_which_nothing_is_scraped():
    gap = (END - 2400, END - 1200)
    whole, holed = samples(openmetrics([SIDE])), samples(openmetrics([replace(SIDE, gaps=(gap,))]))

    assert whole.keys() == holed.keys()
    for series, values in holed.items():
        assert values == [(t, v) for t, v in whole[series] if not gap[0] <= t < gap[1]]


def test_a_restart_begins_one_pods_counters_again_and_is_counted():
    found = samples(openmetrics([replace(SIDE, resets=(END - 1800,))]))
    falls = [series for series, values in found.items() if np.any(np.diff([v for _, v in values]) < 0) and "memory" not in series]
    restarts = {series: values[-1][1] for series, values in found.items() if series.startswith("kube_pod")}

    assert len({series.partition('pod="')[2].partition('"')[0] for series in falls}) == 1
    assert sorted(restarts.values()) == [0, 0, 1]
    for series in falls:
        t, v = np.array(found[series]).T
        assert v[t >= END - 1800][0] < 0.1 * v[t < END - 1800][-1] + 5


def test_a_code_that_never_occurs_has_no_series():
    assert 'code="500"' not in openmetrics([replace(SIDE, error_ratio=0.0)])


def test_every_scenario_is_made_and_they_share_no_label_set():
    made = rollouts(end=END)

    assert list(made) == list(SCENARIOS)
    sides = [side for each in made.values() for side in (each.baseline, each.canary)]
    assert len({side.hash for side in sides}) == len(sides)
    assert all(side.end == END for side in sides)
    assert rollout("young", end=END).canary.start == END - 90


def test_hashes_look_like_pod_template_hashes():
    assert pod_hash("shop", "canary") == pod_hash("shop", "canary") != pod_hash("shop", "baseline")
    assert len(pod_hash("shop", "canary")) == 9


def test_victoria_metrics_gets_milliseconds():
    text = openmetrics([replace(SIDE, pods=1, end=SIDE.start + 60)])
    lines = victoria_metrics_lines(text).splitlines()

    assert len(lines) == sum(not line.startswith("#") for line in text.splitlines())
    assert all(1.7e12 <= int(line.rsplit(" ", 1)[1]) < 1.8e12 for line in lines)


def test_a_missing_server_names_its_package(monkeypatch):
    monkeypatch.delenv("JUDGE_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="install Debian's package no-such-package"):
        require("no-such-server", "no-such-package")
    monkeypatch.setenv("JUDGE_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="install Debian's package no-such-package"):
        require("no-such-server", "no-such-package")
