"""Argo's own code as a client: built from `client/` once for each version, then driven line by line."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import REQUIRED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HERE = Path(__file__).parent
SOURCES = HERE / "client"
OLDEST_GO = (1, 26)
STANDARD_PLACE = "/usr/local/go/bin/go"
"""Where Go's own archive is unpacked; not always on the PATH."""

MODULE = "github.com/argoproj/argo-rollouts"
QUICKLY = ("-gcflags=all=-N -l -dwarf=false", "-trimpath", "-buildvcs=false", "-p=2")
"""Build flags of programs that live for a test: from nothing, Go takes a third less time for code that it need not make fast."""
VERSIONS = {"released": (), "newest": ("-modfile=newest.mod", "-tags=newest")}
"""What the client is built from: the release that the documentation speaks of, and the newest version (see `tests.argo.newest`)."""
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
        missing(f"{found} is too old ({told.strip()}): the newest Argo Rollouts needs {'.'.join(map(str, OLDEST_GO))}")
    return found


def go(*arguments: str, folder: Path = SOURCES) -> str:
    """Run the go command in a module, the client's where no other is named; what it prints."""
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"}
    # Several processes of a test run may want the same at once: one builds, and the others find it in Go's cache.
    # The lock is a file of our own: go itself locks go.mod, and would wait for us for ever.
    with (Path(tempfile.gettempdir()) / f"judge-tests-go-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([require_go(), *arguments], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"go {' '.join(arguments)}\n{done.stdout}{done.stderr}", pytrace=False)
    return done.stdout


def build(folder: Path, version: str) -> Path:
    """Build the client; quick where Go has built it before."""
    program = folder / f"argo-client-{version}"
    go("build", *VERSIONS[version], *QUICKLY, "-ldflags=-s -w", "-o", str(program), ".")
    return program


def module_folder(version: str) -> Path:
    """Where the sources of Argo are that the client is built from."""
    [modfile] = VERSIONS[version][:1] or [""]
    return Path(go("list", *filter(None, [modfile]), "-m", "-f", "{{.Dir}}", MODULE).strip())


class Argo:
    """A running client."""

    def __init__(self, running: subprocess.Popen[str], version: str) -> None:
        self._running = running
        self.version = version

    def ask(self, do: str, **fields: Any) -> Any:
        """Send one command; answers what came back, an `error` included."""
        self.send(do, **fields)
        return self.receive()

    def send(self, do: str, **fields: Any) -> None:
        """Send one command without waiting; no more of them than a pipe holds (64 KiB, and as much of answers)."""
        assert self._running.stdin is not None
        self._running.stdin.write(json.dumps({"do": do, **fields}) + "\n")
        self._running.stdin.flush()

    def receive(self) -> Any:
        """What came back to the first command that was sent and not received."""
        assert self._running.stdout is not None
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
        return self._told("measure", **self._run_of(template, args, stable, latest), patience=patience)

    def begin(self, template: str, args: Mapping[str, str], *, stable: str, latest: str, at: float, refused: int = 0) -> dict[str, Any]:
        """Begin an AnalysisRun at a time of the past (unix seconds), in the hands of Argo's own controller; answers how it stands.

        The next `refused` changes of it are refused by the API server, once the judge has been asked.
        """
        return self._told("begin", **self._run_of(template, args, stable, latest), at=at, refused=refused)

    def until(self, seconds: float = 0) -> dict[str, Any]:
        """Let time go by: to so many seconds after the beginning, or until the run has ended; answers how it stands."""
        return self._told("until", seconds=seconds)

    def terminate(self) -> dict[str, Any]:
        """End the run as a rollout does that is through with its steps; answers how it stands."""
        return self._told("terminate")

    def _run_of(self, template: str, args: Mapping[str, str], stable: str, latest: str) -> dict[str, Any]:
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
        return {"template": template, "args": given, "rollout": ROLLOUT, "stable": stable, "latest": latest}

    def _told(self, do: str, **fields: Any) -> Any:
        found = self.ask(do, **fields)
        if "error" in found:
            raise ValueError(found["error"])
        return found


@contextmanager
def running(program: Path, version: str) -> Iterator[Argo]:
    """Run the client until the block ends."""
    with subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Argo(process, version)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()
