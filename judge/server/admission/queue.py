"""How many questions are judged at once, how many may wait, and a quick, clear refusal of the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from judge.errors import Busy

_WEIGHT_OF_THE_NEWEST = 0.2


class Slots:
    """Places for questions at work in this process; safe to share between threads.

    A question that finds no place waits for one, if fewer than `waiting` wait already and its turn can be expected
    within `patience` seconds, by how long places were held lately. A longer wait would bring the answer too late, so
    the question is refused at once.
    """

    def __init__(self, *, working: int, waiting: int, patience: float) -> None:
        self.working = working
        self.waiting = waiting
        self._patience = patience
        self._places = threading.Semaphore(working)
        self._lock = threading.Lock()
        self._in_queue = 0
        self._usual = 0.0

    @contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while a question is judged.

        Raises
        ------
        Busy
            At once if the queue is full or too slow, else after `patience`.
        """
        if not self._places.acquire(blocking=False):
            self._wait()
        began = time.monotonic()
        try:
            yield
        finally:
            self._places.release()
            with self._lock:
                self._usual += _WEIGHT_OF_THE_NEWEST * (time.monotonic() - began - self._usual)

    def _wait(self) -> None:
        with self._lock:
            if self._in_queue >= self.waiting:
                raise Busy(f"busy: {self.working} questions are being judged and {self.waiting} wait; ask again in a moment")
            turn = self._usual * (self._in_queue + 1) / self.working
            if turn > self._patience:
                raise Busy(
                    f"busy: {self.working} questions are being judged, and lately one took {self._usual:.1f} s; ask again in a moment"
                )
            self._in_queue += 1
        try:
            if not self._places.acquire(timeout=self._patience):
                raise Busy(f"busy: no place among {self.working} within {self._patience:g} s; ask again in a moment")
        finally:
            with self._lock:
                self._in_queue -= 1
