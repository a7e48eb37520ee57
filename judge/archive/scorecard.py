"""How often the judge was right, as far as people have said: precision and recall from labelled verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from judge.archive.types import RIGHT

_DECIDED = {"pass", "fail"}
_FIRED = {"high", "low"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Counts of labelled verdicts, of one config or one of its metrics, in one month or (`month` empty) in all.

    A canary was *bad* where its fail was right or its pass was wrong, *healthy* where it was the other way
    round. `alarms` and `false_alarms` count fails (of a metric: high and low) of bad and of healthy canaries,
    `missed` and `quiet` passes of bad and of healthy ones. `undecided` counts what was neither: verdicts that
    are marginal, inconclusive or an error, metrics that are undecided, without data or an error.
    """

    config: str
    metric: str = ""
    month: str = ""
    alarms: int = 0
    false_alarms: int = 0
    missed: int = 0
    quiet: int = 0
    undecided: int = 0

    @property
    def precision(self) -> float | None:
        """Part of the alarms that were right; None where there was none."""
        fired = self.alarms + self.false_alarms
        return self.alarms / fired if fired else None

    @property
    def recall(self) -> float | None:
        """Part of the bad canaries, where it was decided, that it found; None where there was none.

        A metric need not find every bad canary: what it does not measure, others do.
        """
        bad = self.alarms + self.missed
        return self.alarms / bad if bad else None

    @property
    def labelled(self) -> int:
        """How many labelled verdicts these are."""
        return self.alarms + self.false_alarms + self.missed + self.quiet + self.undecided


def scores(rows: Iterable[Mapping[str, Any]]) -> list[Score]:
    """Add up labelled verdicts, as `judge.archive.Archive.labelled` gives them.

    Returns
    -------
    list of Score
        By config: in all, then month by month; then so for each of its metrics, in their order in the verdicts.

    Examples
    --------
    >>> fail = {"asked_at": 0.0, "config": "shop", "verdict": "fail", "label": "right"}
    >>> for score in scores([fail | {"metrics": {"errors": "high", "latency": "pass"}}]):
    ...     print(score.metric or score.config, score.month or "in all", score.precision, score.recall)
    shop in all 1.0 1.0
    shop 1970-01 1.0 1.0
    errors in all 1.0 1.0
    errors 1970-01 1.0 1.0
    latency in all None 0.0
    latency 1970-01 None 0.0
    """
    found: dict[str, dict[str, dict[str, Score]]] = {}
    for row in rows:
        config, month = row["config"], datetime.fromtimestamp(row["asked_at"], tz=UTC).strftime("%Y-%m")
        verdict, is_bad = row["verdict"], was_bad(row["verdict"], row["label"])
        metrics = found.setdefault(config, {"": {}})
        decided = is_bad is not None
        _count(metrics, config, "", month, _kind(fired=verdict == "fail", decided=decided, bad=is_bad is True))
        # Nobody said whether a canary was bad whose verdict was open.
        for metric, classification in row["metrics"].items() if decided else ():
            fired = classification in _FIRED
            kind = _kind(fired=fired, decided=fired or classification == "pass", bad=is_bad is True)
            _count(metrics, config, metric, month, kind)
    return [
        score
        for _, metrics in sorted(found.items())
        for months in metrics.values()
        for _, score in sorted(months.items(), key=lambda item: item[0])
    ]


def was_bad(verdict: str, label: str) -> bool | None:
    """Whether the canary was bad, as a label says; None of a verdict that was neither pass nor fail, whose label does not tell.

    Examples
    --------
    >>> was_bad("fail", "right"), was_bad("pass", "wrong"), was_bad("fail", "wrong"), was_bad("inconclusive", "right")
    (True, True, False, None)
    """
    return (verdict == "fail") == (label == RIGHT) if verdict in _DECIDED else None


def _kind(*, fired: bool, decided: bool, bad: bool) -> str:
    if not decided:
        return "undecided"
    if fired:
        return "alarms" if bad else "false_alarms"
    return "missed" if bad else "quiet"


def _count(metrics: dict[str, dict[str, Score]], config: str, metric: str, month: str, kind: str) -> None:
    months = metrics.setdefault(metric, {})
    for period in ("", month):
        score = months.get(period, Score(config=config, metric=metric, month=period))
        months[period] = replace(score, **{kind: getattr(score, kind) + 1})
