"""What every test shares: the options of the test run, and an environment that says nothing of its own."""

from __future__ import annotations

import os

import hypothesis
import pytest

KEPT = "JUDGE_REQUIRE_SERVERS"


def pytest_configure(config: pytest.Config) -> None:
    """Make a run repeatable: the same examples everywhere, and no setting from the caller's shell."""
    # A busy machine is slow, not wrong; and an example that fails once must fail again when someone looks.
    hypothesis.settings.register_profile("judge", deadline=None, derandomize=True, print_blob=True)
    hypothesis.settings.load_profile("judge")
    for name in [name for name in os.environ if name.startswith("JUDGE_") and name != KEPT]:
        del os.environ[name]
