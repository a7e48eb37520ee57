"""``judge check`` and ``judge schema``."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

import click

from judge.cli.run import given_args
from judge.config.kayenta import ignored_keys, left_behind, to_our_form
from judge.config.load import SETTINGS_FILE, config_schema, load_config, load_configs, parse_config
from judge.config.renamed import rename_in_text
from judge.config.yaml import parse, read_text
from judge.core.config import CanaryConfig
from judge.core.kayenta.adapter import is_kayenta_document
from judge.errors import ConfigError, RequestError
from judge.lint.against import Question, ask_all
from judge.lint.checker import Report, check
from judge.lint.documents import Broken, Read, Skipped, files, read
from judge.lint.rule import Document, Severity
from judge.lint.rules import RULES
from judge.lint.sarif import as_json, as_sarif, tables
from judge.settings import DEFAULT_CONFIG_DIR, Settings, load_settings, server_document
from judge.wire.json import dumps


def check_paths(paths: Iterable[Path], *, form: str = "text", against: Question | None = None) -> int:
    """Look at configs, settings, AnalysisTemplates, Rollouts and Experiments; return the exit status.

    Parameters
    ----------
    paths : iterable of Path
        Files and folders; ``-`` is standard input; none is the config folder.
    form : {'text', 'json', 'sarif'}
        Text has one line for each file that is well and for each fault.
    against : Question, optional
        Ask this source, too, whether it has samples for each query.
    """
    folder = Path(os.environ.get("JUDGE_CONFIG_DIR", DEFAULT_CONFIG_DIR))
    chosen = list(paths) or [folder]
    found: list[Read] = []
    settings: dict[str, int] = {}
    for path, deep in files(chosen):
        if path.name != SETTINGS_FILE:
            found += read(path, deep=deep)
            continue
        try:
            # Only the file itself: what the environment adds is the service's business.
            settings[str(path)] = len(load_settings({}, config_dir=path.parent).sources)
        except ConfigError as error:
            found.append(Broken(where=str(path), error=error))
    if not found and not settings:
        click.echo(f"no config in {', '.join(map(str, chosen))}", err=True)
        return 2
    configs, _ = load_configs(folder)
    ask = None if against is None else partial(ask_all, question=against, environ=os.environ, now=time.time())
    report = check(_named_once(found), configs=configs, deadline=_deadline(folder, settings), ask=ask)
    if form == "text":
        _print(report, settings)
    else:
        click.echo(as_json(report) if form == "json" else as_sarif(report))
    return 2 if report.failed else 0


def question(*, url: str, args: tuple[str, ...], **sides: str) -> Question | None:
    """Read the options of ``--against``; None where nothing is to be asked.

    Raises
    ------
    RequestError
        Where a side is missing, or an option needs ``--against``.
    """
    given = {name: value for name, value in sides.items() if value}
    if not url:
        if given or args:
            raise RequestError(f"--{next(iter(given), 'arg')} needs --against URL: without it nothing is asked")
        return None
    missing = [f"--{side}" for side in ("baseline", "canary") if side not in given]
    if missing:
        raise RequestError(f"--against needs {' and '.join(missing)}: the hashes, or what else ${{hash}} is on each side")
    return Question(url=url, values=given, args=given_args(args))


def _named_once(found: Iterable[Read]) -> Iterator[Read]:
    """Break a config whose name another one of its folder has already."""
    names: dict[tuple[Path, str], str] = {}
    for item in found:
        if not isinstance(item, Document) or item.config is None or is_kayenta_document(item.config.document):
            yield item
            continue
        key = (Path(item.where).parent, item.config.name)
        if key in names:
            yield Broken(
                where=item.where, error=ConfigError(f"the name {item.config.name!r} is already that of {names[key]}", where=item.where)
            )
        else:
            names[key] = item.where
            yield item


def _deadline(folder: Path, settings: Mapping[str, int]) -> float:
    """How long the service may take: as the settings say that were checked, or those of the config folder."""
    for place in (*(Path(path).parent for path in settings), folder):
        try:
            return load_settings({}, config_dir=place).deadline
        except ConfigError:
            continue
    return Settings().deadline


def _print(report: Report, settings: Mapping[str, int]) -> None:
    """Print one line for each document that is well, its hints, and one for each fault (on standard error)."""
    lines: list[tuple[str, str]] = [(path, f"{path}: ok, {count} sources") for path, count in settings.items()]
    bad = {finding.where for finding in report.findings if finding.severity is not Severity.INFO}
    lines += [(item.where, f"{item.where}: {_well(item)}") for item in report.read if isinstance(item, Document) and item.where not in bad]
    skipped = Counter((item.where, item.reason) for item in report.read if isinstance(item, Skipped))
    lines += [
        (where, f"{where}: skipped, {reason}{f' ({times} times)' if times > 1 else ''}") for (where, reason), times in skipped.items()
    ]
    lines += [(finding.where, str(finding)) for finding in report.findings if finding.severity is Severity.INFO]
    for _, line in sorted(lines, key=lambda item: item[0]):
        click.echo(line)
    for line in tables(report):
        click.echo(line)
    for item in report.read:
        if isinstance(item, Broken):
            click.echo(str(item.error), err=True)
    for finding in report.findings:
        if finding.rule in RULES and finding.severity is not Severity.INFO:
            click.echo(f"{finding}", err=True)


def _well(document: Document) -> str:
    if document.config is None:
        metrics = document.spec.get("metrics")
        count = f", {len(metrics)} metrics" if isinstance(metrics, list) else ""
        return f"ok, {document.data.get('kind')} {document.name}{count}"
    config = document.config
    if is_kayenta_document(config.document):
        return _kayenta(Path(document.where), config)
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
    """Write a Kayenta canary config as YAML of ours, or a config of an older judge with today's names.

    Raises
    ------
    ConfigError
        Where it is neither, or holds what cannot be said here.
    """
    text = read_text(path)
    try:
        renamed = rename_in_text(text)
    except ValueError as error:
        raise ConfigError(str(error), where=str(path)) from error
    if renamed != text:
        parse_config(parse(renamed, where=str(path), is_json=path.suffix == ".json"), where=f"{path}, converted")
        return renamed
    config = load_config(path)
    if not is_kayenta_document(config.document):
        nothing = (
            "has nothing to convert: it is no Kayenta canary config, which has a classifier or analysisConfigurations, and no key is old"
        )
        raise ConfigError(nothing, where=str(path))
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
    found = server_document().model_json_schema(by_alias=True)
    return dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "judge server.yaml"}, indent=2)
