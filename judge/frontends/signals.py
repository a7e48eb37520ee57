"""The service's own metrics, safe with several worker processes.

With ``PROMETHEUS_MULTIPROC_DIR`` set (``judge serve`` does so) every worker writes
its own file and ``/metrics`` adds them up.
"""

from __future__ import annotations

import os

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

VERDICTS = Counter("judge_verdicts", "Verdicts answered.", ["config", "verdict"])
SECONDS = Histogram(
    "judge_verdict_seconds", "Seconds from question to answer.", buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10)
)
BUSY = Counter("judge_questions_declined", "Questions that were not judged because too many others were at work.")
UNKEPT = Counter("judge_verdicts_unkept", "Verdicts answered that the archive could not keep.")
CRASHES = Counter("judge_internal_errors", "Requests that ended in an error nobody foresaw.")


def exposition() -> tuple[bytes, str]:
    """Write the metrics of all workers, and their content type."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
