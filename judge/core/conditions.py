"""Did both sides run under the same conditions? Pods, their ages, where they run, how many requests they got.

A canary on new pods with a tenth of the traffic in another zone is compared with all of that too. Nothing here
decides: what is unlike is said, with its numbers, beside the verdict.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from judge.core import formatting as words
from judge.core.model import Traffic

_SHARE_OFF = 1.5
"""A share of the requests this many times off (as odds) is another one than was expected."""

_SHARE_SURE = 3.0
"""In standard deviations of a binomial count: fewer requests say nothing of a share."""

_LOAD_OFF = 1.5
_PODS_OFF = 2.0
_AGES_OFF = 10.0
_AGES_APART = 3600.0
_HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SideConditions:
    """One side: number of pods, age of its oldest pod in seconds, and pods by place (node, zone); None where unknown."""

    pods: float | None = None
    age: float | None = None
    places: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Both sides, and the share of all requests that the canary should get (0 to 1); None where nothing was expected.

    `problems` say what could not be found out; `queries` are as sent, by part and side (``pods canary``).
    """

    baseline: SideConditions = field(default_factory=SideConditions)
    canary: SideConditions = field(default_factory=SideConditions)
    share: float | None = None
    problems: tuple[str, ...] = ()
    queries: Mapping[str, str] = field(default_factory=dict)


def unlike(conditions: Conditions | None, traffic: Traffic | None) -> list[str]:
    """Say in what the two sides ran under unlike conditions.

    Examples
    --------
    >>> old, new = SideConditions(pods=10, age=864000.0), SideConditions(pods=1, age=900.0)
    >>> for said in unlike(Conditions(baseline=old, canary=new), Traffic(baseline=90000.0, canary=3000.0)):
    ...     print(said)
    the canary's 1 pod answered 0.33 times as many requests a pod as the 10 of the baseline: unlike load
    the baseline's oldest pod has run for 10 d, the canary's for 15 min: caches, pools and memory may differ for that alone
    """
    if conditions is None:
        return []
    return [
        *conditions.problems,
        *_of_the_share(conditions, traffic),
        *_of_the_pods(conditions, traffic),
        *_of_the_ages(conditions),
        *_of_the_places(conditions),
    ]


def _of_the_share(conditions: Conditions, traffic: Traffic | None) -> Iterator[str]:
    expected = conditions.share
    if expected is None or traffic is None or traffic.baseline is None or traffic.canary is None:
        return
    total = traffic.baseline + traffic.canary
    if total <= 0:
        return
    found = traffic.canary / total
    sure = abs(traffic.canary - expected * total) > _SHARE_SURE * math.sqrt(total * expected * (1 - expected))
    if sure and _times_off(_odds(found), _odds(expected)) > _SHARE_OFF:
        yield f"the canary got {words.percent(found)} of the requests, {words.percent(expected)} are expected"


def _odds(share: float) -> float:
    return share / (1 - share) if share < 1 else math.inf


def _times_off(one: float, other: float) -> float:
    """How many times two amounts differ, at least 1."""
    if one == other:
        return 1.0
    small, large = sorted((one, other))
    return large / small if small > 0 else math.inf


def _of_the_pods(conditions: Conditions, traffic: Traffic | None) -> Iterator[str]:
    baseline, canary = conditions.baseline.pods, conditions.canary.pods
    if not baseline or not canary:
        return
    if traffic is not None and traffic.baseline and traffic.canary:
        load = (traffic.canary / canary) / (traffic.baseline / baseline)
        if _times_off(load, 1.0) > _LOAD_OFF:
            times, number = f"{load:.2g} times", words.number(baseline)
            yield f"the canary's {_pods(canary)} answered {times} as many requests a pod as the {number} of the baseline: unlike load"
    elif _times_off(canary, baseline) >= _PODS_OFF:
        number = words.number(baseline)
        yield f"the canary has {_pods(canary)}, the baseline {number}, and how the requests are shared between them is not known"


def _pods(count: float) -> str:
    return f"{words.number(count)} pod{'' if count == 1 else 's'}"


def _of_the_ages(conditions: Conditions) -> Iterator[str]:
    baseline, canary = conditions.baseline.age, conditions.canary.age
    if baseline is None or canary is None or canary < 0 or baseline - canary < _AGES_APART or baseline < _AGES_OFF * canary:
        return
    yield (
        f"the baseline's oldest pod has run for {words.duration(baseline)}, the canary's for {words.duration(canary)}: "
        "caches, pools and memory may differ for that alone"
    )


def _of_the_places(conditions: Conditions) -> Iterator[str]:
    baseline, canary = conditions.baseline.places, conditions.canary.places
    if not baseline or not canary:
        return
    alone = {place: pods for place, pods in canary.items() if place not in baseline}
    pods = sum(canary.values())
    if sum(alone.values()) > _HALF * pods:
        yield f"{words.number(sum(alone.values()))} of the canary's {_pods(pods)} are where the baseline has none ({_listed(alone)})"
    missing = {place: count for place, count in baseline.items() if place not in canary}
    # Only of a canary with pods enough to be everywhere is it remarkable that it is not.
    if pods >= len(baseline) and sum(missing.values()) >= _HALF * sum(baseline.values()):
        yield (
            f"{words.number(sum(missing.values()))} of the baseline's {_pods(sum(baseline.values()))} are where the canary has none "
            f"({_listed(missing)})"
        )


def _listed(places: Mapping[str, float]) -> str:
    names = sorted(places, key=lambda place: (-places[place], place))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
