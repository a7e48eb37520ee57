"""Each finding is found, and has a sentence of its own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from judge.core.config import COUNT_MUST_DETECT, COUNT_TOLERANCE, CanaryConfig, Direction, Limit, MetricConfig, TrafficConfig, WindowConfig
from judge.core.model import Classification, Outcome, Problem, Series, SeriesPair, Traffic, Verdict
from judge.core.sequential.judge import judge_sequential
from judge.core.sequential.settings import DEFAULTS, SequentialSettings
from tests.core.sequential.canaries import STEP, counts, judged, look, noise, pair

C = Classification
COUNTED = {"tolerance": COUNT_TOLERANCE, "must_detect": COUNT_MUST_DETECT}


def spiked(n=31, *, places=(4, 11, 20, 26), times=3.0, seed=4):
    values = noise(n, seed=seed)
    values[list(places)] *= times
    return values


def errors(n, requests, rate_b, rate_c, *, traffic=1.0):
    rng = np.random.default_rng(5)
    total_b, total_c = np.full(n, float(requests)), np.full(n, requests * traffic)
    return counts(rng.binomial(requests, rate_b, n), total_b, rng.binomial(int(requests * traffic), rate_c, n), total_c)


@pytest.mark.parametrize(
    ("one", "more", "classification", "said"),
    [
        pytest.param(
            pair(noise(60), 1.2 * noise(60, seed=4)),
            {},
            C.HIGH,
            "+20%: more than the 5% that is accepted (95% interval +17% to +22%); Mann-Whitney p<0.0001, n=60",
            id="whole: a shift",
        ),
        pytest.param(
            pair(noise(60), noise(60, seed=4) / 1.2), {"direction": Direction.DECREASE}, C.LOW, "-17%: more than the 5%", id="whole: a fall"
        ),
        pytest.param(
            pair(noise(60), noise(60, seed=4) * np.where(np.arange(60) < 38, 1, 1.3)),
            {},
            C.HIGH,
            "got worse lately: +21% in the later half of the window",
            id="recent: from two thirds on",
        ),
        pytest.param(
            pair(noise(31), spiked()),
            {},
            C.HIGH,
            "spikes that the baseline does not have: 4 of 31 canary samples are spikes (up to 3.2 times their surroundings), 0 of 31",
            id="tail: spikes",
        ),
        pytest.param(
            pair(noise(31), noise(31, seed=9, cv=0.3)), {}, C.HIGH, "times as widely as the baseline", id="spread: six times as wide"
        ),
        pytest.param(
            pair(noise(60), noise(60, seed=4) * np.where(np.arange(60) < 24, 1.8, 1)),
            {},
            C.PASS,
            "was worse at first and has healed: after the first third of the window a change of 20% is ruled out",
            id="healed: a warm-up",
        ),
        pytest.param(pair(noise(60), noise(60, seed=4)), {}, C.PASS, "a change of 20% is ruled out", id="within"),
        pytest.param(
            pair(noise(60, cv=0.4), 1.1 * noise(60, seed=4, cv=0.4)),
            {},
            C.UNDECIDED,
            "neither shown to exceed 5% nor to stay below 20%",
            id="undecided",
        ),
        pytest.param(
            errors(60, 300, 0.001, 0.008), COUNTED, C.HIGH, "on the baseline: more than the 25% and 0.1 pp that is accepted", id="errors"
        ),
        pytest.param(errors(60, 300, 0.001, 0.001), COUNTED, C.PASS, "a change of 100% and 0.5 pp is ruled out", id="equal errors"),
        pytest.param(
            errors(60, 300, 0.999, 0.99), {**COUNTED, "direction": Direction.DECREASE}, C.LOW, "on the canary", id="fewer successes"
        ),
        pytest.param(
            errors(60, 300, 0.001, 0.004, traffic=0.1), COUNTED, C.UNDECIDED, "more canary requests", id="errors at little traffic"
        ),
    ],
)
def test_it_is_found_and_said(one, more, classification, said):
    result = judged(one, **more).results[0]

    assert said in result.reason
    assert result.classification is classification


def test_a_partial_recovery_is_not_a_healing():
    canary = noise(60, seed=4) * np.where(np.arange(60) < 24, 1.8, 1.3)

    assert judged(pair(noise(60), canary)).results[0].classification is not C.PASS


def test_healed_errors_are_said_to_be():
    n = 60
    errors_c = np.where(np.arange(n) < 20, 9.0, 0.0)
    verdict = judged(counts(np.zeros(n), np.full(n, 300.0), errors_c, np.full(n, 300.0)), **COUNTED)

    assert verdict.outcome is Outcome.PASS
    assert "was worse at first and has healed" in verdict.results[0].reason


@pytest.mark.parametrize(
    ("canary", "switch"),
    [
        pytest.param(spiked(), {"tail": False, "spread": False}, id="tail"),
        pytest.param(noise(31, seed=4, cv=0.3), {"spread": False, "tail": False}, id="spread"),
    ],
)
def test_a_test_can_be_switched_off(canary, switch):
    on, off = judged(pair(noise(31), canary)), judged(pair(noise(31), canary), settings=SequentialSettings(**switch))
    here = judged(pair(noise(31), canary), settings=SequentialSettings(off={"latency": frozenset(switch)}))

    assert on.outcome is Outcome.FAIL
    assert off.outcome is not Outcome.FAIL
    assert here.outcome is off.outcome


def test_the_later_half_can_be_switched_off():
    canary = noise(60, seed=4) * np.where(np.arange(60) < 38, 1, 1.3)

    assert judged(pair(noise(60), canary), settings=replace(DEFAULTS, recent=False)).outcome is not Outcome.FAIL


def test_shared_spikes_are_no_tail():
    spikes = np.ones(31)
    spikes[[4, 11, 20, 26]] = 3.0

    assert judged(pair(noise(31) * spikes, noise(31, seed=4) * spikes)).outcome is Outcome.PASS


def test_two_spikes_could_be_anyones():
    assert judged(pair(noise(31), spiked(places=(4, 20)))).results[0].classification is not C.HIGH


def test_one_long_incident_is_no_tail_of_spikes():
    result = judged(pair(noise(31), spiked(places=(14, 15, 16)))).results[0]

    assert "spikes" not in result.reason


def test_a_shift_that_mann_whitney_does_not_see_is_not_called_a_regression():
    rng = np.random.default_rng(3)
    shared = np.exp(2 * rng.standard_normal(40))
    result = judged(pair(shared, shared * 1.15 * np.exp(0.01 * rng.standard_normal(40)))).results[0]

    assert result.classification is C.UNDECIDED
    assert "but Mann-Whitney on samples that share no data does not agree: not called a regression" in result.reason
    assert result.comparison is not None
    assert result.comparison.change == pytest.approx(0.15, abs=0.01)


def many(change, *, n=240, size=9, seed=0, phi_metrics=None):
    rng = np.random.default_rng(seed)
    t = np.arange(n) * STEP
    metrics = tuple(MetricConfig(name=f"m{i}", direction=Direction.INCREASE, critical=i == 0) for i in range(size))
    pairs = [
        SeriesPair(
            metric=metric.name,
            baseline=Series(t=t, v=100 * np.exp(0.1 * rng.standard_normal(n))),
            canary=Series(t=t, v=100 * (1 + change) * np.exp(0.1 * rng.standard_normal(n))),
        )
        for metric in metrics
    ]
    return CanaryConfig(name="c", metrics=metrics, judge="sequential", window=WindowConfig(step=STEP)), pairs


def test_many_metrics_each_a_little_worse_keep_a_canary_from_passing():
    verdict = judge_sequential(*many(0.045))

    assert verdict.outcome is Outcome.MARGINAL
    assert 75 <= verdict.score < 95
    assert "9 of 9 metrics are worse, by +4.7% on average" in verdict.reason
    assert {result.classification for result in verdict.results} == {C.PASS}


def test_together_they_can_be_switched_off():
    assert judge_sequential(*many(0.045), settings=SequentialSettings(joint=False)).outcome is Outcome.PASS


def test_one_metric_that_is_far_worse_does_not_speak_for_all():
    config, pairs = many(0.0)
    far = replace(pairs[-1], canary=replace(pairs[-1].canary, v=pairs[-1].canary.v * 4))
    verdict = judge_sequential(config, [*pairs[:-1], far])

    assert verdict.outcome is Outcome.MARGINAL
    assert verdict.reason.startswith("m8: +302%: more than the 5% that is accepted")


def test_together_they_do_not_fail_a_canary_without_traffic():
    config, pairs = many(0.3)
    idle = replace(config, traffic=TrafficConfig(query="requests", min_requests=100))

    assert judge_sequential(config, pairs).outcome is Outcome.FAIL
    assert judge_sequential(idle, pairs, traffic=Traffic(baseline=5000, canary=3)).outcome is Outcome.INCONCLUSIVE


def test_together_equal_metrics_pass():
    assert judge_sequential(*many(0.0)).outcome is Outcome.PASS


def test_an_undecided_metric_says_how_much_longer():
    one = pair(noise(60, cv=0.4), 1.1 * noise(60, seed=4, cv=0.4))
    verdict = judged(one, window=look(20, 20, n=60))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "would be seen now; about" in verdict.results[0].reason
    assert "more samples (" in verdict.results[0].reason
    assert "at the present rate the last undecided metric (latency) should be decided in" in verdict.warnings[0]
    waiting = verdict.results[0].wait
    assert waiting is not None
    assert (
        f"about +{100 * waiting.detectable:.0f}% would be seen now; about {waiting.samples:.0f} more samples" in verdict.results[0].reason
    )
    assert waiting.seconds == waiting.samples * STEP == verdict.decided_in


def test_of_counts_the_missing_requests_are_told_too():
    one = errors(60, 40, 0.001, 0.004)
    found = judged(one, window=look(20, 20, n=60), **COUNTED).results[0]

    assert found.classification is C.UNDECIDED
    assert found.wait is not None
    assert found.wait.requests > 100
    assert "more canary requests (" in found.reason


def test_a_decided_canary_waits_for_nothing():
    verdict = judged(pair(noise(60), noise(60, seed=4)))

    assert (verdict.decided_in, verdict.results[0].wait) == (None, None)


@pytest.mark.parametrize(
    ("one", "test"),
    [
        (pair(noise(60), 1.2 * noise(60, seed=4)), "whole"),
        (pair(noise(60), noise(60, seed=4) * np.where(np.arange(60) < 38, 1, 1.3)), "recent"),
        (pair(noise(31), spiked()), "tail"),
        (pair(noise(31), noise(31, seed=9, cv=0.3)), "spread"),
        (pair(noise(60), noise(60, seed=4)), "whole"),
    ],
)
def test_the_test_that_decided_is_a_field_with_its_level_and_look(one, test):
    n = len(one.canary)
    result = judged(one, window=look(20, 20, n=n)).results[0]

    assert result.decision is not None
    assert (result.decision.test, result.decision.look, result.decision.of) == (test, 20, 20)
    assert result.decision.level is not None
    assert (result.decision.p <= result.decision.level) == result.classification.regressed


def test_the_wait_is_about_right():
    short = judged(pair(noise(60, cv=0.8), noise(60, seed=4, cv=0.8)))
    wanted = int(short.results[0].reason.split("seen now; about ")[1].split(" more samples")[0])

    passed = sum(
        judged(pair(noise(60 + wanted, seed=2 * i, cv=0.8), noise(60 + wanted, seed=2 * i + 1, cv=0.8))).outcome is Outcome.PASS
        for i in range(40)
    )
    assert passed >= 20


def test_the_numbers_are_all_there():
    found = judged(pair(noise(60), 1.2 * noise(60, seed=4)), window=look(7, 20, n=60)).results[0]

    assert found.comparison is not None
    assert found.comparison.method == "sequential"
    assert found.comparison.pvalue < 1e-6
    assert found.comparison.effect > 0.9
    assert found.comparison.shift_low < found.comparison.shift < found.comparison.shift_high
    assert 0.05 < found.comparison.change_low < found.comparison.change < found.comparison.change_high
    assert "look 7 of 20, level 0.0" in found.reason
    assert (found.n_baseline, found.n_canary) == (60, 60)


def test_what_needs_no_statistics_is_settled_as_every_judge_does():
    metrics = (
        MetricConfig(name="restarts", limit=Limit(max=0), critical=True),
        MetricConfig(name="away"),
        MetricConfig(name="absent"),
        MetricConfig(name="twice"),
    )
    problem = Problem(classification=C.NODATA, message="no answer within 30 s")
    pairs = [
        SeriesPair(metric="restarts", baseline=Series.empty(), canary=pair([0.0], [1.0]).canary),
        SeriesPair(metric="away", baseline=Series.empty(), canary=Series.empty(), problem=problem),
        pair(noise(), noise(seed=4), metric="twice", queries={"baseline": "up", "canary": "up"}),
    ]
    verdict = judge_sequential(CanaryConfig(name="c", metrics=metrics, judge="sequential"), pairs)

    assert [result.classification for result in verdict.results] == [C.HIGH, C.NODATA, C.NODATA, C.ERROR]
    assert verdict.outcome is Outcome.FAIL
    assert verdict.reason == "critical restarts: canary reached 1, at most 0 is allowed"


def unfair(*pairs, traffic=None) -> Verdict:
    names = dict.fromkeys(one.metric for one in pairs)
    config = CanaryConfig(name="c", metrics=tuple(MetricConfig(name=name) for name in names), judge="sequential")
    return judge_sequential(config, pairs, traffic=traffic)


def test_label_sets_without_a_partner_are_warned_of():
    one = pair(noise(), noise(seed=4), labels={"route": "/a"})
    alone = pair(noise(), [], labels={"route": "/b"})

    assert unfair(one, alone).warnings == ('latency: 1 of 2 label sets do not exist on the canary ({route="/b"})',)


def test_a_lopsided_load_is_warned_of():
    one = pair(noise(), noise(seed=4))

    assert "the canary answered 1% of the baseline's requests" in unfair(one, traffic=Traffic(baseline=50000, canary=500)).warnings[0]
    assert unfair(one, traffic=Traffic(baseline=50000, canary=5000)).warnings == ()


def test_a_baseline_that_gets_worse_itself_is_warned_of():
    ramp = np.linspace(1, 2, 60)
    result = judged(pair(noise(60) * ramp, noise(60, seed=4) * ramp)).results[0]

    assert result.classification is C.PASS
    assert "the baseline itself went +4" in result.warnings[0]
    assert "a canary no worse than it is not necessarily well" in result.warnings[0]


def test_counts_of_overlapping_samples_are_told_once():
    """increase[1m] asked every 15 s: each request is in four samples, and stands in the sentence once."""
    rng = np.random.default_rng(8)
    events_b, events_c = rng.binomial(300, 0.01, 243).astype(float), rng.binomial(300, 0.03, 243).astype(float)

    def four(values):
        return np.convolve(values, np.ones(4), mode="valid")

    one = counts(four(events_b), np.full(240, 1200.0), four(events_c), np.full(240, 1200.0))
    found = judged(one, rate_window=4 * STEP, **COUNTED).results[0]

    assert found.classification is C.HIGH
    assert found.comparison is not None
    assert found.comparison.counts is not None
    assert found.comparison.counts.canary_total == 300 * 240
    assert found.comparison.counts.canary_events == pytest.approx(events_c.sum(), rel=0.02)
    assert found.comparison.counts.dispersion < 2
    assert "of 72,000" in found.reason


def late(n, times, *, cv=0.15):
    return pair(noise(n, cv=cv), noise(n, seed=4, cv=cv) * np.where(np.arange(n) < 0.66 * n, 1, times))


def test_a_metric_that_looks_far_worse_lately_does_not_let_a_canary_pass():
    """Too late to be shown, too bad to be passed over: the rest alone would have passed the canary."""
    one = late(26, 2.0)
    others = [pair(noise(26, seed=2 * i), noise(26, seed=2 * i + 1), metric=f"m{i}") for i in range(10, 13)]
    metrics = (MetricConfig(name="latency", group="latency"), *(MetricConfig(name=each.metric, group="rest") for each in others))
    config = CanaryConfig(name="c", metrics=metrics, judge="sequential", groups={"latency": 40.0, "rest": 60.0})
    verdict = judge_sequential(config, [one, *others], window=look(8, 20, n=26))

    latency = verdict.results[0]
    assert (latency.classification, latency.suspect) == (C.UNDECIDED, True)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.reason.startswith("latency is not decided and looks worse than what must not slip through (score 60 < 75 if it is): ")


def test_a_light_metric_that_looks_worse_may_stay_open():
    one = late(26, 2.0)
    others = [pair(noise(26, seed=2 * i), noise(26, seed=2 * i + 1), metric=f"m{i}") for i in range(10, 13)]
    metrics = (MetricConfig(name="latency", group="latency"), *(MetricConfig(name=each.metric, group="rest") for each in others))
    config = CanaryConfig(name="c", metrics=metrics, judge="sequential", groups={"latency": 10.0, "rest": 90.0})
    verdict = judge_sequential(config, [one, *others], window=look(8, 20, n=26))

    assert verdict.results[0].suspect
    assert verdict.outcome is Outcome.PASS


def test_an_undecided_metric_that_looks_well_is_not_suspect():
    found = judged(pair(noise(60, cv=0.4), 1.1 * noise(60, seed=4, cv=0.4))).results[0]

    assert (found.classification, found.suspect) == (C.UNDECIDED, False)


@pytest.mark.parametrize("told_by", ["the traffic", "the totals of a ratio"])
def test_a_canary_with_fewer_requests_may_swing_more_widely(told_by):
    """Three times as widely with a ninth of the requests is what chance does."""
    swinging = pair(noise(31), noise(31, seed=9, cv=0.17))
    requests = counts(np.ones(31), np.full(31, 900.0), np.ones(31), np.full(31, 100.0))

    unknown = judged(swinging)
    if told_by == "the traffic":
        config = CanaryConfig(name="c", metrics=(MetricConfig(name="latency", critical=True, direction=Direction.INCREASE),))
        known = judge_sequential(config, [swinging], traffic=Traffic(baseline=9000.0, canary=1000.0))
    else:
        known = judged(swinging, requests)

    assert (unknown.results[0].classification, unknown.results[0].decision.test) == (C.HIGH, "spread")
    assert known.results[0].classification is C.PASS
    [doubt] = [warning for warning in unknown.warnings if "how it swings" in warning]
    assert doubt.startswith("latency failed by how it swings, and how many requests each side had is not known")
    assert "how it swings" not in " ".join(known.warnings)


def test_a_level_that_is_worse_is_in_no_doubt_for_want_of_requests():
    found = judged(pair(noise(60), 1.2 * noise(60, seed=4)))

    assert found.results[0].classification is C.HIGH
    assert found.warnings == ()


def test_what_is_accepted_of_a_canary_with_few_requests_is_said():
    config = CanaryConfig(name="c", metrics=(MetricConfig(name="latency", critical=True, direction=Direction.INCREASE),))
    wild = pair(noise(31), noise(31, seed=9, cv=0.9))

    found = judge_sequential(config, [wild], traffic=Traffic(baseline=9000.0, canary=1000.0)).results[0]

    assert found.classification is C.HIGH
    assert "4.5 times is accepted of a canary with 11% of the baseline's requests" in found.reason
