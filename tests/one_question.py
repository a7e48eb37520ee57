"""The same question asked by each way there is: over HTTP, by the commands, from a notebook, of its own dump."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from unittest import mock

from click.testing import CliRunner

from judge import notebook
from judge.archive import open_archive
from judge.cli.main import cli
from judge.server.app import create_app
from judge.settings import load_settings
from judge.verdicts.service import Service
from tests.demo_service import DEMO

HEALTHY = {"config": "http-service", "baseline": "4wz2bt6wx", "canary": "nwlqxqmdp", "service": "shop"}
PERIOD = {"start": "2025-11-20T08:30:00Z", "end": "2025-11-20T09:00:00Z"}


def command(*args):
    done = CliRunner().invoke(cli, [str(arg) for arg in args])
    assert done.exit_code in {0, 1}, done.output
    return done.output


def sides():
    return ["--baseline", HEALTHY["baseline"], "--canary", HEALTHY["canary"], "--arg", "service=shop"]


def by_run(**period):
    times = [word for name, value in period.items() for word in (f"--{name}", value)]
    return json.loads(command("run", "http-service", *sides(), *times, "--format", "json"))


def by_notebook(**period):
    return notebook.live("http-service", baseline=HEALTHY["baseline"], canary=HEALTHY["canary"], args={"service": "shop"}, **period)


def by_fetch(path, **period):
    times = [word for name, value in period.items() for word in (f"--{name}", value)]
    command("fetch", "http-service", *sides(), *times, "-o", path)
    return notebook.score(path)[0]


def by_http(url, **period):
    settings = load_settings()
    archive = open_archive(url)
    try:
        answer = create_app(Service(settings, archive)).test_client().post("/v1/verdict", json={**HEALTHY, **period})
        return answer.json
    finally:
        archive.close()


def ids() -> dict[str, str]:
    """Ask everywhere, with one archive; give the id of each answer."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/judge.sqlite"
        with mock.patch.dict(os.environ, JUDGE_CONFIG_DIR=str(DEMO), JUDGE_ARCHIVE_URL=url):
            return {
                "HTTP": by_http(url, **PERIOD)["id"],
                "run": by_run(**PERIOD)["id"],
                "notebook": by_notebook(**PERIOD)["id"],
                "score of its dump": by_fetch(Path(folder) / "saved.jsonl.gz", **PERIOD)["id"],
            }
