"""``judge check`` and ``judge schema``."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import click

from judge.core.config import CanaryConfig
from judge.core.kayenta.adapter import is_kayenta_document
from judge.errors import ConfigError
from judge.settings import DEFAULT_CONFIG_DIR, ServerDocument, load_settings
from judge.wire.config import SETTINGS_FILE, config_schema, load_config, parse_config
from judge.wire.documents import parse
from judge.wire.kayenta_config import ignored_keys, left_behind, to_our_form
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
    if is_kayenta_document(config.document):
        return _kayenta(path, config)
    if config.name in names:
        raise ConfigError(f"the name {config.name!r} is already that of {names[config.name]}", where=str(path))
    names[config.name] = path
    critical = sum(metric.critical for metric in config.metrics)
    return f"ok, {len(config.metrics)} metrics ({critical} critical), judge {config.judge}"


def _kayenta(path: Path, config: CanaryConfig) -> str:
    """Explain what a Kayenta config means here."""
    ignored = ignored_keys(config.document)
    lines = [f"ok, Kayenta canary config {config.document.get('name')!r}, {len(config.metrics)} metrics, judge {config.judge}"]
    lines += [
        f"  {metric.name}: {metric.direction.value}{', critical' if metric.critical else ''}: {metric.query}" for metric in config.metrics
    ]
    if config.args:
        lines.append(f"  args that a request gives: {', '.join(sorted(config.args))}")
    if ignored:
        lines.append(f"  ignored: {', '.join(ignored)}")
    lines.append(f"  as a config of judge's own: judge convert {path}")
    return "\n".join(lines)


def convert_file(path: Path) -> str:
    """Write a Kayenta canary config as YAML of ours.

    Raises
    ------
    ConfigError
        Where it is no Kayenta config, or holds what cannot be said here.
    """
    config = load_config(path)
    if not is_kayenta_document(config.document):
        raise ConfigError("is no Kayenta canary config: it has no classifier and no analysisConfigurations", where=str(path))
    from io import StringIO

    from ruamel.yaml import YAML

    writer = YAML()
    writer.default_flow_style = False
    writer.width = 140
    out = StringIO()
    writer.dump(to_our_form(config), out)
    left = [f"# not carried over: {key}" for key in (*ignored_keys(config.document), *left_behind(config.document))]
    head = [f"# From Kayenta's {path.name}. The queries hold ${{hash}} themselves, so the scope below is not used by them."]
    text = "\n".join([*head, *left, out.getvalue()])
    parse_config(parse(text, where=str(path)), where=f"{path}, converted")
    return text


def schema_text(document: str) -> str:
    """Write a JSON Schema."""
    if document == "config":
        return dumps(config_schema(), indent=2)
    found = ServerDocument.model_json_schema(by_alias=True)
    return dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "judge server.yaml"}, indent=2)
