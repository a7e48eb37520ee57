"""Kayenta's canary configs, read as they are.

The document itself is kept and judged by; here it is checked, what it holds that
means nothing here is named, and its metrics become metrics of ours, so that a
Kayenta config can be used wherever a config can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from judge.config.kayenta_query import PROMQL, build_query, placeholders
from judge.core.config import ArgConfig, ArgType, CanaryConfig, Direction, MetricConfig, ScoreThresholds
from judge.core.kayenta.adapter import NAME as JUDGE
from judge.errors import ConfigError, Fault

TOP = frozenset({"id", "name", "description", "configVersion", "applications", "judge", "metrics", "templates", "classifier"})
STAMPS = frozenset({"createdTimestamp", "createdTimestampIso", "updatedTimestamp", "updatedTimestampIso"})
METRIC = frozenset({"name", "query", "groups", "analysisConfigurations", "scopeName"})
CANARY = frozenset({"direction", "nanStrategy", "critical", "mustHaveData", "muted", "effectSize", "outliers"})
EFFECT = frozenset({"measure", "allowedIncrease", "allowedDecrease", "criticalIncrease", "criticalDecrease"})
OUTLIERS = frozenset({"strategy", "outlierFactor"})
QUERY = frozenset(
    {
        "type",
        "serviceType",
        "resourceType",
        "metricName",
        "labelBindings",
        "groupByFields",
        "customFilter",
        "customInlineTemplate",
        "customFilterTemplate",
    }
)
DEFAULT_PASS, DEFAULT_MARGINAL = 95.0, 75.0


def ignored_keys(document: Mapping[str, Any]) -> list[str]:
    """Name, by dotted path, every key that is read by nobody here."""
    return sorted(_ignored(document))


def _ignored(document: Mapping[str, Any]) -> Iterator[str]:
    yield from (key for key in document if key not in TOP | STAMPS)
    for index, metric in enumerate(document.get("metrics") or []):
        if not isinstance(metric, Mapping):
            continue
        path = f"metrics.{index}"
        yield from (f"{path}.{key}" for key in metric if key not in METRIC)
        for part, known in (("query", QUERY), ("analysisConfigurations", frozenset({"canary"}))):
            inside = metric.get(part)
            if isinstance(inside, Mapping):
                yield from (f"{path}.{part}.{key}" for key in inside if key not in known)
        canary = (
            (metric.get("analysisConfigurations") or {}).get("canary")
            if isinstance(metric.get("analysisConfigurations"), Mapping)
            else None
        )
        if isinstance(canary, Mapping):
            where = f"{path}.analysisConfigurations.canary"
            yield from (f"{where}.{key}" for key in canary if key not in CANARY)
            for part, known in (("effectSize", EFFECT), ("outliers", OUTLIERS)):
                inside = canary.get(part)
                if isinstance(inside, Mapping):
                    yield from (f"{where}.{part}.{key}" for key in inside if key not in known)


def parse_kayenta_config(document: Mapping[str, Any], *, where: str, digest: str) -> CanaryConfig:
    """Give a Kayenta config its meaning here.

    ``${scope}`` is what the request calls baseline and canary; every other
    placeholder is an arg of the request.

    Raises
    ------
    ConfigError
        All faults at once, each with its dotted path: another metric store, no query, a
        metric name twice, a template that is not there.
    """
    found = list(_faults(document))
    if found:
        raise ConfigError(found, where=where)
    templates = document.get("templates") or {}
    metrics, args = [], {}
    for index, metric in enumerate(document["metrics"]):
        path = f"metrics.{index}"
        text, names = _our_query(metric, templates, path, where)
        args.update({name: ArgConfig(type=ArgType.TEXT, description="from the Kayenta config") for name in names})
        metrics.append(_metric(metric, text))
    weights = (document.get("classifier") or {}).get("groupWeights") or {}
    used = {metric.group for metric in metrics}
    passing, marginal = _thresholds(document)
    return CanaryConfig(
        name=config_name(str(document.get("name", "kayenta"))),
        description=str(document.get("description") or ""),
        judge=JUDGE,
        args=args,
        scope="kayenta",
        scopes={"kayenta": 'kayenta_scope="${hash}"'},
        metrics=tuple(metrics),
        groups={str(name): float(weight) for name, weight in weights.items() if name in used and isinstance(weight, int | float)},
        score=ScoreThresholds(passing=passing, marginal=marginal),
        digest=digest,
        document=document,
    )


def config_name(name: str) -> str:
    """Write a name of Kayenta's as a name of ours.

    Examples
    --------
    >>> config_name("My Canary_Config")
    'my-canary-config'
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:63].strip("-") or "kayenta"


def _faults(document: Mapping[str, Any]) -> Iterator[Fault]:
    metrics = document.get("metrics")
    if not isinstance(metrics, list) or not metrics:
        yield Fault(path="metrics", message="must be a list of metrics")
        return
    for key in ("templates", "classifier"):
        if document.get(key) is not None and not isinstance(document[key], Mapping):
            yield Fault(path=key, message="must be an object")
    seen: set[str] = set()
    for index, metric in enumerate(metrics):
        path = f"metrics.{index}"
        if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str) or not metric["name"]:
            yield Fault(path=f"{path}.name", message="is missing")
            continue
        if metric["name"] in seen:
            yield Fault(path=f"{path}.name", message=f"{metric['name']!r} is the name of an earlier metric")
        seen.add(metric["name"])
        query = metric.get("query")
        if not isinstance(query, Mapping):
            yield Fault(path=f"{path}.query", message="is missing")
            continue
        store = query.get("type", query.get("serviceType"))
        if store != "prometheus":
            yield Fault(path=f"{path}.query.type", message=f"the metric store {store!r} is not one of ours", allowed=("prometheus",))
        if query.get("customFilter"):
            yield Fault(path=f"{path}.query.customFilter", message="is not used for Prometheus; write customInlineTemplate")


