"""Judge ``kayenta`` in our own words: our pairs into Kayenta's documents, its labels into our results.

The verdict and the score are Kayenta's; what it cannot know (too little traffic, a
source that failed) still keeps a canary from passing. A config of our own form is
judged as Kayenta would judge the same intent: `tolerance` becomes its effect size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from judge.core import formatting as words
from judge.core.classification import blank_result, classify
from judge.core.config import CanaryConfig, MetricConfig
from judge.core.coverage import complete, source_trouble
from judge.core.kayenta.judge import judge_kayenta
from judge.core.kayenta.results import KayentaMetric, KayentaResult, Label, Summary
from judge.core.model import (
    Classification,
    Comparison,
    Floats,
    GroupScore,
    MetricResult,
    Outcome,
    Series,
    SeriesPair,
    Traffic,
    Verdict,
    Window,
)
from judge.core.pairing import events_where_asked
from judge.core.scoring import agree, too_little_traffic, weigh
from judge.core.statistics.ranks import mann_whitney

NAME = "kayenta"
LEVEL = 0.98

_LABELS = {
    Label.PASS: Classification.PASS,
    Label.HIGH: Classification.HIGH,
    Label.LOW: Classification.LOW,
    Label.NODATA: Classification.NODATA,
    Label.NODATA_FAIL: Classification.NODATA,
    Label.ERROR: Classification.ERROR,
}
_OUTCOMES = {Summary.PASS: Outcome.PASS, Summary.MARGINAL: Outcome.MARGINAL, Summary.FAIL: Outcome.FAIL}


def is_kayenta_document(document: Any) -> bool:
    """Tell a Kayenta canary config from one of ours.

    Examples
    --------
    >>> is_kayenta_document({"name": "x", "classifier": {}}), is_kayenta_document({"name": "x", "metrics": []})
    (True, False)
    """
    if not isinstance(document, Mapping):
        return False
    if "classifier" in document or "configVersion" in document:
        return True
    metrics = document.get("metrics")
    return isinstance(metrics, list) and any(isinstance(metric, Mapping) and "analysisConfigurations" in metric for metric in metrics)


def judge_as_kayenta(
    config: CanaryConfig,
    pairs: Sequence[SeriesPair],
    *,
    traffic: Traffic | None = None,
    window: Window | None = None,
    warnings: Sequence[str] = (),
) -> Verdict:
    """Judge a canary as Kayenta would; see `judge.core.canary.judge_canary` for the parameters."""
    ordered = complete(config, pairs)
    limits = [pair for pair in ordered if config.metric(pair.metric).limit is not None]
    compared = [pair for pair in ordered if config.metric(pair.metric).limit is None]
    found = judge_kayenta(
        kayenta_document(config),
        {"pass": float(config.score.passing), "marginal": float(config.score.marginal)},
        [_pair_document(index, pair) for index, pair in enumerate(compared)],
        step=config.window.step if window is None else window.step,
        rate_window={pair.metric: pair.rate_window for pair in compared if pair.rate_window is not None},
        look=1 if window is None else window.look,
    )
    results = [_result(pair, config.metric(pair.metric), result) for pair, result in zip(compared, found.results, strict=True)]
    results += [classify(pair, config.metric(pair.metric), config) for pair in limits]
    weighed = weigh(results, config.groups)
    outcome, score, reason = _verdict(found, weighed, config, traffic, source_trouble(pairs))
    return Verdict(
        outcome=outcome,
        score=score,
        reason=reason,
        judge=NAME,
        results=weighed,
        groups=tuple(GroupScore(name=group.name, weight=config.groups.get(group.name, 0.0), score=group.score) for group in found.groups),
        warnings=(*warnings, *found.warnings),
    )


def _verdict(
    found: KayentaResult, results: Sequence[MetricResult], config: CanaryConfig, traffic: Traffic | None, trouble: str
) -> tuple[Outcome, float, str]:
    """Kayenta's verdict, unless something it does not know of speaks against it."""
    few = too_little_traffic(config, traffic)
    if few or trouble:
        return Outcome.INCONCLUSIVE, agree(found.score, Outcome.INCONCLUSIVE, config.score), few if few else trouble
    broken = next((r for r in results if config.metric(r.name).limit is not None and r.critical and r.classification.regressed), None)
    if broken is not None:
        return Outcome.FAIL, 0.0, f"critical {broken.title}: {broken.reason}"
    outcome = _OUTCOMES[found.summary]
    worst = next((r for r in results if r.classification.regressed), None)
    score = f"Kayenta's score {words.number(found.score)}"
    if found.reason:
        return outcome, found.score, f"{found.reason} ({score})"
    if outcome is Outcome.PASS or worst is None:
        return (
            outcome,
            found.score,
            f"{score}, {sum(r.classification is Classification.PASS for r in results)} of {len(results)} metrics pass",
        )
    return outcome, found.score, f"{worst.title}: {worst.reason} ({score})"


