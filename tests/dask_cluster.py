"""A real Dask cluster of processes on loopback, in a process of its own: ``python -m tests.dask_cluster WORKERS [PRELOAD]``.

It prints its address, then waits until its standard input ends.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
STOP_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """The scheduler's address, and the process that holds it and the workers' nannies."""

    address: str
    running: subprocess.Popen[str]

    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        below = psutil.Process(self.running.pid).children(recursive=True)
        return [each for each in below if "spawn_main" in " ".join(each.cmdline())]


@contextmanager
def cluster(folder: Path, *, workers: int = 2, preload: Path | None = None) -> Iterator[Cluster]:
    """Run a cluster until the block ends; `preload` is a Python file that each worker runs first."""
    words = [sys.executable, "-m", "tests.dask_cluster", str(workers), *([] if preload is None else [str(preload)])]
    # What LocalCluster writes beside, it writes into its working folder.
    environ = {**os.environ, "DASK_TEMPORARY_DIRECTORY": str(folder)}
    with (folder / "cluster.log").open("w", encoding="utf-8") as log:
        running = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=ROOT, env=environ, text=True)
    assert running.stdin is not None
    assert running.stdout is not None
    family: list[psutil.Process] = []
    try:
        address = running.stdout.readline().strip()
        assert address.startswith("tcp://127.0.0.1:"), (folder / "cluster.log").read_text(encoding="utf-8")
        family = psutil.Process(running.pid).children(recursive=True)
        yield Cluster(address=address, running=running)
    finally:
        running.stdin.close()
        try:
            running.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()
        running.stdout.close()
        for each in family:
            if each.is_running():
                each.kill()


def main() -> None:
    """Hold a cluster."""
    from distributed import LocalCluster

    workers, preload = int(sys.argv[1]), sys.argv[2:]
    options = {"preload": preload} if preload else {}
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None, memory_limit=None, **options
    ) as held:
        print(held.scheduler_address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
