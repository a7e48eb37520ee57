"""Console blocks are run as a reader would type them, all of a page in one shell and one folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.docs.curl import INSTEAD
from tests.docs.pages import ELLIPSIS, ROOT, Block, Step, blocks, steps
from tests.servers import free_port, get, process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECONDS = 900
"""A guard against a hang, however busy the machine."""
_MARK = "\x1e"
_ULID = re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """A step with what it really printed."""

    block: Block
    step: Step
    printed: str

    @property
    def fits(self) -> bool:
        """The page says what was printed."""
        if "--help" in self.step.command:
            # Where click breaks its lines is no promise of ours.
            return self.step.said.split() == self.printed.split()
        said = _document(self.step.said)
        return alike(said, _document(self.printed)) if said is not None else matches(self.step.said, self.printed)


def run_page(page: Path, folder: Path) -> list[Ran]:
    """Run every console block of a page in `folder`, which gets what a checkout has and the page's own files."""
    found = [(block, step) for block in blocks(page, "console") for step in steps(block)]
    shutil.copytree(ROOT / "judge" / "demo", folder / "judge" / "demo")
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copytree(ROOT / "tests" / "data", folder / "tests" / "data")
    for block in blocks(page):
        if block.file:
            (folder / block.file).write_text(block.text, encoding="utf-8")
    environ = _environment(folder / "bin")
    with ExitStack() as stack:
        if any(step.command.startswith("curl ") for _, step in found):
            environ[INSTEAD] = stack.enter_context(serving(folder))
        outputs = _run([step.command for _, step in found], environ, folder)
    return [Ran(block=block, step=step, printed=out) for (block, step), out in zip(found, outputs, strict=True)]


def _environment(tools: Path) -> dict[str, str]:
    """The commands of the pages, whether they are installed or not, and a terminal of 80 columns."""
    tools.mkdir()
    for name, module in {"judge": "-P -m judge", "curl": "-m tests.docs.curl"}.items():
        (tools / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {module} "$@"\n', encoding="utf-8")
        (tools / name).chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("JUDGE_")}
    path = os.pathsep.join([str(tools), kept.get("PATH", os.defpath)])
    return {**kept, "PATH": path, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "80", "LC_ALL": "C.UTF-8"}


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """``judge serve`` on the recordings of the demo; answers its address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    ours = {"JUDGE_CONFIG_DIR": ROOT / "judge" / "demo", "JUDGE_ARCHIVE_URL": f"sqlite:///{folder / 'served.sqlite'}"}
    command = ["env", *(f"{name}={value}" for name, value in ours.items()), sys.executable]
    with process([*command, "-P", "-m", "judge", "serve", "--port", str(port)], folder / "serve.log", ready=lambda: get(f"{url}/readyz")):
        yield url


def _run(commands: list[str], environ: dict[str, str], folder: Path) -> list[str]:
    """Give all commands to one shell; ``$?`` is what the command before left."""
    lines = ["exec 2>&1", "status=0"]
    for command in commands:
        lines += [f"printf '\\036'; (exit $status)\n{command}\nstatus=$?"]
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)], cwd=folder, env=environ, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    outputs = done.stdout.split(_MARK)[1:]
    if len(outputs) != len(commands):
        pytest.fail(f"{len(outputs)} of {len(commands)} commands ran:\n{done.stdout}")
    return [out.rstrip("\n") for out in outputs]


def plain(output: str) -> str:
    """An output without what differs from run to run: ids and ports."""
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:8080", _ULID.sub("01…", output))


def matches(said: str, printed: str) -> bool:
    """Compare line by line; a line ``…`` stands for any number of lines."""
    parts: list[list[str]] = [[]]
    for line in plain(said).splitlines():
        if line.strip() == ELLIPSIS:
            parts.append([])
        else:
            parts[-1].append(line.rstrip())
    found = [line.rstrip() for line in plain(printed).splitlines()]
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return found == first
    if found[: len(first)] != first or len(found) < len(first) + len(last) or found[len(found) - len(last) :] != last:
        return False
    at, end = len(first), len(found) - len(last)
    for part in parts[1:-1]:
        while at + len(part) <= end and found[at : at + len(part)] != part:
            at += 1
        if at + len(part) > end:
            return False
        at += len(part)
    return True


def _document(output: str) -> Any:
    if not output.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(output)
    except ValueError:
        return None


def alike(said: Any, found: Any) -> bool:
    """Compare JSON: the same keys and values; ``"…"`` stands for any value, and as a last key or item for all that follow."""
    if said == ELLIPSIS:
        return True
    if isinstance(said, dict) and isinstance(found, dict):
        open_end = ELLIPSIS in said
        keys = set(said) - {ELLIPSIS}
        return (keys <= set(found) if open_end else keys == set(found)) and all(alike(said[key], found[key]) for key in keys)
    if isinstance(said, list) and isinstance(found, list):
        if said and said[-1] == ELLIPSIS:
            said, found = said[:-1], found[: len(said) - 1]
        return len(said) == len(found) and all(alike(one, other) for one, other in zip(said, found, strict=True))
    if isinstance(said, str) and isinstance(found, str):
        return re.fullmatch(".*".join(re.escape(part) for part in plain(said).split(ELLIPSIS)), plain(found), flags=re.DOTALL) is not None
    if isinstance(said, float) or isinstance(found, float):
        return not isinstance(found, str | bool | None) and found == pytest.approx(said, rel=1e-3)
    return type(said) is type(found) and said == found
