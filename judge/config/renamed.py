"""Words that have another name now: refused by name wherever they stand, and rewritten by `judge convert`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from judge.errors import Fault, nearest

RENAMED = {"notice": "must_detect"}
"""Keys of a metric in older configs, dumps and records, and what each is called now."""

_KEY = re.compile(r"(^\s*(?:-\s+)?[\"']?|[{,]\s*[\"']?)(" + "|".join(RENAMED) + r")(?=[\"']?\s*:(?:\s|$))", flags=re.MULTILINE)
"""A key where a line or a mapping begins, or after a comma: comments and values stay as they are."""


def hint(key: str, known: Collection[str]) -> str:
    """Say what an unknown key is called, or resembles.

    Examples
    --------
    >>> hint("notice", ["tolerance"])
    ': it is called must_detect now'
    >>> hint("tolerence", ["tolerance"])
    "; did you mean 'tolerance'?"
    """
    return f": it is called {RENAMED[key]} now" if key in RENAMED else nearest(key, known)


def old_names(metrics: Any, path: str) -> Iterator[Fault]:
    """Find keys of older versions in a list of metrics or results."""
    for index, metric in enumerate(metrics if isinstance(metrics, list) else ()):
        if isinstance(metric, Mapping):
            yield from (
                Fault(path=f"{path}.{index}.{key}", message=f"is called {new} now") for key, new in RENAMED.items() if key in metric
            )


def with_new_names(metrics: Any) -> Any:
    """Rename the keys of a list of metrics or results; anything else stays as it is."""
    if not isinstance(metrics, list):
        return metrics
    return [{RENAMED.get(key, key): value for key, value in one.items()} if isinstance(one, Mapping) else one for one in metrics]


def rename_in_text(text: str) -> str:
    """Rename keys in YAML or JSON, which keeps its comments and order.

    Examples
    --------
    >>> rename_in_text("- {name: a, notice: 20%}  # notice: old")
    '- {name: a, must_detect: 20%}  # notice: old'
    """
    return _KEY.sub(lambda found: found.group(1) + RENAMED[found.group(2)], text)
