"""The archive in a database: a SQLite file, or PostgreSQL, with the same statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from judge.archive import queries as history
from judge.archive import retention
from judge.archive.database import Database, clean_text, insert_or_ignore
from judge.archive.interface import PATIENCE, Record, Rows
from judge.archive.record_rows import spread, unpack
from judge.archive.tables import questions, records, results, verdicts
from judge.archive.types import EVERYTHING, ConfigTally, Keep, Label, Pruned, Wanted
from judge.errors import VerdictNotFound


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
        row, blobs, metrics = spread(record)
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
            connection.execute(sa.insert(records).values(blobs))
            if metrics:
                connection.execute(sa.insert(results), metrics)
        return own

    def restore(self, record: Mapping[str, Any], labels: Sequence[Label] = ()) -> bool:
        """Take in a record of another archive, with its labels; False where all of it is here already."""
        row, blobs, metrics = spread(record)
        with self.database.transaction(write=True) as connection:
            new = not connection.scalar(sa.select(sa.exists().where(verdicts.c.id == row["id"])))
            if new:
                connection.execute(sa.insert(verdicts).values(row))
                connection.execute(sa.insert(records).values(blobs))
                if metrics:
                    connection.execute(sa.insert(results), metrics)
                if record.get("reusable"):
                    answers = {"question": str(record["question"]), "verdict_id": row["id"]}
                    # Where another verdict answers this question here, it goes on doing so.
                    connection.execute(insert_or_ignore(connection, questions, answers, key="question"))
            known = set(history.labels(connection, row["id"]))
            missing = [label for label in labels if label not in known]
            for label in missing:
                history.label(connection, row["id"], label)
        return new or bool(missing)

    def answer(self, question: str) -> Record | None:
        """Find the reusable record that answers this question."""
        statement = sa.select(records).join(questions, questions.c.verdict_id == records.c.verdict_id)
        with self.database.transaction() as connection:
            found = connection.execute(statement.where(questions.c.question == question)).first()
        return None if found is None else unpack(found.verdict_id, self.where, found.record, found.samples)

    def get(self, verdict_id: str, *, samples: bool = True) -> Record:
        """Read a whole record, or all of it but its samples."""
        chosen = (records.c.record, records.c.samples if samples else sa.null().label("samples"))
        with self.database.transaction() as connection:
            found = connection.execute(sa.select(*chosen).where(records.c.verdict_id == clean_text(verdict_id))).first()
        if found is None:
            raise _not_found(verdict_id)
        return unpack(verdict_id, self.where, found.record, found.samples)

    def row(self, verdict_id: str) -> dict[str, Any]:
        """Read what a list shows of one verdict."""
        with self.database.transaction() as connection:
            found = history.row(connection, verdict_id)
        if found is None:
            raise _not_found(verdict_id)
        return found

    def list(self, *, limit: int = 50, before: str | None = None, wanted: Wanted = EVERYTHING) -> Rows:
        """List verdicts newest first, without their samples."""
        with self.database.transaction() as connection:
            place = None
            if before is not None:
                asked_at = connection.scalar(sa.select(verdicts.c.asked_at).where(verdicts.c.id == clean_text(before)))
                if asked_at is None:
                    raise _not_found(before)
                place = (asked_at, clean_text(before))
            return history.page(connection, wanted, limit=limit, before=place)

    def looks(self, *, canary: str, baseline: str | None = None, rollout: str | None = None, config: str | None = None) -> Rows:
        """List every look at one canary, the first one first."""
        with self.database.transaction() as connection:
            return history.looks(connection, Wanted(canary=canary, baseline=baseline, rollout=rollout, config=config))

    def configs(self) -> Sequence[ConfigTally]:
        """Add up the newest verdicts of each config, without metrics."""
        with self.database.transaction() as connection:
            return history.configs(connection)

    def config(self, name: str, *, newest: int = history.NEWEST) -> ConfigTally:
        """Add up the newest verdicts of one config."""
        with self.database.transaction() as connection:
            return history.config(connection, name, newest=newest)

    def label(self, verdict_id: str, label: Label) -> Sequence[Label]:
        """Label a verdict, and return all its labels."""
        with self.database.transaction(write=True) as connection:
            if history.row(connection, verdict_id) is None:
                raise _not_found(verdict_id)
            history.label(connection, verdict_id, label)
            return history.labels(connection, verdict_id)

    def labels(self, verdict_id: str) -> Sequence[Label]:
        """Read a verdict's labels, newest first."""
        with self.database.transaction() as connection:
            if history.row(connection, verdict_id) is None:
                raise _not_found(verdict_id)
            return history.labels(connection, verdict_id)

    def labelled(self, wanted: Wanted = EVERYTHING) -> Rows:
        """List labelled verdicts with the classification of each metric, the oldest first."""
        with self.database.transaction() as connection:
            return history.labelled(connection, wanted)

    def prune(self, keep: Keep, *, now: float, most: int = retention.STEP) -> Pruned:
        """Delete at most so many verdicts that need not be kept any longer, the oldest ones."""
        with self.database.transaction() as connection:
            if not retention.is_due(connection, keep, now=now):
                return Pruned()
        with self.database.transaction(write=True) as connection:
            return retention.prune(connection, keep, now=now, most=most)

    def prunable(self, keep: Keep, *, now: float) -> Pruned:
        """Tell what `prune`, called until it finds nothing, would delete."""
        with self.database.transaction() as connection:
            return retention.prunable(connection, keep, now=now)

    def ping(self) -> None:
        """Prove that the archive can be read and is of a schema we know."""
        self.database.ping()

    def close(self) -> None:
        """Let go of every connection of this process."""
        self.database.close()


def _not_found(verdict_id: str) -> VerdictNotFound:
    return VerdictNotFound(f"no verdict has the id {verdict_id!r}")
