"""Where verdicts and their samples are kept.

A *record* is a JSON-safe dict that explains one verdict whole: the question, the
config, queries, samples, settings and versions. Records are kept in a SQLite file
or in PostgreSQL, by the same code (`judge.archive.sql`); the URL ``none`` keeps
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from judge.errors import VerdictNotFound

Record: TypeAlias = dict[str, Any]
Rows: TypeAlias = list[dict[str, Any]]

PATIENCE = 5.0


class Archive(Protocol):
    """Keeps records. Every method raises `judge.errors.ArchiveError` when the archive is in trouble."""

    def keep(self, record: Mapping[str, Any]) -> str:
        """Keep a record, and return the id of the record that answers its question.

        That is the record's own id, unless the record is ``reusable`` and another
        one answered the same ``question`` first: then it is that one's id, and the
        record given is not kept, because nobody will be told of it.
        """
        ...

    def answer(self, question: str) -> Record | None:
        """Find the reusable record that answers this question (a SHA-256 in hex)."""
        ...

    def get(self, verdict_id: str) -> Record:
        """Read a whole record; raises `judge.errors.VerdictNotFound`."""
        ...

    def list(
        self,
        *,
        limit: int = 50,
        before: str | None = None,
        config: str | None = None,
        verdict: str | None = None,
        rollout: str | None = None,
    ) -> Rows:
        """List at most `limit` verdicts, newest first, without their samples.

        A row has ``id, asked_at, config, rollout, baseline, canary, verdict, score,
        look, reason``. `before` is the id of a verdict: only older ones are listed,
        so the last id of a page asks for the next page. `config`, `verdict` and
        `rollout` keep only the rows that have exactly this value.
        """
        ...

    def ping(self) -> None:
        """Prove that the archive can be read and is of a schema we know."""
        ...

    def close(self) -> None:
        """Let go of every connection; the next call opens a new one."""
        ...


class NoArchive:
    """An archive that keeps nothing: every question is new, no verdict is found again."""

    def keep(self, record: Mapping[str, Any]) -> str:
        """Return the record's own id."""
        return str(record["id"])

    def answer(self, question: str) -> Record | None:  # noqa: ARG002 - the protocol's signature
        """Nothing was kept, so nothing answers."""
        return None

    def get(self, verdict_id: str) -> Record:
        """Raise `VerdictNotFound`, and say why."""
        message = f"no verdict has the id {verdict_id!r}: this judge has no archive (its archive URL is 'none')"
        raise VerdictNotFound(message)

    def list(
        self,
        *,
        limit: int = 50,  # noqa: ARG002
        before: str | None = None,  # noqa: ARG002
        config: str | None = None,  # noqa: ARG002
        verdict: str | None = None,  # noqa: ARG002
        rollout: str | None = None,  # noqa: ARG002
    ) -> Rows:
        """List nothing."""
        return []

    def ping(self) -> None:
        """Nothing can be wrong with it."""

    def close(self) -> None:
        """Nothing is open."""


def open_archive(url: str, *, patience: float = PATIENCE) -> Archive:
    """Open the archive at this URL, without connecting to it yet.

    `url` is ``none``, ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or
    ``postgresql://user:password@host/database``; a URL that is none of these raises
    `judge.errors.ConfigError`. `patience` is how many seconds to wait for a lock
    that another process holds.

    Connections are made on first use, one set per process, so that an archive
    opened before a fork (gunicorn's ``--preload``) is safe on both sides of it.
    """
    if url.strip().lower() == "none":
        return NoArchive()
    # SQLAlchemy takes longer to import than `judge --help` may last.
    from judge.archive.sql import SqlArchive

    return SqlArchive(url, patience=patience)
