"""What a command costs before and while it works: ``python -m tests.benchmarks.startup``.

Each command is run as a process of its own, several times; what is told is the
median of wall and processor time, as the kernel counted them. Beside it stand what
an empty Python and the import of numpy and scipy cost on the same machine.
"""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from judge.cli.demo import FOLDER
from tests.benchmarks.machine import machine

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "real_canaries"
REAL_COUNT = 652
RUNS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """At most `seconds`, of wall time or of processor time."""

    seconds: float
    of: str

    @property
    def words(self) -> str:
        """As docs/promises.md writes it."""
        return f"< {self.seconds:g} s{'' if self.of == 'wall' else ' CPU'}"


TARGETS = {
    "`judge --help`": Target(seconds=0.15, of="wall"),
    "`judge score` of one dump": Target(seconds=0.8, of="CPU"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Medians in seconds; `status` is how the last run ended."""

    wall: float
    cpu: float
    status: int


def cost(command: list[str], *, runs: int = RUNS) -> Cost:
    """Run a command so often, after once for the caches, and measure each run's own process."""
    walls, cpus, status = [], [], 0
    for _ in range(runs + 1):
        began = time.perf_counter()
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT)
        _, ended, used = os.wait4(process.pid, 0)
        walls.append(time.perf_counter() - began)
        cpus.append(used.ru_utime + used.ru_stime)
        status = process.returncode = os.waitstatus_to_exitcode(ended)
    return Cost(wall=median(walls[1:]), cpu=median(cpus[1:]), status=status)


def judge(*args: str) -> list[str]:
    """The command as a user has it, or as a module where it is not installed."""
    installed = Path(sys.executable).with_name("judge")
    return [str(installed), *args] if installed.exists() else [sys.executable, "-m", "judge", *args]


def one_canary(folder: Path) -> Path:
    """A file with the first canary of the packaged recording."""
    path = folder / "one.jsonl"
    path.write_bytes(gzip.decompress((FOLDER / "canaries.jsonl.gz").read_bytes()).splitlines()[0] + b"\n")
    return path


def main() -> None:
    """Measure everything and print one table."""
    print(f"{machine()}; median of {RUNS} runs\n")
    print(f"{'what':34}{'wall s':>9}{'CPU s':>9}  target")
    with tempfile.TemporaryDirectory() as folder:
        dump = str(one_canary(Path(folder)))
        measured = {
            "python -c pass": ([sys.executable, "-c", "pass"], RUNS),
            "import numpy": ([sys.executable, "-c", "import numpy"], RUNS),
            "import scipy.stats": ([sys.executable, "-c", "import scipy.stats"], RUNS),
            "`judge --help`": (judge("--help"), RUNS),
            "`judge score` of one dump": (judge("score", dump), RUNS),
        }
        for name, (command, runs) in measured.items():
            found = cost(command, runs=runs)
            print(f"{name:34}{found.wall:9.3f}{found.cpu:9.3f}  {verdict(name, found)}".rstrip())
    files = sorted(map(str, REAL.glob("*.jsonl.gz")))
    if files:
        command = judge("score", *files, "--format", "jsonl")
        found = cost(command, runs=1)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        judged = len(done.stdout.splitlines())
        kept = "kept" if judged == REAL_COUNT and not done.stderr else "MISSED"
        print(f"{'the real canaries':34}{found.wall:9.3f}{found.cpu:9.3f}  {judged} of {REAL_COUNT} judged: {kept}")
    else:
        print("the real canaries: skipped, ../shared/data/real_canaries is not there")


def verdict(name: str, found: Cost) -> str:
    """Say the target, and whether it is kept."""
    target = TARGETS.get(name)
    if target is None:
        return ""
    seconds = found.wall if target.of == "wall" else found.cpu
    return f"{target.words}: {'kept' if seconds < target.seconds else 'MISSED'}"


if __name__ == "__main__":
    main()
