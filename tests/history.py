"""A made-up past of services that Argo rolls out: OpenMetrics text for a backfill, the same for the same seed.

Each side of a rollout is one pod-template hash with some pods that share the
load equally. Requests come as a Poisson process, answers take log-normal times,
and both sides of a service go through the same slow ups and downs of load and
latency, as they do in life.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 1.5, 2.5, 5.0, 10.0)
MEDIAN_LATENCY = 0.08
SIGMA = 0.6
MEMORY = 200e6
# Periods (seconds) and sizes (fractions) of the ups and downs that both sides share.
SLOW_PERIODS = (420.0, 1100.0, 3700.0)
SLOW_LATENCY = 0.05
SLOW_LOAD = 0.08
HASH_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
FAMILIES = {
    "http_requests": "counter",
    "http_request_duration_seconds": "histogram",
    "process_resident_memory_bytes": "gauge",
    "kube_pod_container_status_restarts": "counter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One pod-template hash of a service, between two unix times.

    `rps` are requests per second of all `pods` together. `latency_scale` stretches
    every latency. In `gaps` (from, to) nothing is scraped, while the pods go on.
    At each of `resets` one pod (the first, then the second, …) restarts: its
    counters begin again at zero, and Kubernetes counts a restart.
    """

    hash: str
    start: float
    end: float
    service: str = "shop"
    namespace: str = "default"
    pods: int = 3
    rps: float = 30.0
    error_ratio: float = 0.005
    latency_scale: float = 1.0
    gaps: tuple[tuple[float, float], ...] = ()
    resets: tuple[float, ...] = ()


def openmetrics(sides: Iterable[Side], *, seed: int = 0, scrape: float = 15.0) -> str:
    """The whole past of these sides, scraped every `scrape` seconds, as promtool reads it.

    Metrics: ``http_requests_total`` (service, namespace, code,
    rollouts_pod_template_hash, pod), ``http_request_duration_seconds`` (the same
    without code), ``process_resident_memory_bytes``, and
    ``kube_pod_container_status_restarts_total`` (namespace, pod, container,
    rollouts_pod_template_hash).
    """
    lines: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for side in sides:
        for index in range(side.pods):
            for family, new in _pod(side, index, seed=seed, scrape=scrape):
                lines[family].extend(new)
    text = [line for family, kind in FAMILIES.items() for line in (f"# TYPE {family} {kind}", *lines[family])]
    return "\n".join([*text, "# EOF", ""])


def victoria_metrics_lines(text: str) -> str:
    """The same samples as VictoriaMetrics imports them: no comments, times in milliseconds."""
    samples = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return "".join(f"{sample} {round(float(time) * 1000)}\n" for sample, _, time in samples)


def gauge(name: str, samples: Sequence[tuple[float, float]], **labels: str) -> str:
    """OpenMetrics text of one gauge: (unix seconds, value) pairs."""
    inner = ",".join(f'{label}="{value}"' for label, value in labels.items())
    return "\n".join([f"# TYPE {name} gauge", *(f"{name}{{{inner}}} {value} {time:.3f}" for time, value in samples), "# EOF", ""])


def _pod(side: Side, index: int, *, seed: int, scrape: float) -> Iterator[tuple[str, list[str]]]:
    """One pod's samples, by metric family."""
    slow = _slow(side.service, seed)
    rng = np.random.default_rng([seed, zlib.crc32(f"{side.service}/{side.hash}".encode()), index])
    pod = f"{side.service}-{side.hash}-{_name(rng, 5)}"
    t = _scrapes(side, offset=round(rng.uniform(0, scrape), 3), scrape=scrape)
    if not len(t):
        return
    since = np.diff(t, prepend=side.start)
    requests = rng.poisson(side.rps / side.pods * since * np.exp(SLOW_LOAD * slow(t)))
    errors = rng.binomial(requests, side.error_ratio)
    log_median = np.log(MEDIAN_LATENCY * side.latency_scale) + SLOW_LATENCY * slow(t + 0.25 * SLOW_PERIODS[0])
    below = ndtr((np.log(BUCKETS)[None, :] - log_median[:, None]) / SIGMA)
    shares = np.diff(below, axis=1, prepend=0.0, append=1.0)
    observed = np.cumsum(rng.multinomial(requests, shares), axis=1)
    mean = np.exp(log_median + SIGMA**2 / 2)
    spread = mean * np.sqrt(np.expm1(SIGMA**2))
    seconds = np.maximum(requests * mean + np.sqrt(requests) * spread * rng.standard_normal(len(t)), 0.0)
    memory = MEMORY * (1 + 0.02 * slow(t) + 0.01 * rng.standard_normal(len(t)))

    resets = side.resets[index :: side.pods]
    seen = np.ones(len(t), dtype=bool)
    for begins, ends in side.gaps:
        seen &= (t < begins) | (t >= ends)

    def counter(increments: NDArray[np.float64], *, always: bool = True) -> Callable[[str], list[str]]:
        values = _counted(t, increments, resets)
        # A client library knows nothing of a label value until it occurs.
        there = seen if always else seen & (values > 0)
        return lambda series: _lines(series, t[there], values[there])

    common = f'service="{side.service}",namespace="{side.namespace}",rollouts_pod_template_hash="{side.hash}",pod="{pod}"'
    yield "http_requests", counter(requests - errors, always=False)(f'http_requests_total{{{common},code="200"}}')
    yield "http_requests", counter(errors, always=False)(f'http_requests_total{{{common},code="500"}}')
    family = "http_request_duration_seconds"
    for column, bound in enumerate([*map(str, BUCKETS), "+Inf"]):
        yield family, counter(observed[:, column])(f'{family}_bucket{{{common},le="{bound}"}}')
    yield family, counter(requests)(f"{family}_count{{{common}}}")
    yield family, counter(seconds)(f"{family}_sum{{{common}}}")
    yield "process_resident_memory_bytes", _lines(f"process_resident_memory_bytes{{{common}}}", t[seen], memory[seen].round())
    labels = f'namespace="{side.namespace}",pod="{pod}",container="{side.service}",rollouts_pod_template_hash="{side.hash}"'
    restarts = np.searchsorted(np.sort(resets), t, side="right").astype(float)
    name = "kube_pod_container_status_restarts"
    yield name, _lines(f"{name}_total{{{labels}}}", t[seen], restarts[seen])


