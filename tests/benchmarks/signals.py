"""What it costs to tell of a verdict: ``python -m tests.benchmarks.signals``.

The CPU time of an empty request that tells nothing is taken from that of one that tells what a verdict of 20 metrics does: its
id, 40 queries, six stages, two transactions, every metric counted in the files of several workers, one line of the log in JSON.
"""

from __future__ import annotations

import logging
import os
import statistics
import tempfile
import time
from collections import Counter
from contextvars import copy_context
from typing import TYPE_CHECKING

from flask import Flask

from tests.benchmarks.machine import machine

if TYPE_CHECKING:
    from collections.abc import Callable

QUERIES = 40
MOST_MILLISECONDS = 0.3
_ROUNDS = 15
_EACH = 100


def told() -> Callable[[], object]:
    """A request that tells what a verdict does."""
    from judge.archive import NoArchive
    from judge.observer import observer
    from judge.server.liveness import hold_places
    from judge.server.runtime import EXTENSION, Runtime
    from judge.server.telemetry import logging as logs
    from judge.server.telemetry import metrics as signals
    from judge.server.telemetry.request_id import annotate_span, follow
    from judge.settings import Settings
    from judge.verdicts.service import Service

    app = Flask("told")
    app.extensions[EXTENSION] = runtime = Runtime(Service(Settings(), NoArchive()), clock=time.time)
    follow(app)
    log = logging.getLogger("judge.benchmark")
    handler = logging.StreamHandler(open(os.devnull, "w"))  # noqa: PTH123, SIM115 - open as long as the process lives
    handler.setFormatter(logs.JsonForm(("a-secret", "another")))
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.INFO)
    base = {"User-Agent": "canary-judge"}

    def question() -> dict[str, str]:
        with observer().question("default", "up", system="prometheus") as headers:
            return {**base, **headers}

    @app.get("/")
    def verdict() -> str:
        with hold_places(runtime.liveness):
            with observer().stage("lookup"), observer().archive("read"):
                pass
            for _ in range(2):
                with observer().stage("fetch"):
                    observer().under_way("default", QUERIES // 2)
                    for _ in range(QUERIES // 2):
                        copy_context().run(question)
                    outcomes = Counter("answered" for _ in range(QUERIES // 2))
                    observer().under_way("default", -QUERIES // 2)
                    observer().asked("default", outcomes, circuit="closed")
            with observer().stage("judge"):
                pass
            with observer().stage("keep"), observer().archive("write"):
                pass
        with observer().stage("answer"):
            pass
        signals.of(signals.VERDICTS, "shop", "pass").inc()
        signals.SECONDS.observe(0.2)
        signals.of(signals.LOOKS, "shop").observe(7)
        for classification, count in Counter(["pass"] * 18 + ["undecided"] * 2).items():
            signals.of(signals.METRICS, "shop", classification).inc(count)
        line = {"id": "01M7WVD9AZ210ER83EHYBKH3Q3", "verdict": "pass", "config": "shop", "baseline": "abc", "canary": "def", "score": 100.0}
        line |= {"seconds": 0.2, "caller": "argo", "look": 7, "source": "default", "repeated": False}
        annotate_span(**line)
        log.info("verdict %(id)s %(verdict)s config=%(config)s seconds=%(seconds).3f", line, extra=logs.fields(**line))
        return "{}"

    client = app.test_client()
    return lambda: client.get("/")


def silent() -> Callable[[], object]:
    """An empty request."""
    app = Flask("silent")
    app.get("/")(lambda: "{}")
    client = app.test_client()
    return lambda: client.get("/")


def milliseconds() -> float:
    """CPU time that telling takes, the median of several rounds."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        pairs = (told(), silent())
        found = []
        for _ in range(_ROUNDS):
            spent = []
            for ask in pairs:
                began = time.process_time()
                for _ in range(_EACH):
                    ask()
                spent.append(time.process_time() - began)
            found.append((spent[0] - spent[1]) / _EACH * 1000)
    return statistics.median(found)


def main() -> None:
    """Print it."""
    print(f"{machine()}\ntelling of a verdict of 20 metrics: {milliseconds():.3f} ms CPU (at most {MOST_MILLISECONDS} ms)")


if __name__ == "__main__":
    main()
