"""How often the judge is right: ``python -m tests.benchmarks.decisions [--quick]``.

Canaries whose truth is known are drawn by the thousand (`decisions_scenarios`) and
judged at every look of their rollout, until one fails it. The same arrays go to
Kayenta's rule and to the judge ``mann-whitney``, which takes every look for the only
one (on fewer rollouts: they are only compared with). Every share comes with its 95 %
Wilson interval; `decisions_targets` says which of them were promised. The labelled
real canaries, where they are there, are judged per file at one look.

It prints one table and writes, where asked, CSV (``--csv``) and a picture (``--svg``).
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path

import numpy as np

from judge.core.canary import judge_single_look
from judge.core.model import Outcome
from judge.core.sequential.judge import judge_sequential
from judge.core.sequential.settings import SequentialSettings
from judge.core.statistics.counts import wilson
from tests.benchmarks import decisions_kayenta, decisions_picture, decisions_real, decisions_targets
from tests.benchmarks.decisions_scenarios import SCENARIOS, Scenario, config, draw, pairs, window
from tests.benchmarks.machine import machine

QUIET = SequentialSettings(explain=False)
FEWEST_SAMPLES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One scenario at one size. Shares are counts of `rounds`; looks are 0 where fewer rollouts than that were failed.

    `kayenta_*` and `ranks_*` (the judge ``mann-whitney``, which takes every look for the only one) count rollouts that
    were stopped at any look, and at the last, of the first `compared`.
    """

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
    compared: int
    kayenta_any: int
    kayenta_last: int
    ranks_any: int
    ranks_last: int
    ms: float

    def share(self, count: int) -> tuple[float, float, float]:
        """Share of the rounds with its Wilson interval, in percent."""
        low, high = wilson(count, self.rounds, level=0.95)
        return 100 * count / self.rounds, 100 * low, 100 * high


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is drawn and judged; `compared` rollouts go to the other judges too."""

    scenario: Scenario
    n: int
    looks: int
    metrics: int
    rounds: int
    seed: int
    compared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How one rollout ended, at which look it failed (0: at none), and whether the other judges stopped it at each look."""

    outcome: Outcome
    look: int
    seconds: float
    kayenta: tuple[bool, ...] = ()
    ranks: tuple[bool, ...] = ()


