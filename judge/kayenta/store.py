"""What Kayenta's API keeps: canary configs, metric set pair lists, and executions that any replica may work on.

An execution is claimed before it is worked on: the claim names its worker, and lasts until a time
after which another may take over; whoever works on it moves that time on. Only the holder of the newest
claim can write a result, so an execution that two workers took has one result all the same, and its
row says whose. All these times are the database's own, so that replicas whose clocks disagree, or whose
clock steps, take nothing from each other.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import sqlalchemy as sa

from judge.archive.codec import pack, unpack
from judge.archive.database import Database, clean_text, insert_or_ignore
from judge.archive.tables import kayenta_configs, kayenta_executions, kayenta_pair_lists
from judge.errors import ArchiveError, VerdictNotFound

WAITING = "not_started"
RUNNING = "running"
OVER = ("succeeded", "terminal", "canceled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One execution: `document` holds its request, what it found so far, and its result."""

    id: str
    kind: str
    application: str
    status: str
    created_at: float
    claim: str | None
    document: Mapping[str, Any]

    @property
    def attempt(self) -> int:
        """The how many-eth worker in a row this is, or was; the ones before were lost at it."""
        return _attempt(self.claim)

    @property
    def taken_over(self) -> bool:
        """A worker was lost at it before this one."""
        return self.attempt > 1


class KayentaStore:
    """Configs, pair lists and executions in one database; every method raises `ArchiveError` in trouble."""

    def __init__(self, database: Database) -> None:
        """Use a database that the archive has opened."""
        self._database = database

    def add_config(self, id: str, document: Mapping[str, Any], *, now: float) -> bool:
        """Keep a new config; False where the id is taken."""
        values = {"id": clean_text(id), "name": clean_text(document.get("name")) or "", "updated_at": now, "document": pack(document)}
        with self._database.transaction(write=True) as connection:
            return bool(connection.execute(insert_or_ignore(connection, kayenta_configs, values, key="id")).rowcount)

    def put_config(self, id: str, document: Mapping[str, Any], *, now: float) -> bool:
        """Replace a config; False where there is none."""
        statement = sa.update(kayenta_configs).where(kayenta_configs.c.id == clean_text(id))
        values = {"name": clean_text(document.get("name")) or "", "updated_at": now, "document": pack(document)}
        with self._database.transaction(write=True) as connection:
            return bool(connection.execute(statement.values(values)).rowcount)

    def drop_config(self, id: str) -> bool:
        """Delete a config; False where there is none."""
        with self._database.transaction(write=True) as connection:
            return bool(connection.execute(sa.delete(kayenta_configs).where(kayenta_configs.c.id == clean_text(id))).rowcount)

    def config(self, id: str) -> dict[str, Any] | None:
        """Read a config."""
        found: dict[str, Any] | None = self._document(sa.select(kayenta_configs.c.document).where(kayenta_configs.c.id == clean_text(id)))
        return found

    def configs(self) -> list[tuple[str, float, dict[str, Any]]]:
        """Read every config: id, when it was last written, document."""
        statement = sa.select(kayenta_configs.c.id, kayenta_configs.c.updated_at, kayenta_configs.c.document).order_by(
            kayenta_configs.c.name
        )
        with self._database.transaction() as connection:
            rows = connection.execute(statement).all()
        return [(row.id, row.updated_at, _unpack(row.document)) for row in rows]

    def keep_pairs(self, id: str, document: list[Any], *, now: float) -> None:
        """Keep a metric set pair list."""
        values = {"id": clean_text(id), "created_at": now, "document": pack(document)}
        with self._database.transaction(write=True) as connection:
            connection.execute(insert_or_ignore(connection, kayenta_pair_lists, values, key="id"))

    def pairs(self, id: str) -> list[Any] | None:
        """Read a metric set pair list."""
        found: list[Any] | None = self._document(sa.select(kayenta_pair_lists.c.document).where(kayenta_pair_lists.c.id == clean_text(id)))
        return found

    def now(self) -> float:
        """The database's clock, in unix seconds."""
        with self._database.transaction() as connection:
            return float(connection.scalar(sa.select(_now(connection))) or 0.0)

    def accept(self, execution: Execution, *, due_at: float | None = None) -> None:
        """Keep a new execution; once this returns it is not lost. It is due at once, or at `due_at` of the database's clock."""
        with self._database.transaction(write=True) as connection:
            values = {
                "id": execution.id,
                "kind": execution.kind,
                "application": clean_text(execution.application) or "",
                "status": WAITING,
                "created_at": execution.created_at,
                "due_at": _now(connection) if due_at is None else due_at,
                "document": pack(execution.document),
            }
            connection.execute(sa.insert(kayenta_executions).values(values))

    def claim(self, by: str, *, seconds: float) -> Execution | None:
        """Take the execution that has been due for longest for the worker `by`; None where nothing is due.

        For so many `seconds`, and for as long as it is renewed, no other worker will take it.
        """
        table = kayenta_executions.c
        with self._database.transaction() as connection:
            # Most looks find nothing: they need not wait for a writer.
            if connection.execute(_due(connection, seconds)).first() is None:
                return None
        with self._database.transaction(write=True) as connection:
            row = connection.execute(_due(connection, seconds).with_for_update(skip_locked=True)).first()
            if row is None:
                return None
            attempt = 1 if row.claim is None else _attempt(row.claim) + 1
            claim = f"{attempt}/{by}/{uuid.uuid4().hex}"
            changed = {"status": RUNNING, "claim": claim, "due_at": _now(connection) + seconds}
            connection.execute(sa.update(kayenta_executions).where(table.id == row.id).values(changed))
        return replace(_execution(row), status=RUNNING, claim=claim)

    def renew(self, execution: Execution, *, seconds: float) -> bool:
        """Hold a claimed execution for so many seconds from now; False where it is not ours any more."""
        return self._change(execution, lambda connection: {"due_at": _now(connection) + seconds})

    def release(self, execution: Execution) -> bool:
        """Give a claimed execution back, so that another worker takes it at once; False where it is not ours any more."""
        return self._change(execution, lambda connection: {"due_at": _now(connection), "claim": None})

    def write(self, execution: Execution, document: Mapping[str, Any], *, status: str, due_at: float | None = None) -> bool:
        """Write what a claimed execution came to; False where another has taken it over or it was cancelled.

        One that is over keeps the claim it was written with; another is due again at `due_at` of the database's clock.
        """
        packed = pack(document)
        claim = {} if status in OVER else {"claim": None}
        return self._change(
            execution,
            lambda connection: {"status": status, "document": packed, "due_at": _now(connection) if due_at is None else due_at, **claim},
        )

    def _change(self, execution: Execution, values: Callable[[sa.Connection], dict[str, Any]]) -> bool:
        """Change a row that is still claimed as `execution` says."""
        table = kayenta_executions.c
        mine = sa.update(kayenta_executions).where(table.id == execution.id, table.claim == execution.claim, table.status == RUNNING)
        with self._database.transaction(write=True) as connection:
            return bool(connection.execute(mine.values(values(connection))).rowcount)

    def counts(self) -> dict[str, int]:
        """How many executions wait (``waiting``), and how many were begun and are not over (``running``)."""
        status = kayenta_executions.c.status
        statement = sa.select(status, sa.func.count()).where(status.in_([WAITING, RUNNING])).group_by(status)
        with self._database.transaction() as connection:
            found = {name: int(count) for name, count in connection.execute(statement).all()}
        return {"waiting": found.get(WAITING, 0), "running": found.get(RUNNING, 0)}

    def cancel(self, id: str) -> bool:
        """Cancel an execution that is not over; False where there is none."""
        table = kayenta_executions.c
        running = sa.update(kayenta_executions).where(table.id == clean_text(id), table.status.in_([WAITING, RUNNING]))
        with self._database.transaction(write=True) as connection:
            return bool(connection.execute(running.values(status="canceled", claim=None)).rowcount)

    def execution(self, id: str) -> Execution:
        """Read an execution.

        Raises
        ------
        VerdictNotFound
            Where there is none.
        """
        with self._database.transaction() as connection:
            row = connection.execute(sa.select(kayenta_executions).where(kayenta_executions.c.id == clean_text(id))).first()
        if row is None:
            raise VerdictNotFound(f"no execution has the id {id!r}")
        return _execution(row)

    def executions(self, application: str, *, limit: int, page: int, statuses: tuple[str, ...] = ()) -> list[Execution]:
        """List an application's executions, newest first; `page` counts from 1."""
        table = kayenta_executions.c
        statement = sa.select(kayenta_executions).where(table.application == clean_text(application), table.kind == "canary")
        if statuses:
            statement = statement.where(table.status.in_(statuses))
        statement = statement.order_by(table.created_at.desc(), table.id.desc()).limit(limit).offset((page - 1) * limit)
        with self._database.transaction() as connection:
            return [_execution(row) for row in connection.execute(statement).all()]

    def _document(self, statement: sa.Select[Any]) -> Any:
        with self._database.transaction() as connection:
            blob = connection.scalar(statement)
        return None if blob is None else _unpack(blob)


