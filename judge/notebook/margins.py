"""Which tolerance and must_detect? False alarms against misses over canaries whose truth is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from judge.core.statistics.counts import wilson
from judge.notebook.archive_records import in_processes
from judge.notebook.frames import Record, frame_of
from judge.verdicts.rejudge import outcomes_at_margins

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = {
    **dict.fromkeys(("tolerance_percent", "must_detect_percent"), "float64"),
    **dict.fromkeys(("healthy", "false_alarms", "healthy_open"), "int64"),
    **dict.fromkeys(("false_alarm_percent", "false_alarm_low_percent", "false_alarm_high_percent"), "float64"),
    **dict.fromkeys(("bad", "missed", "caught"), "int64"),
    **dict.fromkeys(("missed_percent", "missed_low_percent", "missed_high_percent"), "float64"),
}


def sweep(
    records: Sequence[Record],
    truth: Mapping[str, str],
    *,
    tolerance: Sequence[float] = (2, 5, 10, 15, 20),
    must_detect: Sequence[float] = (20,),
    judge: str = "",
    jobs: int = 1,
) -> pd.DataFrame:
    """Judge every record at every pair of relative margins, and count against what is known of it.

    Margins are set on every metric that is compared by value; ratios of counts keep their own, which
    are of another kind. Pairs in which the must_detect is below the tolerance are left out.

    Parameters
    ----------
    records : sequence of mapping
        As `score` or `load` give them.
    truth : mapping of str to {'healthy', 'bad'}
        By the record's id, as `labelled` gives it; records without are left out.
    tolerance, must_detect : sequence of float
        In per cent.
    judge : str
        Another judge than each record's own.
    jobs : int
        Processes at work.

    Returns
    -------
    DataFrame
        One row a pair: ``tolerance_percent, must_detect_percent``; of the ``healthy`` canaries the ``false_alarms`` (failed),
        with their share and its 95 % Wilson interval, and those left ``healthy_open`` (neither passed nor failed); of the
        ``bad`` ones how many were ``missed`` (passed), with their share and interval, and ``caught`` (failed).

    Raises
    ------
    ValueError
        Where no record's truth is known, or a truth is another word.
    """
    known = [record for record in records if record["id"] in truth]
    words = {str(truth[record["id"]]) for record in known}
    if not known or words - {"healthy", "bad"}:
        what = (
            f"a truth is healthy or bad, found {', '.join(sorted(words - {'healthy', 'bad'}))}" if known else "no record's truth is known"
        )
        raise ValueError(what)
    grid = [(low / 100, high / 100) for low in tolerance for high in must_detect if high >= low]
    outcomes = list(
        in_processes(partial(outcomes_at_margins, grid=grid, judge=judge), known, jobs=jobs, what="canaries judged at every margin")
    )
    rows = []
    for place, (low, high) in enumerate(grid):
        counts = {
            word: [found[place] for record, found in zip(known, outcomes, strict=True) if truth[record["id"]] == word]
            for word in ("healthy", "bad")
        }
        healthy, bad = counts["healthy"], counts["bad"]
        alarms, missed = healthy.count("fail"), bad.count("pass")
        rows.append(
            {
                "tolerance_percent": 100 * low,
                "must_detect_percent": 100 * high,
                "healthy": len(healthy),
                "false_alarms": alarms,
                "healthy_open": len(healthy) - alarms - healthy.count("pass"),
                **_shares("false_alarm", alarms, len(healthy)),
                "bad": len(bad),
                "missed": missed,
                "caught": bad.count("fail"),
                **_shares("missed", missed, len(bad)),
            }
        )
    return frame_of(rows, _COLUMNS)


def _shares(name: str, count: int, of: int) -> dict[str, float | None]:
    """Share and interval in per cent; nothing of nothing."""
    if not of:
        return {f"{name}_percent": None, f"{name}_low_percent": None, f"{name}_high_percent": None}
    low, high = wilson(count, of, level=0.95)
    return {f"{name}_percent": 100 * count / of, f"{name}_low_percent": 100 * low, f"{name}_high_percent": 100 * high}
