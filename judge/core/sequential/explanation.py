"""Sentences and numbers: what was found in one metric, as a tired person reads it."""

from __future__ import annotations

import math

from judge.core import words
from judge.core.config import Direction, MetricConfig
from judge.core.model import Classification, Comparison, Counts, MetricResult, SeriesPair
from judge.core.sequential.assessment import Assessment, Test
from judge.core.sequential.budget import Look
from judge.core.sequential.counted import Ratio
from judge.core.sequential.evidence import Evidence, Scaled
from judge.core.sequential.joint import Joint
from judge.core.sequential.settings import SequentialSettings

NAME = "sequential"


def blank(pair: SeriesPair, metric: MetricConfig) -> MetricResult:
    """Give a result that says nothing yet."""
    counts = pair.baseline_total is not None or bool(metric.denominator)
    return MetricResult(
        name=metric.name,
        classification=Classification.UNDECIDED,
        reason="",
        group=metric.group,
        weight=0.0,
        critical=metric.critical,
        direction=metric.direction.value,
        tolerance=words.margin(metric.tolerance, counts=counts, unit=metric.unit),
        notice=words.margin(metric.notice, counts=counts, unit=metric.unit),
        unit=metric.unit,
        labels=pair.labels,
        queries=pair.queries,
        warnings=pair.warnings,
    )


def refused(pair, metric, evidence):
    from dataclasses import replace

    return replace(blank(pair, metric), classification=evidence.classification, reason=evidence.refusal)


def result(pair, metric, evidence, found, look, settings):
    from dataclasses import replace

    return replace(blank(pair, metric), classification=found.classification, reason=f"{found.decided_by} {found.p:.2g} {found.lacking}")


def jointly(found: Joint) -> str:
    return f"taken together {found.metrics} metrics are worse"
