"""What the service is made of: the SBOM, the advisories, bandit, and an image that is the same twice and runs with nothing else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.image import instructions

ROOT = Path(__file__).parent.parent
SBOM = ROOT / "sbom.cdx.json"
LOCK = (ROOT / "requirements.txt").read_text(encoding="utf-8")
WHOLE = "WHOLE_IMAGE"
"""Set: the image is built from every locked package, twice, and run (`.ci/image`); else from a few of them."""


def locked() -> dict[str, str]:
    """Every locked package: its name, and its part of the file."""
    parts = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", LOCK, flags=re.MULTILINE | re.DOTALL)
    return {re.match(r"[a-z0-9.-]+", part).group(): part for part in parts}


# The SBOM


@pytest.mark.extended
def test_the_sbom_is_that_of_the_lock(tmp_path):
    made = tmp_path / "made.json"
    subprocess.run([str(ROOT / ".ci" / "sbom"), str(made), sys.executable], check=True, capture_output=True)

    # Another release of the tool names itself differently; what it says of the packages is compared all the same.
    fresh, kept = (json.loads(path.read_text(encoding="utf-8")) for path in (made, SBOM))
    assert fresh["components"] == kept["components"], ".ci/sbom writes it anew"
    if kept["metadata"]["tools"]["components"][0]["version"] == version("cyclonedx-bom"):
        assert made.read_bytes() == SBOM.read_bytes()


def test_the_sbom_is_valid_and_names_every_locked_package():
    text = SBOM.read_text(encoding="utf-8")
    bom = json.loads(text)
    pinned = set(re.findall(r"^[a-z0-9.-]+==[^ ;]+", LOCK, flags=re.MULTILINE))

    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert {f"{one['name']}=={one['version']}" for one in bom["components"]} == pinned
    assert (
        bom["metadata"]["component"]["version"]
        == tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    )


def test_the_sbom_holds_no_time_number_or_address():
    bom = json.loads(SBOM.read_text(encoding="utf-8"))

    assert not {"serialNumber"} & set(bom)
    assert "timestamp" not in bom["metadata"]
    assert re.findall(r"\w+://\S+", SBOM.read_text(encoding="utf-8")) == [f'{bom["$schema"]}",']


# Advisories

FAKE = """
import json, os, sys
arguments = sys.argv
service = arguments[arguments.index("--vulnerability-service") + 1]
answer = json.loads(os.environ["ANSWERS"])[service]
if answer is None:
    sys.exit("no route to the advisories")
