"""Argo's code in two versions, a real judge and a real Prometheus whose histories end when the clients have been built."""

from __future__ import annotations

import re
import shutil
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.argo import runs
from tests.argo.argo import VERSIONS, Argo, build, running
from tests.history import openmetrics, rollout, rollouts
from tests.integration.service import serving
from tests.servers import prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.history import Rollout

ROOT = Path(__file__).parent.parent.parent
GUIDE = ROOT / "docs" / "argo.md"
SCENARIOS = ("healthy", "errors", "latency", "quiet")


@pytest.fixture(scope="session")
def argo_programs(request: pytest.FixtureRequest) -> dict[str, Path]:
    """The client, built from each version of Argo's module."""
    folder = request.config.cache.mkdir("argo-client")
    return {version: build(folder, version) for version in VERSIONS}


@pytest.fixture(scope="module", params=VERSIONS)
def argo(request: pytest.FixtureRequest, argo_programs: dict[str, Path]) -> Iterator[Argo]:
    """The running client of one version."""
    with running(argo_programs[request.param], request.param) as client:
        yield client


RELEASED_ALONE = pytest.mark.parametrize("argo", ["released"], indirect=True, scope="module")
"""For a test that waits long for something that is not Argo's."""


@pytest.fixture(scope="module")
def argos(argo_programs: dict[str, Path]) -> Iterator[list[Argo]]:
    """Running clients of all versions."""
    with ExitStack() as stack:
        yield [stack.enter_context(running(program, version)) for version, program in argo_programs.items()]


@pytest.fixture(scope="module")
def shops(argo_programs: dict[str, Path]) -> dict[str, Rollout]:
    """Rollouts that have just happened: the templates ask about what is now, so the histories end now."""
    assert argo_programs
    return rollouts(SCENARIOS, end=time.time() // 60 * 60)


@pytest.fixture(scope="module")
def shops_prometheus(shops: dict[str, Rollout], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus that holds them."""
    text = openmetrics((side for each in shops.values() for side in (each.baseline, each.canary)), seed=11)
    with prometheus(tmp_path_factory.mktemp("argo-prometheus"), blocks=text) as url:
        yield url


@pytest.fixture(scope="session")
def past() -> dict[str, Rollout]:
    """Rollouts of the past, at a time that is always the same."""
    return {name: rollout(name, end=runs.END, hours=1.5, canary_seconds=60 * runs.MINUTES) for name in SCENARIOS}


@pytest.fixture(scope="session")
def past_prometheus(past: dict[str, Rollout], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus that holds them."""
    text = openmetrics((side for each in past.values() for side in (each.baseline, each.canary)), seed=11)
    with prometheus(tmp_path_factory.mktemp("argo-past"), blocks=text) as url:
        yield url


@pytest.fixture(scope="session")
def configs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ready-made configs, those of this folder, and that of docs/argo.md."""
    folder = tmp_path_factory.mktemp("argo-configs")
    for path in (*(ROOT / "configs").glob("*.yaml"), *(Path(__file__).parent / "configs").iterdir()):
        if path.name != "server.yaml":
            shutil.copy(path, folder)
    [told] = re.findall(r"^```yaml\n(name: after-switch\n.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    (folder / "after-switch.yaml").write_text(told, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def judge_url(shops_prometheus: str, configs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real judge."""
    with serving(tmp_path_factory.mktemp("argo-judge"), prometheus=shops_prometheus, configs=configs) as url:
        yield url
