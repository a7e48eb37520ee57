"""A made-up past of whole services over days: daily pattern, bursts, pods that differ, restarts, a gap, and rollouts.

Three services of 6 to 12 pods, with thirty rollouts among them of which five are bad. Everything
follows from one seed. `Past.rollouts` is the truth that tests compare with; nothing under test reads it.
Length and scrape interval are parameters, since the whole two weeks at 15 s are 44 million samples:

    python -m tests.calibrate.history --days 14 --scrape 15 FOLDER
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
import urllib.request
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtr

from tests.servers import require

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

END = 1_700_006_400.0
"""Every past ends on the same full hour, so that what is printed about it stays the same."""
BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0)
SIGMA = 0.5
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
BAD = ("errors", "tail", "leak", "cold", "level")
"""More errors; some requests slow; memory and latency that grow until the pods are killed; a cold cache that heals; all requests slow."""
ANALYSED = 2400.0
"""Seconds for which canary and baseline run beside each other."""
ABORTED = 900.0
"""After these the canary of kind `level` is taken back."""
DAY = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod between two times; `restarts` are when its container began anew, `kind` what is wrong with it since `born`."""

    name: str
    hash: str
    start: float
    end: float
    slower: float
    busier: float
    restarts: tuple[float, ...] = ()
    kind: str = ""
    born: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """One rollout as it was: `kind` is empty where the canary is as good as its baseline."""

    service: str
    start: float
    end: float
    baseline: str
    canary: str
    promoted: bool
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One service: `rps` are requests a second of all pods at an average hour."""

    name: str
    pods: int
    rps: float
    median: float
    errors: float
    alive: tuple[Pod, ...]
    bursts: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Everything that was, between `start` and `end`; nothing was scraped in `gap`."""

    seed: int
    start: float
    end: float
    scrape: float
    services: tuple[Service, ...]
    rollouts: tuple[Rollout, ...]
    gap: tuple[float, float]


class Samples(NamedTuple):
    """One series."""

    name: str
    labels: dict[str, str]
    t: NDArray[np.float64]
    v: NDArray[np.float64]


def past(
    *, seed: int = 1, days: float = 14.0, scrape: float = 15.0, rollouts: int = 30, bad: tuple[str, ...] = BAD, end: float = END
) -> Past:
    """Make a past; the rollouts are dealt out to the services, and the bad ones among them."""
    rng = np.random.default_rng([seed, 0])
    start = end - days * DAY
    made = {"cart": (6, 90.0, 0.06, 0.002), "checkout": (8, 160.0, 0.09, 0.004), "search": (12, 300.0, 0.05, 0.001)}
    kinds = list(bad) + [""] * (rollouts - len(bad))
    rng.shuffle(kinds)
    gap_at = start + rng.uniform(0.3, 0.7) * (end - start)
    gap = (gap_at, gap_at + 2400.0)
    services, done = [], []
    for index, (name, (pods, rps, median, errors)) in enumerate(made.items()):
        own = np.random.default_rng([seed, 1, zlib.crc32(name.encode())])
        mine = kinds[index::3]
        alive, these = _lives(name, pods, mine, start=start, end=end, gap=gap, rng=own)
        bursts = tuple(
            (float(own.uniform(start, end)), float(own.uniform(120, 600)), float(own.uniform(0.2, 0.6))) for _ in range(int(6 * days))
        )
        services.append(Service(name=name, pods=pods, rps=rps, median=median, errors=errors, alive=alive, bursts=bursts))
        done += these
    return Past(
        seed=seed,
        start=start,
        end=end,
        scrape=scrape,
        services=tuple(services),
        rollouts=tuple(sorted(done, key=lambda r: r.start)),
        gap=gap,
    )


