"""``judge report`` and ``judge label``: one past verdict as a page, and what people say of it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judge.archive.filters import read_label
from judge.cli.files import write_text
from judge.cli.history_export import read_line
from judge.cli.score import score_canary
from judge.errors import ArchiveError, DumpError, Fault
from judge.sources.dumps.read import RawCanary, parse, split
from judge.verdicts.open_archive import opened

if TYPE_CHECKING:
    from judge.reports.verdict_page import Around

_OF_DUMPS = (".json", ".jsonl", ".csv", ".gz", ".parquet")


def write_report(subject: str, *, archive_url: str, canary: str, output: Path | None) -> int:
    """Write the page of a kept verdict, or of a canary in a dump; return the exit status.

    `subject` is a file where there is one of this name, else the id of a verdict.
    """
    from judge.reports.verdict_page import verdict_page
    from judge.verdicts.related import around

    path = Path(subject)
    if path.is_file() or canary:
        record, known = _of_dump(path, canary)
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


def _of_dump(path: Path, canary: str) -> tuple[Mapping[str, Any], Around]:
    """Read the one canary of a file, or the one of this id: its own verdict where it carries one, else judged now."""
    names = []
    for raw in split(path):
        if isinstance(raw, DumpError):
            raise raw
        document = _document(raw)
        carried = isinstance(document, Mapping) and isinstance(document.get("record"), Mapping)
        name = str(document.get("id", raw.fallback_id)) if isinstance(document, Mapping) else raw.fallback_id
        names.append(name)
        if canary in ("", name):
            found, chosen = (raw, carried), document
            if canary:
                break
    if canary and canary not in names:
        raise DumpError([Fault(path="--canary", message=f"there is no canary {canary!r}", allowed=tuple(names[:20]))], where=str(path))
    if not canary and len(names) > 1:
        message = f"holds {len(names)} canaries; choose one with --canary"
        raise DumpError([Fault(path="", message=message, allowed=tuple(names[:20]))], where=str(path))
    raw, carried = found
    from judge.verdicts.related import alone

    if not carried:
        record = score_canary(parse(raw))
        return record, alone(chosen, record["id"])
    record, labels = read_line(chosen, where=raw.place)
    return record, alone(chosen, record["id"], labels)


def _document(raw: RawCanary) -> Any:
    if raw.document is not None:
        return raw.document
    try:
        return json.loads(raw.text)
    except ValueError as error:
        raise DumpError(f"not JSON: {error}", where=raw.place) from error


def label_verdict(verdict_id: str, label: str, *, by: str, why: str, archive_url: str) -> int:
    """Label a verdict; return the exit status."""
    given = read_label({"label": label, "by": by, "why": why}, at=time.time())
    with opened(archive_url) as archive:
        labels = archive.label(verdict_id, given)
        row = archive.row(verdict_id)
    earlier = f"; {len(labels) - 1} earlier kept beside it" if len(labels) > 1 else ""
    click.echo(f"{verdict_id}: the verdict {row['verdict']} of {row['config']} is labelled {given.label} by {given.by}{earlier}")
    return 0
