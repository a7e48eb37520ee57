"""Kayenta's canary executions: accepted at once, worked on behind, by whichever worker is free.

An execution is a row that any replica can claim (`judge.kayenta.store`); its
document is all a worker needs. A worker renews its claim while it works; one that dies
lets it run out, and another takes the execution over. Nobody but the holder of the
newest claim can write a result, so each execution has one. Claims and due times are by
the database's clock; this process's clock only stamps what callers read.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from judge.core.kayenta.judge import judge_kayenta
from judge.core.kayenta.results import to_json
from judge.errors import ArchiveError, JudgeError
from judge.kayenta.fetch import fetch_pairs
from judge.kayenta.store import WAITING, Execution, KayentaStore
from judge.observer import observer
from judge.sources import Query, Source
from judge.wire.request import format_time

log = logging.getLogger("judge.kayenta.executions")

CLAIM_SECONDS = 15.0
"""A claim that was not renewed for so long was held by a worker that died."""
RENEW_SECONDS = 4.0
ATTEMPTS = 5
"""Workers that may be lost at one execution before it is given up."""
FETCH_SECONDS = 12.0
RETRY_SECONDS = 0.5
IDLE_SECONDS = 0.5
AGAIN_SECONDS = 60.0
"""Until the log says once more that the archive is still in the same trouble."""


class Executions:
    """Accepts, works on and describes executions."""

    def __init__(self, store: KayentaStore, source: Callable[[], Source], *, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        """`source` opens what series come from; `clock` gives unix seconds."""
        self.store = store
        self._source = source
        self._clock = clock
        self._new_id = new_id
        self._held: Execution | None = None
        self._leaving = False
        self._idle = threading.Event()
        self._idle.set()

    def accept(self, config: Mapping[str, Any], request: Mapping[str, Any], *, application: str, parent: str = "") -> str:
        """Accept one judgement and answer its id; once this returns, it is not lost."""
        return self._accept("canary", {"config": config, "request": request, "parent": parent}, application=application)

    def accept_series(self, config: Mapping[str, Any], plan: Mapping[str, Any], *, application: str, first_at: float) -> str:
        """Accept a scheduled series of judgements (a standalone canary analysis)."""
        # The plan is by the clock of whoever accepts it; another replica may work on it.
        ahead = self.store.now() - self._clock()
        document = {"config": config, "plan": plan, "done": [], "ahead": ahead}
        return self._accept("standalone", document, application=application, due_at=first_at + ahead)

    def _accept(self, kind: str, document: Mapping[str, Any], *, application: str, due_at: float | None = None) -> str:
        now = self._clock()
        kept = {**document, "application": application, "accepted_at": now}
        found = Execution(id=self._new_id(), kind=kind, application=application, status=WAITING, created_at=now, claim=None, document=kept)
        self.store.accept(found, due_at=due_at)
        return found.id

    def metric_names(self, part: str, *, now: float) -> list[str]:
        """List the source's metrics with this text in their names."""
        wanted = re.escape(part).replace("\\", "\\\\").replace('"', '\\"')
        text = f'count by (__name__) ({{__name__=~"(?i).*{wanted}.+|.+{wanted}.*"}})'
        query = Query(metric="", part="value", side="canary", scope="", against="", text=text, start=now, end=now, step=60, instant=True)
        [answer] = self._source().fetch([query], deadline=FETCH_SECONDS)
        return [series.labels.get("__name__", "") for series in answer.series]

    def work_once(self) -> bool:
        """Work on what has been due for longest; False where nothing is, or for who leaves."""
        # Not idle from before the claim on: who left between claim and work would leave it behind for as long as a claim lasts.
        self._idle.clear()
        try:
            if self._leaving:
                return False
            execution = self.store.claim(f"{socket.gethostname()}:{os.getpid()}", seconds=CLAIM_SECONDS)
            if execution is None:
                return False
            self._work_on(execution)
        finally:
            self._idle.set()
        return True

    def _work_on(self, execution: Execution) -> None:
        with observer().execution(execution.id, taken_over=execution.taken_over), self._holding(execution):
            if execution.attempt > ATTEMPTS:
                lost = f"given up: {execution.attempt - 1} workers in turn began to judge this and did not come to an end"
                self._write(execution, {**execution.document, "error": lost, "ended_at": self._clock()}, status="terminal")
            elif execution.kind == "canary":
                self._one(execution)
            else:
                self._next_of_series(execution)

    @contextmanager
    def _holding(self, execution: Execution) -> Iterator[None]:
        """Renew the claim while the block works."""
        over = threading.Event()

        def renew() -> None:
            while not over.wait(RENEW_SECONDS):
                try:
                    if not self.store.renew(execution, seconds=CLAIM_SECONDS):
                        return
                except ArchiveError as error:
                    log.warning("execution %s: its claim could not be renewed: %s", execution.id, error)

        self._held = execution
        threading.Thread(target=renew, name="claim", daemon=True).start()
        try:
            yield
        finally:
            over.set()
            self._held = None

    def leave(self, patience: float) -> None:
        """Take nothing more; wait so many seconds for what is at work, then give it back for another to take at once."""
        self._leaving = True
        if self._idle.wait(patience) or (held := self._held) is None:
            return
        try:
            if self.store.release(held):
                log.info("execution %s is given back", held.id)
        except ArchiveError as error:
            log.warning("execution %s is taken over when its claim runs out: %s", held.id, error)

    def _one(self, execution: Execution) -> None:
        document = {**execution.document, "started_at": self._clock()}
        status = "succeeded"
        try:
            document["outcome"] = self._judge(document["config"], document["request"], execution.id)
        except ArchiveError:
            # Not the execution's own trouble: it is taken again when the claim has run out.
            raise
        except Exception as error:  # noqa: BLE001 - an accepted execution must end, whatever went wrong
            document["error"], status = _trouble(error, execution), "terminal"
        document["ended_at"] = self._clock()
        self._write(execution, document, status=status)

    def _judge(self, config: Mapping[str, Any], request: Mapping[str, Any], pair_list_id: str) -> dict[str, Any]:
        """Make one judgement, and write it as it is kept."""
        began = self._clock()
        pairs, sides = fetch_pairs(config, request, self._source(), deadline=FETCH_SECONDS)
        self.store.keep_pairs(pair_list_id, pairs, now=began)
        return {
            "judgeResult": to_json(judge_kayenta(config, request.get("thresholds") or {}, pairs)),
            "metricSetPairListId": pair_list_id,
            "startedAt": began,
            "endedAt": self._clock(),
            "duration": sides.duration,
            "startTimeIso": format_time(sides.start),
            "endTimeIso": format_time(sides.end),
        }

    def _next_of_series(self, execution: Execution) -> None:
        """Make the next judgement of a series; stop early where one falls to the marginal threshold or below."""
        document = dict(execution.document)
        plan, done = document["plan"], list(document["done"])
        number = len(done)
        request = plan["requests"][number]
        try:
            outcome = self._judge(document["config"], request, f"{execution.id}-{number + 1}")
        except ArchiveError:
            raise
        except Exception as error:  # noqa: BLE001 - an accepted execution must end, whatever went wrong
            document["error"] = _trouble(error, execution)
            self._write(execution, document, status="terminal")
            return
        done.append({**outcome, "request": request})
        document["done"] = done
        score = outcome["judgeResult"]["score"]["score"]
        # As Kayenta's own series: a score at or under marginal ends it, and the last one must reach pass.
        low = isinstance(score, int | float) and score <= plan["thresholds"]["marginal"]
        over = low or len(done) == len(plan["requests"])
        due = None if over else plan["due"][number + 1] + document.get("ahead", 0.0)
        status = "running" if not over else "terminal" if low or not _passes(score, plan) else "succeeded"
        self._write(execution, document, status=status, due_at=due)

    def _write(self, execution: Execution, document: Mapping[str, Any], *, status: str, due_at: float | None = None) -> None:
        """Write what was found; an archive that is away for a moment is waited for."""
        until = time.monotonic() + CLAIM_SECONDS
        while True:
            try:
                kept = self.store.write(execution, document, status=status, due_at=due_at)
                break
            except ArchiveError:
                if time.monotonic() > until:
                    raise
                time.sleep(RETRY_SECONDS)
        observer().ended(status if kept else "lost")
        if not kept:
            log.warning("execution %s was taken over or cancelled; its result is not kept", execution.id)

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; trouble of the archive is waited out."""
        said, at = "", 0.0
        while not stop.is_set():
            try:
                worked = self.work_once()
            except ArchiveError as error:
                if str(error) != said or time.monotonic() - at >= AGAIN_SECONDS:
                    said, at = str(error), time.monotonic()
                    log.warning("executions wait: %s", error)
                worked = False
            except Exception:
                # The thread must live: this process has no other one that works on executions.
                log.exception("executions wait")
                worked = False
            if not worked:
                stop.wait(IDLE_SECONDS)


def _passes(score: Any, plan: Mapping[str, Any]) -> bool:
    return isinstance(score, int | float) and score >= plan["thresholds"]["pass"]


def _trouble(error: Exception, execution: Execution) -> str:
    """Say what went wrong; what nobody foresaw is for the log, not for the caller."""
    if isinstance(error, JudgeError):
        return str(error)
    log.error("execution %s", execution.id, exc_info=error)
    return f"internal error ({type(error).__name__})"
