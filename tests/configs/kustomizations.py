"""Kustomizations rendered by kustomize's own library, which is built from its Go module once."""

from __future__ import annotations

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.argo.argo import go
from tests.configs.manifests import documents
from tests.configs.questions import FOLDER

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCES = Path(__file__).parent / "kustomize"
DEPLOY = FOLDER / "deploy"
COMPONENTS = sorted(path.name for path in (DEPLOY / "components").iterdir())


def build(folder: Path) -> Path:
    """Build the renderer; quick where Go has built it before."""
    program = folder / "kustomize"
    go("build", "-trimpath", "-buildvcs=false", "-p=2", "-ldflags=-s -w", "-o", str(program), ".", folder=SOURCES)
    return program


class Kustomize:
    """Renders folders, and combinations of components."""

    def __init__(self, program: Path, work: Path) -> None:
        self._program = program
        self._work = work
        self.render = cache(self._render)

    def text(self, folder: Path) -> str:
        """Render a folder.

        Raises
        ------
        ValueError
            With kustomize's own words.
        """
        done = subprocess.run([self._program], input=f"{folder}\n", capture_output=True, text=True, check=True)
        answer = json.loads(done.stdout)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["yaml"]

    def _render(self, *components: str) -> list[dict[str, Any]]:
        """The base with these components."""
        return documents(self.text(self._combined(components)))

    def _combined(self, components: Sequence[str]) -> Path:
        if not components:
            return DEPLOY / "base"
        copy = self._work / "-".join(components)
        shutil.copytree(DEPLOY, copy / "deploy")
        overlay = copy / "deploy" / "overlays" / "combined"
        overlay.mkdir()
        document = {"resources": ["../../base"], "components": [f"../../components/{name}" for name in components]}
        (overlay / "kustomization.yaml").write_text(json.dumps(document), encoding="utf-8")
        return overlay