def kayenta_document(config: CanaryConfig) -> Mapping[str, Any]:
    """Give the canary config that Kayenta's rule reads: the original one, or one of the same intent."""
    if is_kayenta_document(config.document):
        return config.document
    metrics = [
        {
            "name": metric.name,
            "groups": [metric.group],
            "analysisConfigurations": {
                "canary": {
                    "direction": metric.direction.value,
                    "critical": metric.critical,
                    "effectSize": {
                        "allowedIncrease": 1.0 + metric.tolerance.relative,
                        "allowedDecrease": max(1.0 - metric.tolerance.relative, 0.0),
                    },
                }
            },
        }
        for metric in config.metrics
        if metric.limit is None
    ]
    return {"name": config.name, "metrics": metrics, "classifier": {"groupWeights": dict(config.groups)}}


def _pair_document(index: int, pair: SeriesPair) -> dict[str, Any]:
    return {
        "name": pair.metric,
        "id": str(index),
        "tags": dict(pair.labels),
        "values": {"control": values_of(pair, "baseline").tolist(), "experiment": values_of(pair, "canary").tolist()},
    }


def values_of(pair: SeriesPair, side: str) -> Floats:
    """One side's values as Kayenta sees them: in order of time; counts as the ratio they make."""
    events: Series = getattr(pair, side)
    total: Series | None = getattr(pair, f"{side}_total")
    if total is None:
        return events.v
    counted = events_where_asked(events, total)
    asked = total.v > 0
    values: Floats = counted.v[asked] / total.v[asked]
    return values


def _result(pair: SeriesPair, metric: MetricConfig, found: KayentaMetric) -> MetricResult:
    classification = _LABELS[found.label]
    reason = found.reason if found.reason is not None else "no change that Kayenta's rule calls one"
    if pair.problem is not None:
        classification, reason = pair.problem.classification, pair.problem.message
    # `critical` is what the config says; Kayenta's own says whether it failed the canary.
    return replace(
        blank_result(pair, metric),
        classification=classification,
        reason=reason,
        tolerance=words.percent(metric.tolerance.relative),
        must_detect="",
        n_baseline=found.baseline.count,
        n_canary=found.canary.count,
        comparison=_comparison(pair, found),
        warnings=(*pair.warnings, *found.warnings),
    )


def _comparison(pair: SeriesPair, found: KayentaMetric) -> Comparison | None:
    """Kayenta's own numbers, with Mann-Whitney's p beside them."""
    if found.interval is None:
        return None
    canary, baseline = (values[~np.isnan(values)] for values in (values_of(pair, "canary"), values_of(pair, "baseline")))
    if not len(canary) or not len(baseline):
        return None
    ranks = mann_whitney(canary, baseline)
    mean = found.baseline.mean
    change = [value / abs(mean) if mean else math.nan for value in (found.interval.estimate, found.interval.lower, found.interval.upper)]
    return Comparison(
        method=NAME,
        level=LEVEL,
        u=ranks.u,
        pvalue=ranks.pvalue,
        pvalue_directed=ranks.pvalue,
        effect=ranks.effect,
        shift=found.interval.estimate,
        shift_low=found.interval.lower,
        shift_high=found.interval.upper,
        change=change[0],
        change_low=change[1],
        change_high=change[2],
        n_baseline=found.baseline.count,
        n_canary=found.canary.count,
        n_effective=min(found.baseline.count, found.canary.count),
        baseline_value=mean,
        canary_value=found.canary.mean,
    )
