"""The same source against a real Prometheus and a real VictoriaMetrics."""

from __future__ import annotations

import time
from contextlib import ExitStack

import numpy as np
import pytest

from judge.core.model import Classification
from judge.sources.prometheus.source import MAX_STEPS
from tests.history import gauge
from tests.servers import loopback, prometheus, victoria_metrics
from tests.sources.conftest import ask

pytestmark = pytest.mark.integration

STEP = 15.0
START = 1_700_000_100.0
END = START + 3600
# Nothing is stored in these twenty minutes.
HOLE = (START + 1200, START + 2400)


def past() -> str:
    """A gauge every 15 s that never has the same value twice in a row, with a hole."""
    rng = np.random.default_rng(1)
    times = np.arange(START, END + 1, STEP)
    stored = [t for t in times if not HOLE[0] <= t < HOLE[1]]
    lines = gauge(
        "memory_bytes", [(t, float(value)) for t, value in zip(stored, rng.integers(1, 10**6, len(stored)), strict=True)], pod="a"
    )
    odd = gauge("odd", [(START + 60, "NaN"), (START + 75, "+Inf"), (START + 90, 1)])
    counter = gauge("requests_total", [(t, 3 * place) for place, t in enumerate(times)], pod="a")
    return lines.replace("# EOF\n", "") + odd.replace("# EOF\n", "") + counter


@pytest.fixture(scope="module")
def prometheus_url(tmp_path_factory):
    with prometheus(tmp_path_factory.mktemp("prometheus"), blocks=past(), path="/prom") as url:
        yield url


@pytest.fixture(scope="module")
def victoria_metrics_url(tmp_path_factory):
    with victoria_metrics(tmp_path_factory.mktemp("victoria-metrics"), history=past()) as url:
        yield url


@pytest.fixture(params=["prometheus", "victoria-metrics"])
def url(request):
    return request.getfixturevalue(f"{request.param.replace('-', '_')}_url")


def only(source, text: str, *, deadline: float = 5.0, **fields):
    (answer,) = source.fetch([ask(text, **{"start": START, "end": END, "step": STEP, **fields})], deadline=deadline)
    return answer


def test_no_sample_inside_a_hole_survives(open_source, url):
    answer = only(open_source(url), "memory_bytes")

    (series,) = answer.series
    inside = (series.t >= HOLE[0]) & (series.t < HOLE[1])
    assert not inside.any()
    outside = [t for t in np.arange(START, END + 1, STEP) if not HOLE[0] <= t < HOLE[1]]
    assert series.t.tolist() == outside
    assert series.labels["pod"] == "a"


def test_prometheus_did_repeat_the_last_value_into_the_hole(open_source, prometheus_url):
    """Without this the test above would prove nothing."""
    answer = only(open_source(prometheus_url, lookback=0.0), "memory_bytes")

    series = answer.series[0].between(HOLE[0], HOLE[1] - 1)
    assert len(series) == pytest.approx(20, abs=1)
    assert len(set(series.v)) == 1
    dropped = only(open_source(prometheus_url), "memory_bytes").warnings
    assert dropped == ("20 samples dropped at 22:35 to 22:39 UTC: the last value of a series that had ended, repeated by Prometheus",)


def test_a_rate_of_a_steady_counter_is_constant_and_stays(open_source, url):
    answer = only(open_source(url), "sum(rate(requests_total[1m]))", start=START + 60)

    assert len(answer.series[0]) == 237
    assert answer.series[0].v == pytest.approx(0.2)
    assert answer.warnings == ()


def test_a_parse_error_keeps_the_servers_words(open_source, url):
    answer = only(open_source(url), "sum(rate(")

    assert answer.problem.classification is Classification.ERROR
    assert answer.problem.message.startswith(f"{url} refused the query: ")
    assert "parse" in answer.problem.message


def test_nothing_found_is_no_trouble(open_source, url):
    answer = only(open_source(url), "no_such_metric")

    assert (answer.series, answer.problem, answer.warnings) == ((), None, ())


