"""What is there to be judged, and what is missing: the same for every judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from judge.core.config import CanaryConfig
from judge.core.model import Classification, Series, SeriesPair, label_words


def complete(config: CanaryConfig, pairs: Sequence[SeriesPair]) -> list[SeriesPair]:
    """Order the pairs as the config orders its metrics; a metric without a pair gets an empty one.

    Raises
    ------
    KeyError
        Where a pair's metric is not in the config.
    """
    order = {metric.name: index for index, metric in enumerate(config.metrics)}
    given = {pair.metric for pair in pairs}
    absent = [SeriesPair(metric=name, baseline=Series.empty(), canary=Series.empty()) for name in order if name not in given]
    return sorted([*pairs, *absent], key=lambda pair: order[pair.metric])


def source_trouble(pairs: Sequence[SeriesPair]) -> str:
    """Say which series the source failed to give; a series that does not exist is no trouble."""
    failed = [pair for pair in pairs if pair.problem is not None and pair.problem.classification is Classification.NODATA]
    if not failed:
        return ""
    assert failed[0].problem is not None
    more = "" if len(failed) == 1 else f" (and {len(failed) - 1} more)"
    return f"{failed[0].metric}{more}: {failed[0].problem.message}"


def missing_side(pair: SeriesPair) -> str:
    """Say which side has nothing to compare, or nothing."""
    if pair.baseline_total is not None and pair.canary_total is not None:
        empty = [name for name, total in (("baseline", pair.baseline_total), ("canary", pair.canary_total)) if not (total.v > 0).any()]
        what = "requests"
    else:
        empty = [name for name, series in (("baseline", pair.baseline), ("canary", pair.canary)) if not (~np.isnan(series.v)).any()]
        what = "samples"
    if not empty:
        return ""
    if len(empty) == 2:
        return f"neither side has {what}"
    other = "canary" if empty[0] == "baseline" else "baseline"
    if pair.labels:
        return f"only the {other} has {{{label_words(pair.labels)}}}: there is nothing to compare it with"
    return f"the {empty[0]} has no {what}"
