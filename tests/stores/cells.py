"""What a cell is: something done to a real store, what the judge must say then, and what it said."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

World = TypeVar("World")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell(Generic[World]):
    """One row: `run` answers facts by name, which must be the expected ones."""

    name: str
    run: Callable[[World], Mapping[str, object]]
    expected: Mapping[str, object]


def words(facts: Mapping[str, object]) -> str:
    """Facts on one line."""
    return "; ".join(f"{name}: {'yes' if value is True else 'no' if value is False else value}" for name, value in facts.items())
