"""What every test shares: the options of the test run, and an environment that says nothing of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import hypothesis
import pytest

from tests.demo_service import client, questions, service, settings

__all__ = ["client", "questions", "service", "settings"]

KEPT = ("JUDGE_REQUIRE_SERVERS", "JUDGE_STORES")
WITH_GO = ("argo", "stories")
"""Folders whose tests need programs built by Go."""
WHOLE = 1000
"""Tests of a run that is worth building ahead for."""
BUILDING = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Make a run repeatable: the same examples everywhere, and no setting from the caller's shell."""
    # A busy machine is slow, not wrong; and an example that fails once must fail again when someone looks.
    hypothesis.settings.register_profile("judge", deadline=None, derandomize=True, print_blob=True)
    hypothesis.settings.load_profile("judge")
    for name in [name for name in os.environ if name.startswith("JUDGE_") and name not in KEPT]:
        del os.environ[name]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a run of everything, let what needs Go come last, and build it meanwhile."""
    if len(items) < WHOLE or config.option.collectonly:
        return
    here = Path(__file__).parent
    late = [item for item in items if item.path.is_relative_to(here) and item.path.relative_to(here).parts[0] in WITH_GO]
    if not late:
        return
    last = set(late)
    items[:] = [*(item for item in items if item not in last), *late]
    # By way of a shell that ends: tests look at this process' own children, and an ended one of them would be in their way.
    begin = 'setsid "$0" -m tests.prebuild </dev/null >/dev/null 2>&1 & echo $!'
    begun = subprocess.run(["sh", "-c", begin, sys.executable], cwd=here.parent, capture_output=True, text=True, check=True)
    config.stash[BUILDING] = int(begun.stdout)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no build behind."""
    building = config.stash.get(BUILDING, None)
    if building is not None:
        with suppress(ProcessLookupError):
            os.killpg(building, signal.SIGKILL)
