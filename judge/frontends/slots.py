"""How many questions are judged at once, how many may wait, and a quick, clear refusal of the rest."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from judge.errors import Busy


class Slots:
    """Places for questions at work in this process; safe to share between threads.

    A question that finds no place waits for one, if no more than `waiting` wait already; longer than `patience`
    seconds nobody waits, since the answer would come too late.
    """

    def __init__(self, *, working: int, waiting: int, patience: float) -> None:
        self.working = working
        self.waiting = waiting
        self._patience = patience
        self._places = threading.Semaphore(working)
        self._queue = threading.Semaphore(waiting) if waiting else None

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while a question is judged.

        Raises
        ------
        Busy
            At once where the queue is full, or after `patience`.
        """
        if not self._places.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._places.release()

    def _wait(self) -> None:
        if self._queue is None or not self._queue.acquire(blocking=False):
            raise Busy(f"busy: {self.working} questions are being judged and {self.waiting} wait; ask again in a moment")
        try:
            if not self._places.acquire(timeout=self._patience):
                raise Busy(f"busy: no place among {self.working} within {self._patience:g} s; ask again in a moment")
        finally:
            self._queue.release()
