"""Frames and pictures for notebooks: ``import judge; judge.notebook.score("dump.jsonl")``.

Frames have typed columns, also where they have no row; pictures need matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judge.core.config import CanaryConfig
from judge.frontends.scoring import score_canary
from judge.sources.dumps import load_dump

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

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
    return [score_canary(dump, config) for dump in load_dump(path)]


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
    return _frame(rows, _VERDICT_COLUMNS)


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
        rows.append({**found, **result, "metric": _title(result["name"], result["labels"])})
    return _frame(rows, _METRIC_COLUMNS)


def _frame(rows: Sequence[Record], columns: Mapping[str, str]) -> pd.DataFrame:
    """Keep these columns, with these types even where there is no row."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in columns.items()})


def _title(name: str, labels: Mapping[str, str]) -> str:
    """Name a series as `MetricResult.title` does."""
    inner = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name


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

    found = _one(record["samples"], metric, "metric")
    columns = {key: _series(found[key]) for key in ("baseline", "canary", "baseline_total", "canary_total") if found[key] is not None}
    frame = pd.DataFrame(columns)
    if "baseline_total" in columns:
        for side in ("baseline", "canary"):
            frame[f"{side}_events"] = frame[side].fillna(0.0).where(frame[f"{side}_total"].notna())
            frame[side] = frame[f"{side}_events"] / frame[f"{side}_total"].where(frame[f"{side}_total"] > 0)
    frame.index.name = "time"
    return frame


def _one(parts: Sequence[Record], metric: str, key: str) -> Record:
    """Find the part of this title, or of this name where only one has it."""
    titles = {_title(part[key], part["labels"]): part for part in parts}
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


def plot(record: Record, metric: str) -> Figure:
    """Draw both sides of one metric over time, and how their values are distributed.

    The figure shows itself as the last value of a notebook's cell; elsewhere save it with ``savefig``.

    Raises
    ------
    KeyError
        Where the record has no such metric; names those it has.
    """
    import io

    import numpy as np
    from matplotlib.figure import Figure

    class Picture(Figure):
        """A figure that needs no plotting back end to be shown."""

        def _repr_png_(self) -> bytes:
            out = io.BytesIO()
            self.savefig(out, format="png")
            return out.getvalue()

    # There is no place for an infinite value on an axis.
    frame = samples(record, metric).replace([np.inf, -np.inf], np.nan)
    result = _one(record["verdict"]["results"], metric, "name")
    figure = Picture(figsize=(10, 3.5), layout="constrained")
    over_time, spread = figure.subplots(1, 2, width_ratios=(3, 1), sharey=True)
    sides = [side for side in ("baseline", "canary") if frame[side].notna().any()]
    for side in sides:
        over_time.plot(frame.index, frame[side], {"baseline": "--", "canary": "-"}[side], marker=".", label=side)
    unit = f" ({result['unit']})" if result["unit"] else ""
    over_time.set_ylabel(f"{metric}{unit}")
    if sides:
        over_time.legend()
        spread.boxplot([frame[side].dropna() for side in sides], tick_labels=sides)
    figure.suptitle(f"{result['classification']}: {result['reason']}", fontsize="small", wrap=True)
    return figure


def samples_needed(difference: float, *, alpha: float = 0.01, power: float = 0.9) -> int:
    """How many independent samples a side a Mann-Whitney test needs to see a shift, for values like a normal sample.

    Parameters
    ----------
    difference : float
        Shift in standard deviations of the metric, positive.
    alpha : float
        One-sided level.
    power : float
        Chance of seeing it.

    Returns
    -------
    int
        Samples on each side.

    Raises
    ------
    ValueError
        Where `difference` is not positive, or `alpha` or `power` not between 0 and 1.

    Examples
    --------
    >>> samples_needed(1.0) < samples_needed(0.5)
    True
    """
    import math

    import numpy as np
    from scipy.special import ndtri
    from statsmodels.stats.nonparametric import samplesize_rank_compare_onetail

    from judge.core.statistics.ranks import min_samples

    if not difference > 0 or not 0 < alpha < 1 or not 0 < power < 1:
        msg = f"need difference > 0 and alpha and power between 0 and 1, got {difference}, {alpha} and {power}"
        raise ValueError(msg)
    normal = ndtri((np.arange(2000) + 0.5) / 2000)
    found = samplesize_rank_compare_onetail(normal + difference, normal, alpha=alpha, power=power, nobs_ratio=1.0, alternative="larger")
    # However large the shift: with fewer samples no outcome at all is below the level.
    return max(math.ceil(float(found.nobs_ref)), min_samples(alpha))
