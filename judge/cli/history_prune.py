"""``judge history prune``: what need not be kept any longer."""

from __future__ import annotations

import time
from dataclasses import replace

import click

from judge.archive.types import Keep, Pruned
from judge.reports import text as words
from judge.settings import load_settings
from judge.verdicts.open_archive import opened


def prune_history(*, archive_url: str, days: float | None, megabytes: float | None, labelled: bool | None, dry_run: bool) -> int:
    """Delete what is too old or too much, by the settings or by what is given instead; return the exit status."""
    settings = load_settings()
    keep = Keep(days=settings.archive_keep_days, megabytes=settings.archive_keep_megabytes, labelled=settings.archive_keep_labelled)
    if days is not None or megabytes is not None:
        keep = replace(keep, days=days, megabytes=megabytes)
    if labelled is not None:
        keep = replace(keep, labelled=labelled)
    if keep.for_ever:
        click.echo(
            "verdicts are kept for ever: set archive_keep_days or archive_keep_megabytes in server.yaml, or give --days or --megabytes"
        )
        return 0
    now = time.time()
    with opened(archive_url, settings=settings) as archive:
        if dry_run:
            told = archive.prunable(keep, now=now)
            click.echo(f"would delete {_told(told)}")
            return 0
        total = Pruned()
        while (step := archive.prune(keep, now=now)).verdicts or step.executions:
            total = Pruned(
                verdicts=total.verdicts + step.verdicts,
                bytes=total.bytes + step.bytes,
                newest=step.newest if step.newest is not None else total.newest,
                executions=total.executions + step.executions,
            )
    click.echo(f"deleted {_told(total)}")
    return 0


def _told(what: Pruned) -> str:
    if not what.verdicts and not what.executions:
        return "nothing: every verdict is to be kept"
    parts = [f"{what.verdicts} verdicts ({what.bytes / 1e6:.1f} MB), the newest of {words.moment(what.newest)}"] if what.verdicts else []
    parts += [f"{what.executions} executions of Kayenta's API"] if what.executions else []
    return " and ".join(parts)
