"""``judge score``: verdicts of saved canaries, one or many thousands."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from judge.cli.output import STATUS, worst
from judge.config.load import load_config, require_judge
from judge.core.config import CanaryConfig
from judge.errors import Fault, RequestError
from judge.parallel import Workers
from judge.reports.formats import FORMATS
from judge.verdicts.score_dump import KnownConfigs, Part, read_known, read_parts, score_part


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """One canary's output, or the fault that kept it from being judged."""

    status: int
    text: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """By what dumps are judged, and how that is written.

    `known` is there where it was read ahead: a worker of a cluster has another folder.
    """

    config: CanaryConfig | None
    judge_name: str
    form: str
    known: KnownConfigs | None = None


def score_dumps(paths: Sequence[Path], *, config_path: Path | None, judge_name: str, jobs: int, dask: str = "", form: str) -> int:
    """Judge every canary of every file, print as they come, return the exit status.

    A file or canary that cannot be read is named on the error stream, and in
    JSON Lines it has a line of its own too; the others are judged all the same.
    """
    config = None if config_path is None else load_config(config_path)
    judges = [name.strip() for name in judge_name.split(",")] if judge_name else []
    for name in judges:
        require_judge(name, path="--judge")
    workers = Workers(jobs, dask=dask)
    if len(judges) > 1:
        if dask:
            raise RequestError([Fault(path="--dask", message="judges are compared on this machine; leave it out, or name one judge")])
        from judge.cli.score_compare import compare_judges

        return compare_judges(paths, judges, config=config, form=form)
    with workers:
        known = read_known() if dask and config is None else None
        how = How(config=config, judge_name=judge_name, form=form, known=known)
        return _print_all(workers.each(partial(score_one, how=how), read_parts(paths)), form)


def _print_all(scored: Iterator[Output], form: str) -> int:
    """Print as they come; the worst status."""
    statuses: set[int] = set()
    count = 0
    if FORMATS[form].opening:
        click.echo(FORMATS[form].opening)
    progress = sys.stderr.isatty() and not sys.stdout.isatty()
    for count, done in enumerate(scored, start=1):
        statuses.add(done.status)
        if done.fault:
            click.echo(f"judge: {done.fault}", err=True)
        if done.text:
            # A name may hold half a surrogate pair, which no terminal and no file takes.
            click.echo(done.text.encode("utf-8", "replace").decode("utf-8"))
        if progress and count % 10 == 0:
            click.echo(f"\r{count} canaries judged", nl=False, err=True)
    if progress:
        click.echo(f"\r{count} canaries judged", err=True)
    if FORMATS[form].closing:
        click.echo(FORMATS[form].closing)
    return worst(statuses)


def score_one(part: Part, how: How) -> Output:
    """Judge one canary and write it in the chosen format."""
    scored = score_part(part, how.config, how.judge_name, known=how.known)
    form = FORMATS[how.form]
    if scored.record is None:
        return Output(status=2, text=form.fault(scored.id, scored.fault), fault=scored.fault)
    text = form.verdict(scored.record)
    return Output(status=STATUS[scored.record["verdict"]["verdict"]], text=text if form.machine else f"{scored.id}\n{text}\n")
