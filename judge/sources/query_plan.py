"""A config's queries, filled in for one request: what a source is asked."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from judge.core.config import CanaryConfig, MetricConfig
from judge.core.model import Window
from judge.core.templates import Matcher, QueryLanguage, duration, placeholders, render
from judge.errors import ConfigError, Fault
from judge.sources import Query
from judge.wire.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """Renders the config's queries for one request, in the language of the source."""

    request: Request
    config: CanaryConfig
    language: QueryLanguage

    def scope(self, side: str) -> str:
        """Label matchers of one side."""
        return self._scope(self._values(side, None))

    def _scope(self, values: Mapping[str, str | Matcher]) -> str:
        scope = render(self.config.scopes[self.request.scope], values, self.language)
        complaint = self.language.check_scope(scope)
        if complaint:
            raise ConfigError([Fault(path="scope", message=f"{scope!r} {complaint} of {self.language.name}")], where=self.config.name)
        return scope

    def apart(self) -> AbstractSet[str]:
        """Labels of the scope, which differ between the sides by design."""
        return self.language.labels([self.scope("baseline"), self.scope("canary")])

    def _values(self, side: str, window: Window | None) -> dict[str, str | Matcher]:
        values: dict[str, str | Matcher] = {
            **self.request.args,
            "hash": getattr(self.request, side),
            "step": duration(self.config.window.step),
        }
        if self.request.rollout:
            values["rollout"] = self.request.rollout
        if window is not None:
            values["window"] = duration(max(window.end - window.start, window.step))
        return values

    def of_metric(self, metric: MetricConfig, side: str, window: Window) -> list[Query]:
        """The queries of one metric on one side."""
        if metric.limit is not None and side == "baseline":
            return []
        parts = {"value": metric.query, "numerator": metric.numerator, "denominator": metric.denominator}
        return [self._query(metric.name, part, side, text, window) for part, text in parts.items() if text]

    def _query(self, metric: str, part: str, side: str, template: str, window: Window, *, instant: bool = False) -> Query:
        values = self._values(side, window)
        values["scope"] = Matcher(self._scope(values))
        return Query(
            metric=metric,
            part=part,
            side=side,
            scope=getattr(self.request, side),
            against=self.request.canary if side == "baseline" else self.request.baseline,
            text=render(template, values, self.language),
            start=window.start,
            end=window.end,
            step=window.step,
            instant=instant or "window" in placeholders(template),
        )

    def canary_samples(self, window: Window) -> list[Query]:
        """Queries that tell when the canary began: everything that gives a value each step."""
        asked = [query for metric in self.config.metrics for query in self.of_metric(metric, "canary", window)]
        return [query for query in asked if not query.instant]

    def all(self, window: Window) -> list[Query]:
        """Everything that is asked for one window."""
        asked = [
            query for metric in self.config.metrics for side in ("baseline", "canary") for query in self.of_metric(metric, side, window)
        ]
        if self.config.traffic is not None:
            asked += [self._query("", "traffic", side, self.config.traffic.query, window) for side in ("baseline", "canary")]
        if self.config.conditions is not None:
            for part, text in self.config.conditions.queries.items():
                asked += [self._query("", part, side, text, window, instant=True) for side in ("baseline", "canary")]
        return asked

    def share(self) -> str:
        """The canary's expected part of all requests, as config and request write it; empty where nothing is expected."""
        return "" if self.config.conditions is None else render(self.config.conditions.share, self.request.args)
