"""What is shipped: the wheel, the image's recipe, and the script that checks a checkout from nothing."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
import zipfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.image import instructions

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def stages() -> list[list[tuple[str, str]]]:
    split: list[list[tuple[str, str]]] = []
    for instruction in instructions():
        if instruction[0] == "FROM":
            split.append([])
        if split:  # before the first stage stands only what the base image is
            split[-1].append(instruction)
    return split


@pytest.fixture(scope="module")
def runtime(stages) -> dict[str, list[str]]:
    """The last stage: instruction → its arguments."""
    found: dict[str, list[str]] = {}
    for word, rest in stages[-1]:
        found.setdefault(word, []).append(rest)
    return found


@pytest.fixture(scope="module")
def environment(runtime) -> dict[str, str]:
    return dict(pair.split("=", 1) for block in runtime["ENV"] for pair in shlex.split(block))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built as the image's build stage builds it."""
    return build_wheel(tmp_path_factory)


def build_wheel(tmp_path_factory) -> Path:
    if find_spec("pip") is None:
        pytest.skip("needs pip in this environment")
    command = next(part for word, rest in instructions() if word == "RUN" for part in rest.split("&&") if "pip wheel" in part)
    options = [option for option in shlex.split(command) if option in {"--no-deps", "--no-build-isolation"}]
    assert len(options) == 2

    built = tmp_path_factory.mktemp("dist")
    source = tmp_path_factory.mktemp("source")
    # The build stage has what it copies; a checkout has these two besides, and they must change nothing.
    copied = [name for word, rest in instructions() if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]]
    for name in (*copied, "tests", ".gitignore"):
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    pip_wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--disable-pip-version-check", *options]
    done = subprocess.run(
        [*pip_wheel, "--wheel-dir", str(built), str(source)],
        env={**os.environ, "SOURCE_DATE_EPOCH": "1767225600"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_with_its_data(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [path for path in (ROOT / "judge").rglob("*") if path.is_file() and path.suffix not in {".pyc", ".sqlite"}]

    assert "judge/py.typed" in names
    assert any(name.startswith("judge/demo/") for name in names)
    assert {str(path.relative_to(ROOT)) for path in data} - names == set()


def test_the_wheel_holds_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0] for name in names} == {"judge", f"canary_judge-{PROJECT['version']}.dist-info"}


def test_the_wheel_is_the_same_wherever_and_whenever_it_is_built(wheel, tmp_path_factory):
    assert build_wheel(tmp_path_factory).read_bytes() == wheel.read_bytes()


def test_the_wheel_carries_its_licence_and_its_command(wheel):
    archive = zipfile.ZipFile(wheel)
    info = f"canary_judge-{PROJECT['version']}.dist-info"

    assert "Apache License" in archive.read(f"{info}/licenses/LICENSE").decode()
    assert "judge = judge.cli.main:main" in archive.read(f"{info}/entry_points.txt").decode()


def test_every_source_and_store_named_by_an_extra_is_optional():
    wanted = " ".join(PROJECT["dependencies"])

    assert set(PROJECT["optional-dependencies"]) == {"dask", "jwt", "otel", "parquet", "postgres"}
    assert "pyarrow" not in wanted
    assert "psycopg" not in wanted


def test_the_image_is_built_on_one_base_that_a_release_names_by_its_digest(stages):
    bases = [dict(stage)["FROM"].split()[0] for stage in stages]

    assert next(rest for word, rest in instructions() if word == "ARG") == "BASE=python:3.13-slim"
    assert bases == ["${BASE}", "${BASE}", "scratch"]


def test_the_image_says_what_it_is(runtime):
    labels = dict(pair.split("=", 1) for pair in shlex.split(runtime["LABEL"][0]))

    assert labels["org.opencontainers.image.title"] == PROJECT["name"]
    assert labels["org.opencontainers.image.version"] == PROJECT["version"]
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]
    assert labels["org.opencontainers.image.description"].rstrip(".") in PROJECT["description"]


