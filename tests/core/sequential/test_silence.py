"""What a side does not report, or stopped to report, does not let a canary pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from judge.core.canary import judge_canary
from judge.core.config import COUNT_MUST_DETECT, COUNT_TOLERANCE, CanaryConfig, Direction, Limit, MetricConfig, WindowConfig
from judge.core.model import Classification, Outcome, Series, SeriesPair
from tests.core.sequential.canaries import STEP, counts, judged, look, noise, pair

C = Classification
N = 60
NOW = look(20, 20, n=N)
ALL = np.full(N, 300.0)
FEW = np.tile([0.0, 1.0, 0.0], N // 3)


def until(share, values, *, then=np.nan):
    values = np.array(values, dtype=float)
    values[int(share * len(values)) :] = then
    return values


def part(share, n=N):
    return np.arange(int(share * n)) * STEP


@pytest.mark.parametrize(
    ("one", "said"),
    [
        pytest.param(
            pair(noise(N), noise(30, seed=4)), "the canary has no samples in the last 7.75 min; until then: ", id="the canary died half-way"
        ),
        pytest.param(pair(noise(N), noise(40, seed=4)), "the canary has no samples in the last 5.25 min", id="no last third"),
        pytest.param(
            pair(noise(N), until(0.5, noise(N, seed=4))), "the canary has no samples in the last 7.75 min", id="NaN since half-way"
        ),
        pytest.param(
            pair(noise(30), noise(N, seed=4)), "the baseline has no samples in the last 7.75 min", id="the baseline died half-way"
        ),
        pytest.param(
            pair(noise(30), noise(30, seed=4)), "neither side has samples in the last 7.75 min", id="both ended long before the window does"
        ),
        pytest.param(
            counts(FEW, ALL, FEW[::-1], until(0.5, ALL, then=0.0)), "the canary has no requests in the last 7.75 min", id="no more requests"
        ),
        pytest.param(
            counts(FEW, ALL, until(0.5, FEW[::-1]), ALL), "the canary has no requests in the last 7.75 min", id="errors that are no number"
        ),
    ],
)
@pytest.mark.parametrize("judge", ["sequential", "mann-whitney"])
def test_a_side_that_fell_silent_lets_nothing_pass(one, said, judge):
    counted = {"tolerance": COUNT_TOLERANCE, "must_detect": COUNT_MUST_DETECT} if one.canary_total is not None else {}
    metric = MetricConfig(name=one.metric, critical=True, direction=Direction.INCREASE, **counted)
    config = CanaryConfig(name="c", metrics=(metric,), judge=judge, window=WindowConfig(step=STEP))
    verdict = judge_canary(config, [one], window=NOW)

    assert said in verdict.results[0].reason
    assert (verdict.results[0].classification, verdict.outcome) == (C.UNDECIDED, Outcome.INCONCLUSIVE)


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(pair(noise(N), noise(48, seed=4)), id="a fifth of the window"),
        pytest.param(pair(noise(N), noise(30, seed=4), t_canary=np.arange(30, 60) * STEP), id="missing at the beginning"),
        pytest.param(pair(noise(N), noise(N, seed=4), t=np.arange(N) * STEP - 86400), id="a baseline of the day before"),
        pytest.param(
            pair(noise(N), noise(12, seed=4), t_canary=np.arange(12) * 5 * STEP), id="one request in five samples, the last one four ago"
        ),
    ],
)
def test_what_is_no_silence(one):
    verdict = judged(one, window=NOW)

    assert "in the last" not in verdict.results[0].reason
    assert verdict.outcome is Outcome.PASS


def test_a_regression_that_was_seen_before_the_silence_stays_one():
    verdict = judged(pair(noise(N), 1.5 * noise(40, seed=4)), window=NOW)

    assert verdict.outcome is Outcome.FAIL


def test_one_silent_route_among_others_is_a_route_without_requests():
    others = [pair(noise(N, seed=2 * i), noise(N, seed=2 * i + 1), labels={"route": f"/{i}"}) for i in range(3)]
    silent = pair(noise(N), noise(40, seed=4), labels={"route": "/rare"})

    assert judged(*others, silent, window=NOW).outcome is Outcome.PASS
    ended = [replace(one, canary=one.canary.between(0, 30 * STEP)) for one in others]
    assert judged(*ended, silent, window=NOW).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(("share", "outcome"), [(1.0, Outcome.PASS), (0.6, Outcome.INCONCLUSIVE)])
def test_a_limit_is_only_kept_by_a_canary_that_still_reports(share, outcome):
    ready = MetricConfig(name="ready", limit=Limit(min=3), critical=True)
    config = CanaryConfig(name="c", metrics=(ready,), window=WindowConfig(step=STEP))
    t = part(share)
    one = SeriesPair(metric="ready", baseline=Series.empty(), canary=Series(t=t, v=np.full(len(t), 3.0)))

    assert judge_canary(config, [one], window=NOW).outcome is outcome


def of_four(*absent):
    """Four metrics that weigh the same; the canary does not report some of them."""
    names = ("latency", "rate", "cpu", "memory")
    config = CanaryConfig(name="c", metrics=tuple(MetricConfig(name=name, direction=Direction.INCREASE) for name in names))
    pairs = [pair(noise(N, seed=2 * i), [] if name in absent else noise(N, seed=2 * i + 1), metric=name) for i, name in enumerate(names)]
    return judge_canary(config, pairs, window=NOW)


def test_a_canary_that_does_not_report_half_of_what_the_baseline_does_is_not_passed_by_the_rest():
    verdict = of_four("latency", "rate")

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason == "latency is not known (score 50 < 75 if it is worse): the canary has no samples"


def test_what_would_not_fail_the_canary_may_be_missing():
    assert of_four("latency").outcome is Outcome.PASS


def test_a_label_set_that_only_the_baseline_has_is_not_a_metric_that_is_missing():
    routes = [pair(noise(N, seed=2 * i), noise(N, seed=2 * i + 1), labels={"route": f"/{i}"}) for i in range(2)]
    gone = pair(noise(N), [], labels={"route": "/old"})
    config = CanaryConfig(name="c", metrics=(MetricConfig(name="latency", direction=Direction.INCREASE),))

    assert judge_canary(config, [*routes, gone], window=NOW).outcome is Outcome.PASS
