"""History read politely: in pieces, one at a time, not too fast, and never twice.

A `Reader` asks a source for ranges of any length. It cuts them on a fixed grid into pieces of at most
11,000 steps, so that a later run with a later end finds the earlier pieces in the cache.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from judge.calibrate.cache import Cache
from judge.core.model import Classification, Series
from judge.errors import QueryRejected, SourceUnreachable
from judge.sources import Answer, Query, Source, SourceSettings

MAX_STEPS = 11_000
_SHORTEST = 60
"""A piece of so few steps is not cut any further."""
_TRIES = 3
_TOO_HEAVY = (
    "not enough memory",
    "error when executing query",
    "too many samples",
    "gave the query up",
    "did not answer within",
    "timed out",
    "exceed",
    "more than",
    "too long",
)
_PAUSE = 2.0


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a reader did: questions asked, answers found in the cache, samples, queries that had to be cut smaller."""

    asked: int = 0
    cached: int = 0
    samples: int = 0
    cut: int = 0
    seconds: float = 0.0
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """One question over a time; with `instant` it is asked at `end` only."""

    text: str
    start: float
    end: float
    step: float
    instant: bool = False

    def pieces(self, most: int = MAX_STEPS) -> list[Range]:
        """Cut on a fixed grid, without a common time."""
        if self.instant:
            return [self]
        span = most * self.step
        found = []
        at = self.start
        while at <= self.end:
            past = (math.floor(at / span + 1e-9) + 1) * span
            found.append(Range(text=self.text, start=at, end=min(self.end, past - self.step), step=self.step))
            at = past
        return found


