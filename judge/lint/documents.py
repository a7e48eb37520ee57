"""Files, folders and standard input, as documents; what is none of ours is named and skipped."""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.config.load import parse_config
from judge.config.yaml import parse, unreadable
from judge.errors import ConfigError
from judge.lint.rule import Document, Kind, Place

SUFFIXES = (".yaml", ".yml", ".json")
STANDARD_INPUT = Path("-")
KINDS = {
    "AnalysisTemplate": Kind.TEMPLATE,
    "ClusterAnalysisTemplate": Kind.TEMPLATE,
    "Rollout": Kind.ROLLOUT,
    "Experiment": Kind.EXPERIMENT,
}
GROUP = "argoproj.io/"
MAX_BYTES = 5_000_000

_HELM = re.compile(r"\{\{-|-\}\}|\{\{\s*(?:\.|\$|if\b|range\b|with\b|include\b|define\b|template\b|end\b|else\b|toYaml\b|tpl\b|/\*)")
_BEGIN = re.compile(r"^(?:---|\.\.\.)(?=[ \t\r\n]|\Z)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A file or document that is not looked at, and why."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A file or document that cannot be read, or a canary config that cannot be used."""

    where: str
    error: ConfigError


Read = Document | Skipped | Broken


def files(paths: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Find the files to read, and whether each lies in a folder inside of a folder that was named.

    Hidden folders are left out, and links to folders are not followed.
    """
    for path in paths:
        if path == STANDARD_INPUT or not path.is_dir():
            yield path, False
            continue
        for folder, inside, names in os.walk(path):
            inside[:] = sorted(name for name in inside if not name.startswith("."))
            for name in sorted(names):
                if name.endswith(SUFFIXES):
                    yield Path(folder) / name, Path(folder) != path


def read(path: Path, *, deep: bool = False) -> Iterator[Read]:
    """Read every document of a file.

    Parameters
    ----------
    path : Path
        The file; ``-`` is standard input.
    deep : bool
        The file was found in a folder inside of the named one: what does not
        look like a canary config there is something else, not a broken config.
    """
    where = "standard input" if path == STANDARD_INPUT else str(path)
    try:
        text = _text(path)
    except (OSError, UnicodeDecodeError) as error:
        yield Broken(where=where, error=unreadable(error, where=where))
        return
    if path.suffix == ".json":
        yield from _document(text, where, deep=deep, is_json=True)
        return
    if _HELM.search(text):
        yield Skipped(where=where, reason="a Helm template; render it first: helm template … | judge check -")
        return
    parts = list(split(text))
    for part in parts if parts else [text]:
        yield from _document(part, where, deep=deep)


def _text(path: Path) -> str:
    if path == STANDARD_INPUT:
        return sys.stdin.read()
    if path.stat().st_size > MAX_BYTES:
        raise OSError(f"larger than {MAX_BYTES // 1_000_000} MB")
    return path.read_text(encoding="utf-8-sig")


def split(text: str) -> Iterator[str]:
    r"""Take the documents of a YAML stream apart, each padded so that its lines keep their numbers.

    Examples
    --------
    >>> list(split("a: 1\n---\n# nothing\n--- \nb: 2\n"))
    ['a: 1\n', '\n\n\n    \nb: 2\n']
    """
    begins = [0, *(found.start() for found in _BEGIN.finditer(text)), len(text)]
    for start, end in itertools.pairwise(begins):
        part = _BEGIN.sub("   ", text[start:end], count=1)
        if any(line.strip() and not line.lstrip().startswith(("#", "%")) for line in part.splitlines()):
            yield "\n" * text.count("\n", 0, start) + part


def _document(text: str, where: str, *, deep: bool, is_json: bool = False) -> Iterator[Read]:
    try:
        data = parse(text, where=where, is_json=is_json)
        if isinstance(data, Mapping) and data.get("kind") == "List" and isinstance(data.get("items"), list):
            # As `kubectl get … -o yaml` prints several; their lines are not told.
            for item in data["items"]:
                yield from _kubernetes(item, "", where)
        elif isinstance(data, Mapping) and "apiVersion" in data and "kind" in data:
            yield from _kubernetes(data, text, where)
        elif deep and not (isinstance(data, Mapping) and "metrics" in data):
            yield Skipped(where=where, reason="neither a canary config nor of Argo Rollouts")
        else:
            config = parse_config(data, where=where)
            yield Document(where=where, kind=Kind.CONFIG, data=data, text=text, config=config)
    except ConfigError as error:
        yield Broken(where=where, error=error)


def _kubernetes(data: Any, text: str, where: str) -> Iterator[Read]:
    if not isinstance(data, Mapping):
        raise ConfigError("expected a mapping in items", where=where)
    kind, version = str(data.get("kind")), str(data.get("apiVersion"))
    if kind not in KINDS or not version.startswith(GROUP):
        yield Skipped(where=where, reason=f"{kind} of {version}")
        return
    if not isinstance(data.get("spec"), Mapping):
        raise ConfigError(f"this {kind} has no spec", where=where)
    yield Document(where=where, kind=KINDS[kind], data=data, text=text)


def line_of(document: Document, place: Place) -> int:
    """Line of a place, or of what is nearest above it; 0 where the text is not known."""
    if not document.text:
        return 0
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

    try:
        node: Node | None = YAML(typ="safe", pure=True).compose(document.text)
    except YAMLError:
        return 0
    line = 0 if node is None else node.start_mark.line + 1
    for part in place:
        if isinstance(node, MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == part), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        elif isinstance(node, SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return line
