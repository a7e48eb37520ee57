"""A small world to tell stories of: pods of two versions whose fortunes change with time, as Prometheus would have scraped them.

Time is in minutes since the canary was started. Whatever a story says of a side may change with it: a number, or a
function of an array of minutes. The same story gives the same samples.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from tests.argo.runs import BEGAN, MINUTES
from tests.history import BUCKETS, MEDIAN_LATENCY, SIGMA, pod_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    Varying = float | Callable[[NDArray[np.float64]], NDArray[np.float64]]
    Lines = Iterator[tuple[str, str, NDArray[np.float64]]]

SCRAPE = 15.0
BEFORE = 50.0
"""Minutes for which the baseline has been running."""
MEMORY_LIMIT = 512e6

FAMILIES = {
    "http_requests": "counter",
    "http_request_duration_seconds": "histogram",
    "http_server_requests_seconds": "histogram",
    "jvm_gc_pause_seconds": "summary",
    "jvm_memory_usage_after_gc": "gauge",
    "jvm_threads_live_threads": "gauge",
    "process_cpu_time_ns": "counter",
    "process_start_time_seconds": "gauge",
    "checkouts_started": "counter",
    "checkouts_completed": "counter",
    "checkouts_value": "counter",
    "container_cpu_usage_seconds": "counter",
    "container_memory_working_set_bytes": "gauge",
    "kube_pod_container_status_restarts": "counter",
    "kube_pod_container_status_last_terminated_reason": "gauge",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One version of a service. `rps` is what all of its pods get together."""

    hash: str
    start: float
    rps: Varying = 30.0
    errors: Varying = 0.005
    slowness: Varying = 1.0
    conversion: Varying = 0.3
    memory: Varying = 250e6
    restarts: tuple[float, ...] = ()
    pods: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A service of which a canary is tried, and what Prometheus knows of it.

    Between the minutes of `unseen` nothing is scraped.
    """

    service: str
    baseline: Side
    canary: Side
    exports: tuple[str, ...] = ("http",)
    unseen: tuple[float, float] = (0.0, 0.0)
    seed: int = field(default=5)


def story(service: str, *, baseline: dict[str, Any] | None = None, canary: dict[str, Any] | None = None, **more: Any) -> Story:
    """A story in which both sides are alike but for what is said."""
    sides = {
        name: Side(hash=pod_hash(service, name), start=start, **(said if said is not None else {}))
        for name, start, said in (("baseline", -BEFORE, baseline), ("canary", 0.0, canary))
    }
    return Story(service=service, **sides, **more)


def after(minute: float, then: float, before: float) -> Callable[[NDArray[np.float64]], NDArray[np.float64]]:
    """What changes all at once."""
    return lambda minutes: np.where(minutes < minute, before, then)


def openmetrics(stories: Iterable[Story]) -> str:
    """Everything that was scraped in these stories."""
    lines: dict[str, list[str]] = {family: [] for family in FAMILIES}
    for told in stories:
        for side in (told.baseline, told.canary):
            for pod in range(side.pods):
                t, samples = _pod(told, side, pod)
                for family, series, values in samples:
                    seen = ~np.isnan(values)
                    lines[family] += [f"{series} {value:.10g} {time:.3f}" for time, value in zip(t[seen], values[seen], strict=True)]
    return "\n".join([*(line for family, kind in FAMILIES.items() for line in (f"# TYPE {family} {kind}", *lines[family])), "# EOF", ""])


def _pod(told: Story, side: Side, index: int) -> tuple[NDArray[np.float64], Lines]:
    """When one pod was scraped (unix seconds), and its series."""
    rng = np.random.default_rng([told.seed, zlib.crc32(side.hash.encode()), index])
    t = BEGAN + np.arange(60 * side.start + SCRAPE, 60 * MINUTES, SCRAPE) + round(rng.uniform(0, SCRAPE), 3)
    return t, _series(told, side, index, t, rng)


def _series(told: Story, side: Side, index: int, t: NDArray[np.float64], rng: np.random.Generator) -> Lines:
    minutes = (t - BEGAN) / 60
    seen = np.where((minutes >= told.unseen[0]) & (minutes < told.unseen[1]), np.nan, 1.0)

    def at(value: Varying) -> NDArray[np.float64]:
        return np.broadcast_to(value(minutes) if callable(value) else value, minutes.shape)

    # Load and latency go up and down, for both sides alike.
    phase = zlib.crc32(told.service.encode()) % 6
    tide = np.sin(minutes / 3 + phase) + 0.5 * np.sin(minutes / 11)
    requests = rng.poisson(np.maximum(at(side.rps) * SCRAPE / side.pods * np.exp(0.06 * tide), 0))
    failed = rng.binomial(requests, at(side.errors))
    middle = np.log(MEDIAN_LATENCY * at(side.slowness)) + 0.04 * tide
    shares = np.diff(ndtr((np.log(BUCKETS)[None, :] - middle[:, None]) / SIGMA), axis=1, prepend=0.0, append=1.0)
    below = np.cumsum(np.cumsum(rng.multinomial(requests, shares), axis=1), axis=0)
    pod = f"shop-{side.hash}-{index:05d}"
    labels = f'service="{told.service}",namespace="default",rollouts_pod_template_hash="{side.hash}",pod="{pod}"'

    def histogram(family: str, more: str = "") -> Lines:
        for column, bound in enumerate([*map(str, BUCKETS), "+Inf"]):
            yield family, f'{family}_bucket{{{labels}{more},le="{bound}"}}', below[:, column] * seen
        yield family, f"{family}_count{{{labels}{more}}}", np.cumsum(requests) * seen
        yield family, f"{family}_sum{{{labels}{more}}}", np.cumsum(requests * np.exp(middle + SIGMA**2 / 2)) * seen

    def counted(family: str, more: str, increments: NDArray[Any]) -> Lines:
        total = np.cumsum(increments).astype(float)
        # A client library knows nothing of a label value until it occurs.
        yield family, f"{family}_total{{{labels}{more}}}", np.where(total > 0, total, np.nan) * seen

    if "http" in told.exports:
        yield from counted("http_requests", ',code="200"', requests - failed)
        yield from counted("http_requests", ',code="500"', failed)
        yield from histogram("http_request_duration_seconds")
    if "business" in told.exports:
        started = rng.binomial(requests, 0.2)
        completed = rng.binomial(started, at(side.conversion))
        yield from counted("checkouts_started", "", started)
        yield from counted("checkouts_completed", "", completed)
        yield from counted("checkouts_value", "", rng.gamma(np.maximum(completed, 1e-9), 40.0))
    if "jvm" in told.exports:
        # Each request is counted under its outcome; the slowness of young code costs CPU, and so does its garbage.
        yield from histogram("http_server_requests_seconds", ',outcome="SUCCESS",status="200",uri="/cart"')
        work = at(side.slowness) * requests
        yield from counted("process_cpu_time_ns", "", rng.normal(8e6, 2e5, len(t)) * work)
        yield "jvm_gc_pause_seconds", f"jvm_gc_pause_seconds_sum{{{labels}}}", np.cumsum(rng.gamma(4, 2.5e-4, len(t)) * work) * seen
        yield "jvm_gc_pause_seconds", f"jvm_gc_pause_seconds_count{{{labels}}}", np.cumsum(work // 50) * seen
        heap = f'jvm_memory_usage_after_gc{{{labels},area="heap",pool="long-lived"}}'
        yield "jvm_memory_usage_after_gc", heap, at(side.memory) / MEMORY_LIMIT * rng.normal(1, 0.01, len(t)) * seen
        yield "jvm_threads_live_threads", f"jvm_threads_live_threads{{{labels}}}", (40 + rng.integers(0, 4, len(t))) * seen
    yield "process_start_time_seconds", f"process_start_time_seconds{{{labels}}}", np.full(len(t), t[0] - 1.0) * seen
    if "container" in told.exports:
        yield from _container(side, pod, minutes, at(side.memory), requests, rng, seen)


def _container(
    side: Side,
    pod: str,
    minutes: NDArray[np.float64],
    memory: NDArray[np.float64],
    requests: NDArray[Any],
    rng: np.random.Generator,
    seen: NDArray[np.float64],
) -> Lines:
    """What the kubelet and kube-state-metrics say of one container."""
    labels = f'namespace="default",pod="{pod}",container="shop"'
    count = np.searchsorted(np.array(side.restarts), minutes, side="right").astype(float)
    used = np.cumsum(0.008 * requests * rng.normal(1, 0.02, len(minutes)))
    yield "container_cpu_usage_seconds", f"container_cpu_usage_seconds_total{{{labels}}}", used * seen
    held = memory * rng.normal(1, 0.01, len(minutes))
    yield "container_memory_working_set_bytes", f"container_memory_working_set_bytes{{{labels}}}", held * seen
    yield "kube_pod_container_status_restarts", f"kube_pod_container_status_restarts_total{{{labels}}}", count * seen
    reason = "kube_pod_container_status_last_terminated_reason"
    yield reason, f'{reason}{{{labels},reason="OOMKilled"}}', np.where(count > 0, 1.0, np.nan) * seen