class Reader:
    """Asks a source, or the cache.

    Parameters
    ----------
    source : Source
    address : str
        Tells one source's answers from another's in the cache.
    cache : Cache
    rate : float
        Questions a second at most.
    at_once : int
        Questions under way at the same time.
    deadline : float
        Seconds for one question.
    progress : callable, optional
        Told of each answer: (done, of, seconds left).
    """

    def __init__(
        self,
        source: Source,
        *,
        address: str,
        cache: Cache,
        rate: float = 20.0,
        at_once: int = 1,
        deadline: float = 60.0,
        progress: Callable[[str, int, int, float], None] | None = None,
    ) -> None:
        self._source, self._address, self._cache, self.language = source, address, cache, source.language
        self._between = 1.0 / rate if rate > 0 else 0.0
        self._at_once, self._deadline = at_once, deadline
        self._progress = progress
        self._next = 0.0
        self._lock = threading.Lock()
        self.tally = Tally()

    def describe(self) -> Mapping[str, Any]:
        """The source's own description."""
        return self._source.describe()

    def missing(self, ranges: Sequence[Range]) -> list[Range]:
        """Pieces that the cache does not have."""
        pieces = dict.fromkeys(piece for one in ranges for piece in one.pieces())
        found = []
        for piece in pieces:
            path = self._cache.path(self._key(piece))
            if path is None or not path.exists():
                found.append(piece)
        return found

    def read_all(self, ranges: Sequence[Range], *, what: str) -> list[list[Series]]:
        """Answer several questions in order; says `what` it is at while it goes on."""
        pieces = list(dict.fromkeys(piece for one in ranges for piece in one.pieces()))
        began, asked_before = time.monotonic(), self.tally.asked
        got: dict[Range, list[Series]] = {}
        if self._at_once > 1:
            # Pieces not in the cache are asked several at a time; their answers are then found there or here.
            with ThreadPoolExecutor(self._at_once) as pool:
                waiting = deque((piece, pool.submit(self._piece, piece)) for piece in pieces)
                try:
                    while waiting:
                        piece, future = waiting.popleft()
                        got[piece] = future.result()
                        self._say(what, len(got), len(pieces), began, asked_before)
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
        else:
            for piece in pieces:
                got[piece] = self._piece(piece)
                self._say(what, len(got), len(pieces), began, asked_before)
        self.tally.seconds += time.monotonic() - began
        return [_joined([got[piece] for piece in one.pieces()]) for one in ranges]

    def read(self, one: Range, *, what: str) -> list[Series]:
        """Answer one question."""
        return self.read_all([one], what=what)[0]

    def _say(self, what: str, done: int, of: int, began: float, asked_before: int) -> None:
        if self._progress is None:
            return
        asked = self.tally.asked - asked_before
        spent = time.monotonic() - began
        left = spent / done * (of - done) if asked else 0.0
        self._progress(what, done, of, left)

    def _key(self, piece: Range) -> list[Any]:
        return [1, self._address, piece.text, piece.start, piece.end, piece.step, piece.instant]

    def _piece(self, piece: Range) -> list[Series]:
        key = self._key(piece)
        kept = self._cache.read(key)
        if kept is not None:
            self.tally.cached += 1
            return kept
        series = self._ask(piece)
        self._cache.write(key, series)
        return series

    def _ask(self, piece: Range) -> list[Series]:
        """Ask the source; what is too heavy is asked in halves."""
        problem = None
        for attempt in range(_TRIES):
            answer = self._once(piece)
            problem = answer.problem
            if problem is None:
                self.tally.samples += sum(len(one) for one in answer.series)
                self.tally.warnings += [text for text in answer.warnings if text not in self.tally.warnings][:20]
                return list(answer.series)
            steps = 1 if piece.instant else round((piece.end - piece.start) / piece.step) + 1
            heavy = any(words in problem.message for words in _TOO_HEAVY)
            if heavy and steps > _SHORTEST:
                self.tally.cut += 1
                middle = piece.start + (steps // 2) * piece.step
                first = Range(text=piece.text, start=piece.start, end=middle - piece.step, step=piece.step)
                second = Range(text=piece.text, start=middle, end=piece.end, step=piece.step)
                return _joined([self._piece(first), self._piece(second)])
            if heavy:
                raise QueryRejected(
                    f"{problem.message}. Even {steps} steps of this query are too heavy: {piece.text[:200]}\n"
                    "Record it in Prometheus (a recording rule), select fewer series, or take this metric out of the config"
                )
            if problem.classification is Classification.ERROR:
                raise QueryRejected(f"{problem.message}\nthe query was: {piece.text[:300]}")
            if attempt + 1 < _TRIES:
                time.sleep(_PAUSE * (attempt + 1))
        why = "" if problem is None else problem.message
        kept = "What was read so far is kept: the same command goes on from there"
        raise SourceUnreachable(f"{why}. {kept if self._cache.folder is not None else 'Nothing was kept, since there is no cache'}")

    def _once(self, piece: Range) -> Answer:
        with self._lock:
            now = time.monotonic()
            wait = max(self._next - now, 0.0)
            self._next = max(now, self._next) + self._between
            self.tally.asked += 1
        time.sleep(wait)
        query = Query(
            metric="", part="value", side="canary", scope="", against="",
            text=piece.text, start=piece.start, end=piece.end, step=piece.step, instant=piece.instant,
        )  # fmt: skip
        return self._source.fetch([query], deadline=self._deadline)[0]


def _joined(parts: Sequence[Sequence[Series]]) -> list[Series]:
    """Pieces of the same question become one answer, label set by label set."""
    if len(parts) == 1:
        return list(parts[0])
    found: dict[tuple[tuple[str, str], ...], list[Series]] = {}
    for part in parts:
        for one in part:
            found.setdefault(tuple(sorted(one.labels.items())), []).append(one)
    return [
        Series(t=np.concatenate([one.t for one in several]), v=np.concatenate([one.v for one in several]), labels=several[0].labels)
        for several in found.values()
    ]


@contextmanager
def open_reader(name: str, settings: SourceSettings, cache: Path | None, **asks: Any) -> Iterator[Reader]:
    """Open a source as a reader; `cache` is a folder, `asks` are the reader's other parameters."""
    source = settings.open(name)
    try:
        yield Reader(source, address=str(source.describe().get("url", "")), cache=Cache(cache), **asks)
    finally:
        source.close()
