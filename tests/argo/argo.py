"""Argo's own code as a client: built from `client/` once, then driven line by line."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import REQUIRED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
SOURCES = HERE / "client"
OLDEST_GO = (1, 24)
STANDARD_PLACE = "/usr/local/go/bin/go"
"""Where Go's own archive is unpacked; not always on the PATH."""

MODULE = "github.com/argoproj/argo-rollouts"
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: shop
  namespace: default
"""


def missing(message: str) -> None:
    """Skip, or fail where nothing may be missing."""
    if os.environ.get(REQUIRED) == "1":
        pytest.fail(message)
    pytest.skip(message)


def require_go() -> str:
    """Find Go; without it the test skips, or fails where `JUDGE_REQUIRE_SERVERS` is 1."""
    found = next(filter(None, (shutil.which("go"), shutil.which(STANDARD_PLACE))), None)
    if found is None:
        missing("go is missing: Argo's own code is built with it")
        raise AssertionError
    told = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    version = tuple(int(part) for part in re.findall(r"\d+", told)[:2])
    if version < OLDEST_GO:
        missing(f"{found} is too old ({told.strip()}): Argo Rollouts needs 1.24")
    return found


def go(*arguments: str) -> str:
    """Run the go command in the client's module; what it prints."""
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"}
    done = subprocess.run([require_go(), *arguments], cwd=SOURCES, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"go {' '.join(arguments)}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


def build(folder: Path) -> Path:
    """Build the client; quick where Go has built it before."""
    program = folder / "argo-client"
    go("build", "-trimpath", "-buildvcs=false", "-p=2", "-ldflags=-s -w", "-o", str(program), ".")
    return program


def module_folder() -> Path:
    """Where the sources of the Argo release are that the client is built from."""
    return Path(go("list", "-m", "-f", "{{.Dir}}", MODULE).strip())


class Argo:
    """A running client."""

    def __init__(self, running: subprocess.Popen[str]) -> None:
        self._running = running

    def ask(self, do: str, **fields: Any) -> Any:
        """Send one command; answers what came back, an `error` included."""
        assert self._running.stdin is not None
        assert self._running.stdout is not None
        self._running.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self._running.stdin.flush()
        line = self._running.stdout.readline()
        if not line:
            raise RuntimeError(f"the client ended with status {self._running.wait()}")
        return json.loads(line)

    def measure(self, template: str, args: Mapping[str, str], *, stable: str, latest: str, patience: int = 0) -> list[dict[str, Any]]:
        """Measure each metric of a template once, as an AnalysisRun of a Rollout would.

        `args` are given as a Rollout gives them; the hashes, the name and the
        namespace come from the Rollout itself, where the template declares them.
        `patience` (seconds) replaces the 15 s that Argo waits for Kayenta.
        """
        declared = self.ask("json", yaml=template)["spec"]["args"]
        of_the_rollout = {
            "stable-hash": {"podTemplateHashValue": "Stable"},
            "canary-hash": {"podTemplateHashValue": "Latest"},
            "rollout": {"fieldRef": {"fieldPath": "metadata.name"}},
            "namespace": {"fieldRef": {"fieldPath": "metadata.namespace"}},
        }
        names = [arg["name"] for arg in declared]
        given = [{"name": name, "valueFrom": source} for name, source in of_the_rollout.items() if name in names and name not in args]
        given += [{"name": name, "value": value} for name, value in args.items()]
        found = self.ask("measure", template=template, args=given, rollout=ROLLOUT, stable=stable, latest=latest, patience=patience)
        if "error" in found:
            raise ValueError(found["error"])
        return found


@contextmanager
def running(program: Path) -> Iterator[Argo]:
    """Run the client until the block ends."""
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Argo(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
