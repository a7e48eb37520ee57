"""The service's own metrics, safe with several worker processes.

With ``PROMETHEUS_MULTIPROC_DIR`` set (``judge serve`` does so) every worker writes
its own file and ``/metrics`` adds them up. Every label has few values: names of configs and
sources come from files, everything else is listed in the code.
"""

from __future__ import annotations

import fcntl
import os
import platform
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    multiprocess,
    values,
)
from prometheus_client.mmap_dict import MmapedDict

from judge import __version__
from judge.core.model import Classification, Outcome
from judge.observer import OUTCOMES, STAGES

Family = TypeVar("Family", Counter, Gauge, Histogram)

REQUESTS = Counter("judge_requests", "Requests answered, by address, method and class of status.", ["route", "method", "status"])
VERDICTS = Counter("judge_verdicts", "Verdicts answered.", ["config", "verdict"])
METRICS = Counter("judge_metrics_judged", "Metrics of new verdicts.", ["config", "classification"])
LOOKS = Histogram("judge_looks", "At which look new verdicts came.", ["config"], buckets=(1, 2, 3, 5, 8, 12, 16, 20, 30, 50))
SECONDS = Histogram(
    "judge_verdict_seconds", "Seconds from question to answer.", buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10)
)
STAGE_SECONDS = Histogram(
    "judge_stage_seconds",
    "Seconds that a stage of a verdict took.",
    ["stage"],
    buckets=(0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5),
)
BUSY = Counter("judge_questions_declined", "Questions that were not judged because too many others were at work.")
WORKING = Gauge("judge_questions_working", "Questions that are being judged.", multiprocess_mode="livesum")
WAITING = Gauge("judge_questions_waiting", "Questions that wait for a place.", multiprocess_mode="livesum")
PLACES = Gauge("judge_question_places", "Questions that can be judged at a time.", multiprocess_mode="livesum")

QUERIES = Counter("judge_source_queries", "Queries of verdicts, by what came of them.", ["source", "outcome"])
QUERIES_UNDER_WAY = Gauge(
    "judge_source_queries_under_way", "Queries that a source has not answered yet.", ["source"], multiprocess_mode="livesum"
)
CIRCUIT = Gauge(
    "judge_source_circuit", "State of the circuit to a source: 0 closed, 1 half-open, 2 open.", ["source"], multiprocess_mode="livemax"
)

ARCHIVE_SECONDS = Histogram(
    "judge_archive_seconds", "Seconds of one transaction of the archive.", ["operation"], buckets=(0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 5)
)
ARCHIVE_ERRORS = Counter("judge_archive_errors", "Transactions of the archive that failed.", ["operation"])
UNKEPT = Counter("judge_verdicts_unkept", "Verdicts answered that the archive could not keep.")

EXECUTIONS = Gauge("judge_executions", "Kayenta's executions that are not over, by state.", ["state"], multiprocess_mode="livemostrecent")
EXECUTIONS_ENDED = Counter("judge_executions_ended", "Kayenta's executions that were worked on, by how that ended.", ["status"])
TAKEN_OVER = Counter("judge_executions_taken_over", "Kayenta's executions whose worker had died.")

CONFIGS = Gauge("judge_configs", "Configs that are served, and faults found when they were read.", ["state"], multiprocess_mode="livemax")
RELOADS = Counter("judge_config_reloads", "Times that a worker read changed configs or tokens, by what came of it.", ["result"])
RELOADED = Gauge(
    "judge_config_reload_success_timestamp_seconds", "When configs were last read without a fault.", multiprocess_mode="livemax"
)
BUILD = Gauge("judge_build_info", "Always 1; what is running is in the labels.", ["version", "python"], multiprocess_mode="livemax")
CRASHES = Counter("judge_internal_errors", "Requests that ended in an error nobody foresaw.")
STUCK = Counter("judge_workers_replaced", "Workers that ended themselves because they were stuck.")

EXECUTION_ENDS = ("succeeded", "terminal", "running", "lost")
RESULTS = ("success", "failure")
LOCK_SECONDS = 1.0
OPERATIONS = ("read", "write")


@cache
def of(family: Family, *labels: str) -> Family:
    """The one of a family with these labels; found quickly, since a verdict needs some twenty of them."""
    return family.labels(*labels)


def begin(*, configs: Iterable[str], sources: Iterable[str] = ()) -> None:
    """Make the series that are known beforehand: of one that begins with 1, `increase` would never see the first."""
    for config in configs:
        for outcome in Outcome:
            VERDICTS.labels(config, outcome.value)
        for classification in Classification:
            METRICS.labels(config, classification.value)
        LOOKS.labels(config)
    for source in sources:
        for came in OUTCOMES:
            QUERIES.labels(source, came)
        QUERIES_UNDER_WAY.labels(source)
        CIRCUIT.labels(source)
    for stage in STAGES:
        STAGE_SECONDS.labels(stage)
    for operation in OPERATIONS:
        ARCHIVE_SECONDS.labels(operation)
        ARCHIVE_ERRORS.labels(operation)
    for status in EXECUTION_ENDS:
        EXECUTIONS_ENDED.labels(status)
    for result in RESULTS:
        RELOADS.labels(result)
    BUILD.labels(__version__, platform.python_version()).set(1)


def exposition() -> tuple[bytes, str]:
    """Write the metrics of all workers, and their content type."""
    folder = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if folder:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        with _locked(folder, fcntl.LOCK_SH):
            return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST


def bury(pid: int) -> None:
    """Let go of a dead worker's gauges, and add what it has counted to what all dead ones have.

    Its files would stay otherwise, in a memory that has an end, and be read at every scrape.
    """
    folder = os.environ["PROMETHEUS_MULTIPROC_DIR"]
    multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
    with _locked(folder, fcntl.LOCK_EX):
        for kind in ("counter", "histogram"):
            gone = Path(folder, f"{kind}_{pid}.db")
            if gone.exists():
                # Taken from there when it is needed: `room` has put one in its place that does not end us on a full disk.
                together = values.MmapedDict(str(Path(folder, f"{kind}_dead.db")))  # type: ignore[attr-defined, no-untyped-call]
                for key, value, _, _ in MmapedDict.read_all_values_from_file(str(gone)):  # type: ignore[no-untyped-call]
                    before, _ = together.read_value(key)  # type: ignore[no-untyped-call]
                    together.write_value(key, before + value, 0.0)  # type: ignore[no-untyped-call]
                together.close()  # type: ignore[no-untyped-call]
                gone.unlink()


@contextmanager
def _locked(folder: str, how: int) -> Iterator[None]:
    """Keep a scrape and a burial apart: half of one, the other would count twice or not at all.

    Raises
    ------
    BlockingIOError
        Where a worker has held the lock for too long (it may be frozen): the master must not wait for it.
    """
    ends = time.monotonic() + LOCK_SECONDS
    with Path(folder, "lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, how | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > ends:
                    raise
                time.sleep(0.005)
            else:
                break
        yield
