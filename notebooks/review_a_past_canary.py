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
# # Review a past canary
#
# The morning after: a rollout was stopped, and somebody asks why. This notebook takes a canary's verdicts out of the archive, looks
# at how the evidence grew from look to look, and asks what other settings would have said.
#
# Where there is no archive of your own yet, `rehearse` makes one: the two recorded canaries of a shop, judged at twenty looks each, as
# Argo Rollouts would have asked. For your own put its address here (`postgresql://…`, `sqlite:////data/judge.sqlite`), or an empty
# text, which takes `JUDGE_ARCHIVE_URL`.

# %%
import judge

archive = judge.notebook.rehearse()

# %% [markdown]
# ## What happened
#
# One row a verdict, newest first. Filters are those of `judge history`: `config="checkout"`, `verdict="fail"`, `since="30d"`, ….

# %%
history = judge.notebook.history(archive)
history[["asked_at", "config", "canary", "verdict", "score", "look", "looks"]].head(6)

# %%
failed = history[history["verdict"] == "fail"].iloc[-1]
print(f"{failed.canary} was first failed at look {failed.look} of {failed.looks}:\n{failed.reason}")

# %% [markdown]
# ## All looks at that canary
#
# Whole records, with their samples and the queries as they were sent.

# %%
looks = judge.notebook.looks(failed.canary, archive)
judge.notebook.verdicts(looks)[["id", "verdict", "score", "passed", "regressed", "undecided"]].head(8)

# %% [markdown]
# ## How the evidence grew
#
# One row a metric and look: the change with its interval, the test that decided, its p against the level that it needed at this look.
# Early looks need more (`level` is small): a canary that is asked about twenty times has twenty chances of a false alarm. An undecided
# metric says how many seconds it still takes (`wait_s`).

# %%
evidence = judge.notebook.evidence(looks)
latency = evidence[evidence["metric"] == "latency-p99"]
columns = ["look", "classification", "change_low", "change", "change_high", "p", "level", "n_canary", "n_effective", "wait_s"]
latency[columns].iloc[4:14].round(4)

# %%
judge.notebook.plot_looks(looks, "latency-p99")

# %% [markdown]
# ## The look that decided
#
# Both sides over the same minutes.

# %%
[deciding] = judge.notebook.load(archive, ids=[failed.id])
judge.notebook.plot(deciding, "error-ratio")

# %%
for name, query in deciding["verdict"]["results"][0]["queries"].items():
    print(f"{name}: {query}")

# %% [markdown]
# ## What if?
#
# The same records, judged by other settings. First by none: the verdicts are the same to the last digit, or something changed since.

# %%
again = judge.notebook.rejudge(looks)
print(f"{len(judge.notebook.changes(looks, again))} differences")

# %% [markdown]
# Then with errors that may double and latency that may grow by a third before anybody calls it a regression:

# %%
lenient = judge.notebook.rejudge(looks, tolerance={"relative": "100%", "absolute": 0.05}, must_detect={"relative": "150%", "absolute": 0.1})
changed = judge.notebook.changes(looks, lenient)
whole = changed[changed["metric"] == ""]
print(f"{len(whole)} of {len(looks)} verdicts would have been others")
whole[["before", "now", "reason"]].tail(4)

# %% [markdown]
# And by Kayenta's rule, which looks at one look as if it were the only one:

# %%
kayenta = judge.notebook.rejudge(looks, judge="kayenta")
judge.notebook.verdicts(kayenta)["verdict"].value_counts()

# %% [markdown]
# ## Canaries from elsewhere
#
# * a saved dump: `judge.notebook.score("canary.jsonl.gz")`
# * Prometheus, for as long as it keeps the samples:
#   `judge.notebook.live("http-service", baseline="6f9c7b8d5", canary="7d4b9c6f8b", end="2026-11-20T09:30:00Z", args={"service": "shop"})`
#
# Both give records, and everything above works on them. What you found belongs beside the verdict, where the next one sees it:
# `judge label ID wrong --by you --why "the load test ran"`.
