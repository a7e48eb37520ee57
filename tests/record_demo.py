"""Record the canaries that ``judge demo`` shows: ``python -m tests.record_demo``.

A made-up hour of a shop (`tests.history`, seeded) is backfilled into a real
Prometheus and fetched from there by `judge fetch`'s own code, so the recordings
are what a user would save.
"""

from __future__ import annotations

import gzip
import tempfile
from dataclasses import replace
from pathlib import Path

from judge.config.load import load_config
from judge.sources.dumps.write import dump_document
from judge.sources.prometheus.settings import PrometheusSettings
from judge.verdicts.analysis import run
from judge.wire.json import dumps
from judge.wire.request import parse_request
from tests.history import Side, openmetrics, pod_hash
from tests.servers import prometheus

END = 1763629200.0  # 2025-11-20T09:00:00Z
FOLDER = Path(__file__).parent.parent / "judge" / "demo"
FILE = FOLDER / "canaries.jsonl.gz"
SEED = 20


def sides() -> dict[str, tuple[Side, Side]]:
    """A healthy canary, and one that answers 22 % slower and fails three times as often."""
    healthy = Side(hash=pod_hash("shop", "v2"), start=END - 2400, end=END)
    bad = replace(healthy, hash=pod_hash("shop", "v4"), latency_scale=1.22, error_ratio=0.015)
    before = {name: Side(hash=pod_hash("shop", version), start=END - 3600, end=END) for name, version in (("healthy", "v1"), ("bad", "v3"))}
    return {"healthy": (before["healthy"], healthy), "bad": (before["bad"], bad)}


def record() -> bytes:
    """Fetch both canaries; the same bytes at every call."""
    config = load_config(FOLDER / "http-service.yaml")
    found = []
    with tempfile.TemporaryDirectory() as folder:
        text = openmetrics((side for pair in sides().values() for side in pair), seed=SEED)
        with prometheus(Path(folder), blocks=text) as url:
            source = PrometheusSettings(url=url).open()
            for name, (baseline, canary) in sides().items():
                asked = {"config": config.name, "baseline": baseline.hash, "canary": canary.hash, "service": "shop", "rollout": "shop"}
                request, _ = parse_request(asked, {config.name: config}, now=END)
                made = run(request, config, source, now=END)
                found.append(dump_document(made.request, config, made.window, made.pairs, made.traffic, id=f"shop-{name}"))
    return gzip.compress("".join(dumps(document) + "\n" for document in found).encode(), mtime=0)


if __name__ == "__main__":
    FILE.write_bytes(record())
    print(f"{FILE}: {FILE.stat().st_size} bytes")
