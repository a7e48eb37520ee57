"""Kayenta's metric set pairs, alone or with their canary config and thresholds.

Here the sides are called control and experiment, as in Kayenta's own format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from judge.core.config import Direction, MetricConfig, ScoreThresholds
from judge.core.model import Series, SeriesPair
from judge.errors import DumpError, Fault
from judge.sources.dumps.dump import NOT_JSON, Dump

_SIDES = {"control": "baseline", "experiment": "canary"}


def parse_pairs(document: Any, *, where: str, fallback_id: str) -> Dump:
    """Read a list of metric set pairs.

    Raises
    ------
    DumpError
        With every fault and its dotted path.
    """
    faults: list[Fault] = []
    outer = document if isinstance(document, Mapping) else {}
    prefix = "metricSetPairList." if outer else ""
    listed = outer.get("metricSetPairList") if outer else document
    if not isinstance(listed, list) or not listed:
        raise DumpError([Fault(path="metricSetPairList", message="must be a list of metric set pairs")], where=where)
    config = outer.get("canaryConfig")
    known = _metrics(config if isinstance(config, Mapping) else {})
    metrics: dict[str, MetricConfig] = {}
    pairs: list[SeriesPair] = []
    for index, item in enumerate(listed):
        path = f"{prefix}{index}"
        if not isinstance(item, Mapping) or not isinstance(item.get("name"), str) or not isinstance(item.get("values"), Mapping):
            faults.append(Fault(path=path, message="must have a name and values"))
            continue
        name = item["name"]
        sides = {ours: _series(item, theirs, path, faults) for theirs, ours in _SIDES.items()}
        tags = item.get("tags")
        labels = {str(key): str(value) for key, value in tags.items()} if isinstance(tags, Mapping) else {}
        if (name, labels) in [(pair.metric, dict(pair.labels)) for pair in pairs]:
            faults.append(Fault(path=path, message=f"{name!r} is there twice with the same tags"))
            continue
        metrics.setdefault(name, known.get(name, MetricConfig(name=name)))
        pairs.append(SeriesPair(metric=name, labels=labels, baseline=sides["baseline"], canary=sides["canary"]))
    if faults:
        raise DumpError(faults, where=where)
    return Dump(
        id=str(outer.get("id", fallback_id)),
        metrics=tuple(metrics.values()),
        pairs=tuple(pairs),
        groups=_groups(config, metrics),
        score=_thresholds(outer.get("scoreThresholds")),
    )


def _series(item: Mapping[str, Any], side: str, path: str, faults: list[Fault]) -> Series:
    values = item["values"].get(side)
    if not isinstance(values, list):
        faults.append(Fault(path=f"{path}.values.{side}", message="is missing" if values is None else "must be a list of numbers"))
        return Series.empty()
    numbers = []
    for index, value in enumerate(values):
        if isinstance(value, str) and value in NOT_JSON:
            numbers.append(NOT_JSON[value])
        elif value is None:
            numbers.append(math.nan)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            numbers.append(float(value))
        else:
            faults.append(Fault(path=f"{path}.values.{side}.{index}", message=f'must be a number or "NaN", found {value!r}'))
            return Series.empty()
    start, step = _times(item, side)
    v = np.array(numbers, dtype=float)
    t = start + step * np.arange(len(v))
    there = ~np.isnan(v)
    return Series(t=t[there], v=v[there])


def _times(item: Mapping[str, Any], side: str) -> tuple[float, float]:
    """Start and step in seconds; the older archived form has them at the top."""
    scopes = item.get("scopes")
    scope = scopes.get(side) if isinstance(scopes, Mapping) else item
    if not isinstance(scope, Mapping):
        return 0.0, 60.0
    start, step = scope.get("startTimeMillis", 0), scope.get("stepMillis", 60_000)
    if not isinstance(start, int | float) or not isinstance(step, int | float) or step <= 0:
        return 0.0, 60.0
    return start / 1000, step / 1000


def _metrics(config: Mapping[str, Any]) -> dict[str, MetricConfig]:
    """What the Kayenta config says of direction, weight and importance; its own judge's settings are left out."""
    found: dict[str, MetricConfig] = {}
    for metric in config.get("metrics") or []:
        if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str):
            continue
        analysis = metric.get("analysisConfigurations")
        canary = analysis.get("canary") if isinstance(analysis, Mapping) else None
        canary = canary if isinstance(canary, Mapping) else {}
        direction = canary.get("direction", "either")
        groups = metric.get("groups")
        found.setdefault(
            metric["name"],
            MetricConfig(
                name=metric["name"],
                direction=Direction(direction) if direction in set(Direction) else Direction.EITHER,
                critical=canary.get("critical") is True,
                group=str(groups[0]) if isinstance(groups, list) and groups else "metrics",
            ),
        )
    return found


def _groups(config: Any, metrics: Mapping[str, MetricConfig]) -> dict[str, float]:
    classifier = config.get("classifier") if isinstance(config, Mapping) else None
    weights = classifier.get("groupWeights") if isinstance(classifier, Mapping) else None
    if not isinstance(weights, Mapping):
        return {}
    used = {metric.group for metric in metrics.values()}
    return {str(name): float(weight) for name, weight in weights.items() if name in used and isinstance(weight, int | float) and weight > 0}


def _thresholds(value: Any) -> ScoreThresholds | None:
    if not isinstance(value, Mapping):
        return None
    passing, marginal = value.get("pass"), value.get("marginal")
    if not isinstance(passing, int | float) or not isinstance(marginal, int | float) or not 0 <= marginal <= passing <= 100:
        return None
    return ScoreThresholds(passing=float(passing), marginal=float(marginal))
