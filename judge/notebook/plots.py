"""Pictures for notebooks; they need matplotlib (``pip install matplotlib``) and no plotting back end."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from judge.notebook.frames import Record, evidence, one_of, samples

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def _figure(width: float, height: float) -> Figure:
    """Make a figure that shows itself as the last value of a notebook's cell; elsewhere save it with ``savefig``."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        msg = "pictures need matplotlib: pip install matplotlib"
        raise ImportError(msg) from None

    class Picture(Figure):
        """A figure that needs no plotting back end to be shown."""

        def _repr_png_(self) -> bytes:
            out = io.BytesIO()
            self.savefig(out, format="png")
            return out.getvalue()

    return Picture(figsize=(width, height), layout="constrained")


def plot(record: Record, metric: str) -> Figure:
    """Draw both sides of one metric over time, and how their values are distributed.

    Raises
    ------
    KeyError
        Where the record has no such metric; names those it has.
    """
    import numpy as np

    # There is no place for an infinite value on an axis.
    frame = samples(record, metric).replace([np.inf, -np.inf], np.nan)
    result = one_of(record["verdict"]["results"], metric, "name")
    figure = _figure(10, 3.5)
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


def plot_looks(records: Sequence[Record], metric: str) -> Figure:
    """Draw how the evidence about one metric grew over the looks at one canary.

    Parameters
    ----------
    records : sequence of mapping
        Looks at one canary, as `looks` gives them.
    metric : str
        As in `metrics`.

    Raises
    ------
    KeyError
        Where none of the records has such a metric.
    """
    found = evidence(records)
    mine = found[found["metric"] == metric]
    if mine.empty:
        msg = f"no metric {metric!r}; there are {', '.join(found['metric'].unique())}"
        raise KeyError(msg)
    figure = _figure(9, 3.5)
    axes = figure.subplots()
    for word, group in mine.groupby("classification"):
        low, high = group["change"] - group["change_low"], group["change_high"] - group["change"]
        shape = {"pass": "o", "high": "^", "low": "v"}.get(str(word), "s")
        hollow: dict[str, Any] = {"markerfacecolor": "white"} if word == "undecided" else {}
        axes.errorbar(group["look"], 100 * group["change"], yerr=[100 * low, 100 * high], fmt=shape, capsize=3, label=word, **hollow)
    for name, style in (("tolerance_percent", "--"), ("must_detect_percent", ":")):
        margin = mine[name].iloc[-1]
        if margin == margin:  # noqa: PLR0124 - not NaN
            axes.axhline(margin, linestyle=style, color="grey", label=name.removesuffix("_percent"))
    axes.set_xlabel("look")
    axes.set_ylabel("change (%)")
    axes.legend(fontsize="small")
    figure.suptitle(f"{metric}: change with its interval (of a regression, at the level it needed at that look)", fontsize="small")
    return figure


def plot_sweep(frame: pd.DataFrame) -> Figure:
    """Draw false alarms against misses: one line for each must_detect, one point for each tolerance, as `sweep` counted them."""
    figure = _figure(7, 5)
    axes = figure.subplots()
    for must_detect, group in frame.groupby("must_detect_percent", dropna=False):
        line: Any = group.sort_values("tolerance_percent")
        axes.plot(line["false_alarm_percent"], line["missed_percent"], "o-", label=f"must_detect {must_detect:g} %")
        # Several margins often come to the same counts: one word for all of them.
        for place, points in line.groupby(["false_alarm_percent", "missed_percent"]):
            said = ", ".join(f"{tolerance:g}" for tolerance in points["tolerance_percent"])
            axes.annotate(f"{said} %", place, textcoords="offset points", xytext=(4, 4), fontsize="x-small")
    axes.set_xlabel("healthy canaries stopped (%)")
    axes.set_ylabel("bad canaries passed (%)")
    axes.legend(fontsize="small", title="points: tolerance")
    return figure
