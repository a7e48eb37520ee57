"""Text on a grid of cells: widths, wrapping, colours, and the ASCII spelling of our own signs."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from judge.reports import text as words

_ASCII = str.maketrans(
    {
        "✔": "+",
        "▲": "^",
        "✖": "x",
        "∅": "0",
        "–": "-",
        "…": "~",
        "µ": "u",
        "─": "-",
        "│": "|",
        "┼": "+",
        "┤": "]",
        "├": "[",
        "└": "+",
        "┊": ":",
        "╎": "!",
        "●": "o",
        "◀": "<",
        "▶": ">",
        "░": "o",
        "▒": "o",
        "±": "~",
        "\ufffd": "?",
    }
)
_CODES = {
    "pass": "32",
    "marginal": "33",
    "fail": "31",
    "high": "31",
    "low": "31",
    "inconclusive": "35",
    "undecided": "35",
    "nodata": "35",
    "error": "31",
    "baseline": "36",
    "canary": "33",
    "faint": "2",
    "strong": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """How things look: with ANSI colours or without, with Unicode signs or only ASCII."""

    colour: bool = False
    ascii: bool = False

    @property
    def ellipsis(self) -> str:
        """What stands for text that was cut off; one cell."""
        return "~" if self.ascii else "…"

    def symbol(self, name: str) -> str:
        """The sign of a verdict or classification; one cell."""
        sign = words.SYMBOLS.get(name, "?")
        return sign.translate(_ASCII) if self.ascii else sign

    def paint(self, text: str, name: str, *, bold: bool = False) -> str:
        """The text in the colour of this name, if there are colours."""
        code = _CODES.get(name)
        if not self.colour or code is None or not text:
            return text
        return f"\x1b[{'1;' if bold else ''}{code}m{text}\x1b[0m"

    def finish(self, text: str) -> str:
        """The finished text; in ASCII, what has no spelling becomes ``?``, cell for cell."""
        if not self.ascii:
            return text
        return "".join(character if character.isascii() else "?" * cells(character) for character in text.translate(_ASCII))


def cells(text: str) -> int:
    """How many terminal cells a text takes: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(c) or c == "\u200d" else 2 if unicodedata.east_asian_width(c) in {"W", "F"} else 1 for c in text)


def pad(text: str, width: int) -> str:
    """The text filled with blanks up to this many cells."""
    return text + " " * max(0, width - cells(text))


def clip(text: str, width: int, ellipsis: str = "…") -> str:
    """The text, cut to this many cells with an ellipsis at its end where it is longer."""
    if cells(text) <= width:
        return text
    kept = ""
    for character in text:
        if cells(kept + character) > width - 1:
            break
        kept += character
    return kept + ellipsis


def wrap(text: str, width: int, *, first: int | None = None) -> list[str]:
    """Break a text at its blanks into lines of at most `width` cells (`first` for the first line).

    A word that is longer than a line is broken where the line ends.
    """
    lines: list[str] = []
    line = ""
    room = max(1, width if first is None else first)
    for word in text.split():
        rest = word
        while rest:
            joined = f"{line} {rest}" if line else rest
            if cells(joined) <= room:
                line, rest = joined, ""
            elif line:
                lines.append(line)
                line, room = "", max(1, width)
            elif lines or cells(rest) > width:
                head = rest[: max(1, _fitting(rest, room))]
                lines.append(head)
                rest, room = rest[len(head) :], max(1, width)
            else:  # it fits a whole line, but not what is left of the first one
                lines.append("")
                room = max(1, width)
    return [*lines, line] if line else lines


def _fitting(text: str, width: int) -> int:
    """How many characters fit into this many cells."""
    taken = 0
    for index, character in enumerate(text):
        taken += cells(character)
        if taken > width:
            return index
    return len(text)
