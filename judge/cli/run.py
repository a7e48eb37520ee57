"""``judge run`` and ``judge fetch``: one live question from the command line."""

from __future__ import annotations

import gzip
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from judge.archive import open_archive
from judge.cli.files import must_be_writable, unwritable
from judge.cli.output import STATUS
from judge.errors import ArchiveError, DumpError, RequestError, SourceUnreachable
from judge.reports.formats import FORMATS
from judge.verdicts.export import dump_with_record
from judge.verdicts.live import ask_live, settings_for
from judge.verdicts.open_archive import opened_if_there
from judge.wire.json import dumps

_NO_DUMPS = (".csv", ".csv.gz", ".parquet")


def judge_live(asked: dict[str, Any], *, archive_url: str, form: str) -> int:
    """Judge, print and keep; return the exit status."""
    settings = settings_for(asked.pop("url"))
    # Before anything is asked: an address that makes no sense is wrong usage, and no verdict goes with that.
    archive = open_archive(archive_url if archive_url else settings.archive_url)
    deadline = asked.pop("deadline")
    kept = ask_live({**asked, "args": given_args(asked["args"])}, settings, archive, now=time.time(), deadline=deadline)
    click.echo(FORMATS[form].alone(kept.record))
    if kept.unkept:
        click.echo(f"judge: {kept.unkept}", err=True)
    try:
        archive.close()
    except ArchiveError as error:
        click.echo(f"judge: {error}", err=True)
    return 4 if kept.source_failed else STATUS[kept.record["verdict"]["verdict"]]


def save_live(asked: dict[str, Any], *, output: Path, append: bool) -> int:
    """Fetch and save; return the exit status, that of the file and not of the canary."""
    if output.name.endswith(_NO_DUMPS):
        raise DumpError("a dump is written as JSON; give a name that ends in .json or .jsonl, also with .gz", where=str(output))
    must_be_writable(output)
    settings = settings_for(asked.pop("url"))
    deadline = asked.pop("deadline")
    question = {**asked, "args": given_args(asked["args"])}
    with opened_if_there(settings.archive_url) as archive:
        kept = ask_live(question, settings, archive, now=time.time(), deadline=deadline, keep=False)
    record = kept.record
    if kept.source_failed:
        raise SourceUnreachable(f"nothing was saved: {record['verdict']['reason']}")
    if not record["samples"]:
        raise SourceUnreachable(f"there is nothing to save: {record['verdict']['reason']}")
    document = dump_with_record(record)
    text = dumps(document) + "\n"
    try:
        first, last = _ends(output) if append and output.is_file() else (b"", b"")
        if first and output.name.endswith(".gz") != (first == b"\x1f\x8b"):
            raise DumpError(
                "cannot be added to: its name ends in .gz and its content is no gzip, or the other way round", where=str(output)
            )
        if first and not output.name.endswith(".gz") and last != b"\n":
            text = f"\n{text}"
        # mtime 0: the same samples give the same bytes.
        with output.open("ab" if append else "wb") as file:
            file.write(gzip.compress(text.encode(), mtime=0) if output.name.endswith(".gz") else text.encode())
    except OSError as error:
        raise unwritable(output, error) from error
    samples = sum(len(metric[side]["t"]) for metric in document["metrics"] for side in ("baseline", "canary"))
    click.echo(f"{output}: {len(document['metrics'])} metrics, {samples} samples")
    return 0


def _ends(path: Path) -> tuple[bytes, bytes]:
    """Read the first two bytes of a file, and its last one; a file of dumps may be large."""
    with path.open("rb") as file:
        first = file.read(2)
        file.seek(-1 if first else 0, 2)
        return first, file.read(1)


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