def _scrapes(side: Side, *, offset: float, scrape: float) -> NDArray[np.float64]:
    """When this pod is scraped: regularly, each pod at a time of its own."""
    first = np.ceil((side.start - offset) / scrape)
    last = np.floor((side.end - offset) / scrape)
    return np.arange(first, last + 1) * scrape + offset


def _slow(service: str, seed: int) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """The ups and downs of a service: about ±1, a function of time alone."""
    phases = np.random.default_rng([seed, zlib.crc32(service.encode())]).uniform(0, 2 * np.pi, len(SLOW_PERIODS))
    return lambda t: sum(np.sin(2 * np.pi * t / period + phase) for period, phase in zip(SLOW_PERIODS, phases, strict=True)) / 2


def _counted(t: NDArray[np.float64], increments: NDArray[np.float64], resets: Sequence[float]) -> NDArray[np.float64]:
    """A counter of these increments that begins at zero, and again at each reset."""
    total = np.cumsum(increments)
    for reset in sorted(resets):
        first = int(np.searchsorted(t, reset))
        if first < len(t):
            total[first:] -= total[first] - increments[first]
    return total


def _lines(series: str, t: NDArray[np.float64], values: NDArray[np.float64]) -> list[str]:
    return [f"{series} {value:.10g} {time:.3f}" for time, value in zip(t.tolist(), values.tolist(), strict=True)]


def _name(rng: np.random.Generator, length: int) -> str:
    return "".join(HASH_LETTERS[letter] for letter in rng.integers(0, len(HASH_LETTERS), length))


def pod_hash(service: str, side: str) -> str:
    """A pod-template hash such as Argo makes, always the same for the same words."""
    return _name(np.random.default_rng(zlib.crc32(f"{service}/{side}".encode())), 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A service with its baseline and its canary."""

    service: str
    baseline: Side
    canary: Side


# What differs from a healthy rollout: (baseline's fields, canary's fields), as seen from the end of the history.
SCENARIOS: dict[str, Callable[[float], tuple[dict[str, object], dict[str, object]]]] = {
    "healthy": lambda _: ({}, {}),
    "errors": lambda _: ({}, {"error_ratio": 0.04}),
    "latency": lambda _: ({}, {"latency_scale": 1.3}),
    "quiet": lambda _: ({"rps": 0.05}, {"rps": 0.05}),
    "young": lambda end: ({}, {"start": end - 90}),
    "gap": lambda end: ({"gaps": ((end - 1500, end - 300),)}, {}),
    "restart": lambda end: ({"resets": (end - 900,)}, {}),
    "crash": lambda end: ({}, {"resets": (end - 900,)}),
    "flawless": lambda _: ({"error_ratio": 0.0}, {"error_ratio": 0.0}),
}


def rollout(scenario: str, *, end: float, hours: float = 1.0, canary_seconds: float = 2400.0) -> Rollout:
    """One of `SCENARIOS`: a service of that name, whose baseline runs for `hours` and whose canary came later."""
    of_baseline, of_canary = SCENARIOS[scenario](end)
    fields: dict[str, object] = {"service": scenario, "end": end}
    baseline = {"hash": pod_hash(scenario, "baseline"), "start": end - 3600 * hours, **fields, **of_baseline}
    canary = {"hash": pod_hash(scenario, "canary"), "start": end - canary_seconds, **fields, **of_canary}
    return Rollout(service=scenario, baseline=Side(**baseline), canary=Side(**canary))


def rollouts(scenarios: Iterable[str] = tuple(SCENARIOS), *, end: float, hours: float = 1.0) -> dict[str, Rollout]:
    """Several scenarios that end together, by name; they share no label set, so one server can hold them all."""
    return {scenario: rollout(scenario, end=end, hours=hours) for scenario in scenarios}
