"""Healthy pairs: times in which nothing changed, with some pods of a version playing the canary.

Chance decides which pods, by a seed; queries are rendered anew for each side's pods, so that quantiles
and ratios are those of the pods and not averages of averages.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from judge.calibrate.history_reader import Range, Reader
from judge.calibrate.scopes import Asked, is_instant
from judge.calibrate.timeline import Stretch, Timeline
from judge.core.config import CanaryConfig, MetricConfig
from judge.core.model import Series, SeriesPair, Traffic
from judge.core.templates import matcher_labels
from judge.errors import QueryRejected
from judge.sources import Answer, Query
from judge.sources.series_pairs import build_pairs

_PART = 8 * 3600.0
"""Seconds after which other pods play the canary: few queries, and yet many different splits."""
_SETTLE = 300.0
"""Seconds after a rollout, beyond the config's warm-up, that are left alone."""
SHIFTS = {"adjacent": 0.0, "day": 86400.0, "week": 604800.0}
"""Seconds between the windows of a pair in time; 0 stands for one right after the other."""


class Kind(StrEnum):
    """What makes a pair."""

    SPLIT = "split"
    ADJACENT = "adjacent"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Neighbouring windows (their starts) of one stretch that share a split into canary and baseline pods."""

    version: str
    windows: tuple[float, ...]
    canary: tuple[str, ...]
    baseline: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What can be compared. `left_out` counts windows by what they touch; `notes` say what cannot be learnt."""

    length: float
    windows: int
    parts: tuple[Part, ...]
    stretches: tuple[Stretch, ...]
    left_out: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Case:
    """One healthy pair: both sides' series over the longest window, beginning at `start` (unix seconds, the canary's).

    `shift` is how many seconds earlier the baseline is; `requests` are those of (baseline, canary), None where not asked.
    """

    kind: Kind
    start: float
    length: float
    shift: float
    pairs: tuple[SeriesPair, ...]
    requests: tuple[float, float] | None = None


