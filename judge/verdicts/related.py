"""What stands around one verdict in the archive: the other looks at its canary, what people said of it, its dump."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.errors import DumpError, Fault, VerdictNotFound
from judge.reports.html import data_link
from judge.reports.urls import looks_before
from judge.reports.verdict_page import Around
from judge.sources.dumps.read import parse, split
from judge.verdicts.export import dump_with_record
from judge.verdicts.import_dump import read_record
from judge.verdicts.score_dump import score_dump

if TYPE_CHECKING:
    from judge.archive import Archive, Rows
    from judge.archive.types import Label
    from judge.archive.visibility import ConfinedArchive

MOST_RESULTS = 1500
"""Results of all looks together whose evidence is shown: reading each look's record takes its time."""
MOST_RECORDS = 24
LARGEST_DUMP = 8_000_000
"""Bytes of a dump that still goes into a page."""


def same_canary(archive: Archive | ConfinedArchive, of: Mapping[str, Any]) -> Rows:
    """List every look at one canary, the first one first; `of` has some of ``config, rollout, baseline, canary, service, namespace``.

    Of a canary that was judged live and replayed later, the replayed looks are left out, unless `of` says ``replayed``.
    """
    if not of.get("canary"):
        return []
    asked = {name: of[name] if of.get(name) else None for name in ("baseline", "rollout", "config")}
    rows = archive.looks(canary=str(of["canary"]), **asked)
    exact = {name: of[name] for name in ("service", "namespace") if of.get(name)}
    fitting = [row for row in rows if all(row.get(name) == value for name, value in exact.items())]
    # What was judged later from history is no look that anybody took: the two are never one series.
    replayed = of["replayed"] if "replayed" in of else all(row["replayed"] for row in fitting)
    fitting = [row for row in fitting if row["replayed"] == replayed]
    # Looks that were taken in together were asked for at one time: then the window tells which came first.
    return sorted(fitting, key=lambda row: (row["asked_at"], row["window_end"] or 0.0, row["look"] or 0))


def spread(rows: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """Choose at most `most` of these, evenly, with the first and the last.

    Examples
    --------
    >>> spread([{"look": n} for n in range(1, 8)], 3)
    [{'look': 1}, {'look': 4}, {'look': 7}]
    """
    if len(rows) <= most:
        return list(rows)
    if most < 2:
        return list(rows[-1:])
    places = {round(index * (len(rows) - 1) / (most - 1)) for index in range(most)}
    return [rows[index] for index in sorted(places)]


def records_of(
    archive: Archive | ConfinedArchive, rows: Sequence[Mapping[str, Any]], last: Mapping[str, Any] | None = None
) -> list[Mapping[str, Any]]:
    """Read the records of some of these looks, evenly chosen, without samples; `last` is one that is read already and ends them."""
    if last is None:
        if not rows:
            return []
        last, rows = archive.get(str(rows[-1]["id"]), samples=False), rows[:-1]
    known = len((last.get("verdict") or {}).get("results") or [])
    most = min(MOST_RECORDS, max(MOST_RESULTS // max(known, 1), 1))
    found: list[Mapping[str, Any]] = []
    for row in spread(rows, most - 1) if most > 1 else ():
        try:
            found.append(archive.get(row["id"], samples=False))
        except VerdictNotFound:
            # Deleted since it was listed.
            continue
    return [*found, last]


def around(archive: Archive | ConfinedArchive, record: Mapping[str, Any], *, in_file: bool, metric: str = "") -> Around:
    """Collect what the page of a verdict shows beside its record; `in_file` puts the dump into the page."""
    request = record.get("request") or {}
    args = request.get("args") or {}
    named = {name: args.get(name) for name in ("service", "namespace")}
    rows = same_canary(archive, {**request, **named, "replayed": record.get("replayed") is True})
    before = looks_before(record, rows)
    labels = archive.labels(record["id"])
    dump, no_dump = _in_page(dump_with_record(record, labels), record["id"]) if in_file else ("", "")
    return Around(
        looks=rows,
        records=records_of(archive, before, record),
        labels=[asdict(label) for label in labels],
        dump=dump,
        no_dump=no_dump,
        dump_name=dump_name(record["id"]),
        metric=metric,
    )


def alone(document: Any, own: str, labels: Sequence[Label] | None = None) -> Around:
    """Collect what is known of a canary of a file: the file's own part on it, and labels where it carries them; `own` is its id."""
    dump, no_dump = _in_page(document, own)
    return Around(
        labels=None if labels is None else [asdict(label) for label in labels], dump=dump, no_dump=no_dump, dump_name=dump_name(own)
    )


def of_dump(path: Path, canary: str) -> tuple[Mapping[str, Any], Around]:
    """Read the one canary of a file, or the one of this id: its own verdict where it carries one, else judged now.

    Raises
    ------
    DumpError
        Where the file cannot be read, or does not say which canary is meant.
    """
    names = []
    for raw in split(path):
        if isinstance(raw, DumpError):
            raise raw
        document = raw.read()
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
    if not carried:
        record = score_dump(parse(raw))
        return record, alone(chosen, record["id"])
    record, labels = read_record(chosen, where=raw.place)
    return record, alone(chosen, record["id"], labels)


def dump_bytes(document: Any) -> bytes:
    """Write a dump as a file: one line of JSON, compressed; the same dump gives the same bytes."""
    return gzip.compress(f"{json.dumps(document, allow_nan=False, separators=(',', ':'))}\n".encode("ascii"), 6, mtime=0)


def dump_name(verdict_id: str) -> str:
    """Name the file of a dump."""
    return f"{''.join(c if c.isascii() and (c.isalnum() or c in '._-') else '_' for c in verdict_id)[:100]}.jsonl.gz"


def _in_page(document: Any, verdict_id: str) -> tuple[str, str]:
    """The dump as a link, or why there is none."""
    try:
        packed = dump_bytes(document)
    except ValueError:
        return "", "The dump is not in this file: it holds values that JSON cannot write."
    if len(packed) <= LARGEST_DUMP:
        return data_link(packed, "application/gzip"), ""
    size = f"{len(packed) / 1e6:.0f} MB"
    return "", f"The dump is not in this file, since it takes {size}: judge history export {dump_name(verdict_id)} {verdict_id}"
