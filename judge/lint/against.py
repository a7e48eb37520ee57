"""``judge check --against``: every query of a config, asked now of a real source.

A verdict is asked for as `judge run` does it, and what the source answered on the
way is kept: how many series and points each query has on each side. Nothing is
archived, and the verdict itself is thrown away.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from judge.core.config import CanaryConfig
from judge.core.model import SeriesPair
from judge.errors import ConfigError, RequestError, SourceUnreachable
from judge.lint.against_ranges import measure
from judge.lint.rule import Asked, Document
from judge.settings import Settings, load_settings
from judge.sources import Answer, Query, Source
from judge.verdicts.analysis import run
from judge.wire.request import parse_request


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What `judge check --against` was told.

    `url` is the source's address, `values` are keys of a request, `args` its args; what
    a config does not declare is not sent for it. `deadline` are seconds for one config.
    """

    url: str
    values: Mapping[str, str]
    args: Mapping[str, str] = field(default_factory=dict)
    deadline: float = 30.0


class _Listening(Source):
    """A source that remembers what it was asked and what it answered."""

    def __init__(self, source: Source) -> None:
        self.source, self.language = source, source.language
        self.heard: list[Answer] = []

    def fetch(self, queries: Sequence[Query], *, deadline: float) -> list[Answer]:
        """Answer as the source does."""
        answers = self.source.fetch(queries, deadline=deadline)
        self.heard += answers
        return answers

    def describe(self) -> Mapping[str, Any]:
        """Say what the source says."""
        return self.source.describe()


def ask_all(documents: Iterable[Document], question: Question, *, environ: Mapping[str, str], now: float) -> dict[tuple[str, str], Asked]:
    """Ask the source for every config among the documents.

    Returns
    -------
    dict
        By the document's place and the config's name.

    Raises
    ------
    RequestError
        Where both sides are the same, or an arg is none that any of the configs declares.
    ConfigError
        Where the address or the settings are wrong.
    """
    found = {(document.where, document.config.name): document.config for document in documents if document.config is not None}
    if question.values.get("baseline") == question.values.get("canary"):
        raise RequestError("--baseline and --canary are the same: there are no two sides to ask for")
    declared = {name for config in found.values() for name in config.args}
    for name in question.args:
        if name not in declared:
            known = ", ".join(sorted(declared))
            raise RequestError(f"--arg {name}: no config that is checked declares it" + (f"; they declare {known}" if known else ""))
    settings = _settings(question.url, environ)
    source = settings.sources["default"].patient(question.deadline)
    return {key: _ask(config, question, source.open(), now=now) for key, config in found.items()}


def _settings(url: str, environ: Mapping[str, str]) -> Settings:
    try:
        return load_settings({**environ, "JUDGE_PROMETHEUS_URL": url})
    except ConfigError as error:
        if any(fault.path == "JUDGE_PROMETHEUS_URL" for fault in error.faults):
            raise ConfigError([replace(fault, path="--against") for fault in error.faults]) from None
        raise


def _ask(config: CanaryConfig, question: Question, source: Source, *, now: float) -> Asked:
    url = str(source.describe().get("url", question.url))
    raw = {**question.values, "config": config.name, "args": {name: value for name, value in question.args.items() if name in config.args}}
    try:
        request, config = parse_request(raw, {config.name: config}, now=now)
    except RequestError as error:
        return Asked(url=url, refusal="; ".join(str(fault) for fault in error.faults))
    step = config.window.step
    end = math.floor((now if request.end is None else min(request.end, now)) / step) * step
    length = config.window.length if request.window is None else request.window
    # With a start everything is asked at once, the baseline too where the canary has no samples.
    request = replace(request, end=end, start=end - length if request.start is None else request.start)
    listening = _Listening(source)
    pairs: tuple[SeriesPair, ...] = ()
    with suppress(SourceUnreachable):  # a config may ask for it; the answers tell the same
        pairs = run(request, config, listening, now=now, deadline=question.deadline).pairs
    start = min((answer.query.start for answer in listening.heard), default=end)
    end = max((answer.query.end for answer in listening.heard), default=end)
    answers = tuple(listening.heard)
    return Asked(url=url, start=start, end=end, answers=answers, pairs=pairs, ranges=measure(answers, source, deadline=question.deadline))
