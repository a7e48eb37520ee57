"""Saved canaries, in three forms.

1. JSON or JSON Lines, one canary an object (this form is also written):
   ``{"id", "metrics": [{"name", "direction", "baseline": {"t": [...], "v": [...]}, "canary": {...}}]}``;
   counts as ``{"t", "numerator", "denominator"}`` in place of ``v``.
2. Kayenta's metric set pairs, alone or with their canary config.
3. A tidy table (CSV, Parquet): columns ``metric, side, timestamp, value``.

JSON and CSV may be gzipped. A file is read canary by canary: what can be read
before a fault is read.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from judge.config.renamed import old_names
from judge.core.conditions import Conditions, SideConditions
from judge.core.config import COUNT_MUST_DETECT, COUNT_TOLERANCE, MUST_DETECT, TOLERANCE, Direction, Limit, Margin, MetricConfig
from judge.core.model import Series, SeriesPair, Traffic
from judge.errors import DumpError, Fault
from judge.sources.dumps.dump import Dump
from judge.sources.dumps.kayenta_pairs import parse_pairs
from judge.sources.dumps.values import Values

TABLES = (".csv", ".csv.gz", ".parquet")
_YEAR_10000 = 253402300800.0
_MOST_LOOKS, _LAST_LOOK = 10_000, 999_999


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCanary:
    """One canary as it lies in the file: `place` names it, `text` or `document` holds it."""

    place: str
    fallback_id: str
    text: str = ""
    document: Any = None

    def read(self) -> Any:
        """Give the document.

        Raises
        ------
        DumpError
            Where the text is no JSON.
        """
        if self.document is not None:
            return self.document
        try:
            return json.loads(self.text)
        except (ValueError, RecursionError) as error:
            raise DumpError(f"not JSON: {error}", where=self.place) from error


def load_dump(path: str | Path) -> list[Dump]:
    """Read every canary of a file.

    Raises
    ------
    DumpError
        At the first fault, with its place. `split` and `parse` read on.
    """
    found = []
    for raw in split(Path(path)):
        if isinstance(raw, DumpError):
            raise raw
        found.append(parse(raw))
    return found


def split(path: Path) -> Iterator[RawCanary | DumpError]:
    """Take a file apart into canaries; a fault of the file itself comes last, as an item."""
    count = 0
    try:
        parts = _table(path) if path.name.endswith(TABLES) else _split_json(path)
        for raw in parts:
            count += 1
            yield raw
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        yield DumpError(f"the gzip data is broken or cut off after {count} canaries: {error}", where=str(path))
    except UnicodeDecodeError as error:
        yield DumpError(f"not UTF-8 text after {count} canaries: {error}", where=str(path))
    except OSError as error:
        yield DumpError(f"cannot be read: {error.strerror or error}", where=str(path))
    except DumpError as error:
        yield error
    else:
        if not count:
            yield DumpError("holds no canary", where=str(path))


def _table(path: Path) -> Iterator[RawCanary]:
    from judge.sources.dumps.csv_parquet import read_table

    for name, document in read_table(path, stem(path)):
        yield RawCanary(place=str(path), fallback_id=name, document=document)


def stem(path: Path) -> str:
    """Name a file without its folder and endings."""
    name = path.name
    for suffix in (".gz", ".jsonl", ".json", ".csv", ".parquet"):
        name = name.removesuffix(suffix)
    return name


def _split_json(path: Path) -> Iterator[RawCanary]:
    opener = gzip.open if path.name.endswith(".gz") else open
    # A byte-order mark is no part of the text; editors and shells of Windows write one.
    with opener(path, "rt", encoding="utf-8-sig") as file:
        number, first = next(((n, text) for n, text in enumerate(file, start=1) if text.strip()), (0, ""))
        try:
            is_lines = isinstance(json.loads(first), Mapping) if first.strip() else False
        except (ValueError, RecursionError):
            is_lines = False
        if is_lines:
            yield RawCanary(place=f"{path}:{number}", fallback_id=f"{stem(path)}:{number}", text=first)
            for later, line in enumerate(file, start=number + 1):
                if line.strip():
                    yield RawCanary(place=f"{path}:{later}", fallback_id=f"{stem(path)}:{later}", text=line)
            return
        text = first + file.read()
    if not text.strip():
        return
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DumpError(f"not JSON: {error}", where=str(path)) from error
    if isinstance(document, list) and not (document and isinstance(document[0], Mapping) and "values" in document[0]):
        for index, item in enumerate(document):
            yield RawCanary(place=f"{path}[{index}]", fallback_id=f"{stem(path)}:{index}", document=item)
    else:
        yield RawCanary(place=str(path), fallback_id=stem(path), document=document)


def parse(raw: RawCanary) -> Dump:
    """Read one canary.

    Raises
    ------
    DumpError
        With every fault and its dotted path.
    """
    document = raw.read()
    if isinstance(document, list) or (isinstance(document, Mapping) and "metricSetPairList" in document):
        return parse_pairs(document, where=raw.place, fallback_id=raw.fallback_id)
    if not isinstance(document, Mapping):
        raise DumpError(f"expected an object with metrics, found {type(document).__name__}", where=raw.place)
    return _Reader(raw.place).canary(document, raw.fallback_id)


def _carried(record: Any) -> Mapping[str, Any] | None:
    """The record that `judge fetch` and `judge history export` write into a dump; anything else of this name is ignored."""
    if not isinstance(record, Mapping) or not all(isinstance(record.get(key), Mapping) for key in ("request", "settings", "source")):
        return None
    request, asked_at = record["request"], record.get("asked_at")
    args = request.get("args")
    texts = [request.get(key) for key in ("config", "baseline", "canary", "scope", "rollout")]
    texts += args.values() if isinstance(args, Mapping) else [None]
    numbers = [asked_at, *(value for key in ("start", "end", "window", "look") if (value := request.get(key)) is not None)]
    # A lone half of a surrogate pair is no text, NaN is no number, and neither names a question.
    is_text = all(isinstance(text, str) and text.isprintable() for text in texts)
    is_number = all(isinstance(number, int | float) and -_YEAR_10000 < number < _YEAR_10000 for number in numbers)
    return record if is_text and is_number else None


class _Reader(Values):
    """Reads one canary of the first form and collects its faults."""

    def canary(self, document: Mapping[str, Any], fallback_id: str) -> Dump:
        listed = document.get("metrics")
        name = str(document.get("id", fallback_id))
        if not isinstance(listed, list) or not listed:
            raise DumpError(
                [Fault(path="metrics", message="is missing" if listed is None else "must be a list of metrics")],
                where=f"{self.where} ({name})",
            )
        # Other unknown keys are ignored, but a margin must not be lost in silence.
        self.faults += old_names(listed, "metrics")
        metrics: list[MetricConfig] = []
        pairs: list[SeriesPair] = []
        for index, item in enumerate(listed):
            self.metric(item, f"metrics.{index}", metrics, pairs)
        config = document.get("config")
        if config is not None and not isinstance(config, str | Mapping):
            self.fault("config", "must be the name of a config or a whole config")
        window = self.object(document, "window")
        start, end, step = (self.number(window.get(key), f"window.{key}") for key in ("start", "end", "step"))
        if start is not None and end is not None and start > end:
            self.fault("window.start", f"is after window.end: {start:.15g} and {end:.15g}")
        if step is not None and step <= 0:
            self.fault("window.step", f"must be more than 0 seconds, found {step:g}")
        count = self.whole(self.object(document, "looks").get("count"), "looks.count", _MOST_LOOKS)
        look = self.whole(document.get("look"), "look", _LAST_LOOK)
        traffic = self.traffic(self.object(document, "traffic"))
        conditions = self.conditions(self.object(document, "conditions"))
        args = self.object(document, "args")
        if self.faults:
            raise DumpError(self.faults, where=f"{self.where} ({name})")
        return Dump(
            id=name,
            metrics=tuple(metrics),
            pairs=tuple(pairs),
            config=config,
            args={str(key): str(value) for key, value in args.items()},
            look=look,
            looks=count,
            start=start,
            end=end,
            step=step,
            traffic=traffic,
            conditions=conditions,
            record=_carried(document.get("record")),
        )

    def traffic(self, value: Mapping[str, Any]) -> Traffic | None:
        if not value:
            return None
        baseline, canary = (self.number(value.get(side), f"traffic.{side}") for side in ("baseline", "canary"))
        return Traffic(baseline=baseline, canary=canary)

    def conditions(self, value: Mapping[str, Any]) -> Conditions | None:
        if not value:
            return None
        sides = {side: self.side_conditions(value.get(side), f"conditions.{side}") for side in ("baseline", "canary")}
        share = self.number(value.get("share"), "conditions.share")
        if share is not None and not 0 < share < 1:
            self.fault("conditions.share", f"must be more than 0 and less than 1, found {share!r}")
        told = value.get("problems")
        problems = tuple(str(problem) for problem in told) if isinstance(told, list) else ()
        return Conditions(baseline=sides["baseline"], canary=sides["canary"], share=share, problems=problems)

    def side_conditions(self, value: Any, path: str) -> SideConditions:
        if not isinstance(value, Mapping):
            return SideConditions()
        told = value.get("places")
        listed = told.items() if isinstance(told, Mapping) else ()
        read = {str(place): self.number(pods, f"{path}.places.{place}") for place, pods in listed}
        return SideConditions(
            pods=self.number(value.get("pods"), f"{path}.pods"),
            age=self.number(value.get("age"), f"{path}.age"),
            places={place: pods for place, pods in read.items() if pods is not None},
        )

    def metric(self, item: Any, path: str, metrics: list[MetricConfig], pairs: list[SeriesPair]) -> None:
        if not isinstance(item, Mapping):
            self.fault(path, f"must be an object, found {type(item).__name__}")
            return
        name = item.get("name")
        if not isinstance(name, str) or not name:
            self.fault(f"{path}.name", "is missing" if name is None else f"must be a name, found {name!r}")
            return
        labels = {str(key): str(value) for key, value in self.object(item, "labels", f"{path}.").items()}
        counted, series = self.sides(item, path)
        if (name, labels) in [(pair.metric, dict(pair.labels)) for pair in pairs]:
            self.fault(f"{path}.name", f"{name!r} is there twice with the same labels")
            return
        if name not in {metric.name for metric in metrics}:
            metrics.append(self.meaning(item, path, name, counted=counted))
        if series is not None:
            window = self.number(item.get("rate_window"), f"{path}.rate_window")
            if window is not None and window < 0:
                self.fault(f"{path}.rate_window", f"must be seconds, found {window:g}")
            pairs.append(
                SeriesPair(
                    metric=name,
                    labels=labels,
                    rate_window=window,
                    baseline=series["baseline"],
                    canary=series["canary"],
                    baseline_total=series.get("baseline_total"),
                    canary_total=series.get("canary_total"),
                )
            )

    def sides(self, item: Mapping[str, Any], path: str) -> tuple[bool, dict[str, Series] | None]:
        before = len(self.faults)
        whole = all(isinstance(item.get(part), Mapping) for part in ("numerator", "denominator"))
        found: dict[str, Series] = {}
        counted = whole
        for side in ("baseline", "canary"):
            if whole:
                found[side] = self.series(item["numerator"].get(side), f"{path}.numerator.{side}")
                found[f"{side}_total"] = self.series(item["denominator"].get(side), f"{path}.denominator.{side}")
                continue
            values = item.get(side)
            if isinstance(values, Mapping) and "numerator" in values:
                counted = True
                found[side] = self.series(values, f"{path}.{side}", key="numerator")
                found[f"{side}_total"] = self.series(values, f"{path}.{side}", key="denominator")
            else:
                found[side] = self.series(values, f"{path}.{side}")
        if counted and len(found) != 4:
            self.fault(path, "has counts on one side and values on the other")
        return counted, found if len(self.faults) == before else None

    def series(self, value: Any, path: str, *, key: str = "v") -> Series:
        if not isinstance(value, Mapping):
            self.fault(path, "is missing" if value is None else f'must be {{"t": [...], "{key}": [...]}}, found {type(value).__name__}')
            return Series.empty()
        times, values = value.get("t"), value.get(key)
        if not isinstance(times, list) or not isinstance(values, list):
            absent = "t" if not isinstance(times, list) else key
            self.fault(f"{path}.{absent}", "must be a list of numbers" if absent in value else "is missing")
            return Series.empty()
        if len(times) != len(values):
            self.fault(path, f"has {len(times)} times and {len(values)} values")
            return Series.empty()
        t, v = self.numbers(times, f"{path}.t"), self.numbers(values, f"{path}.{key}", nulls=True)
        if t is None or v is None:
            return Series.empty()
        odd = t[~((t > -_YEAR_10000) & (t < _YEAR_10000))]
        if len(odd):
            self.fault(f"{path}.t", f"holds {odd[0]:.15g}, which is no time in unix seconds (milliseconds have to be divided by 1000)")
            return Series.empty()
        order = np.argsort(t, kind="stable")
        t, v = t[order], v[order]
        if len(t) > 1 and (np.diff(t) == 0).any():
            twice = t[:-1][np.diff(t) == 0][0]
            self.fault(f"{path}.t", f"has the time {twice:.15g} twice")
            return Series.empty()
        # No events and an unknown number of them are two things: NaN stays, and takes its requests out of what is compared.
        there = np.array([each is not None for each in values], dtype=bool)[order] if key == "numerator" else ~np.isnan(v)
        return Series(t=t[there], v=v[there])

    def meaning(self, item: Mapping[str, Any], path: str, name: str, *, counted: bool) -> MetricConfig:
        """What the dump says of the metric itself."""
        direction = item.get("direction", "either")
        if direction not in set(Direction):
            self.fault(f"{path}.direction", f"unknown direction {direction!r}", tuple(Direction))
            direction = "either"
        limit = self.limit(item, path)
        critical = item.get("critical")
        if critical is not None and not isinstance(critical, bool):
            self.fault(f"{path}.critical", f"must be true or false, found {critical!r}")
        return MetricConfig(
            name=name,
            direction=Direction(direction),
            tolerance=self.margin(item, "tolerance", path, COUNT_TOLERANCE if counted else TOLERANCE),
            must_detect=self.margin(item, "must_detect", path, COUNT_MUST_DETECT if counted else MUST_DETECT),
            limit=limit,
            critical=critical is True,
            group=str(item.get("group", "metrics")),
            unit=str(item.get("unit", "")),
        )

    def limit(self, item: Mapping[str, Any], path: str) -> Limit | None:
        if item.get("limit") is None:
            return None
        told = self.object(item, "limit", f"{path}.")
        least, most = (self.number(told.get(key), f"{path}.limit.{key}") for key in ("min", "max"))
        if told.get("min") is None and told.get("max") is None:
            self.fault(f"{path}.limit", "needs min or max")
        return Limit(min=least, max=most)

    def margin(self, item: Mapping[str, Any], key: str, path: str, default: Margin) -> Margin:
        value = item.get(key)
        if value is None:
            return default
        if isinstance(value, int | float) and not isinstance(value, bool):
            share = self.number(value, f"{path}.{key}")
            if share is not None and share < 0:
                self.fault(f"{path}.{key}", f"must not be negative, found {share:g}")
            return default if share is None else Margin(relative=share)
        from judge.config.units import margin

        try:
            return margin(value)
        except ValueError as error:
            self.fault(f"{path}.{key}", str(error))
            return default
