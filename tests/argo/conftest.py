"""Argo's code, a real judge and a real Prometheus whose histories end when the client has been built."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.argo.argo import Argo, build, running
from tests.history import openmetrics, rollouts
from tests.integration.service import serving
from tests.servers import prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.history import Rollout

ROOT = Path(__file__).parent.parent.parent
GUIDE = ROOT / "docs" / "argo.md"
SCENARIOS = ("healthy", "errors", "latency", "quiet")


@pytest.fixture(scope="session")
def argo_program(request: pytest.FixtureRequest) -> Path:
    """The client, built from Argo's released module."""
    return build(request.config.cache.mkdir("argo-client"))


@pytest.fixture(scope="module")
def argo(argo_program: Path) -> Iterator[Argo]:
    """The running client."""
    with running(argo_program) as client:
        yield client


@pytest.fixture(scope="module")
def shops(argo_program: Path) -> dict[str, Rollout]:
    """Rollouts that have just happened: the templates ask about what is now, so the histories end now."""
    assert argo_program
    return rollouts(SCENARIOS, end=time.time() // 60 * 60)


@pytest.fixture(scope="module")
def shops_prometheus(shops: dict[str, Rollout], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Prometheus that holds them."""
    text = openmetrics((side for each in shops.values() for side in (each.baseline, each.canary)), seed=11)
    with prometheus(tmp_path_factory.mktemp("argo-prometheus"), blocks=text) as url:
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
