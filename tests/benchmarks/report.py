"""What a report page costs: ``python -m tests.benchmarks.report``.

Canaries of several sizes are made up, judged at each of their looks as a rollout
would be, and written as one file with the dump inside. What is told is the median
of several runs in this process, after one to load what is needed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from judge.config.load import parse_config
from judge.core.canary import judge_canary
from judge.core.model import Series, SeriesPair, Traffic, Window
from judge.reports.verdict_page import Around, verdict_page
from judge.verdicts.analysis import Analysis
from judge.verdicts.export import dump_with_record
from judge.verdicts.records import write_record
from judge.verdicts.related import alone, spread
from judge.wire.request import Request
from tests.benchmarks.machine import machine

START, STEP = 1_763_628_000.0, 15.0
MOST_BYTES, MOST_SECONDS = 1_500_000, 1.0
SIZES = ((12, 120, 20), (20, 240, 20), (20, 240, 1), (200, 240, 1), (2000, 60, 1))
"""Metrics, samples a side, looks. The second one is the promise."""
RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One page: its size, how much of it is the dump, and the seconds it took to write."""

    size: int
    dump: int
    seconds: float


def records(metrics: int, samples: int, looks: int) -> list[dict[str, Any]]:
    """Records of every look at one canary, the last one with all samples."""
    rng = np.random.default_rng(6)
    query = 'histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{service="shop",${scope}}[1m])))'
    document = {
        "name": "http-service",
        "scope": 'hash="${hash}"',
        "window": {"step": "15s", "length": "12h"},
        "looks": {"count": looks},
        "metrics": [{"name": f"metric-{n}", "query": query, "unit": "s", "direction": "increase"} for n in range(metrics)],
    }
    config = parse_config(document, where="the benchmark")
    t = START + STEP * np.arange(samples)
    pairs = []
    for n in range(metrics):
        slower = 1.0 + 0.3 * (n % 4 == 0)
        sides = [0.05 * scale * rng.gamma(8, 1 / 8, samples) for scale in (1.0, slower)]
        pairs.append((f"metric-{n}", sides))
    found = []
    for look in range(1, looks + 1):
        count = max(samples * look // looks, 2)
        window = Window(start=START, end=float(t[count - 1]), step=STEP, warmup=90.0, look=look, of=looks, first_sample=START - 100.0)
        seen = tuple(
            SeriesPair(
                metric=name,
                baseline=Series(t=t[:count], v=baseline[:count]),
                canary=Series(t=t[:count], v=canary[:count]),
                queries={side: query.replace("${scope}", f'hash="{side}"') for side in ("baseline", "canary")},
                rate_window=60.0,
            )
            for name, (baseline, canary) in pairs
        )
        traffic = Traffic(baseline=50_000.0, canary=10_000.0)
        verdict = judge_canary(config, seen, traffic=traffic, window=window)
        request = Request(
            config=config.name, baseline="6f9c7b8d5", canary="7d4b9c6f8", scope=config.scope, args={"service": "shop"}, rollout="shop"
        )
        analysis = Analysis(
            request=request,
            config=config,
            window=window,
            verdict=verdict,
            pairs=seen,
            traffic=traffic,
            source={"type": "prometheus", "url": "http://prometheus:9090"},
        )
        found.append(write_record(analysis, id=f"01JD4Z8Q2M7K3N5P9R1T6V8{look:03}", asked_at=window.end + 2.0, question="", settings={}))
    return found


def row(record: Mapping[str, Any]) -> dict[str, Any]:
    """What the archive would list of it."""
    window, request = record["window"], record["request"]
    return {
        "id": record["id"],
        "asked_at": record["asked_at"],
        "verdict": record["verdict"]["verdict"],
        "score": record["verdict"]["score"],
        "reason": record["verdict"]["reason"],
        "look": window["look"],
        "looks": window["of"],
        "window_end": window["end"],
        **{name: request[name] for name in ("config", "rollout", "baseline", "canary")},
    }


def around(told: list[dict[str, Any]]) -> Around:
    """What `judge report` collects, without an archive."""
    known = alone(dump_with_record(told[-1], ()), told[-1]["id"])
    return Around(
        looks=[row(one) for one in told],
        records=spread(told, 24),
        labels=[],
        dump=known.dump,
        dump_name=known.dump_name,
        no_dump=known.no_dump,
    )


def measure(metrics: int, samples: int, looks: int, *, runs: int = RUNS) -> Cost:
    """Write the page so often; the dump is packed each time."""
    told = records(metrics, samples, looks)
    took = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        known = around(told)
        page = verdict_page(told[-1], around=known)
        took.append(time.perf_counter() - began)
    return Cost(size=len(page.encode()), dump=len(known.dump), seconds=median(took[1:]))


def main() -> None:
    """Measure everything and print one table."""
    print(f"{machine()}; median of {RUNS} runs\n")
    print(f"{'metrics':>8}{'samples':>9}{'looks':>7}{'page kB':>10}{'of it dump':>12}{'ms':>8}")
    for size in SIZES:
        found = measure(*size)
        kept = ""
        if size == SIZES[1]:
            good = found.size < MOST_BYTES and found.seconds < MOST_SECONDS
            kept = f"  < {MOST_BYTES / 1e6:g} MB and {MOST_SECONDS:g} s: {'kept' if good else 'MISSED'}"
        print(f"{size[0]:8}{size[1]:9}{size[2]:7}{found.size / 1e3:10.0f}{found.dump / 1e3:12.0f}{1000 * found.seconds:8.0f}{kept}")


if __name__ == "__main__":
    main()
