"""Pin the newest Argo Rollouts that can be had: ``python -m tests.argo.newest``, then run the tests and read the differences.

Beside the release that `client/go.mod` names, the client is built from the newest version, which `client/newest.mod` names. That is the
head of master where the module proxy tells what it is, or else the newest release that the Go at hand can build. What both
need is raised to the same versions, so that Go compiles it once.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.argo.argo import MODULE, SOURCES, require_go

RELEASED, NEWEST = SOURCES / "go.mod", SOURCES / "newest.mod"
REPLACEMENTS = re.compile(r"^replace (\(.*?^\)|[^(\n]*)$\n*", re.MULTILINE | re.DOTALL)
REQUIREMENT = re.compile(r"^\t(?P<module>\S+) (?P<version>v\S+)", re.MULTILINE)


def go(*arguments: str) -> str:
    """Run the go command where it may change go.mod; what it prints, or `LookupError` with its words."""
    environ = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOWORK": "off", "CGO_ENABLED": "0"}
    done = subprocess.run([require_go(), *arguments], cwd=SOURCES, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LookupError(done.stderr.strip())
    return done.stdout


def numbers(version: str) -> tuple[int, ...]:
    """A version, or a Go release, in an order."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def newest() -> dict[str, str]:
    """What the proxy tells about the newest version that can be built here."""
    ours = numbers(go("env", "GOVERSION"))
    releases = [version for version in go("list", "-m", "-versions", MODULE).split()[1:] if "-" not in version]
    for version in ["master", *sorted(releases, key=numbers, reverse=True)]:
        try:
            found = json.loads(go("list", "-m", "-json", f"{MODULE}@{version}"))
        except LookupError as refused:
            print(f"{version}: {str(refused).splitlines()[0]}")
            continue
        [found["Go"]] = re.findall(r"^go (\S+)$", Path(found["GoMod"]).read_text(encoding="utf-8"), re.MULTILINE)
        if numbers(found["Go"]) <= ours:
            return found
        print(f"{version}: needs Go {found['Go']}")
    raise LookupError(f"no version of {MODULE} can be built with the Go at hand")


def required(text: str) -> dict[str, str]:
    """Modules and their versions."""
    return {found["module"]: found["version"] for found in REQUIREMENT.finditer(REPLACEMENTS.sub("", text))}


def pin(found: dict[str, str]) -> None:
    """Write both files anew."""
    replaced = "".join(match[0] for match in REPLACEMENTS.finditer(Path(found["GoMod"]).read_text(encoding="utf-8")))
    module = f"module canary-judge/tests/argo/client\n\ngo {found['Go']}\n\nrequire {MODULE} {found['Version']}\n\n"
    NEWEST.write_text(module + replaced, encoding="utf-8")
    go("mod", "tidy", f"-modfile={NEWEST.name}")
    raised = required(NEWEST.read_text(encoding="utf-8"))
    before = ""
    while before != (text := RELEASED.read_text(encoding="utf-8")):  # what is raised may bring others along
        before = text
        for name, version in required(text).items():
            if name != MODULE and numbers(raised.get(name, "")) > numbers(version):
                text = text.replace(f"\t{name} {version}", f"\t{name} {raised[name]}")
        RELEASED.write_text(REPLACEMENTS.sub("", text).rstrip() + "\n\n" + replaced, encoding="utf-8")
        go("mod", "tidy")


def main() -> None:
    """Find it, pin it, say so."""
    found = newest()
    pin(found)
    print(f"{MODULE} {found['Version']} of {found['Time']}")


if __name__ == "__main__":
    sys.exit(main())
