"""The pages, with their fenced blocks, sessions, tables and links, as the tests read them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = [README, ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

ELLIPSIS = "…"
"""Alone on a line of an output, or in place of a JSON value: anything may stand here."""

_FENCED = re.compile(r"(?:^<!-- file: (?P<file>\S+) -->\n+)?^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One fenced block; `file` is the name under which a session finds its text, `line` where the text begins."""

    page: Path
    language: str
    text: str
    line: int
    file: str = ""

    def __str__(self) -> str:
        return f"{named(self.page)}:{self.line}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of a console block, and what the page says it prints."""

    command: str
    said: str


def named(path: Path) -> str:
    """A page's path from the root of the repository."""
    return path.relative_to(ROOT).as_posix()


def text(page: Path) -> str:
    """Read a page."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path, *languages: str) -> list[Block]:
    """The fenced blocks of a page, those in these languages where any is named."""
    whole = text(page)
    found = [
        Block(
            page=page,
            language=match["language"],
            text=match["text"],
            line=whole.count("\n", 0, match.start("text")) + 1,
            file=match["file"] if match["file"] else "",
        )
        for match in _FENCED.finditer(whole)
    ]
    return [block for block in found if not languages or block.language in languages]


def everywhere(*languages: str) -> list[Block]:
    """Blocks of all pages."""
    return [block for page in PAGES for block in blocks(page, *languages)]


def steps(block: Block) -> list[Step]:
    """Take a console block apart: ``$ `` begins a command, ``> `` goes on with it, the rest is output."""
    commands: list[list[str]] = []
    outputs: list[list[str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            commands.append([line[2:]])
            outputs.append([])
        elif line.startswith("> ") and not outputs[-1]:
            commands[-1].append(line[2:])
        else:
            outputs[-1].append(line)
    return [Step(command="\n".join(one), said="\n".join(said)) for one, said in zip(commands, outputs, strict=True)]


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCED.sub("", text(page))


def section(page: Path, heading: str) -> str:
    """What stands under a heading, up to the next one."""
    whole = prose(page)
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", whole, flags=re.MULTILINE | re.DOTALL)
    if found is None:
        raise LookupError(f"{named(page)} has no heading {heading!r}")
    return found[1]


def rows(page: Path, heading: str) -> list[dict[str, str]]:
    """Rows of the first table under a heading, by the names in its head."""
    lines = re.search(r"(?:^\|.*\n)+", section(page, heading), flags=re.MULTILINE)
    if lines is None:
        raise LookupError(f"{named(page)} has no table under {heading!r}")
    head, _, *body = [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines.group().splitlines()]
    return [dict(zip(head, cells, strict=True)) for cells in body]


def codes(cell: str) -> list[str]:
    """What a text sets in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def links(page: Path) -> list[str]:
    """Targets of a page's links."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(page))


def anchors(page: Path) -> set[str]:
    """What the headings of a page can be linked as."""
    headings = re.findall(r"^#+ (.*)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
