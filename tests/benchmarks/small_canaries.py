"""Canaries with a small part of the requests: ``python -m tests.benchmarks.small_canaries [--rounds 300] [--seed 7]``.

Two critical latencies, 30 minutes of one sample a minute, 20 looks. What is noise in one request is averaged over all of a side's
requests, so the canary's samples vary by the root of the ratio more than the baseline's. Healthy ones are judged as a judge that knows
the requests sees them, and as one that does not; bad ones swing six times more widely than that, or have four spikes.
"""

from __future__ import annotations

import argparse
import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from judge.core.config import CanaryConfig, Direction, LooksConfig, MetricConfig, WindowConfig
from judge.core.model import Floats, Outcome, Series, SeriesPair, Traffic, Window
from judge.core.sequential.judge import judge_sequential
from judge.core.sequential.settings import DEFAULTS
from judge.core.statistics.counts import wilson
from tests.benchmarks.decisions_scenarios import autoregressive

STEP, SAMPLES, LOOKS = 60.0, 31, 20
REQUESTS = 6000.0
"""Of the baseline in one step."""
MOST_FALSE, LEAST_FOUND = 0.01, 0.95
"""What docs/promises.md says of a judge that knows the requests."""
CONFIG = CanaryConfig(
    name="small",
    metrics=tuple(MetricConfig(name=name, critical=True, direction=Direction.INCREASE) for name in ("p50", "p99")),
    judge="sequential",
    window=WindowConfig(step=STEP, length=(SAMPLES - 1) * STEP),
    looks=LooksConfig(count=LOOKS, interval=90.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Small:
    """A canary with this share of the baseline's requests.

    `noise` is the baseline's relative deviation, `shared` what hits both sides alike; `swings` is how many times as widely as
    can be expected the canary swings, `spikes` how many samples are four times too large. `known` tells the judge the requests.
    """

    share: float
    noise: float = 0.03
    shared: float = 0.0
    swings: float = 1.0
    spikes: int = 0
    known: bool = True

    @property
    def healthy(self) -> bool:
        """Nothing is wrong with it."""
        return self.swings == 1 and not self.spikes

    def __str__(self) -> str:
        """In a line."""
        wrong = "healthy" if self.healthy else f"spread x{self.swings:g}" if self.swings > 1 else f"{self.spikes} spikes"
        shared = f", shared noise {self.shared:.0%}" if self.shared else ""
        return f"1/{1 / self.share:.0f} of the requests, {wrong}{shared}, {'known' if self.known else 'not known'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """How many rollouts were failed, by which tests, and how many were open at the end."""

    rounds: int
    failed: int
    open: int
    by: Counter[str]


CELLS = tuple(
    Small(share=share, shared=shared, known=known)
    for known in (False, True)
    for share in (1 / 3, 1 / 6, 1 / 12, 1 / 24)
    for shared in (0.0, 0.05)
) + tuple(cell for share in (1 / 6, 1 / 12) for cell in (Small(share=share, swings=6.0), Small(share=share, spikes=4)))


def rollout(cell: Small, seed: int, number: int) -> list[tuple[Floats, Floats]]:
    """Both sides of each metric."""
    rng = np.random.default_rng([seed, number])
    found = []
    for _ in CONFIG.metrics:
        common, own, other = (autoregressive(rng, 1, SAMPLES, phi)[0] for phi in (0.8, 0.3, 0.3))
        baseline = 100 * np.exp(cell.shared * common + cell.noise * own)
        canary = 100 * np.exp(cell.shared * common + cell.noise * cell.swings / math.sqrt(cell.share) * other)
        if cell.spikes:
            canary[rng.choice(SAMPLES, cell.spikes, replace=False)] *= 4
        found.append((baseline, canary))
    return found


def ends(cell: Small, sides: list[tuple[Floats, Floats]]) -> tuple[Outcome, str]:
    """How a rollout ends, and by which test it was failed."""
    outcome = Outcome.INCONCLUSIVE
    for look in range(1, LOOKS + 1):
        n = min(int(look * 1.5) + 1, SAMPLES)
        t = np.arange(n) * STEP
        pairs = [
            SeriesPair(metric=metric.name, baseline=Series(t=t, v=baseline[:n]), canary=Series(t=t, v=canary[:n]))
            for metric, (baseline, canary) in zip(CONFIG.metrics, sides, strict=True)
        ]
        traffic = Traffic(baseline=REQUESTS * n, canary=REQUESTS * n * cell.share) if cell.known else None
        window = Window(start=0.0, end=float(t[-1]), step=STEP, look=look, of=LOOKS)
        verdict = judge_sequential(CONFIG, pairs, traffic=traffic, window=window, settings=replace(DEFAULTS, explain=False))
        outcome = verdict.outcome
        if outcome is Outcome.FAIL:
            return outcome, next((result.reason for result in verdict.results if result.classification.regressed), "all together")
    return outcome, ""


def measure(cell: Small, *, rounds: int, seed: int) -> Outcomes:
    """Judge so many rollouts."""
    found = [ends(cell, rollout(cell, seed, number)) for number in range(rounds)]
    return Outcomes(
        rounds=rounds,
        failed=sum(outcome is Outcome.FAIL for outcome, _ in found),
        open=sum(outcome is Outcome.INCONCLUSIVE for outcome, _ in found),
        by=Counter(by for _, by in found if by),
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=7)
    chosen = parser.parse_args()
    print(f"{chosen.rounds} rollouts a row, seed {chosen.seed}: share that was failed (Wilson's 95 % interval), open at the end")
    print(f"promised where the requests are known: of healthy ones at most {MOST_FALSE:.0%}, of others at least {LEAST_FOUND:.0%}")
    broken = []
    for cell in CELLS:
        found = measure(cell, rounds=chosen.rounds, seed=chosen.seed)
        low, high = wilson(found.failed, found.rounds, level=0.95)
        by = ", ".join(f"{name} {count}" for name, count in found.by.most_common())
        failed = f"{100 * found.failed / found.rounds:6.2f} % ({100 * low:.2f} to {100 * high:.2f})"
        print(f"{cell!s:62s} {failed:28s} {100 * found.open / found.rounds:5.1f} %  {by}", flush=True)
        share = found.failed / found.rounds
        if cell.known and (share > MOST_FALSE if cell.healthy else share < LEAST_FOUND):
            broken.append(str(cell))
    print("missed: " + "; ".join(broken) if broken else "every promise holds")


if __name__ == "__main__":
    main()
