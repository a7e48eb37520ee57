"""What the layers tell of their work while they do it, to whoever looks on.

The layers know no library of metrics, logs or traces. They tell the observer of the moment what begins and what came
of it, and it gives them the headers that go with a question to a source. A front door sets the observer for what it
does (`observed`); where nobody looks on, telling costs next to nothing.
"""

# ruff: noqa: ARG002 - an observer that lets everything pass reads no argument

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Protocol

STAGES = ("wait", "lookup", "fetch", "judge", "keep", "answer")
"""Of a verdict, in their order: a place is waited for, an earlier answer looked up, series are fetched and judged, the verdict is
kept, the answer written.
"""
CIRCUITS = ("closed", "half-open", "open")
"""States of the circuit to a source, the best one first."""
OUTCOMES = ("answered", "refused", "late", "unreachable", "tls", "broken", "skipped")
"""Of a query: it was answered; refused for what it is; not answered in time; there was no connection, or none over TLS; the answer
broke off or made no sense; it was not asked, since the source had failed again and again.
"""


_NOTHING = nullcontext()
_NO_HEADERS: nullcontext[Mapping[str, str]] = nullcontext({})


class Observer(Protocol):
    """Looks on. None of its methods may raise; all are safe to call from any thread.

    The bodies here let everything pass.
    """

    def stage(self, name: str) -> AbstractContextManager[object]:
        """Stand around one of `STAGES`."""
        return _NOTHING

    def question(self, source: str, text: str, *, system: str) -> AbstractContextManager[Mapping[str, str]]:
        """Stand around one query to a source, of this type (`system`); gives the headers that go with it."""
        return _NO_HEADERS

    def under_way(self, source: str, change: int) -> None:
        """So many queries more (or fewer) are under way to a source."""
        return

    def asked(self, source: str, outcomes: Mapping[str, int], *, circuit: str) -> None:
        """Queries of one verdict were asked; `outcomes` counts `OUTCOMES`, `circuit` is what `CIRCUITS` names."""
        return

    def archive(self, operation: str) -> AbstractContextManager[object]:
        """Stand around one transaction of the archive: ``read`` or ``write``."""
        return _NOTHING

    def execution(self, id: str, *, taken_over: bool) -> AbstractContextManager[object]:
        """Stand around the work on one of Kayenta's executions."""
        return _NOTHING

    def ended(self, status: str) -> None:
        """One of Kayenta's executions was written down with this status."""
        return

    def reloaded(self, *, served: Sequence[str], faulty: int) -> None:
        """The configs were read again: these are served, and so many faults were found."""
        return


class Nobody(Observer):
    """Nobody looks on."""


_CURRENT: ContextVar[Observer] = ContextVar("observer", default=Nobody())  # noqa: B039 - it has no state


def observer() -> Observer:
    """Who looks on at the moment. Threads begin with nobody: hand them a copy of the context."""
    return _CURRENT.get()


@contextmanager
def observed(by: Observer) -> Iterator[None]:
    """Be looked on until the block ends."""
    before = _CURRENT.set(by)
    try:
        yield
    finally:
        _CURRENT.reset(before)
