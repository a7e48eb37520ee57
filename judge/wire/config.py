"""Canary configs as they are written: YAML or JSON into `CanaryConfig`."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from judge.core.config import (
    COUNT_NOTICE,
    COUNT_TOLERANCE,
    NOTICE,
    TOLERANCE,
    ArgConfig,
    ArgType,
    CanaryConfig,
    Direction,
    Limit,
    LooksConfig,
    MetricConfig,
    ScoreThresholds,
    TrafficConfig,
    WindowConfig,
)
from judge.core.methods import METHODS
from judge.core.scope import BUILT_IN, placeholders, resolve_defaults
from judge.errors import ConfigError, Fault, nearest
from judge.wire.documents import Document, read, validate, without_faulty
from judge.wire.spelling import Duration, MarginText
from judge.wire.strict import dumps

DEFAULT_JUDGE = "mann-whitney"
SETTINGS_FILE = "server.yaml"
RESERVED_ARGS = frozenset(
    {"config", "baseline", "canary", "args", "rollout", "start", "end", "window", "look", "detail", "scope", "hash", "step"}
)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._ /()%-]{0,119}$")]
Key = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
Query = Annotated[str, Field(min_length=1, max_length=10_000)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class ArgDocument(Document):
    """What a request must or may give."""

    default: Annotated[
        str | int | float | None, Field(description="Used where the request does not say; may name other args as ${arg}.")
    ] = None
    type: Annotated[ArgType, Field(description="name (Kubernetes name or label value), text, number or duration.")] = ArgType.NAME
    description: str = ""


class WindowDocument(Document):
    """Which part of the canary's life is judged."""

    warmup: Annotated[Duration, Field(description="Left out, counted from the canary's first sample.")] = 0.0
    step: Annotated[Duration, Field(description="Seconds between samples; whole seconds.")] = 60.0
    length: Annotated[Duration, Field(description="At most this much is judged, the newest.")] = 1800.0


class LooksDocument(Document):
    """How often one rollout is judged."""

    count: Annotated[int, Field(ge=1, le=10_000)] = 1
    interval: Duration | None = None


class TrafficDocument(Document):
    """Fewer requests than this on either side is no evidence."""

    query: Query
    min_requests: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 100.0


class LimitDocument(Document):
    """Bounds for the canary alone."""

    min: Finite | None = None
    max: Finite | None = None


class MetricDocument(Document):
    """One metric."""

    name: Name
    description: str = ""
    query: Annotated[Query | None, Field(description="PromQL with ${scope} and other ${…}.")] = None
    numerator: Annotated[Query | None, Field(description="PromQL that counts the events in each ${step}.")] = None
    denominator: Annotated[Query | None, Field(description="PromQL that counts what the events are counted of.")] = None
    direction: Annotated[Direction, Field(description="The change that is bad.")] = Direction.EITHER
    tolerance: Annotated[MarginText | None, Field(description="A change up to here is accepted.")] = None
    notice: Annotated[MarginText | None, Field(description="The smallest change that must not slip through.")] = None
    limit: LimitDocument | None = None
    critical: bool = False
    group: Annotated[str, Field(min_length=1, max_length=120)] = "metrics"
    unit: Annotated[str, Field(max_length=20)] = ""
    rate_window: Annotated[Duration | None, Field(description="Seconds of data under one sample, where the query does not tell.")] = None
    min_samples: Annotated[int | None, Field(ge=2, le=100_000)] = None


class ScoreDocument(Document):
    """Thresholds of the score, 0 to 100."""

    passing: Annotated[float, Field(alias="pass", ge=0, le=100)] = 95.0
    marginal: Annotated[float, Field(ge=0, le=100)] = 75.0


