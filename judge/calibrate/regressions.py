"""Known regressions put into the canary's side of healthy pairs.

Each shape changes the fetched samples by a size that is known, in the metric's bad direction. Sizes are
fractions (0.2 is +20 %) of the sample's own value; of counts, shares of the requests that fail besides.
To add a shape, write a function of type `Change` and name it in `SHAPES`.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from judge.calibrate.healthy_pairs import Case, until
from judge.calibrate.trials import looks_of
from judge.core.canary import JUDGES
from judge.core.classification import blank_result
from judge.core.config import CanaryConfig, Direction, MetricConfig
from judge.core.model import Floats, Series, SeriesPair, Window
from judge.core.scoring import weigh
from judge.core.sequential import NAME as SEQUENTIAL
from judge.core.sequential.assessment import assess
from judge.core.sequential.budget import Look, share_out
from judge.core.sequential.evidence import gather
from judge.core.sequential.settings import for_requests, requests_of, settings_of
from judge.parallel import Workers

Change = Callable[[Floats, float, np.random.Generator], Floats]
"""Values in order of time, size, chance -> values."""

_TAIL_SHARE = 0.1
_NEIGHBOURS = 9


def _level(values: Floats, size: float, _rng: np.random.Generator) -> Floats:
    return values * (1 + size)


def _drift(values: Floats, size: float, _rng: np.random.Generator) -> Floats:
    """From nothing at the start to the whole size at the end."""
    return values * (1 + size * np.linspace(0, 1, len(values)))


def _late(values: Floats, size: float, _rng: np.random.Generator) -> Floats:
    """Nothing for the first half."""
    return values * (1 + size * (np.arange(len(values)) >= len(values) / 2))


def _tail(values: Floats, size: float, rng: np.random.Generator) -> Floats:
    """One sample in ten."""
    return values * (1 + size * (rng.random(len(values)) < _TAIL_SHARE))


def _spread(values: Floats, size: float, _rng: np.random.Generator) -> Floats:
    """Further from what is usual at the time, on both sides of it."""
    if len(values) < _NEIGHBOURS:
        return values
    padded = np.pad(values, _NEIGHBOURS // 2, mode="edge")
    middle = np.median(np.lib.stride_tricks.sliding_window_view(padded, _NEIGHBOURS), axis=1)
    changed: Floats = np.maximum(middle + (values - middle) * (1 + size), np.minimum(values, 0.0))
    return changed


SHAPES: dict[str, tuple[Change, tuple[float, ...]]] = {
    "level": (_level, (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)),
    "drift": (_drift, (0.1, 0.2, 0.5, 1.0)),
    "late": (_late, (0.1, 0.2, 0.5, 1.0)),
    "tail": (_tail, (0.5, 1.0, 2.0, 4.0)),
    "spread": (_spread, (0.5, 1.0, 2.0, 4.0)),
}
COUNTED = {
    "counts": (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05),
    "drift": (0.005, 0.01, 0.02, 0.05),
    "late": (0.005, 0.01, 0.02, 0.05),
}
"""Shapes of ratios of counts, with the shares of the requests that are changed."""


def shapes_of(metric: MetricConfig) -> dict[str, tuple[float, ...]]:
    """Shapes that a metric can show, with the sizes that are tried."""
    return dict(COUNTED) if metric.denominator else {name: sizes for name, (_, sizes) in SHAPES.items()}


def put_into(pair: SeriesPair, metric: MetricConfig, shape: str, size: float, *, seed: int) -> SeriesPair:
    """Make the canary of one pair worse by a known amount."""
    rng = np.random.default_rng([seed, zlib.crc32(f"{metric.name}/{shape}/{size}".encode())])
    falling = metric.direction is Direction.DECREASE
    if pair.canary_total is not None:
        return replace(pair, canary=_events(pair, shape, size, rng, falling=falling))
    change, _ = SHAPES[shape]
    values = pair.canary.v
    if falling and shape in {"level", "drift", "late", "tail"}:
        # The fall that the same rise would undo.
        with np.errstate(divide="ignore", invalid="ignore"):
            factor = np.where(values != 0, change(values, size, rng) / values, 1.0)
        changed = values / factor
    else:
        changed = change(values, size, rng)
    return replace(pair, canary=replace(pair.canary, v=changed))


def _events(pair: SeriesPair, shape: str, size: float, rng: np.random.Generator, *, falling: bool) -> Series:
    total = pair.canary_total
    assert total is not None
    events = np.zeros(len(total))
    _, here, there = np.intersect1d(total.t, pair.canary.t, assume_unique=True, return_indices=True)
    events[here] = pair.canary.v[there]
    part = {"counts": np.ones(len(total)), "drift": np.linspace(0, 1, len(total)), "late": (np.arange(len(total)) >= len(total) / 2) * 1.0}
    chance = np.clip(size * part[shape], 0.0, 1.0)
    if falling:
        changed = np.maximum(events - rng.binomial(np.rint(np.maximum(events, 0)).astype(int), chance), 0.0)
    else:
        well = np.rint(np.maximum(total.v - events, 0)).astype(int)
        changed = np.minimum(events + rng.binomial(well, chance), np.maximum(total.v, events))
    return replace(total, v=changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One size of one shape in one metric: the look at which each case was caught, 0 for never."""

    metric: str
    shape: str
    size: float
    looks: tuple[int, ...]

    @property
    def caught(self) -> int:
        """How many were caught at some look."""
        return sum(look > 0 for look in self.looks)


