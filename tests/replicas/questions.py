"""The same question to many replicas at the same instant: one answer, one id, one record."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.replicas.harness import Cluster

ALIKE = ("id", "verdict", "score", "reason", "window")


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One question, and what each caller heard."""

    number: int
    answers: list[dict[str, Any]]

    @property
    def is_one_answer(self) -> bool:
        """Everybody heard the same."""
        return len({json.dumps([answer[key] for key in ALIKE]) for answer in self.answers}) == 1

    @property
    def unkept(self) -> int:
        """Answers that said that they are not kept."""
        return sum("not kept" in answer["reason"] for answer in self.answers)


def ask_together(
    judges: Cluster, *, rounds: int, first: int = 1, ask: Callable[[int, dict[str, Any]], dict[str, Any]] | None = None
) -> list[Round]:
    """In each round every replica is asked the same at the same instant; each round is another question."""
    count = len(judges.replicas)
    barrier = threading.Barrier(count)

    def directly(place: int, question: dict[str, Any]) -> dict[str, Any]:
        return post(judges.replicas[place].url, question)

    def caller(place: int) -> list[dict[str, Any]]:
        heard = []
        for number in range(first, first + rounds):
            barrier.wait(timeout=60)
            heard.append((directly if ask is None else ask)(place, question_of(judges, number)))
        return heard

    with ThreadPoolExecutor(count) as pool:
        heard = list(pool.map(caller, range(count)))
    return [Round(number=first + number, answers=[each[number] for each in heard]) for number in range(rounds)]


def patiently(judges: Cluster) -> Callable[[int, dict[str, Any]], dict[str, Any]]:
    """Ask one's own replica, or the next one that answers."""

    def ask(place: int, question: dict[str, Any]) -> dict[str, Any]:
        for turn in range(600):
            try:
                return post(judges.replicas[(place + turn) % len(judges.replicas)].url, question)
            except OSError:
                time.sleep(0.05)
        raise TimeoutError(question)

    return ask


def question_of(judges: Cluster, number: int) -> dict[str, Any]:
    """The question of this number about the rollout of these judges: looks, then ends, then windows differ."""
    known = judges.rollout
    sides = {"baseline": known.baseline.hash, "canary": known.canary.hash}
    return {
        "config": "http-service",
        **sides,
        "service": known.canary.service,
        "end": str(known.canary.end - 60 * (number // 20 % 5)),
        "look": str(1 + number % 20),
        "window": f"{1500 + 15 * (number // 100 % 60)}s",
    }


def post(url: str, question: dict[str, Any], *, timeout: float = 10.0) -> dict[str, Any]:
    """Ask as Argo does."""
    request = urllib.request.Request(f"{url}/v1/verdict", data=json.dumps(question).encode(), method="POST")
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        found: dict[str, Any] = json.loads(answer.read())
        return found


def records(judges: Cluster) -> tuple[int, int]:
    """How many verdicts are kept, and how many questions they answer."""
    (verdicts,), (questions,) = judges.query("SELECT count(*) FROM judge_verdicts"), judges.query("SELECT count(*) FROM judge_questions")
    return verdicts[0], questions[0]
