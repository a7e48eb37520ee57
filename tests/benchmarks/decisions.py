"""How often the judge is right: ``python -m tests.benchmarks.decisions [--quick]``.

Canaries whose truth is known are drawn by the thousand (`decisions_scenarios`) and
judged at every look of their rollout, until one fails it. The same arrays go to Kayenta's rule (on fewer rollouts: it is only
compared with). Every share comes with its 95 % Wilson interval; `decisions_targets`
says which of them were promised. The labelled real canaries, where they are there, are
judged per file at one look.

It prints one table and writes, where asked, CSV (``--csv``) and a picture (``--svg``).
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from judge.core.model import Outcome
from judge.core.sequential.judge import judge_sequential
from judge.core.sequential.settings import SequentialSettings
from judge.core.statistics.counts import wilson
from tests.benchmarks import decisions_kayenta, decisions_picture, decisions_real, decisions_targets
from tests.benchmarks.decisions_scenarios import SCENARIOS, Rollout, Scenario, config, draw, pairs, window

QUIET = SequentialSettings(explain=False)
FEWEST_SAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario at one size. Shares are counts of `rounds`; looks are 0 where fewer rollouts than that were failed."""

    scenario: str
    n: int
    looks: int
    metrics: int
    rounds: int
    failed: int
    passed: int
    marginal: int
    inconclusive: int
    median_look: int
    look_95: int
    kayenta_rounds: int
    kayenta_any: int
    kayenta_last: int
    ms: float

    def share(self, count: int) -> tuple[float, float, float]:
        """Share of the rounds with its Wilson interval, in percent."""
        low, high = wilson(count, self.rounds, level=0.95)
        return 100 * count / self.rounds, 100 * low, 100 * high


def measure(scenario: Scenario, *, n: int, looks: int, metrics: int, rounds: int, seed: int, kayenta_rounds: int) -> Cell:
    """Judge `rounds` rollouts of one scenario; a fixed size of the scenario's own comes first."""
    n = n if scenario.fixed_n is None else scenario.fixed_n
    looks = looks if scenario.fixed_looks is None else scenario.fixed_looks
    number = list(SCENARIOS).index(scenario.name)
    rules = config(scenario, metrics=metrics, looks=looks, n=n)
    ends = dict.fromkeys(Outcome, 0)
    at: list[int] = []
    theirs_any = theirs_last = 0
    spent = 0.0
    for turn in range(rounds):
        rollout = draw(scenario, metrics=metrics, n=n, rng=np.random.default_rng([seed, n, number, turn]))
        before = time.process_time()
        outcome = Outcome.INCONCLUSIVE
        for look, upto in sizes(n, looks):
            outcome = judge_sequential(
                rules, pairs(rollout, upto=upto), window=window(look, looks=looks, upto=upto), settings=QUIET
            ).outcome
            if outcome is Outcome.FAIL:
                at.append(look)
                break
        spent += time.process_time() - before
        ends[outcome] += 1
        if turn < kayenta_rounds:
            flags = kayenta_flags(rollout, n, looks)
            theirs_any, theirs_last = theirs_any + any(flags), theirs_last + flags[-1]
    return Cell(
        scenario=scenario.name,
        n=n,
        looks=looks,
        metrics=metrics,
        rounds=rounds,
        failed=ends[Outcome.FAIL],
        passed=ends[Outcome.PASS],
        marginal=ends[Outcome.MARGINAL],
        inconclusive=ends[Outcome.INCONCLUSIVE] + ends[Outcome.ERROR],
        median_look=look_of_share(at, rounds, 0.5),
        look_95=look_of_share(at, rounds, 0.95),
        kayenta_rounds=min(kayenta_rounds, rounds),
        kayenta_any=theirs_any,
        kayenta_last=theirs_last,
        ms=1000 * spent / rounds,
    )


def sizes(n: int, looks: int) -> Iterable[tuple[int, int]]:
    """Each look with the samples that are there by then."""
    return [(look, upto) for look in range(1, looks + 1) if (upto := round(look * n / looks)) >= FEWEST_SAMPLES]


def kayenta_flags(rollout: Rollout, n: int, looks: int) -> list[bool]:
    """Whether Kayenta's rule fails the rollout, look by look."""
    return [decisions_kayenta.fails(rollout, upto) for _, upto in sizes(n, looks)]


