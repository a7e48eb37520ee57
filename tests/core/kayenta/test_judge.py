"""The whole judge: where it decides what Kayenta leaves to chance, what it refuses, what it says beside the verdict."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from judge.core.kayenta.java_json import samples
from judge.core.kayenta.judge import KayentaFault, judge_kayenta
from judge.core.kayenta.results import Label, Summary, to_json
from judge.core.kayenta.scoring import group_order, rounded
from tests.core.kayenta.noise import JavaGaussians, rolled

S = [float(i) for i in range(1, 11)]
H = [float(i) for i in range(21, 31)]
TINY = [v * 1e-9 for v in [*range(5, 35)] * 2]
THRESHOLDS = {"pass": 95, "marginal": 75}


def config(canary=None, name="m", **metric):
    analysis = {} if canary is None else {"analysisConfigurations": {"canary": canary}}
    return {"metrics": [{"name": name, "groups": ["g"], **analysis, **metric}], "classifier": {"groupWeights": {"g": 100}}}


def pair(baseline, canary, name="m", **more):
    return {"id": "1", "name": name, "tags": {}, "values": {"control": baseline, "experiment": canary}, **more}


def only(baseline, canary, analysis=None, **settings):
    found = judge_kayenta(config(analysis), THRESHOLDS, [pair(baseline, canary)], **settings)
    return found.results[0]


@pytest.mark.parametrize(
    ("baseline", "canary", "label"),
    [
        pytest.param([5] * 10, [10] * 10, Label.HIGH, id="a higher constant is high"),
        pytest.param([10] * 10, [5] * 10, Label.LOW, id="a lower constant is low"),
        pytest.param([100] * 30, [100.0001] * 30, Label.HIGH, id="however little higher"),
        pytest.param([0] * 10, [5] * 10, Label.HIGH, id="a zero baseline has no ratio, which skips the effect test"),
        pytest.param([5] * 10, [0] * 10, Label.LOW, id="nor has a zero canary"),
        pytest.param([-5] * 10, [-10] * 10, Label.PASS, id="below zero the ratio says the opposite, as for Kayenta"),
        pytest.param([5], [10], Label.ERROR, id="one sample a side ties with itself"),
        pytest.param([0] * 10, [5], Label.ERROR, id="noise leaves a zero and a single sample as they are"),
        pytest.param([5], [10, 10], Label.HIGH, id="one sample against two of another value"),
        pytest.param([1] * 5, [math.inf] * 5, Label.PASS, id="an infinite constant shows nothing"),
    ],
)
def test_two_constants_are_compared_as_they_are(baseline, canary, label):
    found = only(baseline, canary)

    assert found.label is label
    assert any("both sides are constant and differ" in warning for warning in found.warnings)


def test_two_constants_get_one_verdict_and_not_kayentas_dice():
    dice = set()
    for seed in range(20):
        with rolled(seed):
            dice.add(only([100] * 30, [100.0005] * 30).label)
    found = {only([100] * 30, [100.0005] * 30).label for _ in range(20)}

    assert dice == {Label.PASS, Label.HIGH}
    assert found == {Label.HIGH}


def test_a_limit_on_the_effect_holds_for_constants_too():
    assert only([100] * 30, [101] * 30, {"effectSize": {"allowedIncrease": 1.05}}).label is Label.PASS
    assert only([100] * 30, [110] * 30, {"effectSize": {"allowedIncrease": 1.05}}).label is Label.HIGH


def test_java_rolls_the_same_numbers():
    # OpenJDK 17: var r = new java.util.Random(42); Double.doubleToLongBits(r.nextGaussian()), six times.
    # The platform's logarithm gives other last places for the first two.
    gaussians = JavaGaussians(42)
    found = [struct.unpack(">q", struct.pack(">d", gaussians.next()))[0] for _ in range(6)]

    assert found == [
        4607821503525903750,
        4606456510138157127,
        -4616641179245592382,
        -4615707776640798080,
        4598733263062401967,
        4604341753479877564,
    ]


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        pytest.param(
            {"analysis": {"effectSize": {"allowedIncrease": "1.2"}}}, "effectSize.allowedIncrease", "without quotes", id="number quoted"
        ),
        pytest.param({"analysis": {"effectSize": {"allowedIncrease": 3_000_000_000}}}, "allowedIncrease", "32 bits", id="a long"),
        pytest.param(
            {"analysis": {"critical": "true"}},
            "canaryConfig.metrics.0.analysisConfigurations.canary.critical",
            "true or false",
            id="flag quoted",
        ),
        pytest.param({"analysis": {"mustHaveData": 1}}, "canary.mustHaveData", "got 1", id="flag a number"),
        pytest.param({"analysis": {"direction": None}}, "canary.direction", "is null", id="a null word"),
        pytest.param(
            {"analysis": {"outliers": {"strategy": "remove", "outlierFactor": 0}}},
            "outliers.outlierFactor",
            "greater than zero",
            id="factor",
        ),
        pytest.param(
            {"analysis": {"outliers": {"outlierFactor": "3"}}}, "outliers.outlierFactor", "without quotes", id="factor read always"
        ),
        pytest.param({"config": {"metrics": None}}, "canaryConfig.metrics", "need a list, got null", id="no metrics"),
        pytest.param({"config": {"metrics": [{"name": "m"}]}}, "canaryConfig.classifier", "got null", id="no classifier"),
        pytest.param({"config": {"metrics": [{"name": "m"}], "classifier": {}}}, "canaryConfig.metrics", "list of groups", id="no groups"),
        pytest.param(
            {"config": config(groups=[["g"]])}, "canaryConfig.metrics.0.groups.0", "need a text, got a list", id="a group is no text"
        ),
        pytest.param(
            {"config": config() | {"classifier": {"groupWeights": {"g": "much"}}}}, "groupWeights.g", "need a number", id="weight"
        ),
        pytest.param({"thresholds": None}, "scoreThresholds", "need an object, got null", id="no thresholds"),
        pytest.param({"thresholds": {"pass": True}}, "scoreThresholds.pass", "got true", id="threshold a flag"),
        pytest.param({"pairs": None}, "metricSetPairList", "need a list", id="no pairs"),
        pytest.param(
            {"pairs": [pair(S, S, name="zz")]}, "metricSetPairList.0.name", "Could not find metric config for zz", id="unknown pair"
        ),
        pytest.param({"pairs": [pair(None, S)]}, "metricSetPairList.0.values.control", "need a list, got null", id="no control"),
        pytest.param({"pairs": [pair(S, [1.0, "x"])]}, "metricSetPairList.0.values.experiment.1", "got 'x'", id="a sample no number"),
        pytest.param({"pairs": [pair(S, [1.0, True])]}, "metricSetPairList.0.values.experiment.1", "got true", id="a sample a flag"),
        pytest.param({"pairs": [{"name": "m", "values": 3}]}, "metricSetPairList.0.values", "need an object, got 3", id="values no object"),
    ],
)
def test_where_kayenta_throws_the_field_is_named(change, path, message):
    asked = change.get("config", config(change.get("analysis")))

    with pytest.raises(KayentaFault, match=message) as caught:
        judge_kayenta(
            asked,
            change.get("thresholds", THRESHOLDS) if "thresholds" in change else THRESHOLDS,
            change.get("pairs", [pair(S, H)]) if "pairs" in change else [pair(S, H)],
        )
    assert caught.value.faults[0].path.endswith(path)
    assert caught.value.status == 400


def test_samples_may_be_texts_nulls_and_numbers_beyond_a_double():
    found = samples([1, 2.5, "NaN", "-Infinity", "1e3", None, 10**400], "values")

    assert found.tolist()[:2] + found.tolist()[3:] == [1.0, 2.5, -math.inf, 1000.0, 0.0, math.inf]
    assert math.isnan(found[2])


def test_what_kayenta_omits_is_omitted():
    written = to_json(judge_kayenta(config(), THRESHOLDS, [pair([0] * 5, [3]), pair(S, [1.5, *S[1:]])]))

    assert written["judgeName"] == "NetflixACAJudge-v1.0"
    assert "resultMetadata" not in written["results"][0]
    assert written["results"][0]["classificationReason"] == "Metric Classification Failed"
    assert "classificationReason" not in written["results"][1]
    assert written["results"][1]["experimentMetadata"]["stats"]["count"] == 10


def test_no_number_in_the_json_is_one_that_json_cannot_hold():
    written = to_json(judge_kayenta(config(), THRESHOLDS, [pair([*S, math.inf], [*H, -math.inf])]))["results"][0]

    assert written["resultMetadata"] == {"ratio": "NaN"}
    assert written["controlMetadata"]["stats"]["max"] == "Infinity"
    assert written["experimentMetadata"]["stats"]["min"] == "-Infinity"


@pytest.mark.parametrize(
    ("baseline", "canary", "analysis", "settings", "said"),
    [
        pytest.param([1, 2, 3], [101, 102, 103], None, {}, "only 3 canary and 3 baseline samples", id="few samples"),
        pytest.param([0] * 10, [5], {"critical": True}, {}, "a critical metric in error", id="a critical metric in error passes"),
        pytest.param(S * 6, H * 6, None, {"step": 15, "rate_window": 60}, "60 samples hold the data of about 15", id="overlap"),
        pytest.param(S * 6, H * 6, None, {"step": 15, "rate_window": {"m": 30}}, "data of about 30", id="overlap of one metric"),
        pytest.param(sorted(S * 6), H * 6, None, {}, "baseline samples depend on each other (autocorrelation 0.9", id="dependence"),
        pytest.param(TINY, [2 * v for v in TINY], None, {}, "Kayenta says Pass, the exact interval High", id="tiny values"),
        pytest.param([v * 1e-9 for v in S * 6], [v * 1e-9 for v in H * 6], None, {}, "absolute tolerance of 0.0001", id="their unit"),
        pytest.param(
            [*range(1, 31)],
            [*range(9, 39)],
            None,
            {},
            "Kayenta says High, the exact interval Pass (2 to 14, estimate 8)",
            id="a tie at the bound",
        ),
    ],
)
def test_where_the_rule_misleads_a_warning_says_so(baseline, canary, analysis, settings, said):
    found = only(baseline, canary, analysis, **settings)

    assert any(said in warning for warning in found.warnings), found.warnings


def test_a_sound_comparison_has_no_warnings():
    rng = np.random.default_rng(5)
    found = judge_kayenta(
        config(), THRESHOLDS, [pair(rng.gamma(4, 50, 60).tolist(), rng.gamma(4, 100, 60).tolist())], step=15, rate_window=15
    )

    assert found.results[0].label is Label.HIGH
    assert found.warnings == ()


def test_looks_are_counted_beside_the_verdict():
    found = judge_kayenta(config(), THRESHOLDS, [pair(S, H)], look=7)

    assert found.warnings[0].startswith("this is look 7")
    assert (found.summary, found.score) == (Summary.FAIL, 0.0)


def test_warnings_carry_their_metric_and_stay_out_of_kayentas_json():
    found = judge_kayenta(config(), THRESHOLDS, [pair([1, 2], [101, 102])])

    assert found.warnings == ("m: only 2 canary and 2 baseline samples: under 5 a label says little",)
    assert "warnings" not in str(to_json(found))


def test_equal_hashes_keep_kayentas_order():
    # "Aa" and "BB" have the same hash in Java.
    assert group_order(["Aa", "BB"]) == ["BB", "Aa"]


@pytest.mark.parametrize(("value", "expected"), [(math.inf, "inf"), (math.nan, "nan"), (-7.1e-15, "-0.0"), (1e300, "1e+300")])
def test_scores_of_odd_weights_are_rounded_as_commons_math_does(value, expected):
    assert repr(rounded(value)) == expected
