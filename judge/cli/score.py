"""``judge score``: verdicts of saved canaries, one or many thousands."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import click

from judge.cli.output import STATUS, worst
from judge.config.load import DEFAULT_JUDGE, load_config, load_configs, parse_config
from judge.core.canary import JUDGES, judge_canary
from judge.core.config import CanaryConfig, LooksConfig, ScoreThresholds
from judge.core.model import Window
from judge.errors import ConfigError, DumpError, Fault, RequestError, nearest
from judge.parallel import Workers
from judge.reports.formats import FORMATS
from judge.settings import DEFAULT_CONFIG_DIR
from judge.sources.dumps.dump import Dump
from judge.sources.dumps.read import RawCanary, parse, split
from judge.verdicts.analysis import Analysis
from judge.verdicts.service import write_record
from judge.wire.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """One canary's output, or the fault that kept it from being judged."""

    status: int
    text: str = ""
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The configs that a dump may name, and the folder they were read from."""

    folder: Path
    configs: Mapping[str, CanaryConfig]


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """By what dumps are judged, and how that is written.

    `known` is there where it was read ahead: a worker of a cluster has another folder.
    """

    config: CanaryConfig | None
    judge_name: str
    form: str
    known: Known | None = None


def score_dumps(paths: Sequence[Path], *, config_path: Path | None, judge_name: str, jobs: int, dask: str = "", form: str) -> int:
    """Judge every canary of every file, print as they come, return the exit status.

    A file or canary that cannot be read is named on the error stream, and in
    JSON Lines it has a line of its own too; the others are judged all the same.
    """
    config = None if config_path is None else load_config(config_path)
    judges = [name.strip() for name in judge_name.split(",")] if judge_name else []
    for name in judges:
        if name not in JUDGES:
            raise ConfigError([Fault(path="--judge", message=f"unknown judge {name!r}{nearest(name, JUDGES)}", allowed=tuple(JUDGES))])
    workers = Workers(jobs, dask=dask)
    if len(judges) > 1:
        if dask:
            raise RequestError([Fault(path="--dask", message="judges are compared on this machine; leave it out, or name one judge")])
        from judge.cli.score_compare import compare_judges

        return compare_judges(paths, judges, config=config, form=form)
    with workers:
        known = _read_known() if dask and config is None else None
        how = How(config=config, judge_name=judge_name, form=form, known=known)
        parts = (raw for path in paths for raw in split(path))
        return _print_all(workers.each(partial(score_one, how=how), map(_portable, parts)), form)


def _print_all(scored: Iterator[Scored], form: str) -> int:
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


def _portable(part: RawCanary | DumpError) -> RawCanary | str:
    """An exception with arguments of its own does not survive the way to another process."""
    return str(part) if isinstance(part, DumpError) else part


def score_one(part: RawCanary | str, how: How) -> Scored:
    """Judge one canary and write it in the chosen format; a text is the fault that kept it from being read."""
    if isinstance(part, str):
        return _broken(part, how.form, "")
    try:
        made = score_canary(parse(part), how.config, how.judge_name, named=how.known)
    except (DumpError, ConfigError) as error:
        return _broken(str(error), how.form, part.fallback_id)
    text = FORMATS[how.form].verdict(made)
    return Scored(status=STATUS[made["verdict"]["verdict"]], text=text if FORMATS[how.form].machine else f"{made['id']}\n{text}\n")


def _broken(fault: str, form: str, id: str) -> Scored:
    return Scored(status=2, text=FORMATS[form].fault(id, fault), fault=fault)


def score_canary(dump: Dump, config: CanaryConfig | None = None, judge_name: str = "", *, named: Known | None = None) -> dict[str, Any]:
    """Judge one dump, as `analyse_dump` does, and write the record that the service would keep."""
    analysis = analyse_dump(dump, config, judge_name, named=named)
    return write_record(analysis, id=dump.id, asked_at=analysis.window.end)


def analyse_dump(dump: Dump, config: CanaryConfig | None = None, judge_name: str = "", *, named: Known | None = None) -> Analysis:
    """Judge one dump over its window.

    Parameters
    ----------
    dump : Dump
    config : CanaryConfig, optional
        Instead of what the dump says of itself.
    judge_name : str
        Instead of the config's judge.
    named : Known, optional
        Configs that the dump may name; the config folder is read where it is left out.

    Raises
    ------
    ConfigError
        Where the dump's own config is wrong.
    DumpError
        Where the dump has none of the config's metrics.
    """
    chosen, warnings = _config_of(dump, config, named)
    if judge_name:
        chosen = replace(chosen, judge=judge_name)
    known = {metric.name for metric in chosen.metrics}
    pairs = [pair for pair in dump.pairs if pair.metric in known]
    if not pairs:
        message = f"none of its metrics ({', '.join(sorted({pair.metric for pair in dump.pairs}))}) is in the config {chosen.name!r}"
        raise DumpError([Fault(path="metrics", message=message, allowed=tuple(sorted(known)))], where=dump.id)
    left = sorted({pair.metric for pair in dump.pairs} - known)
    if left:
        warnings.append(f"not in the config, so not judged: {', '.join(left)}")
    if chosen.traffic is not None and dump.traffic is None:
        warnings.append("the dump does not say how many requests there were, so the minimum was not checked")
        chosen = replace(chosen, traffic=None)
    window = _window(dump, chosen)
    verdict = judge_canary(chosen, pairs, traffic=dump.traffic, conditions=dump.conditions, window=window, warnings=warnings)
    request = Request(
        config=chosen.name,
        baseline=dump.args.get("baseline", ""),
        canary=dump.args.get("canary", ""),
        scope=chosen.scope,
        args={key: value for key, value in dump.args.items() if key not in {"baseline", "canary", "rollout"}},
        rollout=dump.args.get("rollout", ""),
    )
    return Analysis(
        request=request,
        config=chosen,
        window=window,
        verdict=verdict,
        pairs=tuple(pairs),
        traffic=dump.traffic,
        conditions=dump.conditions,
        source={"type": "dump"},
        warnings=tuple(warnings),
    )


def _read_known() -> Known:
    folder = Path(os.environ.get("JUDGE_CONFIG_DIR", DEFAULT_CONFIG_DIR))
    return Known(folder=folder, configs=load_configs(folder)[0])


def _config_of(dump: Dump, config: CanaryConfig | None, known: Known | None) -> tuple[CanaryConfig, list[str]]:
    """Choose by what the dump is judged: the config given, its own, the one it names, its own metrics' words."""
    if config is not None:
        return config, []
    warnings = []
    if isinstance(dump.config, str):
        known = _read_known() if known is None else known
        if dump.config in known.configs:
            return known.configs[dump.config], []
        warnings.append(f"there is no config {dump.config!r} in {known.folder}; judged by what the dump says of its metrics")
    elif dump.config is not None:
        return parse_config(dump.config, where=f"{dump.id}: config"), []
    return (
        CanaryConfig(
            name="dump",
            metrics=dump.metrics,
            judge=DEFAULT_JUDGE,
            groups=dump.groups,
            score=dump.score if dump.score is not None else ScoreThresholds(),
            looks=LooksConfig(count=dump.looks if dump.looks is not None else 1),
        ),
        warnings,
    )


def _window(dump: Dump, config: CanaryConfig) -> Window:
    """What the dump says it covers, else the span of its samples."""
    import numpy as np

    times = [
        series.t
        for pair in dump.pairs
        for series in (pair.baseline, pair.canary, pair.baseline_total, pair.canary_total)
        if series is not None
    ]
    stamps = np.unique(np.concatenate(times)) if times else np.empty(0)
    start = float(stamps[0]) if len(stamps) else 0.0
    end = float(stamps[-1]) if len(stamps) else 0.0
    step = float(np.median(np.diff(stamps))) if len(stamps) > 1 else config.window.step
    look = dump.look if dump.look is not None else 1
    return Window(
        start=dump.start if dump.start is not None else start,
        end=dump.end if dump.end is not None else end,
        step=dump.step if dump.step is not None else step,
        look=look,
        of=max(dump.looks if dump.looks is not None else config.looks.count, look),
    )
