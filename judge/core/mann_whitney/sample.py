"""What a method gets to see of one pair."""

from __future__ import annotations

from dataclasses import dataclass

from judge.core.model import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """Finite values that share no data, with the counts behind them where they are ratios.

    `baseline` has shape (n,), `canary` (m,); the events and totals, where given, have
    the shapes of their side. `n_baseline` and `n_canary` count samples before those
    that share data were left out.
    """

    baseline: Floats
    canary: Floats
    n_baseline: int
    n_canary: int
    baseline_events: Floats | None = None
    baseline_total: Floats | None = None
    canary_events: Floats | None = None
    canary_total: Floats | None = None