def test_nan_is_absent_and_infinity_is_kept(open_source, prometheus_url):
    answer = only(open_source(prometheus_url), "odd", start=START + 60, end=START + 90)

    assert answer.series[0].t.tolist() == [START + 75, START + 90]
    assert answer.series[0].v.tolist() == [float("inf"), 1]


def test_nothing_over_nothing_is_no_samples_in_both_dialects(open_source, url):
    answer = only(open_source(url), "sum(rate(requests_total[1m])) * 0 / 0", start=START + 60)

    assert (answer.series, answer.problem) == ((), None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1 + 1", 2.0), ("sum(increase(requests_total[10m]))", 120.0), ("vector(7)", 7.0), ("scalar(memory_bytes) > bool 0", 1.0)],
)
def test_an_instant_is_one_sample_at_the_end(open_source, url, text, expected):
    answer = only(open_source(url), text, instant=True)

    (series,) = answer.series
    assert series.t.tolist() == [END]
    assert series.v == pytest.approx([expected], rel=0.03)


@pytest.mark.parametrize(("text", "words"), [('"abc"', "answered with a string"), ("requests_total[5m]", "a range of samples")])
def test_an_instant_that_is_no_number_is_an_error(open_source, prometheus_url, text, words):
    answer = only(open_source(prometheus_url), text, instant=True)

    assert answer.problem.classification is Classification.ERROR
    assert words in answer.problem.message


def test_more_steps_than_prometheus_allows_are_asked_in_parts(open_source, url):
    count = 2 * MAX_STEPS + 5
    answer = only(open_source(url), "vector(time())", start=START, end=START + count - 1, step=1.0)

    (series,) = answer.series
    assert series.t.tolist() == series.v.tolist() == [START + second for second in range(count)]


def test_a_query_of_the_longest_allowed_length_is_answered(open_source, url):
    text = 'sum(rate(requests_total{pod!="' + "x" * 9_950 + '"}[1m]))'
    answer = only(open_source(url), text, start=START + 60)

    assert answer.problem is None
    assert len(answer.series[0]) == 237


def test_a_heavy_query_ends_at_the_deadline_on_both_sides(open_source, prometheus_url):
    """The server is told the deadline, so it does not work on for nobody."""
    heavy = "+".join(["1"] * 4_000)
    source = open_source(prometheus_url)
    began = time.monotonic()
    answer = only(source, heavy, deadline=0.3)

    assert time.monotonic() - began < 60
    assert answer.problem.classification is Classification.NODATA
    assert only(source, "vector(1)").problem is None


def test_a_query_that_the_server_gave_up_is_no_data(open_source, tmp_path):
    with prometheus(tmp_path, blocks=past(), flags=["--query.timeout=1ms"]) as url:
        answer = only(open_source(url), "+".join(["sum(memory_bytes)"] * 200))

    assert answer.problem.classification is Classification.NODATA
    assert "gave the query up: query timed out" in answer.problem.message


def test_samples_that_the_server_refuses_to_load_are_the_querys_fault(open_source, tmp_path):
    with prometheus(tmp_path, blocks=past(), flags=["--query.max-samples=10"]) as url:
        answer = only(open_source(url), "memory_bytes")

    assert answer.problem.classification is Classification.ERROR
    assert "too many samples" in answer.problem.message


def test_live_targets_are_scraped(open_source, tmp_path):
    """A series that ends with a staleness marker is not repeated, and none of it is dropped."""
    with ExitStack() as stack:
        target = stack.enter_context(loopback(lambda asked: asked.say(200, "answers_total 42\n", Content_Type="text/plain")))
        host = target.url.removeprefix("http://")
        url = stack.enter_context(prometheus(tmp_path, scrape=[("shop", host, {"pod": "a"})]))
        source = open_source(url)
        ends = time.monotonic() + 10
        answer = only(source, "answers_total", start=0, end=time.time(), instant=True)
        while not answer.series and time.monotonic() < ends:
            time.sleep(0.1)
            answer = only(source, "answers_total", start=0, end=time.time(), instant=True)

    assert answer.series[0].v.tolist() == [42]
    assert answer.series[0].labels == {"__name__": "answers_total", "instance": host, "job": "shop", "pod": "a"}
