"""Mimir with two teams' samples, written by a real Prometheus each: what the judge makes of tenants, and of their limits."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tests.servers import loopback, prometheus, wait_until
from tests.stores.cells import Cell
from tests.stores.judging import Judge, judging
from tests.stores.mimir import TENANT, Mimir, mimir

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import Asked

CONFIG = """
args: {service: {}}
scope: 'rollouts_pod_template_hash="${hash}"'
window: {step: 2s, length: 24s}
looks: {count: 100, interval: 2s}
traffic: {query: 'sum(increase(http_requests_total{service="${service}",${scope}}[${window}]))', min_requests: 100}
metrics:
  - name: error-ratio
    numerator: sum(increase(http_requests_total{service="${service}",code="500",${scope}}[${step}]))
    denominator: sum(increase(http_requests_total{service="${service}",${scope}}[${step}]))
    direction: increase
    critical: true
    must_detect: {relative: 300%, absolute: 3pp}
  - name: memory
    query: avg(process_resident_memory_bytes{service="${service}",${scope}})
    direction: increase
    tolerance: 10%
    must_detect: 40%
"""
TEAMS = ("team-a", "team-b")
LIMITED = "team-b-limited"
QUESTION = {"baseline": "aaaa", "canary": "bbbb", "service": "shop"}
SECONDS = 32.0
"""What is written before anything is asked: the window, and what its first counts look back to."""
TICK = 0.1
ERRORS = {("team-a", "bbbb"): 0.3}
USUAL_ERRORS = 0.01


class Shop:
    """Pods of two teams that count requests: the address ``/team/hash`` says what one of them has counted by now."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        chance = np.random.default_rng(7)
        self._counts = {}
        self._memory = {}
        for team in TEAMS:
            for side in ("aaaa", "bbbb"):
                requests = chance.poisson(200 * TICK, size=100_000)
                errors = chance.binomial(requests, ERRORS.get((team, side), USUAL_ERRORS))
                self._counts[team, side] = np.cumsum(requests - errors), np.cumsum(errors)
                self._memory[team, side] = np.round(2e8 * (1 + 0.01 * chance.standard_normal(100_000)))

    def __call__(self, asked: Asked) -> None:
        """Answer a scrape."""
        _, team, side = asked.path.split("/")
        now = int((time.monotonic() - self._began) / TICK)
        labels = f'service="shop",rollouts_pod_template_hash="{side}"'
        good, bad = self._counts[team, side]
        lines = [
            "# TYPE http_requests_total counter",
            f'http_requests_total{{{labels},code="200"}} {good[now]}',
            f'http_requests_total{{{labels},code="500"}} {bad[now]}',
            "# TYPE process_resident_memory_bytes gauge",
            f"process_resident_memory_bytes{{{labels}}} {self._memory[team, side][now]:.0f}",
            "",
        ]
        asked.say(200, "\n".join(lines), Content_Type="text/plain; version=0.0.4")


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Mimir with what two teams wrote; `end` is the newest second that has been written."""

    mimir: Mimir
    program: Path
    direct: Mapping[str, str]
    end: float
    folder: Path

    @contextmanager
    def judge(self, *, tokens: str = "", **sources: Mapping[str, object]) -> Iterator[Judge]:
        """Run a judge with these sources."""
        number = len(list(self.folder.glob("judge-*")))
        question = {**QUESTION, "end": str(self.end)}
        with judging(self.folder / f"judge-{number}", sources=sources, config=CONFIG, question=question, tokens=tokens) as found:
            yield found

    def tenant(self, name: str, **more: object) -> Mapping[str, object]:
        """A source that asks as this tenant."""
        return {"url": self.mimir.query_api, "headers": {TENANT: name}, **more}


@contextmanager
def world(programs: Mapping[str, Path], folder: Path) -> Iterator[World]:
    """Start everything, and write for a while."""
    program, writer = programs["mimir"], programs["prometheus"]
    with ExitStack() as stack:
        shop = stack.enter_context(loopback(Shop())).url
        running = stack.enter_context(mimir(program, folder / "mimir"))
        direct = {team: stack.enter_context(_writing(writer, folder / team, shop, running, team)) for team in TEAMS}
        end = math.ceil((time.time() + SECONDS) / 2) * 2

        def written() -> bool:
            return min(running.newest(tenant, "process_resident_memory_bytes") for tenant in (*TEAMS, LIMITED)) >= end

        wait_until(written, "Mimir has what was scraped", seconds=3 * SECONDS, pause=0.5)
        yield World(mimir=running, program=program, direct=direct, end=end, folder=folder)


@contextmanager
def _writing(writer: Path, folder: Path, shop: str, target: Mimir, team: str) -> Iterator[str]:
    """A team's Prometheus, which scrapes its pods and writes on to Mimir; all that team-b has also as `LIMITED`.

    It is Prometheus 3: Debian's leaves the headers of ``remote_write`` out.
    """
    targets = [{"targets": [shop.removeprefix("http://")]}]
    pods = [
        {"job_name": side, "honor_labels": True, "metrics_path": f"/{team}/{side}", "static_configs": targets}
        for side in (QUESTION["baseline"], QUESTION["canary"])
    ]
    tenants = [team, LIMITED] if team == "team-b" else [team]
    writing = [
        {"url": f"{target.url}/api/v1/push", "name": name, "headers": {TENANT: name}, "queue_config": {"batch_send_deadline": "200ms"}}
        for name in tenants
    ]
    with prometheus(folder, program=writer, more={"scrape_configs": pods, "remote_write": writing}) as url:
        yield url


def each_its_own(found: World) -> Mapping[str, object]:
    sources = {name: found.tenant(name) for name in TEAMS} | {f"{name}-direct": {"url": url} for name, url in found.direct.items()}
    with found.judge(**sources) as judge:
        told = {name: judge.ask(name) for name in sources}
        log = judge.log
    return {
        **{name: told[name].verdict for name in TEAMS},
        "from each team's Prometheus": ", ".join(told[f"{name}-direct"].verdict for name in TEAMS),
        "samples differ by": max(told[name].differs(told[f"{name}-direct"]) for name in TEAMS),
        "source in the record": told["team-a"].record["settings"]["source"]["name"],
        "header in record or log": TENANT.lower() in f"{told['team-a'].record}{log}".lower(),
    }


def two_callers(found: World) -> Mapping[str, object]:
    keys = {team: f"token-of-{team}-for-argo" for team in TEAMS}
    lines = [
        f"  - {{name: {team}-argo, sha256: {hashlib.sha256(key.encode()).hexdigest()!r}, configs: [{team}]}}" for team, key in keys.items()
    ]
    with found.judge(tokens="\n".join(["tokens:", *lines, ""]), **{team: found.tenant(team) for team in TEAMS}) as judge:
        a, b = (judge.ask(team, token=key) for team, key in keys.items())
        across = judge.ask("team-b", token=keys["team-a"])
        read, _ = judge.fetch(f"/v1/verdicts/{b.answer['id']}", token=keys["team-a"])
        nobody = judge.ask("team-a")
        log = judge.log
    return {
        "team-a": a.verdict,
        "team-b": b.verdict,
        "team-b's config with team-a's token": across.status,
        "its allowed configs": ", ".join(across.answer["allowed"]),
        "team-b's verdict with team-a's token": read,
        "without a token": nobody.status,
        "callers in the log": ", ".join(sorted(set(re.findall(r"caller=(\S+)", log)))),
    }


def asked_wrongly(found: World) -> Mapping[str, object]:
    sources = {
        "without a tenant": {"url": found.mimir.query_api},
        "as somebody else": found.tenant("team-c"),
        "as two at once": found.tenant("|".join(TEAMS)),
        "without /prometheus": {"url": found.mimir.url, "headers": {TENANT: "team-a"}},
    }
    names = {name: name.replace(" ", "-").replace("/", "") for name in sources}
    with found.judge(**{names[name]: source for name, source in sources.items()}) as judge:
        told = {name: judge.ask(short) for name, short in names.items()}
        answered = judge.ask(f"{names['without a tenant']}-or-503")
    return {
        **{name: f"{one.verdict}: {re.sub(r'^.*?http://[^ ]+ ', '', one.reason)}" for name, one in told.items()},
        "on_source_error: error": answered.status,
    }


def limited(found: World, *, limits: Mapping[str, object]) -> Mapping[str, object]:
    with found.judge(limited=found.tenant(LIMITED), free=found.tenant("team-b")) as judge:
        before = judge.ask("limited")
        found.mimir.limit({LIMITED: limits})
        try:
            after, other = judge.ask("limited"), judge.ask("free")
        finally:
            found.mimir.limit({})
    return {
        "before": before.verdict,
        "after": after.verdict,
        "its reason": re.sub(r"^.*?http://[^ ]+ (.*?\(err-mimir[^)]*\)).*$", r"\1", after.reason),
        "another tenant": other.verdict,
    }


def too_much_at_once(found: World) -> Mapping[str, object]:
    """No query may wait: Mimir answers each with 429."""
    with (
        mimir(found.program, found.folder / "crowded", **{"query-scheduler.max-outstanding-requests-per-tenant": 0}) as crowded,
        found.judge(crowded={"url": crowded.query_api, "headers": {TENANT: "team-a"}}) as judge,
    ):
        told, answered = judge.ask("crowded"), judge.ask("crowded-or-503")
    return {
        "verdict": f"{told.verdict}, {', '.join(sorted(told.classes))}",
        "its reason": re.sub(r"^.*?http://[^ ]+ ", "", told.reason),
        "on_source_error: error": answered.status,
    }


CELLS = (
    Cell(
        name="two tenants, a source each",
        run=each_its_own,
        expected={
            "team-a": "fail",
            "team-b": "pass",
            "from each team's Prometheus": "fail, pass",
            "samples differ by": 0.0,
            "source in the record": "team-a",
            "header in record or log": False,
        },
    ),
    Cell(
        name="two callers, a tenant each",
        run=two_callers,
        expected={
            "team-a": "fail",
            "team-b": "pass",
            "team-b's config with team-a's token": 400,
            "its allowed configs": "team-a",
            "team-b's verdict with team-a's token": 404,
            "without a token": 401,
            "callers in the log": "team-a-argo, team-b-argo",
        },
    ),
    Cell(
        name="asked as the wrong tenant",
        run=asked_wrongly,
        expected={
            "without a tenant": "inconclusive: does not let us in (401 Unauthorized: no org id): "
            "check username, password, bearer_token and headers in its settings",
            "as somebody else": "inconclusive: the canary has no samples yet",
            "as two at once": "inconclusive: answered 422 Unprocessable Entity: "
            "too many tenant IDs present in the request. max: 1 actual: 2",
            "without /prometheus": "inconclusive: has no query API at this address (404 Not Found): check the address and its path",
            "on_source_error: error": 503,
        },
    ),
    *(
        Cell(
            name=name,
            run=partial(limited, limits=limits),
            expected={"before": "pass", "after": after, "its reason": f"refused the query: {reason}", "another tenant": "pass"},
        )
        for name, limits, after, reason in (
            (
                "more series than a tenant may read",
                {"max_fetched_series_per_query": 1},
                "inconclusive",
                "the query exceeded the maximum number of series (limit: 1 series) (err-mimir-max-series-per-query)",
            ),
            (
                "a longer window than a tenant may read",
                {"max_total_query_length": "10s"},
                "error",
                "the total query time range exceeds the limit (query length: 24s, limit: 10s) (err-mimir-max-total-query-length)",
            ),
            (
                "a query that is blocked",
                {"blocked_queries": [{"pattern": ".*_bytes.*", "regex": True, "reason": "too dear"}]},
                "inconclusive",
                "the request has been blocked by the cluster administrator too dear (err-mimir-query-blocked)",
            ),
        )
    ),
    Cell(
        name="more queries than may wait",
        run=too_much_at_once,
        expected={
            "verdict": "inconclusive, nodata",
            "its reason": "limits how much is asked (429): too many outstanding requests",
            "on_source_error: error": 503,
        },
    ),
)
