"""The labelled real canaries, per file and at one look, judged over their window as `judge score` does.

Labels are read here and nowhere near the judge.
"""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from judge.core.model import Outcome
from judge.sources.dumps.read import load_dump
from judge.verdicts.score_dump import analyse_dump
from tests.benchmarks.startup import REAL

PROMISED = {"delag": (76, 0), "nab": (16, 6), "nezha": (59, 1), "nezha_traces": (22, 2)}
"""By file: regressions that must not pass, healthy canaries that may fail."""

MARGINAL_SHARE = 0.05
PASS_SHARE = 0.80
ENOUGH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file's counts, and Kayenta's beside: regressions caught, healthy ones not passed."""

    name: str
    regressions: Counter[Outcome]
    healthy: Counter[Outcome]
    large: int
    large_passed: int
    kayenta_caught: int
    kayenta_stopped: int
    ms: float

    @property
    def caught(self) -> int:
        """Regressions that did not pass."""
        return self.regressions.total() - self.regressions[Outcome.PASS]


def judge_file(path: Path) -> File:
    """Judge every canary of a file."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        labels = [json.loads(text)["label"] for text in file if text.strip()]
    regressions: Counter[Outcome] = Counter()
    healthy: Counter[Outcome] = Counter()
    large = large_passed = theirs_caught = theirs_stopped = 0
    spent = 0.0
    dumps = load_dump(path)
    for dump, label in zip(dumps, labels, strict=True):
        before = time.process_time()
        outcome = analyse_dump(dump).verdict.outcome
        spent += time.process_time() - before
        theirs = analyse_dump(dump, judge="kayenta").verdict
        stopped = any(result.classification.regressed for result in theirs.results)
        if label == "regression":
            regressions[outcome] += 1
            theirs_caught += stopped
            continue
        healthy[outcome] += 1
        theirs_stopped += stopped
        if min(min(len(pair.canary), len(pair.baseline)) for pair in dump.pairs) >= ENOUGH:
            large += 1
            large_passed += outcome is Outcome.PASS
    return File(
        name=path.name.removesuffix(".jsonl.gz"),
        regressions=regressions,
        healthy=healthy,
        large=large,
        large_passed=large_passed,
        kayenta_caught=theirs_caught,
        kayenta_stopped=theirs_stopped,
        ms=1000 * spent / max(len(dumps), 1),
    )


def report() -> list[File]:
    """Print what was promised of the real canaries and what holds; say so where they are not there."""
    paths = sorted(REAL.glob("*.jsonl.gz"))
    if not paths:
        print("the real canaries: skipped, ../shared/data/real_canaries is not there")
        return []
    head = (
        f"{'real canaries':14}{'regressions not passed':>24}{'(Kayenta)':>11}{'healthy failed':>16}{'marginal':>10}{'open':>6}{'pass':>6}"
    )
    print(f"{head}{'(Kayenta stops)':>17}{'ms':>6}")
    files = [judge_file(path) for path in paths]
    for found in files:
        least, most = PROMISED.get(found.name, (0, found.healthy.total()))
        total = found.healthy.total()
        kept = found.caught >= least and found.healthy[Outcome.FAIL] <= most
        kept = kept and found.healthy[Outcome.MARGINAL] <= MARGINAL_SHARE * total
        print(
            f"{found.name:14}{f'{found.caught} of {found.regressions.total()} (>= {least})':>24}{found.kayenta_caught:>11}"
            f"{f'{found.healthy[Outcome.FAIL]} of {total} (<= {most})':>16}{found.healthy[Outcome.MARGINAL]:>10}"
            f"{found.healthy[Outcome.INCONCLUSIVE]:>6}{found.healthy[Outcome.PASS]:>6}{found.kayenta_stopped:>17}{found.ms:6.1f}"
            f"{'' if kept else '  MISSED'}"
        )
    large, passed = sum(found.large for found in files), sum(found.large_passed for found in files)
    if large:
        said = "" if passed >= PASS_SHARE * large else "  MISSED"
        print(f"healthy with at least {ENOUGH} points a side: {passed} of {large} pass ({100 * passed / large:.1f} %, promised 80 %){said}")
    return files
