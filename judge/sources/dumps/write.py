"""A canary as it is saved: the first of the dump forms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from judge.core.conditions import Conditions
from judge.core.config import CanaryConfig, Margin, MetricConfig
from judge.core.model import SeriesPair, Traffic, Window
from judge.wire.record import conditions_fields, series_fields
from judge.wire.request import Request


def dump_document(
    request: Request,
    config: CanaryConfig,
    window: Window,
    pairs: Sequence[SeriesPair],
    traffic: Traffic | None,
    conditions: Conditions | None = None,
    *,
    id: str,
) -> dict[str, Any]:
    """Write one canary with its config, so that it can be judged again from the file alone."""
    looks: dict[str, Any] = {"count": config.looks.count}
    if config.looks.interval is not None:
        looks["interval"] = config.looks.interval
    found: dict[str, Any] = {
        "id": id,
        "config": dict(config.document),
        "args": {
            **request.args,
            "baseline": request.baseline,
            "canary": request.canary,
            **({"rollout": request.rollout} if request.rollout else {}),
        },
        "look": window.look,
        "looks": looks,
        "window": {"start": window.start, "end": window.end, "step": window.step},
        "metrics": [_metric(pair, config.metric(pair.metric)) for pair in pairs],
    }
    if traffic is not None:
        found["traffic"] = {"baseline": traffic.baseline, "canary": traffic.canary}
    if conditions is not None:
        found["conditions"] = conditions_fields(conditions)
    return found


def _metric(pair: SeriesPair, metric: MetricConfig) -> dict[str, Any]:
    found = {"name": pair.metric, **meaning(metric), "baseline": _side(pair, "baseline"), "canary": _side(pair, "canary")}
    if pair.labels:
        found["labels"] = dict(pair.labels)
    if pair.rate_window is not None:
        found["rate_window"] = pair.rate_window
    return found


def meaning(metric: MetricConfig) -> dict[str, Any]:
    """Write what a config says of a metric beside its name and queries, as dumps and configs have it."""
    found: dict[str, Any] = {"direction": metric.direction.value, "group": metric.group, "critical": metric.critical}
    if metric.unit:
        found["unit"] = metric.unit
    if metric.limit is not None:
        found["limit"] = {key: value for key, value in (("min", metric.limit.min), ("max", metric.limit.max)) if value is not None}
    else:
        found["tolerance"], found["must_detect"] = _margin(metric.tolerance), _margin(metric.must_detect)
    return found


def _side(pair: SeriesPair, side: str) -> Mapping[str, Any]:
    events, total = getattr(pair, side), getattr(pair, f"{side}_total")
    if total is None:
        return series_fields(events)
    known = dict(zip(events.t.tolist(), series_fields(events)["v"], strict=True))
    fields = series_fields(total)
    return {"t": fields["t"], "numerator": [known.get(t, 0.0) for t in fields["t"]], "denominator": fields["v"]}


def _margin(margin: Margin) -> dict[str, Any]:
    return {"relative": f"{margin.relative * 100:.12g}%", "absolute": margin.absolute}
