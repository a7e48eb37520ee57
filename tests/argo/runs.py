"""Whole AnalysisRuns over rollouts of the past: Argo's own controller asks, on a clock that jumps from look to look.

The judge has no such clock. It judges until the `end` that a question names, and the client adds Argo's time to each
question as it leaves; the templates are those of `configs/argo`, as they are.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self

from tests.integration.service import serving
from tests.servers import free_port

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from tests.argo.argo import Argo
    from tests.history import Rollout

BEGAN = 1_763_640_000.0
"""Unix seconds at which every canary of the past was started (2025-11-20 12:00 UTC), and with it its AnalysisRun."""
MINUTES = 40.0
"""How long it is seen: twenty looks of `judge-watch` take 31.5 minutes."""
END = BEGAN + 60 * MINUTES


class Judge:
    """A service that can be away for a while."""

    def __init__(self, directory: Path, *, prometheus: str, configs: Path) -> None:
        self._directory, self._prometheus, self._configs = directory, prometheus, configs
        self._port = free_port()
        self._running = ExitStack()
        self.url = f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Begin, or begin again with what is kept on disk."""
        self._running.enter_context(
            serving(self._directory, prometheus=self._prometheus, configs=self._configs, port=self._port, JUDGE_PUBLIC_URL=self.url)
        )

    def stop(self) -> None:
        """End it, as a node does that goes away."""
        self._running.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._running.close()


def begin(argo: Argo, template: str, args: dict[str, str], rollout: Rollout, *, after: float = 0, refused: int = 0) -> dict[str, Any]:
    """Begin an AnalysisRun of a template, so many seconds after the canary of this rollout was started."""
    hashes = {"stable": rollout.baseline.hash, "latest": rollout.canary.hash}
    return argo.begin(template, {"service": rollout.service, **args}, **hashes, at=BEGAN + after, refused=refused)


def phases(run: dict[str, Any]) -> list[str]:
    """What Argo made of each measurement, in order."""
    return [measured["phase"] for measured in run["measurements"]]


def answers(run: dict[str, Any]) -> list[dict[str, Any]]:
    """What the judge answered, measurement by measurement; errors have no answer."""
    return [json.loads(measured["value"]) for measured in run["measurements"] if measured["value"]]
