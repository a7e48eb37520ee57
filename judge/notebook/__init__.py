"""Frames and pictures for notebooks: ``import judge; judge.notebook.score("dump.jsonl")``.

A *record* is one verdict with everything that led to it, as the service keeps it. Records come from a dump (`score`),
from an archive (`load`, `looks`; `rehearse` makes one to try) or from Prometheus (`live`); frames are made of them
(`verdicts`, `metrics`, `samples`, `evidence`); `rejudge` and `sweep` ask what other settings would have said;
`calibration` reads what `judge calibrate` found. Pictures need matplotlib.
"""

from __future__ import annotations

from judge.notebook.archive_records import changes, history, labelled, live, load, looks, rejudge
from judge.notebook.calibration_frames import calibration
from judge.notebook.frames import evidence, metrics, samples, score, verdicts
from judge.notebook.margins import sweep
from judge.notebook.planning import samples_needed
from judge.notebook.plots import plot, plot_looks, plot_sweep
from judge.verdicts.example_archive import rehearse

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
