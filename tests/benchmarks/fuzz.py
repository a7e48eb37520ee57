"""Requests that nobody should send: ``python -m tests.benchmarks.fuzz [--requests 100000]``.

Made at random but from a seed: paths, query strings, headers and bodies of things that a service reads (JSON deep and
broken, huge numbers, unicode, markup, PromQL, paths out of the archive), at every door, with a token, a wrong one or none. What must
hold of every answer: no 5xx but 503, strict JSON or a page, nothing of a token or header repeated, no file but the
archive's touched.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flask import Flask

from judge.access.gate import digest_of
from judge.archive import open_archive
from judge.cli.demo import FOLDER
from judge.server.app import create_app
from judge.settings import Settings
from judge.sources.dumps.read import load_dump
from judge.sources.dumps.recorded import RecordedSettings
from judge.verdicts.service import Service
from tests.benchmarks.machine import machine

TOKEN = "a-token-" + "k" * 40
SECRET = "do-not-repeat-" + "s" * 30
NOW = 1_763_629_205.0
PATHS = (
    "/v1/verdict",
    "/v1/verdicts",
    "/v1/verdicts/{id}",
    "/v1/verdicts/{id}/labels",
    "/verdicts/{id}",
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/judge",
    "/canaryConfig",
    "/canaryConfig/{id}",
    "/canary/{id}",
    "/canary/executions",
    "/standalone_canary_analysis",
    "/standalone_canary_analysis/{id}",
    "/metricSetPairList/{id}",
    "/credentials",
    "/{id}",
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")
WORDS = (
    "",
    "http-service",
    "shop",
    "../../etc/passwd",
    "..%2f..%2fetc%2fpasswd",
    "%00",
    "\0",
    "<script>alert(1)</script>",
    '"}) or vector(1) #',
    "'; drop table judge_verdicts; --",
    "${hash}",
    "{{args.x}}",
    "NaN",
    "1e999",
    "-0",
    "9" * 400,
    "2025-11-20T08:30:00Z",
    "1763628000",
    "10m",
    "-5m",
    "null",
    "true",
    "\ud83e\udd89",
    "\u202egnp.exe",
    "é" * 300,
    "a" * 5000,
    "\r\nX-Injected: 1",
    "lmbjm2z2v",
    "r6cpj765v",
)
KEYS = (
    "config",
    "baseline",
    "canary",
    "service",
    "args",
    "rollout",
    "scope",
    "start",
    "end",
    "window",
    "look",
    "detail",
    "label",
    "by",
    "why",
    "limit",
    "before",
)


class Chance(random.Random):
    """Draws what a request may hold."""

    def word(self) -> str:
        """One of the known words, or characters at random."""
        if self.random() < 0.8:
            return self.choice(WORDS)
        return "".join(
            chr(self.choice((self.randint(1, 127), self.randint(128, 0xD7FF), self.randint(0x10000, 0x1FFFF))))
            for _ in range(self.randint(1, 30))
        )

    def value(self, depth: int = 0) -> Any:
        """Any JSON."""
        kind = self.randint(0, 9 if depth < 4 else 5)
        if kind <= 2:
            return self.word()
        if kind == 3:
            return self.choice((0, -1, 10**30, 1.5, -1e300, 5e-324))
        if kind == 4:
            return self.choice((None, True, False))
        if kind == 5:
            return ""
        if kind <= 7:
            return {self.choice((*KEYS, self.word())): self.value(depth + 1) for _ in range(self.randint(0, 5))}
        return [self.value(depth + 1) for _ in range(self.randint(0, 5))]

    def body(self, good: dict[str, str]) -> bytes:
        """A body: a question that is nearly right, any JSON, or no JSON at all."""
        kind = self.randint(0, 9)
        if kind <= 3:
            found: Any = {**good, self.choice((*KEYS, self.word())): self.value()}
        elif kind <= 6:
            found = self.value()
        elif kind == 7:
            depth = self.randint(10, 20_000)
            return b"[" * depth + b"]" * self.choice((0, depth))
        elif kind == 8:
            return self.choice(
                (b"", b"{", b"NaN", b'{"a":1,"a":2}', b"\xff\xfe", b"\x00" * 50, b"9" * 100_000, b'"' + b"x" * 200_000 + b'"')
            )
        else:
            return self.randbytes(self.randint(0, 200))
        return json.dumps(found, ensure_ascii=self.random() < 0.5).encode("utf-8", "surrogatepass")


def measure(count: int, *, seed: int = 1, callers: int = 1) -> tuple[Counter[int], list[str]]:
    """Send so many requests; how often each status came, and what was wrong.

    Several callers send at the same time with one token, which may have one question at work: the others are refused.
    """
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        own = ", questions_at_once: 1" if callers > 1 else ""
        (place / "tokens.yaml").write_text(
            f'tokens: [{{name: fuzz, sha256: "{digest_of(TOKEN)}", may: [ask, read, label, kayenta]{own}}}]', encoding="utf-8"
        )
        (place / "configs").mkdir()
        text = (FOLDER / "http-service.yaml").read_text(encoding="utf-8")
        (place / "configs" / "http-service.yaml").write_text(
            f"{text}\non_source_error: {'error' if callers > 1 else 'inconclusive'}\n", encoding="utf-8"
        )
        recording = FOLDER / "canaries.jsonl.gz"
        dump = load_dump(recording)[1]
        good = {"config": "http-service", "baseline": dump.args["baseline"], "canary": dump.args["canary"], "service": "shop"}
        good |= {"start": "2025-11-20T08:30:00Z", "end": "2025-11-20T09:00:00Z"}
        settings = Settings(sources={"default": RecordedSettings(type="dumps", path=str(recording))}, config_dir=place / "configs")
        settings = settings.model_copy(update={"archive_url": f"sqlite:///{place / 'judge.sqlite'}", "tokens_file": place / "tokens.yaml"})
        archive = open_archive(settings.archive_url)
        app = create_app(Service(settings, archive), clock=lambda: NOW)
        with ThreadPoolExecutor(callers) as pool:
            each = [pool.submit(send, app, Chance(seed + caller), count // callers, good, often=callers > 1) for caller in range(callers)]
            for found in each:
                counted, faulty = found.result()
                statuses += counted
                wrong += faulty
        archive.close()
        known = ("judge.sqlite", "tokens.yaml", "configs")
        strangers = sorted(each.name for each in place.iterdir() if not each.name.startswith(known))
        wrong += [f"a file was made: {name}" for name in strangers]
    logging.disable(logging.NOTSET)
    return statuses, wrong


def send(app: Flask, chance: Chance, count: int, good: dict[str, str], *, often: bool) -> tuple[Counter[int], list[str]]:
    """Send so many requests, one after the other; where questions come often, every second one is right, and about new minutes."""
    client = app.test_client()
    statuses: Counter[int] = Counter()
    wrong: list[str] = []
    for number in range(count):
        path = chance.choice(PATHS).replace("{id}", chance.choice((chance.word(), "01KAG67PPG4JW4X0A161XGQEMS")))
        method = "POST" if chance.random() < 0.4 else chance.choice(METHODS)
        bearer = chance.choice((TOKEN, TOKEN, TOKEN, SECRET, ""))
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        if chance.random() < 0.3:
            headers["X-Forwarded-User"] = headers["Cookie"] = SECRET
        kind = chance.choice(("application/json", "text/plain", "", "multipart/form-data; boundary=x"))
        query = {chance.choice((*KEYS, "x")): chance.word().encode("utf-8", "replace").decode() for _ in range(chance.randint(0, 3))}
        body = chance.body(good) if method in {"POST", "PUT", "PATCH"} else None
        if often and number % 2:
            path, method, bearer, headers, query = "/v1/verdict", "POST", TOKEN, {"Authorization": f"Bearer {TOKEN}"}, {}
            body = json.dumps({**good, "end": chance.randint(1_763_627_700, 1_763_629_200)}).encode()
        try:
            answer = client.open(path, method=method, query_string=query, headers=headers, data=body, content_type=kind)
        except (ValueError, UnicodeError):
            continue  # the client could not even send it
        statuses[answer.status_code] += 1
        wrong += [f"{number}: {method} {path[:80]!r}: {what}" for what in faults(answer, bearer)]
    return statuses, wrong


def faults(answer: Any, bearer: str) -> list[str]:
    """What is wrong with one answer."""
    found = []
    text = answer.get_data(as_text=True)
    if answer.status_code >= 500 and answer.status_code != 503:
        found.append(f"status {answer.status_code}: {text[:200]}")
    if SECRET in text or (bearer and bearer in text) or SECRET in str(answer.headers):
        found.append("a secret is repeated")
    if "X-Injected" in answer.headers:
        found.append("a header was injected")
    if answer.mimetype == "application/json" and text:
        try:
            json.loads(text, parse_constant=_refuse)
        except ValueError as error:
            found.append(f"not strict JSON: {error}")
    if answer.mimetype == "text/html" and "<script>alert(1)" in text:
        found.append("markup came through")
    if "root:x:0" in text:
        found.append("a file of the system was read")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--callers", type=int, default=1)
    chosen = parser.parse_args()
    began = time.monotonic()
    statuses, wrong = measure(chosen.requests, seed=chosen.seed, callers=chosen.callers)
    print(f"{sum(statuses.values()):,} requests in {time.monotonic() - began:.0f} s, seed {chosen.seed}; {machine()}")
    print(f"answers by status: {dict(sorted(statuses.items()))}")
    print(f"wrong: {len(wrong)}")
    for line in wrong[:20]:
        print(f"  {line}")


if __name__ == "__main__":
    main()
