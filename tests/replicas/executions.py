"""Asynchronous Kayenta executions on replicas that are killed one after the other, and what came of each."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from judge.kayenta.store import OVER
from judge.wire.request import format_time
from tests.integration.test_kayenta import CONFIG
from tests.replicas.harness import cluster

if TYPE_CHECKING:
    from pathlib import Path

    from tests.replicas.harness import Cluster

CALLERS = 8
# Every change of a row is written down by the database itself: nobody else can say what was judged how often.
AUDIT = """
CREATE TABLE audit (id text, status text, claim text, at double precision DEFAULT extract(epoch FROM clock_timestamp()));
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO audit (id, status, claim) VALUES (NEW.id, NEW.status, NEW.claim);
    RETURN NEW;
END $$;
CREATE TRIGGER audit AFTER UPDATE OF status, claim ON judge_kayenta_executions FOR EACH ROW EXECUTE FUNCTION audit();
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of all executions; `latency` in seconds from the answer to the caller to the result."""

    accepted: int
    unheard: int
    lost: list[str]
    results: dict[int, int]
    scores: dict[Any, int]
    errors: list[str]
    claims: dict[int, int]
    foreign: list[str]
    kills: int
    seconds: float
    latency: list[float]

    def __str__(self) -> str:
        quantiles = ", ".join(f"{np.quantile(self.latency, share):.2f} s" for share in (0.5, 0.95, 1.0))
        rows = [
            ("accepted", f"{self.accepted}, and {self.unheard} more whose answer no caller heard"),
            ("replicas killed", str(self.kills)),
            ("lost", str(len(self.lost))),
            ("results written", ", ".join(f"{count} times: {number}" for count, number in sorted(self.results.items()))),
            ("taken by", ", ".join(f"{count} workers: {number}" for count, number in sorted(self.claims.items()))),
            ("won by another claim than the row's", str(len(self.foreign))),
            ("scores", ", ".join(f"{score}: {number}" for score, number in self.scores.items())),
            ("errors", "; ".join(sorted(set(self.errors))) if self.errors else "none"),
            ("executions a second", f"{(self.accepted + self.unheard) / self.seconds:.1f}"),
            ("median, 95 %, longest", quantiles),
        ]
        return "\n".join(f"{name:36} {value}" for name, value in rows)


def measure(
    folder: Path, *, configs: Path, executions: int, replicas: int = 3, workers: int = 2, every: float = 5.0, over: float = 0.0
) -> Outcome:
    """Post executions through whichever replica lives, kill one each so many seconds, wait for every result.

    They come as fast as they are answered, or are spread `over` so many seconds.
    """
    with cluster(folder, replicas=replicas, workers=workers, configs=configs) as judges:
        judges.do(AUDIT)
        config = judges.send("/canaryConfig", CONFIG)["canaryConfigId"]
        document = question(judges)
        accepted: dict[str, float] = {}

        def post(_: int) -> None:
            found = judges.send(f"/canary/{config}?application=shop", document)
            accepted[found["canaryExecutionId"]] = time.time()
            time.sleep(over * CALLERS / executions)

        began = time.time()
        with judges.killing(every) as kills:
            with ThreadPoolExecutor(CALLERS) as pool:
                list(pool.map(post, range(executions)))
            until = time.monotonic() + 120 + executions
            while unfinished(judges) and time.monotonic() < until:
                time.sleep(0.2)
        return collect(judges, accepted, began=began, kills=len(kills))


def question(judges: Cluster) -> dict[str, Any]:
    """What every execution is asked."""
    end = judges.rollout.canary.end

    def scope(side: str) -> dict[str, Any]:
        times = {"start": format_time(end - 1800), "end": format_time(end)}
        return {"scope": getattr(judges.rollout, side).hash, "location": "default", "step": 60, **times}

    scopes = {"default": {"controlScope": scope("baseline"), "experimentScope": scope("canary")}}
    return {"scopes": scopes, "thresholds": {"pass": 90, "marginal": 75}}


def unfinished(judges: Cluster) -> int:
    """How many are not over."""
    names = ", ".join(f"'{name}'" for name in OVER)
    return int(judges.query(f"SELECT count(*) FROM judge_kayenta_executions WHERE status NOT IN ({names})")[0][0])


def collect(judges: Cluster, accepted: dict[str, float], *, began: float, kills: int) -> Outcome:
    """Read each execution as its caller does, and what the database saw of it."""
    rows = dict(judges.query("SELECT id, claim FROM judge_kayenta_executions"))
    audit = judges.query("SELECT id, status, claim, at FROM audit ORDER BY at")
    written = Counter(id for id, status, _, _ in audit if status in OVER)
    ended = {id: at for id, status, _, at in audit if status in OVER}
    winners = {id: claim for id, status, claim, _ in audit if status in OVER}
    taken = Counter(id for id, claim in {(id, claim) for id, _, claim, _ in audit if claim})
    statuses = {id: judges.send(f"/canary/{id}") for id in accepted}
    scores: Counter[Any] = Counter()
    errors = []
    for each in statuses.values():
        if each.get("result"):
            scores[each["result"]["judgeResult"]["score"]["score"]] += 1
        else:
            errors.append(str(each.get("exception", each["status"])))
    return Outcome(
        accepted=len(accepted),
        unheard=len(rows.keys() - accepted.keys()),
        lost=[id for id, each in statuses.items() if not each["complete"] or id not in rows],
        results=dict(Counter(written[id] for id in rows)),
        scores=dict(scores),
        errors=errors,
        claims=dict(Counter(taken[id] for id in rows)),
        foreign=[id for id, claim in rows.items() if claim != winners.get(id)],
        kills=kills,
        seconds=max(ended.values(), default=began) - began,
        latency=[max(ended[id] - at, 0.0) for id, at in accepted.items() if id in ended],
    )