def _lives(
    service: str, count: int, kinds: list[str], *, start: float, end: float, gap: tuple[float, float], rng: np.random.Generator
) -> tuple[tuple[Pod, ...], list[Rollout]]:
    """The pods of one service, and the rollouts between them."""
    slot = (end - start) / max(len(kinds), 1)
    few = max(count // 4, 1)
    stable, done, pods = _word(rng, 9), [], []
    free = start
    # What runs now: when each of its pods began, and what was wrong with it then.
    running = [(start - 600.0, "", 0.0)] * count

    def ended(version: str, what: tuple[float, str, float], stop: float) -> Pod:
        begin, kind, at = what
        again = np.sort(rng.uniform(begin + 300, stop, rng.poisson((stop - begin) / DAY / count))) if stop > begin + 600 else ()
        if kind == "leak":
            again = [begin + float(rng.uniform(1300, 1700))]
        return Pod(
            name=f"{service}-{version}-{_word(rng, 5)}",
            hash=version,
            start=begin,
            end=stop,
            slower=float(rng.normal(0, 0.012)),
            busier=float(rng.normal(0, 0.03)),
            restarts=tuple(map(float, again)),
            kind=kind,
            born=at,
        )

    for index, kind in enumerate(kinds):
        at = start + (index + float(rng.uniform(0.3, 0.6))) * slot
        if gap[0] - ANALYSED - 1800 < at < gap[1] + 1800:
            at = gap[1] + 2400
        at = max(at, free)
        canary = _word(rng, 9)
        first = at + float(rng.uniform(0, 20))
        begun = [(first + float(rng.uniform(0, 15)) * (number > 0), kind, first) for number in range(few)]
        promoted = kind in {"", "cold"}
        over = first + (ABORTED if kind == "level" else ANALYSED)
        free = over + 1200
        if promoted:
            stops = [over + float(rng.uniform(60, 300)) for _ in running]
            pods += [ended(stable, what, stop) for what, stop in zip(running, stops, strict=True)]
            was, stable = stable, canary
            running = begun + [(over + float(rng.uniform(0, 120)), "", 0.0) for _ in range(count - few)]
        else:
            stops = [over + float(rng.uniform(0, 20)) for _ in begun]
            pods += [ended(canary, what, stop) for what, stop in zip(begun, stops, strict=True)]
            was = stable
        done.append(Rollout(service=service, start=first, end=max(stops), baseline=was, canary=canary, promoted=promoted, kind=kind))
    pods += [ended(stable, what, end + 600) for what in running]
    return tuple(pods), done


def samples(whole: Past) -> Iterator[Samples]:
    """Every series, pod by pod."""
    for service in whole.services:
        shared = _Shared(whole, service)
        for index, pod in enumerate(service.alive):
            yield from _of_pod(whole, service, shared, pod, np.random.default_rng([whole.seed, 2, zlib.crc32(pod.name.encode()), index]))


class _Shared:
    """What all pods of a service go through, on a grid of the scrape interval."""

    def __init__(self, whole: Past, service: Service) -> None:
        rng = np.random.default_rng([whole.seed, 3, zlib.crc32(service.name.encode())])
        self.t = np.arange(whole.start - 900, whole.end + 900, whole.scrape)
        phase = rng.uniform(0, 2 * np.pi)
        daily = np.sin(2 * np.pi * self.t / DAY + phase)
        # Slow ups and downs that last some ten minutes: what one minute does to all pods.
        keep = np.exp(-whole.scrape / 600)
        wander = lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal(len(self.t)))
        burst = np.zeros(len(self.t))
        for at, length, size in service.bursts:
            burst[(self.t >= at) & (self.t < at + length)] += size
        self.load = 0.4 * daily + 0.05 * wander + burst
        self.latency = 0.05 * daily + 0.04 * wander + 0.5 * burst
        alive = np.zeros(len(self.t))
        for pod in service.alive:
            alive += (self.t >= pod.start) & (self.t < pod.end)
        self.rate = service.rps * np.exp(self.load) / np.maximum(alive, 1)


