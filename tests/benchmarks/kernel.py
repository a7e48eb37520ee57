"""What one rank interval costs: ``python -m tests.benchmarks.kernel [--quick]``.

Everything is measured in the same run, in turns, in CPU time of this process;
what is printed is the median over the rounds. Ratios hold on any machine, the
milliseconds are of the machine that is named.

* port    rank all values at every step of Brent's method (tests/core/kayenta/oracle.py)
* kernel  judge.core.kayenta.kernel.rank_interval, the same floats
* batch   tests.benchmarks.kayenta_batch.rank_intervals, 1,000 pairs at once, per pair
* exact   judge.core.kayenta.exact.exact_interval: order statistics, another definition
* sort    np.sort of both arrays: the floor
* scipy   scipy.stats.mannwhitneyu: a p-value, no interval
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import mannwhitneyu

from judge.core.kayenta.exact import exact_interval
from judge.core.kayenta.kernel import rank_interval
from tests.benchmarks.kayenta_batch import rank_intervals
from tests.core.kayenta import oracle

SIZES = (60, 240, 1440, 5000)
BATCH = 60
COLUMNS = ("port", "kernel", "batch", "exact", "sort", "scipy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """At `n` samples a side: so many times faster than the port, at most so many milliseconds; Kayenta's own warm."""

    faster: float
    milliseconds: float
    kayenta: float


GOALS = {60: Goal(faster=25, milliseconds=0.15, kayenta=0.79), 240: Goal(faster=12, milliseconds=0.3, kayenta=3.03)}
GOALS[1440] = Goal(faster=8, milliseconds=0.9, kayenta=23.9)
BATCH_GOAL = 0.060


def machine() -> str:
    """Processor, cores, Python and numpy."""
    info = Path("/proc/cpuinfo")
    models = [line.partition(":")[2].strip() for line in info.read_text(encoding="utf-8").splitlines() if line.startswith("model name")]
    model = (models or [platform.processor() or platform.machine()])[0]
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}"


def cost(work: Callable[[], object], count: int) -> float:
    """CPU milliseconds of one of `count` pairs."""
    start = time.process_time_ns()
    work()
    return (time.process_time_ns() - start) / count / 1e6


def measure(n: int, *, pairs: int, rounds: int, batch: int, seed: int = 1) -> dict[str, float]:
    """Give CPU milliseconds per pair of gamma-distributed samples, n a side, by column; medians over the rounds."""
    rng = np.random.default_rng(seed)
    cases = [(rng.gamma(2, 50, n), rng.gamma(2, 50, n)) for _ in range(pairs)]
    many = (rng.gamma(2, 50, (batch, n)), rng.gamma(2, 50, (batch, n))) if n == BATCH else None
    # The quick ones are repeated, so that the clock's own step does not matter.
    repeats = max(1, 20_000 // (n * pairs))
    works: dict[str, tuple[Callable[[], object], int]] = {
        "port": (lambda: [oracle.interval(x, y) for x, y in cases], pairs),
        "kernel": (lambda: [rank_interval(x, y) for _ in range(repeats) for x, y in cases], pairs * repeats),
        "exact": (lambda: [exact_interval(x, y) for _ in range(repeats) for x, y in cases], pairs * repeats),
        "sort": (lambda: [(np.sort(x), np.sort(y)) for _ in range(10 * repeats) for x, y in cases], 10 * pairs * repeats),
        "scipy": (lambda: [mannwhitneyu(x, y) for _ in range(repeats) for x, y in cases], pairs * repeats),
    }
    if many is not None:
        works["batch"] = (lambda: rank_intervals(*many), batch)
    for work, _ in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, (work, count) in works.items():
            taken[name].append(cost(work, count))
    return {name: statistics.median(found) for name, found in taken.items()}


def table(found: dict[int, dict[str, float]]) -> str:
    """Costs, then ratios beside their goals."""
    lines = ["CPU ms per pair".ljust(16) + "".join(name.rjust(10) for name in COLUMNS) + "Kayenta, warm".rjust(16)]
    for n, row in found.items():
        cells = "".join((f"{row[name]:.4f}" if name in row else "-").rjust(10) for name in COLUMNS)
        lines.append(f"n = {n}".ljust(16) + cells + (f"{GOALS[n].kayenta:.2f}" if n in GOALS else "80.80" if n == 5000 else "-").rjust(16))
    lines += [
        "",
        "times faster than".ljust(18) + "port".rjust(8) + "goal".rjust(8) + "Kayenta".rjust(10) + "   ms".rjust(10) + "goal".rjust(8),
    ]
    for n, row in found.items():
        goal = GOALS.get(n)
        kernel = row["kernel"]
        cells = f"{row['port'] / kernel:8.1f}" + (f">= {goal.faster:g}".rjust(8) if goal else "".rjust(8))
        cells += (
            (f"{goal.kayenta / kernel:10.1f}" if goal else "".rjust(10)) + f"{kernel:10.3f}" + (f"{goal.milliseconds:8g}" if goal else "")
        )
        lines.append(f"n = {n}".ljust(18) + cells)
    if BATCH in found:
        each = found[BATCH]["batch"]
        pace = found[BATCH]["kernel"] / each
        lines.append(f"batch of n = {BATCH}: {each * 1e3:.1f} µs a pair (goal {BATCH_GOAL * 1e3:g}), {pace:.1f} times the kernel's pace")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> dict[int, dict[str, float]]:
    """Measure and print; gives the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer sizes and rounds: a look, not a measurement")
    quick = parser.parse_args(arguments).quick
    print(machine())
    found = {}
    for n in SIZES[:3] if quick else SIZES:
        pairs = max(2, (10 if quick else 30) * 60 // n) if n > BATCH else (10 if quick else 30)
        found[n] = measure(n, pairs=pairs, rounds=3 if quick else 11, batch=200 if quick else 1000)
    print(table(found))
    return found


if __name__ == "__main__":
    main()