def test_the_image_takes_only_locked_packages(stages):
    installs = [part.strip() for word, rest in stages[0] if word == "RUN" for part in rest.split("&&") if "pip install" in part]

    assert len(installs) == 2
    assert "--require-hashes -r requirements.txt" in installs[0]
    assert "--no-deps" in installs[1]
    assert not [rest for word, rest in stages[-1] if word == "RUN" and "pip" in rest]


def test_the_image_carries_no_sources_and_no_builder(stages):
    copies = [rest for word, rest in stages[-1] if word == "COPY"]

    assert copies == ["--from=trimmed / /", "--from=build --chown=10001:10001 /volume/ /"]
    assert [rest for word, rest in stages[1] if word == "COPY"] == [
        "--from=build /etc/passwd /etc/group /etc/",
        "--from=build /opt/judge /opt/judge",
        "--from=build /etc/judge /etc/judge",
    ]


def test_nothing_is_done_in_the_last_stage(runtime):
    assert "RUN" not in runtime


def test_the_image_does_not_run_as_root(runtime):
    assert runtime["USER"] == ["10001:10001"]


def test_the_image_writes_only_to_its_volume_and_to_memory(runtime, environment):
    archive = environment["JUDGE_ARCHIVE_URL"].removeprefix("sqlite:///")

    assert runtime["VOLUME"] == ["/data"]
    assert Path(archive).is_relative_to("/data")
    assert environment["TMPDIR"] == "/dev/shm"
    assert shlex.split(environment["GUNICORN_CMD_ARGS"]) == ["--worker-tmp-dir", "/dev/shm"]
    assert environment["PYTHONDONTWRITEBYTECODE"] == "1"


def test_the_image_serves_its_own_configs(runtime, environment):
    assert environment["JUDGE_CONFIG_DIR"] == "/etc/judge/configs"
    assert runtime["EXPOSE"] == ["8080"]
    assert json.loads(runtime["ENTRYPOINT"][0]) == ["judge"]
    assert json.loads(runtime["CMD"][0]) == ["serve", "--host", "0.0.0.0", "--port", "8080"]


def test_everything_the_image_copies_is_let_through():
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied = {name for word, rest in instructions() if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]}

    assert "*" in ignored
    assert copied == {line[1:] for line in ignored if line.startswith("!")}


@pytest.mark.parametrize(("status", "healthy"), [pytest.param(200, True, id="200 is healthy"), pytest.param(503, False, id="503 is not")])
def test_the_health_check_asks_the_service(runtime, status, healthy):
    asked = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    command = json.loads(runtime["HEALTHCHECK"][0].partition("CMD ")[2])
    with HTTPServer(("127.0.0.1", 0), Service) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            script = command[2].replace(":8080/", f":{server.server_port}/")
            environment = {**os.environ, "http_proxy": "http://127.0.0.1:9"}
            done = subprocess.run([sys.executable, command[1], script], env=environment, capture_output=True, check=False)
        finally:
            server.shutdown()
            thread.join()

    assert asked == ["/healthz"]
    assert (done.returncode == 0) is healthy


