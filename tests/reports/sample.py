"""Realistic records, the same ones on every run and every Python."""

from __future__ import annotations

import random
import statistics
from typing import Any

START = 1_763_628_000.0
STEP = 60.0


def series(
    rng: random.Random, *, level: float, spread: float, n: int = 31, gaps: range = range(0), floor: float = 0.0
) -> dict[str, list[Any]]:
    """Noise around a level; the sample numbers in `gaps` are absent."""
    kept = [i for i in range(n) if i not in gaps]
    return {
        "t": [START + STEP * i for i in kept],
        "v": [round(max(floor, level + rng.gauss(0.0, spread) + rng.choice([0.0, 0.0, 0.0, spread])), 6) for _ in kept],
    }


def comparison(baseline: dict[str, list[Any]], canary: dict[str, list[Any]], **changed: object) -> dict[str, Any]:
    """What a comparison of these two looks like (not how it is computed)."""
    old, new = baseline["v"], canary["v"]
    low, high = statistics.fmean(old), statistics.fmean(new)
    error = 2.33 * (statistics.stdev(old) ** 2 / len(old) + statistics.stdev(new) ** 2 / len(new)) ** 0.5
    shift = high - low
    wins = sum((b > a) + 0.5 * (b == a) for a in old for b in new)
    return {
        "method": "mann-whitney",
        "level": 0.98,
        "u": wins,
        "pvalue": 0.0004 if abs(shift) > 2 * error else 0.41,
        "pvalue_directed": 0.0002 if shift > 2 * error else 0.62,
        "effect": wins / (len(old) * len(new)),
        "shift": shift,
        "shift_low": shift - error,
        "shift_high": shift + error,
        "change": shift / low if low else None,
        "change_low": (shift - error) / low if low else None,
        "change_high": (shift + error) / low if low else None,
        "n_baseline": len(old),
        "n_canary": len(new),
        "n_effective": len(new) - 7,
        "baseline_value": low,
        "canary_value": high,
        "counts": None,
    } | changed


def result(name: str, classification: str, reason: str, **changed: object) -> dict[str, Any]:
    """One metric's result."""
    return {
        "name": name,
        "labels": {},
        "classification": classification,
        "reason": reason,
        "group": "latency",
        "weight": 15.0,
        "critical": False,
        "direction": "increase",
        "tolerance": "5%",
        "must_detect": "20%",
        "unit": "",
        "n_baseline": 0,
        "n_canary": 0,
        "queries": {},
        "warnings": [],
        "comparison": None,
    } | changed


def pair(metric: str, baseline: dict[str, list[Any]], canary: dict[str, list[Any]], **changed: object) -> dict[str, Any]:
    """The samples of one metric."""
    return {"metric": metric, "labels": {}, "baseline": baseline, "canary": canary, "baseline_total": None, "canary_total": None} | changed


