"""Connections to PostgreSQL that do not wait for ever for a server that says nothing.

PostgreSQL's own time-outs are kept by the server; one that is frozen, or behind a network that drops everything, keeps none.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any

import psycopg
from sqlalchemy import Engine, event


class BoundedConnection(psycopg.Connection[Any]):
    """A connection that is given up where a statement has no answer after `seconds`; None waits without end.

    Whether it still lives is asked before each use, in a moment of autocommit, and has to be answered within `ping_seconds`.
    """

    seconds: float | None = None
    ping_seconds: float | None = None

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **more: Any) -> Any:
        """Drive a conversation with the server; the driver comes by every tenth of a second, answer or not."""
        limit = self.ping_seconds if self.autocommit else self.seconds
        return super().wait(gen if limit is None else self._bounded(gen, limit), *args, **more)

    def _bounded(self, gen: Generator[Any, Any, Any], limit: float) -> Generator[Any, Any, Any]:
        until = time.monotonic() + limit
        try:
            wanted = next(gen)
            while True:
                ready = yield wanted
                if not ready and time.monotonic() > until:
                    # In the middle of a conversation it is of no use to anybody.
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no word from the server within {limit:g} s")
                wanted = gen.send(ready)
        except StopIteration as done:
            return done.value


def bound(engine: Engine, *, seconds: float, ping_seconds: float) -> None:
    """Let an engine open such connections only."""

    def connect(_dialect: object, _record: object, args: Any, parameters: Any) -> BoundedConnection:
        return BoundedConnection.connect(*args, **parameters)

    def set_up(connection: BoundedConnection | None, _record: object) -> None:
        # Whoever had it last may have asked for more time; one that was lost does not come back.
        if connection is not None:
            connection.seconds, connection.ping_seconds = seconds, ping_seconds

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "connect", set_up)
    event.listen(engine, "checkin", set_up)
