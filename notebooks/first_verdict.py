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
# # A first verdict
#
# Two canaries of a shop were recorded from Prometheus: one healthy, one that is slower and fails more often. This notebook judges
# both and looks at what the judge saw. To look at a canary of your own, save it with `judge fetch … -o canary.jsonl.gz` and put that
# name into the first cell.

# %%
from pathlib import Path

import judge

recording = Path(judge.__file__).parent / "demo" / "canaries.jsonl.gz"
records = judge.notebook.score(recording)

# %% [markdown]
# ## The verdicts
#
# One row a canary. The `reason` is the rule that decided; read it first.

# %%
verdicts = judge.notebook.verdicts(records)
verdicts[["id", "verdict", "score", "metrics", "passed", "regressed", "undecided"]]

# %%
for row in verdicts.itertuples():
    print(f"{row.id}: {row.verdict.upper()} {row.score:g}/100\n  {row.reason}\n")

# %% [markdown]
# ## Metric by metric
#
# `change` is the canary against the baseline as a fraction (0.23 is +23 %), with its interval. A metric is `high` where it is shown to be
# worse than its tolerance, `pass` where it is shown to stay below what must not slip through, `undecided` in between.

# %%
healthy, bad = records
columns = ["metric", "classification", "critical", "weight", "change_low", "change", "change_high", "pvalue_directed", "n_canary"]
judge.notebook.metrics(bad)[columns].round(4)

# %%
judge.notebook.metrics(healthy)[columns].round(4)

# %% [markdown]
# ## What the judge saw
#
# Both sides over the same minutes, and how their values are distributed. What to look at:
#
# * **Do the sides move together?** Ups and downs that both share are the service's own, and no fault of the canary.
# * **When did it turn?** A canary that was bad from its first minute differs from one that got worse: the judge compares the whole
#   window, so late trouble is diluted by a good past.
# * **Is it one bad minute or all of them?** The boxes tell. Ranks hardly must_detect a single outlier.
# * **Are there gaps?** A minute that one side lacks is compared on neither.

# %%
judge.notebook.plot(bad, "error-ratio")

# %%
judge.notebook.plot(bad, "latency-p99")

# %%
judge.notebook.plot(healthy, "latency-p99")

# %% [markdown]
# ## The samples themselves
#
# A ratio of counts comes with its counts: 860 errors of 56,871 requests is better evidence than 31 percentages.

# %%
samples = judge.notebook.samples(bad, "error-ratio")
samples.head()

# %%
samples[[column for column in samples if "_" in column]].sum()

# %% [markdown]
# ## How long must a canary be watched?
#
# It depends on how large a change shall be seen, beyond the accepted one, beside the metric's own noise: its standard deviation from
# minute to minute. At one sample a minute the numbers below are minutes, provided that minutes are independent of each other; those
# of a busy service resemble their neighbours, and then it takes longer.

# %%
baseline = judge.notebook.samples(healthy, "latency-p99")["baseline"]
noise = float(baseline.std() / baseline.mean())
tolerance = 0.05
for change in (0.10, 0.15, 0.20, 0.30):
    needed = judge.notebook.samples_needed((change - tolerance) / noise)
    print(f"latency-p99 +{change:.0%}: {needed} samples a side (noise {noise:.1%}, accepted {tolerance:.0%})")

# %% [markdown]
# The judge does not hide this: with fewer samples the metric is `undecided`, and the verdict `inconclusive`, not `pass`. Judged on its
# first minutes only, the healthy canary is not yet shown to be healthy:

# %%
from dataclasses import replace

from judge.core.model import Series

[dump] = [dump for dump in judge.load_dump(recording) if dump.id == "shop-healthy"]
config = judge.load_config(recording.with_name("http-service.yaml"))


def first(series: Series | None, minutes: int) -> Series | None:
    return None if series is None else series.between(dump.start, dump.start + 60 * minutes)


sides = ("baseline", "canary", "baseline_total", "canary_total")
for minutes in (3, 10, 30):
    pairs = [replace(pair, **{side: first(getattr(pair, side), minutes) for side in sides}) for pair in dump.pairs]
    verdict = judge.judge_canary(config, pairs, traffic=dump.traffic)
    print(f"after {minutes} minutes: {verdict.outcome.value}: {verdict.reason}")
