"""A canary that was bad while it warmed up and has healed is not failed for it."""

from __future__ import annotations

from judge.core.config import MetricConfig
from judge.core.model import Classification
from judge.core.sequential.directions import bad_sides, noticed
from judge.core.sequential.evidence import Evidence, Scaled
from judge.core.sequential.location import noticed_on_average, shift
from judge.core.sequential.settings import SequentialSettings
from judge.core.statistics.dependence import difference_of

SINCE = (1 / 3, 1 / 2, 2 / 3)
"""Shares of the window after which it may have healed."""

_WARM_UPS = (1 / 6, 1 / 3, 1 / 2)
_FEWEST = 6
_FEWEST_EARLY = 4


def healed_since(evidence: Evidence, scaled: Scaled, metric: MetricConfig, settings: SequentialSettings) -> float | None:
    """Share of the window after which the canary is within what is accepted although it was worse before.

    Three things must be shown: a change as large as `must_detect` is excluded since then,
    the last third lies nearer to the tolerance than to `must_detect`, and some early
    part was worse than what followed. A canary that is equally bad throughout
    cannot show the last, one that has only partly recovered not the first.
    """
    end = shift(evidence, scaled, settings, first=SINCE[-1], fewest=_FEWEST).posterior
    if end is None:
        return None
    for side in bad_sides(metric):
        index, sign = (0, 1) if side is Classification.HIGH else (1, -1)
        if sign * end.mean > (scaled.tolerance[index] + scaled.must_detect[index]) / 2:
            return None
    for since in SINCE:
        late = shift(evidence, scaled, settings, first=since, fewest=_FEWEST).posterior
        if late is None or any(noticed(late, scaled, side) > settings.beta for side in bad_sides(metric)):
            continue
        if noticed_on_average(evidence, scaled, bad_sides(metric), first=since) is not None:
            continue
        if any(_was_worse(evidence, scaled, since, side, settings) for side in bad_sides(metric)):
            return since
    return None


def _was_worse(evidence: Evidence, scaled: Scaled, since: float, side: Classification, settings: SequentialSettings) -> bool:
    """Whether some early part was worse than the part after `since`."""
    n = len(scaled.canary)
    values = scaled.canary - scaled.baseline if evidence.paired else scaled.canary
    late = values[int(n * since) :: evidence.stride]
    for part in _WARM_UPS:
        early = values[: int(n * min(part, since)) : evidence.stride]
        if min(len(early), len(late)) < _FEWEST_EARLY:
            continue
        found = difference_of(early, late)
        if (found.below(0.0) if side is Classification.HIGH else found.above(0.0)) <= settings.healing:
            return True
    return False
