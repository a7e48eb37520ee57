"""Where series come from.

A source answers a batch of queries within a deadline. `judge.sources.registry` says how to add one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from judge.config.yaml import Document
from judge.core.model import Problem, Series
from judge.core.templates import QueryLanguage


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question to a source.

    `metric` and `part` (``value``, ``numerator``, ``denominator``, ``traffic``)
    and `side` (``baseline``, ``canary``) say what it is for; `scope` is the side's
    scope value (a pod-template hash), `against` the other side's; `text` is in the source's language,
    with everything filled in.
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
    """Somewhere series come from; a class that names this one as its base inherits what has a default here."""

    language: QueryLanguage
    """What the texts of its queries are written in."""

    def fetch(self, queries: Sequence[Query], *, deadline: float) -> list[Answer]:
        """Answer all queries, in order, within `deadline` seconds from now.

        Never raises for what a source can do wrong: trouble is an `Answer` with a
        `problem` (classified ``nodata`` when the source was away, slow or broken,
        ``error`` when it refused the query or the query makes no sense).
        """
        ...

    def describe(self) -> Mapping[str, Any]:
        """What is kept in a verdict's record: its `type` and address, never a secret."""
        ...

    @property
    def state(self) -> str:
        """One of `judge.observer.CIRCUITS`."""
        return "closed"

    def close(self) -> None:
        """Give threads and connections back."""
        return


class SourceSettings(Document):
    """What server.yaml says of one source, and what follows from that; a class for each type (`judge.sources.registry`)."""

    type: str

    def resolved(self, environ: Mapping[str, str], folder: Path) -> SourceSettings:
        """Look up what server.yaml only names: secrets in the environment, paths beside the file, in `folder`.

        Raises
        ------
        ConfigError
            With the fields' names as the paths of its faults.
        """
        del environ, folder
        return self

    def open(self, name: str = "default") -> Source:
        """Open the source; metrics and traces call it by this name.

        Raises
        ------
        ConfigError
            If it cannot be used as it is set.
        """
        raise NotImplementedError

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may say; `judge.config.secrets.secret_forms` writes it."""
        return ()

    def recorded(self) -> dict[str, Any]:
        """Settings that can change a verdict, for its record; never a secret."""
        return {"type": self.type}

    def patient(self, seconds: float) -> SourceSettings:
        """Settings of the same source for a question that may take so long."""
        del seconds
        return self

    def for_history(self, *, timeout: float, concurrency: int) -> SourceSettings | None:
        """Settings for days of the past in PromQL (``judge calibrate``); None if the source has none.

        `timeout` are the seconds for one query, `concurrency` how many are under way at once.
        """
        del timeout, concurrency
        return None

    @staticmethod
    def query_page(described: Mapping[str, Any], query: str, *, start: float | None, end: float | None, step: float | None) -> str:
        """Address of a page that shows a query of a record, empty if there is none.

        `described` is what `Source.describe` gave. It may come from an archive that others write to: nothing in it is trusted.
        Times are unix seconds, `step` is in seconds.
        """
        del described, query, start, end, step
        return ""
