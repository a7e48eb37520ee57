"""A running service that has watched two canaries, and a browser."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from judge.sources.dumps.read import load_dump
from judge.wire.request import format_time
from tests.pages.chromium import chromium
from tests.servers import free_port, get, process

DEMO = Path(__file__).parents[2] / "judge" / "demo"
STEP = 60.0
LOOKS = 8


@dataclass
class Judge:
    """A service: its address, and the ids of its verdicts on the bad and the healthy canary, look by look."""

    url: str
    archive: str
    bad: list[str] = field(default_factory=list)
    good: list[str] = field(default_factory=list)

    def ask(self, document: dict[str, Any]) -> dict[str, Any]:
        """Ask for a verdict."""
        request = urllib.request.Request(f"{self.url}/v1/verdict", data=json.dumps(document).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def judge(tmp_path_factory):
    """`judge serve` on the recorded canaries, asked about each of them as a rollout does."""
    folder = tmp_path_factory.mktemp("judge")
    port = free_port()
    archive = f"sqlite:///{folder / 'judge.sqlite'}"
    environ = {**os.environ, "JUDGE_CONFIG_DIR": str(DEMO), "JUDGE_ARCHIVE_URL": archive}
    found = Judge(url=f"http://127.0.0.1:{port}", archive=archive)
    command = [sys.executable, "-m", "judge", "serve", "--port", str(port)]
    with process(command, folder / "serve.log", ready=lambda: get(f"{found.url}/readyz"), environ=environ):
        for dump in load_dump(DEMO / "canaries.jsonl.gz"):
            asked = {key: dump.args[key] for key in ("baseline", "canary", "service", "rollout")}
            asked |= {"config": "http-service", "start": format_time(dump.start)}
            ids = found.bad if dump.id.endswith("bad") else found.good
            for look in range(1, LOOKS + 1):
                end = dump.start + STEP * round((dump.end - dump.start) / STEP * (look + 2) / (LOOKS + 2))
                ids.append(found.ask({**asked, "end": format_time(end), "look": str(look)})["id"])
        yield found


@pytest.fixture(scope="session")
def bad_question():
    """The question about the bad canary, without its look."""
    dump = next(dump for dump in load_dump(DEMO / "canaries.jsonl.gz") if dump.id.endswith("bad"))
    asked = {key: dump.args[key] for key in ("baseline", "canary", "service")}
    return {**asked, "config": "http-service", "start": format_time(dump.start), "end": format_time(dump.end)}


@pytest.fixture(scope="session")
def one_browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def browser(one_browser):
    """The browser, with nothing said or asked yet."""
    one_browser.driver.get("about:blank")
    one_browser.said()
    one_browser.hosts()
    return one_browser
