"""A real ``judge serve`` with several named sources, one config for each, and what it answered."""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tests.servers import free_port, get, process

TIMEOUT = 10.0
"""Argo's own default: connect to last byte."""
NEVER = ("JUDGE_", "OTEL_")
SIDES = ("baseline", "canary", "baseline_total", "canary_total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One answer: its status, its JSON, and the kept record where there is one."""

    status: int
    answer: Mapping[str, Any]
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """The outcome, or the status of an answer that is no verdict."""
        return str(self.answer.get("verdict", self.status))

    @property
    def reason(self) -> str:
        """The reason, or the error."""
        return str(self.answer.get("reason", self.answer.get("error", "")))

    @property
    def classes(self) -> set[str]:
        """How the metrics were classified."""
        return {result["classification"] for result in self.record["verdict"]["results"]}

    @property
    def marked(self) -> str:
        """Where the verdict says that a part was missing: for the whole, and in the store's words for the metrics."""
        whole = any("in part only: what is missing may be what matters" in words for words in self.record["verdict"]["warnings"])
        metrics = [any(" warns: " in words for words in result["warnings"]) for result in self.record["verdict"]["results"]]
        if not whole and not any(metrics):
            return "no"
        return f"{'as a whole' if whole else 'not as a whole'}, {sum(metrics)} of {len(metrics)} metrics"

    @property
    def requests(self) -> tuple[float, float]:
        """Requests of both sides."""
        return self.record["traffic"]["baseline"], self.record["traffic"]["canary"]

    def differs(self, other: Told) -> float:
        """The largest relative difference between two answers' samples; infinite where they are not of the same times."""
        pairs = zip(self.record["samples"], other.record["samples"], strict=True)
        return max(_difference(ours[side], theirs[side]) for ours, theirs in pairs for side in SIDES if ours[side] is not None)


def _difference(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    if ours["t"] != theirs["t"]:
        return math.inf
    one, other = np.array(ours["v"], dtype=float), np.array(theirs["v"], dtype=float)
    size = np.maximum(np.abs(one), np.abs(other))
    return float(np.max(np.abs(one - other) / np.where(size > 0, size, 1.0), initial=0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A running judge."""

    url: str
    folder: Path
    question: Mapping[str, str]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self, config: str, *, token: str = "", **more: str) -> Told:
        """Ask as Argo's web provider does; every question is a new one."""
        asked = {**self.question, "config": config, "rollout": f"asked-{next(self.numbers)}", **more}
        status, answer = self.fetch("/v1/verdict", token=token, body=json.dumps(asked).encode())
        kept = "report" in answer and bool(answer["report"])
        record = self.fetch(f"/v1/verdicts/{answer['id']}", token=token)[1] if kept else {}
        return Told(status=status, answer=answer, record=record)

    def fetch(self, path: str, *, token: str = "", body: bytes | None = None) -> tuple[int, dict[str, Any]]:
        """Ask for a JSON document."""
        headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
        request = urllib.request.Request(f"{self.url}{path}", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    @property
    def log(self) -> str:
        """What it wrote so far."""
        return (self.folder / "judge.log").read_text(encoding="utf-8")


@contextmanager
def judging(
    folder: Path,
    *,
    sources: Mapping[str, Mapping[str, object]],
    config: str,
    question: Mapping[str, str],
    tokens: str = "",
    **environ: str,
) -> Iterator[Judge]:
    """Run the service with these sources, and for each the same config under the source's name.

    `config` is YAML without ``name`` and ``source``. With ``-or-503`` after its name it is there once more, and says
    ``on_source_error: error``.
    """
    folder.mkdir(parents=True)
    configs = folder / "configs"
    configs.mkdir()
    (configs / "server.yaml").write_text(json.dumps({"sources": sources}), encoding="utf-8")
    for source in sources:
        (configs / f"{source}.yaml").write_text(f"name: {source}\nsource: {source}\n{config}", encoding="utf-8")
        strictly = f"name: {source}-or-503\nsource: {source}\non_source_error: error\n{config}"
        (configs / f"{source}-or-503.yaml").write_text(strictly, encoding="utf-8")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ours = {"JUDGE_CONFIG_DIR": str(configs), "JUDGE_ARCHIVE_URL": f"sqlite:///{folder / 'judge.sqlite'}", **environ}
    if tokens:
        (folder / "tokens.yaml").write_text(tokens, encoding="utf-8")
        ours["JUDGE_TOKENS_FILE"] = str(folder / "tokens.yaml")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(NEVER)}
    command = [sys.executable, "-m", "judge", "serve", "--port", str(port), "--workers", "1"]
    with process(command, folder / "judge.log", ready=lambda: get(f"{url}/readyz"), environ={**clean, **ours}):
        yield Judge(url=url, folder=folder, question=question)
