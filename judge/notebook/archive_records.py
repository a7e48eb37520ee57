"""Verdicts of the past: from an archive, or asked of Prometheus now; judged again by other settings."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from judge.archive import each_row
from judge.archive.filters import FILTERS, read_wanted
from judge.archive.scorecard import was_bad
from judge.archive.types import Wanted
from judge.core.config import CanaryConfig
from judge.core.model import series_title
from judge.errors import RequestError
from judge.notebook.frames import Record, frame_of
from judge.parallel import Workers
from judge.verdicts.open_archive import opened, opened_if_there
from judge.verdicts.rejudge import Change, Replay
from judge.verdicts.rejudge import rejudge as judge_again

if TYPE_CHECKING:
    import pandas as pd

Item = TypeVar("Item")
Found = TypeVar("Found")

_HISTORY_COLUMNS = {
    "id": "str",
    "asked_at": "datetime64[ns, UTC]",
    **dict.fromkeys(("config", "service", "namespace", "rollout", "baseline", "canary", "verdict"), "str"),
    "score": "float64",
    **dict.fromkeys(("look", "looks"), "Int64"),
    **dict.fromkeys(("judge", "label"), "str"),
    "replayed": "boolean",
    "reason": "str",
}
_CHANGE_COLUMNS = {
    **dict.fromkeys(("id", "before", "now", "metric", "classification_before", "classification_now", "reason"), "str"),
}
_PATIENCE = 60.0
"""Seconds until a live question must be answered."""
_TELL_AFTER = 2.0
"""Seconds of work after which its progress is told."""


def history(archive: str = "", **filters: Any) -> pd.DataFrame:
    """One row a verdict of an archive, newest first, without its samples.

    Columns: ``id, asked_at`` (UTC), ``config, service, namespace, rollout, baseline, canary, verdict, score`` (0 to 100),
    ``look`` of how many ``looks``, ``judge, label`` (the newest; right, wrong or missing), ``replayed`` (nobody asked
    for it when the rollout ran), ``reason``.

    Parameters
    ----------
    archive : str
        Its URL; empty takes ``JUDGE_ARCHIVE_URL`` or that of ``server.yaml``.
    **filters
        As `judge history` has them: ``config, verdict, rollout, service, namespace, baseline, canary, label, since, until,
        replayed``.

    Raises
    ------
    RequestError
        Where a filter is unknown or cannot be read.
    ArchiveError
        Where the archive is not there or in trouble.
    """
    import pandas as pd

    with opened(archive) as kept:
        rows = [{**row, "asked_at": pd.Timestamp(row["asked_at"], unit="s", tz="UTC")} for row in each_row(kept, _wanted(filters))]
    return frame_of(rows, _HISTORY_COLUMNS)


def load(archive: str = "", *, ids: Iterable[str] | None = None, limit: int | None = None, **filters: Any) -> list[Record]:
    """Whole records of an archive, with samples: those of these ids, else those that the filters leave, the oldest first."""
    with opened(archive) as kept:
        chosen = list(ids) if ids is not None else [row["id"] for row in each_row(kept, _wanted(filters), limit=limit)][::-1]
        return [kept.get(verdict_id) for verdict_id in _told(chosen, len(chosen), "records read")]


def looks(canary: str, archive: str = "", **filters: Any) -> list[Record]:
    """Every look at one canary, the first one first, as whole records."""
    with opened(archive) as kept:
        rows = kept.looks(canary=canary, **{key: value for key, value in filters.items() if key in {"baseline", "rollout", "config"}})
        unknown = sorted(set(filters) - {"baseline", "rollout", "config"})
        if unknown:
            raise RequestError(f"unknown filter {unknown[0]!r} (allowed: baseline, rollout, config)")
        return [kept.get(row["id"]) for row in rows]


def labelled(archive: str = "", **filters: Any) -> pd.Series[str]:
    """What people said of verdicts: ``healthy`` or ``bad`` for each id.

    A fail that was labelled right was of a bad canary, one labelled wrong of a healthy one; of a pass it is the other way
    round. Verdicts that were neither say nothing of the canary.
    """
    import pandas as pd

    with opened(archive) as kept:
        rows = kept.labelled(_wanted(filters))
    told = {row["id"]: was_bad(row["verdict"], row["label"]) for row in rows}
    found = {verdict_id: "bad" if bad else "healthy" for verdict_id, bad in told.items() if bad is not None}
    return pd.Series(found, dtype="str", name="truth")


def live(config: str, *, baseline: str, canary: str, prometheus: str = "", args: Mapping[str, str] | None = None, **asked: Any) -> Record:
    """Judge a canary whose samples are still in Prometheus; a past one by its ``start`` and ``end``.

    What the archive has an answer to is not judged again; nothing new is kept.

    Parameters
    ----------
    config : str
        Name of a config in ``JUDGE_CONFIG_DIR``, or a file.
    baseline, canary : str
        What ``${hash}`` is on each side.
    prometheus : str
        Its address; empty takes ``JUDGE_PROMETHEUS_URL`` or that of ``server.yaml``.
    args : mapping, optional
        The config's args.
    **asked
        ``start, end`` (RFC 3339 or unix seconds), ``window, look, rollout, scope``.

    Raises
    ------
    RequestError, ConfigError
        Where the question or the config is wrong.
    SourceUnreachable
        Where Prometheus failed and the config wants an error then.
    """
    from judge.verdicts.live import ask_live, settings_for

    settings = settings_for(prometheus)
    question = {"config": config, "baseline": baseline, "canary": canary, "args": {} if args is None else dict(args), **asked}
    with opened_if_there(settings.archive_url) as kept:
        return ask_live(question, settings, kept, now=time.time(), deadline=_PATIENCE, keep=False).record


def _wanted(filters: Mapping[str, Any]) -> Wanted:
    unknown = sorted(set(filters) - set(FILTERS))
    if unknown:
        raise RequestError(f"unknown filter {unknown[0]!r} (allowed: {', '.join(FILTERS)})")
    return read_wanted({key: str(value) for key, value in filters.items()}, now=time.time())


def rejudge(
    records: Sequence[Record], *, judge: str = "", config: CanaryConfig | None = None, jobs: int = 1, **values: Any
) -> list[Record]:
    """Judge records again by other settings, and give them with their new verdicts.

    Parameters
    ----------
    records : sequence of mapping
        As `score`, `load` or `live` give them.
    judge : str
        Another judge.
    config : CanaryConfig, optional
        Another config, whole.
    jobs : int
        Processes at work.
    **values
        Single values of each record's own config: ``tolerance="8%"`` of every metric that is compared, ``alpha="1%"``, ….

    Raises
    ------
    DumpError, ConfigError
        Where a record is not whole, or the changed config is wrong.
    """
    again = replays(records, Change(config=config, judge=judge, values=tuple(values.items())), jobs=jobs)
    return [{**record, "verdict": dict(found.now)} for record, found in zip(records, again, strict=True)]


def replays(records: Sequence[Record], change: Change, *, jobs: int = 1) -> list[Replay]:
    """Judge records again, in one process or in several."""
    return list(in_processes(partial(judge_again, change=change), records, jobs=jobs, what="verdicts judged again"))


def in_processes(work: Callable[[Item], Found], items: Sequence[Item], *, jobs: int, what: str) -> Iterator[Found]:
    """Do the work for every item, in order, and tell how far it is."""
    with Workers(jobs) as workers:
        yield from _told(workers.each(work, items), len(items), what)


def _told(items: Iterable[Item], count: int, what: str) -> Iterator[Item]:
    """Tell the progress of long work on the error stream, in place, where somebody watches."""
    began = time.monotonic()
    said = 0.0
    for number, item in enumerate(items, start=1):
        yield item
        now = time.monotonic() - began
        if now > _TELL_AFTER and now - said > 1 and sys.stderr.isatty():
            said = now
            left = now / number * (count - number)
            sys.stderr.write(f"\r{number} of {count} {what}, about {left:.0f} s left ")
    if said:
        sys.stderr.write("\n")


def changes(before: Sequence[Record], after: Sequence[Record]) -> pd.DataFrame:
    """One row for each metric whose classification changed, and one (without a metric) for each verdict that did.

    Columns: ``id, before, now`` (verdicts), ``metric, classification_before, classification_now, reason`` (as it is now).
    """
    rows = []
    for old, new in zip(before, after, strict=True):
        whole = {"id": old["id"], "before": old["verdict"]["verdict"], "now": new["verdict"]["verdict"]}
        if whole["before"] != whole["now"]:
            rows.append({**whole, "metric": "", "reason": new["verdict"]["reason"]})
        known = {series_title(result["name"], result["labels"]): result for result in old["verdict"]["results"]}
        for result in new["verdict"]["results"]:
            title = series_title(result["name"], result["labels"])
            was = known[title]["classification"] if title in known else ""
            if was != result["classification"]:
                told = {"classification_before": was, "classification_now": result["classification"], "reason": result["reason"]}
                rows.append({**whole, "metric": title, **told})
    return frame_of(rows, _CHANGE_COLUMNS)
