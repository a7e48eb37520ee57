"""The house rules: style, types, import directions, sizes, and nothing of one machine in the files.

Each tool runs as a developer would run it; when it objects, its own words are the test's message.
"""

from __future__ import annotations

import ast
import contextlib
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from tests import house
from tests.conftest import UNIT_SECONDS, check_speed

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "judge").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
CORE = [path for path in MODULES if path.is_relative_to(ROOT / "judge" / "core")]
MOST_LINES = 400

# Spelled in two parts, so that this file does not hold what it looks for.
OF_ONE_MACHINE = ["/" + "work/", "/tmp/" + "venv", "/" + "root/", "/" + "opt/wheels", "pypi" + ".org", "files.pythonhosted" + ".org"]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def check(*command: str) -> None:
    """Run a tool; where it objects, fail with what it printed and nothing else."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}\n{done.stdout}{done.stderr}", pytrace=False)


def tracked() -> list[Path]:
    """Every file that is or may become part of the repository."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("needs git (package git)")
    if listed.returncode != 0:
        pytest.skip(f"not a git checkout: {listed.stderr.strip()}")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_ruff_has_no_objection():
    check(sys.executable, "-m", "ruff", "check", "--no-fix", "--output-format=concise", ".")


def test_the_code_is_formatted():
    check(sys.executable, "-m", "ruff", "format", "--check", "--output-format=concise", ".")


@pytest.mark.extended
def test_the_types_hold():
    check(sys.executable, "-m", "mypy", "--strict", "judge")


def test_imports_point_inward():
    check(str(Path(sys.executable).with_name("lint-imports")), "--no-cache", "--no-logo")


def test_no_module_is_too_long_to_read():
    lengths = {named(path): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}

    assert lengths
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_imports_go_in_no_circle():
    assert house.circles() == []


def test_folders_are_of_a_size_and_few_modules_are_loose():
    shares = {name: share for name, share in house.folders().items() if name != "core"}

    assert max(shares.values()) <= 0.12, shares
    assert len(house.loose()) <= 5


def test_a_file_name_repeats_for_parallel_things_alone():
    # Judges, the parts of Kayenta, commands and the use cases behind them, registries.
    assert len(house.repeated()) <= 5, house.repeated()


def test_a_front_end_translates_and_decides_nothing():
    """It asks no source, judges nothing and writes no record: `verdicts`, `calibrate` and `lint` do."""
    fronts = [path for path in MODULES if path.relative_to(ROOT / "judge").parts[0] in house.FRONT_ENDS]
    forbidden = ("judge.core.canary", "judge.sources", "judge.verdicts.records.write_record", "judge.wire.record")
    found = {named(path): wrong for path in fronts if (wrong := sorted(name for name in house.imports(path) if name.startswith(forbidden)))}

    assert fronts
    assert found == {}
    assert [named(path) for path in fronts if "write_record" in path.read_text(encoding="utf-8")] == []


def test_nothing_in_the_package_is_used_by_tests_alone():
    lonely = [name for name, users in house.importers().items() if not users and name not in {"judge", "judge.__main__"}]
    entries = {
        "judge.cli.main",  # the command
        "judge.archive.migrations.versions",  # Alembic reads the folder
    }

    packages = {".".join(name.split(".")[:depth]) for name in house.NAMES for depth in range(1, name.count(".") + 1)}
    assert [name for name in lonely if name not in entries | packages and not name.startswith("judge.archive.migrations.versions.")] == []
    assert house.unused() == []


def test_a_small_module_has_more_than_one_user():
    users = house.importers()
    small = [path for path in MODULES if path.name not in {"__init__.py", "__main__.py"} and house.lines(path) <= 30]
    lonely = [named(path) for path in small if len(users[house.dotted(path)]) == 1 and "versions" not in path.parts]

    assert lonely == []


def test_every_module_says_what_it_is():
    texts = {named(path): path.read_text(encoding="utf-8") for path in (*MODULES, *TESTS)}
    silent = [name for name, text in texts.items() if text and not text.startswith(('"""', 'r"""'))]

    assert silent == []


@pytest.mark.parametrize("path", CORE, ids=named)
def test_the_core_knows_no_clock_chance_or_log(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = {name.name.partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {(node.module or "").partition(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}

    assert imported & {"time", "random", "logging", "secrets", "datetime"} == set()
    assert attributes & {"random", "default_rng", "RandomState", "rvs"} == set()


def test_every_ignored_ruff_rule_has_its_reason():
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    start = lines.index("ignore = [")
    ignored = lines[start + 1 : lines.index("]", start)]

    assert ignored
    assert [line for line in ignored if not line.partition("#")[2].strip()] == []


def test_nothing_of_one_machine_is_in_the_repository():
    found = []
    for path in tracked():
        data = path.read_bytes()
        if path.suffix == ".gz":
            with contextlib.suppress(EOFError, gzip.BadGzipFile):  # a test may keep a broken one on purpose
                data = gzip.decompress(data)
        found += [f"{named(path)}: {text}" for text in OF_ONE_MACHINE if text.encode() in data]

    assert found == []


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_a_lock_file_holds_versions_and_hashes_and_no_address(name):
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pinned = [index for index, line in enumerate(lines) if line and line[0].isalnum()]

    assert pinned
    assert [lines[index] for index in pinned if "==" not in lines[index] or "--hash=sha256:" not in lines[index + 1]] == []
    assert [line for line in lines if "://" in line or " @ " in line or line.startswith(("-", "."))] == []


@pytest.mark.parametrize(
    ("markers", "seconds", "fails"),
    [
        pytest.param((), UNIT_SECONDS + 0.1, True, id="a unit test that is too slow"),
        pytest.param((), UNIT_SECONDS - 0.1, False, id="a unit test that is not"),
        pytest.param(("extended",), 60.0, False, id="an extended test"),
        pytest.param(("integration",), 60.0, False, id="a test of real servers"),
    ],
)
def test_a_unit_test_has_two_seconds_of_cpu_time(request, markers, seconds, fails):
    item = pytest.Function.from_parent(request.node.parent, name="some_test", callobj=lambda: None)
    for name in markers:
        item.add_marker(name)

    with pytest.raises(pytest.fail.Exception, match="make it smaller, or mark it extended") if fails else contextlib.nullcontext():
        check_speed(item, seconds)


def test_no_process_is_given_less_than_minutes():
    """What guards against a hang must not end a test because something else runs."""
    texts = {path: text for path in TESTS if "timeout=" in (text := path.read_text(encoding="utf-8"))}
    short = [
        f"{named(path)}:{call.lineno}"
        for path, text in texts.items()
        for call in ast.walk(ast.parse(text))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in {"run", "communicate"}
        for option in call.keywords
        if option.arg == "timeout" and isinstance(option.value, ast.Constant) and option.value.value < 120
    ]

    assert short == []
