"""The commands that look back: ``history``, ``report``, ``label`` and ``rejudge``."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judge.cli.option_types import NumberRange
from judge.reports.formats import documents

if TYPE_CHECKING:
    from collections.abc import Callable

_ARCHIVE = click.option("--archive", "archive_url", default="", help="The archive.  [default: JUDGE_ARCHIVE_URL or server.yaml]")
_FILTERS = {
    "config": "Only verdicts by this config.",
    "verdict": "Only this verdict: pass, marginal, fail, inconclusive or error.",
    "service": "Only of this service (the arg of this name).",
    "namespace": "Only of this namespace (the arg of this name).",
    "rollout": "Only of this Rollout.",
    "baseline": "Only with this baseline.",
    "canary": "Only of this canary.",
    "label": "Only labelled right, wrong, any or none.",
    "since": "Only asked since: RFC 3339, unix seconds, or a duration before now (30d).",
    "until": "Only asked before.",
    "replayed": "Only replayed ones (yes), or only those that somebody asked for (no).",
}


def _filtered(*, config: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the filters; `config` is the option's name for that of the config, which elsewhere means a file."""

    def added(command: Callable[..., Any]) -> Callable[..., Any]:
        for name, text in reversed(_FILTERS.items()):
            option = f"--{config}" if name == "config" else f"--{name}"
            command = click.option(option, f"filter_{name}", default="", help=text)(command)
        return command

    return added


def _asked(options: dict[str, Any]) -> dict[str, str]:
    """Take the filters out of a command's options."""
    return {name: options.pop(f"filter_{name}") for name in _FILTERS}


@click.group(invoke_without_command=True)
@_ARCHIVE
@_filtered(config="config")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 100_000), help="At most so many, the newest ones.")
@click.option("--before", default="", help="Only older ones than the verdict of this id.")
@click.option("--score", is_flag=True, help="Show precision and recall of the labelled verdicts instead.")
@click.option("--format", "form", type=click.Choice(["text", "json", "csv", "markdown"]), default="text", show_default=True)
@click.pass_context
def history(context: click.Context, /, archive_url: str, limit: int, before: str, *, score: bool, form: str, **options: Any) -> None:
    """List past verdicts, newest first, one line each.

    Exit status: 0 done, also where nothing is found; 2 wrong usage; 4 the
    archive is in trouble, or has no such verdict.
    """
    filters = _asked(options)
    if context.invoked_subcommand is not None:
        context.obj = archive_url
        return
    if score:
        from judge.cli.history_score import show_score

        sys.exit(show_score(filters, archive_url=archive_url, form=form))
    from judge.cli.history_list import list_verdicts

    sys.exit(list_verdicts(filters, archive_url=archive_url, limit=limit, before=before, form=form))


def _archive(context: click.Context, archive_url: str) -> str:
    """The archive named behind the subcommand, or before it."""
    return archive_url if archive_url else str(context.obj or "")


@history.command("export")
@click.argument("output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE")
@click.argument("ids", nargs=-1, metavar="[ID]...")
@_ARCHIVE
@_filtered(config="config")
@click.pass_context
def export(context: click.Context, /, output: Path, ids: tuple[str, ...], archive_url: str, **options: Any) -> None:
    """Write verdicts to FILE (.jsonl, .jsonl.gz): those of the IDs, or all that fit.

    The file is a dump, which judge score judges; it also carries the verdicts
    as they are and their labels, for judge history import.
    """
    import time

    from judge.archive.filters import read_wanted
    from judge.cli.history_export import export_verdicts

    wanted = read_wanted(_asked(options), now=time.time())
    sys.exit(export_verdicts(output, ids, archive_url=_archive(context, archive_url), wanted=wanted))


@history.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path), metavar="FILE...")
@_ARCHIVE
@click.pass_context
def import_(context: click.Context, /, files: tuple[Path, ...], archive_url: str) -> None:
    """Take in verdicts that judge history export wrote, as they are, with their labels.

    Any other dump is judged first. What is in the archive already is left as it
    is. Exit status: 0 all was read; 2 some could not be.
    """
    from judge.cli.history_export import import_files

    sys.exit(import_files(files, archive_url=_archive(context, archive_url)))


