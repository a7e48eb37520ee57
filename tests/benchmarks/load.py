"""The service under load: ``python -m tests.benchmarks.load [--seconds 20] [--memory 20000]``.

A real ``judge serve`` with two workers and an SQLite archive, a real Prometheus beside it on the same machine, and callers that
each ask one new question after the other (20 metrics of 241 samples a side; another end each time, so that no
answer is found in the archive). First as many callers as questions are judged at once; then three times as many questions a
second as were answered, from callers who do not wait for each other; then three times as many callers as find a place, each
of whom asks again as soon as it is answered. Health is asked meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from tests.benchmarks.machine import machine
from tests.history import Rollout, openmetrics, rollout
from tests.integration.service import serving
from tests.servers import prometheus

METRICS, STEP, LENGTH = 20, 15, 3600
LEAST_RATE, MOST_P99, MOST_REFUSAL = 15.0, 1.5, 0.1
CALLERS = 8
PLACES = 24
"""Two workers judge four questions each and let eight more wait."""
PHASE = 100_000
"""Numbers of questions in each part: what was asked in one part is asked in no other, since its answer would be in the archive."""


@dataclass(slots=True)
class Tally:
    """What came back: seconds and verdict of each answer, what was declined, and what went wrong."""

    seconds: list[float] = field(default_factory=list)
    declined: list[float] = field(default_factory=list)
    verdicts: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


def config() -> str:
    """Gauges and rates, all of the kinds that a config asks for most."""
    queries = ("avg(process_resident_memory_bytes{${scope}})", "sum(rate(http_requests_total{${scope}}[1m]))")
    metrics = [
        {"name": f"m{number}", "query": f"{1 + number / 100:g} * {queries[number % 2]}", "direction": "increase"}
        for number in range(METRICS)
    ]
    window = {"warmup": "0s", "step": f"{STEP}s", "length": f"{LENGTH}s"}
    scope = 'rollouts_pod_template_hash="${hash}"'
    return json.dumps({"name": "load", "scope": scope, "window": window, "looks": {"count": 20, "interval": "3m"}, "metrics": metrics})


class Caller:
    """Asks one question after the other, each about a window that ends a step earlier."""

    def __init__(self, url: str, known: Rollout, end: float, *, first: int = 0) -> None:
        self.url, self.known, self.end, self.first = url, known, end, first
        self.tally = Tally()
        self._lock = threading.Lock()
        self._asked = 0

    def run(self, until: float) -> None:
        """Ask until `time.monotonic()` is this."""
        while time.monotonic() < until:
            with self._lock:
                self._asked += 1
                number = self._asked
            self.ask(number)

    def ask(self, number: int) -> None:
        """Ask question number so; ends repeat after 200, the look tells them apart."""
        number += self.first
        back, look = number % 200, 1 + number // 200
        question = {
            "config": "load",
            "baseline": self.known.baseline.hash,
            "canary": self.known.canary.hash,
            "end": str(self.end - STEP * back),
            "look": str(look),
        }
        request = urllib.request.Request(f"{self.url}/v1/verdict", data=json.dumps(question).encode(), method="POST")
        began = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                document: dict[str, Any] = json.loads(answer.read())
        except (OSError, ValueError, urllib.error.URLError) as error:
            with self._lock:
                self.tally.wrong.append(f"{type(error).__name__}: {error}")
            return
        spent = time.monotonic() - began
        with self._lock:
            if document["reason"].startswith("not judged: the judge is busy"):
                self.tally.declined.append(spent)
                return
            self.tally.seconds.append(spent)
            self.tally.verdicts[document["verdict"]] += 1
            self.tally.ids.append(document["id"])


@contextmanager
def health(url: str) -> Iterator[list[float]]:
    """Ask whether the service is ready, five times a second; the seconds that each answer took."""
    took: list[float] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.2):
            at = time.monotonic()
            with urllib.request.urlopen(f"{url}/readyz", timeout=10) as answer:
                assert answer.status == 200
            took.append(time.monotonic() - at)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield took
    finally:
        stop.set()
        watching.join()


def under_load(caller: Caller, *, callers: int, seconds: float) -> tuple[float, list[float]]:
    """Let so many callers ask, each as soon as it is answered; the verdicts a second, and how long health took meanwhile."""
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=caller.run, args=(until,)) for _ in range(callers)]
    began = time.monotonic()
    with health(caller.url) as took:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return len(caller.tally.seconds) / (time.monotonic() - began), took


def arriving(caller: Caller, *, rate: float, seconds: float) -> tuple[float, list[float]]:
    """Ask so many questions a second whatever becomes of them, as many services do that know nothing of each other."""
    threads = []
    began = time.monotonic()
    with health(caller.url) as took:
        for number in range(round(rate * seconds)):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            threads.append(threading.Thread(target=caller.ask, args=(number,)))
            threads[-1].start()
        for thread in threads:
            thread.join()
    return len(caller.tally.seconds) / (time.monotonic() - began), took


def kept(url: str, ids: list[str]) -> list[str]:
    """Verdicts that were answered and are not in the archive."""
    missing = []
    for each in ids:
        try:
            with urllib.request.urlopen(f"{url}/v1/verdicts/{each}", timeout=10) as answer:
                if json.loads(answer.read())["id"] != each:
                    missing.append(each)
        except urllib.error.HTTPError:
            missing.append(each)
    return missing


def memory(parts: list[psutil.Process]) -> float:
    """Resident memory of these processes in MB."""
    return sum(part.memory_info().rss for part in parts) / 2**20


def p99(seconds: list[float]) -> float:
    """The 99th percentile."""
    return float(np.quantile(seconds, 0.99)) if seconds else float("nan")


def measure(*, seconds: float, growth: int) -> dict[str, Any]:
    """Run both loads, and as many further verdicts as `growth` to see what memory does."""
    end = time.time() // 60 * 60
    known = rollout("healthy", end=end, hours=2.2, canary_seconds=LENGTH + 200 * STEP + 600)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "configs").mkdir()
        (place / "configs" / "load.json").write_text(config(), encoding="utf-8")
        with (
            prometheus(place / "prometheus", blocks=openmetrics([known.baseline, known.canary], seed=1)) as source,
            serving(place / "judge", prometheus=source, configs=place / "configs") as url,
        ):
            servers = [each for each in psutil.Process().children(recursive=True) if "judge" in " ".join(each.cmdline())]
            Caller(url, known, end).ask(PHASE - 1)
            steady, surplus, crowd = (Caller(url, known, end, first=part * PHASE) for part in (1, 2, 3))
            rate, steady_health = under_load(steady, callers=CALLERS, seconds=seconds)
            surplus_rate, surplus_health = arriving(surplus, rate=3 * rate, seconds=seconds)
            crowd_rate, crowd_health = under_load(crowd, callers=3 * PLACES, seconds=seconds)
            lost = kept(url, [*steady.tally.ids[-50:], *surplus.tally.ids[-50:], *crowd.tally.ids[-50:]])
            before = memory(servers)
            if growth:
                further = Caller(url, known, end, first=4 * PHASE)
                numbers = iter(range(growth))
                lock = threading.Lock()

                def work() -> None:
                    while True:
                        with lock:
                            number = next(numbers, None)
                        if number is None:
                            return
                        further.ask(number)

                threads = [threading.Thread(target=work) for _ in range(CALLERS)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            grown = memory(servers) - before
    return {
        "rate": rate,
        "p50": statistics.median(steady.tally.seconds),
        "p99": p99(steady.tally.seconds),
        "health": p99(steady_health),
        "surplus_asked": 3 * rate,
        "surplus_rate": surplus_rate,
        "surplus_p99": p99(surplus.tally.seconds),
        "surplus_declined": len(surplus.tally.declined),
        "surplus_refusal_median": statistics.median(surplus.tally.declined or [float("nan")]),
        "surplus_refusal_p99": p99(surplus.tally.declined),
        "surplus_health": p99(surplus_health),
        "crowd_rate": crowd_rate,
        "crowd_p99": p99(crowd.tally.seconds),
        "declined": len(crowd.tally.declined),
        "refusal_p99": p99(crowd.tally.declined),
        "crowd_health": p99(crowd_health),
        "wrong": steady.tally.wrong + surplus.tally.wrong + crowd.tally.wrong,
        "verdicts": steady.tally.verdicts + surplus.tally.verdicts + crowd.tally.verdicts,
        "lost": lost,
        "grown": grown,
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--memory", type=int, default=0, help="verdicts over which memory is watched")
    chosen = parser.parse_args()
    found = measure(seconds=chosen.seconds, growth=chosen.memory)
    print(f"{METRICS} metrics x {LENGTH // STEP + 1} samples a side, 2 workers, a real Prometheus beside; {machine()}")
    print(f"{CALLERS} callers            {found['rate']:6.1f} verdicts a second (at least {LEAST_RATE:g})")
    print(
        f"  median, p99       {found['p50']:6.2f} s, {found['p99']:.2f} s (p99 at most {MOST_P99:g} s); /readyz p99 {found['health']:.2f} s"
    )
    asked, answered = f"{found['surplus_asked']:.0f} questions a second", found["surplus_rate"]
    print(f"{asked:20s}{answered:6.1f} verdicts a second, p99 {found['surplus_p99']:.2f} s; /readyz p99 {found['surplus_health']:.2f} s")
    print(
        f"  declined          {found['surplus_declined']:6d}, median {1000 * found['surplus_refusal_median']:.0f} ms, "
        f"p99 {1000 * found['surplus_refusal_p99']:.0f} ms (at most {1000 * MOST_REFUSAL:g} ms)"
    )
    asked, answered = f"{3 * PLACES} callers", found["crowd_rate"]
    print(f"{asked:20s}{answered:6.1f} verdicts a second, p99 {found['crowd_p99']:.2f} s; /readyz p99 {found['crowd_health']:.2f} s")
    print(f"  declined          {found['declined']:6d}, p99 {1000 * found['refusal_p99']:.0f} ms")
    print(f"answers             {dict(found['verdicts'])}; wrong {len(found['wrong'])}, lost {len(found['lost'])}")
    if chosen.memory:
        print(f"memory after {chosen.memory:,} more {found['grown']:+6.1f} MB")
    for wrong in sorted(set(found["wrong"]))[:5]:
        print(f"  {wrong}")


if __name__ == "__main__":
    main()
