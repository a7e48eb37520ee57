"""A kept verdict judged again from its record: the same to the last digit, or what differs and why."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from judge.config.load import parse_config, with_judge
from judge.config.renamed import hint
from judge.config.schema import ConfigDocument, MetricDocument
from judge.core.canary import judge_canary
from judge.core.config import CanaryConfig, Margin, MetricConfig
from judge.core.kayenta.adapter import is_kayenta_document
from judge.core.model import Outcome, Verdict, series_title
from judge.errors import ConfigError, DumpError, Fault
from judge.verdicts.analysis import uncompared
from judge.verdicts.record_reader import Given, read_given, was_compared
from judge.wire.record import verdict_fields

_TOP = frozenset(field.alias if field.alias else name for name, field in ConfigDocument.model_fields.items())
_OF_METRIC = frozenset(field.alias if field.alias else name for name, field in MetricDocument.model_fields.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Other settings: a whole `config`, another `judge`, single values of the verdict's own config."""

    config: CanaryConfig | None = None
    judge: str = ""
    values: tuple[tuple[str, Any], ...] = ()

    @property
    def is_none(self) -> bool:
        """The verdict is judged by what it was judged by."""
        return self.config is None and not self.judge and not self.values


AS_IT_WAS = Change()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that came out otherwise: its dotted path in the verdict (``results.latency-p99.reason``), before and now."""

    path: str
    before: Any
    now: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A verdict judged again: as it stands in the record, as it is now, and what differs.

    `why` names what differs of that which leads to a verdict: versions, settings, samples that are not compared any more.
    """

    id: str
    before: Mapping[str, Any]
    now: Mapping[str, Any]
    differences: tuple[Difference, ...]
    why: tuple[str, ...]

    @property
    def is_identical(self) -> bool:
        """Nothing differs."""
        return not self.differences

    @property
    def is_same_verdict(self) -> bool:
        """Whoever acted on the verdict would do the same."""
        return bool(self.before["verdict"] == self.now["verdict"])


def rejudge(record: Mapping[str, Any], change: Change = AS_IT_WAS, *, versions: Mapping[str, str] | None = None) -> Replay:
    """Judge a record again.

    Parameters
    ----------
    record : mapping
        As `judge.archive.Archive.get` gives it.
    change : Change
        Settings other than the record's own.
    versions : mapping, optional
        What takes part now (`judge.verdicts.records.versions`), to name what is of another version than in the record.

    Raises
    ------
    DumpError
        Where the record is not whole, or none of its metrics is in the other config.
    ConfigError
        Where the changed config is wrong.
    """
    given = read_given(record)
    why = list(_other_versions(record, versions))
    if record.get("config_digest") != given.config.digest:
        why.append("the config in the record has another meaning to this version: its digest differs")
    changed, notes = _changed(given, record, change)
    why += notes
    try:
        verdict = _judge(record, changed)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        message = f"cannot be judged again, its record is not whole: {error!r}"
        raise DumpError(message, where=f"verdict {record['id']}") from error
    now = verdict_fields(verdict, end=changed.window.end)
    return Replay(
        id=str(record["id"]),
        before=record["verdict"],
        now=now,
        differences=tuple(differences(record["verdict"], now)),
        why=tuple(why),
    )


def _judge(record: Mapping[str, Any], given: Given) -> Verdict:
    if not was_compared(record):
        # There were no samples, so no setting of the judge had a part in it.
        before = record["verdict"]
        return replace(
            uncompared(given.config, before["reason"]),
            outcome=Outcome(before["verdict"]),
            score=before["score"],
            warnings=tuple(before["warnings"]),
        )

    def judged(warnings: Sequence[str]) -> Verdict:
        return judge_canary(
            given.config, given.pairs, traffic=given.traffic, conditions=given.conditions, window=given.window, warnings=warnings
        )

    if given.warnings is not None:
        return judged(given.warnings)
    # An older record has all warnings in one list: what the judge does not say by itself was given to it.
    own = set(judged(()).warnings)
    return judged([warning for warning in record["verdict"]["warnings"] if warning not in own])


def outcomes_at_margins(record: Mapping[str, Any], grid: Sequence[tuple[float, float]], judge: str) -> list[str]:
    """Judge one record at every pair of relative margins (tolerance, must_detect); ratios of counts keep their own."""
    given = read_given(record)
    found = []
    for low, high in grid:
        metrics = tuple(_with_margins(metric, low, high) for metric in given.config.metrics)
        config = replace(given.config, metrics=metrics, judge=judge if judge else given.config.judge)
        if given.traffic is None:
            config = replace(config, traffic=None)
        outcome = (
            judge_canary(config, given.pairs, traffic=given.traffic, window=given.window).outcome if given.pairs else Outcome.INCONCLUSIVE
        )
        found.append(outcome.value)
    return found


def _with_margins(metric: MetricConfig, tolerance: float, must_detect: float) -> MetricConfig:
    if metric.limit is not None or metric.denominator:
        return metric
    return replace(
        metric,
        tolerance=Margin(relative=tolerance, absolute=metric.tolerance.absolute),
        must_detect=Margin(relative=must_detect, absolute=metric.must_detect.absolute),
    )


