"""Tables of the pages that are written from the code: ``python -m tests.docs.generated`` brings them up to date.

On a page such a table stands between ``<!-- generated: name -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client.metrics import MetricWrapperBase

from judge.server.telemetry import metrics as signals
from judge.settings import DEFAULT_ARCHIVE, ENVIRONMENT, ServerDocument
from judge.sources.registry import SOURCES
from tests.docs.pages import DOCS, named, rows
from tests.docs.settings import default_words, type_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from judge.config.yaml import Document

REALLY = {"deadline": 8.0, "archive_url": DEFAULT_ARCHIVE}
"""What the service takes where the file says nothing."""
PROMISES = DOCS / "promises.md"
OF_SIZE = (
    "service under load",
    "the surplus at three times that load",
    "memory",
    "verdicts answered and kept while lists are read",
    "time of an answer, source away",
)
"""How those rows begin that tell how large a judge must be."""
_MARKED = re.compile(r"<!-- generated: ([\w-]+) -->\n(.*?)<!-- end -->\n", re.DOTALL)


def _table(head: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    names = list(head)
    lines = [names, ["---"] * len(names), *body]
    return "".join(f"| {' | '.join(line)} |\n".replace("| --- ", "|---").replace("|--- |", "|---|") for line in lines)


def environment() -> str:
    """The variables that are read."""
    return _table(["variable", "meaning"], ([f"`{name}`", meaning] for name, meaning in ENVIRONMENT.items()))


def settings(model: type[Document]) -> str:
    """The fields of a document, with what their descriptions say."""
    return _table(
        ["field", "type", "default", "when to use it"],
        (
            [f"`{name}`", type_words(field), default_words(field, REALLY.get(name)), field.description or ""]
            for name, field in model.model_fields.items()
        ),
    )


def metrics() -> str:
    """The service's own metrics, in the order of the code."""
    found = [one for one in vars(signals).values() if isinstance(one, MetricWrapperBase)]
    lines = []
    for one in found:
        [family] = one.describe()
        name = family.name + ("_total" if family.type == "counter" else "")
        labels = ", ".join(f"`{label}`" for label in one._labelnames)
        lines.append([f"`{name}`", family.type, labels or "none", family.documentation])
    return _table(["metric", "type", "labels", "meaning"], lines)


def sizing() -> str:
    """What was measured of that which a judge's size hangs on."""
    measured = [row for row in rows(PROMISES, "Promises") if row["promise"].startswith(OF_SIZE)]
    return _table(["measured", "result"], ([row["promise"], row["measured"]] for row in measured))


TABLES: dict[str, Callable[[], str]] = {
    "environment": environment,
    "server": lambda: settings(ServerDocument),
    **{f"source-{name}": partial(settings, kind) for name, kind in SOURCES.items()},
    "metrics": metrics,
    "sizing": sizing,
}
HOMES: dict[str, Path] = {
    "environment": DOCS / "operations.md",
    "server": DOCS / "operations.md",
    **dict.fromkeys((f"source-{name}" for name in SOURCES), DOCS / "operations.md"),
    "metrics": DOCS / "server.md",
    "sizing": DOCS / "operations.md",
}


def fresh(text: str) -> str:
    """A page's text with its tables as the code would have them."""
    return _MARKED.sub(lambda found: f"<!-- generated: {found[1]} -->\n{TABLES[found[1]]()}<!-- end -->\n", text)


def marked(page: Path) -> list[str]:
    """Names of the tables that a page holds."""
    return [found[1] for found in _MARKED.finditer(page.read_text(encoding="utf-8"))]


def main() -> None:
    """Write every table anew."""
    for page in sorted(set(HOMES.values())):
        text = page.read_text(encoding="utf-8")
        if fresh(text) != text:
            page.write_text(fresh(text), encoding="utf-8")
            print(f"{named(page)}: written")


if __name__ == "__main__":
    main()
