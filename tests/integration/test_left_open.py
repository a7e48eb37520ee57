"""Scrapes at whole steps, where the end of a range selector matters: Prometheus 2 takes a sample at its left end, Prometheus 3 none."""

from __future__ import annotations

import pytest

from tests.history import openmetrics, rollouts
from tests.integration.service import fetch, post, serving
from tests.servers import prometheus

END = 1_763_640_000.0
SCRAPE = 15.0
SHOPS = rollouts(("healthy", "errors"), end=END)
CONFIG = """
name: {name}
args: {{service: {{}}}}
scope: 'rollouts_pod_template_hash="${{hash}}"'
window: {{warmup: 90s, step: {step}, length: 30m}}
metrics:
  - name: error-ratio
    numerator: sum(increase(http_requests_total{{service="${{service}}",code=~"5..",${{scope}}}}[{range}]))
    denominator: sum(increase(http_requests_total{{service="${{service}}",${{scope}}}}[{range}]))
    direction: increase
    critical: true
  - name: latency-p99
    query: histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{{service="${{service}}",${{scope}}}}[{range}])))
    direction: increase
"""
CONFIGS = {"a-step": ("1m", "1m"), "two-scrapes": ("30s", "30s"), "four-steps": ("15s", "1m"), "one-scrape": ("15s", "15s")}
"""Name: (step, range of the rates)."""

pytestmark = pytest.mark.integration


def in_step(text):
    """The same samples, every one at a whole multiple of the scrape interval."""
    lines = (line if line.startswith("#") else line.rpartition(" ") for line in text.splitlines())
    whole = [line if isinstance(line, str) else f"{line[0]} {round(float(line[2]) / SCRAPE) * SCRAPE:.3f}" for line in lines]
    return "\n".join([*whole, ""])


@pytest.fixture(scope="module")
def text():
    return in_step(openmetrics((side for each in SHOPS.values() for side in (each.baseline, each.canary)), seed=7))


@pytest.fixture(scope="module")
def judge_url(text, prometheus_program, tmp_path_factory):
    folder = tmp_path_factory.mktemp("left-open")
    configs = folder / "configs"
    configs.mkdir()
    for name, (step, range_) in CONFIGS.items():
        (configs / f"{name}.yaml").write_text(CONFIG.format(name=name, step=step, range=range_))
    with (
        prometheus(folder / "prometheus", blocks=text, program=prometheus_program) as source,
        serving(folder / "judge", prometheus=source, configs=configs) as url,
    ):
        yield url


@pytest.fixture
def judged(judge_url):
    def about(config, scenario):
        shop = SHOPS[scenario]
        hashes = {"baseline": shop.baseline.hash, "canary": shop.canary.hash}
        answer = post(judge_url, {"config": config, **hashes, "service": scenario, "end": str(END)})
        record = fetch(f"{judge_url}/v1/verdicts/{answer['id']}")
        return answer, {result["name"]: result for result in record["verdict"]["results"]}

    return about


def requests(text, hash_, start, end):
    """How many requests there were between two times, counted by hand."""
    series = {}
    for line in text.splitlines():
        if line.startswith("http_requests_total") and hash_ in line:
            name, value, time = line.rsplit(" ", 2)
            series.setdefault(name, [(0.0, 0.0)]).append((float(time), float(value)))

    def until(time):
        return sum(max(value for at, value in values if at <= time) for values in series.values())

    return until(end) - until(start)


@pytest.mark.parametrize(("scenario", "verdict"), [("healthy", "pass"), ("errors", "fail")])
@pytest.mark.parametrize("config", ["a-step", "two-scrapes", "four-steps"])
def test_the_verdict_does_not_depend_on_it(judged, config, scenario, verdict):
    assert judged(config, scenario)[0]["verdict"] == verdict


@pytest.mark.parametrize(("config", "step"), [("a-step", 60), ("two-scrapes", 30)])
def test_no_request_is_counted_twice_or_lost(judged, text, config, step):
    """The first step of the window looks back to its own beginning; what the increase does not see it makes up for."""
    counts = judged(config, "healthy")[1]["error-ratio"]["comparison"]["counts"]

    assert counts["canary_total"] == pytest.approx(requests(text, SHOPS["healthy"].canary.hash, END - 1800 - step, END), rel=0.01)


def test_samples_that_share_their_data_count_for_less(judged):
    """Rates over four steps: of 121 samples no more than a quarter can be independent."""
    latency = judged("four-steps", "healthy")[1]["latency-p99"]

    assert latency["n_canary"] == 121
    assert latency["comparison"]["n_effective"] <= 121 / 4


def test_a_range_of_one_scrape_is_no_data_or_all_of_it_and_never_half(judged, prometheus_program):
    """Prometheus 3 finds one sample in it, of which nothing increases."""
    answer, _ = judged("one-scrape", "errors")

    if prometheus_program is None:
        assert answer["verdict"] == "fail"
    else:
        assert (answer["verdict"], answer["reason"]) == ("inconclusive", "the canary has no samples yet")
