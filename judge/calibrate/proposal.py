"""Settings to use instead, chosen on one half of the history: each change with its reason.

A rule looks at what healthy pairs of the first half came to, and names a key of the config with a new
value. What a person has to do by hand (another query) is advice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from judge.calibrate.healthy_pairs import Case
from judge.calibrate.rates import quantile
from judge.calibrate.trials import Judged, judge_case
from judge.config.load import parse_config
from judge.core import formatting as words
from judge.core.config import CanaryConfig, Margin, MetricConfig
from judge.core.templates import rate_window
from judge.errors import ConfigError
from judge.parallel import Workers
from judge.verdicts.rejudge import with_values

_FEWEST = 2
_ALARMS = 0.005
"""A test that calls more of the healthy pairs than this makes noise."""
_SHIFTS = 0.01
_OPEN = 0.2
_OPEN_AFTERWARDS = 0.1
_TOLERANCES = (0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5)
_MUST_DETECTS = (0.2, 0.3, 0.4, 0.5, 0.75, 1.0)
_MUST_DETECTS_OF_COUNTS = (0.005, 0.01, 0.02, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One changed key of the config (dotted, as ``judge rejudge --set`` takes it), or, without a key, advice."""

    metric: str
    key: str
    before: str
    after: Any
    why: str


def propose(
    config: CanaryConfig, judged: Sequence[Judged], cases: Sequence[Case], *, scrape: float | None, workers: Workers
) -> list[Setting]:
    """Choose settings by the healthy pairs of one half of the history."""
    found: list[Setting] = []
    for metric in config.metrics:
        if metric.limit is not None:
            continue
        mine = [one.metrics[metric.name] for one in judged if metric.name in one.metrics and one.metrics[metric.name].last != "nodata"]
        if not mine:
            continue
        grounds = Counter(one.ground for one in mine if one.look)
        chosen = [*_tests(metric, grounds, len(mine)), *_tolerance(metric, grounds, judged, len(mine))]
        changed = _with(metric, chosen)
        if sum(one.last == "undecided" for one in mine) > _OPEN * len(mine):
            # What a test keeps open that is switched off anyway is no reason for a wider must_detect.
            still_open = _open(config, changed, cases, workers=workers)
            if still_open > _OPEN:
                chosen += _must_detect(config, changed, cases, still_open, workers=workers)
        if changed.tolerance != metric.tolerance and not any(one.key.endswith(".must_detect") for one in chosen):
            chosen += _wider_must_detect(changed)
        found += chosen
    return [*found, *_advice(config, scrape)]


def _tests(metric: MetricConfig, grounds: Mapping[str, int], n: int) -> Iterator[Setting]:
    found: dict[str, str] = {}
    for test in ("tail", "spread", "recent"):
        count = grounds.get(test, 0)
        if count >= _FEWEST and count > _ALARMS * n:
            why = f"{count} of {n} healthy pairs were called regressed by the test {test}"
            if test == "spread":
                why += ": with fewer pods or requests than the baseline the canary swings more widely when all is well"
            found[test] = why
    if found:
        after = {**dict.fromkeys(sorted(metric.off), False), **dict.fromkeys(found, False)}
        yield Setting(metric=metric.name, key=f"metrics.{metric.name}.tests", before="all", after=after, why="; ".join(found.values()))


def _tolerance(metric: MetricConfig, grounds: Mapping[str, int], judged: Sequence[Judged], n: int) -> Iterator[Setting]:
    count = sum(number for ground, number in grounds.items() if ground not in {"tail", "spread", "recent"})
    if count < _FEWEST or count <= _SHIFTS * n or metric.denominator:
        return
    usual = quantile([abs(one.traits[metric.name].change) for one in judged if metric.name in one.traits], 0.975)
    wanted = next((one for one in _TOLERANCES if one > max(usual, metric.tolerance.relative)), None)
    before = words.percent(metric.tolerance.relative, sign=False)
    if wanted is None or math.isnan(usual):
        yield Setting(metric=metric.name, key="", before=before, after=None, why=f"{count} of {n} healthy pairs were called regressed, and "
                      f"healthy pods differ by up to {words.percent(usual, sign=False)}: compare something else")  # fmt: skip
        return
    why = f"{count} of {n} healthy pairs were called regressed: healthy pods differ by up to {words.percent(usual, sign=False)}"
    yield Setting(metric=metric.name, key=f"metrics.{metric.name}.tolerance", before=before, after=_percent(wanted), why=why)


def _with(metric: MetricConfig, settings: Sequence[Setting]) -> MetricConfig:
    """The metric with the tests and the tolerance of these settings."""
    for one in settings:
        if one.key.endswith(".tests"):
            metric = replace(metric, off=metric.off | frozenset(one.after))
        elif one.key.endswith(".tolerance"):
            metric = replace(metric, tolerance=replace(metric.tolerance, relative=float(str(one.after).rstrip("%")) / 100))
    return metric


