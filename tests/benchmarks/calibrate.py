"""What calibration and replay find in a made-up past, how fast, and whether the reported rates are true.

    python -m tests.benchmarks.calibrate found --days 14 --scrape 15
    python -m tests.benchmarks.calibrate speed --days 14 --scrape 15
    python -m tests.benchmarks.calibrate agree --seeds 20

`found` and `speed` backfill a real Prometheus, which takes minutes for two weeks; `--folder` keeps it for the next run.
`agree` asks a VictoriaMetrics, which takes the pasts of many seeds in sooner. Pasts are those of `tests.calibrate.history`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil

from judge.calibrate.cache import Cache
from judge.calibrate.healthy_pairs import Kind
from judge.calibrate.history_reader import Reader
from judge.calibrate.past_rollouts import replay
from judge.calibrate.proposal import applicable, apply, propose
from judge.calibrate.rates import share
from judge.calibrate.scopes import Asked
from judge.calibrate.study import Options, look_around, plan_pairs
from judge.calibrate.trials import judge_all, looks_of
from judge.config.load import load_config, parse_config
from judge.core.config import CanaryConfig, Margin
from judge.parallel import Workers
from judge.sources.prometheus.settings import PrometheusSettings
from tests.benchmarks.machine import machine
from tests.calibrate.conftest import victoria
from tests.calibrate.history import BAD, Past, backfill, import_into, past
from tests.servers import prometheus

CONFIG = load_config(Path(__file__).parents[2] / "configs" / "http-service.yaml")
SERVICES = ("cart", "checkout", "search")
FRESH_SEED = 1000


def ten_metrics() -> CanaryConfig:
    """The shipped config with more metrics of every kind, ten in all."""
    document = json.loads(json.dumps(dict(CONFIG.document)))
    kept = [metric for metric in document["metrics"] if "limit" not in metric]
    buckets = 'sum by (le) (rate(http_request_duration_seconds_bucket{namespace="${namespace}",${scope}}[${step}]))'
    selector = '{namespace="${namespace}",${scope}}'

    def rate(name: str) -> str:
        return f"sum(rate({name}{selector}[${{step}}]))"

    more = {f"latency-p{quantile:g}": f"histogram_quantile({quantile}, {buckets})" for quantile in (0.75, 0.9, 0.95)}
    more |= {
        "mean-latency": f"{rate('http_request_duration_seconds_sum')} / {rate('http_request_duration_seconds_count')}",
        "memory": f"avg(process_resident_memory_bytes{selector})",
        "cpu": f"{rate('container_cpu_usage_seconds_total')} / {rate('http_requests_total')}",
        "throughput": f"avg(sum by (pod) (rate(http_requests_total{selector}[${{step}}])))",
    }
    kept += [{"name": name, "query": query, "direction": "increase", "group": "more"} for name, query in more.items()]
    document["metrics"] = kept
    document["groups"] = {**{name: weight for name, weight in document["groups"].items() if name != "saturation"}, "more": 15}
    return parse_config(document, where="ten metrics")


def asked(service: str, config: CanaryConfig = CONFIG) -> Asked:
    """The question about one service."""
    return Asked(config=config, scope=config.scope, args={"service": service, "namespace": "shop"})


@contextmanager
def reading(url: str, folder: Path | None) -> Iterator[Reader]:
    """A reader without a rate limit."""
    source = PrometheusSettings(url=url, max_series=20_000, max_bytes=256 * 1024 * 1024, read_timeout=60, concurrency=1).open()
    try:
        yield Reader(source, address=url, cache=Cache(folder), rate=0.0)
    finally:
        source.close()


@contextmanager
def filled(whole: Past, folder: Path | None) -> Iterator[tuple[str, Path]]:
    """A real Prometheus that holds a past; answers its address and a folder for the cache."""
    with tempfile.TemporaryDirectory() as throwaway:
        where = Path(throwaway) if folder is None else folder
        if not (where / "data").exists():
            count, seconds = backfill(whole, where)
            print(f"backfilled {count:,} samples in {seconds:.0f} s")
        with prometheus(where) as url:
            yield url, Path(throwaway) / "cache"


def found(whole: Past, folder: Path | None) -> None:
    """Rollouts found and replayed, by the shipped config and as proposed on the first half of the history."""
    kinds = {one.canary: one.kind for one in whole.rollouts}
    real = {(one.service, one.baseline, one.canary) for one in whole.rollouts}
    seen, stopped = set(), {"shipped": set(), "proposed": set()}
    with filled(whole, folder) as (url, cache), reading(url, cache) as reader:
        for service in SERVICES:
            options = Options(start=whole.start, end=whole.end)
            there = look_around(asked(service), reader, options)
            rollouts = there.timeline.rollouts
            seen |= {(service, one.baseline, one.canary) for one in rollouts}
            stopped["shipped"] |= {one.rollout.canary for one in replay(rollouts, asked(service), reader) if one.stopped}
            proposed = proposal(service, reader, options)
            print(f"{service}: proposed {[f'{one.key} = {one.after}' for one in proposed[1] if one.key]}")
            stopped["proposed"] |= {one.rollout.canary for one in replay(rollouts, asked(service, proposed[0]), reader) if one.stopped}
    print(f"rollouts found: {len(seen & real)} of {len(real)}, invented: {len(seen - real)}")
    for name, canaries in stopped.items():
        bad = [kinds[canary] for canary in canaries if kinds.get(canary)]
        good = sum(not kinds.get(canary) for canary in canaries)
        print(f"{name}: stops {len(bad)} of {len(BAD)} bad ones ({', '.join(sorted(bad))}) and {good} of {len(real) - len(BAD)} good ones")


def proposal(service: str, reader: Reader, options: Options) -> tuple[CanaryConfig, list]:
    """The config as proposed by the first half of the history."""
    config = replace(CONFIG, conditions=None)
    there = look_around(asked(service), reader, options)
    cases, _ = plan_pairs(asked(service), there, options).cases(reader)
    middle = (options.start + options.end) / 2
    first = [case for case in cases if case.kind is Kind.SPLIT and case.start < middle]
    with Workers() as workers:
        judged = judge_all(config, first, workers=workers)
        settings = applicable(CONFIG, propose(config, judged, first[:200], scrape=there.scrape, workers=workers))
    return apply(CONFIG, settings), settings


@contextmanager
def memory() -> Iterator[list[float]]:
    """Bytes of this process and those that work for it, ten times a second; the store beside is not among them."""
    seen, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            together = 0.0
            for each in (psutil.Process(), *psutil.Process().children(recursive=True)):
                # Some come and go meanwhile.
                with suppress(psutil.Error):
                    together += each.memory_info().rss if "python" in each.name() else 0.0
            seen.append(together)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def speed(whole: Past, folder: Path | None, *, jobs: int) -> None:
    """Fetch once, then judge 500 pairs of ten metrics at twenty looks from the cache."""
    config = ten_metrics()
    options = Options(start=whole.start, end=whole.end)
    with filled(whole, folder) as (url, cache):
        with reading(url, cache) as reader:
            began = time.perf_counter()
            there = look_around(asked("checkout", config), reader, options)
            plan_pairs(asked("checkout", config), there, options).cases(reader)
            print(f"fetched in {time.perf_counter() - began:.1f} s: {reader.tally.asked} questions, {reader.tally.samples:,} samples")
        with reading(url, cache) as reader, memory() as used, Workers(jobs) as workers:
            began = time.perf_counter()
            there = look_around(asked("checkout", config), reader, options)
            cases, _ = plan_pairs(asked("checkout", config), there, options).cases(reader)
            split = [case for case in cases if case.kind is Kind.SPLIT][:500]
            judged = judge_all(replace(config, conditions=None), split, workers=workers)
            seconds = time.perf_counter() - began
        looks = len(looks_of(config, split[0].length))
        print(f"{len(judged)} pairs of {len(config.metrics)} metrics, {looks} looks each: {seconds:.1f} s on {jobs} processes, "
              f"{reader.tally.asked} questions asked")  # fmt: skip
    print(f"memory at most {max(used) / 2**20:.0f} MiB, all processes together")


def judged_configs() -> dict[str, CanaryConfig]:
    """The shipped config, and a stricter one, without what is not calibrated (limits, a minimum of requests)."""
    shipped = replace(CONFIG, conditions=None, traffic=None, metrics=tuple(metric for metric in CONFIG.metrics if metric.limit is None))
    tolerance, must_detect = Margin(relative=0.02), Margin(relative=0.05)
    strict = tuple(replace(metric, tolerance=tolerance, must_detect=must_detect) if metric.query else metric for metric in shipped.metrics)
    return {"shipped": shipped, "strict": replace(shipped, metrics=strict)}


def one_seed(seed: int, days: float) -> dict[str, tuple[int, int, int, int]]:
    """By config: healthy pairs stopped and judged, and fresh healthy rollouts stopped and judged, of one seed."""
    service = "cart"
    counts: dict[str, list[int]] = {name: [] for name in judged_configs()}
    with tempfile.TemporaryDirectory() as folder, Workers() as workers:
        for name in ("past", "fresh"):
            where = Path(folder) / name
            where.mkdir()
            whole = past(seed=seed, days=days, scrape=30.0)
            if name == "fresh":
                whole = past(seed=FRESH_SEED + seed, days=days, scrape=30.0, rollouts=int(days * 36), bad=())
            with victoria(where, memory="1GB") as url, reading(url, where / "cache") as reader:
                import_into(url, whole, change=lambda one: one if one.labels.get("service") == service else None)
                options = Options(start=whole.start, end=whole.end, seed=seed)
                for label, config in judged_configs().items():
                    about = asked(service, config)
                    there = look_around(about, reader, options)
                    if name == "past":
                        cases, _ = plan_pairs(about, there, options).cases(reader)
                        split = [case for case in cases if case.kind is Kind.SPLIT]
                        judged = judge_all(config, split, workers=workers, traits=False)
                        counts[label] += [sum(one.stopped > 0 for one in judged), len(judged)]
                    else:
                        done = [one for one in replay(there.timeline.rollouts, about, reader) if one.looks]
                        counts[label] += [sum(one.stopped for one in done), len(done)]
    return {label: (found[0], found[1], found[2], found[3]) for label, found in counts.items()}


def agree(seeds: int, days: float, *, jobs: int) -> None:
    """How many of the reported intervals hold the rate of fresh healthy rollouts, all seeds' taken together."""
    with multiprocessing.get_context("forkserver").Pool(jobs) as pool:
        each = pool.starmap(one_seed, [(seed, days) for seed in range(1, seeds + 1)], chunksize=1)
    for label in each[0]:
        rows = [found[label] for found in each]
        truth = share(sum(row[2] for row in rows), sum(row[3] for row in rows))
        print(
            f"{label}: fresh healthy rollouts stopped: {truth.count} of {truth.of}, {truth.share:.2%} ({truth.low:.2%} to {truth.high:.2%})"
        )
        inside = 0
        for seed, (stopped, n, fresh, of) in enumerate(rows, start=1):
            reported = share(stopped, n)
            holds = reported.low <= truth.share <= reported.high
            inside += holds
            print(f"  seed {seed:>2}: reported {stopped} of {n}, {reported.share:.2%} ({reported.low:.2%} to {reported.high:.2%}); "
                  f"its own fresh ones {fresh} of {of}; {'holds' if holds else 'DOES NOT HOLD'}")  # fmt: skip
        print(f"  {inside} of {seeds} reported intervals hold the rate")


def main() -> None:
    """Measure one thing, and name the machine."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("what", choices=["found", "speed", "agree"])
    words.add_argument("--days", type=float, default=14.0)
    words.add_argument("--scrape", type=float, default=15.0)
    words.add_argument("--seed", type=int, default=1)
    words.add_argument("--seeds", type=int, default=20)
    words.add_argument("--jobs", type=int, default=2)
    words.add_argument("--folder", type=Path)
    given = words.parse_args()
    print(machine())
    if given.what == "agree":
        agree(given.seeds, given.days, jobs=given.jobs)
        return
    whole = past(seed=given.seed, days=given.days, scrape=given.scrape)
    if given.what == "found":
        found(whole, given.folder)
    else:
        speed(whole, given.folder, jobs=given.jobs)


if __name__ == "__main__":
    main()
