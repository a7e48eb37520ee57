"""The archive in a database: a SQLite file, or PostgreSQL, with the same statements."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from judge.archive import PATIENCE, Record, Rows
from judge.archive.database import Database, clean_text, insert_or_ignore
from judge.archive.model import LISTED, questions, verdicts
from judge.errors import ArchiveError, VerdictNotFound


class SqlArchive:
    """An `Archive` in a database."""

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        """Read the URL; nothing is opened until the first call."""
        self.database = Database(url, patience=patience)

    @property
    def where(self) -> str | None:
        """File or address, without a password."""
        return self.database.where

    def keep(self, record: Mapping[str, Any]) -> str:
        """Keep a record, and return the id of the record that answers its question."""
        row = _row(record)
        own = str(record["id"])
        with self.database.transaction(write=True) as connection:
            if record.get("reusable"):
                connection.execute(
                    insert_or_ignore(connection, questions, {"question": str(record["question"]), "verdict_id": own}, key="question")
                )
                winner = connection.scalar(sa.select(questions.c.verdict_id).where(questions.c.question == record["question"]))
                if winner != own:
                    return str(winner)
                if connection.scalar(sa.select(sa.exists().where(verdicts.c.id == own))):
                    return own
            connection.execute(sa.insert(verdicts).values(row))
        return own

    def answer(self, question: str) -> Record | None:
        """Find the reusable record that answers this question."""
        statement = sa.select(verdicts.c.id, verdicts.c.record).join(questions).where(questions.c.question == question)
        with self.database.transaction() as connection:
            found = connection.execute(statement).first()
        return None if found is None else self._unpack(found.id, found.record)

    def get(self, verdict_id: str) -> Record:
        """Read a whole record."""
        with self.database.transaction() as connection:
            blob = connection.scalar(sa.select(verdicts.c.record).where(verdicts.c.id == clean_text(verdict_id)))
        if blob is None:
            raise _not_found(verdict_id)
        return self._unpack(verdict_id, blob)

    def list(
        self,
        *,
        limit: int = 50,
        before: str | None = None,
        config: str | None = None,
        verdict: str | None = None,
        rollout: str | None = None,
    ) -> Rows:
        """List verdicts newest first, without their samples."""
        statement = sa.select(*LISTED).order_by(verdicts.c.asked_at.desc(), verdicts.c.id.desc()).limit(max(0, limit))
        for column, wanted in ((verdicts.c.config, config), (verdicts.c.verdict, verdict), (verdicts.c.rollout, rollout)):
            if wanted is not None:
                statement = statement.where(column == clean_text(wanted))
        with self.database.transaction() as connection:
            if before is not None:
                asked_at = connection.scalar(sa.select(verdicts.c.asked_at).where(verdicts.c.id == clean_text(before)))
                if asked_at is None:
                    raise _not_found(before)
                statement = statement.where(sa.tuple_(verdicts.c.asked_at, verdicts.c.id) < sa.tuple_(asked_at, clean_text(before)))
            return [dict(row) for row in connection.execute(statement).mappings()]

    def ping(self) -> None:
        """Prove that the archive can be read and is of a schema we know."""
        self.database.ping()

    def close(self) -> None:
        """Let go of every connection of this process."""
        self.database.close()

    def _unpack(self, verdict_id: str, blob: bytes) -> Record:
        try:
            record: Record = json.loads(zlib.decompress(blob))
        except (zlib.error, ValueError) as error:
            raise ArchiveError(f"archive {self.where}: the record of verdict {verdict_id} is damaged: {error}") from error
        return record


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    """Spread a record over the columns of `judge_verdicts`."""
    try:
        text = json.dumps(record, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise ArchiveError(f"the record of verdict {record.get('id')} is not strict JSON: {error}") from error
    request, window, verdict = (_part(record, name) for name in ("request", "window", "verdict"))
    return {
        "id": clean_text(record["id"]),
        "asked_at": float(record["asked_at"]),
        "config": clean_text(request.get("config")) or "",
        "rollout": clean_text(request.get("rollout")),
        "baseline": clean_text(request.get("baseline")),
        "canary": clean_text(request.get("canary")),
        "verdict": clean_text(verdict.get("verdict")) or "",
        "score": verdict.get("score"),
        "look": window.get("look"),
        "reason": clean_text(verdict.get("reason")) or "",
        "record": zlib.compress(text.encode("ascii")),
    }


def _part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = record.get(name)
    return part if isinstance(part, Mapping) else {}


def _not_found(verdict_id: str) -> VerdictNotFound:
    return VerdictNotFound(f"no verdict has the id {verdict_id!r}")
