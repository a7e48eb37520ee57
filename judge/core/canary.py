"""The whole judge. Read this first.

    pairs -> the judge that the config names -> verdict

`judge_canary` is pure: the same pairs and config give the same verdict, always.
To add a judge, write a function of type `Judge` and one line in `JUDGES`. Configs, ``--judge``,
``judge schema`` and the error texts then know it. The README's list of judges wants its name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from judge.core.classification import classify
from judge.core.conditions import Conditions, unlike
from judge.core.config import CanaryConfig
from judge.core.coverage import complete, hold_back, source_trouble
from judge.core.kayenta.adapter import NAME as KAYENTA
from judge.core.kayenta.adapter import judge_as_kayenta
from judge.core.mann_whitney.compare import NAME as MANN_WHITNEY
from judge.core.model import Classification, Problem, SeriesPair, Traffic, Verdict, Window
from judge.core.scoring import decide
from judge.core.sequential import NAME as SEQUENTIAL
from judge.core.sequential.judge import judge_sequential


class Judge(Protocol):
    """Everything from pairs to a verdict."""

    def __call__(
        self,
        config: CanaryConfig,
        pairs: Sequence[SeriesPair],
        *,
        traffic: Traffic | None = None,
        window: Window | None = None,
        warnings: Sequence[str] = (),
    ) -> Verdict:
        """Judge a canary; see `judge_canary`."""
        ...


def judge_single_look(
    config: CanaryConfig,
    pairs: Sequence[SeriesPair],
    *,
    traffic: Traffic | None = None,
    window: Window | None = None,
    warnings: Sequence[str] = (),
) -> Verdict:
    """Judge every metric by one comparison at one look; see `judge_canary` for the parameters."""
    results = [classify(pair, config.metric(pair.metric), config) for pair in complete(config, pairs)]
    # The window only tells whether a side fell silent: earlier looks are not known to this judge.
    results = hold_back(results, pairs, window)
    return decide(results, config, traffic=traffic, source_trouble=source_trouble(pairs), warnings=tuple(warnings))


JUDGES: dict[str, Judge] = {
    SEQUENTIAL: judge_sequential,
    MANN_WHITNEY: judge_single_look,
    KAYENTA: judge_as_kayenta,
}
"""By the name that a config's ``judge`` says."""


def judge_canary(
    config: CanaryConfig,
    pairs: Sequence[SeriesPair],
    *,
    traffic: Traffic | None = None,
    conditions: Conditions | None = None,
    window: Window | None = None,
    warnings: Sequence[str] = (),
) -> Verdict:
    """Judge a canary against its baseline.

    Parameters
    ----------
    config : CanaryConfig
        Every pair's metric must be one of its metrics. A metric without a pair
        counts as `nodata`.
    pairs : sequence of SeriesPair
        Both sides of each metric, one pair for each label set.
    traffic : Traffic, optional
        Requests on both sides; needed where the config asks for a minimum.
    conditions : Conditions, optional
        Pods, ages and places of both sides; what is unlike becomes a warning.
    window : Window, optional
        Which look this is, of how many; without it this is the last one planned.
    warnings : sequence of str
        What the reader of the verdict should know besides.

    Returns
    -------
    Verdict
        Never raises for bad data: a metric that cannot be judged is a result.

    Raises
    ------
    KeyError
        Where a pair's metric is not in the config.

    Examples
    --------
    >>> import numpy as np
    >>> from judge.core.config import MetricConfig
    >>> from judge.core.model import Series
    >>> t = np.arange(20) * 60.0
    >>> slow = SeriesPair(
    ...     metric="latency",
    ...     baseline=Series(t=t, v=100 + np.sin(t)),
    ...     canary=Series(t=t, v=130 + np.cos(t)),
    ... )
    >>> config = CanaryConfig(name="doc", metrics=(MetricConfig(name="latency", critical=True),))
    >>> verdict = judge_canary(config, [slow])
    >>> verdict.outcome.value, verdict.score, verdict.results[0].classification.value
    ('fail', 0.0, 'high')
    """
    unfair = unlike(conditions, traffic)
    return JUDGES[config.judge](config, [_in_order(pair) for pair in pairs], traffic=traffic, window=window, warnings=(*warnings, *unfair))


def _in_order(pair: SeriesPair) -> SeriesPair:
    """Refuse to judge a pair whose times do not increase: everything behind aligns by time."""
    names = ("baseline", "canary", "baseline_total", "canary_total")
    for name in names if pair.problem is None else ():
        series = getattr(pair, name)
        if series is not None and not (series.t[1:] > series.t[:-1]).all():
            message = f"the times of the {name.replace('_', ' ')} do not increase"
            return replace(pair, problem=Problem(classification=Classification.ERROR, message=message))
    return pair