def _of_pod(whole: Past, service: Service, shared: _Shared, pod: Pod, rng: np.random.Generator) -> Iterator[Samples]:
    scrape = whole.scrape
    offset = round(rng.uniform(0, scrape), 3)
    first, last = np.ceil((max(pod.start, whole.start) - offset) / scrape), np.floor((min(pod.end, whole.end) - offset) / scrape)
    t = np.arange(first, last + 1) * scrape + offset
    if len(t) < 2:
        return
    since = np.diff(t, prepend=max(pod.start, t[0] - scrape))
    keep = np.exp(-scrape / 120)
    own = 0.02 * lfilter([np.sqrt(1 - keep**2)], [1, -keep], rng.standard_normal(len(t)))
    requests = rng.poisson(np.interp(t, shared.t, shared.rate) * np.exp(pod.busier + own) * since)
    age = np.maximum(t - pod.born, 0) if pod.kind else np.zeros(len(t))
    log_median = np.log(service.median) + np.interp(t, shared.t, shared.latency) + pod.slower + own
    errors = service.errors * 6 + 0.01 if pod.kind == "errors" else service.errors
    slow = rng.binomial(requests, 0.03) if pod.kind == "tail" else np.zeros(len(t), dtype=int)
    grown = np.where(t >= pod.restarts[0], t - pod.restarts[0], age) / 1800 if pod.kind == "leak" else np.zeros(len(t))
    worse = {"leak": 0.3 * grown, "cold": 0.5 * np.exp(-age / 150), "level": np.full(len(t), np.log(1.35))}
    log_median = log_median + worse.get(pod.kind, 0.0)
    failed = rng.binomial(requests, errors)
    observed = _observed(rng, requests - slow, log_median)
    if pod.kind == "tail":
        observed += _observed(rng, slow, log_median + np.log(6))
    seconds = requests * np.exp(log_median + SIGMA**2 / 2)
    memory = 180e6 * (1 + 0.03 * np.interp(t, shared.t, shared.load) + pod.slower + 0.004 * rng.standard_normal(len(t)) + 1.5 * grown)
    cpu = 0.02 * since + 0.004 * requests * np.exp(0.5 * np.interp(t, shared.t, shared.latency) + own)

    away = [whole.gap, *((at, at + 2 * scrape) for at in pod.restarts)]
    seen = ~np.any([(t >= since) & (t < to) for since, to in away], axis=0)
    # Each restart begins its counters anew.
    life = np.searchsorted(pod.restarts, t, side="right")
    began = np.array([pod.start, *pod.restarts])[life]
    common = {"service": service.name, "namespace": "shop", "rollouts_pod_template_hash": pod.hash, "pod": pod.name}

    def counter(name: str, steps: NDArray[np.float64], **labels: str) -> Samples:
        total = np.cumsum(steps)
        edges = np.flatnonzero(np.diff(life)) + 1
        for edge in edges:
            total[edge:] -= total[edge - 1]
        there = seen & (total > 0) if labels.get("code") == "500" else seen
        return Samples(name, {**common, **labels}, t[there], total[there])

    yield counter("http_requests_total", requests - failed, code="200")
    yield counter("http_requests_total", failed, code="500")
    for column, bound in enumerate([*map(str, BUCKETS), "+Inf"]):
        yield counter("http_request_duration_seconds_bucket", observed[:, column], le=bound)
    yield counter("http_request_duration_seconds_count", requests)
    yield counter("http_request_duration_seconds_sum", seconds)
    yield counter("container_cpu_usage_seconds_total", cpu)
    yield Samples("process_resident_memory_bytes", common, t[seen], memory[seen].round())
    yield Samples("process_start_time_seconds", common, t[seen], began[seen].round())
    kube = {"namespace": "shop", "pod": pod.name, "container": service.name}
    yield Samples("kube_pod_container_status_restarts_total", kube, t[seen], life[seen].astype(float))