def record(outcome: str = "fail", *, verdict_id: str = "01JD4Z8Q2M7K3N5P9R1T6V8X0B", **changed: object) -> dict[str, Any]:
    """The record of an HTTP service; `outcome` ``fail`` or ``pass``, other top-level keys as given."""
    rng = random.Random(f"judge {outcome}")
    bad = outcome == "fail"
    fast, slow = series(rng, level=0.066, spread=0.004), series(rng, level=0.078 if bad else 0.0662, spread=0.005, gaps=range(12, 17))
    p50_old, p50_new = series(rng, level=0.021, spread=0.001), series(rng, level=0.0212, spread=0.001)
    total_old, total_new = series(rng, level=400, spread=20), series(rng, level=100, spread=10)
    errors_old, errors_new = series(rng, level=2, spread=1), series(rng, level=4.0 if bad else 0.5, spread=0.7)
    heap_old, heap_new = series(rng, level=512e6, spread=12e6, gaps=range(20, 31)), series(rng, level=520e6, spread=40e6)
    restarts = {"t": [START + 30 * STEP], "v": [0.0]}
    ratio_old = {"t": errors_old["t"], "v": [a / b for a, b in zip(errors_old["v"], total_old["v"], strict=True)]}
    ratio_new = {"t": errors_new["t"], "v": [a / b for a, b in zip(errors_new["v"], total_new["v"], strict=True)]}
    counts = {
        "baseline_events": sum(errors_old["v"]),
        "baseline_total": sum(total_old["v"]),
        "canary_events": sum(errors_new["v"]),
        "canary_total": sum(total_new["v"]),
        "dispersion": 1.2,
    }
    errors, latency = comparison(ratio_old, ratio_new, method="counts", counts=counts), comparison(fast, slow)
    p99 = 'histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{{service="shop",hash="{}"}}[1m])))'
    results = [
        result(
            "latency-p50",
            "pass",
            "no harmful change: +1.0%, 98% interval -1.9% to +3.8%, limit +5%",
            unit="s",
            comparison=comparison(p50_old, p50_new),
        ),
        result(
            "error-ratio",
            "high" if bad else "pass",
            "errors rose from 0.6% to 4.2% of requests" if bad else "no harmful change",
            group="errors",
            weight=50.0,
            critical=True,
            tolerance="25% and 0.1 pp",
            must_detect="100% and 0.5 pp",
            unit="ratio",
            comparison=errors,
        ),
        result(
            "latency-p99",
            "high" if bad else "pass",
            "canary is slower: +18%, 98% interval +14% to +22%, limit +5%" if bad else "no harmful change",
            unit="s",
            comparison=latency,
            queries={"baseline": p99.format("6f9c7b8d5"), "canary": p99.format("7d4b9c6f8")},
            warnings=["5 samples of the canary are absent from 09:12 to 09:16"],
        ),
        result(
            "heap-used",
            "undecided",
            "the interval still holds both the limit and no change at all",
            group="saturation",
            unit="bytes",
            comparison=comparison(heap_old, heap_new, change=0.016, change_low=-0.031, change_high=0.092),
        ),
        result(
            "cache-hit-ratio",
            "nodata",
            "the canary has no samples in the window",
            group="saturation",
            direction="decrease",
            n_baseline=31,
            n_canary=0,
        ),
        result(
            "oom-kills",
            "pass",
            "0 is within the limit of at most 0",
            group="saturation",
            critical=True,
            tolerance="at most 0",
            must_detect="",
            n_canary=1,
        ),
    ]
    for one in results:
        found = one["comparison"]
        if found is not None:
            one["n_baseline"], one["n_canary"] = found["n_baseline"], found["n_canary"]
    worst = (
        "error-ratio +620% (limit +25% and 0.1 pp), 98% interval +540% to +700%, counts p=0.0004" if bad else "all 4 decided metrics pass"
    )
    return {
        "id": verdict_id,
        "asked_at": START + 31 * STEP,
        "question": "5e" * 32,
        "reusable": True,
        "request": {
            "config": "http-service",
            "baseline": "6f9c7b8d5",
            "canary": "7d4b9c6f8",
            "args": {"service": "shop", "namespace": "default"},
            "rollout": "shop",
            "scope": "pod-template-hash",
            "start": None,
            "end": None,
            "window": None,
            "look": None,
        },
        "config": {"name": "http-service", "metrics": []},
        "config_digest": "c0" * 32,
        "source": {"type": "prometheus", "url": "http://prometheus.monitoring:9090"},
        "versions": {"judge": "0.1.0", "python": "3.11.7", "numpy": "2.4.6"},
        "window": {
            "start": START,
            "end": START + 30 * STEP,
            "step": STEP,
            "warmup": 90.0,
            "look": 7,
            "of": 20,
            "first_sample": START - 100.0,
        },
        "traffic": {"baseline": 12000.0, "canary": 3000.0, "min_requests": 100.0},
        "verdict": {
            "verdict": outcome,
            "score": 0.0 if bad else 100.0,
            "code": 2 if bad else 0,
            "reason": worst,
            "judge": "mann-whitney",
            "warnings": ["Prometheus answered in part: 1 of 3 stores was away"] if bad else [],
            "groups": [
                {"name": "errors", "weight": 50.0, "score": 0.0 if bad else 100.0},
                {"name": "latency", "weight": 30.0, "score": 50.0 if bad else 100.0},
                {"name": "saturation", "weight": 20.0, "score": 100.0},
            ],
            "results": results,
        },
        "samples": [
            pair("latency-p50", p50_old, p50_new),
            pair("error-ratio", errors_old, errors_new, baseline_total=total_old, canary_total=total_new),
            pair("latency-p99", fast, slow),
            pair("heap-used", heap_old, heap_new),
            pair("cache-hit-ratio", series(rng, level=0.93, spread=0.01), {"t": [], "v": []}),
            pair("oom-kills", {"t": [], "v": []}, restarts),
        ],
    } | changed
