"""A saved canary judged: by the config given, the one it names, its own, or what it says of its metrics."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

from judge.config.load import load_configs, parse_config, with_judge
from judge.core.canary import judge_canary
from judge.core.config import DEFAULT_JUDGE, CanaryConfig, MetricConfig
from judge.core.model import Series, SeriesPair, Window
from judge.errors import ConfigError, DumpError, Fault
from judge.settings import DEFAULT_CONFIG_DIR
from judge.sources.dumps.dump import Dump
from judge.sources.dumps.read import RawCanary, load_dump, parse, split
from judge.sources.dumps.write import meaning
from judge.verdicts.analysis import Analysis, question
from judge.verdicts.record_reader import key, read_problem
from judge.verdicts.records import write_record
from judge.wire.json import dumps
from judge.wire.record import request_fields
from judge.wire.request import Request
from judge.wire.ulid import question_id

_SETTINGS: Mapping[str, Any] = {"source": {"type": "dump"}}


Part: TypeAlias = RawCanary | str
"""A canary of a file, or the fault that kept it from being read: an exception does not survive the way to another process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """The record of one canary, or the fault that kept it from being judged; `id` is empty where it could not be read."""

    id: str
    record: Mapping[str, Any] | None = None
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownConfigs:
    """The configs that a dump may name, and the folder they come from."""

    folder: Path
    configs: Mapping[str, CanaryConfig]


def read_known() -> KnownConfigs:
    """Read the config folder."""
    folder = Path(os.environ.get("JUDGE_CONFIG_DIR", DEFAULT_CONFIG_DIR))
    return KnownConfigs(folder=folder, configs=load_configs(folder)[0])


def read_parts(paths: Iterable[Path]) -> Iterator[Part]:
    """Take files apart into canaries, without reading them yet."""
    for path in paths:
        yield from (str(part) if isinstance(part, DumpError) else part for part in split(path))


def score_part(part: Part, config: CanaryConfig | None = None, judge: str = "", *, known: KnownConfigs | None = None) -> Scored:
    """Read and judge one canary of a file; what is wrong with it is in the answer."""
    if isinstance(part, str):
        return Scored(id="", fault=part)
    try:
        record = score_dump(parse(part), config, judge, known=known)
    except (DumpError, ConfigError) as error:
        return Scored(id=part.fallback_id, fault=str(error))
    return Scored(id=record["id"], record=record)


def score_file(path: str | Path, config: CanaryConfig | None = None) -> list[Mapping[str, Any]]:
    """Judge every canary of a file.

    Raises
    ------
    DumpError, ConfigError
        At the first fault.
    """
    return [score_dump(dump, config) for dump in load_dump(path)]


def score_dump(dump: Dump, config: CanaryConfig | None = None, judge: str = "", *, known: KnownConfigs | None = None) -> dict[str, Any]:
    """Judge one dump, as `analyse_dump` does, and write its record.

    A dump of a live question has that question's id, settings and source; its record is the one that was kept then.
    Any other has the id and the question of its contents.
    """
    analysis = analyse_dump(dump, config, judge, known=known)
    carried = dump.record
    settings = dict(_SETTINGS if carried is None else carried["settings"])
    if judge:
        settings["judge"] = analysis.config.judge
    if carried is None:
        id, asked_at, asked = dump.id, analysis.window.end, _question(dump, analysis)
    else:
        asked_at = float(carried["asked_at"])
        asked = question(analysis.request, analysis.config, now=asked_at)
        # By another config or judge it is another question.
        id = dump.id if asked == carried.get("question") else question_id(asked, analysis.window.end)
    # Samples from a file may be anything: they answer no live question.
    return write_record(analysis, id=id, asked_at=asked_at, question=asked, settings=settings) | {"reusable": False}


