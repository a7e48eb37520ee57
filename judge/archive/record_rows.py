"""A record spread over the tables, and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from judge.archive import codec as packing
from judge.archive.codec import pack, pack_samples
from judge.archive.database import clean_text
from judge.errors import ArchiveError

_WORST = ("high", "low", "error", "nodata", "undecided", "pass")
_FIRED = {"high", "low"}
# Measured on both databases: what a verdict, its indexes and one of its results take beside the packed record.
_BYTES_OF_VERDICT = 1500
_BYTES_OF_RESULT = 150


def spread(record: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """Give the row of `judge_verdicts`, that of `judge_records`, and those of `judge_results`.

    Raises
    ------
    ArchiveError
        Where the record is not strict JSON.
    """
    try:
        samples = pack_samples(record["samples"]) if "samples" in record else None
        blob = pack({key: value for key, value in record.items() if key != "samples"})
    except (TypeError, ValueError) as error:
        raise ArchiveError(f"the record of verdict {record.get('id')} is not strict JSON: {error}") from error
    request, window, verdict, versions = (_part(record, name) for name in ("request", "window", "verdict", "versions"))
    args = _part(request, "args")
    own = clean_text(record["id"])
    results = list(_results(own, verdict.get("results")))
    row = {
        "id": own,
        "asked_at": float(record["asked_at"]),
        "config": clean_text(request.get("config")) or "",
        "rollout": clean_text(request.get("rollout")),
        "baseline": clean_text(request.get("baseline")),
        "canary": clean_text(request.get("canary")),
        "verdict": clean_text(verdict.get("verdict")) or "",
        "score": verdict.get("score"),
        "look": window.get("look"),
        "reason": clean_text(verdict.get("reason")) or "",
        "looks": window.get("of"),
        "service": clean_text(args.get("service")),
        "namespace": clean_text(args.get("namespace")),
        "judge": clean_text(verdict.get("judge")),
        "version": clean_text(versions.get("judge")),
        "config_digest": clean_text(record.get("config_digest")),
        "window_start": window.get("start"),
        "window_end": window.get("end"),
        "replayed": record.get("replayed") is True,
        "size": len(blob) + (0 if samples is None else len(samples)) + _BYTES_OF_VERDICT + _BYTES_OF_RESULT * len(results),
    }
    return row, {"verdict_id": own, "record": blob, "samples": samples}, results


def _results(verdict_id: str | None, found: Any) -> Iterator[dict[str, Any]]:
    """One row a metric, told by its worst series."""
    by_metric: dict[str, list[Mapping[str, Any]]] = {}
    for result in found if isinstance(found, list) else []:
        by_metric.setdefault(clean_text(result.get("name")) or "", []).append(result)
    for position, (metric, series) in enumerate(by_metric.items()):
        worst = min(series, key=lambda one: _rank(one.get("classification")))
        yield {
            "verdict_id": verdict_id,
            "metric": metric,
            "position": position,
            "classification": clean_text(worst.get("classification")) or "",
            "series": len(series),
            "fired": sum(one.get("classification") in _FIRED for one in series),
            "critical": bool(worst.get("critical")),
            "metric_group": clean_text(worst.get("group")) or "",
            "change": _part(worst, "comparison").get("change"),
        }


def unpack(verdict_id: str, where: str | None, record: bytes, samples: bytes | None) -> dict[str, Any]:
    """Put a record together.

    Raises
    ------
    ArchiveError
        Where it is damaged.
    """
    try:
        found: dict[str, Any] = packing.unpack(record)
        if samples is not None:
            found["samples"] = packing.unpack_samples(samples)
    except ValueError as error:
        raise ArchiveError(f"archive {where}: the record of verdict {verdict_id} is damaged: {error}") from error
    return found


def _rank(classification: object) -> int:
    """How bad it is; what nobody knows yet is worst."""
    return _WORST.index(classification) if classification in _WORST else -1


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = record.get(name)
    return part if isinstance(part, Mapping) else {}
