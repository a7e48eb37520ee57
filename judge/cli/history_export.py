"""``judge history export`` and ``import``: verdicts as dumps, on the way from one archive to another.

A line of such a file is a dump like any other, which `judge score` judges; beside its series it holds the
``record`` and the ``labels`` of the verdict, so that another archive can take it in as it was.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import click

from judge.archive import each_row
from judge.archive.types import Wanted
from judge.cli.files import unwritable
from judge.cli.output import show_progress
from judge.errors import DumpError
from judge.verdicts.export import line_of
from judge.verdicts.import_dump import import_file
from judge.verdicts.open_archive import opened


def export_verdicts(output: Path, ids: Sequence[str], *, archive_url: str, wanted: Wanted) -> int:
    """Write verdicts to a file, JSON Lines, newest first; return the exit status."""
    count = 0
    part = output.with_name(f"{output.name}.part")
    try:
        with opened(archive_url) as archive, part.open("wb") as file:
            chosen = ids if ids else (row["id"] for row in each_row(archive, wanted))
            # mtime 0 and no name: the same verdicts give the same bytes.
            out = gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) if output.name.endswith(".gz") else file
            with out:
                for verdict_id in chosen:
                    out.write(f"{json.dumps(line_of(archive, verdict_id), allow_nan=False, separators=(',', ':'))}\n".encode("ascii"))
                    count += 1
                    if count % 50 == 0:
                        show_progress(f"{count} verdicts written")
        part.replace(output)
    except OSError as error:
        raise unwritable(output, error) from error
    finally:
        part.unlink(missing_ok=True)
    show_progress()
    click.echo(f"{output}: {_verdicts(count)}")
    return 0


def import_files(paths: Sequence[Path], *, archive_url: str) -> int:
    """Take verdicts in from files; return the exit status. What cannot be read is named, the rest is taken in."""
    status = 0
    with opened(archive_url, make=True) as archive:
        for path in paths:
            new = known = 0
            for taken in import_file(archive, path):
                if isinstance(taken, DumpError):
                    click.echo(f"judge: {taken}", err=True)
                    status = 2
                    continue
                new, known = new + taken, known + (not taken)
                if (new + known) % 50 == 0:
                    show_progress(f"{new + known} verdicts read")
            show_progress()
            here = (
                ""
                if not known
                else f", {known} here already"
                if new
                else f"; all {known} are here already"
                if known > 1
                else "; it is here already"
            )
            click.echo(f"{path}: {_verdicts(new)} taken in{here}" if new else f"{path}: nothing to take in{here}")
    return status


def _verdicts(count: int) -> str:
    return "1 verdict" if count == 1 else f"{count} verdicts"