def _changed(given: Given, record: Mapping[str, Any], change: Change) -> tuple[Given, list[str]]:
    """Put other settings in place, and say what that means for the samples there are."""
    config, notes = given.config, []
    if change.config is not None:
        config = change.config
        notes.append(f"judged by the config {config.name!r} instead of the record's own")
    if change.values:
        document = config.document if change.config is not None else record["config"]
        judge = config.judge
        config = parse_config(with_values(document, change.values), where=f"verdict {record['id']}: config with --set")
        if "judge" not in dict(change.values):
            config = with_judge(config, judge)
        notes += [f"{key} set to {value}" for key, value in change.values]
    if change.judge and change.judge != config.judge:
        notes.append(f"judge {change.judge} instead of {config.judge}")
        config = with_judge(config, change.judge)
    known = {metric.name for metric in config.metrics}
    pairs = tuple(pair for pair in given.pairs if pair.metric in known)
    if given.pairs and not pairs:
        message = f"none of its metrics is in the config {config.name!r}"
        raise DumpError([Fault(path="metrics", message=message, allowed=tuple(sorted(known)))], where=f"verdict {record['id']}")
    left = sorted({pair.metric for pair in given.pairs} - known)
    if left:
        notes.append(f"not in the config, so not judged: {', '.join(left)}")
    if config.traffic is not None and given.traffic is None:
        # Nobody counted the requests, which is no evidence of too few of them.
        config = replace(config, traffic=None)
        if not change.is_none:
            notes.append("the record does not say how many requests there were, so the minimum was not checked")
    return replace(given, config=config, pairs=pairs), notes


def with_values(document: Mapping[str, Any], values: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Copy a config document with other values.

    A key is dotted. One that only metrics have (``tolerance``) is set on every metric that is compared;
    ``metrics.NAME.KEY`` on one.

    Raises
    ------
    ConfigError
        Where there is no such key or metric, or the config is one of Kayenta's.

    Examples
    --------
    >>> with_values({"metrics": [{"name": "a"}, {"name": "b"}]}, [("alpha", 0.01), ("metrics.b.tolerance", "9%")])
    {'metrics': [{'name': 'a'}, {'name': 'b', 'tolerance': '9%'}], 'alpha': 0.01}
    """
    if is_kayenta_document(document):
        raise ConfigError("single values of Kayenta's canary configs cannot be set; give a whole one with --config", where="--set")
    found: dict[str, Any] = copy.deepcopy(dict(document))
    metrics = {metric["name"]: metric for metric in found["metrics"]}
    for key, value in values:
        head, _, rest = key.partition(".")
        if head == "metrics":
            # A metric's name may itself hold dots.
            name, _, inner = rest.rpartition(".")
            if name not in metrics:
                raise ConfigError([Fault(path=key, message=f"there is no metric {name!r}", allowed=tuple(metrics))], where="--set")
            targets = [(metrics[name], inner)]
        elif head in _OF_METRIC and head not in _TOP:
            targets = [(metric, key) for metric in metrics.values() if "limit" not in metric]
        elif head in _TOP:
            targets = [(found, key)]
        else:
            known = sorted(_TOP | _OF_METRIC)
            raise ConfigError([Fault(path=key, message=f"is no key of a config{hint(key, known)}", allowed=tuple(known))], where="--set")
        for target, path in targets:
            _put(target, path, value)
    return found


def _put(target: dict[str, Any], path: str, value: Any) -> None:
    *above, last = path.split(".")
    for part in above:
        inner = target.get(part)
        target[part] = dict(inner) if isinstance(inner, Mapping) else {}
        target = target[part]
    target[last] = value


def _other_versions(record: Mapping[str, Any], versions: Mapping[str, str] | None) -> Iterator[str]:
    before = record.get("versions", {})
    for name, now in ({} if versions is None else versions).items():
        if before.get(name) != now:
            yield f"{name} {before.get(name, 'of an unknown version')} then, {now} now"


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    """Compare two verdicts as records have them, results by metric; keys that the first one lacks are not compared."""
    for key, value in before.items():
        if key == "results":
            yield from _of_results(value, now["results"])
        elif key == "groups":
            yield from _walk({group["name"]: group for group in value}, {group["name"]: group for group in now["groups"]}, "groups")
        else:
            yield from _walk(value, now.get(key), key)


def _of_results(before: Sequence[Mapping[str, Any]], now: Sequence[Mapping[str, Any]]) -> Iterator[Difference]:
    old, new = ({series_title(one["name"], one["labels"]): one for one in results} for results in (before, now))
    yield from _walk(old, new, "results")
    yield from (Difference(path=f"results.{title}", before=None, now=new[title]["classification"]) for title in new if title not in old)


def _walk(before: Any, now: Any, path: str) -> Iterator[Difference]:
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key, value in before.items():
            yield from _walk(value, now.get(key), f"{path}.{key}")
    elif before != now:
        yield Difference(path=path, before=before, now=now)
