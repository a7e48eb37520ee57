"""Records for the archive's tests."""

from __future__ import annotations

from typing import Any

from tests.reports.sample import record


def asked(verdict_id: str, at: float, **request: str) -> dict[str, Any]:
    """A record of this id and time, reusable for nobody, with other words in its request."""
    base = record(verdict_id=verdict_id, asked_at=at, reusable=False)
    return base | {"request": base["request"] | request}


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]
