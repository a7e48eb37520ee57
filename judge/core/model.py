"""The nouns: series, pairs of series, what a comparison found, and the verdict.

Everything here is frozen and knows nothing of where it came from or how it is
spelled on the wire.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Mask: TypeAlias = NDArray[np.bool_]


class Classification(StrEnum):
    """What was found for one metric."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    HIGH = "high"
    LOW = "low"
    UNDECIDED = "undecided"
    NODATA = "nodata"
    ERROR = "error"

    @property
    def regressed(self) -> bool:
        """The canary was shown to be worse than its owner tolerates."""
        return self in {Classification.HIGH, Classification.LOW}


class Outcome(StrEnum):
    """What was found for the canary."""

    PASS = "pass"  # noqa: S105 - a verdict, not a password
    MARGINAL = "marginal"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    ERROR = "error"

    @property
    def code(self) -> int:
        """0 pass, 1 marginal, 2 fail, 3 inconclusive, 4 error."""
        return list(Outcome).index(self)


def series_title(name: str, labels: Mapping[str, str]) -> str:
    """Write a metric's name with its labels, where it has several label sets.

    Examples
    --------
    >>> series_title("latency", {}), series_title("latency", {"route": "/b", "code": "200"})
    ('latency', 'latency{code="200",route="/b"}')
    """
    return f"{name}{{{label_words(labels)}}}" if labels else name


def label_words(labels: Mapping[str, str]) -> str:
    """Write labels as PromQL does, in one order."""
    return ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """Samples of one metric on one side.

    `t` are unix seconds, strictly increasing; `v` the values at those times, in
    the metric's own unit; both of shape (n,). A time without a sample is simply
    absent: gaps are not filled.
    """

    t: Floats
    v: Floats
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> Self:
        """No samples."""
        return cls(t=np.empty(0), v=np.empty(0))

    def __len__(self) -> int:
        """Count the samples."""
        return len(self.t)

    def between(self, start: float, end: float) -> Series:
        """Keep the samples with ``start <= t <= end``."""
        keep = (self.t >= start) & (self.t <= end)
        return Series(t=self.t[keep], v=self.v[keep], labels=self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a pair could not be fetched: `nodata` when the source is at fault, else `error`."""

    classification: Classification
    message: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SeriesPair:
    """Both sides of one metric, for one label set.

    Where the metric is a ratio of counts, `baseline` and `canary` hold the
    counted events (errors) and `baseline_total` and `canary_total` what they are
    counted of (requests); otherwise the totals are None.
    """

    metric: str
    baseline: Series
    canary: Series
    baseline_total: Series | None = None
    canary_total: Series | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)
    rate_window: float | None = None
    problem: Problem | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests that each side answered in the window; None where the source had no answer. `queries` are as sent, by side."""

    baseline: float | None
    canary: float | None
    problem: str = ""
    queries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was judged: unix seconds, whole multiples of `step`.

    `first_sample` is the canary's own first one, None where nobody asked or there
    is none; `look` counts from 1 to `of`.
    """

    start: float
    end: float
    step: float
    warmup: float = 0.0
    look: int = 1
    of: int = 1
    first_sample: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What a method found in one pair.

    `shift` and its interval are in the metric's own unit, canary minus baseline;
    `change` and its interval are the same as a fraction of the baseline (0.18 is
    +18 %), NaN where the baseline is zero. `pvalue` is two-sided;
    `pvalue_directed` is for a change beyond tolerance in the metric's bad direction.
    `effect` is the common-language effect size P(canary > baseline) + P(equal)/2.
    `n_baseline` and `n_canary` count samples, `n_effective` those on the smaller
    side that share no data with each other.
    """

    method: str
    level: float
    u: float
    pvalue: float
    pvalue_directed: float
    effect: float
    shift: float
    shift_low: float
    shift_high: float
    change: float
    change_low: float
    change_high: float
    n_baseline: int
    n_canary: int
    n_effective: int
    baseline_value: float
    canary_value: float
    counts: Counts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The counts under a ratio; `dispersion` is the variance over its binomial value, at least 1."""

    baseline_events: float
    baseline_total: float
    canary_events: float
    canary_total: float
    dispersion: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """By which test a metric was decided, or kept open, at which look.

    `test` names it (whole, recent, tail, spread, ranks, healed …), `p` is its one-sided p-value and `level`
    what p must not exceed at this look for a regression; None where the test has no level of its own.
    """

    test: str
    p: float
    level: float | None
    look: int
    of: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """How much longer an undecided metric takes.

    `detectable` is the change (a fraction, or a difference of proportions for counts) that would be
    called now four times in five. `samples` are missing for a decision (of counts also `requests` on the
    canary), which takes `seconds` at the present rate; infinite where the change lies so near a
    margin that waiting does not help.
    """

    detectable: float
    samples: float
    seconds: float
    requests: float = 0.0

    @property
    def hopeless(self) -> bool:
        """Waiting does not help."""
        return math.isinf(self.samples)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricResult:
    """One metric's classification, its numbers and one plain sentence.

    `suspect` is an undecided metric that looks worse than what must not slip through, or one that is `unheard`: a side
    does not report it, or stopped to, so that what it would show is not known.
    """

    name: str
    classification: Classification
    reason: str
    group: str
    weight: float
    critical: bool
    direction: str
    tolerance: str
    must_detect: str
    unit: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    n_baseline: int = 0
    n_canary: int = 0
    comparison: Comparison | None = None
    decision: Decision | None = None
    wait: Wait | None = None
    suspect: bool = False
    unheard: bool = False
    queries: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The name, with the labels where the metric has several label sets."""
        return series_title(self.name, self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupScore:
    """One group: its share of the whole, and how much of that share passed (0 to 100)."""

    name: str
    weight: float
    score: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The whole canary. `reason` starts with the rule that decided.

    `decided_in` are the seconds after which the last undecided metric should be decided at the present rate,
    of those that waiting helps; None where there is none.
    """

    outcome: Outcome
    score: float
    reason: str
    judge: str
    results: tuple[MetricResult, ...] = ()
    groups: tuple[GroupScore, ...] = ()
    warnings: tuple[str, ...] = ()
    decided_in: float | None = None

    def count(self, *classifications: Classification) -> int:
        """How many metrics got one of these classifications."""
        return sum(result.classification in classifications for result in self.results)
