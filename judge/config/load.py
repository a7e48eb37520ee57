"""Canary configs as they are written: YAML or JSON into `CanaryConfig`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from judge.config.kayenta import parse_kayenta_config
from judge.config.rules import faults_between, margins
from judge.config.schema import ArgDocument, ConditionsDocument, ConfigDocument, MetricDocument, WindowDocument
from judge.config.yaml import read, validate, without_faulty
from judge.core.canary import JUDGES
from judge.core.config import (
    LONGEST_WINDOW,
    ArgConfig,
    CanaryConfig,
    ConditionsConfig,
    Limit,
    LooksConfig,
    MetricConfig,
    ScoreThresholds,
    TrafficConfig,
    WindowConfig,
)
from judge.core.kayenta.adapter import is_kayenta_document
from judge.errors import ConfigError, Fault, nearest
from judge.wire.json import dumps

SETTINGS_FILE = "server.yaml"


def parse_config(document: Any, *, where: str) -> CanaryConfig:
    """Give a read document its meaning.

    Raises
    ------
    ConfigError
        All faults at once, each with its dotted path.
    """
    if is_kayenta_document(document):
        kept = json.loads(dumps(document))
        return parse_kayenta_config(kept, where=where, digest=hashlib.sha256(dumps(kept).encode()).hexdigest())
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
        sides=ArgConfig(type=read_document.sides.type),
        scope=scope,
        scopes=scopes,
        window=_window(read_document.window),
        looks=LooksConfig(**read_document.looks.model_dump()),
        traffic=None if read_document.traffic is None else TrafficConfig(**read_document.traffic.model_dump()),
        conditions=None if read_document.conditions is None else _conditions(read_document.conditions),
        metrics=tuple(_metric(metric) for metric in read_document.metrics),
        groups=dict(read_document.groups),
        score=ScoreThresholds(passing=read_document.score.passing, marginal=read_document.score.marginal),
        min_samples=read_document.min_samples,
        alpha=read_document.alpha,
        joint=read_document.joint,
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
    found = list(faults_between(read_document))
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
            return [fault for fault in faults_between(read_document) if not any(path and fault.path.startswith(path) for path in touched)]
    return []


def _arg(arg: ArgDocument | None) -> ArgConfig:
    if arg is None:
        return ArgConfig()
    return ArgConfig(
        default=None if arg.default is None else str(arg.default),
        type=arg.type,
        allowed=() if arg.allowed is None else tuple(map(str, arg.allowed)),
        description=arg.description,
    )


def _window(document: WindowDocument) -> WindowConfig:
    longest = max(LONGEST_WINDOW, document.length) if document.longest is None else document.longest
    return WindowConfig(warmup=document.warmup, step=document.step, length=document.length, longest=longest)


def _conditions(document: ConditionsDocument) -> ConditionsConfig:
    return ConditionsConfig(**{part: text for part, text in document.model_dump().items() if text is not None})


def _metric(metric: MetricDocument) -> MetricConfig:
    tolerance, must_detect = margins(metric)
    return MetricConfig(
        name=metric.name,
        query=metric.query if metric.query is not None else "",
        numerator=metric.numerator if metric.numerator is not None else "",
        denominator=metric.denominator if metric.denominator is not None else "",
        direction=metric.direction,
        tolerance=tolerance,
        must_detect=must_detect,
        limit=None if metric.limit is None else Limit(min=metric.limit.min, max=metric.limit.max),
        critical=metric.critical,
        group=metric.group,
        unit=metric.unit,
        description=metric.description,
        rate_window=metric.rate_window,
        min_samples=metric.min_samples,
        off=frozenset(name for name, wanted in metric.tests.model_dump().items() if not wanted),
    )


def require_judge(name: str, *, path: str) -> None:
    """Refuse a judge that is none, by its name; `path` says where the name is given."""
    if name not in JUDGES:
        raise ConfigError([Fault(path=path, message=f"unknown judge {name!r}{nearest(name, JUDGES)}", allowed=tuple(JUDGES))])


def with_judge(config: CanaryConfig, judge: str) -> CanaryConfig:
    """Judge by this judge, whatever the config says: another question, so its digest differs."""
    if judge == config.judge:
        return config
    return replace(config, judge=judge, digest=hashlib.sha256(f"{config.digest} {judge}".encode()).hexdigest())


def load_config(path: str | Path) -> CanaryConfig:
    """Read one config file.

    Raises
    ------
    ConfigError
        All faults at once; names the file and each dotted path.
    """
    return parse_config(read(Path(path)), where=str(path))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Folder:
    """The configs of a folder by name, the file of each, and what is wrong with other files."""

    configs: dict[str, CanaryConfig]
    homes: dict[str, Path]
    errors: list[ConfigError]


def load_configs(folder: Path) -> tuple[dict[str, CanaryConfig], list[ConfigError]]:
    """Read every config of a folder, and what is wrong with the others; see `read_folder`."""
    found = read_folder(folder)
    return found.configs, found.errors


def read_folder(folder: Path) -> Folder:
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
    return Folder(configs=configs, homes=homes, errors=errors)


def config_schema() -> dict[str, Any]:
    """JSON Schema of a config, for editors."""
    schema = ConfigDocument.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "judge canary config"
    schema["properties"]["judge"]["enum"] = sorted(JUDGES)
    return schema
