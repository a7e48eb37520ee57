"""A canary config: what is compared, how much change is accepted, what it weighs.

These are the judged meanings; how they are spelled in YAML is `judge.wire`'s
business. Ratios are fractions (0.05 is 5 %), times are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from judge.core import sequential

DEFAULT_JUDGE = sequential.NAME


class Direction(StrEnum):
    """Which change is bad."""

    INCREASE = "increase"
    DECREASE = "decrease"
    EITHER = "either"


@dataclass(frozen=True, slots=True, kw_only=True)
class Margin:
    """A size of change: a fraction of the baseline, an amount, or the larger of both.

    For a ratio of counts `absolute` is a difference of proportions (0.001 is 0.1 pp).
    """

    relative: float = 0.0
    absolute: float = 0.0

    def amount(self, baseline: float) -> float:
        """The margin in the metric's unit where the baseline has this value."""
        return max(self.relative * abs(baseline), self.absolute)


LONGEST_WINDOW = 31 * 86400.0
"""Seconds: a query over the whole window reads that much of every series."""
TOLERANCE = Margin(relative=0.05)
MUST_DETECT = Margin(relative=0.20)
COUNT_TOLERANCE = Margin(relative=0.25, absolute=0.001)
COUNT_MUST_DETECT = Margin(relative=1.0, absolute=0.005)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """Bounds that the canary alone must keep, without a baseline."""

    min: float | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricConfig:
    """One metric: exactly one of `query` and `numerator` with `denominator`.

    Both may be empty where the samples come from a dump that names the metric.
    `limit` turns the metric into a check of the canary alone. `off` names tests of the
    sequential judge that are not made (`recent`, `tail`, `spread`). `rate_window` is
    how many seconds of data one sample covers; None means that the query tells.
    """

    name: str
    query: str = ""
    numerator: str = ""
    denominator: str = ""
    direction: Direction = Direction.EITHER
    tolerance: Margin = TOLERANCE
    must_detect: Margin = MUST_DETECT
    limit: Limit | None = None
    critical: bool = False
    group: str = "metrics"
    unit: str = ""
    description: str = ""
    rate_window: float | None = None
    min_samples: int | None = None
    off: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowConfig:
    """`warmup` counts from the canary's first sample; at most `length` is judged, or what a request asks for, up to `longest`."""

    warmup: float = 0.0
    step: float = 60.0
    length: float = 1800.0
    longest: float = LONGEST_WINDOW


@dataclass(frozen=True, slots=True, kw_only=True)
class LooksConfig:
    """How often one rollout is judged; `interval` None means every step."""

    count: int = 1
    interval: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficConfig:
    """Fewer requests than this on either side is no evidence."""

    query: str
    min_requests: float = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionsConfig:
    """Questions about the conditions of both sides; an empty one is not asked.

    `pods` gives the number of a side's pods, `age` the seconds since its oldest one
    started, `places` one series of pods for each node or zone. `share` is the part of
    all requests that the canary should get, as text that may name args (``${weight}%``).
    """

    pods: str = ""
    age: str = ""
    places: str = ""
    share: str = ""

    @property
    def queries(self) -> dict[str, str]:
        """What is asked of the source, by part."""
        return {part: text for part, text in (("pods", self.pods), ("age", self.age), ("places", self.places)) if text}


class ArgType(StrEnum):
    """What an arg may hold; `judge.core.args` says what each takes."""

    NAME = "name"
    KUBERNETES_NAME = "kubernetes-name"
    HASH = "hash"
    LABEL_VALUE = "label-value"
    NUMBER = "number"
    DURATION = "duration"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgConfig:
    """What a request must (`default` is None) or may give. `default` may name other args.

    `allowed` are values and patterns (``eu-*``) of which one must fit; empty means that the type alone decides.
    """

    default: str | None = None
    type: ArgType = ArgType.NAME
    allowed: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreThresholds:
    """A score of at least `passing` passes, of at least `marginal` is marginal."""

    passing: float = 95.0
    marginal: float = 75.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CanaryConfig:
    """A whole config. `scope` is a key of `scopes`; `groups` are weights, empty means equal ones.

    `alpha` is the sequential judge's error budget for a whole rollout, `joint` whether it
    also asks if all metrics together are worse.
    `sides` is what a request's `baseline` and `canary` may be.
    `document` is what was read, kept for the verdict's record; `digest` tells two apart.
    """

    name: str
    metrics: tuple[MetricConfig, ...]
    description: str = ""
    judge: str = DEFAULT_JUDGE
    source: str = "default"
    args: Mapping[str, ArgConfig] = field(default_factory=dict)
    sides: ArgConfig = field(default_factory=ArgConfig)
    scope: str = "scope"
    scopes: Mapping[str, str] = field(default_factory=dict)
    window: WindowConfig = field(default_factory=WindowConfig)
    looks: LooksConfig = field(default_factory=LooksConfig)
    traffic: TrafficConfig | None = None
    conditions: ConditionsConfig | None = None
    groups: Mapping[str, float] = field(default_factory=dict)
    score: ScoreThresholds = field(default_factory=ScoreThresholds)
    min_samples: int = 5
    alpha: float = 0.05
    joint: bool = True
    on_source_error: str = "inconclusive"
    digest: str = ""
    document: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def metric(self, name: str) -> MetricConfig:
        """The metric of this name."""
        return next(metric for metric in self.metrics if metric.name == name)
