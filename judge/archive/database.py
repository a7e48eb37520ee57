"""A database by URL, SQLite or PostgreSQL: connections that survive a fork, whole transactions, plain errors.

A commit survives the death of the process. On SQLite (WAL, synchronous NORMAL) the
newest commits may be lost when the whole machine loses power; the file stays sound.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from sqlite3 import Error as SqliteError
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, Connection, Engine, make_url

from judge.archive.error_messages import explain
from judge.archive.interface import PATIENCE
from judge.archive.tables import SCHEMA_VERSION, metadata, schema
from judge.errors import ArchiveError, ConfigError, Fault
from judge.observer import observer

log = logging.getLogger("judge.archive")

_URLS = ("none", "sqlite:///file.db", "postgresql://user:password@host/database")
_DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
# Any number will do, as long as all judges lock the same one while they create the tables.
_SCHEMA_LOCK = 0x6A75646765

# What a fork brought along: closing it here would also close it for the parent, so it is never let go.
_inherited: list[Engine] = []


class Database:
    """Transactions on one database; opened at the first one, in each process anew."""

    def __init__(self, url: str, *, patience: float = PATIENCE) -> None:
        """Read the URL; nothing is opened until the first transaction."""
        self._url = _parse(url)
        self._patience = patience
        self._lock = threading.Lock()
        self._opened: tuple[int, Engine] | None = None
        self.where = self._url.database if self._url.get_backend_name() == "sqlite" else self._url.render_as_string(hide_password=True)

    def ping(self) -> None:
        """Prove that the archive can be read and is of a schema we know."""
        with self.transaction() as connection:
            self._check_version(connection)

    def close(self) -> None:
        """Let go of every connection of this process."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None and opened[0] == os.getpid():
            opened[1].dispose()

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator[Connection]:
        """Commit what is done inside, or nothing; turn every trouble into an `ArchiveError`."""
        with observer().archive("write" if write else "read"):
            try:
                with self._engine().connect().execution_options(judge_write=write) as connection, connection.begin():
                    yield connection
            except (sa.exc.SQLAlchemyError, SqliteError, OSError, ImportError) as error:
                raise ArchiveError(f"archive {self.where}: {explain(error, patience=self._patience)}") from error

    def _engine(self) -> Engine:
        """The engine of this process, with the tables in place."""
        with self._lock:
            if self._opened is not None and self._opened[0] != os.getpid():
                _inherited.append(self._opened[1])
                self._opened = None
            if self._opened is None:
                engine = _connectable(self._url, patience=self._patience)
                try:
                    self._prepare(engine)
                except BaseException:
                    engine.dispose()
                    raise
                self._opened = (os.getpid(), engine)
            return self._opened[1]

    def _prepare(self, engine: Engine) -> None:
        """Make the tables where there are none, bring old ones up to date, refuse those of a newer judge."""
        with engine.connect() as connection, connection.begin():
            if self._is_current(self._version(connection)):
                return
        with engine.connect().execution_options(judge_write=True) as connection, connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
                connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
                connection.connection.driver_connection.seconds = None  # type: ignore[union-attr] # until it goes back to the pool
            # Another process may have been at it while this one waited for the lock.
            found = self._version(connection)
            if self._is_current(found):
                return
            if found is None:
                from judge.archive.migrations import stamp

                metadata.create_all(connection)
                connection.execute(sa.insert(schema).values(version=SCHEMA_VERSION))
                stamp(connection, SCHEMA_VERSION)
                return
            from judge.archive.migrations import upgrade

            log.info("archive %s: its tables are brought from version %d to %d", self.where, found, SCHEMA_VERSION)
            upgrade(connection, since=found, to=SCHEMA_VERSION)

    def _is_current(self, version: int | None) -> bool:
        """Tell if nothing is to be done; refuse a schema that this judge does not know."""
        if version is not None and version > SCHEMA_VERSION:
            message = (
                f"archive {self.where}: has schema version {version}, of a newer judge; this judge knows version {SCHEMA_VERSION}, "
                "and leaves the archive as it is: run the newer judge, or name another archive"
            )
            raise ArchiveError(message)
        return version == SCHEMA_VERSION

    def _check_version(self, connection: Connection) -> None:
        """Refuse a schema that is not the one that was found at the start."""
        version = self._version(connection)
        if not self._is_current(version):
            found = "no schema version" if version is None else f"schema version {version}"
            raise ArchiveError(f"archive {self.where}: has {found} all of a sudden; restart the judge")

    def _version(self, connection: Connection) -> int | None:
        """Version of the tables; None where there are none."""
        if not sa.inspect(connection).has_table(schema.name):
            return None
        version: int | None = connection.scalar(sa.select(sa.func.max(schema.c.version)))
        if version is None:
            message = f"archive {self.where}: has no schema version (its table {schema.name} is empty); restore it from a backup"
            raise ArchiveError(message)
        return version


