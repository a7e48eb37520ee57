"""Builds what the Dockerfile describes without a container engine, and runs it as an engine would.

The stages are overlay file systems over this machine's own root, which stands for the base image: each RUN runs as it is
written, in its stage, and what it writes is the layer. Run it in a mount namespace of its own, as root:

    unshare --mount python -m tests.image WORK [--context FOLDER] [--requirements FILE] [--epoch SECONDS] [--serve]

It prints one JSON object: `files` of the last stage below /opt/judge and /etc/judge, and with ``--serve`` what the service answered.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

ROOT = Path(__file__).parent.parent
OURS = ("opt/judge", "etc/judge")
SYSTEM = ("proc", "dev", "sys")
PASSED_ON = re.compile(r"PIP_.+|.*_(proxy|PROXY)|SSL_CERT_.+|REQUESTS_CA_BUNDLE")
"""Of this machine's environment: how packages are fetched here."""


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, argument), comments dropped and continued lines joined."""
    lines = [line for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    return [(word.upper(), rest.strip()) for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())]


def run(*command: str | Path) -> None:
    subprocess.run([str(word) for word in command], check=True)


@dataclass(kw_only=True)
class Stage:
    """One stage: its merged view, and the folder that holds only what it wrote."""

    merged: Path
    upper: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "0:0"
    said: dict[str, str] = field(default_factory=dict)


class Builder:
    """Follows the Dockerfile, one stage after the other."""

    def __init__(self, work: Path, *, context: Path, requirements: Path, epoch: str) -> None:
        self.work = work
        self.context = context
        self.requirements = requirements
        self.arguments = {"BASE": "this machine", "SOURCE_DATE_EPOCH": epoch}
        self.stages: dict[str, Stage] = {}
        self.current: Stage | None = None

    def build(self) -> Stage:
        """Follow every instruction; answers the last stage."""
        for word, rest in instructions():
            if word == "FROM":
                base, *named = rest.split()
                self.current = self._begin(named[1] if named else "last", scratch=base == "scratch")
            elif word == "ARG" and self.current is None:
                continue
            else:
                assert self.current is not None
                getattr(self, f"_{word.lower()}", self._note(word))(self.current, rest)
        assert self.current is not None
        return self.current

    def _begin(self, name: str, *, scratch: bool) -> Stage:
        place = self.work / name
        upper, inner, merged = place / "upper", place / "work", place / "merged"
        for folder in (upper, inner, merged):
            folder.mkdir(parents=True)
        if scratch:
            # The one thing that is put into it first is all of another stage.
            merged.rmdir()
            stage = Stage(merged=merged, upper=upper)
        else:
            run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir=/,upperdir={upper},workdir={inner}", merged)
            for system in SYSTEM:
                run("mount", "--rbind", f"/{system}", merged / system)
            # Python may lie in root's own home here, as it does not in an image.
            home = Path(sys.base_prefix)
            for parent in (home, *home.parents):
                inside = merged / parent.relative_to("/")
                inside.chmod(inside.stat().st_mode | 0o755)
            stage = Stage(merged=merged, upper=upper, environment={"PATH": f"{home}/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
        self.stages[name] = stage
        return stage

    def _note(self, word: str):
        def note(stage: Stage, rest: str) -> None:
            stage.said[word] = rest

        return note

    def _arg(self, stage: Stage, rest: str) -> None:
        name, _, default = rest.partition("=")
        stage.environment[name] = self.arguments.get(name, default)

    def _env(self, stage: Stage, rest: str) -> None:
        for pair in shlex.split(rest):
            name, _, value = pair.partition("=")
            stage.environment[name] = re.sub(r"\$\{?(\w+)\}?", lambda found: stage.environment.get(found.group(1), ""), value)

    def _workdir(self, stage: Stage, rest: str) -> None:
        stage.folder = rest
        (stage.merged / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _user(self, stage: Stage, rest: str) -> None:
        stage.user = rest

    def _copy(self, stage: Stage, rest: str) -> None:
        *words, target = rest.split()
        options = dict(word[2:].split("=", 1) for word in words if word.startswith("--"))
        names = [word for word in words if not word.startswith("--")]
        if names == ["/"]:
            stage.merged, stage.upper = self.stages[options["from"]].merged, self.stages[options["from"]].upper
            return
        base = self.stages[options["from"]].merged if "from" in options else self.context
        inside = stage.merged / Path(stage.folder, target).relative_to("/")
        for name in names:
            source = self.requirements if name == "requirements.txt" and "from" not in options else base / name.lstrip("/")
            if not source.is_dir():
                inside.mkdir(parents=True, exist_ok=True) if target.endswith("/") else inside.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, inside / Path(name).name if target.endswith("/") else inside)
            else:
                shutil.copytree(
                    source,
                    inside,
                    symlinks=True,
                    dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns(*(() if "from" in options else ("__pycache__", "*.sqlite*"))),
                )
        if "chown" in options:
            user, _, group = options["chown"].partition(":")
            for entry in (self.stages[options["from"]].merged / names[0].lstrip("/")).iterdir():
                os.chown(inside / entry.name, int(user), int(group))

    def _run(self, stage: Stage, rest: str) -> None:
        environment = {name: value for name, value in os.environ.items() if PASSED_ON.fullmatch(name)} | stage.environment
        command = f"cd {shlex.quote(stage.folder)} && {{ {rest}\n}}"
        done = subprocess.run(
            ["chroot", stage.merged, "/bin/sh", "-c", command],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            sys.exit(f"RUN {rest}\n{done.stdout}{done.stderr}")


def listing(stage: Stage) -> dict[str, list[str | int]]:
    """What lies below our folders: path → kind, mode, owner, time and content."""
    found: dict[str, list[str | int]] = {}
    for part in OURS:
        top = stage.merged / part
        for path in (top, *sorted(top.rglob("*"))):
            told = path.lstat()
            kind = stat.S_IFMT(told.st_mode)
            content = str(path.readlink()) if path.is_symlink() else "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
            found[str(path.relative_to(stage.merged))] = [
                kind,
                stat.S_IMODE(told.st_mode),
                told.st_uid,
                told.st_gid,
                int(told.st_mtime),
                content,
            ]
    return found


def programs(stage: Stage) -> dict[str, str]:
    """Files on the usual paths of the last stage, with the first line of each that is a script."""
    folders = ("bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "opt/judge/bin")
    return {
        f"{folder}/{path.name}": path.read_bytes()[:200].split(b"\n")[0].decode(errors="replace") if not path.is_symlink() else ""
        for folder in folders
        for path in sorted((stage.merged / folder).glob("*"))
    }


def leave_the_network() -> None:
    """Go into a network namespace that has nothing but its own loopback device."""
    if ctypes.CDLL(None).unshare(0x40000000) != 0:  # CLONE_NEWNET
        sys.exit("this kernel gives no network namespace")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        fcntl.ioctl(one, 0x8914, struct.pack("16sh", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS, up and running


ENTER = """
import ctypes, json, os, sys
root, user, group, environment, *command = sys.argv[1:]
os.chroot(root)
os.chdir("/data")
os.setgroups([])
os.setresgid(int(group), int(group), int(group))
os.setresuid(int(user), int(user), int(user))
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
os.execvpe(command[0], command, json.loads(environment))
"""


def inside(stage: Stage, *command: str, **more: str) -> list[str]:
    """A command in the root of the last stage, as the image's user, who has no right and no way to get one."""
    user, _, group = stage.user.partition(":")
    return [sys.executable, "-c", ENTER, str(stage.merged), user, group, json.dumps(stage.environment | more), *command]


