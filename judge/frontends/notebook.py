"""Frames and pictures for notebooks: ``import judge; judge.notebook.score("dump.jsonl")``.

Frames have typed columns with the unit in the name; pictures need matplotlib.
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
    """One row a canary: ``id, verdict, score, metrics, passed, regressed, undecided, window_s, reason``."""
    import pandas as pd

    rows = []
    for record in records:
        kinds = [result["classification"] for result in record["verdict"]["results"]]
        rows.append(
            {
                "id": record["id"],
                "verdict": record["verdict"]["verdict"],
                "score": float(record["verdict"]["score"]),
                "metrics": len(kinds),
                "passed": kinds.count("pass"),
                "regressed": kinds.count("high") + kinds.count("low"),
                "undecided": kinds.count("undecided"),
                "window_s": record["window"]["end"] - record["window"]["start"],
                "reason": record["verdict"]["reason"],
            }
        )
    return pd.DataFrame(rows)


def metrics(record: Record) -> pd.DataFrame:
    """One row a metric of one canary: classification, change with its interval as fractions, p, samples a side."""
    import pandas as pd

    rows = []
    for result in record["verdict"]["results"]:
        found = result["comparison"]
        fields = {} if found is None else found
        rows.append(
            {
                "metric": result["name"],
                "classification": result["classification"],
                "critical": result["critical"],
                "weight": result["weight"],
                **{key: fields.get(key) for key in ("change", "change_low", "change_high", "shift", "pvalue", "pvalue_directed", "effect")},
                "n_baseline": result["n_baseline"],
                "n_canary": result["n_canary"],
                "reason": result["reason"],
            }
        )
    numeric = ["change", "change_low", "change_high", "shift", "pvalue", "pvalue_directed", "effect"]
    frame = pd.DataFrame(rows)
    return frame.astype(dict.fromkeys(numeric, "float64")) if len(frame) else frame


def samples(record: Record, metric: str) -> pd.DataFrame:
    """Both sides of one metric over time (UTC index): ``baseline`` and ``canary``, a missing sample is NaN.

    A ratio of counts is given as the ratio; its counts are in four more columns.

    Raises
    ------
    KeyError
        Where the record has no such metric.
    """
    import pandas as pd

    found = [part for part in record["samples"] if part["metric"] == metric]
    if not found:
        known = ", ".join(sorted({part["metric"] for part in record["samples"]}))
        msg = f"no metric {metric!r}; there are {known}"
        raise KeyError(msg)
    columns = {key: _series(found[0][key]) for key in ("baseline", "canary", "baseline_total", "canary_total") if found[0][key] is not None}
    frame = pd.DataFrame(columns)
    if "baseline_total" in columns:
        for side in ("baseline", "canary"):
            frame[f"{side}_events"] = frame[side].fillna(0.0).where(frame[f"{side}_total"].notna())
            frame[side] = frame[f"{side}_events"] / frame[f"{side}_total"].where(frame[f"{side}_total"] > 0)
    frame.index.name = "time"
    return frame


def _series(fields: Mapping[str, Any]) -> pd.Series[float]:
    import pandas as pd

    # pandas reads the words "Infinity" and "NaN" as the numbers they stand for.
    values = [float(value) for value in fields["v"]]
    return pd.Series(values, index=pd.to_datetime(fields["t"], unit="s", utc=True), dtype="float64")


def plot(record: Record, metric: str) -> Figure:
    """Draw both sides of one metric over time, and how their values are distributed."""
    from matplotlib.figure import Figure

    frame = samples(record, metric)
    result = next(part for part in record["verdict"]["results"] if part["name"] == metric)
    figure = Figure(figsize=(10, 3.5), layout="constrained")
    over_time, spread = figure.subplots(1, 2, width_ratios=(3, 1), sharey=True)
    for side, style in (("baseline", "--"), ("canary", "-")):
        over_time.plot(frame.index, frame[side], style, marker=".", label=side)
    unit = f" ({result['unit']})" if result["unit"] else ""
    over_time.set_ylabel(f"{metric}{unit}")
    over_time.legend()
    spread.boxplot([frame[side].dropna() for side in ("baseline", "canary")], tick_labels=["baseline", "canary"])
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

    Examples
    --------
    >>> samples_needed(1.0) < samples_needed(0.5)
    True
    """
    import math

    import numpy as np
    from statsmodels.stats.nonparametric import samplesize_rank_compare_onetail

    quantiles = (np.arange(2000) + 0.5) / 2000
    from scipy.special import ndtri

    normal = ndtri(quantiles)
    found = samplesize_rank_compare_onetail(normal + difference, normal, alpha=alpha, power=power, nobs_ratio=1.0, alternative="larger")
    return math.ceil(float(found.nobs_ref))
