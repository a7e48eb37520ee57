"""``judge rejudge``: kept verdicts judged again, as they were or by other settings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from judge.archive import each_row
from judge.archive.types import Wanted
from judge.cli.output import show_progress, worst
from judge.config.load import load_config, require_judge
from judge.config.yaml import parse
from judge.errors import ConfigError, DumpError, Fault, VerdictNotFound
from judge.reports import text as words
from judge.reports.formats import FORMATS
from judge.verdicts.open_archive import opened
from judge.verdicts.records import versions
from judge.verdicts.rejudge import Change, Difference, Replay, rejudge
from judge.wire.json import dumps

SAME, DIFFERENT = 0, 3
_SHOWN = 12


def read_change(config_path: Path | None, judge_name: str, sets: Sequence[str]) -> Change:
    """Read the options that say by which other settings is judged.

    Raises
    ------
    ConfigError
        Where one of them cannot be read.
    """
    if judge_name:
        require_judge(judge_name, path="--judge")
    values = []
    for text in sets:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ConfigError([Fault(path="--set", message=f"needs KEY=VALUE, found {text!r}")])
        values.append((key.strip(), parse(value, where=f"--set {key.strip()}")))
    return Change(config=None if config_path is None else load_config(config_path), judge=judge_name, values=tuple(values))


def rejudge_verdicts(ids: Sequence[str], *, archive_url: str, wanted: Wanted | None, change: Change, form: str) -> int:
    """Judge these verdicts again, or all that are wanted, and print what differs; return the exit status."""
    statuses: set[int] = set()
    counts = {"identical": 0, "same": 0, "other": 0, "failed": 0}
    write = FORMATS[form].document
    with opened(archive_url) as archive:
        chosen: Iterable[str] = ids if wanted is None else (row["id"] for row in each_row(archive, wanted))
        for number, verdict_id in enumerate(chosen, start=1):
            try:
                found = rejudge(archive.get(verdict_id), change, versions=versions())
            except (ConfigError, DumpError, VerdictNotFound) as error:
                statuses.add(error.exit_code)
                counts["failed"] += 1
                click.echo(f"judge: {error}", err=True)
                continue
            kind = "identical" if found.is_identical else "same" if found.is_same_verdict else "other"
            counts[kind] += 1
            show_progress()
            if write is not None:
                click.echo(write(fields(found)))
            elif text := _text(found, change, alone=len(ids) == 1):
                click.echo(text)
            if number % 10 == 0:
                show_progress(f"{number} verdicts judged again")
    show_progress()
    if write is None:
        click.echo(_summary(counts, change))
    if statuses:
        return worst(statuses)
    return DIFFERENT if counts["other"] or (change.is_none and counts["same"]) else SAME


def fields(found: Replay) -> dict[str, Any]:
    """Write a replay for a program."""
    return {
        "id": found.id,
        "identical": found.is_identical,
        "same_verdict": found.is_same_verdict,
        "before": {key: found.before.get(key) for key in ("verdict", "score", "reason")},
        "now": {key: found.now[key] for key in ("verdict", "score", "reason")},
        "why": list(found.why),
        "differences": [{"path": one.path, "before": one.before, "now": one.now} for one in found.differences],
    }


def _text(found: Replay, change: Change, *, alone: bool) -> str:
    """What differs; nothing where all is as before, or only the numbers of a verdict under other settings."""
    before, now = found.before["verdict"], found.now["verdict"]
    if found.is_identical:
        return f"{found.id}: {before}, identical" if alone else ""
    if not change.is_none and found.is_same_verdict and not alone:
        return ""
    lines = [f"{found.id}: {before}, as before, but not identical" if found.is_same_verdict else f"{found.id}: {before} then, {now} now"]
    lines += [f"  because: {words.one_line(why)}" for why in found.why]
    if not found.is_same_verdict:
        lines += [f"  then: {words.one_line(found.before['reason'])}", f"  now:  {words.one_line(found.now['reason'])}"]
    shown = [one for one in found.differences if one.path.endswith(".classification")] if not change.is_none else list(found.differences)
    lines += [f"  {_said(one)}" for one in shown[:_SHOWN]]
    if len(shown) > _SHOWN:
        lines.append(f"  and {len(shown) - _SHOWN} more; --format jsonl has them all")
    return "\n".join(lines)


def _said(one: Difference) -> str:
    before, now = (words.one_line(dumps(value))[:100] for value in (one.before, one.now))
    return f"{words.one_line(one.path)}: {before} then, {now} now"


def _summary(counts: dict[str, int], change: Change) -> str:
    judged = sum(counts.values()) - counts["failed"]
    failed = f"; {counts['failed']} could not be judged again" if counts["failed"] else ""
    if not judged and not counts["failed"]:
        return "no verdict fits, so nothing was judged again"
    if change.is_none:
        told = f"{counts['identical']} identical, {counts['same']} the same verdict with other numbers, {counts['other']} another verdict"
    else:
        told = f"{counts['identical'] + counts['same']} the same verdict, {counts['other']} another"
    return f"{judged} judged again: {told}{failed}"
