"""``judge history export`` and ``import``: verdicts as dumps, on the way from one archive to another.

A line of such a file is a dump like any other, which `judge score` judges; beside its series it holds the
``record`` and the ``labels`` of the verdict, so that another archive can take it in as it was.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from judge.archive import Archive, each_row
from judge.archive.types import LABELS, Label, Wanted
from judge.cli.files import unwritable
from judge.core.model import Outcome
from judge.errors import DumpError, Fault, JudgeError
from judge.sources.dumps.read import RawCanary, parse, split
from judge.sources.dumps.write import dump_document
from judge.verdicts.open_archive import opened
from judge.verdicts.record_reader import read_given
from judge.wire.request import Request

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_SIDES = ("baseline", "canary")


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
                    _progress(count, "written")
        part.replace(output)
    except OSError as error:
        raise unwritable(output, error) from error
    finally:
        part.unlink(missing_ok=True)
    _progress(0, "")
    click.echo(f"{output}: {_verdicts(count)}")
    return 0


def line_of(archive: Archive, verdict_id: str) -> dict[str, Any]:
    """Write one verdict as a dump that carries its record and labels."""
    return written(archive.get(verdict_id), archive.labels(verdict_id))


def written(record: Mapping[str, Any], given: Sequence[Label]) -> dict[str, Any]:
    """Write a record and its labels as a dump that carries them."""
    labels = [{"label": label.label, "by": label.by, "why": label.why, "at": label.at} for label in given]
    try:
        dump = _dump(record)
    except DumpError:
        # What cannot be judged again can still be taken along.
        dump = {"id": record["id"], "metrics": []}
    lean = {**record, "samples": [_without_series(sample) for sample in record.get("samples", ())]}
    # What was written otherwise than it is kept (or not at all) goes along whole.
    exact = "samples" in record and len(dump["metrics"]) == len(record["samples"]) and _with_series(lean, dump["metrics"]) == record
    return {**dump, "record": lean if exact else record, "labels": labels}


def _dump(record: Mapping[str, Any]) -> dict[str, Any]:
    given = read_given(record)
    asked = {key: value for key, value in record["request"].items() if key in Request.__dataclass_fields__}
    return dump_document(Request(**asked), given.config, given.window, given.pairs, given.traffic, given.conditions, id=record["id"])


def _without_series(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample's series stand in the dump already, unless it is a ratio of counts, which dumps write otherwise."""
    whole = sample.get("baseline_total") is not None or sample.get("canary_total") is not None
    return dict(sample) if whole else {**sample, **dict.fromkeys(_SIDES)}


def _with_series(record: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put a record's series back from the dump's metrics, which stand in the same order."""
    samples = []
    for index, sample in enumerate(record.get("samples", ())):
        absent = [side for side in _SIDES if sample.get(side) is None]
        if absent and index >= len(metrics):
            raise DumpError([Fault(path=f"metrics.{index}", message="is missing; its samples stand nowhere else")])
        samples.append({**sample, **{side: metrics[index][side] for side in absent}})
    return {**record, "samples": samples} if "samples" in record else dict(record)


def import_files(paths: Sequence[Path], *, archive_url: str) -> int:
    """Take verdicts in from files; return the exit status. What cannot be read is named, the rest is taken in."""
    status = 0
    with opened(archive_url, make=True) as archive:
        for path in paths:
            new = known = 0
            for raw in split(path):
                try:
                    taken = _take_in(archive, raw)
                except DumpError as error:
                    click.echo(f"judge: {error}", err=True)
                    status = 2
                else:
                    new, known = new + taken, known + (not taken)
                    _progress(new + known, "read")
            _progress(0, "")
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


def _take_in(archive: Archive, raw: RawCanary | DumpError) -> bool:
    if isinstance(raw, DumpError):
        raise raw
    document = raw.read()
    if isinstance(document, Mapping) and isinstance(document.get("record"), Mapping):
        record, labels = read_line(document, where=raw.place)
        return archive.restore(record, labels)
    from judge.verdicts.import_dump import adopt

    try:
        return archive.restore(adopt(parse(raw)))
    except JudgeError as error:
        raise error if isinstance(error, DumpError) else DumpError(str(error), where=raw.place) from error


def read_line(document: Mapping[str, Any], *, where: str) -> tuple[dict[str, Any], list[Label]]:
    """Read a line that `export_verdicts` wrote: the record as it was, and its labels.

    Raises
    ------
    DumpError
        With every fault.
    """
    record, metrics = document["record"], document.get("metrics", ())
    faults = list(_faults(record)) + list(_label_faults(document.get("labels", ())))
    if faults:
        raise DumpError(faults, where=where)
    try:
        whole = _with_series(record, metrics)
    except DumpError as error:
        raise DumpError(error.faults, where=where) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise DumpError([Fault(path="metrics", message=f"do not belong to the record: {error!r}")], where=where) from error
    given = document.get("labels", ())
    return whole, [Label(label=one["label"], by=one["by"], why=one["why"], at=float(one["at"])) for one in given]


def _faults(record: Mapping[str, Any]) -> Iterator[Fault]:
    wanted: dict[str, type | tuple[type, ...]] = {
        "id": str,
        "asked_at": (int, float),
        "request": Mapping,
        "window": Mapping,
        "verdict": Mapping,
        "samples": list,
    }
    for key, kind in wanted.items():
        if not isinstance(record.get(key), kind) or isinstance(record[key], bool):
            yield Fault(path=f"record.{key}", message="is missing" if key not in record else f"must not be {record[key]!r:.60}")
    if isinstance(record.get("id"), str) and not _ID.fullmatch(record["id"]):
        yield Fault(path="record.id", message=f"is no id of a verdict: {record['id']!r:.60}")
    verdict = record.get("verdict")
    if isinstance(verdict, Mapping):
        if verdict.get("verdict") not in set(Outcome):
            yield Fault(path="record.verdict.verdict", message=f"unknown verdict {verdict.get('verdict')!r:.60}", allowed=tuple(Outcome))
        results = verdict.get("results")
        if not isinstance(results, list) or not all(isinstance(result, Mapping) for result in results):
            yield Fault(path="record.verdict.results", message="must be a list of results")
    if isinstance(record.get("samples"), list) and not all(isinstance(sample, Mapping) for sample in record["samples"]):
        yield Fault(path="record.samples", message="must be a list of samples")


def _label_faults(labels: Any) -> Iterator[Fault]:
    if not isinstance(labels, Sequence) or isinstance(labels, str):
        yield Fault(path="labels", message="must be a list")
        return
    for index, label in enumerate(labels):
        good = isinstance(label, Mapping) and label.get("label") in LABELS and isinstance(label.get("at"), int | float)
        if not good or not all(isinstance(label.get(key), str) for key in ("by", "why")):
            yield Fault(path=f"labels.{index}", message="must have label (right or wrong), by, why and at (unix seconds)")


def _verdicts(count: int) -> str:
    return "1 verdict" if count == 1 else f"{count} verdicts"


def _progress(count: int, what: str) -> None:
    """Say how far long work is, to a person only; 0 wipes it away."""
    if not sys.stderr.isatty():
        return
    if not what:
        click.echo("\r\x1b[K", nl=False, err=True)
    elif count % 50 == 0:
        click.echo(f"\r{count} verdicts {what}", nl=False, err=True)
