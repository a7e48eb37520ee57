"""Prometheus 3, built from its own module where Go is there: Debian 12 has only Prometheus 2.

It is the whole server without the service discoveries of the clouds, which Prometheus leaves out by a build tag of its own.
Since 3.0 a range selector takes no sample at its left end: `[1m]` at 12:01:00 begins after 12:00:00.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.argo.argo import QUICKLY, go

HERE = Path(__file__).parent
MODULE = "github.com/prometheus/prometheus"
TAG = "remove_all_sd"


def version() -> str:
    """The version that go.mod pins, as Prometheus counts: the module's v0.315.0 is 3.15.0."""
    [minor, patch] = re.findall(rf"{MODULE} v0\.3(\d+)\.(\d+)", (HERE / "go.mod").read_text(encoding="utf-8"))[0]
    return f"3.{int(minor)}.{patch}"


def build(folder: Path) -> Path:
    """Build the server; quick where Go has built it before."""
    program = folder / "prometheus"
    named = f"-ldflags=-s -w -X github.com/prometheus/common/version.Version={version()}"
    go("build", "-tags", TAG, *QUICKLY, named, "-o", str(program), f"{MODULE}/cmd/prometheus", folder=HERE)
    return program
