"""Thanos in front of two Prometheus servers: what the judge makes of its answers while all is well, and while a part is away."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING

from tests.servers import prometheus, wait_until
from tests.stores.cells import Cell
from tests.stores.clusters import CONFIG, SCENARIOS, Past, Workshop, cluster, joined, last_minute, regions, replicas, without, world
from tests.stores.thanos import healthy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.stores.judging import Judge, Told

__all__ = ["CELLS", "world"]

AWHILE = 30.0
"""Seconds within which a querier knows of a store that went or came."""
DEADLINE = 9.0
"""Seconds within which the judge answers while a store hangs: each round of queries waits for it."""
ROUNDING = 1e-13
"""Thanos of today and Prometheus 2.42 do not add up in the same way."""
TENANT = "THANOS-TENANT"


def both(judge: Judge, past: Past, config: str) -> dict[str, Told]:
    """The verdicts of both scenarios."""
    return {scenario: judge.ask(config, **past.question(scenario)) for scenario in SCENARIOS}


def verdicts(told: Mapping[str, Told]) -> str:
    """Say them in one line."""
    return ", ".join(f"{scenario} {one.verdict}" for scenario, one in told.items())


def replicas_well(shop: Workshop) -> Mapping[str, object]:
    past = last_minute()
    text = past.text(seed=7)
    with replicas(shop, text, text, past=past) as found:
        newer = found.stack.enter_context(prometheus(found.folder / "newer", blocks=text, program=shop.prometheus))
        deduplicated = found.querier("query", "--query.replica-label=replica")
        judge = found.judge(thanos={"url": deduplicated}, older={"url": found.stores[0].prometheus_url}, newer={"url": newer})
        thanos, older, newer_told = (both(judge, past, name) for name in ("thanos", "older", "newer"))
    differ = max(thanos[name].differs(older[name]) for name in SCENARIOS)
    return {
        "verdicts": verdicts(thanos),
        "from Prometheus 2.42 directly": verdicts(older),
        "the same reasons": all(thanos[name].reason == older[name].reason for name in SCENARIOS),
        "samples differ by": "rounding" if differ < ROUNDING else differ,
        "from those of Prometheus 3 by": max(thanos[name].differs(newer_told[name]) for name in SCENARIOS),
        "marked": thanos["healthy"].marked,
    }


def regions_well(shop: Workshop) -> Mapping[str, object]:
    with regions(shop) as found:
        whole = joined([found.past.text(seed=seed) for seed in (7, 8)])
        direct_url = found.stack.enter_context(prometheus(found.folder / "direct", blocks=whole))
        judge = found.judge(thanos={"url": found.querier("query")}, direct={"url": direct_url})
        thanos, direct = both(judge, found.past, "thanos"), both(judge, found.past, "direct")
    differ = max(thanos[name].differs(direct[name]) for name in SCENARIOS)
    return {
        "verdicts": verdicts(thanos),
        "from Prometheus directly": verdicts(direct),
        "samples differ by": "rounding" if differ < ROUNDING else differ,
        "marked": thanos["healthy"].marked,
    }


def part_away(shop: Workshop, *, what: str) -> Mapping[str, object]:
    with regions(shop) as found:
        url = found.querier("query")
        judge = found.judge(mark={"url": url}, refuse={"url": url, "partial": "refuse"})
        before = judge.ask("mark")
        getattr(found.stores[1], what)()
        marked, refused, answered = judge.ask("mark"), judge.ask("refuse"), judge.ask("refuse-or-503")
    return {
        "before": f"{before.verdict}, marked: {before.marked}",
        "partial: mark": f"{marked.verdict}, marked: {marked.marked}",
        "Thanos' own words": "connection refused" in str(marked.record["verdict"]["results"][0]["warnings"]),
        "partial: refuse": f"{refused.verdict}, {', '.join(sorted(refused.classes))}",
        "its reason says so": "answered in part only: " in refused.reason and "connection refused" in refused.reason,
        "on_source_error: error": answered.status,
    }


def comes_back(shop: Workshop) -> Mapping[str, object]:
    with regions(shop) as found:
        judge = found.judge(thanos={"url": found.querier("query")})
        same = {"rollout": "the-same-question"}
        found.stores[1].kill()
        away = judge.ask("thanos", **same)
        found.stack.enter_context(found.stores[1].again())
        wait_until(lambda: judge.ask("thanos").marked == "no", "the store is back", seconds=AWHILE, pause=0.5)
        back, repeated = judge.ask("thanos", **same), judge.ask("thanos", **same)
    return {
        "away": f"{away.verdict}, marked: {away.marked}",
        "asked the same again": f"{back.verdict}, marked: {back.marked}",
        "and once more": "the same answer" if repeated.answer == back.answer else "another answer",
    }


def frozen(shop: Workshop) -> Mapping[str, object]:
    with regions(shop) as found:
        patient, impatient = found.querier("patient"), found.querier("impatient", "--store.response-timeout=1s")
        judge = found.judge(deadline=DEADLINE, patient={"url": patient}, impatient={"url": impatient})
        found.stores[1].freeze()
        marked = judge.ask("impatient")
        began = time.monotonic()
        waited = judge.ask("patient")
        seconds = time.monotonic() - began
    return {
        "with --store.response-timeout": f"{marked.verdict}, marked: {marked.marked}",
        "without": f"{waited.verdict}, {', '.join(sorted(waited.classes))}",
        "its reason": re.sub(r"^.*?http://\S+ ", "", waited.reason).split(" within")[0],
        "within the judge's deadline": seconds < DEADLINE + 0.5,
    }


def replicas_with_gaps(shop: Workshop) -> Mapping[str, object]:
    past = last_minute()
    text = past.text(seed=7)
    one = without(text, past.end - 1500, past.end - 900)
    other = without(text, past.end - 600, past.end - 300, later=5.0)
    with replicas(shop, one, other, past=past) as found:
        deduplicated = found.querier("query", "--query.replica-label=replica")
        judge = found.judge(thanos={"url": deduplicated}, one={"url": found.stores[0].prometheus_url})
        thanos, alone = both(judge, past, "thanos"), judge.ask("one")
    return {
        "verdicts": verdicts(thanos),
        "marked": thanos["healthy"].marked,
        "samples of memory": thanos["healthy"].record["verdict"]["results"][-1]["n_canary"],
        "of the first alone": alone.record["verdict"]["results"][-1]["n_canary"],
    }


def not_deduplicated(shop: Workshop) -> Mapping[str, object]:
    past = last_minute()
    text = past.text(seed=7)
    with replicas(shop, text, text, past=past) as found:
        judge = found.judge(once={"url": found.querier("once", "--query.replica-label=replica")}, twice={"url": found.querier("twice")})
        once, twice = judge.ask("once"), judge.ask("twice")
    return {"requests without --query.replica-label": f"{twice.requests[1] / once.requests[1]:.2f} times as many"}


def about_the_query(shop: Workshop) -> Mapping[str, object]:
    rates = re.sub(r"(avg\(process_resident_memory_bytes\{.*\})\)$", r"\1[5m]))", CONFIG, flags=re.MULTILINE).replace("avg(p", "avg(rate(p")
    with regions(shop) as found:
        judge = found.judge(config=rates, thanos={"url": found.querier("query"), "partial": "refuse"})
        told = judge.ask("thanos")
    memory = told.record["verdict"]["results"][-1]
    return {
        "verdict": told.verdict,
        "marked": told.marked,
        "Thanos' own words": "PromQL info: metric might not be a counter" in str(memory["warnings"]),
        "no data": told.answer["metrics"]["nodata"],
    }


def tenants(shop: Workshop) -> Mapping[str, object]:
    past = last_minute()
    histories = [past.text(seed=7), past.text(seed=8, worse=True)]
    with cluster(shop, labels=[{"tenant_id": "team-a"}, {"tenant_id": "team-b"}], histories=histories, past=past) as found:
        url = found.querier("query", "--query.enforce-tenancy")
        judge = found.judge(
            a={"url": url, "headers": {TENANT: "team-a"}},
            b={"url": url, "headers": {TENANT: "team-b"}},
            nobody={"url": url},
            direct={"url": found.stores[0].prometheus_url},
        )
        a, b, nobody, direct = (judge.ask(name) for name in ("a", "b", "nobody", "direct"))
    return {
        "team-a": a.verdict,
        "team-b": b.verdict,
        "team-a's samples are its Prometheus'": a.differs(direct) < ROUNDING,
        "without the header": f"{nobody.verdict}: {nobody.reason}",
    }


def forgotten(shop: Workshop) -> Mapping[str, object]:
    with regions(shop) as found:
        url = found.querier("query", strict=False)
        judge = found.judge(thanos={"url": url, "partial": "refuse"})
        before = judge.ask("thanos")
        found.stores[1].kill()
        wait_until(lambda: healthy(url) == 1, "the store is known to be away", seconds=AWHILE, pause=0.2)
        after = judge.ask("thanos")
        found.stores[0].kill()
        wait_until(lambda: healthy(url) == 0, "both stores are known to be away", seconds=AWHILE, pause=0.2)
        nothing = judge.ask("thanos")
    return {
        "before": f"{before.verdict}, marked: {before.marked}",
        "one store away": f"{after.verdict}, marked: {after.marked}",
        "requests seen": f"{after.requests[1] / before.requests[1]:.1f} of before",
        "both away": nothing.verdict,
        "its reason": nothing.reason,
    }


def refused_by_thanos(shop: Workshop, *, what: str) -> Mapping[str, object]:
    with regions(shop) as found:
        judge = found.judge(thanos={"url": found.querier("query", "--no-query.partial-response")})
        before = judge.ask("thanos")
        getattr(found.stores[1], what)()
        after, answered = judge.ask("thanos"), judge.ask("thanos-or-503")
    return {
        "before": before.verdict,
        "after": f"{after.verdict}, {', '.join(sorted(after.classes))}",
        "its reason": re.sub(r"^.*?http://\S+ ([^:]+):.*$", r"\1", after.reason),
        "on_source_error: error": answered.status,
    }


def nothing_left(shop: Workshop) -> Mapping[str, object]:
    with regions(shop) as found:
        url = found.querier("query")
        judge = found.judge(mark={"url": url}, refuse={"url": url, "partial": "refuse"})
        for each in found.stores:
            each.kill()
        marked, refused = judge.ask("mark"), judge.ask("refuse")
    return {
        "partial: mark": f"{marked.verdict}, marked: {marked.marked}",
        "its reason": marked.reason,
        "partial: refuse": refused.verdict,
    }


def worst_part_away(shop: Workshop) -> Mapping[str, object]:
    with regions(shop, worse=True) as found:
        url = found.querier("query")
        judge = found.judge(mark={"url": url}, refuse={"url": url, "partial": "refuse"})
        before = judge.ask("refuse")
        found.stores[1].kill()
        marked, refused = judge.ask("mark"), judge.ask("refuse")
    return {
        "before": before.verdict,
        "partial: mark": f"{marked.verdict}, marked: {marked.marked}",
        "partial: refuse": f"{refused.verdict}, {', '.join(sorted(refused.classes))}",
    }


MARKED = "pass, marked: as a whole, 3 of 3 metrics"
CELLS = (
    Cell(
        name="a pair of replicas, all well",
        run=replicas_well,
        expected={
            "verdicts": "healthy pass, errors fail",
            "from Prometheus 2.42 directly": "healthy pass, errors fail",
            "the same reasons": True,
            "samples differ by": "rounding",
            "from those of Prometheus 3 by": 0.0,
            "marked": "no",
        },
    ),
    Cell(
        name="a pair of replicas with a gap each",
        run=replicas_with_gaps,
        expected={"verdicts": "healthy pass, errors fail", "marked": "no", "samples of memory": 31, "of the first alone": 21},
    ),
    Cell(
        name="a pair of replicas, not deduplicated",
        run=not_deduplicated,
        expected={"requests without --query.replica-label": "2.00 times as many"},
    ),
    Cell(
        name="two regions, all well",
        run=regions_well,
        expected={
            "verdicts": "healthy pass, errors fail",
            "from Prometheus directly": "healthy pass, errors fail",
            "samples differ by": "rounding",
            "marked": "no",
        },
    ),
    Cell(
        name="two tenants, told apart by a header",
        run=tenants,
        expected={
            "team-a": "pass",
            "team-b": "fail",
            "team-a's samples are its Prometheus'": True,
            "without the header": "inconclusive: the canary has no samples yet",
        },
    ),
    Cell(
        name="words about a query",
        run=about_the_query,
        expected={"verdict": "pass", "marked": "not as a whole, 1 of 3 metrics", "Thanos' own words": True, "no data": 0},
    ),
    *(
        Cell(
            name=name,
            run=partial(part_away, what=what),
            expected={
                "before": "pass, marked: no",
                "partial: mark": MARKED,
                "Thanos' own words": True,
                "partial: refuse": "inconclusive, nodata",
                "its reason says so": True,
                "on_source_error: error": 503,
            },
        )
        for name, what in (("a Prometheus behind its sidecar killed", "kill_prometheus"), ("a sidecar killed", "kill"))
    ),
    Cell(
        name="a sidecar killed that had the bad pods",
        run=worst_part_away,
        expected={"before": "fail", "partial: mark": MARKED, "partial: refuse": "inconclusive, nodata"},
    ),
    Cell(
        name="a sidecar killed, and there again",
        run=comes_back,
        expected={"away": MARKED, "asked the same again": "pass, marked: no", "and once more": "the same answer"},
    ),
    Cell(
        name="a sidecar killed that is not strict",
        run=forgotten,
        expected={
            "before": "pass, marked: no",
            # Thanos leaves such a store out without a word: nobody behind it can know.
            "one store away": "pass, marked: no",
            "requests seen": "0.5 of before",
            "both away": "inconclusive",
            "its reason": "the canary has no samples yet",
        },
    ),
    Cell(
        name="a sidecar frozen",
        run=frozen,
        expected={
            "with --store.response-timeout": MARKED,
            "without": "inconclusive, nodata",
            "its reason": "did not answer",
            "within the judge's deadline": True,
        },
    ),
    *(
        Cell(
            name=f"partial answers off, {name}",
            run=partial(refused_by_thanos, what=what),
            expected={
                "before": "pass",
                "after": "inconclusive, nodata",
                "its reason": "gives no answer while a part of it is away",
                "on_source_error: error": 503,
            },
        )
        for name, what in (("a Prometheus killed", "kill_prometheus"), ("a sidecar killed", "kill"))
    ),
    Cell(
        name="every sidecar killed",
        run=nothing_left,
        expected={
            "partial: mark": "inconclusive, marked: as a whole, 0 of 3 metrics",
            "its reason": "the canary has no samples yet (a part of the source did not answer)",
            "partial: refuse": "inconclusive",
        },
    ),
)
