"""A kept verdict as a dump that carries its record and labels.

`judge score` judges it like any other dump; another archive can take it in as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from judge.archive import Archive
from judge.archive.types import Label
from judge.errors import DumpError
from judge.sources.dumps.write import dump_document
from judge.verdicts.import_dump import with_series
from judge.verdicts.record_reader import read_given
from judge.wire.request import Request

_SIDES = ("baseline", "canary")


def line_of(archive: Archive, verdict_id: str) -> dict[str, Any]:
    """Write one verdict as a dump that carries its record and labels."""
    return dump_with_record(archive.get(verdict_id), archive.labels(verdict_id))


def dump_with_record(record: Mapping[str, Any], given: Sequence[Label] = ()) -> dict[str, Any]:
    """Write a record and its labels as a dump that carries them."""
    labels = [asdict(label) for label in given]
    try:
        dump = _dump(record)
    except DumpError:
        # What cannot be judged again can still be taken along.
        dump = {"id": record["id"], "metrics": []}
    lean = {**record, "samples": [_without_series(sample) for sample in record.get("samples", ())]}
    # What was written otherwise than it is kept (or not at all) goes along whole.
    exact = "samples" in record and len(dump["metrics"]) == len(record["samples"]) and with_series(lean, dump["metrics"]) == record
    return {**dump, "record": lean if exact else record, "labels": labels}


def _dump(record: Mapping[str, Any]) -> dict[str, Any]:
    given = read_given(record)
    asked = {key: value for key, value in record["request"].items() if key in Request.__dataclass_fields__}
    return dump_document(Request(**asked), given.config, given.window, given.pairs, given.traffic, given.conditions, id=record["id"])


def _without_series(sample: Mapping[str, Any]) -> dict[str, Any]:
    """A sample's series stand in the dump already, unless it is a ratio of counts, which dumps write otherwise."""
    whole = sample.get("baseline_total") is not None or sample.get("canary_total") is not None
    return dict(sample) if whole else {**sample, **dict.fromkeys(_SIDES)}
