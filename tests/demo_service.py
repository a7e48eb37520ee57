"""A service on the recorded canaries that ship with the package."""

from __future__ import annotations

from pathlib import Path

import pytest

from judge.archive import open_archive
from judge.server.app import create_app
from judge.settings import Settings
from judge.sources.dumps.read import load_dump
from judge.sources.dumps.recorded import RecordedSettings
from judge.verdicts.service import Service

DEMO = Path(__file__).parents[1] / "judge" / "demo"
NOW = 1_763_629_205.0


@pytest.fixture(scope="session")
def questions():
    """The questions about the healthy and the bad canary."""
    found = {}
    for dump in load_dump(DEMO / "canaries.jsonl.gz"):
        asked = {"config": "http-service", "baseline": dump.args["baseline"], "canary": dump.args["canary"], "service": "shop"}
        found[dump.id.removeprefix("shop-")] = {**asked, "start": "2025-11-20T08:30:00Z", "end": "2025-11-20T09:00:00Z"}
    return found


@pytest.fixture
def settings(tmp_path):
    source = RecordedSettings(type="dumps", path=str(DEMO / "canaries.jsonl.gz"))
    return Settings(sources={"default": source}, config_dir=DEMO, archive_url=f"sqlite:///{tmp_path / 'judge.sqlite'}")


@pytest.fixture
def service(settings):
    archive = open_archive(settings.archive_url)
    yield Service(settings, archive)
    archive.close()


@pytest.fixture
def client(service):
    return create_app(service, clock=lambda: NOW).test_client()
