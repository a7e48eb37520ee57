"""Whether this worker can still do its work; a worker that cannot is replaced.

Liveness asks one thing: would a new worker do better? That is so where a question has been under way many times longer
than any answer may take (a deadlock: its place is lost for ever), or where one of the worker's own threads has ended. It is not so
while Prometheus or the archive is away: questions are answered all the same. With several workers a probe meets now
one, now another, so a stuck worker does not wait for the kubelet: it stops by itself, and gunicorn starts a new one.
"""

from __future__ import annotations

import contextvars
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from judge.errors import ArchiveError, Busy
from judge.observer import observer
from judge.server.telemetry import metrics as signals

if TYPE_CHECKING:
    from judge.archive import Archive

log = logging.getLogger("judge.vitals")

STUCK_SECONDS = 60.0
"""A question that is older is stuck, and never before four times the deadline has gone by."""
LOOK_SECONDS = 5.0
LEAVE_SECONDS = 10.0
"""What the other questions of a stuck worker get to be finished."""
AGAIN_SECONDS = 1.0
PING_SECONDS = 1.0
"""For the archive to answer `/readyz`: a probe waits for 3 s."""


class Liveness:
    """The questions under way and the worker's own threads."""

    def __init__(self, *, deadline: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience = max(STUCK_SECONDS, 4 * deadline)
        self._clock = clock
        self._began: dict[int, float] = {}
        self._threads: list[threading.Thread] = []

    @contextmanager
    def question(self) -> Iterator[None]:
        """Mark a question as being judged."""
        own = threading.get_ident()
        self._began[own] = self._clock()
        try:
            yield
        finally:
            del self._began[own]

    def problems(self) -> list[str]:
        """Say why this worker should be replaced; empty while all is well."""
        oldest = min(list(self._began.values()), default=None)
        age = 0.0 if oldest is None else self._clock() - oldest
        stuck = [f"a question has been under way for {age:.0f} s"] if age > self._patience else []
        return [*stuck, *(f"the thread {thread.name} has ended" for thread in self._threads if not thread.is_alive())]

    def keep_going(self, name: str, work: Callable[[threading.Event], None], stop: threading.Event) -> None:
        """Do this in a thread until `stop` is set; after an unexpected error it begins again."""

        def run() -> None:
            while not stop.is_set():
                try:
                    work(stop)
                    return
                except Exception:
                    log.exception("the thread %s failed, and begins again", name)
                    stop.wait(AGAIN_SECONDS)
            return

        thread = threading.Thread(target=contextvars.copy_context().run, args=(run,), name=name, daemon=True)
        thread.start()
        if name in _LASTING:
            self._threads.append(thread)

    def watch(self, stop: threading.Event) -> None:
        """Replace this worker once it is stuck."""
        while not stop.wait(LOOK_SECONDS):
            found = self.problems()
            if found and not stop.is_set():
                log.critical("this worker is stuck and is replaced: %s", "; ".join(found))
                signals.STUCK.inc()
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(LEAVE_SECONDS)
                os._exit(1)


_LASTING = frozenset({"configs", "executions"})
"""Threads that end only when the worker does; others may have nothing to do."""


@contextmanager
def hold_places(liveness: Liveness, *places: AbstractContextManager[None]) -> Iterator[None]:
    """Wait for these places, one after the other, and hold them while a question is judged; metrics and liveness show it.

    Raises
    ------
    Busy, OverShare
        If there is none.
    """
    with ExitStack() as held:
        signals.WAITING.inc()
        try:
            with observer().stage("wait"):
                for place in places:
                    held.enter_context(place)
        except Busy:
            signals.BUSY.inc()
            raise
        finally:
            signals.WAITING.dec()
        held.enter_context(liveness.question())
        signals.WORKING.inc()
        held.callback(signals.WORKING.dec)
        yield


class ArchiveCheck:
    """Asks the archive whether it is there, without waiting for it longer than a probe can."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._lock = threading.Lock()
        self._asking: threading.Thread | None = None
        self._since = 0.0
        self._found = ""

    def problem(self) -> str:
        """Say what is wrong with it; empty where nothing is."""
        with self._lock:
            if self._asking is None or not self._asking.is_alive():
                self._since = time.monotonic()
                self._asking = threading.Thread(target=self._ask, name="archive check", daemon=True)
                self._asking.start()
            asking, since = self._asking, self._since
        asking.join(PING_SECONDS)
        if asking.is_alive():
            return f"the archive has not answered for {time.monotonic() - since:.0f} s"
        return self._found

    def _ask(self) -> None:
        try:
            self._archive.ping()
        except ArchiveError as error:
            self._found = str(error)
        else:
            self._found = ""
