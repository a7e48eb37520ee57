"""Kayenta's rule on the benchmark's arrays: its own interval, its score of 75, the mean ratio at the tolerance."""

from __future__ import annotations

import numpy as np

from tests.benchmarks.decisions_scenarios import Array, Rollout
from tests.benchmarks.kayenta_batch import rank_intervals

FRACTION = 0.25
ALLOWED = 1.05
MARGINAL = 75.0
CRITICAL_ROWS = (0, -1)


def fails(rollout: Rollout, upto: int) -> bool:
    """Whether a critical metric is High, or fewer than 75 % of all metrics pass.

    The last row is the error ratio, or the latency's neighbour where there are no counts.
    """
    baseline, canary = rows(rollout, upto)
    found = rank_intervals(canary, baseline)
    means_b, means_c = baseline.mean(axis=1), canary.mean(axis=1)
    known = (means_b > 0) & (means_c > 0)
    ratio = np.divide(means_c, means_b, out=np.ones_like(means_c), where=known)
    # Without both means there is no ratio, and Kayenta skips that test.
    high = ~found.tied & (found.lower > FRACTION * np.abs(found.estimate)) & (~known | (ratio >= ALLOWED))
    critical = CRITICAL_ROWS if rollout.counts is not None else (0, 1)
    return bool(any(high[row] for row in critical) or 100 * (1 - high.mean()) < MARGINAL)


def rows(rollout: Rollout, upto: int) -> tuple[Array, Array]:
    """Both sides up to a look, counts as a ratio."""
    baseline, canary = rollout.baseline[:, :upto], rollout.canary[:, :upto]
    if rollout.counts is None:
        return baseline, canary
    events_b, total_b, events_c, total_c = (column[:upto] for column in rollout.counts)
    ratios = [np.divide(e, n, out=np.zeros(upto), where=n > 0) for e, n in ((events_b, total_b), (events_c, total_c))]
    return np.vstack([baseline, ratios[0]]), np.vstack([canary, ratios[1]])
