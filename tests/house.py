"""The shape of the package in figures: ``python -m tests.house`` prints them, `tests.test_house` keeps them.

``python -m tests.house --against CHECKOUT`` judges the labelled canaries here and in another checkout, too, and compares the verdicts.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from werkzeug.routing import Rule

from judge.archive import open_archive
from judge.server.app import create_app
from judge.settings import Settings
from judge.verdicts.service import Service
from tests.one_question import ids

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "judge"
MODULES = sorted(PACKAGE.rglob("*.py"))
REAL = ROOT.parent / "shared" / "data" / "real_canaries"
FRONT_ENDS = ("cli", "server", "notebook")


def dotted(path: Path) -> str:
    """Name a module as imports do."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


NAMES = {dotted(path) for path in MODULES}


def lines(path: Path) -> int:
    """Count the lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def imports(path: Path, *, typing: bool = True) -> Iterator[str]:
    """Name the modules of the package that a file imports, inside functions too; `typing` counts those for the type checker alone."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    left_out: set[int] = set()
    if not typing:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
                left_out |= {id(inner) for inner in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in left_out:
            continue
        if isinstance(node, ast.ImportFrom) and node.module is not None and node.module.partition(".")[0] == "judge":
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in NAMES else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in NAMES)


def circles() -> list[list[str]]:
    """Find modules that import each other in a circle (Tarjan 1972: strongly connected components of more than one)."""
    graph = {dotted(path): sorted(set(imports(path, typing=False)) - {dotted(path)}) for path in MODULES}
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in graph.get(name, ()):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            at = stack.index(name)
            part = stack[at:]
            del stack[at:]
            if len(part) > 1:
                found.append(sorted(part))

    sys.setrecursionlimit(10_000)
    for name in sorted(graph):
        if name not in index:
            visit(name)
    return found


def folders() -> dict[str, float]:
    """Give each top folder's share of all lines."""
    sizes: Counter[str] = Counter()
    for path in MODULES:
        parts = path.relative_to(PACKAGE).parts
        sizes[parts[0] if len(parts) > 1 else ""] += lines(path)
    return {name: size / sizes.total() for name, size in sizes.most_common()}


def loose() -> list[str]:
    """Name the modules at the package's root."""
    return [path.name for path in MODULES if path.parent == PACKAGE and path.name not in {"__init__.py", "__main__.py"}]


def repeated() -> dict[str, list[str]]:
    """Name the file names that occur more than once."""
    places: defaultdict[str, list[str]] = defaultdict(list)
    for path in MODULES:
        if path.name not in {"__init__.py", "__main__.py"}:
            places[path.name].append(str(path.relative_to(PACKAGE).parent))
    return {name: where for name, where in sorted(places.items()) if len(where) > 1}


def importers() -> dict[str, set[str]]:
    """Name for each module those that import it, for the type checker too."""
    found: dict[str, set[str]] = {name: set() for name in NAMES}
    for path in MODULES:
        for name in imports(path):
            if name != dotted(path):
                found[name].add(dotted(path))
    return found


def unused() -> list[str]:
    """Name public functions, classes and constants of the package that nothing in the package mentions but their own definition."""
    texts = {path: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*") if path.suffix in {".py", ".html", ".js"}}
    words = Counter(word for text in texts.values() for word in re.findall(r"\w+", text))
    found = []
    for path in MODULES:
        for node in ast.parse(texts[path]).body:
            if "versions" in path.parts or (isinstance(node, ast.FunctionDef | ast.ClassDef) and node.decorator_list):
                continue  # Alembic finds its steps by name, Flask and click their functions by their decorators
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            else:
                continue
            found += [f"{dotted(path)}.{name}" for name in names if words[name] == 1 and not name.startswith("__")]
    return found


def routes() -> list[Rule]:
    """List every route of the service, Kayenta's too."""
    with tempfile.TemporaryDirectory() as folder:
        archive = open_archive(f"sqlite:///{folder}/judge.sqlite")
        found = list(create_app(Service(Settings(config_dir=PACKAGE / "demo"), archive)).url_map.iter_rules())
        archive.close()
    return found


def open_routes() -> list[str]:
    """Name the routes that declare no right: the service does not start with one."""
    return [rule.rule for rule in routes() if getattr(rule, "needs", None) is None]


def verdicts_of(checkout: Path) -> dict[str, object]:
    """Judge every labelled canary by the code of a checkout, by the default judge and by Kayenta's."""
    found = {}
    files = [str(path) for path in sorted(REAL.glob("*.jsonl.gz"))]
    for judge in ("sequential", "kayenta", "mann-whitney"):
        command = [sys.executable, "-m", "judge", "score", *files, "--judge", judge, "--format", "jsonl"]
        environ = {**os.environ, "PYTHONPATH": str(checkout)}
        done = subprocess.run(command, cwd=checkout, env=environ, capture_output=True, text=True, check=False)
        for text in done.stdout.splitlines():
            line = json.loads(re.sub(r"\bnotice\b", "must_detect", text))  # what the margin was called once
            found[f"{judge} {line['id']}"] = line
    return found


def table() -> Iterator[tuple[str, str, str]]:
    """Give what is counted, its figure and the target."""
    biggest = next((name, share) for name, share in folders().items() if name != "core")
    yield "circles of imports", str(len(circles())), "0"
    yield f"biggest folder but core ({biggest[0]})", f"{100 * biggest[1]:.1f} %", "<= 12 %"
    yield "loose modules at the root", f"{len(loose())} ({', '.join(loose())})", "<= 5"
    yield "file names that repeat", f"{len(repeated())} ({', '.join(repeated())})", "<= 5"
    yield "lines of judge/", f"{sum(map(lines, MODULES)):,}", "< 33,328"
    yield "modules", str(len(MODULES)), ""
    yield "routes without a declared right", f"{len(open_routes())} of {len(routes())}", "0"
    asked = ids()
    yield "ids of one question", f"{len(set(asked.values()))} ({', '.join(asked)})", "1"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT", help="compare the verdicts on the labelled canaries with this checkout's"
    )
    chosen = parser.parse_args()
    for what, figure, target in table():
        print(f"{what:<44}{figure:<60}{target}")
    if chosen.against is not None:
        here, there = verdicts_of(ROOT), verdicts_of(chosen.against.resolve())
        other = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
        print(f"{'verdicts that differ, of all':<44}{f'{len(other)} of {len(here)}':<60}0")
        for name in other[:10]:
            print(f"  {name}\n    here  {json.dumps(here.get(name))[:300]}\n    there {json.dumps(there.get(name))[:300]}")


if __name__ == "__main__":
    main()