class ConfigDocument(Document):
    """A canary config."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", description="Lower-case letters, digits and -.")]
    description: str = ""
    judge: Annotated[str, Field(description="How the canary is judged.")] = DEFAULT_JUDGE
    source: Annotated[str, Field(description="Name of a source in server.yaml.")] = "default"
    args: Mapping[Key, ArgDocument | None] = {}
    scope: Annotated[
        str, Field(min_length=1, max_length=1000, description="Label matchers that pick a side by ${hash}, or a name in scopes.")
    ]
    scopes: Annotated[Mapping[Key, Query], Field(description="Named label matchers that a request may choose from.")] = {}
    window: WindowDocument = WindowDocument()
    looks: LooksDocument = LooksDocument()
    traffic: TrafficDocument | None = None
    metrics: Annotated[list[MetricDocument], Field(min_length=1, max_length=2000)]
    groups: Annotated[Mapping[str, Positive], Field(description="Weights; empty means equal ones.")] = {}
    score: ScoreDocument = ScoreDocument()
    min_samples: Annotated[int, Field(ge=2, le=100_000)] = 5
    on_source_error: Literal["inconclusive", "error"] = "inconclusive"


def parse_config(document: Any, *, where: str) -> CanaryConfig:
    """Give a read document its meaning.

    Raises
    ------
    ConfigError
        All faults at once, each with its dotted path.
    """
    if isinstance(document, Mapping) and ("classifier" in document or "configVersion" in document):
        raise ConfigError("this is a Kayenta canary config; this version reads judge's own form only", where=where)
    read_document = _read_document(document, where)
    scopes = dict(read_document.scopes)
    scope = read_document.scope
    if scope not in scopes:
        scopes, scope = {"scope": scope, **scopes}, "scope"
    return CanaryConfig(
        name=read_document.name,
        description=read_document.description,
        judge=read_document.judge,
        source=read_document.source,
        args={key: _arg(arg) for key, arg in read_document.args.items()},
        scope=scope,
        scopes=scopes,
        window=WindowConfig(**read_document.window.model_dump()),
        looks=LooksConfig(**read_document.looks.model_dump()),
        traffic=None if read_document.traffic is None else TrafficConfig(**read_document.traffic.model_dump()),
        metrics=tuple(_metric(metric) for metric in read_document.metrics),
        groups=dict(read_document.groups),
        score=ScoreThresholds(passing=read_document.score.passing, marginal=read_document.score.marginal),
        min_samples=read_document.min_samples,
        on_source_error=read_document.on_source_error,
        digest=hashlib.sha256(dumps(read_document.model_dump(mode="json", by_alias=True)).encode()).hexdigest(),
        document=json.loads(dumps(document)),
    )


def _read_document(document: Any, where: str) -> ConfigDocument:
    """Check form and meaning; where the form has faults, the meaning of the rest is checked all the same."""
    try:
        read_document = validate(ConfigDocument, document, where=where)
    except ConfigError as error:
        raise ConfigError([*error.faults, *_faults_of_the_rest(document)], where=where) from None
    found = list(_faults(read_document))
    if found:
        raise ConfigError(found, where=where)
    return read_document


def _faults_of_the_rest(document: Any) -> list[Fault]:
    rest: Any = document
    touched: set[str] = set()
    for _ in range(3):
        if not isinstance(rest, Mapping):
            return []
        try:
            # What was taken out may have been required: stand-ins without a fault of their own.
            read_document = ConfigDocument.model_validate({"name": "stand-in", "scope": 'stand_in="${hash}"', **rest})
        except ValidationError as error:
            rest, paths = without_faulty(rest, error)
            touched.update(paths)
        else:
            return [fault for fault in _faults(read_document) if not any(path and fault.path.startswith(path) for path in touched)]
    return []


def _arg(arg: ArgDocument | None) -> ArgConfig:
    if arg is None:
        return ArgConfig()
    return ArgConfig(default=None if arg.default is None else str(arg.default), type=arg.type, description=arg.description)


def _metric(metric: MetricDocument) -> MetricConfig:
    counted = metric.denominator is not None
    tolerance = metric.tolerance if metric.tolerance is not None else (COUNT_TOLERANCE if counted else TOLERANCE)
    notice = metric.notice if metric.notice is not None else (COUNT_NOTICE if counted else NOTICE)
    return MetricConfig(
        name=metric.name,
        query=metric.query if metric.query is not None else "",
        numerator=metric.numerator if metric.numerator is not None else "",
        denominator=metric.denominator if metric.denominator is not None else "",
        direction=metric.direction,
        tolerance=tolerance,
        notice=notice,
        limit=None if metric.limit is None else Limit(min=metric.limit.min, max=metric.limit.max),
        critical=metric.critical,
        group=metric.group,
        unit=metric.unit,
        description=metric.description,
        rate_window=metric.rate_window,
        min_samples=metric.min_samples,
    )


def _faults(document: ConfigDocument) -> Iterator[Fault]:
    """What no single field can tell."""
    if document.judge not in METHODS:
        yield Fault(
            path="judge", message=f"unknown judge {document.judge!r}{nearest(document.judge, METHODS)}", allowed=tuple(sorted(METHODS))
        )
    window = document.window
    if window.step < 1 or not float(window.step).is_integer():
        yield Fault(path="window.step", message=f"must be whole seconds, at least 1, found {window.step:g}")
    if window.length < window.step:
        yield Fault(path="window.length", message=f"must be at least one step ({window.step:g} s), found {window.length:g} s")
    if document.looks.interval is not None and document.looks.interval <= 0:
        yield Fault(path="looks.interval", message="must be positive")
    if document.score.marginal > document.score.passing:
        yield Fault(
            path="score",
            message=f"need 0 <= marginal <= pass <= 100, found marginal={document.score.marginal:g}, pass={document.score.passing:g}",
        )
    yield from _arg_faults(document)
    yield from _scope_faults(document)
    yield from _metric_faults(document)
    yield from _group_faults(document)


def _arg_faults(document: ConfigDocument) -> Iterator[Fault]:
    for name in sorted(set(document.args) & RESERVED_ARGS):
        yield Fault(path=f"args.{name}", message="this name is the request's own; call the arg something else")
    args = {name: _arg(arg) for name, arg in document.args.items()}
    defaults = {name: arg.default for name, arg in args.items() if arg.default is not None}
    try:
        resolve_defaults({name: name for name, arg in args.items() if arg.default is None}, defaults)
    except ConfigError as error:
        yield from error.faults


def _scope_faults(document: ConfigDocument) -> Iterator[Fault]:
    known = {*document.args, "hash", "rollout"}
    texts = {f"scopes.{name}": text for name, text in document.scopes.items()}
    if document.scope not in document.scopes:
        texts["scope"] = document.scope
        if "=" not in document.scope:
            yield Fault(
                path="scope",
                message=f"{document.scope!r} is neither a label matcher nor a name in scopes{nearest(document.scope, document.scopes)}",
                allowed=tuple(document.scopes),
            )
            return
    for path, text in texts.items():
        if "{{" in text:
            yield _braces(path)
        for name in sorted(placeholders(text) - known):
            yield Fault(path=path, message=f"${{{name}}} is not defined{nearest(name, known)}", allowed=tuple(sorted(known)))
        if "hash" not in placeholders(text):
            yield Fault(path=path, message="does not use ${hash}, so both sides would be the same")


def _braces(path: str) -> Fault:
    return Fault(path=path, message="holds {{, which Argo Rollouts would try to fill in; write ${…}")


def _metric_faults(document: ConfigDocument) -> Iterator[Fault]:
    seen: dict[str, int] = {}
    for index, metric in enumerate(document.metrics):
        path = f"metrics.{index}"
        if metric.name in seen:
            yield Fault(path=f"{path}.name", message=f"{metric.name!r} is already the name of metrics.{seen[metric.name]}")
        seen.setdefault(metric.name, index)
        counted = metric.numerator is not None or metric.denominator is not None
        if (metric.query is not None) == counted or (counted and (metric.numerator is None or metric.denominator is None)):
            yield Fault(path=path, message="needs either query, or numerator and denominator together")
        if metric.limit is not None:
            yield from _limit_faults(metric, path)
        else:
            if metric.query is not None and "window" in placeholders(metric.query):
                yield Fault(
                    path=f"{path}.query", message="${window} gives one value for the whole window; a comparison needs one each ${step}"
                )
            tolerance, notice = _metric(metric).tolerance, _metric(metric).notice
            if notice.relative < tolerance.relative or (notice.absolute < tolerance.absolute and notice.absolute + notice.relative > 0):
                yield Fault(
                    path=f"{path}.notice", message="must be at least the tolerance: what is accepted cannot be what must not slip through"
                )
        for part in ("query", "numerator", "denominator"):
            text = getattr(metric, part)
            if text is not None:
                yield from _query_faults(text, f"{path}.{part}", document)
    if document.traffic is not None:
        yield from _query_faults(document.traffic.query, "traffic.query", document)


def _limit_faults(metric: MetricDocument, path: str) -> Iterator[Fault]:
    assert metric.limit is not None
    low = -math.inf if metric.limit.min is None else metric.limit.min
    high = math.inf if metric.limit.max is None else metric.limit.max
    if metric.limit.min is None and metric.limit.max is None:
        yield Fault(path=f"{path}.limit", message="needs min, max or both")
    if low > high:
        yield Fault(path=f"{path}.limit", message=f"min {low:g} is above max {high:g}")
    if metric.query is None:
        yield Fault(path=f"{path}.limit", message="a limit needs a query, not numerator and denominator")
    for key in ("tolerance", "notice"):
        if getattr(metric, key) is not None:
            yield Fault(path=f"{path}.{key}", message="a limit has no baseline, so there is no change to tolerate")


def _query_faults(text: str, path: str, document: ConfigDocument) -> Iterator[Fault]:
    known = {*document.args, *BUILT_IN}
    if "{{" in text:
        yield _braces(path)
    for name in sorted(placeholders(text) - known):
        yield Fault(path=path, message=f"${{{name}}} is not defined{nearest(name, known)}", allowed=tuple(sorted(known)))
    if not placeholders(text) & {"scope", "hash"}:
        yield Fault(path=path, message="uses neither ${scope} nor ${hash}, so both sides would be the same")


def _group_faults(document: ConfigDocument) -> Iterator[Fault]:
    if not document.groups:
        return
    used = {metric.group for metric in document.metrics}
    for index, metric in enumerate(document.metrics):
        if metric.group not in document.groups:
            yield Fault(
                path=f"metrics.{index}.group",
                message=f"group {metric.group!r} has no weight in groups{nearest(metric.group, document.groups)}",
                allowed=tuple(document.groups),
            )
    for name in document.groups:
        if name not in used:
            yield Fault(path=f"groups.{name}", message=f"no metric is in this group{nearest(name, used)}")


def load_config(path: str | Path) -> CanaryConfig:
    """Read one config file.

    Raises
    ------
    ConfigError
        All faults at once; names the file and each dotted path.
    """
    return parse_config(read(Path(path)), where=str(path))


def load_configs(folder: Path) -> tuple[dict[str, CanaryConfig], list[ConfigError]]:
    """Read every config of a folder (``*.yaml``, ``*.yml``, ``*.json``; not ``server.yaml``).

    A broken file does not keep the good ones from being used: its error is returned.
    """
    configs: dict[str, CanaryConfig] = {}
    homes: dict[str, Path] = {}
    errors: list[ConfigError] = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix not in {".yaml", ".yml", ".json"} or path.name == SETTINGS_FILE:
            continue
        try:
            config = load_config(path)
        except ConfigError as error:
            errors.append(error)
            continue
        if config.name in configs:
            errors.append(
                ConfigError(
                    [Fault(path="name", message=f"{config.name!r} is already defined by {homes[config.name].name}")], where=str(path)
                )
            )
            continue
        configs[config.name], homes[config.name] = config, path
    return configs, errors


def config_schema() -> dict[str, Any]:
    """JSON Schema of a config, for editors."""
    schema = ConfigDocument.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "judge canary config"
    schema["properties"]["judge"]["enum"] = sorted(METHODS)
    return schema
