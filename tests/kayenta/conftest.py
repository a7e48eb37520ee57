"""Both stores, so that each test of Kayenta's executions holds for both."""

from __future__ import annotations

from tests.archive.conftest import server, url

__all__ = ["server", "url"]
