"""Canaries that never were: the scenarios of the decision benchmark, each a recipe for arrays.

Noise is lognormal with a coefficient of variation of 10 % unless said. Every rollout
has a random generator of its own, seeded by (seed, n, scenario, rollout), so that any
one can be made again alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from judge.core.config import (
    COUNT_MUST_DETECT,
    COUNT_TOLERANCE,
    CanaryConfig,
    Direction,
    LooksConfig,
    MetricConfig,
    WindowConfig,
)
from judge.core.model import Series, SeriesPair, Window

Array = NDArray[np.float64]

STEP = 15.0
LEVEL = 100.0
BURN_IN = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How a series varies: an autocorrelation, a rate window, or a mixture; `shared` in units of own noise."""

    phi: float = 0.0
    window: int = 1
    slow: float = 0.0
    tails: float = 0.0
    cv: float = 0.1
    shared: float = 0.0
    between_metrics: float = 0.0
    pod: float = 0.0

    def draw(self, rng: np.random.Generator, rows: int, n: int) -> Array:
        """Standard normal-like noise of shape (rows, n)."""
        if self.window > 1:
            white = rng.standard_normal((rows, n + self.window - 1))
            total = np.concatenate([np.zeros((rows, 1)), np.cumsum(white, axis=1)], axis=1)
            return (total[:, self.window :] - total[:, : -self.window]) / np.sqrt(self.window)
        if self.slow > 0:
            return np.sqrt(1 - self.slow) * rng.standard_normal((rows, n)) + np.sqrt(self.slow) * autoregressive(rng, rows, n, 0.9)
        return autoregressive(rng, rows, n, self.phi, tails=self.tails)


