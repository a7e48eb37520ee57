"""Thanos and Mimir, each built from its own module where Go is there: Debian has neither. Prometheus 3 comes as for other tests.

Each is built inside a copy of its module as the proxy serves it, so that its own replacements and its own go.sum count.
From nothing that takes minutes of both cores; what it leaves in Go's cache makes the next time quick.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.argo.argo import QUICKLY, missing, require_go
from tests.integration.prometheus3 import build as build_prometheus

NICE = 15
"""Whoever builds for minutes lets everybody else go first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A Go program in a module that the proxy serves."""

    name: str
    module: str
    version: str
    released: str
    """The version in its makers' words."""
    tag: str
    """How its makers build it: Thanos made with another kind of labels is built, and crashes."""


THANOS = Program(name="thanos", module="github.com/thanos-io/thanos", version="v0.42.5", released="0.42.5", tag="slicelabels")
MIMIR = Program(
    name="mimir",
    module="github.com/grafana/mimir",
    version="v1.3.1-0.20260423142704-aced80d74930",  # Mimir's releases are no versions of its module
    released="3, of 23 April 2026",
    tag="stringlabels",
)
PROGRAMS = (THANOS, MIMIR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A program that is there, and the seconds it took to make it."""

    path: Path
    seconds: float


def build(folder: Path, program: Program) -> Built:
    """Build a program into a folder; what cannot be had skips, or fails where `JUDGE_REQUIRE_SERVERS` is 1."""
    began = time.monotonic()
    place = folder / f"{program.name}-source"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    source = _unpack(_download(program, place), place, program)
    _allow_this_go(source)
    path = folder / program.name
    _go("build", "-tags", program.tag, *QUICKLY, "-ldflags=-s -w", "-o", str(path), f"./cmd/{program.name}", folder=source, what=program)
    shutil.rmtree(place)
    return Built(path=path, seconds=time.monotonic() - began)


def _download(program: Program, folder: Path) -> Path:
    """The module's zip; Go checks it against the checksum database."""
    told = _go("mod", "download", "-json", f"{program.module}@{program.version}", folder=folder, what=program, allowed=(0, 1))
    found = json.loads(told if told.strip() else "{}")
    # Of a module that asks for a newer Go there is an error beside the zip.
    if "Zip" not in found or "Sum" not in found:
        missing(f"{program.module}@{program.version} cannot be had: {found.get('Error', 'Go says nothing')}")
    return folder / found["Zip"]


def _unpack(archive: Path, folder: Path, program: Program) -> Path:
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(folder)
    return folder / f"{program.module}@{program.version}"


def _allow_this_go(source: Path) -> None:
    """Lower what a module asks for to the Go that is there, within one minor version: there patches only mend."""
    asked = re.findall(r"^go (\d+\.\d+)(?:\.(\d+))?$", (source / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    [ours] = re.findall(r"go(\d+\.\d+)(?:\.(\d+))?", _run("env", "GOVERSION", folder=source.parent).stdout)
    if asked and asked[0][0] == ours[0]:
        lower = min(asked[0], ours, key=lambda version: int(version[1] if version[1] else 0))
        _run("mod", "edit", f"-go={'.'.join(filter(None, lower))}", "-toolchain=none", folder=source)


def _go(*arguments: str, folder: Path, what: Program, allowed: tuple[int, ...] = (0,)) -> str:
    done = _run(*arguments, folder=folder)
    if done.returncode not in allowed:
        missing(f"{what.name} {what.released} cannot be built: go {' '.join(arguments)}\n{done.stderr[-3000:]}")
    return done.stdout


def _run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off", "CGO_ENABLED": "0"}
    command = ["nice", "-n", str(NICE), require_go(), *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)


def build_all(folder: Path) -> dict[str, Built]:
    """Everything that the cells start, by name."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    newer = Built(path=build_prometheus(folder), seconds=time.monotonic() - began)
    return {"prometheus": newer, **{program.name: build(folder, program) for program in PROGRAMS}}
