"""What one ``POST /judge`` costs the service: ``python -m tests.benchmarks.kayenta_door``.

20 metrics of 240 samples a side, from the bytes of the request to the bytes of the
answer, inside the process (CPU time), and the memory after many of them.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from judge.archive import open_archive
from judge.server.app import create_app
from judge.settings import Settings
from judge.verdicts.service import Service
from tests.benchmarks.machine import machine

METRICS, SAMPLES = 20, 240
MOST_MS = 15.0
MOST_GROWTH_MB = 20.0


def body(seed: int = 1) -> bytes:
    """One request: gamma-distributed samples, every fourth metric 20 % up."""
    rng = np.random.default_rng(seed)
    metrics = [
        {"name": f"m{number}", "groups": ["g"], "analysisConfigurations": {"canary": {"direction": "increase"}}}
        for number in range(METRICS)
    ]
    pairs = [
        {
            "name": f"m{number}",
            "id": str(number),
            "tags": {},
            "values": {
                "control": rng.gamma(4, size=SAMPLES).tolist(),
                "experiment": ((1.2 if number % 4 == 0 else 1.0) * rng.gamma(4, size=SAMPLES)).tolist(),
            },
        }
        for number in range(METRICS)
    ]
    config = {"name": "bench", "metrics": metrics, "classifier": {"groupWeights": {"g": 100}}}
    return json.dumps({"canaryConfig": config, "scoreThresholds": {"pass": 95, "marginal": 75}, "metricSetPairList": pairs}).encode()


def measure(rounds: int, requests: int) -> dict[str, float]:
    """CPU ms a request (median over rounds of ten), and MB gained from the first to the last of `requests`."""
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        archive = open_archive(f"sqlite:///{folder}/judge.sqlite")
        client = create_app(Service(Settings(config_dir=Path(folder)), archive)).test_client()
        bodies = [body(seed) for seed in range(10)]

        def ask(number: int) -> None:
            assert client.post("/judge", data=bodies[number % len(bodies)]).status_code == 200

        for number in range(20):
            ask(number)
        costs = []
        for _ in range(rounds):
            began = time.process_time()
            for number in range(10):
                ask(number)
            costs.append((time.process_time() - began) * 100)
        # The allocator settles first; what grows after that would grow for ever.
        for number in range(max(requests // 10, 1)):
            ask(number)
        before = psutil.Process().memory_info().rss
        for number in range(requests):
            ask(number)
        grown = (psutil.Process().memory_info().rss - before) / 2**20
        archive.close()
    logging.disable(logging.NOTSET)
    return {"cpu_ms": statistics.median(costs), "grown_mb": grown}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=20_000)
    chosen = parser.parse_args()
    found = measure(chosen.rounds, chosen.requests)
    print(f"POST /judge, {METRICS} metrics x {SAMPLES} samples a side; {machine()}")
    print(f"CPU, bytes to bytes      {found['cpu_ms']:6.2f} ms   (at most {MOST_MS:g})")
    print(f"memory after {chosen.requests:,} more {found['grown_mb']:+6.1f} MB   (at most {MOST_GROWTH_MB:g})")


if __name__ == "__main__":
    main()
