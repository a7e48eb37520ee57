"""A verdict's record: everything that led to it, as JSON can hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from judge.core.conditions import Conditions
from judge.core.config import CanaryConfig
from judge.core.formatting import number_or_word
from judge.core.model import Comparison, MetricResult, Series, SeriesPair, Traffic, Verdict, Window
from judge.wire.json import plain
from judge.wire.request import Request


def record(
    *,
    request: Request,
    config: CanaryConfig,
    window: Window,
    verdict: Verdict,
    pairs: Sequence[SeriesPair],
    traffic: Traffic | None,
    conditions: Conditions | None = None,
    source: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Write what was asked, seen and found. Times are unix seconds; what is not a finite number is null.

    `judge.verdicts.record_reader` reads it again, so everything that the judge was given must be in it.
    """
    return {
        "request": request_fields(request),
        "config": dict(config.document),
        "config_digest": config.digest,
        "source": None if source is None else dict(source),
        "window": asdict(window),
        "traffic": None if traffic is None else _traffic(traffic, config),
        "conditions": None if conditions is None else conditions_fields(conditions),
        "verdict": verdict_fields(verdict, end=window.end),
        "samples": [_samples(pair) for pair in pairs],
    }


def request_fields(request: Request) -> dict[str, Any]:
    """Write the question."""
    fields = asdict(replace(request, args=dict(request.args)))
    del fields["detail"]
    return fields


def _traffic(traffic: Traffic, config: CanaryConfig) -> dict[str, Any]:
    return {
        "baseline": None if traffic.baseline is None else plain(traffic.baseline),
        "canary": None if traffic.canary is None else plain(traffic.canary),
        "min_requests": None if config.traffic is None else config.traffic.min_requests,
        "problem": traffic.problem,
        "queries": dict(traffic.queries),
    }


def conditions_fields(conditions: Conditions) -> dict[str, Any]:
    """Write the conditions of both sides."""
    sides = {
        side: {"pods": told.pods, "age": told.age, "places": dict(told.places)}
        for side, told in (("baseline", conditions.baseline), ("canary", conditions.canary))
    }
    return {**sides, "share": conditions.share, "problems": list(conditions.problems), "queries": dict(conditions.queries)}


def verdict_fields(verdict: Verdict, *, end: float | None = None) -> dict[str, Any]:
    """Write the verdict with all its results; with the window's `end` also when its last metric should be decided."""
    decided_by = None if end is None or verdict.decided_in is None else plain(end + verdict.decided_in)
    return {
        "verdict": verdict.outcome.value,
        "score": verdict.score,
        "code": verdict.outcome.code,
        "reason": verdict.reason,
        "judge": verdict.judge,
        "warnings": list(verdict.warnings),
        "decided_by": decided_by,
        "groups": [{"name": group.name, "weight": group.weight, "score": group.score} for group in verdict.groups],
        "results": [_result(result) for result in verdict.results],
    }


def _result(result: MetricResult) -> dict[str, Any]:
    return {
        "name": result.name,
        "labels": dict(result.labels),
        "classification": result.classification.value,
        "reason": result.reason,
        "group": result.group,
        "weight": result.weight,
        "critical": result.critical,
        "direction": result.direction,
        "tolerance": result.tolerance,
        "must_detect": result.must_detect,
        "unit": result.unit,
        "n_baseline": result.n_baseline,
        "n_canary": result.n_canary,
        "queries": dict(result.queries),
        "warnings": list(result.warnings),
        "comparison": None if result.comparison is None else _comparison(result.comparison),
        "decision": None if result.decision is None else _plainly(asdict(result.decision)),
        "suspect": result.suspect,
        "wait": None if result.wait is None else _plainly(asdict(result.wait)),
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    fields = asdict(found)
    counts = fields.pop("counts")
    return {**_plainly(fields), "counts": counts}


def _plainly(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What is not a finite number becomes null."""
    return {key: plain(value) if isinstance(value, float) else value for key, value in fields.items()}


def _samples(pair: SeriesPair) -> dict[str, Any]:
    found = pair.problem
    return {
        "metric": pair.metric,
        "labels": dict(pair.labels),
        "rate_window": pair.rate_window,
        "baseline": series_fields(pair.baseline),
        "canary": series_fields(pair.canary),
        "baseline_total": None if pair.baseline_total is None else series_fields(pair.baseline_total),
        "canary_total": None if pair.canary_total is None else series_fields(pair.canary_total),
        "problem": None if found is None else {"classification": found.classification.value, "message": found.message},
        "warnings": list(pair.warnings),
    }


def series_fields(series: Series) -> dict[str, Any]:
    """Write samples; infinite values become words, since JSON has no number for them."""
    values = series.v.tolist()
    return {"t": series.t.tolist(), "v": values if np.isfinite(series.v).all() else [number_or_word(value) for value in values]}
