"""Prometheus servers behind Thanos, with a made-up past, for one cell each."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tests.history import openmetrics, rollout
from tests.integration.test_scenarios import CONFIGS
from tests.stores.judging import Judge, judging
from tests.stores.thanos import Store, querier, store

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONFIG = re.sub(r"^name: .*\n", "", (CONFIGS / "http-service.yaml").read_text(encoding="utf-8"), flags=re.MULTILINE)
SCENARIOS = ("healthy", "errors")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where cells start Thanos: each one its own, since what a cell does to it stays done."""

    thanos: Path
    prometheus: Path
    """Prometheus 3, whose arithmetic is that of Thanos."""
    folder: Path

    def place(self) -> Path:
        """A new folder."""
        made = self.folder / f"cell-{len(list(self.folder.iterdir()))}"
        made.mkdir()
        return made


@contextmanager
def world(programs: Mapping[str, Path], folder: Path) -> Iterator[Workshop]:
    """What the cells are given."""
    yield Workshop(thanos=programs["thanos"], prometheus=programs["prometheus"], folder=folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """An hour of both scenarios in two regions."""

    end: float

    def text(self, *, seed: int, worse: bool = False) -> str:
        """OpenMetrics text of one region: other pods, and other ups and downs; where it is `worse`, every canary has errors."""
        found = [rollout(scenario, end=self.end) for scenario in SCENARIOS]
        errors = found[-1].canary.error_ratio
        canaries = [replace(each.canary, error_ratio=errors) if worse else each.canary for each in found]
        return openmetrics([replace(side, pods=2) for side in (*(each.baseline for each in found), *canaries)], seed=seed)

    def question(self, scenario: str = "healthy") -> dict[str, str]:
        """Ask about one scenario."""
        found = rollout(scenario, end=self.end)
        return {"baseline": found.baseline.hash, "canary": found.canary.hash, "service": scenario, "end": str(self.end)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Stores behind Thanos, and the ways to ask."""

    program: Path
    folder: Path
    past: Past
    stores: Sequence[Store]
    stack: ExitStack

    def querier(self, name: str, *flags: str, strict: bool = True) -> str:
        """Start one more querier over the stores."""
        return self.stack.enter_context(querier(self.program, self.folder / name, stores=self.stores, strict=strict, flags=flags))

    def judge(self, *, config: str = CONFIG, deadline: float = 8.0, **sources: Mapping[str, object]) -> Judge:
        """Start a judge with these sources."""
        question = self.past.question()
        started = judging(self.folder / "judge", sources=sources, config=config, question=question, JUDGE_DEADLINE=str(deadline))
        return self.stack.enter_context(started)


@contextmanager
def cluster(shop: Workshop, *, labels: Sequence[Mapping[str, str]], histories: Sequence[str], past: Past) -> Iterator[Cluster]:
    """One Prometheus with its sidecar for each history, under these external labels."""
    program, folder = shop.thanos, shop.place()
    with ExitStack() as stack:
        stores = [
            stack.enter_context(store(program, folder / f"store-{number}", history=history, labels=its_labels))
            for number, (history, its_labels) in enumerate(zip(histories, labels, strict=True))
        ]
        yield Cluster(program=program, folder=folder, past=past, stores=stores, stack=stack)


def last_minute() -> Past:
    """A past that ended a moment ago."""
    return Past(end=time.time() // 60 * 60)


@contextmanager
def regions(shop: Workshop, *, worse: bool = False) -> Iterator[Cluster]:
    """Two regions with pods of their own; where it is `worse`, the canaries of the second have errors."""
    past = last_minute()
    histories = [past.text(seed=7), past.text(seed=8, worse=worse)]
    with cluster(shop, labels=[{"region": "east"}, {"region": "west"}], histories=histories, past=past) as found:
        yield found


def without(text: str, begins: float, ends: float, *, later: float = 0.0) -> str:
    """A history in which nothing was scraped from `begins` to `ends`, and everything else `later` seconds later."""
    lines = []
    for line in text.splitlines():
        if line.startswith("#"):
            lines.append(line)
            continue
        sample, _, at = line.rpartition(" ")
        if not begins <= float(at) < ends:
            lines.append(f"{sample} {float(at) + later:.3f}")
    return "\n".join([*lines, ""])


@contextmanager
def replicas(shop: Workshop, *histories: str, past: Past) -> Iterator[Cluster]:
    """A pair of servers that scrape the same pods."""
    labels = [{"cluster": "one", "replica": name} for name in "ab"]
    with cluster(shop, labels=labels, histories=histories, past=past) as found:
        yield found


def joined(texts: Sequence[str]) -> str:
    """Several histories as one: families must not come twice."""
    families: dict[str, list[str]] = {}
    for text in texts:
        head = ""
        for line in text.splitlines():
            if line.startswith("# TYPE"):
                head = line
                families.setdefault(head, [])
            elif line != "# EOF":
                families[head].append(line)
    return "\n".join([*(line for head, lines in families.items() for line in (head, *lines)), "# EOF", ""])
