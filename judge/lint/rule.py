"""Words of the linter: document, rule, finding, and what rules may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from judge.core.config import CanaryConfig
from judge.core.model import SeriesPair
from judge.sources import Answer

PAGES = "docs/checks"
SIDES = ("baseline", "canary")


class Severity(StrEnum):
    """How bad it is: an `info` leaves the exit status at 0."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Kind(StrEnum):
    """What a document is to the linter."""

    TEMPLATE = "template"
    ROLLOUT = "rollout"
    EXPERIMENT = "experiment"
    CONFIG = "config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document of a file.

    `text` is padded with empty lines, so that its line numbers are those of the
    file. `config` is set where the document is a canary config that can be used.
    """

    where: str
    kind: Kind
    data: Mapping[str, Any]
    text: str = ""
    config: CanaryConfig | None = None

    @property
    def name(self) -> str:
        """``metadata.name``, or the config's name."""
        found = self.data.get("name") if self.kind is Kind.CONFIG else mapping(self.data.get("metadata")).get("name")
        return str(found) if found is not None else ""

    @property
    def spec(self) -> Mapping[str, Any]:
        """The spec; empty where there is none."""
        return mapping(self.data.get("spec"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """How well the range of one function in a query is filled.

    `seen` counts series and steps with at least one sample in the range, `filled` those
    with as many as the function needs.
    """

    metric: str
    part: str
    text: str
    filled: float
    seen: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """What the source answered to the queries of one config.

    `refusal` says why it could not be asked at all; then there are no answers.
    `start` and `end` are unix seconds.
    """

    url: str
    start: float = 0.0
    end: float = 0.0
    answers: tuple[Answer, ...] = ()
    pairs: tuple[SeriesPair, ...] = ()
    ranges: tuple[Range, ...] = ()
    refusal: str = ""

    def sides(self) -> list[tuple[str, str, dict[str, Answer]]]:
        """Each query: metric, part, and its answers by side, in the order of the config."""
        found: dict[tuple[str, str], dict[str, Answer]] = {}
        for answer in self.answers:
            found.setdefault((answer.query.metric, answer.query.part), {})[answer.query.side] = answer
        return [(metric, part, sides) for (metric, part), sides in found.items()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What rules may look at beside the document.

    `configs` are the canary configs that a question may name, `templates` all
    templates that were read, `deadline` the seconds within which the service answers.
    `asked` is what a real source answered, by the document's place and the config's
    name; empty where none was asked.
    """

    configs: Mapping[str, CanaryConfig] = field(default_factory=dict)
    templates: tuple[Document, ...] = ()
    deadline: float = 8.0
    asked: Mapping[tuple[str, str], Asked] = field(default_factory=dict)


Place = tuple[str | int, ...]
Hits = Iterator[tuple[Place, str]]
"""Where in the document, and what is wrong there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One thing to look for; `summary` is the first sentence of its function's docstring."""

    id: str
    severity: Severity
    kinds: tuple[Kind, ...]
    look: Callable[[Document, Context], Hits]

    @property
    def summary(self) -> str:
        """One sentence."""
        text = self.look.__doc__
        return text.strip().splitlines()[0] if text else ""

    @property
    def page(self) -> str:
        """Its page, from the root of the repository."""
        return f"{PAGES}/{self.id}.md"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Finding:
    """What a rule found; `line` counts from 1, 0 where it is not known."""

    where: str
    line: int
    path: str
    rule: str
    severity: Severity
    message: str

    def __str__(self) -> str:
        """``file:line: path: message [rule]``."""
        place = f"{self.where}:{self.line}" if self.line else self.where
        at = f"{self.path}: " if self.path else ""
        return f"{place}: {self.severity.value}: {at}{self.message} [{self.rule}]"


def rule(id: str, severity: Severity, *kinds: Kind) -> Callable[[Callable[[Document, Context], Hits]], Rule]:
    """Make a rule of a function that yields what is wrong."""

    def made(look: Callable[[Document, Context], Hits]) -> Rule:
        return Rule(id=id, severity=severity, kinds=kinds, look=look)

    return made


def mapping(value: Any) -> Mapping[str, Any]:
    """Take a value as a mapping; anything else is an empty one."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> Iterable[tuple[int, Mapping[str, Any]]]:
    """Number the mappings in a list; anything else is left out."""
    return [(index, item) for index, item in enumerate(value) if isinstance(item, Mapping)] if isinstance(value, list) else []


def whole(value: Any) -> int | None:
    """Read a whole number that may be written as text; None for anything else, an arg included."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    text = value.strip() if isinstance(value, str) else ""
    return int(text) if text.lstrip("-").isdigit() and text.isascii() and len(text) < 10 else None


def points(answer: Answer) -> int:
    """Count the points of all series of an answer."""
    return sum(len(series) for series in answer.series)


def metrics(document: Document) -> Iterable[tuple[Place, Mapping[str, Any]]]:
    """Each metric of a template with its place."""
    return [(("spec", "metrics", index), metric) for index, metric in items(document.spec.get("metrics"))]


def texts(value: Any, path: Place = ()) -> Iterator[tuple[Place, str]]:
    """Each text inside a value with its place."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inside in value.items():
            yield from texts(inside, (*path, str(key)))
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from texts(inside, (*path, index))
