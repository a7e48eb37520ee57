"""Records of verdicts as pandas frames, with typed columns also where they have no row."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.core.config import CanaryConfig
from judge.core.model import series_title
from judge.verdicts.score_dump import score_file

if TYPE_CHECKING:
    import pandas as pd

Record = Mapping[str, Any]

_VERDICT_COLUMNS = {
    **dict.fromkeys(("id", "verdict"), "str"),
    "score": "float64",
    **dict.fromkeys(("metrics", "passed", "regressed", "undecided", "nodata", "error"), "int64"),
    "window_s": "float64",
    "reason": "str",
}
_METRIC_COLUMNS = {
    **dict.fromkeys(("metric", "classification"), "str"),
    "critical": "bool",
    **dict.fromkeys(("weight", "change", "change_low", "change_high", "shift"), "float64"),
    "unit": "str",
    **dict.fromkeys(("pvalue", "pvalue_directed", "effect"), "float64"),
    **dict.fromkeys(("n_baseline", "n_canary"), "int64"),
    "reason": "str",
}


def score(path: str | Path, config: CanaryConfig | None = None) -> list[Record]:
    """Judge every canary of a dump.

    Parameters
    ----------
    path : str or Path
        A dump in any of the forms that `judge.load_dump` reads.
    config : CanaryConfig, optional
        Instead of what the dump says of itself.

    Returns
    -------
    list of mapping
        One record a canary, as the service keeps them.

    Raises
    ------
    DumpError, ConfigError
        Where the dump or its config is wrong.
    """
    return score_file(path, config)


def verdicts(records: Sequence[Record]) -> pd.DataFrame:
    """One row a canary, in the order given.

    Columns: ``id, verdict, score`` (0 to 100), how many ``metrics`` there are and how many of them
    ``passed, regressed`` (high or low) or are ``undecided, nodata, error``, ``window_s`` (seconds that were judged), ``reason``.
    """
    rows = []
    for record in records:
        kinds = [result["classification"] for result in record["verdict"]["results"]]
        rows.append(
            {
                "id": record["id"],
                "verdict": record["verdict"]["verdict"],
                "score": record["verdict"]["score"],
                "metrics": len(kinds),
                "passed": kinds.count("pass"),
                "regressed": kinds.count("high") + kinds.count("low"),
                **{kind: kinds.count(kind) for kind in ("undecided", "nodata", "error")},
                "window_s": record["window"]["end"] - record["window"]["start"],
                "reason": record["verdict"]["reason"],
            }
        )
    return frame_of(rows, _VERDICT_COLUMNS)


def metrics(record: Record) -> pd.DataFrame:
    """One row a metric of one canary, in the config's order.

    Columns: ``metric`` (with its labels, where a query answered several series), ``classification, critical, weight``
    (of 100), ``change`` with its interval ``change_low, change_high`` as fractions of the baseline, ``shift`` in the metric's
    ``unit``, ``pvalue`` (two-sided), ``pvalue_directed`` (worse than accepted), ``effect`` (P(canary > baseline), ties half),
    ``n_baseline, n_canary`` (samples), ``reason``. What was not compared, or is infinite, is NaN.
    """
    rows = []
    for result in record["verdict"]["results"]:
        found = {} if result["comparison"] is None else result["comparison"]
        rows.append({**found, **result, "metric": series_title(result["name"], result["labels"])})
    return frame_of(rows, _METRIC_COLUMNS)


def frame_of(rows: Sequence[Record], columns: Mapping[str, str]) -> pd.DataFrame:
    """Keep these columns, with these types even where there is no row."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in columns.items()})