README = """# A project

## Try it

```bash
{try_it}
```

Words, and another block elsewhere:

## Test it

```
{test_it}
```

## Afterwards

```
not this one
```
"""


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A committed repository with .ci/run, on a machine that has every package already."""
    if shutil.which("git") is None:
        pytest.skip("needs git (package git)")
    root = tmp_path / "checkout"
    (root / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", root / ".ci" / "run")
    # README's command would have made this environment; here it only says what it was told.
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").write_text(
        '#!/bin/sh\necho "python $*"\ncase "$*" in *"${FAILING:-nothing}"*) exit 5;; esac\n', encoding="utf-8"
    )
    (root / ".venv" / "bin" / "python").chmod(0o755)
    tools = tmp_path / "tools"
    tools.mkdir()
    # A real dpkg-query would tell what this machine lacks, and a real apt-get would install it.
    for name, script in {"dpkg-query": "printf installed", "apt-get": "exit 100"}.items():
        (tools / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (tools / name).chmod(0o755)
    return root


def run_ci(root: Path, readme: str, *options: str, failing: str = "nothing") -> subprocess.CompletedProcess[str]:
    (root / "README.md").write_text(readme, encoding="utf-8")
    git = ["git", "-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    for command in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "A checkout"]):
        subprocess.run([*git, *command], cwd=root, check=True, capture_output=True)
    environment = {**os.environ, "PATH": f"{root.parent / 'tools'}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("JUDGE_REQUIRE_SERVERS", None)
    environment["FAILING"] = failing
    return subprocess.run(
        [str(root / ".ci" / "run"), *options], env=environment, input="typed\n", capture_output=True, text=True, check=False
    )


def test_ci_runs_both_commands_word_for_word(checkout):
    test_it = 'echo "servers=$JUDGE_REQUIRE_SERVERS ci=$CI" && pwd && ! read -r line && touch tested'
    try_it = "pwd && test -f README.md && test ! -e tested && echo 'tried it'"

    done = run_ci(checkout, README.format(test_it=test_it, try_it=try_it))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "servers=1 ci=true" in done.stdout
    assert (checkout / "tested").exists()
    assert "tried it" in done.stdout
    assert done.stdout.count(f"{checkout}\n") == 1
    assert re.search(r"== Test it: done after \d+ s", done.stdout)


def test_ci_ends_with_the_extended_tests_and_their_closing_line(checkout):
    done = run_ci(checkout, README.format(test_it="true", try_it="true"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"== Go programs: done after \d+ s", done.stdout)
    assert done.stdout.splitlines()[-1] == "python -m pytest -m timed"


def test_ci_fails_when_an_extended_test_does(checkout):
    done = run_ci(checkout, README.format(test_it="true", try_it="true"), failing="pytest -m extended")

    assert done.returncode == 5


def test_ci_looks_for_faults_of_ours_and_of_what_we_depend_on(checkout):
    done = run_ci(checkout, README.format(test_it="true", try_it="true"), "--strict")
    said = done.stdout.splitlines()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "python -m bandit --quiet --configfile pyproject.toml --recursive judge" in said
    assert "python .ci/audit --strict" in said


@pytest.mark.parametrize("failing", ["bandit", "audit"])
def test_ci_fails_when_they_find_something(checkout, failing):
    done = run_ci(checkout, README.format(test_it="true", try_it="true"), failing=failing)

    assert done.returncode == 5
    assert f"== {failing.title()}: FAILED with status 5" in done.stdout


@pytest.mark.parametrize(
    ("test_it", "try_it", "message"),
    [
        pytest.param("exit 3", "true", "== Test it: FAILED with status 3", id="the tests fail"),
        pytest.param("true", "exit 4", "== Try it: FAILED with status 4", id="the demo fails"),
        pytest.param("false && true", "true", "== Test it: FAILED with status 1", id="the first part of a chain fails"),
    ],
)
def test_ci_fails_when_a_step_fails(checkout, test_it, try_it, message):
    done = run_ci(checkout, README.format(test_it=test_it, try_it=try_it))

    assert done.returncode != 0
    assert message in done.stdout


@pytest.mark.parametrize(
    "readme",
    [
        pytest.param(README.replace("## Test it", "## Testing"), id="no such heading"),
        pytest.param(README + "\n## Test it\n\n```\ntrue\n```\n", id="the heading twice"),
        pytest.param(README.replace("{test_it}", "true\ntrue"), id="two commands in the block"),
        pytest.param(README.replace("## Afterwards", ""), id="two blocks under the heading"),
        pytest.param(README.replace("## Afterwards\n\n```\nnot this one", "```"), id="a second block, empty"),
        pytest.param(README.replace("{test_it}", ""), id="an empty block"),
        pytest.param(README.replace("```\n{test_it}\n```", "    {test_it}"), id="no fence"),
        pytest.param(README.removesuffix("```\n"), id="a fence that is never closed"),
    ],
)
def test_ci_refuses_a_readme_without_exactly_one_command(checkout, readme):
    done = run_ci(checkout, readme.replace("{test_it}", "touch tested").replace("{try_it}", "true"))

    assert done.returncode != 0
    assert 'README.md: "## Test it" must stand once' in done.stderr or 'README.md: "## Try it" must stand once' in done.stderr
    assert not (checkout / "tested").exists()