def autoregressive(rng: np.random.Generator, rows: int, n: int, phi: float, *, tails: float = 0.0) -> Array:
    """AR(1) series of unit variance, shape (rows, n); `tails` are the degrees of freedom of t innovations."""
    burn = BURN_IN if phi > 0 else 0
    shape = (rows, n + burn)
    fresh = rng.standard_t(tails, shape) / np.sqrt(tails / (tails - 2)) if tails > 0 else rng.standard_normal(shape)
    if phi <= 0:
        return fresh
    found = np.empty_like(fresh)
    found[:, 0] = fresh[:, 0]
    step = np.sqrt(1 - phi**2)
    for i in range(1, n + burn):
        found[:, i] = phi * found[:, i - 1] + step * fresh[:, i]
    return found[:, burn:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """An error ratio from counts; `burst` is the standard deviation of the log rate's own AR(0.8) movement."""

    requests: float = 300.0
    rate: float = 0.001
    canary_rate: float = 0.001
    traffic: float = 1.0
    burst: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """One recipe.

    `effect` is a relative change of the latency from `onset` (a share of the window) to `until`;
    `everywhere` a change of every value metric. `spread` multiplies the canary's noise, `spikes`
    of its samples are multiplied by `spike_size` (both drawn from a range). `drift` rises linearly
    from `onset` on. `healthy` scenarios must not fail.
    """

    name: str
    healthy: bool = False
    noise: Noise = field(default_factory=Noise)
    errors: Errors | None = field(default_factory=Errors)
    effect: float = 0.0
    onset: float = 0.0
    until: float = 1.0
    after: float = 0.0
    everywhere: float = 0.0
    drift: float = 0.0
    spread: tuple[float, float] = (1.0, 1.0)
    spikes: tuple[int, int] = (0, 0)
    spike_size: tuple[float, float] = (1.0, 1.0)
    others: int = 0
    fixed_n: int | None = None
    fixed_looks: int | None = None
    fixed_metrics: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rollout:
    """Arrays of one rollout: values of shape (metrics, n), counts of shape (n,)."""

    baseline: Array
    canary: Array
    counts: tuple[Array, Array, Array, Array] | None


def draw(scenario: Scenario, *, metrics: int, n: int, rng: np.random.Generator) -> Rollout:
    """Draw one rollout; row 0 is the latency, which is critical and carries the effect."""
    rows = metrics - (scenario.errors is not None)
    noise = scenario.noise
    own_b, own_c = noise.draw(rng, rows, n), noise.draw(rng, rows, n)
    if noise.between_metrics > 0:
        r = noise.between_metrics
        own_b = np.sqrt(1 - r) * own_b + np.sqrt(r) * noise.draw(rng, 1, n)
        own_c = np.sqrt(1 - r) * own_c + np.sqrt(r) * noise.draw(rng, 1, n)
    low, high = scenario.spread
    if high > 1:
        own_c[0] *= rng.uniform(low, high)
    if noise.shared > 0:
        common = noise.shared * noise.draw(rng, rows, n)
        own_b, own_c = own_b + common, own_c + common
    log_b, log_c = noise.cv * own_b, noise.cv * own_c
    if noise.pod > 0:
        log_c = log_c + noise.pod * rng.standard_normal((rows, 1))
    place = (np.arange(n) + 0.5) / n
    inside = (place >= scenario.onset) & (place < scenario.until)
    log_c[0] += np.log1p(scenario.effect) * inside + np.log1p(scenario.after) * (place >= scenario.until)
    if scenario.drift:
        log_c[0] += np.log1p(scenario.drift * np.clip((place - scenario.onset) / (1 - scenario.onset), 0, None))
    if scenario.everywhere:
        log_c += np.log1p(scenario.everywhere)
    if scenario.others:
        log_c[-scenario.others :] += np.log1p(0.2)
    if scenario.spikes[1]:
        count = int(rng.integers(scenario.spikes[0], scenario.spikes[1] + 1))
        where = rng.choice(n, size=count, replace=False)
        log_c[0, where] += np.log(rng.uniform(*scenario.spike_size, size=count))
    return Rollout(
        baseline=LEVEL * np.exp(log_b),
        canary=LEVEL * np.exp(log_c),
        counts=None if scenario.errors is None else _counts(scenario.errors, n, rng),
    )


def _counts(errors: Errors, n: int, rng: np.random.Generator) -> tuple[Array, Array, Array, Array]:
    sides: list[Array] = []
    for rate, requests in ((errors.rate, errors.requests), (errors.canary_rate, errors.requests * errors.traffic)):
        total = rng.poisson(requests, n)
        chance = np.full(n, rate)
        if errors.burst > 0:
            moves = errors.burst * autoregressive(rng, 1, n, 0.8)[0]
            chance = np.minimum(rate * np.exp(moves - errors.burst**2 / 2), 1.0)
        sides += [rng.binomial(total, chance).astype(float), total.astype(float)]
    return sides[0], sides[1], sides[2], sides[3]


def config(scenario: Scenario, *, metrics: int, looks: int, n: int) -> CanaryConfig:
    """The canary config of a scenario: latency and errors are critical, every increase is bad."""
    rows = metrics - (scenario.errors is not None)
    values = tuple(
        MetricConfig(
            name="latency" if row == 0 else f"metric-{row}",
            direction=Direction.INCREASE,
            critical=row == 0 or (scenario.errors is None and row == 1),
            rate_window=scenario.noise.window * STEP if scenario.noise.window > 1 else None,
        )
        for row in range(rows)
    )
    counted = MetricConfig(
        name="errors",
        numerator="errors",
        denominator="requests",
        direction=Direction.INCREASE,
        tolerance=COUNT_TOLERANCE,
        must_detect=COUNT_MUST_DETECT,
        critical=True,
    )
    return CanaryConfig(
        name=scenario.name,
        metrics=values if scenario.errors is None else (*values, counted),
        judge="sequential",
        window=WindowConfig(step=STEP, length=n * STEP),
        looks=LooksConfig(count=looks, interval=n * STEP / looks),
    )


def pairs(rollout: Rollout, *, upto: int) -> list[SeriesPair]:
    """Give the pairs a judge sees after `upto` samples."""
    t = np.arange(upto) * STEP
    found = [
        SeriesPair(
            metric="latency" if row == 0 else f"metric-{row}",
            baseline=Series(t=t, v=rollout.baseline[row, :upto]),
            canary=Series(t=t, v=rollout.canary[row, :upto]),
        )
        for row in range(len(rollout.baseline))
    ]
    if rollout.counts is not None:
        events_b, total_b, events_c, total_c = (Series(t=t, v=column[:upto]) for column in rollout.counts)
        found.append(SeriesPair(metric="errors", baseline=events_b, baseline_total=total_b, canary=events_c, canary_total=total_c))
    return found


def window(look: int, *, looks: int, upto: int) -> Window:
    """The window of a look."""
    return Window(start=0.0, end=upto * STEP, step=STEP, look=look, of=looks, first_sample=0.0)


AR6 = Noise(phi=0.6)
SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario
    for scenario in (
        Scenario(name="healthy iid", healthy=True),
        Scenario(name="healthy AR .3", healthy=True, noise=Noise(phi=0.3)),
        Scenario(name="healthy AR .6", healthy=True, noise=AR6),
        Scenario(name="healthy AR .6 correlated", healthy=True, noise=Noise(phi=0.6, between_metrics=0.5)),
        Scenario(name="healthy AR .6 shared shocks", healthy=True, noise=Noise(phi=0.6, shared=3)),
        Scenario(name="healthy AR .8", healthy=True, noise=Noise(phi=0.8)),
        Scenario(name="healthy AR .9", healthy=True, noise=Noise(phi=0.9)),
        Scenario(name="healthy rate[1m]", healthy=True, noise=Noise(window=4)),
        Scenario(name="healthy rate[2m]", healthy=True, noise=Noise(window=8)),
        Scenario(name="healthy rate[5m]", healthy=True, noise=Noise(window=20)),
        Scenario(name="healthy pods differ 2 %", healthy=True, noise=Noise(phi=0.6, pod=0.02)),
        Scenario(name="healthy white and slow", healthy=True, noise=Noise(slow=0.4)),
        Scenario(name="healthy t3", healthy=True, noise=Noise(phi=0.6, tails=3)),
        Scenario(name="healthy error bursts", healthy=True, noise=AR6, errors=Errors(burst=1.0)),
        Scenario(name="healthy iid n=20", healthy=True, fixed_n=20),
        Scenario(name="healthy iid n=30", healthy=True, fixed_n=30),
        Scenario(name="+5 % (tolerated)", healthy=True, noise=AR6, effect=0.05),
        Scenario(name="+10 %", noise=AR6, effect=0.10),
        Scenario(name="+20 %", noise=AR6, effect=0.20),
        Scenario(name="+25 %", noise=AR6, effect=0.25),
        Scenario(name="+50 %", noise=AR6, effect=0.50),
        Scenario(name="+20 % shared shocks", noise=Noise(phi=0.6, shared=3), effect=0.20),
        Scenario(name="+20 % rate[1m]", noise=Noise(window=4), effect=0.20),
        Scenario(name="+20 % AR .9", noise=Noise(phi=0.9), effect=0.20),
        Scenario(name="+30 % from half-time", noise=AR6, effect=0.30, onset=0.5),
        Scenario(name="errors .1 to .5 %", noise=AR6, errors=Errors(canary_rate=0.005)),
        Scenario(name="errors .1 to .5 %, 1:10", noise=AR6, errors=Errors(canary_rate=0.005, traffic=0.1)),
        Scenario(name="errors .1 to .5 %, 75 requests", noise=AR6, errors=Errors(canary_rate=0.005, requests=75)),
        Scenario(name="four others +20 %", noise=AR6, others=4),
        Scenario(name="+6 % everywhere", noise=AR6, everywhere=0.06),
        Scenario(name="+8 % everywhere", noise=AR6, everywhere=0.08),
        Scenario(name="drift to +40 %", noise=AR6, drift=0.4, onset=0.5),
        Scenario(name="spread x6-10", fixed_n=31, fixed_looks=1, spread=(6, 10)),
        Scenario(name="3-5 spikes x2.5-4", fixed_n=31, fixed_looks=1, spikes=(3, 5), spike_size=(2.5, 4)),
        Scenario(name="warm-up healed", fixed_n=60, fixed_looks=1, healthy=True, noise=AR6, effect=0.8, until=0.4),
        Scenario(name="warm-up healed late", fixed_n=60, fixed_looks=1, healthy=True, noise=AR6, effect=0.5, until=0.62),
        Scenario(name="warm-up healed n=31", fixed_n=31, fixed_looks=1, healthy=True, effect=0.8, until=0.4),
        Scenario(name="partial recovery", fixed_n=60, fixed_looks=1, noise=AR6, effect=0.8, until=0.4, after=0.3),
    )
}
