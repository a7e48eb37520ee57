"""Rollouts of the past judged as they would have been judged, look by look."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from judge.calibrate.history_reader import Range, Reader
from judge.calibrate.scopes import Asked
from judge.calibrate.timeline import Ending, Rollout
from judge.core.config import CanaryConfig
from judge.core.model import Classification, Outcome, Problem, Series
from judge.errors import QueryRejected
from judge.sources import Answer, Query, Source
from judge.verdicts.analysis import Analysis, question, run
from judge.verdicts.records import write_record
from judge.wire.json import dumps
from judge.wire.request import Request
from judge.wire.ulid import question_id

if TYPE_CHECKING:
    from judge.archive import Archive

NOTE = "replayed from history: nobody asked for this verdict when the rollout ran"
_PATIENCE = 1e6
"""Seconds for one look: a replay has no caller who waits."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Replayed:
    """One rollout with its looks, in order; nothing follows a look that failed, as nothing would have."""

    rollout: Rollout
    looks: tuple[Analysis, ...] = ()
    why_not: str = ""

    @property
    def outcome(self) -> Outcome | None:
        """The last look's outcome; None where there was nothing to judge."""
        return self.looks[-1].verdict.outcome if self.looks else None

    @property
    def stopped(self) -> bool:
        """Some look would have stopped the rollout."""
        return self.outcome is Outcome.FAIL

    @property
    def agrees(self) -> bool | None:
        """Whether the judge and the history say the same; None where either says nothing."""
        if self.outcome is None or self.rollout.ending is Ending.RUNNING:
            return None
        return self.stopped == (self.rollout.ending is Ending.ROLLED_BACK)


def look_ends(config: CanaryConfig, *, origin: float, last: float) -> list[float]:
    """When a rollout whose canary is warm at `origin` is looked at: unix seconds in different steps, none after `last`."""
    step = config.window.step
    interval = config.looks.interval if config.looks.interval is not None else step
    count = max(config.looks.count, 1)
    ends = [origin + config.window.length] if count == 1 else [origin + number * interval for number in range(1, count + 1)]
    found = [end for end in ends if end <= last]
    if not found and last > origin + step:
        found = [last // step * step]
    # Of two looks in one step the second one would get the first one's answer.
    return list({end // step: end for end in reversed(found)}.values())[::-1]


def replay(rollouts: Sequence[Rollout], asked: Asked, reader: Reader) -> Iterator[Replayed]:
    """Judge rollouts one after the other."""
    for one in rollouts:
        yield replay_one(one, asked, reader)


def replay_one(rollout: Rollout, asked: Asked, reader: Reader) -> Replayed:
    """Judge one rollout at every look until one fails.

    Conditions of the sides (pods, ages, places) are not asked for: they only ever warn.
    """
    config = replace(asked.config, conditions=None)
    window = config.window
    ends = look_ends(config, origin=rollout.start + window.warmup, last=rollout.end)
    if not ends:
        return Replayed(rollout=rollout, why_not="it was over before anything could be judged")
    source = Remembered(reader, start=(rollout.start - window.length - window.warmup) // window.step * window.step, end=ends[-1])
    looks: list[Analysis] = []
    for end in ends:
        request = Request(
            config=config.name,
            baseline=rollout.baseline,
            canary=rollout.canary,
            scope=asked.scope,
            args=asked.args,
            rollout=asked.rollout,
            end=end,
        )
        found = run(request, config, source, now=end, deadline=_PATIENCE)
        verdict = replace(found.verdict, warnings=(NOTE, *found.verdict.warnings))
        looks.append(replace(found, verdict=verdict, warnings=(NOTE, *found.warnings)))
        if verdict.outcome is Outcome.FAIL:
            break
    return Replayed(rollout=rollout, looks=tuple(looks))


def keep_replays(replays: Sequence[Replayed], archive: Archive, *, every_look: bool, settings: Mapping[str, Any]) -> int:
    """Keep the verdicts, marked as replayed, and count the new ones; the same replay again finds them there."""
    kept = 0
    for one in replays:
        for analysis in one.looks if every_look else one.looks[-1:]:
            end = analysis.window.end
            # What is judged later from history is not the verdict that the rollout got, or would have got.
            name = dumps(["replayed", question(analysis.request, analysis.config, now=end), analysis.window.look])
            asked = hashlib.sha256(name.encode()).hexdigest()
            record = write_record(analysis, id=question_id(asked, end), asked_at=end, question=asked, settings=settings)
            kept += archive.restore({**record, "reusable": False, "replayed": True})
    return kept


class Remembered(Source):
    """A source that answers looks at one rollout from what is read once for all of them."""

    def __init__(self, reader: Reader, *, start: float, end: float) -> None:
        self._reader, self._start, self._end, self.language = reader, start, end, reader.language
        self._known: dict[tuple[str, float], list[Series]] = {}
        self._refused: dict[tuple[str, float], Problem] = {}

    def describe(self) -> Mapping[str, Any]:
        """What the reader reads from, and that it was a replay."""
        return {**self._reader.describe(), "replayed": True}

    def fetch(self, queries: Sequence[Query], *, deadline: float) -> list[Answer]:
        """Answer from memory, the cache or the source; a replay is in no hurry.

        Raises
        ------
        SourceUnreachable
            Where the source is away: a verdict without its samples would be no replay.
        """
        del deadline
        return [self._answer(query) for query in queries]

    def _answer(self, query: Query) -> Answer:
        key = (query.text, query.end if query.instant else -1.0)
        if key not in self._known and key not in self._refused:
            if query.instant:
                asked = Range(text=query.text, start=query.end, end=query.end, step=query.step, instant=True)
            else:
                asked = Range(text=query.text, start=self._start, end=self._end, step=query.step)
            try:
                self._known[key] = self._reader.read(asked, what="")
            except QueryRejected as refusal:
                self._refused[key] = Problem(classification=Classification.ERROR, message=str(refusal))
        if key in self._refused:
            return Answer(query=query, problem=self._refused[key])
        series = self._known[key]
        if query.instant:
            return Answer(query=query, series=tuple(series))
        cut = (one.between(query.start, query.end) for one in series)
        return Answer(query=query, series=tuple(one for one in cut if len(one)))