def _observed(rng: np.random.Generator, requests: NDArray[np.int64], log_median: NDArray[np.float64]) -> NDArray[np.int64]:
    """Cumulated histogram counts of log-normal times, one row a scrape."""
    below = ndtr((np.log(BUCKETS)[None, :] - log_median[:, None]) / SIGMA)
    return np.cumsum(rng.multinomial(requests, np.diff(below, axis=1, prepend=0.0, append=1.0)), axis=1)


def _word(rng: np.random.Generator, length: int) -> str:
    return "".join(LETTERS[letter] for letter in rng.integers(0, len(LETTERS), length))


def _number(value: float) -> str:
    return f"{value:.10g}"


def write_openmetrics(whole: Past, file: Path) -> int:
    """Write the past as promtool reads it, one family after the other; answers how many samples there are."""
    families: dict[str, list[Samples]] = {}
    for one in samples(whole):
        family = one.name.removesuffix("_total")
        for ending in ("_bucket", "_count", "_sum"):
            family = family.removesuffix(ending)
        families.setdefault(family, []).append(one)
    count = 0
    with file.open("w") as out:
        for family, several in families.items():
            kind = "histogram" if "duration" in family else "counter" if several[0].name.endswith("_total") else "gauge"
            out.write(f"# TYPE {family} {kind}\n")
            for one in several:
                inner = ",".join(f'{key}="{value}"' for key, value in one.labels.items())
                head = f"{one.name}{{{inner}}} "
                out.writelines(f"{head}{value:.10g} {at:.3f}\n" for at, value in zip(one.t.tolist(), one.v.tolist(), strict=True))
                count += len(one.t)
        out.write("# EOF\n")
    return count


def backfill(whole: Past, folder: Path, *, block: str = "360h") -> tuple[int, float]:
    """Put the past into Prometheus' own blocks under ``folder/data``; answers the number of samples and the seconds it took."""
    began = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    text = folder / "past.om"
    count = write_openmetrics(whole, text)
    promtool = require("promtool", "prometheus")
    # Long blocks: promtool reads the whole text once for each.
    command = [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration", block, "-q", str(text), str(folder / "data")]
    subprocess.run(command, check=True, capture_output=True)
    text.unlink()
    return count, time.perf_counter() - began


def import_into(url: str, whole: Past, *, change: Callable[[Samples], Samples | None] | None = None) -> int:
    """Hand the past to a VictoriaMetrics at this address; answers the number of samples.

    `change` may make each series another one, or leave it out.
    """
    count, lines = 0, []

    def send() -> None:
        request = urllib.request.Request(f"{url}/api/v1/import", data="".join(lines).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=120) as answer:
            assert answer.status == 204
        lines.clear()

    for each in samples(whole):
        one = each if change is None else change(each)
        if one is None or not len(one.t):
            continue
        stamps = ",".join(map(str, np.rint(one.t * 1000).astype(np.int64).tolist()))
        values = ",".join(map(_number, one.v.tolist()))
        metric = json.dumps({"__name__": one.name, **one.labels})
        lines.append(f'{{"metric":{metric},"values":[{values}],"timestamps":[{stamps}]}}\n')
        count += len(one.t)
        if len(lines) >= 40:
            send()
    send()
    urllib.request.urlopen(f"{url}/internal/force_flush", timeout=60).close()
    return count


def main() -> None:
    """Backfill a past into a folder of Prometheus blocks."""
    words = argparse.ArgumentParser(description=main.__doc__)
    words.add_argument("folder", type=Path)
    words.add_argument("--days", type=float, default=14.0)
    words.add_argument("--scrape", type=float, default=15.0)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--rollouts", type=int, default=30)
    asked = words.parse_args()
    count, seconds = backfill(past(seed=asked.seed, days=asked.days, scrape=asked.scrape, rollouts=asked.rollouts), asked.folder)
    print(f"{count:,} samples in {asked.folder}/data after {seconds:.0f} s")


if __name__ == "__main__":
    main()
