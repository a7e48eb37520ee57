"""The gate that a tokens file describes, read again when the file changes: tokens are changed without a restart."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from judge.access.gate import Gate, OpenGate, gate_of
from judge.access.tokens_file import load_tokens
from judge.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """The gate, what is open without a token, and what is wrong with the newest tokens file."""

    gate: Gate = field(default_factory=OpenGate)
    open: frozenset[str] = frozenset()
    mark: tuple[int, int, int] | None = None
    trouble: ConfigError | None = None

    def changed(self, path: Path) -> bool:
        """Whether another file lies there than the one that was read."""
        return _mark(path) != self.mark

    def again(self, path: Path) -> Door:
        """Read the file again; a faulty or missing one changes nothing but `trouble`."""
        try:
            return read_door(path)
        except ConfigError as error:
            return replace(self, mark=_mark(path), trouble=error)


def read_door(path: Path) -> Door:
    """Read a tokens file.

    Raises
    ------
    ConfigError
        All faults with their paths.
    """
    mark = _mark(path)
    document = load_tokens(path)
    return Door(gate=gate_of(document, folder=path.parent), open=frozenset(document.open), mark=mark)


def _mark(path: Path) -> tuple[int, int, int] | None:
    try:
        told = path.stat()
    except OSError:
        return None
    return told.st_mtime_ns, told.st_size, told.st_ino
