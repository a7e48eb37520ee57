"""``judge run`` and ``judge fetch``: one live question from the command line."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from judge.archive import open_archive
from judge.cli.files import must_be_writable, unwritable
from judge.cli.output import STATUS
from judge.config.load import load_config, load_configs
from judge.core.config import CanaryConfig
from judge.core.model import Classification, Outcome
from judge.errors import ArchiveError, ConfigError, DumpError, Fault, RequestError, SourceUnreachable, nearest
from judge.reports.formats import FORMATS
from judge.settings import Settings, load_settings
from judge.sources.dumps.read import TABLES
from judge.sources.dumps.write import dump_document
from judge.verdicts.analysis import Analysis, run
from judge.verdicts.service import write_record
from judge.wire.json import dumps
from judge.wire.request import parse_request
from judge.wire.ulid import new_id


def judge_live(asked: dict[str, Any], *, archive_url: str, form: str) -> int:
    """Judge, print and keep; return the exit status."""
    settings = settings_for(asked.pop("url"))
    # Before anything is asked: an address that makes no sense is wrong usage, and no verdict goes with that.
    archive = open_archive(archive_url if archive_url else settings.archive_url)
    now = time.time()
    analysis = analyse({**asked, "args": given_args(asked["args"])}, settings, now)
    record = write_record(analysis, id=new_id(now), asked_at=now)
    click.echo(FORMATS[form].alone(record))
    try:
        archive.keep(record)
        archive.close()
    except ArchiveError as error:
        click.echo(f"judge: this verdict was not kept: {error}", err=True)
    return 4 if source_failed(analysis) else STATUS[analysis.verdict.outcome.value]


def save_live(asked: dict[str, Any], *, output: Path, append: bool) -> int:
    """Fetch and save; return the exit status, that of the file and not of the canary."""
    if output.name.endswith(TABLES):
        raise DumpError("a dump is written as JSON; give a name that ends in .json or .jsonl, also with .gz", where=str(output))
    must_be_writable(output)
    settings = settings_for(asked.pop("url"))
    now = time.time()
    analysis = analyse({**asked, "args": given_args(asked["args"])}, settings, now)
    if source_failed(analysis):
        raise SourceUnreachable(f"nothing was saved: {analysis.verdict.reason}")
    if not analysis.pairs:
        raise SourceUnreachable(f"there is nothing to save: {analysis.verdict.reason}")
    document = dump_document(
        analysis.request,
        analysis.config,
        analysis.window,
        analysis.pairs,
        analysis.traffic,
        analysis.conditions,
        id=f"{asked['canary']}-{int(now)}",
    )
    text = dumps(document) + "\n"
    mode = "ab" if append else "wb"
    try:
        # mtime 0: the same samples give the same bytes.
        with output.open(mode) as file:
            file.write(gzip.compress(text.encode(), mtime=0) if output.name.endswith(".gz") else text.encode())
    except OSError as error:
        raise unwritable(output, error) from error
    samples = sum(len(pair.baseline) + len(pair.canary) for pair in analysis.pairs)
    click.echo(f"{output}: {len(analysis.pairs)} metrics, {samples} samples")
    return 0


def settings_for(url: str) -> Settings:
    """Read the settings, with this address for the source named default where one is given."""
    environ = dict(os.environ)
    if url:
        environ["JUDGE_PROMETHEUS_URL"] = url
    try:
        return load_settings(environ)
    except ConfigError as error:
        if not url or error.faults[0].path != "JUDGE_PROMETHEUS_URL":
            raise
        # It was named on the command line, and not in the environment.
        raise RequestError([replace(error.faults[0], path="--prometheus")]) from error


def analyse(asked: dict[str, Any], settings: Settings, now: float) -> Analysis:
    """Judge one live question; its `args` are a mapping.

    Raises
    ------
    RequestError, ConfigError
        Where the question, the config or the settings are wrong.
    """
    deadline = asked.pop("deadline")
    config = find_config(asked.pop("config"), settings)
    given = {key: value for key, value in asked.items() if key != "args" and value}
    request, config = parse_request({**given, "config": config.name, "args": asked["args"]}, {config.name: config}, now=now)
    if config.source not in settings.sources:
        hint = "give --prometheus or set JUDGE_PROMETHEUS_URL" if config.source == "default" else "it is not in server.yaml"
        raise ConfigError([Fault(path="source", message=f"there is no source {config.source!r}: {hint}", allowed=tuple(settings.sources))])
    source = settings.sources[config.source].patient(deadline).open(config.source)
    return run(request, config, source, now=now, deadline=deadline)


def given_args(pairs: tuple[str, ...]) -> Mapping[str, str]:
    """Read ``--arg NAME=VALUE``.

    Raises
    ------
    RequestError
        Where one is not of this form, or is given twice.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise RequestError(f"--arg needs NAME=VALUE, found {pair!r}")
        if name in found:
            raise RequestError(f"--arg {name} is given twice")
        found[name] = value
    return found


def find_config(name: str, settings: Settings) -> CanaryConfig:
    """Load a config by file or by name.

    Raises
    ------
    ConfigError
        Where there is none, or it is broken.
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml", ".json"} or path.is_file():
        return load_config(path)
    configs, errors = load_configs(settings.config_dir)
    if name in configs:
        return configs[name]
    for error in errors:
        if Path(error.where).stem == name:
            raise error
    known = tuple(sorted(configs))
    hint = nearest(name, known) if known else "; set JUDGE_CONFIG_DIR to a folder of canary configs, or name a file"
    raise ConfigError([Fault(path="", message=f"there is no config {name!r} in {settings.config_dir}{hint}", allowed=known)])


def source_failed(analysis: Analysis) -> bool:
    """The source's own trouble kept us from a verdict."""
    if analysis.verdict.outcome is not Outcome.INCONCLUSIVE:
        return False
    if any(pair.problem is not None and pair.problem.classification is Classification.NODATA for pair in analysis.pairs):
        return True
    return bool(analysis.source_trouble)
