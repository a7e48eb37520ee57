"""A circuit breaker: a source that has failed again and again is left alone for a while.

Without it every question waits out its whole deadline on a server that hangs, and those behind it in the queue are
answered too late. While the circuit is open questions are answered at once, as `nodata` with the reason, so that
nothing can pass; then one question goes through, and what becomes of it decides.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

FAILURES = 3
"""So many failures in a row open the circuit."""
FIRST_PAUSE = 2.0
LONGEST_PAUSE = 20.0
"""Seconds; each failed trial doubles the pause up to this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why a question is not asked: how often the source failed, with which words, and in how many seconds it is tried again."""

    failures: int
    ago: float
    words: str
    again: float

    def __str__(self) -> str:
        """As it goes on after the source's address."""
        soon = f"tried again in {self.again:.0f} s" if self.again >= 1 else "being tried again now"
        return f"was not asked: it failed {self.failures} times in a row, {self.ago:.0f} s ago it {self.words}; {soon}"


class Breaker:
    """Counts failures in a row. Times are seconds of one monotonic clock; safe to share between threads.

    Examples
    --------
    >>> breaker = Breaker()
    >>> for at in (0.0, 1.0, 2.0):
    ...     assert breaker.refusal(at) is None
    ...     breaker.failed(at, "did not answer within 7 s")
    >>> print(breaker.refusal(3.0))
    was not asked: it failed 3 times in a row, 1 s ago it did not answer within 7 s; tried again in 1 s
    >>> breaker.refusal(4.0) is None, breaker.refusal(4.0) is None, breaker.state
    (True, False, 'half-open')
    """

    def __init__(self, *, failures: int = FAILURES, first_pause: float = FIRST_PAUSE, longest_pause: float = LONGEST_PAUSE) -> None:
        self._needed = failures
        self._first = first_pause
        self._longest = longest_pause
        self._lock = threading.Lock()
        self._failures = 0
        self._pause = first_pause
        self._last = 0.0
        self._words = ""
        self._trial_ends: float | None = None

    @property
    def state(self) -> str:
        """``closed``, ``open`` or ``half-open`` (one question is on trial)."""
        with self._lock:
            if self._failures < self._needed:
                return "closed"
            return "open" if self._trial_ends is None else "half-open"

    def refusal(self, now: float, *, patience: float = 30.0) -> Refusal | None:
        """Ask whether a question may go through; None is yes.

        Of an open circuit whose pause is over, one question goes through. It must tell what became of it within
        `patience` seconds, or another one is tried.
        """
        with self._lock:
            if self._failures < self._needed:
                return None
            again = self._last + self._pause - now
            trying = self._trial_ends is not None and now < self._trial_ends
            if again <= 0 and not trying:
                self._trial_ends = now + patience
                return None
            return Refusal(failures=self._failures, ago=max(now - self._last, 0.0), words=self._words, again=max(again, 0.0))

    def succeeded(self) -> None:
        """The source answered: the circuit is closed."""
        with self._lock:
            self._failures, self._pause, self._trial_ends = 0, self._first, None

    def failed(self, now: float, words: str) -> None:
        """The source did not answer, or made no sense; `words` go on after "it"."""
        with self._lock:
            if self._trial_ends is not None:
                self._pause = min(2 * self._pause, self._longest)
            self._failures, self._last, self._words, self._trial_ends = self._failures + 1, now, words, None