open(arguments[arguments.index("--output") + 1], "w").write(json.dumps({"dependencies": answer}))
sys.exit(int(any(one.get("vulns") for one in answer)))
"""
SOUND = {"name": "flask", "version": "3.1.0", "vulns": []}
UNKNOWN = {"name": "click", "skip_reason": "not found"}
BAD = {"name": "flask", "version": "3.1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.1"]}]}


@pytest.mark.parametrize(
    ("pypi", "osv", "status", "strict", "said"),
    [
        pytest.param([SOUND], None, 0, 0, "audited: 1 packages, PyPI's advisories: no known vulnerability", id="audited"),
        pytest.param([BAD], None, 1, 1, "VULNERABLE: flask 3.1.0: PYSEC-1, fixed in 3.1.1", id="vulnerable"),
        pytest.param([BAD, UNKNOWN], None, 1, 1, "VULNERABLE: flask", id="vulnerable, and something unknown"),
        pytest.param(None, [SOUND], 0, 0, "audited: 1 packages, OSV", id="the second service answers"),
        pytest.param([UNKNOWN], [BAD], 1, 1, "VULNERABLE: flask", id="the second service knows more"),
        pytest.param(None, None, 0, 3, "NOT AUDITED: OSV: no route to the advisories", id="nobody answers"),
        pytest.param(
            [SOUND, UNKNOWN],
            None,
            0,
            3,
            "NOT AUDITED: PyPI's advisories: nothing is known of 1 of 2 packages, click",
            id="a part is unknown",
        ),
        pytest.param([], [], 0, 3, "NOT AUDITED: requirements.txt was not held against any advisory", id="empty answers"),
    ],
)
def test_nothing_counts_as_audited_that_was_not(tmp_path, pypi, osv, status, strict, said):
    (tmp_path / "pip_audit.py").write_text(FAKE, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "ANSWERS": json.dumps({"pypi": pypi, "osv": osv})}
    for option, expected in (((), status), (("--strict",), strict)):
        done = subprocess.run(
            [sys.executable, str(ROOT / ".ci" / "audit"), *option], env=environment, capture_output=True, text=True, check=False
        )

        assert done.returncode == expected, done.stdout + done.stderr
        assert said in done.stdout
        assert ("NOT AUDITED" in done.stdout) == (strict == 3)


# Bandit


@pytest.mark.extended
def test_bandit_finds_nothing():
    done = subprocess.run(
        [sys.executable, "-m", "bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", "judge"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_rule_of_bandit_that_is_left_out_has_its_reason():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("skips = [", lines.index("[tool.bandit]"))
    skipped = lines[start + 1 : lines.index("]", start)]

    assert skipped
    assert [line for line in skipped if not line.partition("#")[2].strip()] == []


def test_every_line_that_bandit_lets_off_has_its_reason():
    let_off = [
        line for path in (ROOT / "judge").rglob("*.py") for line in path.read_text(encoding="utf-8").splitlines() if "# nosec" in line
    ]

    assert let_off
    assert [line for line in let_off if not re.search(r"# nosec B\d+ # (noqa: [A-Z0-9, ]+ - )?\w+", line)] == []


# The image


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Follow the Dockerfile; see tests/image.py."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root, for mounts of its own")
    if subprocess.run(["unshare", "--mount", "true"], check=False, capture_output=True).returncode != 0:
        pytest.skip("this machine gives no mount namespace")
    whole = os.environ.get(WHOLE)
    # One state of the sources for every build, whoever edits them meanwhile.
    context = tmp_path_factory.mktemp("context")
    for name in {name for word, rest in instructions() if word == "COPY" and "--from" not in rest for name in rest.split()[:-1]}:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, context / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, context)
    few = tmp_path_factory.mktemp("few") / "requirements.txt"
    # What builds the wheel, and two that have compiled and plain modules.
    few.write_text(
        "".join(
            part
            for name, part in locked().items()
            if "# via hatchling" in part or "#   hatchling" in part or name in {"hatchling", "editables", "markupsafe", "click"}
        ),
        encoding="utf-8",
    )

    def run(*more: str) -> dict:
        lock = ROOT / "requirements.txt" if whole else few
        command = [
            "unshare",
            "--mount",
            sys.executable,
            "-m",
            "tests.image",
            str(tmp_path_factory.mktemp("work")),
            "--context",
            str(context),
            "--requirements",
            str(lock),
            *more,
        ]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def image(build):
    return build(*(["--serve"] if os.environ.get(WHOLE) else []))


@pytest.mark.extended
def test_the_image_is_the_same_when_it_is_built_again(build, image):
    again = build()

    assert len(image["files"]) > 500
    assert {path for path in image["files"].keys() | again["files"].keys() if image["files"].get(path) != again["files"].get(path)} == set()


@pytest.mark.extended
def test_another_time_changes_nothing_but_the_times(build, image):
    again = build("--epoch", "1700000000")
    # pip notes the hash of our wheel, whose files carry the time.
    ours = {path for path in again["files"] if "canary_judge-" in path}
    without_time = [{path: [*told[:4], told[5]] for path, told in one["files"].items() if path not in ours} for one in (image, again)]

    assert without_time[0] == without_time[1]
    assert {told[4] for told in again["files"].values()} == {1_700_000_000}


@pytest.mark.extended
def test_the_image_holds_no_program_but_python_and_scripts_for_it(image):
    others = {path: first for path, first in image["programs"].items() if first != "#!/opt/judge/bin/python"}

    assert "opt/judge/bin/judge" in image["programs"]
    assert {path for path in others if not re.search(r"/(python[0-9.]*|[aA]ctivate[.a-z0-9]*)$", path)} == set()


@pytest.mark.extended
def test_everything_in_the_image_belongs_to_root_and_is_read_by_all(image):
    wrong = {
        path: oct(told[1]) for path, told in image["files"].items() if told[2:4] != [0, 0] or (told[1] & 0o7022 and told[0] != 0o120000)
    }

    assert wrong == {}
    assert image["data"] == [10001]


@pytest.mark.extended
def test_every_module_is_compiled_by_content(image):
    sources = {path for path in image["files"] if path.endswith(".py") and "/judge/" in path.partition("site-packages")[2]}
    compiled = {re.sub(r"__pycache__/(.+)\.cpython-\d+\.pyc$", r"\1.py", path) for path in image["files"] if path.endswith(".pyc")}

    assert sources
    assert sources <= compiled


@pytest.mark.extended
@pytest.mark.skipif(not os.environ.get(WHOLE), reason=f"takes minutes: .ci/image, or {WHOLE}=1")
def test_the_service_runs_with_nothing_else(image):
    found = image["service"]

    assert found["ready"]["ready"] is True
    assert len(found["ready"]["configs"]) == len(list((ROOT / "configs").glob("*.yaml"))) - 1 + len(list((ROOT / "configs").glob("*.json")))
    assert found["verdict"]["verdict"] == "inconclusive"
    assert found["kept"] is True
    assert found["healthy"] == 0
    assert found["shell"] == 3
    assert set(found["written"]) == {"/data/x", "/dev/shm/x"}
