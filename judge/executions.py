"""Kayenta's canary executions: accepted at once, worked on behind, by whichever worker is free.

An execution is a row that any replica can claim (`judge.archive.kayenta`); its
document is all a worker needs. A worker that dies lets its claim run out, and
another takes the execution over. Nobody but the holder of the newest claim can
write a result, so each execution has one.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from judge.archive.kayenta import WAITING, Execution, KayentaStore
from judge.core.kayenta.judge import judge_kayenta, to_json
from judge.errors import ArchiveError, JudgeError
from judge.kayenta_fetch import fetch_pairs
from judge.sources import Answer, Query, Source
from judge.wire.request import format_time

log = logging.getLogger("judge.executions")

CLAIM_SECONDS = 20.0
"""A claim that is older was held by a worker that died."""
FETCH_SECONDS = 12.0
IDLE_SECONDS = 0.5


class Executions:
    """Accepts, works on and describes executions."""

    def __init__(self, store: KayentaStore, source: Callable[[], Source], *, clock: Callable[[], float], new_id: Callable[[], str]) -> None:
        """`source` opens what series come from; `clock` gives unix seconds."""
        self.store = store
        self._source = source
        self._clock = clock
        self._new_id = new_id

    def accept(self, config: Mapping[str, Any], request: Mapping[str, Any], *, application: str, parent: str = "") -> str:
        """Accept one judgement and answer its id; once this returns, it is not lost."""
        return self._accept("canary", {"config": config, "request": request, "parent": parent}, application=application)

    def accept_series(self, config: Mapping[str, Any], plan: Mapping[str, Any], *, application: str, first_at: float) -> str:
        """Accept a scheduled series of judgements (a standalone canary analysis)."""
        return self._accept("standalone", {"config": config, "plan": plan, "done": []}, application=application, due_at=first_at)

    def _accept(self, kind: str, document: Mapping[str, Any], *, application: str, due_at: float | None = None) -> str:
        now = self._clock()
        kept = {**document, "application": application, "accepted_at": now}
        found = Execution(id=self._new_id(), kind=kind, application=application, status=WAITING, created_at=now, claim=None, document=kept)
        self.store.accept(found, due_at=now if due_at is None else due_at)
        return found.id

    def ask(self, queries: Sequence[Query]) -> list[Answer]:
        """Ask the source something else."""
        return self._source().fetch(queries, deadline=FETCH_SECONDS)

    def work_once(self) -> bool:
        """Work on what has been due for longest; False where nothing is."""
        now = self._clock()
        execution = self.store.claim(uuid.uuid4().hex, now=now, until=now + CLAIM_SECONDS)
        if execution is None:
            return False
        step = self._one if execution.kind == "canary" else self._next_of_series
        step(execution)
        return True

    def _one(self, execution: Execution) -> None:
        document = {**execution.document, "started_at": self._clock()}
        status = "succeeded"
        try:
            document["outcome"] = self._judge(document["config"], document["request"], execution.id)
        except Exception as error:  # noqa: BLE001 - an accepted execution must end, whatever went wrong
            document["error"], status = _trouble(error, execution), "terminal"
        document["ended_at"] = self._clock()
        self._write(execution, document, status=status, due_at=self._clock())

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
        except Exception as error:  # noqa: BLE001 - an accepted execution must end, whatever went wrong
            document["error"] = _trouble(error, execution)
            self._write(execution, document, status="terminal", due_at=self._clock())
            return
        done.append({**outcome, "request": request})
        document["done"] = done
        score = outcome["judgeResult"]["score"]["score"]
        # As Kayenta's own series: a score at or under marginal ends it, and the last one must reach pass.
        low = isinstance(score, int | float) and score <= plan["thresholds"]["marginal"]
        over = low or len(done) == len(plan["requests"])
        due = self._clock() if over else plan["due"][number + 1]
        status = "running" if not over else "terminal" if low or not _passes(score, plan) else "succeeded"
        self._write(execution, document, status=status, due_at=due)

    def _write(self, execution: Execution, document: Mapping[str, Any], *, status: str, due_at: float) -> None:
        if not self.store.write(execution, document, status=status, due_at=due_at):
            log.warning("execution %s was taken over or cancelled; its result is not kept", execution.id)

    def run(self, stop: threading.Event) -> None:
        """Work until told to stop; trouble of the archive is waited out."""
        while not stop.is_set():
            try:
                worked = self.work_once()
            except ArchiveError as error:
                log.warning("executions wait: %s", error)
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
