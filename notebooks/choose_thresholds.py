# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Choose thresholds
#
# `tolerance` is the change that is accepted, `must_detect` the smallest one that must not slip through. Which ones fit? Judge many past
# canaries whose truth is known at several of both, and count: healthy ones that would have been stopped, bad ones that would have
# passed.
#
# Here the canaries are real ones of two published data sets (`tests/data`, with their licences): CloudWatch metrics before and after a
# known incident, or no incident, and two versions of a microservice application, the bad ones with some of their requests slowed.
# For your own, label what you know (`judge label`) and take `judge.notebook.load(archive)` with `judge.notebook.labelled(archive)`.

# %%
import gzip
import json
from pathlib import Path

import judge

data = Path.cwd().parent / "tests" / "data"
records, truth = [], {}
for name in ("delag", "nab"):
    path = data / f"{name}.jsonl.gz"
    records += judge.notebook.score(path)
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            canary = json.loads(line)
            truth[canary["id"]] = "bad" if canary["label"] == "regression" else "healthy"

verdicts = judge.notebook.verdicts(records)
verdicts["truth"] = verdicts["id"].map(truth)
verdicts.groupby(["truth", "verdict"]).size().unstack(fill_value=0)

# %% [markdown]
# Nobody should be surprised by what is left open: a canary of twelve samples cannot show that it is within 20 %, and the judge does not
# pass what was not shown.
#
# ## A sweep
#
# Every canary, at every pair of margins. Shares come with their 95 % Wilson intervals: 26 bad canaries without a miss still allow
# one in eight.

# %%
sweep = judge.notebook.sweep(records, truth, tolerance=(2, 5, 10, 20, 40), must_detect=(20, 40))
columns = ["tolerance_percent", "must_detect_percent", "healthy", "false_alarms", "healthy_open", "bad", "missed", "caught"]
sweep[columns]

# %%
judge.notebook.plot_sweep(sweep)

# %% [markdown]
# Read it from the lower left corner: there nothing healthy is stopped and nothing bad passes. A larger **tolerance** stops fewer
# healthy canaries and catches fewer bad ones; what it does not catch is not passed for that, but left open, as long as it is beyond
# `must_detect`. A larger **must_detect** lets more canaries end in a verdict, and more bad ones with it.

# %%
interval = ["tolerance_percent", "must_detect_percent", "false_alarm_percent", "false_alarm_low_percent", "false_alarm_high_percent"]
sweep[interval].round(1)

# %% [markdown]
# ## The same by Kayenta's rule
#
# It knows neither margin, so one row says it all.

# %%
theirs = judge.notebook.sweep(records, truth, tolerance=(5,), must_detect=(20,), judge="kayenta")
theirs[columns[2:]]

# %% [markdown]
# ## Before you believe it
#
# * **Choose on one half, count on the other.** Thresholds that were chosen on these canaries look better on them than they are.
# * **Your canaries are not these.** Hundreds of verdicts of your own, labelled, are worth more than any published set.
# * **Look at what is missed, one by one**, with [review a past canary](review_a_past_canary.py): a miss is often a metric that is not
#   there.

# %%
half = records[::2], records[1::2]
for name, part in zip(("chosen on", "counted on"), half, strict=True):
    counted = judge.notebook.sweep(part, truth, tolerance=(5, 20), must_detect=(20,))
    for row in counted.itertuples():
        print(
            f"{name}: tolerance {row.tolerance_percent:.0f} %: {row.false_alarms} of {row.healthy} healthy stopped, "
            f"{row.missed} of {row.bad} bad passed"
        )
