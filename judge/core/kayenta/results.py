"""What Kayenta's judge answers: the nouns, and Kayenta's own JSON of them.

`KayentaResult.warnings` and each metric's `warnings` stand beside the verdict:
Kayenta has no place for them, so they are not in its JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from judge.core.formatting import number_or_word
from judge.core.kayenta.kernel import Interval
from judge.core.kayenta.transform import Stats

JUDGE_NAME = "NetflixACAJudge-v1.0"


class Label(StrEnum):
    """What Kayenta finds for one metric, as it spells it."""

    PASS = "Pass"  # noqa: S105 - a verdict, not a password
    HIGH = "High"
    LOW = "Low"
    NODATA = "Nodata"
    NODATA_FAIL = "NodataFailMetric"
    ERROR = "Error"


class Summary(StrEnum):
    """What Kayenta finds for the canary, as it spells it."""

    PASS = "Pass"  # noqa: S105 - a verdict, not a password
    MARGINAL = "Marginal"
    FAIL = "Fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class KayentaMetric:
    """One metric's label with its numbers.

    `ratio` is the canary's mean over the baseline's (NaN where either is zero, None
    where the metric is in error); `effect` is what was held against the config's
    limits: the ratio, or the probability that a canary's sample is the larger. Of
    `interval` there is none where no test was needed or possible. `critical` says that
    the metric fails the canary, not that its config says critical.
    """

    name: str | None
    id: str | None
    tags: Mapping[str, Any] | None
    label: Label
    reason: str | None
    groups: tuple[str, ...] | None
    canary: Stats
    baseline: Stats
    ratio: float | None
    critical: bool
    muted: bool
    effect: float | None = None
    interval: Interval | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class KayentaGroup:
    """One group's share of passed metrics, 0 to 100; without data it is 0 here and counts 100 in the summary."""

    name: str
    score: float
    no_data: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KayentaResult:
    """The whole canary: score 0 to 100 (weights may carry it beyond), summary and reason, and warnings beside it."""

    results: tuple[KayentaMetric, ...]
    groups: tuple[KayentaGroup, ...]
    score: float
    summary: Summary
    reason: str
    warnings: tuple[str, ...] = ()


def to_json(result: KayentaResult) -> dict[str, Any]:
    """Give Kayenta's ``CanaryJudgeResult``: what is null there is left out, NaN and infinities are texts.

    Examples
    --------
    >>> to_json(KayentaResult(results=(), groups=(), score=0.0, summary=Summary.FAIL, reason=""))["score"]
    {'score': 0.0, 'classification': 'Fail', 'classificationReason': ''}
    """
    return {
        "judgeName": JUDGE_NAME,
        "results": [_metric(metric) for metric in result.results],
        "groupScores": [
            {"name": group.name, "score": number_or_word(group.score), "classification": "", "classificationReason": ""}
            for group in result.groups
        ],
        "score": {
            "score": number_or_word(result.score),
            "classification": str(result.summary),
            "classificationReason": result.reason,
        },
    }


def _metric(metric: KayentaMetric) -> dict[str, Any]:
    written = {
        "name": metric.name,
        "tags": None if metric.tags is None else dict(metric.tags),
        "id": metric.id,
        "classification": str(metric.label),
        "classificationReason": metric.reason,
        "groups": None if metric.groups is None else list(metric.groups),
        "experimentMetadata": {"stats": _stats(metric.canary)},
        "controlMetadata": {"stats": _stats(metric.baseline)},
        "resultMetadata": None if metric.ratio is None else {"ratio": number_or_word(metric.ratio)},
        "critical": metric.critical,
        "muted": metric.muted,
    }
    return {key: value for key, value in written.items() if value is not None}


def _stats(stats: Stats) -> dict[str, Any]:
    numbers = {"min": stats.min, "max": stats.max, "mean": stats.mean, "std": stats.std}
    return {key: number_or_word(value) for key, value in numbers.items()} | {"count": stats.count}
