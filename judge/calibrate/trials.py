"""Cases judged at every look of the config's plan, in one process or several."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from judge.calibrate.healthy_pairs import Case, until
from judge.core.canary import JUDGES, judge_canary
from judge.core.config import CanaryConfig
from judge.core.model import Classification, Outcome, SeriesPair, Verdict, Window
from judge.core.sequential import NAME as SEQUENTIAL
from judge.core.sequential.judge import judge_sequential
from judge.core.sequential.settings import settings_of
from judge.parallel import Workers
from judge.verdicts.analysis import look_number

_SMALLEST_TASK = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One metric of one case over all looks.

    `look` is the first one at which it was regressed (0 for never) and `ground` by which test; `last` is what it came to at the last look.
    """

    look: int
    ground: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trait:
    """What the samples of one metric in one case are like at the last look.

    Relative change from baseline to canary, samples, effective samples, autocorrelation of neighbours, and the baseline's level.
    """

    change: float
    n: int
    effective: float
    lag: float
    level: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One case: the look at which it would have been stopped (0 for never), each look's outcome, and each metric."""

    kind: str
    start: float
    stopped: int
    outcomes: dict[int, str]
    metrics: dict[str, Seen]
    traits: dict[str, Trait]

    @property
    def outcome(self) -> str:
        """The last look's."""
        return self.outcomes[max(self.outcomes)]


def judge_case(config: CanaryConfig, case: Case, *, traits: bool = True, last_only: bool = False) -> Judged:
    """Judge one case look by look; what stops it does not end the looks of the other metrics."""
    stopped, verdict = 0, None
    first: dict[str, tuple[int, str]] = {}
    outcomes: dict[int, str] = {}
    looks = looks_of(config, case.length)
    for number, seconds in looks[-1:] if last_only else looks:
        verdict = judge_at(config, case, seconds, number=number)
        outcomes[number] = verdict.outcome.value
        if verdict.outcome is Outcome.FAIL and not stopped:
            stopped = number
        for result in verdict.results:
            if result.classification.regressed:
                first.setdefault(result.name, (number, result.reason if len(result.reason) < 20 else ""))
    assert verdict is not None
    last: dict[str, str] = {}
    for result in verdict.results:
        # Of several label sets the worst counts.
        if result.name not in last or _order(result.classification) > _order(Classification(last[result.name])):
            last[result.name] = result.classification.value
    seen = {name: Seen(look=first.get(name, (0, ""))[0], ground=first.get(name, (0, ""))[1], last=value) for name, value in last.items()}
    return Judged(
        kind=case.kind.value,
        start=case.start,
        stopped=stopped,
        outcomes=outcomes,
        metrics=seen,
        traits=_traits(config, case) if traits else {},
    )


def looks_of(config: CanaryConfig, length: float) -> list[tuple[int, float]]:
    """The looks at a window of this length: the number that a live question gets, and the seconds that are judged then.

    A live canary is warm where its warm-up ends, its window begins at the next whole step.

    Examples
    --------
    >>> from judge.core.config import LooksConfig, WindowConfig
    >>> config = CanaryConfig(name="c", metrics=(), window=WindowConfig(step=60), looks=LooksConfig(count=3, interval=120))
    >>> looks_of(config, 360.0)
    [(2, 120.0), (3, 240.0), (3, 360.0)]
    """
    step = config.window.step
    interval = config.looks.interval if config.looks.interval is not None else step
    count = max(config.looks.count, 1)
    if count == 1:
        return [(1, length // step * step)]
    late = -config.window.warmup % step
    found: dict[float, int] = {}
    for number in range(1, count + 1):
        warm_for = min(number * interval, length + late)
        # Of two looks in one step the second one would get the first one's answer.
        found.setdefault((warm_for - late) // step * step, look_number(config, warm_for))
    return [(number, elapsed) for elapsed, number in found.items() if elapsed >= step]


def judge_at(config: CanaryConfig, case: Case, elapsed: float, *, number: int) -> Verdict:
    """The verdict of one look, without the sentences that nobody reads here."""
    pairs, traffic = until(case, elapsed, minimum=config.traffic is not None)
    window = Window(
        start=case.start,
        end=case.start + elapsed,
        step=config.window.step,
        warmup=config.window.warmup,
        look=number,
        of=max(config.looks.count, 1),
    )
    if config.judge == SEQUENTIAL:
        settings = replace(settings_of(config), explain=False)
        return judge_sequential(config, pairs, traffic=traffic, window=window, settings=settings)
    return JUDGES[config.judge](config, pairs, traffic=traffic, window=window)


def _order(classification: Classification) -> int:
    order = (
        Classification.PASS,
        Classification.UNDECIDED,
        Classification.NODATA,
        Classification.LOW,
        Classification.HIGH,
        Classification.ERROR,
    )
    return order.index(classification)


def _traits(config: CanaryConfig, case: Case) -> dict[str, Trait]:
    """Describe the samples of the whole window; of several label sets the first one."""
    verdict = judge_canary(
        config, case.pairs, window=Window(start=case.start, end=case.start + case.length, step=config.window.step, look=1, of=1)
    )
    lags = {pair.metric: _lag(pair) for pair in reversed(case.pairs)}
    found: dict[str, Trait] = {}
    for result in verdict.results:
        compared = result.comparison
        if compared is None or result.name in found:
            continue
        found[result.name] = Trait(
            change=compared.change,
            n=compared.n_canary,
            effective=float(compared.n_effective),
            lag=lags.get(result.name, math.nan),
            level=compared.baseline_value,
        )
    return found


def _lag(pair: SeriesPair) -> float:
    """Autocorrelation of neighbouring baseline samples; of a ratio, of events as a share of their total."""
    values = pair.baseline.v
    if pair.baseline_total is not None:
        t, mine, all_of = np.intersect1d(pair.baseline.t, pair.baseline_total.t, assume_unique=True, return_indices=True)
        if len(t) < 5:
            return math.nan
        total = pair.baseline_total.v[all_of]
        values = np.divide(pair.baseline.v[mine], total, out=np.zeros(len(t)), where=total > 0)
    values = values[np.isfinite(values)]
    if len(values) < 5:
        return math.nan
    around = values - values.mean()
    square = float(around @ around)
    return float(around[1:] @ around[:-1]) / square if square > 0 else math.nan


Task = tuple[CanaryConfig, Sequence[Case], bool]


def _judge_some(task: Task) -> list[Judged]:
    config, cases, traits = task
    return [judge_case(config, case, traits=traits) for case in cases]


def judge_all(
    config: CanaryConfig, cases: Sequence[Case], *, workers: Workers, traits: bool = True, tell: Callable[[int, int], None] | None = None
) -> list[Judged]:
    """Judge many cases, in order."""
    size = max(_SMALLEST_TASK, min(25, len(cases) // 16))
    tasks: list[Task] = [(config, cases[first : first + size], traits) for first in range(0, len(cases), size)]
    found: list[Judged] = []
    for done in workers.each(_judge_some, tasks):
        found += done
        if tell is not None:
            tell(len(found), len(cases))
    return found