def analyse_dump(dump: Dump, config: CanaryConfig | None = None, judge: str = "", *, known: KnownConfigs | None = None) -> Analysis:
    """Judge one dump over its window.

    Parameters
    ----------
    dump : Dump
    config : CanaryConfig, optional
        Instead of what the dump says of itself.
    judge : str
        Instead of the config's judge.
    known : KnownConfigs, optional
        Configs that the dump may name; the config folder is read where it is left out.

    Raises
    ------
    ConfigError
        Where the dump's own config is wrong.
    DumpError
        Where the dump has none of the config's metrics.
    """
    dump, given = _as_asked(dump)
    chosen, warnings = _config_of(dump, config, known)
    warnings = [*given, *warnings]
    if judge:
        chosen = with_judge(chosen, judge)
    names = {metric.name for metric in chosen.metrics}
    pairs = [pair for pair in dump.pairs if pair.metric in names]
    if not pairs:
        message = f"none of its metrics ({', '.join(sorted({pair.metric for pair in dump.pairs}))}) is in the config {chosen.name!r}"
        raise DumpError([Fault(path="metrics", message=message, allowed=tuple(sorted(names)))], where=dump.id)
    left = sorted({pair.metric for pair in dump.pairs} - names)
    if left:
        warnings.append(f"not in the config, so not judged: {', '.join(left)}")
    judged_by = chosen
    if chosen.traffic is not None and dump.traffic is None:
        warnings.append("the dump does not say how many requests there were, so the minimum was not checked")
        judged_by = replace(chosen, traffic=None)
    window = _window(dump, chosen)
    verdict = judge_canary(judged_by, pairs, traffic=dump.traffic, conditions=dump.conditions, window=window, warnings=warnings)
    return Analysis(
        request=_request(dump, chosen),
        config=chosen,
        window=window,
        verdict=verdict,
        pairs=tuple(pairs),
        traffic=dump.traffic,
        conditions=dump.conditions,
        source={"type": "dump", "id": dump.id} if dump.record is None else dump.record["source"],
        warnings=tuple(warnings),
    )