def try_shapes(config: CanaryConfig, cases: Sequence[Case], *, workers: Workers, seed: int = 0) -> list[Trial]:
    """Put every shape in every size into every compared metric of these cases, one at a time."""
    tasks = [(config, cases, metric.name, shape, seed) for metric in config.metrics if metric.limit is None for shape in shapes_of(metric)]
    return [trial for done in workers.each(_try_shape, tasks) for trial in done]


def _try_shape(task: tuple[CanaryConfig, Sequence[Case], str, str, int]) -> list[Trial]:
    """All sizes of one shape, the largest first; sizes below one that is hardly ever caught are not tried."""
    config, cases, name, shape, seed = task
    metric = config.metric(name)
    found: list[Trial] = []
    hopeless = False
    for size in sorted(shapes_of(metric)[shape], reverse=True):
        looks = (0,) * len(cases) if hopeless else tuple(caught_at(config, case, metric, shape, size, seed=seed) for case in cases)
        found.append(Trial(metric=name, shape=shape, size=size, looks=looks))
        hopeless = hopeless or found[-1].caught <= 0.02 * len(cases)
    return found[::-1]


def caught_at(config: CanaryConfig, case: Case, metric: MetricConfig, shape: str, size: float, *, seed: int) -> int:
    """The look at which this metric is regressed in this case once it was made worse; 0 for never."""
    pairs = tuple(
        put_into(pair, metric, shape, size, seed=seed + int(case.start)) if pair.metric == metric.name and len(pair.canary) else pair
        for pair in case.pairs
    )
    changed = replace(case, pairs=pairs)
    for number, elapsed in looks_of(config, case.length):
        if is_regressed(config, changed, metric, elapsed, number=number):
            return number
    return 0


def is_regressed(config: CanaryConfig, case: Case, metric: MetricConfig, elapsed: float, *, number: int) -> bool:
    """Whether one metric alone is regressed at one look, as it would be in the whole verdict."""
    pairs, traffic = until(case, elapsed, minimum=config.traffic is not None)
    if config.judge != SEQUENTIAL:
        window = Window(start=case.start, end=case.start + elapsed, step=config.window.step, look=number, of=max(config.looks.count, 1))
        verdict = JUDGES[config.judge](config, pairs, traffic=traffic, window=window)
        return any(result.classification.regressed for result in verdict.results if result.name == metric.name)
    settings = for_requests(settings_of(config), requests_of(traffic, pairs))
    metrics = {one.name: one for one in config.metrics}
    weighed = weigh([blank_result(pair, metrics[pair.metric]) for pair in pairs], config.groups)
    compared = [(metrics[result.name], result.weight) for result in weighed if metrics[result.name].limit is None]
    budgets = share_out([one for one, _ in compared], [weight for _, weight in compared], marginal=config.score.marginal, settings=settings)
    look = Look(number=number, of=max(config.looks.count, 1))
    needed = max(metric.min_samples if metric.min_samples is not None else config.min_samples, 2)
    for pair in pairs:
        if pair.metric != metric.name:
            continue
        evidence = gather(pair, rate_window=metric.rate_window, step=config.window.step)
        if evidence.refusal or evidence.ranked is None or min(len(evidence.ranked.canary), len(evidence.ranked.baseline)) < needed:
            continue
        if assess(evidence, metric, look, budgets.of(metric), settings).classification.regressed:
            return True
    return False
