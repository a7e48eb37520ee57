"""Where series come from.

A source answers a batch of queries within a deadline. To add one, write a
module with a class of type `Source` and name its opener in `SOURCES`; settings
validation and the error text follow from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from judge.core.model import Problem, Series

if TYPE_CHECKING:
    from judge.config.server_settings import SourceSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question to a source.

    `metric` and `part` (``value``, ``numerator``, ``denominator``, ``traffic``)
    and `side` (``baseline``, ``canary``) say what it is for; `scope` is the side's
    scope value (a pod-template hash), `against` the other side's; `text` is PromQL with everything filled in.
    `start` and `end` are unix seconds on whole multiples of `step`; an `instant`
    query is asked at `end` only. `verbatim` keeps every value the source gives, NaN and
    repetitions too, as Kayenta does.
    """

    metric: str
    part: str
    side: str
    scope: str
    against: str
    text: str
    start: float
    end: float
    step: float
    instant: bool = False
    verbatim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """What came back: one `Series` per label set, in the source's order.

    `problem` is set when there is no usable answer at all: then `series` is
    empty. `warnings` are the source's own words (partial answers) and ours
    (samples left out, and why). `partial` tells that a part of the source did
    not take part in the answer.
    """

    query: Query
    series: tuple[Series, ...] = ()
    warnings: tuple[str, ...] = ()
    problem: Problem | None = None
    partial: bool = False


class Source(Protocol):
    """Somewhere series come from."""

    def fetch(self, queries: Sequence[Query], *, deadline: float) -> list[Answer]:
        """Answer all queries, in order, within `deadline` seconds from now.

        Never raises for what a source can do wrong: trouble is an `Answer` with a
        `problem` (classified ``nodata`` when the source was away, slow or broken,
        ``error`` when it refused the query or the query makes no sense).
        """
        ...

    def describe(self) -> Mapping[str, Any]:
        """What is kept in a verdict's record: kind and address, never a secret."""
        ...


def _open_prometheus(settings: SourceSettings) -> Source:
    from judge.sources.prometheus.source import PrometheusSource

    return PrometheusSource(settings)


def _open_dumps(settings: SourceSettings) -> Source:
    from judge.sources.dumps.recorded import RecordedSource

    return RecordedSource(settings)


SOURCES: dict[str, Callable[[SourceSettings], Source]] = {
    "prometheus": _open_prometheus,
    "dumps": _open_dumps,
}


def open_source(settings: SourceSettings) -> Source:
    """Open the source that these settings name."""
    return SOURCES[settings.type](settings)
