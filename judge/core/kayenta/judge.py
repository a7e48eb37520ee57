"""judge_kayenta(): Kayenta's NetflixACAJudge-v1.0, bit for bit. Read this first.

The way of one canary::

    values     its JSON documents, read with Kayenta's leniency and its throws
    transform  NaN and outliers, one side at a time; the statistics it reports
    classify   one metric to its label, by the rank interval
      kernel     the interval with Kayenta's floats: counting, probing, brent
      exact      the same interval without a solver, which does not depend on the unit
      batch      many intervals at once
    cautions   where the rule is known to mislead: beside the verdict, never in it
    scoring    labels to groups to the score
    results    the nouns, and `to_json`, Kayenta's own document of them

One thing is different on purpose. Where both sides are constant and differ, Kayenta
adds random noise, so one input gets different verdicts. Here they are compared
as if the noise were ever smaller, always with the same verdict, and a warning says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from judge.core.kayenta import warnings as cautions
from judge.core.kayenta.classify import classify
from judge.core.kayenta.java_json import (
    CONFIG,
    PAIRS,
    KayentaFault,
    MetricRule,
    Pair,
    group_weights,
    metric_entries,
    metric_rule,
    read_pair,
    score_thresholds,
)
from judge.core.kayenta.results import KayentaMetric, KayentaResult
from judge.core.kayenta.scoring import score, summary_of
from judge.core.kayenta.transform import describe, transform


def judge_kayenta(
    config: Mapping[str, Any],
    thresholds: Mapping[str, Any],
    pairs: Sequence[Mapping[str, Any]],
    *,
    step: float | None = None,
    rate_window: float | Mapping[str, float] | None = None,
    look: int = 1,
) -> KayentaResult:
    """Judge one canary as Kayenta would.

    Parameters
    ----------
    config, thresholds, pairs : dict, dict, list of dict
        Kayenta's ``canaryConfig``, ``scoreThresholds`` and ``metricSetPairList`` as JSON has
        them; NaN and infinities as floats or as the texts "NaN", "Infinity", "-Infinity".
    step : float, optional
        Seconds between samples, for the warning about overlap.
    rate_window : float or dict, optional
        Seconds of data under each sample, of all metrics or by metric name.
    look : int
        Which look at this rollout it is, from 1.

    Raises
    ------
    KayentaFault
        Where Kayenta throws, with the path of the field.

    Examples
    --------
    >>> config = {"metrics": [{"name": "cpu", "groups": ["system"]}], "classifier": {"groupWeights": {"system": 100}}}
    >>> values = {"control": [1, 2, 3, 4, 5, 6], "experiment": [11, 12, 13, 14, 15, 16]}
    >>> result = judge_kayenta(config, {"pass": 95, "marginal": 75}, [{"name": "cpu", "id": "1", "tags": {}, "values": values}])
    >>> result.summary, result.score, result.results[0].reason
    (<Summary.FAIL: 'Fail'>, 0.0, 'cpu was classified as High')
    """
    entries = metric_entries(config)
    rules: dict[str | None, MetricRule] = {}
    if not isinstance(pairs, list | tuple):
        raise KayentaFault(PAIRS, "need a list of metric set pairs")
    results = []
    for i, given in enumerate(pairs):
        pair = read_pair(given, f"{PAIRS}.{i}")
        if pair.name not in rules:
            if pair.name not in entries:
                raise KayentaFault(f"{pair.path}.name", f"Could not find metric config for {pair.name} in {CONFIG}.metrics")
            rules[pair.name] = metric_rule(*entries[pair.name])
        window = rate_window.get(pair.name or "") if isinstance(rate_window, Mapping) else rate_window
        results.append(_judge_metric(rules[pair.name], pair, step=step, rate_window=window))
    weights = group_weights(config)
    passing, marginal = score_thresholds(thresholds)
    groups, total, reason = score(results, weights)
    return KayentaResult(
        results=tuple(results),
        groups=groups,
        score=total,
        summary=summary_of(total, passing, marginal),
        reason=reason,
        warnings=(*cautions.looks(look), *cautions.of_metrics([(result.name, result.warnings) for result in results])),
    )


def _judge_metric(rule: MetricRule, pair: Pair, *, step: float | None, rate_window: float | None) -> KayentaMetric:
    canary, baseline = transform(pair.canary, rule), transform(pair.baseline, rule)
    found = classify(rule, canary, baseline)
    warnings = cautions.cautions(rule, found, canary, baseline)
    warnings += cautions.overlapping(min(len(canary), len(baseline)), step=step, rate_window=rate_window)
    for side, values in (("canary", pair.canary), ("baseline", pair.baseline)):
        warnings += cautions.dependence(side, values)
    return KayentaMetric(
        name=pair.name,
        id=pair.id,
        tags=pair.tags,
        label=found.label,
        reason=found.reason,
        groups=rule.groups,
        canary=describe(canary),
        baseline=describe(baseline),
        ratio=found.ratio,
        critical=found.critical,
        muted=rule.muted,
        effect=found.effect,
        interval=found.interval,
        warnings=tuple(warnings),
    )