def _as_asked(dump: Dump) -> tuple[Dump, list[str]]:
    """Put back what only the record in a dump says: queries, what the source said, and the warnings that the judge was given."""
    if dump.record is None:
        return dump, []
    if dump.record.get("config") != dump.config:
        raise DumpError([Fault(path="record.config", message="is not the config of the dump")], where=dump.id)
    try:
        results = {key(result["name"], result["labels"]): result for result in dump.record["verdict"]["results"]}
        samples = {key(sample["metric"], sample["labels"]): sample for sample in dump.record["samples"]}
        pairs = tuple(
            replace(
                pair,
                queries=dict(results.get(key(pair.metric, pair.labels), {}).get("queries", {})),
                warnings=tuple(samples.get(key(pair.metric, pair.labels), {}).get("warnings", ())),
                problem=read_problem(samples.get(key(pair.metric, pair.labels), {}).get("problem")),
            )
            for pair in dump.pairs
        )
        given = [str(warning) for warning in dump.record["warnings"]]
        traffic, conditions = dump.traffic, dump.conditions
        if traffic is not None:
            traffic = replace(traffic, problem=dump.record["traffic"]["problem"], queries=dict(dump.record["traffic"]["queries"]))
        if conditions is not None:
            conditions = replace(conditions, queries=dict(dump.record["conditions"]["queries"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"it has no {error}" if isinstance(error, KeyError) else str(error)
        raise DumpError([Fault(path="record", message=f"is not whole: {what}")], where=dump.id) from error
    return replace(dump, pairs=pairs, traffic=traffic, conditions=conditions), given


def _request(dump: Dump, config: CanaryConfig) -> Request:
    if dump.record is not None:
        return Request(**{key: value for key, value in dump.record["request"].items() if key in Request.__dataclass_fields__})
    return Request(
        config=config.name,
        baseline=dump.args.get("baseline", ""),
        canary=dump.args.get("canary", ""),
        scope=config.scope,
        args={key: value for key, value in dump.args.items() if key not in {"baseline", "canary", "rollout"}},
        rollout=dump.args.get("rollout", ""),
        start=dump.start,
        end=dump.end,
        look=dump.look,
    )


def _question(dump: Dump, analysis: Analysis) -> str:
    """Name the question whether this dump's canary is worse, by this config: the same contents ask the same."""
    window = analysis.window
    asked = [dump.id, analysis.config.digest, request_fields(analysis.request), window.start, window.end, window.look, window.of]
    contents = hashlib.sha256(dumps(asked).encode("utf-8", "replace"))
    for pair in analysis.pairs:
        contents.update(dumps([pair.metric, pair.labels]).encode("utf-8", "replace"))
        for series in _series(pair):
            contents.update(series.t.tobytes() + series.v.tobytes())
    return contents.hexdigest()


def _series(pair: SeriesPair) -> list[Series]:
    return [series for series in (pair.baseline, pair.canary, pair.baseline_total, pair.canary_total) if series is not None]


def _config_of(dump: Dump, config: CanaryConfig | None, known: KnownConfigs | None) -> tuple[CanaryConfig, list[str]]:
    """Choose by what the dump is judged: the config given, its own, the one it names, its own metrics' words."""
    if config is not None:
        return config, []
    warnings = []
    if isinstance(dump.config, str):
        known = read_known() if known is None else known
        if dump.config in known.configs:
            return known.configs[dump.config], []
        warnings.append(f"there is no config {dump.config!r} in {known.folder}; judged by what the dump says of its metrics")
    elif dump.config is not None:
        return parse_config(dump.config, where=f"{dump.id}: config"), []
    try:
        return _parse(dumps(config_document(dump))), warnings
    except ConfigError as error:
        raise ConfigError(error.faults, where=f"{dump.id}: what it says of its metrics") from error


@lru_cache(maxsize=64)
def _parse(document: str) -> CanaryConfig:
    """Read a written config; the canaries of one file often say the same of their metrics."""
    return parse_config(json.loads(document), where="")


def _window(dump: Dump, config: CanaryConfig) -> Window:
    """What the dump says it covers, else the span of its samples."""
    import numpy as np

    times = [series.t for pair in dump.pairs for series in _series(pair)]
    stamps = np.unique(np.concatenate(times)) if times else np.empty(0)
    start = float(stamps[0]) if len(stamps) else 0.0
    end = float(stamps[-1]) if len(stamps) else 0.0
    step = float(np.median(np.diff(stamps))) if len(stamps) > 1 else config.window.step
    look = dump.look if dump.look is not None else 1
    return Window(
        start=dump.start if dump.start is not None else start,
        end=dump.end if dump.end is not None else end,
        step=dump.step if dump.step is not None else step,
        look=look,
        of=max(dump.looks if dump.looks is not None else config.looks.count, look),
    )


def config_document(dump: Dump) -> dict[str, Any]:
    """Write what a dump says of its own metrics as a config, so that its record can be judged again."""
    document: dict[str, Any] = {
        "name": "dump",
        "judge": DEFAULT_JUDGE,
        "scope": 'recorded="${hash}"',
        "looks": {"count": max(dump.looks if dump.looks is not None else 1, 1)},
        "metrics": [_metric(metric, dump) for metric in dump.metrics],
    }
    if dump.groups:
        document["groups"] = dict(dump.groups)
    if dump.score is not None:
        document["score"] = {"pass": dump.score.passing, "marginal": dump.score.marginal}
    return document


def _metric(metric: MetricConfig, dump: Dump) -> Mapping[str, Any]:
    counted = any(pair.metric == metric.name and pair.baseline_total is not None for pair in dump.pairs)
    query = "recorded{${scope}}"
    found: dict[str, Any] = {"name": metric.name, **({"numerator": query, "denominator": query} if counted else {"query": query})}
    return found | meaning(metric)