def serve(stage: Stage) -> dict[str, object]:
    """Run the image's own command on a read-only root, without a network, and ask it."""
    owner = (stage.merged / "data").stat()
    run("mount", "-o", "remount,ro", stage.merged)
    run("mount", "-t", "tmpfs", "-o", f"uid={owner.st_uid},gid={owner.st_gid},mode=755", "tmpfs", stage.merged / "data")
    leave_the_network()
    command = json.loads(stage.said["ENTRYPOINT"]) + json.loads(stage.said["CMD"])
    service = subprocess.Popen(
        inside(stage, *command, JUDGE_PROMETHEUS_URL="http://127.0.0.1:9"), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        began = time.monotonic()
        while (ready := ask("/readyz")) is None:
            if service.poll() is not None or time.monotonic() - began > 60:
                sys.exit(
                    f"the service does not answer: {service.communicate(timeout=600)[0].decode() if service.poll() is not None else ''}"
                )
            time.sleep(0.1)
        question = {"config": "http-service", "service": "shop", "baseline": "6f9c7b8d5", "canary": "7d4b9c6f8", "window": "5m"}
        verdict = ask("/v1/verdict", question)
        health = json.loads(stage.said["HEALTHCHECK"].partition("CMD ")[2])
        write = "import sys; open(sys.argv[1], 'w')"
        return {
            "ready": ready,
            "verdict": verdict,
            "kept": ask(f"/v1/verdicts/{verdict['id']}") is not None if verdict is not None else False,
            "healthy": subprocess.run(inside(stage, *health), check=False).returncode,
            "shell": subprocess.run(inside(stage, "python", "-c", "import os; os.system('true') and exit(3)"), check=False).returncode,
            "written": [
                path
                for path in ("/opt/judge/x", "/etc/x", "/x", "/tmp/x", "/data/x", "/dev/shm/x")
                if subprocess.run(inside(stage, "python", "-c", write, path), stderr=subprocess.DEVNULL, check=False).returncode == 0
            ],
        }
    finally:
        if service.poll() is None:
            service.send_signal(signal.SIGTERM)
            service.communicate(timeout=600)


def ask(path: str, question: dict[str, str] | None = None) -> dict[str, object] | None:
    """A JSON answer of the service; None where there is none."""
    body = None if question is None else json.dumps(question).encode()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:8080{path}", data=body, timeout=20) as answer:
            return json.load(answer)
    except (URLError, OSError):
        return None


def main() -> None:
    told = argparse.ArgumentParser(description=__doc__)
    told.add_argument("work", type=Path)
    told.add_argument("--context", type=Path, default=ROOT, help="the folder that is copied from")
    told.add_argument("--requirements", type=Path, default=ROOT / "requirements.txt")
    told.add_argument("--epoch", default="1767225600")
    told.add_argument("--serve", action="store_true")
    given = told.parse_args()
    # An overlay's own folder must not lie on another overlay, and nothing of it is to be kept.
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "tmpfs", given.work)
    last = Builder(given.work, context=given.context, requirements=given.requirements, epoch=given.epoch).build()
    found: dict[str, object] = {"files": listing(last), "programs": programs(last), "data": [(last.merged / "data").stat().st_uid]}
    if given.serve:
        found["service"] = serve(last)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