def _our_query(metric: Mapping[str, Any], templates: Mapping[str, Any], path: str, where: str) -> tuple[str, list[str]]:
    """Write the query with our placeholders: ``${scope}`` becomes ``${hash}``, the others stay."""
    query = metric["query"]
    template = query.get("customInlineTemplate") or templates.get(query.get("customFilterTemplate") or "", "") or ""
    names = placeholders(str(template)) - {"scope", "resourceType"}
    if not template:
        names = {"location", "project"} if query.get("resourceType") == "gce_instance" else {"location"}
    stand_ins = {name: f"\x00{name}\x00" for name in names} | {"scope": "\x00hash\x00"}
    try:
        text = build_query(metric, templates, stand_ins, path=path) if _inside_strings(template) else _raw(template, metric)
    except ConfigError as error:
        raise ConfigError(error.faults, where=where) from None
    return re.sub("(?:\x00|\\\\u0000)(\\w+)(?:\x00|\\\\u0000)", r"${\1}", text), sorted(names)


def _inside_strings(template: Any) -> bool:
    """Whether all placeholders stand inside strings, where a stand-in may be pasted."""
    from judge.core.templates import quote_spans

    text = str(template or "").replace("$\\{", "${")
    text = text.removeprefix(PROMQL)
    spans = quote_spans(text)
    return all(any(start <= found.start() < end for start, end, _ in spans) for found in re.finditer(r"\$\{", text))


def _raw(template: Any, metric: Mapping[str, Any]) -> str:
    """Keep a template whose placeholders stand outside strings: it is filled in when it is asked."""
    text = str(template).replace("$\\{", "${").replace("${scope}", "${hash}")
    if text.startswith(PROMQL):
        return text[len(PROMQL) :]
    bindings = [str(part) for part in metric["query"].get("labelBindings") or []]
    return f"avg({metric['query'].get('metricName', '')}{{{','.join([text, *bindings])}}})"


def _metric(metric: Mapping[str, Any], query: str) -> MetricConfig:
    canary = _canary(metric)
    direction = canary.get("direction", "either")
    groups = metric.get("groups") or []
    return MetricConfig(
        name=metric["name"],
        query=query,
        direction=Direction(direction) if direction in set(Direction) else Direction.EITHER,
        critical=canary.get("critical") is True,
        group=str(groups[0]) if groups else "metrics",
    )


def _thresholds(document: Mapping[str, Any]) -> tuple[float, float]:
    found = (document.get("classifier") or {}).get("scoreThresholds")
    if not isinstance(found, Mapping):
        return DEFAULT_PASS, DEFAULT_MARGINAL
    passing, marginal = found.get("pass"), found.get("marginal")
    return (
        float(passing) if isinstance(passing, int | float) else DEFAULT_PASS,
        float(marginal) if isinstance(marginal, int | float) else DEFAULT_MARGINAL,
    )


def to_our_form(config: CanaryConfig) -> dict[str, Any]:
    """Write a Kayenta config as a document of ours, of the same intent.

    The effect sizes become the tolerance; what has no counterpart is named by `left_behind`.
    """
    metrics = []
    for metric, original in zip(config.metrics, config.document["metrics"], strict=True):
        written: dict[str, Any] = {"name": metric.name, "query": metric.query, "direction": metric.direction.value, "group": metric.group}
        effect = _canary(original).get("effectSize") or {}
        sizes = [effect.get(key) for key in ("allowedIncrease", "allowedDecrease")]
        changes = [abs(size - 1) for size in sizes if isinstance(size, int | float) and not isinstance(size, bool)]
        if changes and effect.get("measure", "meanRatio") == "meanRatio" and max(changes) > 0:
            written["tolerance"] = f"{max(changes) * 100:.10g}%"
            written["must_detect"] = f"{max(max(changes) * 100, 20):.10g}%"
        if metric.critical:
            written["critical"] = True
        metrics.append(written)
    found: dict[str, Any] = {"name": config.name, "judge": config.judge, "scope": config.scopes[config.scope], "metrics": metrics}
    if config.description:
        found["description"] = config.description
    if config.args:
        found["args"] = {name: {"type": "text"} for name in sorted(config.args)}
    groups = {metric.group for metric in config.metrics}
    if config.groups and groups == set(config.groups):
        found["groups"] = dict(config.groups)
    found["score"] = {"pass": config.score.passing, "marginal": config.score.marginal}
    return found


def left_behind(document: Mapping[str, Any]) -> list[str]:
    """Name what Kayenta's own judge reads and our form cannot say."""
    found = []
    for index, metric in enumerate(document.get("metrics") or []):
        canary = _canary(metric)
        path = f"metrics.{index}.analysisConfigurations.canary"
        found += [
            f"{path}.{key}"
            for key in ("nanStrategy", "mustHaveData", "muted", "outliers")
            if not (canary.get(key) is None or canary.get(key) is False or canary.get(key) == "remove")
        ]
        effect = canary.get("effectSize") or {}
        found += [f"{path}.effectSize.{key}" for key in ("criticalIncrease", "criticalDecrease") if key in effect]
        if effect.get("measure", "meanRatio") != "meanRatio":
            found.append(f"{path}.effectSize.measure")
        if len(metric.get("groups") or []) > 1:
            found.append(f"metrics.{index}.groups (all but the first)")
    return found


def _canary(metric: Mapping[str, Any]) -> Mapping[str, Any]:
    found = (metric.get("analysisConfigurations") or {}).get("canary")
    return found if isinstance(found, Mapping) else {}
