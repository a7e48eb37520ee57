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
from dataclasses import dataclass
from typing import Any

from judge.archive.kayenta import WAITING, Execution, KayentaStore
from judge.core.kayenta.judge import judge_kayenta, to_json
from judge.errors import ArchiveError, JudgeError
from judge.kayenta_fetch import Sides, fetch_pairs
from judge.sources import Answer, Query, Source
from judge.wire.request import format_time

log = logging.getLogger("judge.executions")

CLAIM_SECONDS = 20.0
"""A claim that is older was held by a worker that died."""
FETCH_SECONDS = 12.0
IDLE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One judgement: the documents that Kayenta's clients read."""

    judge_result: Mapping[str, Any]
    pair_list_id: str
    started_at: float
    ended_at: float
    sides: Sides


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
        now = self._clock()
        document = {"config": config, "request": request, "application": application, "parent": parent, "accepted_at": now}
        found = Execution(
            id=self._new_id(), kind="canary", application=application, status=WAITING, created_at=now, claim=None, document=document
        )
        self.store.accept(found, due_at=now)
        return found.id

    def accept_series(self, config: Mapping[str, Any], plan: Mapping[str, Any], *, application: str, first_at: float) -> str:
        """Accept a scheduled series of judgements (a standalone canary analysis)."""
        now = self._clock()
        document = {"config": config, "plan": plan, "application": application, "accepted_at": now, "done": []}
        found = Execution(
            id=self._new_id(), kind="standalone", application=application, status=WAITING, created_at=now, claim=None, document=document
        )
        self.store.accept(found, due_at=first_at)
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
        document = dict(execution.document)
        status = "succeeded"
        document["started_at"] = self._clock()
        try:
            document["outcome"] = outcome_fields(self._judge(document["config"], document["request"], execution.id))
        except JudgeError as error:
            document["error"], status = str(error), "terminal"
        except Exception as error:
            log.exception("execution %s", execution.id)
            document["error"], status = f"internal error ({type(error).__name__})", "terminal"
        document["ended_at"] = self._clock()
        if not self.store.write(execution, document, status=status, due_at=self._clock()):
            log.warning("execution %s was taken over or cancelled; its result is not kept", execution.id)

    def _judge(self, config: Mapping[str, Any], request: Mapping[str, Any], pair_list_id: str) -> Outcome:
        began = self._clock()
        pairs, sides = fetch_pairs(config, request, self._source(), deadline=FETCH_SECONDS)
        self.store.keep_pairs(pair_list_id, pairs, now=began)
        result = to_json(judge_kayenta(config, request.get("thresholds") or {}, pairs))
        return Outcome(judge_result=result, pair_list_id=pair_list_id, started_at=began, ended_at=self._clock(), sides=sides)

    def _next_of_series(self, execution: Execution) -> None:
        """Make the next judgement of a series; stop early where one falls to the marginal threshold or below."""
        document = dict(execution.document)
        plan, done = document["plan"], list(document["done"])
        number = len(done)
        request = plan["requests"][number]
        try:
            outcome = self._judge(document["config"], request, f"{execution.id}-{number + 1}")
        except Exception as error:
            if not isinstance(error, JudgeError):
                log.exception("execution %s", execution.id)
            document["error"] = str(error) if isinstance(error, JudgeError) else f"internal error ({type(error).__name__})"
            self.store.write(execution, document, status="terminal", due_at=self._clock())
            return
        done.append({**outcome_fields(outcome), "request": request})
        document["done"] = done
        score = outcome.judge_result["score"]["score"]
        # As Kayenta's own series: a score at or under marginal ends it, the last one must exceed pass.
        low = isinstance(score, int | float) and score <= plan["thresholds"]["marginal"]
        over = low or len(done) == len(plan["requests"])
        due = self._clock() if over else plan["due"][number + 1]
        status = "running" if not over else "terminal" if low or not _passes(score, plan) else "succeeded"
        self.store.write(execution, document, status=status, due_at=due)

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


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """Write a judgement as it is kept."""
    return {
        "judgeResult": dict(outcome.judge_result),
        "metricSetPairListId": outcome.pair_list_id,
        "startedAt": outcome.started_at,
        "endedAt": outcome.ended_at,
        "duration": outcome.sides.duration,
        "startTimeIso": format_time(outcome.sides.start),
        "endTimeIso": format_time(outcome.sides.end),
    }
