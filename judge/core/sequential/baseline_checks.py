"""Is the baseline a fair one? What the pairs themselves tell, as warnings with numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from judge.core import formatting as words
from judge.core.config import CanaryConfig, Direction, MetricConfig
from judge.core.model import SeriesPair, Traffic, Window, label_words
from judge.core.sequential.budget import Look, by_the_clock
from judge.core.sequential.evidence import Evidence, Scaled
from judge.core.statistics.dependence import batch_length, batch_means, difference_of, winsorise

_SURE = 0.02
_FEWEST = 20
_LOPSIDED = 20.0


def of_the_plan(config: CanaryConfig, window: Window | None, look: Look) -> list[str]:
    """Say where the number of the look does not fit the plan."""
    found = []
    if look.beyond:
        found.append(
            f"look {look.number} is beyond the {look.of} planned: the error budget is spent, so nothing is called a regression any more; "
            "plan more looks for a longer rollout"
        )
    clock = by_the_clock(config, window)
    if clock is not None and abs(clock - look.number) > 1 and not look.beyond:
        found.append(
            f"this is look {look.number} of {look.of}, but the window is as long as {clock} intervals of "
            f"{words.duration(config.looks.interval or 0.0)}: was the plan changed, or a look left out?"
        )
    return found


def of_the_labels(pairs: Sequence[SeriesPair]) -> list[str]:
    """Say which label sets have no partner."""
    found = []
    for name in dict.fromkeys(pair.metric for pair in pairs):
        mine = [pair for pair in pairs if pair.metric == name and pair.labels and pair.problem is None]
        for side in ("baseline", "canary"):
            alone = [pair for pair in mine if not _present(pair, side) and _present(pair, "canary" if side == "baseline" else "baseline")]
            if alone:
                labels = label_words(alone[0].labels)
                more = f" and {len(alone) - 1} more" if len(alone) > 1 else ""
                found.append(f"{name}: {len(alone)} of {len(mine)} label sets do not exist on the {side} ({{{labels}}}{more})")
    return found


def _present(pair: SeriesPair, side: str) -> bool:
    total = pair.baseline_total if side == "baseline" else pair.canary_total
    series = total if total is not None else (pair.baseline if side == "baseline" else pair.canary)
    return len(series) > 0


def of_the_traffic(traffic: Traffic | None) -> list[str]:
    """Say where one side has so little traffic that cold caches and single requests show."""
    if traffic is None or not traffic.baseline or not traffic.canary:
        return []
    share = traffic.canary / traffic.baseline
    if 1 / _LOPSIDED <= share <= _LOPSIDED:
        return []
    few, many = ("canary", "baseline") if share < 1 else ("baseline", "canary")
    part = min(share, 1 / share)
    return [f"the {few} answered {words.percent(part)} of the {many}'s requests: the two sides are hardly under the same load"]


def of_the_swings(swinging: Sequence[str], sizes: tuple[float, float] | None) -> list[str]:
    """Say where metrics were failed for how they swing, and nobody knows whether the canary only has fewer requests."""
    if not swinging or sizes is not None:
        return []
    who = f"{swinging[0]} and {len(swinging) - 1} more" if len(swinging) > 1 else swinging[0]
    unknown = f"{who} failed by how it swings, and how many requests each side had is not known"
    return [f"{unknown}: a healthy canary with far fewer swings more widely too; with a traffic query in the config that is allowed for"]


def of_the_samples(evidence: Evidence, metric: MetricConfig, scaled: Scaled | None) -> tuple[str, ...]:
    """Say what makes the comparison of one metric doubtful."""
    if scaled is None:
        return ()
    found = []
    if evidence.baseline.min() < 0 < evidence.baseline.max() and not (metric.tolerance.absolute and metric.must_detect.absolute):
        found.append(
            "the baseline's values lie on both sides of zero: give tolerance and must_detect as amounts, a share of their mean says little"
        )
    moved = _of_the_baseline(evidence, metric, scaled)
    if moved:
        found.append(moved)
    return tuple(found)


def _of_the_baseline(evidence: Evidence, metric: MetricConfig, scaled: Scaled) -> str:
    """Say where the baseline itself got worse over the window by more than `must_detect`; empty where it did not."""
    if not evidence.paired or len(evidence.baseline) < _FEWEST:
        return ""
    half = len(scaled.baseline) // 2
    early, late = scaled.baseline[:half], scaled.baseline[half:]
    moved = float(late.mean() - early.mean())
    worse_up, worse_down = metric.direction is not Direction.DECREASE, metric.direction is not Direction.INCREASE
    if not ((moved > scaled.must_detect[0] and worse_up) or (moved < -scaled.must_detect[1] and worse_down)):
        return ""
    lengths = [batch_length(len(part), stride=evidence.stride) for part in (late, early)]
    means = [batch_means(winsorise(part), length=length) for part, length in zip((late, early), lengths, strict=True)]
    if min(len(part) for part in means) < 4:
        return ""
    change = difference_of(means[0], means[1])
    p = change.below(0.0) if moved > 0 else change.above(0.0)
    if p > _SURE:
        return ""
    amount = math.expm1(moved) if scaled.logarithmic else moved
    return (
        f"the baseline itself went {words.percent(amount, sign=True)} from the first half of the window to the second: "
        "a canary no worse than it is not necessarily well"
    )