def _wider_must_detect(metric: MetricConfig) -> Iterator[Setting]:
    tolerance = metric.tolerance.relative
    if metric.must_detect.relative < 2 * tolerance:
        before = words.percent(metric.must_detect.relative, sign=False)
        wider = next((one for one in _MUST_DETECTS if one >= 2 * tolerance), 1.0)
        why = "must stay well above the tolerance"
        yield Setting(metric=metric.name, key=f"metrics.{metric.name}.must_detect", before=before, after=_percent(wider), why=why)


def _must_detect(
    config: CanaryConfig, metric: MetricConfig, cases: Sequence[Case], still_open: float, *, workers: Workers
) -> Iterator[Setting]:
    """The smallest must_detect at which healthy pairs are decided; else the metric only makes noise."""
    share = words.percent(still_open, sign=False)
    counted = bool(metric.denominator)
    now = metric.must_detect.absolute if counted else metric.must_detect.relative
    before = f"{now * 100:g}pp" if counted else words.percent(now, sign=False)
    for size in _MUST_DETECTS_OF_COUNTS if counted else _MUST_DETECTS:
        if size <= now:
            continue
        wider = replace(metric.must_detect, absolute=size) if counted else Margin(relative=size, absolute=metric.must_detect.absolute)
        if _open(config, replace(metric, must_detect=wider), cases, workers=workers) <= _OPEN_AFTERWARDS:
            after: Any = f"{size * 100:g}pp" if counted else _percent(size)
            if counted and metric.must_detect.relative:
                after = {"relative": _percent(metric.must_detect.relative), "absolute": after}
            why = f"{share} of the healthy pairs stayed undecided: a change of {before} is smaller than this metric's own noise"
            yield Setting(metric=metric.name, key=f"metrics.{metric.name}.must_detect", before=before, after=after, why=why)
            return
    why = f"{share} of the healthy pairs stayed undecided, whatever may slip through: this metric only makes noise"
    remedy = "drop it, or give it more requests (a longer step)"
    yield Setting(metric=metric.name, key="", before="", after=None, why=f"{why}; {remedy}")


def _open(config: CanaryConfig, metric: MetricConfig, cases: Sequence[Case], *, workers: Workers) -> float:
    """Share of the pairs that stay undecided at the last look with this metric in the config."""
    changed = replace(config, metrics=tuple(metric if one.name == metric.name else one for one in config.metrics))
    return sum(workers.each(_count_open, [(changed, cases[first::8], metric.name) for first in range(8)])) / max(len(cases), 1)


def _count_open(task: tuple[CanaryConfig, Sequence[Case], str]) -> int:
    config, cases, name = task
    last = [judge_case(config, case, traits=False, last_only=True).metrics.get(name) for case in cases]
    return sum(one is not None and one.last == "undecided" for one in last)


def _percent(size: float) -> str:
    return f"{size * 100:g}%"


def _advice(config: CanaryConfig, scrape: float | None) -> Iterator[Setting]:
    """What only another query cures."""
    step = config.window.step
    seen = " ".join(metric.query.replace(" ", "") for metric in config.metrics)
    for metric in config.metrics:
        if metric.limit is not None:
            continue
        text = metric.query.replace(" ", "")
        if "histogram_quantile(0.5," in text and not any(
            f"histogram_quantile({high}," in seen for high in ("0.9", "0.95", "0.99", "0.999")
        ):
            yield _by_hand(metric, "a median does not show that some requests are slow: add the p99")
        if ")/sum(" in text.replace("\n", "") and ("5.." in text or "error" in text):
            yield _by_hand(metric, "a ratio of two rates hides how many requests there were: give numerator and denominator as counts")
        ranges = [rate_window(one.replace("${step}", f"{step:g}s")) for one in (metric.query, metric.numerator, metric.denominator) if one]
        covered = max((one for one in ranges if one is not None), default=None)
        if covered is not None and covered > 1.5 * step:
            yield _by_hand(
                metric, f"each sample covers {covered:g} s and is asked every {step:g} s: use [${{step}}], or neighbours say the same"
            )
        if covered is not None and scrape is not None and covered < 2 * scrape:
            yield _by_hand(
                metric, f"its window of {covered:g} s often holds one scrape only (every {scrape:g} s): take a step of {2 * scrape:g} s"
            )


def _by_hand(metric: MetricConfig, why: str) -> Setting:
    return Setting(metric=metric.name, key="", before="", after=None, why=why)


def apply(config: CanaryConfig, settings: Sequence[Setting]) -> CanaryConfig:
    """The config with these settings; the config itself where they change nothing.

    Raises
    ------
    ConfigError
        Where the changed config would be wrong.
    """
    values = [(one.key, one.after) for one in settings if one.key]
    if not values:
        return config
    document = with_values(config.document, values)
    return parse_config(document, where=f"config {config.name!r} as proposed")


def applicable(config: CanaryConfig, settings: Sequence[Setting]) -> list[Setting]:
    """Settings that give a config which can be used; others become advice that says why not."""
    kept: list[Setting] = []
    for one in settings:
        try:
            apply(config, [*kept, one])
        except ConfigError as error:
            kept.append(replace(one, key="", why=f"{one.why}; {one.key} cannot be set to {one.after}: {error}"))
        else:
            kept.append(one)
    return kept