def _now(connection: sa.Connection) -> sa.ColumnElement[float]:
    """The database's clock, in unix seconds: in PostgreSQL that of the moment, not of the transaction's begin."""
    if connection.dialect.name == "postgresql":
        return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Double)
    return (sa.func.julianday("now", type_=sa.Double) - 2440587.5) * 86400.0


def _due(connection: sa.Connection, seconds: float) -> sa.Select[Any]:
    """What may be taken, the one that has been due for longest first; `seconds` is how long a claim lasts."""
    table = kayenta_executions.c
    now = _now(connection)
    # Were the database's clock set back, what waits would wait for as long, and a claim last as long.
    fresh = sa.and_(table.kind == "canary", table.status == WAITING)
    endless = sa.and_(table.claim.is_not(None), table.due_at > now + 2 * seconds)
    unfinished = table.status.in_([WAITING, RUNNING])
    found = sa.select(kayenta_executions).where(unfinished, sa.or_(table.due_at <= now, fresh, endless))
    return found.order_by(table.due_at, table.id).limit(1)


def _attempt(claim: str | None) -> int:
    """Read the number that a claim begins with; one of an earlier version has none."""
    number, slash, _ = ("" if claim is None else claim).partition("/")
    return int(number) if slash else 1


def _execution(row: Any) -> Execution:
    kept = {field.name: getattr(row, field.name) for field in fields(Execution)}
    return Execution(**kept | {"document": _unpack(row.document)})


def _unpack(blob: bytes) -> Any:
    try:
        return unpack(blob)
    except ValueError as error:
        raise ArchiveError(f"a document of the archive is damaged: {error}") from error
