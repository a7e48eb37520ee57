"""Source ``dumps``: answers queries from saved canaries, for demonstrations and rehearsals.

A canary is found by its args ``baseline`` and ``canary`` (what ``${hash}`` was on
each side), or by an id equal to the canary's scope value; metrics by their name.
PromQL is not evaluated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from judge.core.model import Classification, Problem, Series
from judge.core.templates import PROMQL
from judge.errors import ConfigError, DumpError
from judge.sources import Answer, Query, Source, SourceSettings
from judge.sources.condition_queries import CONDITIONS
from judge.sources.dumps.dump import Dump
from judge.sources.dumps.read import TABLES, parse, split


class RecordedSettings(SourceSettings):
    """Saved canaries."""

    type: Annotated[Literal["dumps"], Field(description="Saved canaries, for rehearsals: by hashes and names of metrics, not by PromQL.")]
    path: Annotated[str, Field(min_length=1, description="A file or a folder, relative to `server.yaml`.")]

    def resolved(self, environ: Mapping[str, str], folder: Path) -> Self:
        """Find the path."""
        del environ
        return self.model_copy(update={"path": str(folder / self.path)})

    def open(self, name: str = "default") -> RecordedSource:
        """Read the canaries."""
        del name
        return RecordedSource(Path(self.path))


class RecordedSource(Source):
    """Saved canaries under one path, read when the source is opened. Their queries are kept in records, and not evaluated."""

    language = PROMQL

    def __init__(self, path: Path) -> None:
        """Read the file, or every dump of the folder.

        Raises
        ------
        ConfigError
            Where the path holds no canary, or one that cannot be read.
        """
        self._path = path
        try:
            self._dumps = tuple(_read(self._path))
        except DumpError as error:
            raise ConfigError(error.faults, where=error.where) from error

    def fetch(self, queries: Sequence[Query], *, deadline: float) -> list[Answer]:
        """Answer from memory; the deadline is always met."""
        del deadline
        return [self._answer(query) for query in queries]

    def describe(self) -> Mapping[str, Any]:
        """Kind and path."""
        return {"type": "dumps", "path": self._path.name}

    def _answer(self, query: Query) -> Answer:
        dump = next((dump for dump in self._dumps if _is_about(dump, query)), None)
        if dump is None:
            known = ", ".join(sorted({dump.args.get("canary", dump.id) for dump in self._dumps})[:10])
            message = f"no saved canary {query.scope!r} against {query.against!r}; there are {known}"
            return Answer(query=query, problem=Problem(classification=Classification.NODATA, message=message))
        return Answer(query=query, series=tuple(_series(dump, query)))


def _read(path: Path) -> Iterator[Dump]:
    endings = (".json", ".jsonl", ".json.gz", ".jsonl.gz", *TABLES)
    files = sorted(inside for inside in path.iterdir() if inside.name.endswith(endings)) if path.is_dir() else [path]
    for file in files:
        for raw in split(file):
            if isinstance(raw, DumpError):
                raise raw
            yield parse(raw)


def _is_about(dump: Dump, query: Query) -> bool:
    baseline, canary = (query.scope, query.against) if query.side == "baseline" else (query.against, query.scope)
    if "canary" in dump.args:
        return dump.args["canary"] == canary and dump.args.get("baseline", baseline) == baseline
    return dump.id == canary


def _series(dump: Dump, query: Query) -> Iterator[Series]:
    if query.part == "traffic":
        requests = None if dump.traffic is None else getattr(dump.traffic, query.side)
        if requests is not None:
            import numpy as np

            yield Series(t=np.array([query.end]), v=np.array([float(requests)]))
        return
    if query.part in CONDITIONS:
        yield from _conditions(dump, query)
        return
    for pair in dump.pairs:
        if pair.metric != query.metric:
            continue
        total = pair.baseline_total if query.side == "baseline" else pair.canary_total
        events = pair.baseline if query.side == "baseline" else pair.canary
        series = total if query.part == "denominator" else events
        if series is not None and len(series):
            inside = series.between(query.start, query.end)
            if len(inside):
                yield Series(t=inside.t, v=inside.v, labels=pair.labels)


def _conditions(dump: Dump, query: Query) -> Iterator[Series]:
    """What the dump says of a side's pods, ages or places, as a source would answer."""
    if dump.conditions is None:
        return
    import numpy as np

    told = getattr(getattr(dump.conditions, query.side), query.part)
    values = told if query.part == "places" else {} if told is None else {"": told}
    for place, value in values.items():
        yield Series(t=np.array([query.end]), v=np.array([float(value)]), labels={"place": place} if place else {})
