"""Replicas that die, and replicas that are asked the same at once: ``python -m tests.benchmarks.replicas [--executions 1000]``.

Three real ``judge serve`` with two workers each on one machine, a real PostgreSQL and a real Prometheus beside them; every five
seconds one replica is killed with SIGKILL and started again. The database itself counts what was written.
"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import nullcontext
from pathlib import Path

from tests.benchmarks.machine import machine
from tests.integration.test_scenarios import CONFIGS
from tests.replicas.executions import measure
from tests.replicas.harness import cluster
from tests.replicas.questions import ask_together, patiently, records


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=1000)
    parser.add_argument("--replicas", type=int, default=3)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=100, help="questions that all replicas are asked at once")
    parser.add_argument("--askers", type=int, default=8, help="replicas that are asked at once")
    parser.add_argument("--every", type=float, default=5.0, help="seconds from one kill to the next")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="judge-replicas-") as folder:
        found = measure(
            Path(folder),
            configs=CONFIGS,
            executions=chosen.executions,
            replicas=chosen.replicas,
            workers=chosen.workers,
            every=chosen.every,
        )
    each = f"{chosen.replicas} replicas of {chosen.workers} workers, one killed every {chosen.every:g} s"
    print(f"{chosen.executions} executions, {each}; {machine()}")
    print(found)
    wrong = bool(found.lost or set(found.results) != {1} or found.foreign or found.errors)
    for replicas, every in ((2, 0.0), (chosen.askers, 0.0), (3, chosen.every)):
        wrong |= same_question(replicas, rounds=chosen.rounds, every=every)
    raise SystemExit(1 if wrong else 0)


def same_question(replicas: int, *, rounds: int, every: float) -> bool:
    """Ask so many replicas the same at once, print what came of it; whether anything was wrong."""
    with (
        tempfile.TemporaryDirectory(prefix="judge-replicas-") as folder,
        cluster(Path(folder), replicas=replicas, workers=1, configs=CONFIGS) as judges,
    ):
        with judges.killing(every) if every else nullcontext([]) as kills:
            heard = ask_together(judges, rounds=rounds, ask=patiently(judges))
        verdicts, questions = records(judges)
    different = [each for each in heard if not each.is_one_answer]
    unkept = sum(each.unkept for each in heard)
    print(
        f"{rounds} questions to {replicas} replicas at once, {len(kills)} replicas killed: answered differently {len(different)}, "
        f"verdicts kept {verdicts}, questions they answer {questions}, answers said to be unkept {unkept}"
    )
    return bool(different and not unkept) or (verdicts, questions) != (rounds, rounds)


if __name__ == "__main__":
    main()