def look_of_share(at: Sequence[int], rounds: int, share: float) -> int:
    """By which look this share of the rollouts had failed; 0 where it never had."""
    needed = int(np.ceil(share * rounds))
    return sorted(at)[needed - 1] if needed and len(at) >= needed else 0


HEAD = (
    f"{'scenario':32}{'n':>5}{'looks':>6}{'failed (95 % interval)':>27}{'by look':>9}{'95 %':>6}"
    f"{'pass':>8}{'marginal':>10}{'open':>8}{'Kayenta any':>13}{'last':>7}{'ms':>6}"
)


def line(cell: Cell) -> str:
    """One row of the table."""
    share, low, high = cell.share(cell.failed)
    failed = f"{share:.2f} % ({low:.2f} - {high:.2f})"
    looks = [str(look) if look else "-" for look in (cell.median_look, cell.look_95)]
    rest = [f"{cell.share(count)[0]:.1f} %" for count in (cell.passed, cell.marginal, cell.inconclusive)]
    theirs = [
        f"{100 * count / cell.kayenta_rounds:.0f} %" if cell.kayenta_rounds else "-" for count in (cell.kayenta_any, cell.kayenta_last)
    ]
    return (
        f"{cell.scenario:32}{cell.n:5d}{cell.looks:6d}{failed:>27}{looks[0]:>9}{looks[1]:>6}"
        f"{rest[0]:>8}{rest[1]:>10}{rest[2]:>8}{theirs[0]:>13}{theirs[1]:>7}{cell.ms:6.0f}"
    )


def main(arguments: Sequence[str] | None = None) -> list[Cell]:
    """Run the benchmark; the cells are returned for the tests."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.decisions", description="How often the judge is right.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--n", type=int, nargs="+", default=[60, 240], help="samples a side at the last look")
    parser.add_argument("--looks", type=int, default=20)
    parser.add_argument("--metrics", type=int, default=10)
    parser.add_argument("--scenario", action="append", help="only scenarios whose name has this part; may be repeated")
    parser.add_argument("--rounds", type=int, default=1000, help="rollouts a cell")
    parser.add_argument("--kayenta-rounds", type=int, default=50, help="rollouts a cell that Kayenta's rule judges too")
    parser.add_argument("--quick", action="store_true", help="few rollouts of the promised cells, n = 60 only")
    parser.add_argument("--promised", action="store_true", help="only scenarios of which something was promised")
    parser.add_argument("--no-real", action="store_true", help="leave the real canaries out")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--svg", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.quick:
        chosen.n, chosen.rounds, chosen.kayenta_rounds = [60], min(chosen.rounds, 40), min(chosen.kayenta_rounds, 5)
    promised = {target.scenario for target in decisions_targets.TARGETS}
    names = [name for name in SCENARIOS if not chosen.scenario or any(part in name for part in chosen.scenario)]
    names = [name for name in names if name in promised or not (chosen.promised or chosen.quick)]
    if not names:
        parser.error(f"no such scenario; there are: {', '.join(SCENARIOS)}")
    print(f"seed {chosen.seed}, {chosen.metrics} metrics of which 2 critical")
    print(f"{chosen.rounds} rollouts a cell (Kayenta {chosen.kayenta_rounds})")
    print(HEAD)
    cells = []
    for name in names:
        scenario = SCENARIOS[name]
        for n in chosen.n if scenario.fixed_n is None else [scenario.fixed_n]:
            cell = measure(
                scenario,
                n=n,
                looks=chosen.looks,
                metrics=chosen.metrics,
                rounds=chosen.rounds,
                seed=chosen.seed,
                kayenta_rounds=chosen.kayenta_rounds,
            )
            cells.append(cell)
            print(line(cell), flush=True)
    if (chosen.looks, chosen.metrics) == (20, 10):
        print()
        decisions_targets.report(cells)
    if not chosen.no_real:
        print()
        decisions_real.report()
    if chosen.csv is not None:
        write_csv(chosen.csv, cells)
    if chosen.svg is not None:
        chosen.svg.write_text(decisions_picture.picture(cells), encoding="utf-8")
    return cells


def write_csv(path: Path, cells: Sequence[Cell]) -> None:
    """One row a cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Cell)])
        writer.writeheader()
        writer.writerows(asdict(cell) for cell in cells)


if __name__ == "__main__":
    main(sys.argv[1:])