@history.command()
@_ARCHIVE
@click.option("--days", type=NumberRange(0), help="Delete what is older.  [default: archive_keep_days]")
@click.option("--megabytes", type=NumberRange(0), help="Delete the oldest until so much is left.  [default: archive_keep_megabytes]")
@click.option("--keep-labelled/--no-keep-labelled", default=None, help="Whether labelled verdicts stay.  [default: archive_keep_labelled]")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.pass_context
def prune(
    context: click.Context, /, archive_url: str, days: float | None, megabytes: float | None, *, keep_labelled: bool | None, dry_run: bool
) -> None:
    """Delete verdicts that need not be kept any longer, as the service does by itself."""
    from judge.cli.history_prune import prune_history

    url = _archive(context, archive_url)
    sys.exit(prune_history(archive_url=url, days=days, megabytes=megabytes, labelled=keep_labelled, dry_run=dry_run))


@click.command()
@click.argument("subject", metavar="ID|DUMP")
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write, - for the screen.  [default: ID.html]"
)
@click.option("--canary", default="", help="Which canary of a DUMP that holds several.")
@_ARCHIVE
def report(subject: str, output: Path | None, canary: str, archive_url: str) -> None:
    """Write the report of a verdict as one HTML file.

    ID is a kept verdict; DUMP is a file, whose canary is judged unless it
    carries its verdict. Exit status: 0 written, whatever the verdict; 2 wrong
    usage or dump; 4 no such verdict, or the archive is in trouble.
    """
    from judge.cli.report import write_report

    sys.exit(write_report(subject, archive_url=archive_url, canary=canary, output=output))


@click.command()
@click.argument("verdict_id", metavar="ID")
@click.argument("label", type=click.Choice(["right", "wrong"]))
@click.option("--by", default=lambda: os.environ.get("USER", ""), help="Who says so.  [default: USER]")
@click.option("--why", default="", help="What speaks for it.")
@_ARCHIVE
def label(verdict_id: str, label: str, by: str, why: str, archive_url: str) -> None:
    """Say of a past verdict whether it was right.

    Earlier labels are kept; the newest counts. judge history --score adds them
    up. Exit status: 0 labelled; 2 wrong usage; 4 no such verdict, or the
    archive is in trouble.
    """
    from judge.cli.report import label_verdict

    sys.exit(label_verdict(verdict_id, label, by=by, why=why, archive_url=archive_url))


@click.command()
@click.argument("ids", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All verdicts, or all that fit the filters.")
@click.option("--config", "config_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Judge by this config.")
@click.option("--judge", "judge_name", default="", help="Use this judge.")
@click.option(
    "--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change the config: tolerance=10%, metrics.NAME.must_detect=30%, alpha=0.01."
)
@_filtered(config="of")
@_ARCHIVE
@click.option("--format", "form", type=click.Choice(documents()), default="text", show_default=True)
def rejudge(
    ids: tuple[str, ...],
    config_path: Path | None,
    judge_name: str,
    sets: tuple[str, ...],
    archive_url: str,
    form: str,
    *,
    everything: bool,
    **options: Any,
) -> None:
    """Judge kept verdicts again from their records alone.

    Without other settings the verdict must be identical, or what differs is
    listed, and why. With --config, --judge or --set: which verdicts would change.
    Nothing is kept. Exit status: 0 identical (with other settings: the same
    verdicts); 3 something differs; 2 wrong usage, or a record that cannot be
    judged again; 4 the archive is in trouble.
    """
    import time

    from judge.archive.filters import read_wanted
    from judge.cli.rejudge import read_change, rejudge_verdicts

    filters = _asked(options)
    if bool(ids) == everything:
        raise click.UsageError("give either the IDs of verdicts or --all")
    if ids and any(filters.values()):
        raise click.UsageError("filters go with --all, not with IDs")
    wanted = read_wanted(filters, now=time.time()) if everything else None
    change = read_change(config_path, judge_name, sets)
    sys.exit(rejudge_verdicts(ids, archive_url=archive_url, wanted=wanted, change=change, form=form))


COMMANDS = (history, label, rejudge, report)