def plan(timeline: Timeline, *, length: float, settle: float, pods: int | None, seed: int, step: float) -> Plan:
    """Find the windows in which nothing changed, and split the pods of each part in two.

    Parameters
    ----------
    timeline : Timeline
    length : float
        Seconds of one window.
    settle : float
        The config's warm-up: so much after a rollout is left out, and five minutes more.
    pods : int or None
        How many pods play the canary, at most half of them; None for half.
    seed : int
        Of the splits.
    step : float
        The config's step: windows begin on whole multiples of it.
    """
    length = -(-length // step) * step
    left_out: Counter[str] = Counter()
    parts: list[Part] = []
    open_part: tuple[Stretch, list[float]] | None = None
    used: dict[Stretch, None] = {}
    windows = 0

    def close() -> None:
        if open_part is not None:
            parts.append(_split(open_part[0], open_part[1], pods=pods, seed=seed))

    at = -(-timeline.start // step) * step + step
    while at + length <= timeline.end:
        windows += 1
        why = timeline.disturbance(at - step, at + length, settle=settle + _SETTLE)
        stretch = None
        if not why:
            stretch = next((one for one in timeline.stretches if one.start <= at - step and one.end >= at + length), None)
            if stretch is None:
                why = "pods came or went"
        if stretch is not None and len(stretch.pods) < 2:
            used.setdefault(stretch)
            why = "one pod" if stretch.pods[0] else "no pod label"
        if why or stretch is None:
            left_out[why] += 1
        else:
            used.setdefault(stretch)
            if open_part is not None and open_part[0] == stretch and at - open_part[1][0] + length <= _PART:
                open_part[1].append(at)
            else:
                close()
                open_part = (stretch, [at])
        at += length
    close()
    return Plan(length=length, windows=windows, parts=tuple(parts), stretches=tuple(used), left_out=dict(left_out))


def _split(stretch: Stretch, windows: Sequence[float], *, pods: int | None, seed: int) -> Part:
    rng = np.random.default_rng([seed, zlib.crc32(f"{stretch.version}/{windows[0]:.0f}".encode())])
    count = len(stretch.pods)
    few = max(1, min(count // 2, count // 2 if pods is None else pods))
    chosen = set(rng.permutation(count)[:few].tolist())
    return Part(
        version=stretch.version,
        windows=tuple(windows),
        canary=tuple(pod for index, pod in enumerate(stretch.pods) if index in chosen),
        baseline=tuple(pod for index, pod in enumerate(stretch.pods) if index not in chosen),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Renders and answers the questions of one plan."""

    asked: Asked
    pod_label: str
    plan: Plan

    @property
    def config(self) -> CanaryConfig:
        """The config."""
        return self.asked.config

    def unsplit(self) -> list[str]:
        """Metrics whose queries are the same whichever pods are asked for: they cannot be compared pod by pod."""
        return [
            metric.name
            for metric in self.config.metrics
            if metric.limit is None and not all("${scope}" in template for _, template in self.asked.parts(metric))
        ]

    def questions(self) -> Iterator[Range]:
        """Everything that is asked, in order; some may be the same."""
        return (one for _, one in self._named())

    def _named(self) -> Iterator[tuple[str, Range]]:
        """Every question with its metric, empty for the traffic."""
        for part in self.plan.parts:
            for pods in (part.canary, part.baseline):
                yield from ((name, one) for name, _, one in self._of(part.version, pods, part.windows))
        for version, windows in self._of_same_pods():
            yield from ((name, one) for name, _, one in self._of(version, (), windows))

    def _of_same_pods(self) -> Iterator[tuple[str, tuple[float, ...]]]:
        """A version and the healthy windows in which it ran on the same pods, whatever gap or restart lies between them.

        Those of a version with one pod are compared in time alone.
        """
        length = self.plan.length
        found: dict[tuple[str, tuple[str, ...]], list[float]] = {}
        for stretch in self.plan.stretches:
            inside = [at for part in self.plan.parts for at in part.windows if stretch.start <= at and at + length <= stretch.end]
            if len(stretch.pods) < 2:
                # On whole multiples of the length: windows a day or a week apart must meet.
                first = (stretch.start + self.config.window.step) // length * length + length
                inside = np.arange(first, stretch.end - length + 1, length).tolist()
            found.setdefault((stretch.version, stretch.pods), []).extend(inside)
        for (version, _), windows in found.items():
            if windows:
                yield version, tuple(sorted(windows))

    def _of(self, version: str, pods: Sequence[str], windows: Sequence[float]) -> Iterator[tuple[str, str, Range]]:
        """Metric (empty for traffic), part and question, for these pods over these windows."""
        matcher = self.asked.matcher(version, pods, pod_label=self.pod_label)
        templates = [(metric.name, part, template) for metric in self.config.metrics for part, template in self.asked.parts(metric)]
        if self.config.traffic is not None:
            templates.append(("", "traffic", self.config.traffic.query))
        length = self.plan.length
        for name, part, template in templates:
            text = self.asked.text(template, version, matcher)
            if is_instant(template):
                yield name, part, Range(text=text, start=windows[0] + length, end=windows[-1] + length, step=length)
            else:
                yield name, part, Range(text=text, start=windows[0], end=windows[-1] + length, step=self.config.window.step)

    def cases(self, reader: Reader, *, without: Sequence[str] = (), what: str = "healthy pairs") -> tuple[list[Case], dict[str, str]]:
        """Read everything and make the pairs.

        Returns
        -------
        list of Case
        dict
            Metrics (empty for the traffic) whose queries the source refuses or finds too heavy, and why.
        """
        known, broken = self._read(reader, without, what)
        if without or broken:
            gone = {*without, *broken}
            config = replace(
                self.config,
                metrics=tuple(metric for metric in self.config.metrics if metric.name not in gone),
                traffic=None if "" in gone else self.config.traffic,
            )
            return replace(self, asked=replace(self.asked, config=config)).made(known), broken
        return self.made(known), broken

    def _read(self, reader: Reader, without: Sequence[str], what: str) -> tuple[dict[Range, list[Series]], dict[str, str]]:
        """Answers by question; a metric with one refused question is not asked any further."""
        wanted: dict[Range, str] = {}
        for name, one in self._named():
            if name not in without:
                wanted.setdefault(one, name)
        try:
            return dict(zip(wanted, reader.read_all(list(wanted), what=what), strict=True)), {}
        except QueryRejected:
            # Rare: go on one by one, without the metrics that are refused.
            known: dict[Range, list[Series]] = {}
            broken: dict[str, str] = {}
            for one, name in wanted.items():
                if name not in broken:
                    try:
                        known[one] = reader.read(one, what=what)
                    except QueryRejected as refusal:
                        broken[name] = str(refusal)
            return known, broken

    def made(self, known: Mapping[Range, Sequence[Series]]) -> list[Case]:
        """Make the pairs of what was answered."""
        found: list[Case] = []
        for part in self.plan.parts:
            sides = {
                side: self._answers(known, part.version, pods, part.windows, side=side)
                for side, pods in (("canary", part.canary), ("baseline", part.baseline))
            }
            found += [self._case(Kind.SPLIT, {**sides["baseline"], **sides["canary"]}, at, shift=0.0) for at in part.windows]
        for version, windows in self._of_same_pods():
            canary = self._answers(known, version, (), windows, side="canary")
            baseline = self._answers(known, version, (), windows, side="baseline")
            both = {**baseline, **canary}
            there = set(windows)
            for name, apart in SHIFTS.items():
                shift = -(-apart // self.plan.length) * self.plan.length if apart else self.plan.length
                found += [self._case(Kind(name), both, at, shift=shift) for at in windows if at - shift in there]
        return found

    def _answers(
        self, known: Mapping[Range, Sequence[Series]], version: str, pods: Sequence[str], windows: Sequence[float], *, side: str
    ) -> dict[tuple[str, str, str], Answer]:
        found = {}
        for name, part, one in self._of(version, pods, windows):
            instant = one.step == self.plan.length and is_instant(self._template(name, part))
            query = Query(
                metric=name, part=part, side=side, scope=version, against=version,
                # A window against itself is no mistake here: the texts must not be taken for one and the same question.
                text=one.text if pods else f"{one.text} # {side}",
                start=one.start, end=one.end, step=one.step, instant=instant,
            )  # fmt: skip
            found[name, part, side] = Answer(query=query, series=tuple(known[one]))
        return found

    def _template(self, name: str, part: str) -> str:
        if not name:
            return "" if self.config.traffic is None else self.config.traffic.query
        metric = self.config.metric(name)
        return {"value": metric.query, "numerator": metric.numerator, "denominator": metric.denominator}[part]

    def _case(self, kind: Kind, answers: Mapping[tuple[str, str, str], Answer], at: float, *, shift: float) -> Case:
        length = self.plan.length
        cut = {}
        for key, answer in answers.items():
            start = at - shift if key[2] == "baseline" else at
            first, last = (start + length, start + length) if answer.query.instant else (start, start + length)
            inside = (one.between(first, last) for one in answer.series)
            cut[key] = replace(answer, series=tuple(one for one in inside if len(one)))
        pairs = [pair for metric in self.config.metrics for pair in self._pairs(metric, cut)]
        requests = None
        if self.config.traffic is not None:
            sides = [sum(float(np.nan_to_num(one.v[-1])) for one in cut["", "traffic", side].series) for side in ("baseline", "canary")]
            requests = (sides[0], sides[1])
        return Case(kind=kind, start=at, length=length, shift=shift, pairs=tuple(pairs), requests=requests)

    def _pairs(self, metric: MetricConfig, answers: Mapping[tuple[str, str, str], Answer]) -> list[SeriesPair]:
        mine = dict(answers)
        if metric.limit is not None:
            mine = {key: answer for key, answer in answers.items() if key[2] == "canary"}
        apart = matcher_labels([self.config.scopes[self.asked.scope], f"{self.pod_label}="]) if self.pod_label else frozenset()
        return build_pairs(metric, mine, apart)


def until(case: Case, elapsed: float, minimum: bool) -> tuple[list[SeriesPair], Traffic | None]:  # noqa: FBT001
    """What a look so many seconds after the start has: both sides' samples so far, and the requests in proportion."""
    last = case.start + elapsed
    pairs = [
        replace(
            pair,
            baseline=_before(pair.baseline, last - case.shift),
            canary=_before(pair.canary, last),
            baseline_total=None if pair.baseline_total is None else _before(pair.baseline_total, last - case.shift),
            canary_total=None if pair.canary_total is None else _before(pair.canary_total, last),
        )
        if len(pair.baseline) or pair.baseline_total is not None
        else pair
        for pair in case.pairs
    ]
    if not minimum or case.requests is None:
        return pairs, None
    share = min(elapsed / case.length, 1.0)
    return pairs, Traffic(baseline=case.requests[0] * share, canary=case.requests[1] * share)


def _before(series: Series, last: float) -> Series:
    end = int(np.searchsorted(series.t, last, side="right"))
    return series if end == len(series) else Series(t=series.t[:end], v=series.v[:end], labels=series.labels)
