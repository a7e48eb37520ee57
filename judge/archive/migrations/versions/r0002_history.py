"""What a history is filtered by stands in columns; results and labels get tables; samples lie apart from the record."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_AT_ONCE = 200
_TEXTS = ("service", "namespace", "judge", "version", "config_digest", "label")
_NUMBERS = ("window_start", "window_end")
_WORST = ("high", "low", "error", "nodata", "undecided", "pass")


def upgrade() -> None:
    """Add the columns and tables, and fill them from the records that are there."""
    op.add_column("judge_verdicts", sa.Column("looks", sa.Integer))
    for name in ("service", "namespace", "judge", "version", "config_digest"):
        op.add_column("judge_verdicts", sa.Column(name, sa.Text))
    for name in _NUMBERS:
        op.add_column("judge_verdicts", sa.Column(name, sa.Double))
    op.add_column("judge_verdicts", sa.Column("label", sa.Text))
    op.add_column("judge_verdicts", sa.Column("size", sa.Integer, nullable=False, server_default="0"))
    records = op.create_table(
        "judge_records",
        _of_verdict(primary_key=True),
        sa.Column("record", sa.LargeBinary, nullable=False),
        sa.Column("samples", sa.LargeBinary),
    )
    results = op.create_table(
        "judge_results",
        _of_verdict(primary_key=True),
        sa.Column("metric", sa.Text, primary_key=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("classification", sa.Text, nullable=False),
        sa.Column("series", sa.Integer, nullable=False),
        sa.Column("fired", sa.Integer, nullable=False),
        sa.Column("critical", sa.Boolean, nullable=False),
        sa.Column("metric_group", sa.Text, nullable=False),
        sa.Column("change", sa.Double),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "judge_labels",
        sa.Column("id", sa.Integer, primary_key=True),
        _of_verdict(),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("labelled_by", sa.Text, nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("labelled_at", sa.Double, nullable=False),
    )
    op.create_index("judge_labels_of_verdict", "judge_labels", ["verdict_id", "labelled_at", "id"])
    _fill(op.get_bind(), records, results)
    op.drop_column("judge_verdicts", "record")
    # Indexes come last: they are quicker made over all rows than kept up row by row.
    for column in ("service", "namespace", "canary", "label"):
        op.create_index(f"judge_verdicts_of_{column}", "judge_verdicts", [column, "asked_at", "id"])
    for column in ("config", "service"):
        op.create_index(f"judge_verdicts_of_{column}_outcome", "judge_verdicts", [column, "verdict", "asked_at", "id"])
    op.create_index("judge_verdicts_size", "judge_verdicts", ["asked_at", "size"])
    op.execute(sa.text("UPDATE judge_schema SET version = 2"))


def _of_verdict(*, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column("verdict_id", sa.Text, sa.ForeignKey("judge_verdicts.id", ondelete="CASCADE"), nullable=False, primary_key=primary_key)


def _fill(connection: sa.Connection, records: sa.Table, results: sa.Table) -> None:
    """Move each record to its new place; one that cannot be read is moved as it is."""
    verdicts = sa.table("judge_verdicts", *(sa.column(name) for name in ("id", "record", "looks", "size", *_TEXTS, *_NUMBERS)))
    table = verdicts.c
    last = ""
    while True:
        page = connection.execute(sa.select(table.id, table.record).where(table.id > last).order_by(table.id).limit(_AT_ONCE)).all()
        if not page:
            return
        last = page[-1].id
        for row in page:
            try:
                record = json.loads(zlib.decompress(row.record))
            except (zlib.error, ValueError):
                connection.execute(sa.insert(records).values(verdict_id=row.id, record=row.record))
                continue
            values, blobs, rows = _spread(row.id, record)
            connection.execute(sa.update(verdicts).where(table.id == row.id).values(values))
            connection.execute(sa.insert(records).values(blobs))
            if rows:
                connection.execute(sa.insert(results), rows)


def _spread(verdict_id: str, record: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    request, window, verdict, versions = (_part(record, name) for name in ("request", "window", "verdict", "versions"))
    args = _part(request, "args")
    samples = _pack(record.pop("samples")) if "samples" in record else None
    blob = _pack(record)
    rows = list(_results(verdict_id, verdict.get("results")))
    values = {
        "looks": window.get("of"),
        "service": _text(args.get("service")),
        "namespace": _text(args.get("namespace")),
        "judge": _text(verdict.get("judge")),
        "version": _text(versions.get("judge")),
        "config_digest": _text(record.get("config_digest")),
        "window_start": window.get("start"),
        "window_end": window.get("end"),
        "size": len(blob) + len(samples if samples is not None else b"") + 1500 + 150 * len(rows),
    }
    return values, {"verdict_id": verdict_id, "record": blob, "samples": samples}, rows


def _results(verdict_id: str, found: Any) -> Iterator[dict[str, Any]]:
    by_metric: dict[str, list[Mapping[str, Any]]] = {}
    for result in found if isinstance(found, list) else []:
        by_metric.setdefault(_text(result.get("name")) or "", []).append(result)
    for position, (metric, series) in enumerate(by_metric.items()):
        worst = min(series, key=lambda one: _rank(one.get("classification")))
        yield {
            "verdict_id": verdict_id,
            "metric": metric,
            "position": position,
            "classification": _text(worst.get("classification")) or "",
            "series": len(series),
            "fired": sum(one.get("classification") in {"high", "low"} for one in series),
            "critical": bool(worst.get("critical")),
            "metric_group": _text(worst.get("group")) or "",
            "change": _part(worst, "comparison").get("change"),
        }


def _rank(classification: object) -> int:
    """How bad it is; what nobody knows yet is worst."""
    return _WORST.index(classification) if classification in _WORST else -1


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = record.get(name)
    return part if isinstance(part, Mapping) else {}


def _text(value: object) -> str | None:
    return None if value is None else str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _pack(document: Any) -> bytes:
    return zlib.compress(json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii"))
