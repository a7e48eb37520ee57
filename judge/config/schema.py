"""A canary config as it is written: which keys there are, and how each is spelled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StrictBool

from judge.config.units import Duration, MarginText, Share
from judge.config.yaml import Document
from judge.core.args import KINDS
from judge.core.config import DEFAULT_JUDGE, ArgType, Direction

Name = Annotated[str, Field(pattern=r"^[^\s{}\x00-\x1f\x7f][^{}\x00-\x1f\x7f]{0,119}$")]
Key = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
Query = Annotated[str, Field(min_length=1, max_length=10_000)]
Allowed = Annotated[str | int | float, Field(union_mode="left_to_right")]
_KINDS = ", ".join(f"{name} ({kind.noun})" for name, kind in KINDS.items())
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False)]


class ArgDocument(Document):
    """What a request must or may give."""

    default: Annotated[
        str | int | float | None, Field(description="Used where the request does not say; may name other args as ${arg}.")
    ] = None
    type: Annotated[ArgType, Field(description=f"{_KINDS}.")] = ArgType.NAME
    allowed: Annotated[tuple[Allowed, ...] | None, Field(min_length=1, max_length=200, description="Values, or patterns such as eu-*.")] = (
        None
    )
    description: str = ""


class SidesDocument(Document):
    """What a request's baseline and canary may be."""

    type: Annotated[
        Literal[ArgType.NAME, ArgType.KUBERNETES_NAME, ArgType.HASH, ArgType.LABEL_VALUE],
        Field(description="hash where every scope picks pods by their pod-template hash."),
    ] = ArgType.NAME


class WindowDocument(Document):
    """Which part of the canary's life is judged."""

    warmup: Annotated[Duration, Field(description="Left out, counted from the canary's first sample.")] = 0.0
    step: Annotated[Duration, Field(description="Seconds between samples; whole seconds.")] = 60.0
    length: Annotated[Duration, Field(description="At most this much is judged, the newest.")] = 1800.0
    longest: Annotated[Duration | None, Field(description="A request may ask for no longer window; 31 days, or length.")] = None


class LooksDocument(Document):
    """How often one rollout is judged."""

    count: Annotated[int, Field(strict=True, ge=1, le=10_000)] = 1
    interval: Duration | None = None


class TrafficDocument(Document):
    """Fewer requests than this on either side is no evidence."""

    query: Query
    min_requests: Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)] = 100.0


class ConditionsDocument(Document):
    """Under which conditions both sides run: what is unlike is said beside the verdict, and decides nothing."""

    pods: Annotated[Query | None, Field(description="PromQL that gives the number of a side's pods.")] = None
    age: Annotated[Query | None, Field(description="PromQL that gives the seconds since a side's oldest pod started.")] = None
    places: Annotated[Query | None, Field(description="PromQL that counts a side's pods by node or zone.")] = None
    share: Annotated[str | None, Field(max_length=200, description="The canary's expected part of all requests, 20% or ${weight}%.")] = None


class LimitDocument(Document):
    """Bounds for the canary alone."""

    min: Finite | None = None
    max: Finite | None = None


class TestsDocument(Document):
    """Which shapes of change the sequential judge looks for beside the level."""

    recent: Annotated[StrictBool, Field(description="A change in the later half of the window.")] = True
    tail: Annotated[StrictBool, Field(description="Spikes that the baseline does not have.")] = True
    spread: Annotated[StrictBool, Field(description="The same level, but swinging more widely.")] = True


class MetricDocument(Document):
    """One metric."""

    name: Name
    description: str = ""
    query: Annotated[Query | None, Field(description="PromQL with ${scope} and other ${…}.")] = None
    numerator: Annotated[Query | None, Field(description="PromQL that counts the events in each ${step}.")] = None
    denominator: Annotated[Query | None, Field(description="PromQL that counts what the events are counted of.")] = None
    direction: Annotated[Direction, Field(description="The change that is bad.")] = Direction.EITHER
    tolerance: Annotated[MarginText | None, Field(description="A change up to here is accepted.")] = None
    must_detect: Annotated[MarginText | None, Field(description="The smallest change that must not slip through.")] = None
    limit: LimitDocument | None = None
    critical: StrictBool = False
    group: Annotated[str, Field(min_length=1, max_length=120)] = "metrics"
    unit: Annotated[str, Field(max_length=20)] = ""
    rate_window: Annotated[Duration | None, Field(description="Seconds of data under one sample, where the query does not tell.")] = None
    min_samples: Annotated[int | None, Field(strict=True, ge=2, le=100_000)] = None
    tests: TestsDocument = TestsDocument()


class ScoreDocument(Document):
    """Thresholds of the score, 0 to 100."""

    passing: Annotated[float, Field(strict=True, alias="pass", ge=0, le=100)] = 95.0
    marginal: Annotated[float, Field(strict=True, ge=0, le=100)] = 75.0


class ConfigDocument(Document):
    """A canary config."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$", description="Lower-case letters, digits and -.")]
    description: str = ""
    judge: Annotated[str, Field(description="How the canary is judged.")] = DEFAULT_JUDGE
    source: Annotated[str, Field(description="Name of a source in server.yaml.")] = "default"
    args: Mapping[Key, ArgDocument | None] = {}
    sides: Annotated[SidesDocument, Field(description="What a request's baseline and canary may be.")] = SidesDocument()
    scope: Annotated[
        str, Field(min_length=1, max_length=1000, description="Label matchers that pick a side by ${hash}, or a name in scopes.")
    ]
    scopes: Annotated[Mapping[Key, Query], Field(description="Named label matchers that a request may choose from.")] = {}
    window: WindowDocument = WindowDocument()
    looks: LooksDocument = LooksDocument()
    traffic: TrafficDocument | None = None
    conditions: ConditionsDocument | None = None
    metrics: Annotated[list[MetricDocument], Field(min_length=1, max_length=2000)]
    groups: Annotated[Mapping[str, Positive], Field(description="Weights; empty means equal ones.")] = {}
    score: ScoreDocument = ScoreDocument()
    min_samples: Annotated[int, Field(strict=True, ge=2, le=100_000)] = 5
    alpha: Annotated[Share, Field(description="Chance of failing a canary that is worse by exactly what is tolerated, over all looks.")] = (
        0.05
    )
    joint: Annotated[StrictBool, Field(description="Also ask whether all metrics together are worse.")] = True
    on_source_error: Literal["inconclusive", "error"] = "inconclusive"
