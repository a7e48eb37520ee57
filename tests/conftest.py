"""What every test shares: the options of the test run, two speeds, and an environment that says nothing of its own."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

from tests.demo_service import client, questions, service, settings

__all__ = ["client", "questions", "service", "settings"]

HERE = Path(__file__).parent
KEPT = ("JUDGE_REQUIRE_SERVERS", "JUDGE_STORES")
EXTENDED = frozenset({"argo", "benchmarks", "pages", "replicas", "stores", "stories", "test_notebooks.py"})
"""What takes minutes: programs built by Go, browsers, long faults, benchmarks, notebooks. Single tests elsewhere carry the marker."""
UNIT_SECONDS = 2.0
"""The most CPU time of a unit test. A busy machine leaves it as it is; wall time would not."""


def pytest_configure(config: pytest.Config) -> None:
    """Make a run repeatable: the same examples everywhere, and no setting from the caller's shell."""
    # A busy machine is slow, not wrong; and an example that fails once must fail again when someone looks.
    hypothesis.settings.register_profile("judge", deadline=None, derandomize=True, print_blob=True)
    hypothesis.settings.load_profile("judge")
    for name in [name for name in os.environ if name.startswith("JUDGE_") and name not in KEPT]:
        del os.environ[name]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the extended tests, before pytest reads the markers."""
    for item in items:
        if item.path.is_relative_to(HERE) and item.path.relative_to(HERE).parts[0] in EXTENDED:
            item.add_marker("extended")
        if item.path.parent == HERE / "benchmarks":
            item.add_marker("timed")


def cpu_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    return sum(os.times()[:4])


def check_speed(item: pytest.Item, seconds: float) -> None:
    """Fail a unit test that has taken more CPU time than it may."""
    if seconds > UNIT_SECONDS and not any(item.get_closest_marker(name) for name in ("extended", "integration")):
        pytest.fail(f"{seconds:.1f} s of CPU time; a unit test has {UNIT_SECONDS:g} s: make it smaller, or mark it extended", pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> object:
    """Look at the clock of the CPU before and after each test."""
    before = cpu_seconds()
    result = yield
    check_speed(item, cpu_seconds() - before)
    return result
