"""``judge check`` and ``judge schema``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from judge.errors import ConfigError
from judge.settings import DEFAULT_CONFIG_DIR, ServerDocument, load_settings
from judge.wire.config import SETTINGS_FILE, config_schema, load_config
from judge.wire.strict import dumps

FILES = {".yaml", ".yml", ".json"}


def check_paths(paths: Iterable[Path]) -> int:
    """Print one line a config, or one a fault; return the exit status."""
    chosen = list(paths) or [Path(os.environ.get("JUDGE_CONFIG_DIR", DEFAULT_CONFIG_DIR))]
    checked, broken = 0, 0
    names: dict[str, Path] = {}
    for path in _files(chosen):
        checked += 1
        try:
            click.echo(f"{path}: {_check(path, names)}")
        except ConfigError as error:
            broken += 1
            click.echo(str(error), err=True)
    if not checked:
        click.echo(f"no config in {', '.join(map(str, chosen))}", err=True)
        return 2
    return 2 if broken else 0


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(inside for inside in path.iterdir() if inside.suffix in FILES)
        else:
            yield path


def _check(path: Path, names: dict[str, Path]) -> str:
    if path.name == SETTINGS_FILE:
        # Only the file itself: what the environment adds is the service's business.
        settings = load_settings({}, config_dir=path.parent)
        return f"ok, {len(settings.sources)} sources"
    config = load_config(path)
    if config.name in names:
        raise ConfigError(f"the name {config.name!r} is already that of {names[config.name]}", where=str(path))
    names[config.name] = path
    critical = sum(metric.critical for metric in config.metrics)
    return f"ok, {len(config.metrics)} metrics ({critical} critical), judge {config.judge}"


def schema_text(document: str) -> str:
    """Write a JSON Schema."""
    if document == "config":
        return dumps(config_schema(), indent=2)
    found = ServerDocument.model_json_schema(by_alias=True)
    return dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "judge server.yaml"}, indent=2)
