"""Stories happen in a real Prometheus, are judged by a real judge with the shipped configs, and end as Argo's own code decides."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.argo.argo import Argo, build, running
from tests.argo.runs import Judge, answers, begin
from tests.integration.service import fetch
from tests.servers import prometheus
from tests.stories.world import Story, openmetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
GATE = 35 * 60.0
"""Seconds after which a gate is reached that stands behind the steps of the stories."""


@pytest.fixture(scope="session")
def argo(request: pytest.FixtureRequest) -> Iterator[Argo]:
    """Argo, in the release that the documentation speaks of."""
    with running(build(request.config.cache.mkdir("argo-client"), "released"), "released") as client:
        yield client


@pytest.fixture(scope="session")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped configs."""
    folder = tmp_path_factory.mktemp("story-configs")
    for path in (ROOT / "configs").glob("*.yaml"):
        if path.name != "server.yaml":
            shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def judge(request: pytest.FixtureRequest, configs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    """A judge in front of a Prometheus that saw every story of the module."""
    folder = tmp_path_factory.mktemp("stories")
    told = [value for value in vars(request.module).values() if isinstance(value, Story)]
    with (
        prometheus(folder / "prometheus", blocks=openmetrics(told)) as source,
        Judge(folder, prometheus=source, configs=configs) as running,
    ):
        yield running


class Teller:
    """Runs the shipped templates over a story."""

    def __init__(self, argo: Argo, judge: Judge) -> None:
        self._argo, self._judge = argo, judge

    def watch(self, story: Story, config: str = "http-service") -> dict[str, Any]:
        """From the canary's first minute on, until the AnalysisRun has ended."""
        self.begin(story, config)
        return self._argo.until()

    def gate(self, story: Story, config: str = "http-service", *, after: float = GATE) -> dict[str, Any]:
        """One look, when the steps are through."""
        self.begin(story, config, name="judge-gate", after=after)
        return self._argo.until()

    def begin(self, story: Story, config: str = "http-service", *, name: str = "judge-watch", after: float = 0) -> None:
        """Begin an AnalysisRun; time does not go by yet."""
        template = (ROOT / "configs" / "argo" / f"{name}.yaml").read_text(encoding="utf-8")
        if config == "kubernetes-resources":  # what it knows is about pods, whatever runs in them
            template = template.replace('            service: "{{args.service}}"\n', "")
        begin(self._argo, template, {"judge": self._judge.url, "config": config}, story, after=after)

    def regressed(self, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """What was worse on the canary in the last answer, by metric."""
        record = fetch(f"{self._judge.url}/v1/verdicts/{answers(run)[-1]['id']}")
        return {result["name"]: result for result in record["verdict"]["results"] if result["classification"] in {"high", "low"}}


@pytest.fixture
def tell(argo: Argo, judge: Judge) -> Teller:
    """Tells a story."""
    return Teller(argo, judge)
