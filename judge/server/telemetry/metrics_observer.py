"""The observer of the front doors: what the layers tell becomes metrics, and an id goes with every query.

One is made for each request; making it and telling it must cost next to nothing beside a verdict.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Self

from judge.errors import ArchiveError, VerdictNotFound
from judge.observer import CIRCUITS, observed
from judge.server.telemetry import logging as logs
from judge.server.telemetry import metrics as signals

ID_HEADER = "X-Request-Id"


class Metered:
    """An `Observer` that counts; `id` is that of the request, which stands in log lines and goes with every query."""

    __slots__ = ("_along", "headers", "id")

    def __init__(self, id: str = "") -> None:
        self.id = id
        self.headers: Mapping[str, str] = {ID_HEADER: id} if id else {}
        self._along = nullcontext(self.headers)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a stage."""
        with signals.of(signals.STAGE_SECONDS, name).time():
            yield

    def question(self, source: str, text: str, *, system: str) -> AbstractContextManager[Mapping[str, str]]:
        """Send the id along."""
        del source, text, system
        return self._along

    def under_way(self, source: str, change: int) -> None:
        """Count up and down."""
        signals.of(signals.QUERIES_UNDER_WAY, source).inc(change)

    def asked(self, source: str, outcomes: Mapping[str, int], *, circuit: str) -> None:
        """Count what came of the queries, and show the circuit."""
        for outcome, count in outcomes.items():
            signals.of(signals.QUERIES, source, outcome).inc(count)
        signals.of(signals.CIRCUIT, source).set(CIRCUITS.index(circuit))

    @contextmanager
    def archive(self, operation: str) -> Iterator[None]:
        """Measure a transaction, and count one that failed."""
        with signals.of(signals.ARCHIVE_SECONDS, operation).time():
            try:
                yield
            except VerdictNotFound:
                raise
            except ArchiveError:
                signals.of(signals.ARCHIVE_ERRORS, operation).inc()
                raise

    @contextmanager
    def execution(self, id: str, *, taken_over: bool) -> Iterator[None]:
        """Go on under the execution's own id."""
        if taken_over:
            signals.TAKEN_OVER.inc()
        with observed(self.named(id)), logs.about(id):
            yield

    def named(self, id: str) -> Self:
        """Make the same observer for another id."""
        return type(self)(id)

    def ended(self, status: str) -> None:
        """Count an execution that was written down."""
        signals.of(signals.EXECUTIONS_ENDED, status if status in signals.EXECUTION_ENDS else "lost").inc()

    def reloaded(self, *, served: Sequence[str], faulty: int) -> None:
        """Count, and remember when all was well."""
        signals.of(signals.RELOADS, "failure" if faulty else "success").inc()
        self.loaded(served=served, faulty=faulty)

    def loaded(self, *, served: Sequence[str], faulty: int) -> None:
        """Show what is served."""
        signals.begin(configs=served)
        signals.of(signals.CONFIGS, "served").set(len(served))
        signals.of(signals.CONFIGS, "faulty").set(faulty)
        if not faulty:
            signals.RELOADED.set(time.time())
