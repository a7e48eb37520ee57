"""Eight callers that ask about a bad canary, and what must hold of every answer whatever breaks."""

from __future__ import annotations

import http.client
import json
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

CALLERS = 8
TIMEOUT = 10.0
"""Argo's own default: whatever is answered later is not heard."""
STEP = 60
UNKEPT = "(this verdict was not kept)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One question: when it was asked (monotonic seconds), how long it took, the status, the document; or what broke."""

    at: float
    seconds: float
    status: int = 0
    document: dict[str, Any] | None = None
    broken: str = ""

    @property
    def verdict(self) -> str:
        """The verdict, empty where there was none."""
        return "" if self.document is None else str(self.document.get("verdict", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Answers by verdict (or status, or what broke); false passes, late ones and lost ones; said to be unkept; the slowest in seconds."""

    counts: dict[str, int]
    passes: list[Heard]
    late: list[Heard]
    lost: list[Heard]
    unkept: int
    slowest: float


class Callers:
    """Ask until told to stop; every question is a new one (another end, another look)."""

    def __init__(self, url: str, question: dict[str, str]) -> None:
        self.url = url
        self.heard: list[Heard] = []
        self._question = question
        self._lock = threading.Lock()
        self._number = 0

    def ask(self) -> Heard:
        """Ask once."""
        with self._lock:
            self._number += 1
            number = self._number
        end = float(self._question["end"]) - STEP * (number % 5)
        asked = {**self._question, "end": str(end), "look": str(1 + number // 5 % 20), "window": f"{1500 + 15 * (number // 100 % 60)}s"}
        body = json.dumps(asked).encode()
        request = urllib.request.Request(f"{self.url}/v1/verdict", data=body, method="POST")
        at = time.monotonic()
        try:
            try:
                answer = urllib.request.urlopen(request, timeout=TIMEOUT)
            except urllib.error.HTTPError as refusal:
                answer = refusal
            with answer:
                found = Heard(at=at, seconds=time.monotonic() - at, status=answer.status, document=_strict(answer.read()))
        # A worker that is killed in the middle of its answer leaves half of it: no OSError, but an HTTPException.
        except (OSError, ValueError, http.client.HTTPException) as error:
            found = Heard(at=at, seconds=time.monotonic() - at, broken=f"{type(error).__name__}: {error}")
        with self._lock:
            self.heard.append(found)
        return found

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask with all callers while the block runs."""
        done = threading.Event()

        def work() -> None:
            while not done.is_set():
                self.ask()
                # A fault that is answered at once must not become a race.
                done.wait(0.02)

        threads = [threading.Thread(target=work) for _ in range(CALLERS)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            done.set()
            for thread in threads:
                thread.join()

    def recovers(self, *, within: float, verdict: str = "fail") -> float:
        """Ask until the verdict on the bad canary is right again; seconds that took."""
        began = time.monotonic()
        while time.monotonic() - began < within:
            if self.ask().verdict == verdict:
                return time.monotonic() - began
            time.sleep(0.1)
        raise AssertionError(f"not {verdict} again within {within:g} s; the last answer: {self.heard[-1]}")

    def figures(self) -> Figures:
        """What came of all questions; reads every verdict that was promised to be kept."""
        counts: dict[str, int] = {}
        for each in self.heard:
            name = each.broken.partition(":")[0] if each.broken else each.verdict if each.verdict else str(each.status)
            counts[name] = counts.get(name, 0) + 1
        return Figures(
            counts=counts,
            passes=[each for each in self.heard if each.verdict == "pass"],
            late=[each for each in self.heard if each.seconds >= TIMEOUT or "timed out" in each.broken],
            lost=[each for each in self.heard if self._promised(each) and not self._kept(each)],
            unkept=sum(UNKEPT in (each.document or {}).get("reason", "") for each in self.heard),
            slowest=max((each.seconds for each in self.heard), default=0.0),
        )

    def check(self, *, statuses: frozenset[int] = frozenset({200}), may_break: bool = False) -> dict[str, int]:
        """Assert what must always hold, and count the verdicts.

        No false pass; nothing after the caller's time-out; strict JSON; every verdict that was not said to be unkept is in the archive.
        """
        found = self.figures()
        assert (found.passes, found.late, found.lost) == ([], [], [])
        for each in self.heard:
            assert may_break if each.broken else each.status in statuses, each
        return found.counts

    def _promised(self, heard: Heard) -> bool:
        return heard.status == 200 and heard.document is not None and bool(heard.document["report"])

    def _kept(self, heard: Heard) -> bool:
        assert heard.document is not None
        verdict_id = heard.document["id"]
        if heard.document["reason"].startswith("not judged: the judge is busy"):
            return True  # said so
        with urllib.request.urlopen(f"{self.url}/v1/verdicts/{verdict_id}", timeout=TIMEOUT) as answer:
            return bool(_strict(answer.read())["id"] == verdict_id)


def _strict(text: bytes) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(constant)

    found: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return found
