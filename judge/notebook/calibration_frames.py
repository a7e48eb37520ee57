"""What `judge calibrate` and `judge replay` found, as frames."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.errors import DumpError
from judge.notebook.frames import frame_of

if TYPE_CHECKING:
    import pandas as pd  # noqa: TC004 - a dataclass does not evaluate its annotations

Rows = list[dict[str, Any]]

_SHARE = {
    **dict.fromkeys(("count", "of"), "Int64"),
    **dict.fromkeys(("share", "low", "high"), "float64"),
}
_TIME = "datetime64[ns, UTC]"
_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "rollouts": {
        **dict.fromkeys(("start", "end"), _TIME),
        **dict.fromkeys(("baseline", "canary", "ending"), "str"),
        **dict.fromkeys(("baseline_pods", "canary_pods"), "Int64"),
        "share": "float64",
        "outcome": "str",
        "stopped_at_look": "Int64",
        "agrees": "boolean",
        "reason": "str",
    },
    "looks": {
        "canary": "str",
        "look": "Int64",
        "end": _TIME,
        "verdict": "str",
        "score": "float64",
    },
    "false_alarms": {"pairs": "str", "outcome": "str", **_SHARE},
    "metrics": {"pairs": "str", "metric": "str", "critical": "boolean", "outcome": "str", **_SHARE},
    "power": {"metric": "str", "shape": "str", "size": "float64", **_SHARE, **dict.fromkeys(("look_50", "look_80"), "Int64")},
    "smallest": {"metric": "str", "shape": "str", "wanted": "str", "size": "float64", "look": "Int64"},
    "samples": {
        "metric": "str",
        **dict.fromkeys(("samples", "effective", "autocorrelation", "change_spread", "change_97", "pod_offsets"), "float64"),
    },
    "by_hour": {"metric": "str", "hour": "Int64", "level": "float64"},
    "variants": {"name": "str", "outcome": "str", **_SHARE},
    "settings": dict.fromkeys(("metric", "key", "before", "after", "why"), "str"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Frames of one calibration or replay; shares are 0 to 1 with Wilson's 95 % interval, times UTC, changes fractions.

    Attributes
    ----------
    found : mapping
        The document itself.
    rollouts, looks : DataFrame
        Each rollout of the history with what the judge says of it, and its looks.
    false_alarms, metrics : DataFrame
        Healthy pairs by how they were made (``pairs``): how many ended how, and the same of each metric.
    power, smallest : DataFrame
        Known changes put into healthy pairs: which share was caught by size, and the smallest size caught in 80 and 95 %.
    samples, by_hour : DataFrame
        What the samples of each metric are like, and its level by the hour of the day (UTC).
    variants : DataFrame
        The same pairs under other settings.
    settings : DataFrame
        What is proposed, and why.
    """

    found: Mapping[str, Any]
    rollouts: pd.DataFrame
    looks: pd.DataFrame
    false_alarms: pd.DataFrame
    metrics: pd.DataFrame
    power: pd.DataFrame
    smallest: pd.DataFrame
    samples: pd.DataFrame
    by_hour: pd.DataFrame
    variants: pd.DataFrame
    settings: pd.DataFrame


def calibration(found: str | Path | Mapping[str, Any]) -> Calibration:
    """Read what ``judge calibrate --json FILE`` wrote, or ``judge replay --format json > FILE``.

    Parameters
    ----------
    found : str, path or mapping
        The file, or the document itself.

    Raises
    ------
    DumpError
        Where the file cannot be read, or is something else.
    """
    document = found if isinstance(found, Mapping) else _read(Path(found))
    if "replayed" not in document or "period" not in document:
        raise DumpError("is not JSON of judge calibrate or judge replay", where="" if found is document else str(found))
    return Calibration(found=document, **{name: frame_of(list(rows), _COLUMNS[name]) for name, rows in _rows(document).items()})


def _read(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DumpError(f"cannot be read: {error}", where=str(path)) from error
    if not isinstance(document, dict):
        raise DumpError("is not JSON of judge calibrate or judge replay", where=str(path))
    return document


def _rows(found: Mapping[str, Any]) -> dict[str, Rows]:
    """The rows of every frame; a replay has those of rollouts alone."""
    alarms = found.get("false_alarms") or {}
    power = found.get("power") or {}
    return {
        "rollouts": [_rollout(one) for one in found["replayed"]],
        "looks": [{**look, "canary": one["canary"], "end": _utc(look["end"])} for one in found["replayed"] for look in one["looks"]],
        "false_alarms": [
            {"pairs": pairs, "outcome": outcome, **told[outcome]}
            for pairs, told in alarms.items()
            for outcome in ("stopped", "marginal", "inconclusive", "passed")
        ],
        "metrics": [
            {"pairs": pairs, "metric": name, "critical": metric["critical"], "outcome": outcome, **metric[outcome]}
            for pairs, told in alarms.items()
            for name, metric in told["metrics"].items()
            for outcome in ("regressed", "undecided")
        ],
        "power": [
            {"metric": name, "shape": shape, **size, **size["caught"]} for name, shape, tried in _shapes(power) for size in tried["sizes"]
        ],
        "smallest": [
            {"metric": name, "shape": shape, "wanted": wanted, **({} if one is None else one)}
            for name, shape, tried in _shapes(power)
            for wanted, one in tried["smallest"].items()
        ],
        "samples": [{"metric": name, **told} for name, told in (found.get("samples") or {}).items()],
        "by_hour": [
            {"metric": name, "hour": int(hour), "level": level}
            for name, told in (found.get("samples") or {}).items()
            for hour, level in told["by_hour"].items()
        ],
        "variants": [
            {"name": one["name"], "outcome": outcome, **one[outcome]}
            for one in found.get("variants") or ()
            for outcome in ("stopped", "undecided", "caught")
        ],
        "settings": [
            {key: _text(one.get(key)) for key in _COLUMNS["settings"]} for one in (found.get("proposal") or {}).get("settings", ())
        ],
    }


def _shapes(power: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    return ((name, shape, tried) for name, told in power.items() for shape, tried in told["shapes"].items())


def _rollout(one: Mapping[str, Any]) -> dict[str, Any]:
    stopped = one["stopped_at"]
    return {
        **one,
        "start": _utc(one["start"]),
        "end": _utc(one["end"]),
        "stopped_at_look": None if stopped is None else stopped["look"],
    }


def _utc(seconds: float) -> Any:
    import pandas as pd

    return pd.Timestamp(seconds, unit="s", tz="UTC")


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else json.dumps(value)
