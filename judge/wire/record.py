"""A verdict's record: everything that led to it, as JSON can hold it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from judge.core.config import CanaryConfig
from judge.core.model import Comparison, MetricResult, Series, SeriesPair, Traffic, Verdict, Window
from judge.wire.request import Request
from judge.wire.strict import plain


def record(
    *,
    request: Request,
    config: CanaryConfig,
    window: Window,
    verdict: Verdict,
    pairs: Sequence[SeriesPair],
    traffic: Traffic | None,
    source: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Write what was asked, seen and found. Times are unix seconds; what is not a finite number is null."""
    return {
        "request": request_fields(request),
        "config": dict(config.document),
        "config_digest": config.digest,
        "source": None if source is None else dict(source),
        "window": asdict(window),
        "traffic": None if traffic is None else _traffic(traffic, config),
        "verdict": verdict_fields(verdict),
        "samples": [_samples(pair) for pair in pairs],
    }


def request_fields(request: Request) -> dict[str, Any]:
    """Write the question."""
    return {
        "config": request.config,
        "baseline": request.baseline,
        "canary": request.canary,
        "scope": request.scope,
        "args": dict(request.args),
        "rollout": request.rollout,
        "start": request.start,
        "end": request.end,
        "window": request.window,
        "look": request.look,
    }


def _traffic(traffic: Traffic, config: CanaryConfig) -> dict[str, Any]:
    return {
        "baseline": None if traffic.baseline is None else plain(traffic.baseline),
        "canary": None if traffic.canary is None else plain(traffic.canary),
        "min_requests": None if config.traffic is None else config.traffic.min_requests,
        "problem": traffic.problem,
    }


def verdict_fields(verdict: Verdict) -> dict[str, Any]:
    """Write the verdict with all its results."""
    return {
        "verdict": verdict.outcome.value,
        "score": verdict.score,
        "code": verdict.outcome.code,
        "reason": verdict.reason,
        "judge": verdict.judge,
        "warnings": list(verdict.warnings),
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
        "notice": result.notice,
        "unit": result.unit,
        "n_baseline": result.n_baseline,
        "n_canary": result.n_canary,
        "queries": dict(result.queries),
        "warnings": list(result.warnings),
        "comparison": None if result.comparison is None else _comparison(result.comparison),
    }


def _comparison(found: Comparison) -> dict[str, Any]:
    fields = asdict(found)
    counts = fields.pop("counts")
    plain_fields = {key: plain(value) if isinstance(value, float) else value for key, value in fields.items()}
    return {**plain_fields, "counts": counts}


def _samples(pair: SeriesPair) -> dict[str, Any]:
    return {
        "metric": pair.metric,
        "labels": dict(pair.labels),
        "rate_window": pair.rate_window,
        "baseline": series_fields(pair.baseline),
        "canary": series_fields(pair.canary),
        "baseline_total": None if pair.baseline_total is None else series_fields(pair.baseline_total),
        "canary_total": None if pair.canary_total is None else series_fields(pair.canary_total),
    }


def series_fields(series: Series) -> dict[str, Any]:
    """Write samples; infinite values become words, since JSON has no number for them."""
    return {"t": [float(t) for t in series.t], "v": [_value(float(v)) for v in series.v]}


def _value(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
