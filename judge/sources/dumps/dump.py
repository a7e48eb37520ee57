"""One saved canary, whatever form it was saved in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from judge.core.conditions import Conditions
from judge.core.config import MetricConfig, ScoreThresholds
from judge.core.model import SeriesPair, Traffic

NOT_JSON = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
"""How values that JSON has no number for are written, here and by Kayenta."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dump:
    """One saved canary.

    `metrics` is what the dump itself says of its metrics; `config` the name of a
    config or a whole config document, where the dump has one. `groups` and `score`
    come from a Kayenta config that lies with the samples. `record` is the verdict that
    a dump of a live question carries: its question, settings and source.
    """

    id: str
    metrics: tuple[MetricConfig, ...]
    pairs: tuple[SeriesPair, ...]
    config: str | Mapping[str, Any] | None = None
    args: Mapping[str, str] = field(default_factory=dict)
    look: int | None = None
    looks: int | None = None
    start: float | None = None
    end: float | None = None
    step: float | None = None
    traffic: Traffic | None = None
    conditions: Conditions | None = None
    groups: Mapping[str, float] = field(default_factory=dict)
    score: ScoreThresholds | None = None
    record: Mapping[str, Any] | None = None
