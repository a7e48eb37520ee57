"""``judge report`` and ``judge label``: one past verdict as a page, and what people say of it."""

from __future__ import annotations

import time
from pathlib import Path

import click

from judge.archive.filters import read_label
from judge.cli.files import write_text
from judge.errors import ArchiveError, DumpError
from judge.verdicts.open_archive import opened

_OF_DUMPS = (".json", ".jsonl", ".csv", ".gz", ".parquet")


def write_report(subject: str, *, archive_url: str, canary: str, output: Path | None) -> int:
    """Write the page of a kept verdict, or of a canary in a dump; return the exit status.

    `subject` is a file where there is one of this name, else the id of a verdict.
    """
    from judge.reports.verdict_page import verdict_page
    from judge.verdicts.related import around, of_dump

    path = Path(subject)
    if path.is_file() or canary:
        record, known = of_dump(path, canary)
    else:
        try:
            with opened(archive_url) as archive:
                record = archive.get(subject)
                known = around(archive, record, in_file=True)
        except ArchiveError as error:
            if subject.endswith(_OF_DUMPS):
                raise DumpError("there is no such file, and no kept verdict of this id", where=subject) from error
            raise
    page = verdict_page(record, around=known)
    target = Path(f"{record['id']}.html".replace("/", "_")) if output is None else output
    if str(target) == "-":
        click.echo(page)
        return 0
    write_text(target, page)
    click.echo(f"{target}: {record['verdict']['verdict']}, {len(page.encode('utf-8', 'replace')):,} bytes")
    return 0


def label_verdict(verdict_id: str, label: str, *, by: str, why: str, archive_url: str) -> int:
    """Label a verdict; return the exit status."""
    given = read_label({"label": label, "by": by, "why": why}, at=time.time())
    with opened(archive_url) as archive:
        labels = archive.label(verdict_id, given)
        row = archive.row(verdict_id)
    earlier = f"; {len(labels) - 1} earlier kept beside it" if len(labels) > 1 else ""
    click.echo(f"{verdict_id}: the verdict {row['verdict']} of {row['config']} is labelled {given.label} by {given.by}{earlier}")
    return 0