def samples(record: Record, metric: str) -> pd.DataFrame:
    """Both sides of one metric over time (UTC index): ``baseline`` and ``canary``, a missing sample is NaN.

    A ratio of counts is given as the ratio; its counts are in four more columns:
    ``baseline_total, canary_total, baseline_events, canary_events``.

    Parameters
    ----------
    record : mapping
        As `score` gives it.
    metric : str
        As in `metrics`: with its labels, where a query answered several series.

    Raises
    ------
    KeyError
        Where the record has no such metric; names those it has.
    """
    import pandas as pd

    found = one_of(record["samples"], metric, "metric")
    columns = {key: _series(found[key]) for key in ("baseline", "canary", "baseline_total", "canary_total") if found[key] is not None}
    frame = pd.DataFrame(columns)
    if "baseline_total" in columns:
        for side in ("baseline", "canary"):
            frame[f"{side}_events"] = frame[side].fillna(0.0).where(frame[f"{side}_total"].notna())
            frame[side] = frame[f"{side}_events"] / frame[f"{side}_total"].where(frame[f"{side}_total"] > 0)
    frame.index.name = "time"
    return frame


def one_of(parts: Sequence[Record], metric: str, key: str) -> Record:
    """Find the part of this title, or of this name where only one has it."""
    titles = {series_title(part[key], part["labels"]): part for part in parts}
    named = [part for part in parts if part[key] == metric]
    if metric in titles:
        return titles[metric]
    if len(named) == 1:
        return named[0]
    what = f"{metric!r} has {len(named)} series" if named else f"no metric {metric!r}"
    msg = f"{what}; there are {', '.join(titles)}"
    raise KeyError(msg)


def _series(fields: Mapping[str, Any]) -> pd.Series[float]:
    import pandas as pd

    # The words "Infinity" and "NaN" stand for numbers that JSON does not have; float reads them.
    values = [float(value) for value in fields["v"]]
    return pd.Series(values, index=pd.to_datetime(fields["t"], unit="s", utc=True), dtype="float64")


_EVIDENCE_COLUMNS = {
    **dict.fromkeys(("id", "metric", "classification", "test"), "str"),
    **dict.fromkeys(("look", "looks"), "int64"),
    "window_end": "datetime64[ns, UTC]",
    **dict.fromkeys(("change", "change_low", "change_high", "tolerance_percent", "must_detect_percent", "p", "level"), "float64"),
    **dict.fromkeys(("n_canary",), "int64"),
    "n_effective": "Int64",
    "wait_s": "float64",
}


def evidence(records: Sequence[Record]) -> pd.DataFrame:
    """One row a metric and look: how the evidence grew over the looks at one canary.

    Columns: ``id, look`` of how many ``looks``, ``window_end`` (UTC), ``metric, classification``, the ``test`` that decided
    with its one-sided ``p`` and the ``level`` that it needed at this look; ``change`` with its interval as fractions of the
    baseline, the relative ``tolerance_percent`` and ``must_detect_percent``; ``n_canary`` samples, worth ``n_effective``
    independent ones; ``wait_s``, the seconds that an undecided metric still takes at the present rate (NaN where it is
    decided or waiting does not help).
    """
    import pandas as pd

    rows = []
    for record in records:
        window = record["window"]
        whole = {
            "id": record["id"],
            "look": window["look"],
            "looks": window["of"],
            "window_end": pd.Timestamp(window["end"], unit="s", tz="UTC"),
        }
        for result in record["verdict"]["results"]:
            found = result["comparison"] or {}
            decision, wait = result.get("decision") or {}, result.get("wait") or {}
            rows.append(
                {
                    **whole,
                    **found,
                    **decision,
                    **result,
                    "look": window["look"],
                    "metric": series_title(result["name"], result["labels"]),
                    "tolerance_percent": _relative(result["tolerance"]),
                    "must_detect_percent": _relative(result["must_detect"]),
                    "wait_s": wait.get("seconds"),
                }
            )
    return frame_of(rows, _EVIDENCE_COLUMNS)


def _relative(margin: str) -> float | None:
    """The relative part of a margin as a result writes it (``25% and 0.1 pp``), in per cent."""
    found = re.match(r"(\d+(?:\.\d+)?)%", margin)
    return float(found.group(1)) if found else None
