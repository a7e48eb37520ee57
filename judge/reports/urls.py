"""Rows of the archive's lists as pages show them, and the addresses of the service's pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judge.reports import text as words
from judge.reports.view_model import score

OF_A_CANARY = ("config", "rollout", "baseline", "canary", "service", "namespace")
"""What tells one canary from another, and so the address of its page."""


@dataclass(frozen=True, slots=True)
class Home:
    """Addresses of pages; `public_url` is where the service is reached, empty in a file that links nowhere."""

    public_url: str = ""

    @property
    def served(self) -> bool:
        """The service gives this page."""
        return bool(self.public_url)

    def _at(self, path: str, query: Mapping[str, object] | None = None) -> str:
        if not self.served:
            return ""
        given = {name: value for name, value in ({} if query is None else query).items() if value not in (None, "")}
        asked = "&".join(f"{words.url_part(name)}={words.url_part(value)}" for name, value in given.items())
        return f"{self.public_url.rstrip('/')}/{path}{'?' if asked else ''}{asked}"

    def list(self, **filters: object) -> str:
        """Recent verdicts, with these filters."""
        return self._at("", filters)

    def verdict(self, verdict_id: object, *, metric: str = "") -> str:
        """A verdict's report; with `metric` that one metric, drawn."""
        return self._at(f"verdicts/{words.url_part(verdict_id)}", {"metric": metric})

    def dump(self, verdict_id: object) -> str:
        """A verdict's dump."""
        return self._at(f"verdicts/{words.url_part(verdict_id)}/dump")

    def labels(self, verdict_id: object) -> str:
        """Where a verdict is labelled."""
        return self._at(f"v1/verdicts/{words.url_part(verdict_id)}/labels")

    def config(self, name: object) -> str:
        """A config's page; nothing where it has no name."""
        return self._at(f"configs/{words.url_part(name)}") if name else ""

    def configs(self) -> str:
        """Every config."""
        return self._at("configs")

    def canary(self, **of: object) -> str:
        """All looks at one canary."""
        return self._at("rollout", of)


def canary_link(home: Home, of: Mapping[str, Any]) -> str:
    """The page of the canary that a row or a question is about; empty where it names none."""
    return home.canary(**{name: of.get(name) for name in OF_A_CANARY}) if of.get("canary") else ""


def row_fields(home: Home, row: Mapping[str, Any]) -> dict[str, Any]:
    """One verdict of a list as a template shows it."""
    outcome = words.one_line(row.get("verdict") or "error")
    names = ("config", "rollout", "baseline", "canary", "reason", "service", "namespace", "label")
    looks = "" if row.get("look") is None else f"{row['look']}/{row['looks']}" if row.get("looks") else str(row["look"])
    return {name: words.one_line(row.get(name) or "") for name in names} | {
        "id": str(row.get("id", "")),
        "asked_at": row.get("asked_at"),
        "outcome": outcome,
        "symbol": words.symbol(outcome),
        "score": score(row),
        "look": looks,
        "url": home.verdict(row.get("id", "")),
        "config_url": home.config(row.get("config") or ""),
        "canary_url": canary_link(home, row),
        "replayed": bool(row.get("replayed")),
    }


def looks_strip(home: Home, rows: Sequence[Mapping[str, Any]], *, here: str = "") -> list[dict[str, Any]]:
    """The looks at one canary, the first one first: each with its number, its verdict and its page."""
    return [
        row_fields(home, row) | {"number": "?" if row.get("look") is None else str(row["look"]), "here": str(row.get("id")) == here}
        for row in rows
    ]


def looks_before(record: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The looks at a record's canary that came before it; `rows` are in their order."""
    for index, row in enumerate(rows):
        if row.get("id") == record.get("id"):
            return list(rows[:index])
    return [row for row in rows if (row.get("asked_at") or 0.0) < (record.get("asked_at") or 0.0)]
