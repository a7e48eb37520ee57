"""Fair shares of the places in the queue, one for each caller.

A caller who asks alone may have all places but one, at work and in all, so that another caller finds one. If
several ask, each has its part. A question over the caller's own share is refused with 429; one over the capacity
of the process is refused by the queue, with 503.
"""

from __future__ import annotations

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from judge.access.rights import Caller
from judge.errors import Busy, OverShare

MEMORY = 5.0
"""Seconds for which somebody who asked still counts as asking: long enough to ask again."""


class Shares:
    """Counts the questions of each caller in this process; safe to share between threads.

    Who a caller is, its name says: all tokens of one name, as in a rotation, are one caller.
    """

    def __init__(self, *, working: int, waiting: int, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Share out so many places at work and in the queue; `patience` are seconds to wait for a place at work."""
        self._working = working
        self._places = working + waiting
        self._patience = patience
        self._clock = clock
        self._changed = threading.Condition()
        self._held: Counter[str] = Counter()
        self._at_work: Counter[str] = Counter()
        self._asked: dict[str, float] = {}

    @contextmanager
    def place(self, caller: Caller) -> Iterator[None]:
        """Hold one of a caller's places; without a tokens file there are no shares.

        Raises
        ------
        OverShare
            At once if the caller has its share already, or after the patience if all of it is at work.
        Busy
            At once if the callers together have all places.
        """
        if caller.anonymous:
            yield
            return
        name = caller.name
        with self._changed:
            self._enter(name, caller.questions_at_once)
        try:
            with self._changed:
                self._begin(name, caller.questions_at_once)
            try:
                yield
            finally:
                with self._changed:
                    self._take(self._at_work, name)
        finally:
            with self._changed:
                self._take(self._held, name)
                self._changed.notify_all()

    def _enter(self, name: str, own: int | None) -> None:
        now = self._clock()
        self._asked = {each: at for each, at in self._asked.items() if now - at < MEMORY}
        self._asked[name] = now
        share = self._share(name, own, self._places)
        if self._held[name] >= share:
            raise OverShare(f"busy: {name} has {share} questions here already, its share; ask again in a moment")
        if self._held.total() >= self._places:
            raise Busy(f"busy: {self._places} questions are being judged or wait; ask again in a moment")
        self._held[name] += 1

    def _begin(self, name: str, own: int | None) -> None:
        # Others who come meanwhile make the share smaller, and it grows again when they are gone.
        if not self._changed.wait_for(lambda: self._at_work[name] < self._share(name, own, self._working), self._patience):
            at_work = self._at_work[name]
            raise OverShare(f"busy: {at_work} questions of {name} are being judged, its share, and none ended within {self._patience:g} s")
        self._at_work[name] += 1

    def _share(self, name: str, own: int | None, places: int) -> int:
        """How many of these places the caller may hold now."""
        others = {each for each in (*self._held, *self._asked) if each != name}
        fair = math.ceil(places / (1 + len(others))) if others else max(1, places - 1)
        return fair if own is None else min(fair, own)

    @staticmethod
    def _take(counter: Counter[str], name: str) -> None:
        counter[name] -= 1
        if counter[name] <= 0:
            del counter[name]