def insert_or_ignore(connection: Connection, table: sa.Table, values: dict[str, Any], *, key: str) -> sa.Executable:
    """Insert a row unless its key is there; a row in progress elsewhere is waited for."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table).values(values).on_conflict_do_nothing(index_elements=[key])
    return sqlite.insert(table).values(values).on_conflict_do_nothing(index_elements=[key])


def clean_text(value: object) -> str | None:
    """What a text column can hold: PostgreSQL refuses NUL, both refuse half a surrogate pair."""
    return None if value is None else str(value).replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _parse(url: str) -> URL:
    """Read an archive URL, or raise a `ConfigError` that says which are understood."""
    try:
        parsed = make_url(url)
        driver = _DRIVERS[parsed.drivername.partition("+")[0]]
    except (sa.exc.ArgumentError, KeyError, ValueError):
        # The URL may hold a password, so only its scheme is repeated.
        scheme = url.partition("://")[0] if "://" in url else "no scheme"
        raise ConfigError([Fault(path="archive", message=f"not an archive URL ({scheme})", allowed=_URLS)]) from None
    if driver.startswith("sqlite") and parsed.database in {None, "", ":memory:"}:
        raise ConfigError([Fault(path="archive", message="a SQLite archive needs a file; give 'none' to keep nothing", allowed=_URLS)])
    return parsed.set(drivername=driver)


def _connectable(url: URL, *, patience: float) -> Engine:
    """An engine whose SQLite connections wait for locks and begin their own transactions."""
    if url.get_backend_name() != "sqlite":
        engine = sa.create_engine(url, pool_pre_ping=True, pool_timeout=patience, connect_args={"connect_timeout": max(2, round(patience))})
        try:
            from judge.archive.postgres_timeouts import bound
        except ImportError:
            return engine  # its first connection says which driver is missing
        # The server's own time-outs come first, as long as there is a server.
        bound(engine, seconds=2 * patience + 0.5, ping_seconds=patience / 2)
        event.listen(engine, "connect", _limits(patience))
        return engine
    database = url.database or ""
    if not database.startswith("file:"):  # SQLite's own URI form, whose path is SQLite's business
        Path(database).absolute().parent.mkdir(parents=True, exist_ok=True)
    # isolation_level None: the driver begins nothing by itself, so a writer can take the write lock at once and
    # wait for it, instead of finding out in the middle that it may not have it.
    engine = sa.create_engine(
        url,
        pool_size=8,
        max_overflow=24,
        pool_timeout=patience,
        connect_args={"timeout": patience, "isolation_level": None, "check_same_thread": False},
    )
    event.listen(engine, "connect", _pragmas(patience))
    event.listen(engine, "begin", _begin)
    return engine


def _limits(patience: float) -> Callable[[Any, object], None]:
    """PostgreSQL waits without end by itself, for a lock as for a slow disk."""

    def set_up(connection: Any, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET lock_timeout = {round(patience * 1000)}")
            cursor.execute(f"SET statement_timeout = {round(patience * 2000)}")
        connection.commit()

    return set_up


def _pragmas(patience: float) -> Callable[[Any, object], None]:
    def set_up(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {round(patience * 1000)}")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA synchronous = NORMAL")
        if cursor.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            _switch_to_wal(cursor, patience)
        cursor.close()

    return set_up


def _switch_to_wal(cursor: Any, patience: float) -> None:
    """Switch the file to WAL; SQLite does not wait by itself for another process that does the same."""
    end = time.monotonic() + patience
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except SqliteError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get("judge_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
