"""The whole judge. Read this first.

    pairs -> samples -> method -> classification -> scoring -> verdict

`judge_canary` is pure: the same pairs and config give the same verdict, always.
"""

from __future__ import annotations

from collections.abc import Sequence

from judge.core.classification import classify
from judge.core.config import CanaryConfig
from judge.core.model import Classification, Series, SeriesPair, Traffic, Verdict
from judge.core.scoring import decide


def judge_canary(
    config: CanaryConfig, pairs: Sequence[SeriesPair], *, traffic: Traffic | None = None, warnings: Sequence[str] = ()
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
    metrics = {metric.name: metric for metric in config.metrics}
    order = {name: index for index, name in enumerate(metrics)}
    given = {pair.metric for pair in pairs}
    absent = [_absent(name) for name in metrics if name not in given]
    ordered = sorted([*pairs, *absent], key=lambda pair: order[pair.metric])
    results = [classify(pair, metrics[pair.metric], config) for pair in ordered]
    return decide(results, config, traffic=traffic, source_trouble=_source_trouble(pairs), warnings=tuple(warnings))


def _absent(name: str) -> SeriesPair:
    return SeriesPair(metric=name, baseline=Series.empty(), canary=Series.empty())


def _source_trouble(pairs: Sequence[SeriesPair]) -> str:
    """Say which series the source failed to give; a series that does not exist is no trouble."""
    failed = [pair for pair in pairs if pair.problem is not None and pair.problem.classification is Classification.NODATA]
    if not failed:
        return ""
    assert failed[0].problem is not None
    more = "" if len(failed) == 1 else f" (and {len(failed) - 1} more)"
    return f"{failed[0].metric}{more}: {failed[0].problem.message}"
