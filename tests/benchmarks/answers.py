"""How long and how large an answer to Argo is at worst: ``python -m tests.benchmarks.answers``.

A real service asks a source that accepts every question and never answers, with
the deadline that holds unless set. The largest answer is one whose reason had to
be cut.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from judge.wire.answer import MAX_BYTES, answer
from judge.wire.json import dumps
from tests.benchmarks.machine import machine
from tests.integration.service import TIMEOUT, post, serving
from tests.servers import loopback

CONFIGS = Path(__file__).parents[1] / "integration" / "configs"
QUESTION = {"config": "http-service", "baseline": "aaa", "canary": "bbb", "service": "shop"}


def seconds_without_a_source() -> tuple[float, str]:
    """Seconds until the answer about a source that hangs, and the verdict."""
    with (
        tempfile.TemporaryDirectory() as folder,
        loopback(lambda _: time.sleep(60)) as source,
        serving(Path(folder), prometheus=source.url, configs=CONFIGS) as url,
    ):
        began = time.monotonic()
        found = post(url, QUESTION)
        return time.monotonic() - began, found["verdict"]


def largest() -> int:
    """Bytes of an answer with the longest reason, id and counts, behind a long public address."""
    kinds = ["pass", "high", "undecided", "nodata", "error"] * 200
    results = [{"classification": kind} for kind in kinds]
    verdict = {"verdict": "inconclusive", "score": 94.99, "code": 3, "reason": "x" * 5000, "results": results}
    window = {"start": 1763629200.0, "end": 1763629200.0, "look": 999_999, "of": 999_999}
    record = {"id": "Z" * 26, "verdict": verdict, "window": window}
    return len(dumps(answer(record, public_url="https://judge.canaries.platform.internal.example")).encode())


def main() -> None:
    """Measure both and print them."""
    print(machine())
    size = largest()
    print(f"largest answer: {size} bytes, target < {MAX_BYTES}: {'kept' if size < MAX_BYTES else 'MISSED'}")
    seconds, verdict = seconds_without_a_source()
    print(f"answer about a source that hangs: {verdict} after {seconds:.2f} s, target < 8 s (Argo waits {TIMEOUT:g} s): ", end="")
    print("kept" if seconds < 8 else "MISSED")


if __name__ == "__main__":
    main()
