"""Frames and pictures for notebooks: ``import judge; judge.notebook.score("dump.jsonl")``.

A *record* is one verdict with everything that led to it, as the service keeps it. Records come from a dump (`score`),
from an archive (`load`, `looks`; `rehearse` makes one to try) or from Prometheus (`live`); frames are made of them
(`verdicts`, `metrics`, `samples`, `evidence`); `rejudge` and `sweep` ask what other settings would have said;
`calibration` reads what `judge calibrate` found. Pictures need matplotlib.
"""

from __future__ import annotations

from judge.frontends.notebook.calibrated import calibration
from judge.frontends.notebook.frames import evidence, metrics, samples, score, verdicts
from judge.frontends.notebook.past import changes, history, labelled, live, load, looks, rejudge
from judge.frontends.notebook.pictures import plot, plot_looks, plot_sweep
from judge.frontends.notebook.planning import samples_needed
from judge.frontends.notebook.rehearsal import rehearse
from judge.frontends.notebook.tuning import sweep

__all__ = [
    "calibration",
    "changes",
    "evidence",
    "history",
    "labelled",
    "live",
    "load",
    "looks",
    "metrics",
    "plot",
    "plot_looks",
    "plot_sweep",
    "rehearse",
    "rejudge",
    "samples",
    "samples_needed",
    "score",
    "sweep",
    "verdicts",
]
