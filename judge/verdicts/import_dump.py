"""A saved canary taken into an archive: with the verdict that it carries, else judged now."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from judge.archive import Archive
from judge.archive.types import LABELS, Label
from judge.config.renamed import old_names
from judge.core.model import Outcome
from judge.errors import DumpError, Fault, JudgeError
from judge.sources.dumps.dump import Dump
from judge.sources.dumps.read import RawCanary, parse, split
from judge.verdicts.rejudge import rejudge
from judge.verdicts.score_dump import score_dump
from judge.wire.ulid import question_id

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_SIDES = ("baseline", "canary")


def import_file(archive: Archive, path: Path) -> Iterator[bool | DumpError]:
    """Take the canaries of a file in: for each whether it was new, or the fault that kept it out."""
    for part in split(path):
        try:
            yield part if isinstance(part, DumpError) else _import_one(archive, part)
        except DumpError as error:
            yield error


def _import_one(archive: Archive, part: RawCanary) -> bool:
    document = part.read()
    if isinstance(document, Mapping) and isinstance(document.get("record"), Mapping):
        record, labels = read_record(document, where=part.place)
        # A file may say anything: only a verdict that its samples give again answers the same live question.
        return archive.restore({**record, "reusable": record.get("reusable") is True and _is_given_again(record)}, labels)
    try:
        return archive.restore(adopt(parse(part)))
    except JudgeError as error:
        raise error if isinstance(error, DumpError) else DumpError(str(error), where=part.place) from error


def _is_given_again(record: Mapping[str, Any]) -> bool:
    try:
        return rejudge(record).is_same_verdict
    except JudgeError:
        return False


def adopt(dump: Dump) -> dict[str, Any]:
    """Judge a dump and give it an id of the archive's form, the same for the same contents.

    Raises
    ------
    ConfigError, DumpError
        Where the dump cannot be judged.
    """
    record = score_dump(dump)
    record["id"] = question_id(record["question"], record["asked_at"])
    if not record["request"]["canary"]:
        # A list must be able to tell one from another.
        record["request"]["canary"] = dump.id
    return record


def read_record(document: Mapping[str, Any], *, where: str) -> tuple[dict[str, Any], list[Label]]:
    """Read a line that `judge.verdicts.export` wrote: the record as it was, and its labels.

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
        whole = with_series(record, metrics)
    except DumpError as error:
        raise DumpError(error.faults, where=where) from error
    except (AttributeError, KeyError, TypeError) as error:
        raise DumpError([Fault(path="metrics", message=f"do not belong to the record: {error!r}")], where=where) from error
    given = document.get("labels", ())
    return whole, [Label(label=one["label"], by=one["by"], why=one["why"], at=float(one["at"])) for one in given]


def with_series(record: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put a record's series back from the dump's metrics, which stand in the same order."""
    samples = []
    for index, sample in enumerate(record.get("samples", ())):
        absent = [side for side in _SIDES if sample.get(side) is None]
        if absent and index >= len(metrics):
            raise DumpError([Fault(path=f"metrics.{index}", message="is missing; its samples stand nowhere else")])
        samples.append({**sample, **{side: metrics[index][side] for side in absent}})
    return {**record, "samples": samples} if "samples" in record else dict(record)


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
        yield from old_names(results, "record.verdict.results")
    config = record.get("config")
    yield from old_names(config.get("metrics") if isinstance(config, Mapping) else None, "record.config.metrics")
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