def measure(plan: Plan, *, jobs: int = 1) -> Cell:
    """Judge the rollouts of one scenario; a fixed size of the scenario's own comes first."""
    fixed_n, fixed_looks = plan.scenario.fixed_n, plan.scenario.fixed_looks
    plan = replace(plan, n=plan.n if fixed_n is None else fixed_n, looks=plan.looks if fixed_looks is None else fixed_looks)
    turns = range(plan.rounds)
    if jobs > 1:
        with ProcessPoolExecutor(jobs) as pool:
            ended = list(pool.map(partial(judged, plan), turns, chunksize=max(plan.rounds // (8 * jobs), 1)))
    else:
        ended = [judged(plan, turn) for turn in turns]
    ends = Counter(one.outcome for one in ended)
    at = [one.look for one in ended if one.look]
    others = [one for one in ended if one.kayenta]
    return Cell(
        scenario=plan.scenario.name,
        n=plan.n,
        looks=plan.looks,
        metrics=plan.metrics,
        rounds=plan.rounds,
        failed=ends[Outcome.FAIL],
        passed=ends[Outcome.PASS],
        marginal=ends[Outcome.MARGINAL],
        inconclusive=ends[Outcome.INCONCLUSIVE] + ends[Outcome.ERROR],
        median_look=look_of_share(at, plan.rounds, 0.5),
        look_95=look_of_share(at, plan.rounds, 0.95),
        compared=len(others),
        kayenta_any=sum(any(one.kayenta) for one in others),
        kayenta_last=sum(one.kayenta[-1] for one in others),
        ranks_any=sum(any(one.ranks) for one in others),
        ranks_last=sum(one.ranks[-1] for one in others),
        ms=1000 * sum(one.seconds for one in ended) / plan.rounds,
    )


def judged(plan: Plan, turn: int) -> Ended:
    """Draw rollout number `turn`, and judge it look by look until it fails."""
    number = list(SCENARIOS).index(plan.scenario.name)
    rules = config(plan.scenario, metrics=plan.metrics, looks=plan.looks, n=plan.n)
    rollout = draw(plan.scenario, metrics=plan.metrics, n=plan.n, rng=np.random.default_rng([plan.seed, plan.n, number, turn]))
    before = time.process_time()
    outcome, at = Outcome.INCONCLUSIVE, 0
    for look, upto in sizes(plan.n, plan.looks):
        given, asked = pairs(rollout, upto=upto), window(look, looks=plan.looks, upto=upto)
        outcome = judge_sequential(rules, given, window=asked, settings=QUIET).outcome
        if outcome is Outcome.FAIL:
            at = look
            break
    seconds = time.process_time() - before
    if turn >= plan.compared:
        return Ended(outcome=outcome, look=at, seconds=seconds)
    steps = list(sizes(plan.n, plan.looks))
    by_ranks = (judge_single_look(rules, pairs(rollout, upto=upto)).outcome is Outcome.FAIL for _, upto in steps)
    return Ended(
        outcome=outcome,
        look=at,
        seconds=seconds,
        kayenta=tuple(decisions_kayenta.fails(rollout, upto) for _, upto in steps),
        ranks=tuple(by_ranks),
    )


def sizes(n: int, looks: int) -> Iterable[tuple[int, int]]:
    """Each look with the samples that are there by then."""
    return [(look, upto) for look in range(1, looks + 1) if (upto := round(look * n / looks)) >= FEWEST_SAMPLES]


def look_of_share(at: Sequence[int], rounds: int, share: float) -> int:
    """By which look this share of the rollouts had failed; 0 where it never had."""
    needed = int(np.ceil(share * rounds))
    return sorted(at)[needed - 1] if needed and len(at) >= needed else 0


HEAD = (
    f"{'scenario':32}{'n':>5}{'looks':>6}{'failed (95 % interval)':>27}{'by look':>9}{'95 %':>6}"
    f"{'pass':>8}{'marginal':>10}{'open':>8}{'Kayenta any':>13}{'last':>7}{'ranks any':>11}{'last':>7}{'ms':>6}"
)


def line(cell: Cell) -> str:
    """One row of the table."""
    share, low, high = cell.share(cell.failed)
    failed = f"{share:.2f} % ({low:.2f} - {high:.2f})"
    looks = [str(look) if look else "-" for look in (cell.median_look, cell.look_95)]
    rest = [f"{cell.share(count)[0]:.1f} %" for count in (cell.passed, cell.marginal, cell.inconclusive)]
    others = (cell.kayenta_any, cell.kayenta_last, cell.ranks_any, cell.ranks_last)
    theirs = [f"{100 * count / cell.compared:.0f} %" if cell.compared else "-" for count in others]
    return (
        f"{cell.scenario:32}{cell.n:5d}{cell.looks:6d}{failed:>27}{looks[0]:>9}{looks[1]:>6}"
        f"{rest[0]:>8}{rest[1]:>10}{rest[2]:>8}{theirs[0]:>13}{theirs[1]:>7}{theirs[2]:>11}{theirs[3]:>7}{cell.ms:6.0f}"
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
    parser.add_argument("--compared", type=int, default=50, help="rollouts a cell that Kayenta's rule and the judge mann-whitney judge too")
    parser.add_argument("--jobs", type=int, default=1, help="processes at work")
    parser.add_argument("--quick", action="store_true", help="few rollouts of the promised cells, n = 60 only")
    parser.add_argument("--promised", action="store_true", help="only scenarios of which something was promised")
    parser.add_argument("--no-real", action="store_true", help="leave the real canaries out")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--svg", type=Path)
    chosen = parser.parse_args(arguments)
    if chosen.quick:
        chosen.n, chosen.rounds, chosen.compared = [60], min(chosen.rounds, 40), min(chosen.compared, 5)
    promised = {target.scenario for target in decisions_targets.TARGETS}
    names = [name for name in SCENARIOS if not chosen.scenario or any(part in name for part in chosen.scenario)]
    names = [name for name in names if name in promised or not (chosen.promised or chosen.quick)]
    if not names:
        parser.error(f"no such scenario; there are: {', '.join(SCENARIOS)}")
    print(f"seed {chosen.seed}, {chosen.metrics} metrics of which 2 critical")
    print(f"{chosen.rounds} rollouts a cell ({chosen.compared} of them judged by Kayenta's rule and by ranks alone, too)")
    print(HEAD)
    cells = []
    for name in names:
        scenario = SCENARIOS[name]
        for n in chosen.n if scenario.fixed_n is None else [scenario.fixed_n]:
            plan = Plan(
                scenario=scenario,
                n=n,
                looks=chosen.looks,
                metrics=chosen.metrics,
                rounds=chosen.rounds,
                seed=chosen.seed,
                compared=chosen.compared,
            )
            cell = measure(plan, jobs=chosen.jobs)
            cells.append(cell)
            print(line(cell), flush=True)
    if (chosen.looks, chosen.metrics) == (20, 10):
        print()
        decisions_targets.report(cells)
    if not chosen.no_real:
        print()
        decisions_real.report()
    print()
    for name, milliseconds, limit in costs():
        print(f"{name}: {milliseconds:.1f} ms CPU (at most {limit})")
    print(machine())
    if chosen.csv is not None:
        write_csv(chosen.csv, cells)
    if chosen.svg is not None:
        chosen.svg.write_text(decisions_picture.picture(cells), encoding="utf-8")
    return cells


def costs() -> Iterator[tuple[str, float, int]]:
    """Median CPU time of one look with its sentences, and of a rollout's looks with and without them, in ms."""
    look = Plan(scenario=replace(SCENARIOS["healthy AR .6"], errors=None), n=240, looks=20, metrics=20, rounds=1, seed=0, compared=0)
    yield "one look at 20 metrics x 240 samples", spent(look, [(20, 240)], settings=None), 25
    rollout = replace(look, scenario=SCENARIOS["healthy AR .6"], metrics=10)
    yield "20 looks at 10 metrics, to 240 samples", spent(rollout, list(sizes(240, 20)), settings=QUIET), 150
    yield "the same, every look with its sentences", spent(rollout, list(sizes(240, 20)), settings=None), 250


def spent(plan: Plan, steps: Sequence[tuple[int, int]], *, settings: SequentialSettings | None, times: int = 7) -> float:
    """Median CPU time of these looks at one rollout, in ms."""
    rollout = draw(plan.scenario, metrics=plan.metrics, n=plan.n, rng=np.random.default_rng(plan.seed))
    rules = config(plan.scenario, metrics=plan.metrics, looks=plan.looks, n=plan.n)
    given = [(pairs(rollout, upto=upto), window(look, looks=plan.looks, upto=upto)) for look, upto in steps]
    found = []
    for _ in range(times):
        before = time.process_time()
        for seen, at in given:
            judge_sequential(rules, seen, window=at, settings=settings)
        found.append(time.process_time() - before)
    return 1000 * float(np.median(found))


def write_csv(path: Path, cells: Sequence[Cell]) -> None:
    """One row a cell."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Cell)])
        writer.writeheader()
        writer.writerows(asdict(cell) for cell in cells)


if __name__ == "__main__":
    main(sys.argv[1:])
