"""What was promised: each target with the cell it is read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`what` of a cell must be at least or at most `bound` (percent, or a look)."""

    scenario: str
    n: int
    what: str
    bound: float
    at_least: bool = False

    def value(self, cell: Any) -> float:
        """Read the figure."""
        if self.what == "95 % failed by look":
            return float(cell.look_95) if cell.look_95 else float("inf")
        counts = {
            "failed": cell.failed,
            "passed": cell.passed,
            "not passed": cell.rounds - cell.passed,
            "passed or marginal": cell.passed + cell.marginal,
        }
        return float(100 * counts[self.what] / cell.rounds)

    def kept(self, cell: Any) -> bool:
        """Whether the promise is kept."""
        value = self.value(cell)
        return value >= self.bound if self.at_least else value <= self.bound


def _false(scenario: str, short: float, long: float) -> list[Target]:
    return [Target(scenario=scenario, n=n, what="failed", bound=bound) for n, bound in ((60, short), (240, long))]


def _seen(scenario: str, short: float, long: float) -> list[Target]:
    return [Target(scenario=scenario, n=n, what="failed", bound=bound, at_least=True) for n, bound in ((60, short), (240, long))]


TARGETS: tuple[Target, ...] = (
    *_false("healthy AR .6", 1, 0.5),
    *_false("healthy AR .6 correlated", 1, 0.5),
    *_false("healthy AR .6 shared shocks", 1, 0.5),
    *_false("healthy rate[1m]", 0.5, 0.5),
    *_false("healthy rate[5m]", 0.5, 0.5),
    *_false("healthy AR .9", 8, 3),
    Target(scenario="healthy AR .6", n=60, what="passed", bound=95, at_least=True),
    Target(scenario="healthy AR .6", n=240, what="passed", bound=99, at_least=True),
    Target(scenario="healthy iid n=20", n=20, what="passed", bound=95, at_least=True),
    Target(scenario="healthy iid n=30", n=30, what="passed", bound=95, at_least=True),
    *_seen("+20 %", 75, 99),
    Target(scenario="+20 %", n=240, what="95 % failed by look", bound=15),
    *_seen("+50 %", 99, 99),
    Target(scenario="+50 %", n=240, what="95 % failed by look", bound=5),
    *_seen("+30 % from half-time", 70, 95),
    *_seen("errors .1 to .5 %", 95, 99),
    *_seen("errors .1 to .5 %, 1:10", 40, 98),
    Target(scenario="+20 %", n=60, what="passed", bound=6),
    Target(scenario="+20 %", n=240, what="passed", bound=6),
    Target(scenario="+25 %", n=60, what="passed", bound=1),
    Target(scenario="+25 %", n=240, what="passed", bound=0.5),
    Target(scenario="spread x6-10", n=31, what="not passed", bound=95, at_least=True),
    Target(scenario="3-5 spikes x2.5-4", n=31, what="not passed", bound=95, at_least=True),
    Target(scenario="warm-up healed", n=60, what="passed or marginal", bound=90, at_least=True),
    Target(scenario="warm-up healed late", n=60, what="passed or marginal", bound=90, at_least=True),
    Target(scenario="warm-up healed n=31", n=31, what="passed or marginal", bound=90, at_least=True),
)


def report(cells: Sequence[Any]) -> list[Target]:
    """Print every target whose cell was measured, and return those that were missed."""
    measured = {(cell.scenario, cell.n): cell for cell in cells}
    missed = []
    print(f"{'promised':32}{'n':>5}  {'what':22}{'bound':>8}{'measured':>10}")
    for target in TARGETS:
        cell = measured.get((target.scenario, target.n))
        if cell is None:
            continue
        if not target.kept(cell):
            missed.append(target)
        sign = ">=" if target.at_least else "<="
        said = "" if target.kept(cell) else "  MISSED"
        print(f"{target.scenario:32}{target.n:5d}  {target.what:22}{sign:>3}{target.bound:5g}{target.value(cell):10.2f}{said}")
    return missed
