"""Settings are proposed for what healthy pairs show, and only then."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from judge.calibrate.healthy_pairs import Case, Kind
from judge.calibrate.proposal import Setting, applicable, apply, propose
from judge.calibrate.trials import judge_all
from judge.config.load import parse_config
from judge.core.model import Series, SeriesPair
from judge.parallel import Workers

N = 31


def config(**metric):
    return parse_config(
        {
            "name": "c",
            "scope": 'hash="${hash}"',
            "window": {"step": "60s", "length": "30m"},
            "looks": {"count": 20, "interval": "90s"},
            "metrics": [{"name": "latency", "query": "avg(latency{${scope}})", "direction": "increase", "critical": True, **metric}],
        },
        where="test",
    )


def cases(*, noise: float, offset: float = 0.0, wider: float = 1.0, count: int = 20) -> list[Case]:
    """Healthy pairs: `offset` is the spread between pods, `wider` how much more the canary varies."""
    found = []
    for seed in range(count):
        rng = np.random.default_rng(seed)
        level = np.exp(offset * rng.standard_normal())
        sides = [
            Series(t=np.arange(N) * 60.0, v=0.2 * own * np.exp(spread * noise * rng.standard_normal(N)))
            for own, spread in ((1.0, 1.0), (level, wider))
        ]
        pair = SeriesPair(metric="latency", baseline=sides[0], canary=sides[1])
        found.append(Case(kind=Kind.SPLIT, start=seed * 1800.0, length=1800.0, shift=0.0, pairs=(pair,)))
    return found


def proposed(made, pairs: list[Case], scrape: float | None = None) -> list[Setting]:
    workers = Workers()
    return propose(made, judge_all(made, pairs, workers=workers), pairs, scrape=scrape, workers=workers)


def test_nothing_is_proposed_for_what_is_quiet():
    assert proposed(config(), cases(noise=0.02)) == []


@pytest.mark.extended
def test_a_test_that_fires_when_all_is_well_is_switched_off():
    made, pairs = config(), cases(noise=0.03, wider=3.0, count=60)
    (one,) = [setting for setting in proposed(made, pairs) if setting.key]
    changed = apply(made, [one])
    judged = judge_all(changed, pairs, workers=Workers())

    assert one.key == "metrics.latency.tests"
    assert one.after["spread"] is False
    assert "healthy pairs were called regressed by the test spread" in one.why
    assert sum(each.stopped > 0 for each in judged) <= 1


def test_offsets_between_pods_ask_for_a_wider_tolerance_and_must_detect():
    found = {one.key: one for one in proposed(config(), cases(noise=0.01, offset=0.06))}
    tolerance = found["metrics.latency.tolerance"]

    assert float(tolerance.after.rstrip("%")) in {10.0, 15.0, 20.0}
    assert "healthy pods differ by up to" in tolerance.why
    assert float(found["metrics.latency.must_detect"].after.rstrip("%")) >= 2 * float(tolerance.after.rstrip("%"))


def test_a_must_detect_below_the_metric_s_own_noise_is_raised_just_enough():
    found = [one for one in proposed(config(must_detect="6%"), cases(noise=0.08)) if one.key.endswith("must_detect")]

    assert [one.after for one in found] == ["20%"]


def test_a_metric_that_is_all_noise_is_told_to_go():
    (one,) = proposed(config(must_detect="20%"), cases(noise=4.0))

    assert one.key == ""
    assert "this metric only makes noise" in one.why


@pytest.mark.parametrize(
    ("query", "scrape", "words"),
    [
        pytest.param("histogram_quantile(0.5, sum by (le) (rate(x_bucket{${scope}}[1m])))", 15.0, "add the p99", id="a median alone"),
        pytest.param('sum(rate(x{code=~"5..",${scope}}[1m]))/sum(rate(x{${scope}}[1m]))', 15.0, "numerator and denominator", id="a ratio"),
        pytest.param("sum(rate(x{${scope}}[5m]))", 15.0, "each sample covers 300 s", id="a rate window longer than the step"),
        pytest.param("sum(rate(x{${scope}}[1m]))", 60.0, "often holds one scrape only", id="a rate window of one scrape"),
    ],
)
def test_what_another_query_cures_is_advice(query, scrape, words):
    made = config(query=query)
    advice = [one for one in proposed(made, cases(noise=0.02), scrape) if not one.key]

    assert any(words in one.why for one in advice)
    assert apply(made, advice) is made


def test_a_setting_that_cannot_be_made_becomes_advice():
    wrong = Setting(metric="latency", key="metrics.latency.tolerance", before="5%", after="a lot", why="just because")
    (one,) = applicable(config(), [wrong])

    assert one.key == ""
    assert one.why.startswith("just because; metrics.latency.tolerance cannot be set to a lot")


def test_a_metric_without_samples_is_left_alone():
    pairs = [replace(case, pairs=(replace(case.pairs[0], canary=Series.empty()),)) for case in cases(noise=0.02, count=12)]

    assert proposed(config(), pairs) == []
