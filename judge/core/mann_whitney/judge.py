"""Judge ``mann-whitney``: every metric compared once, by itself, at one look.

pairs -> samples -> method -> classification -> scoring -> verdict
"""

from __future__ import annotations

from collections.abc import Sequence

from judge.core.classification import classify
from judge.core.config import CanaryConfig
from judge.core.coverage import complete, hold_back, source_trouble
from judge.core.model import SeriesPair, Traffic, Verdict, Window
from judge.core.scoring import decide


def judge_single_look(
    config: CanaryConfig,
    pairs: Sequence[SeriesPair],
    *,
    traffic: Traffic | None = None,
    window: Window | None = None,
    warnings: Sequence[str] = (),
) -> Verdict:
    """Judge a canary by one look at it; see `judge.core.canary.judge_canary` for the parameters."""
    results = [classify(pair, config.metric(pair.metric), config) for pair in complete(config, pairs)]
    # The window only tells whether a side fell silent: earlier looks are not known to this judge.
    results = hold_back(results, pairs, window)
    return decide(results, config, traffic=traffic, source_trouble=source_trouble(pairs), warnings=tuple(warnings))
