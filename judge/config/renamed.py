"""Words that have another name now: refused by name wherever they stand, and rewritten by `judge convert`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from judge.errors import Fault, nearest

RENAMED = {"notice": "must_detect"}
"""Keys of a metric in older configs, dumps and records, and what each is called now."""


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
    r"""Rename the keys of metrics in a config of YAML or JSON, where they stand: everything else stays as it is.

    Raises
    ------
    ValueError
        Where a key is spelled in a way that is not renamed; says in which line.

    Examples
    --------
    >>> rename_in_text("metrics:\n- {name: a, notice: 20%}  # notice: old")
    'metrics:\n- {name: a, must_detect: 20%}  # notice: old'
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.comments import CommentedMap
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML().load(text)
    except YAMLError:
        return text  # what is wrong with it, its reader says
    metrics = document.get("metrics") if isinstance(document, CommentedMap) else None
    lines = text.splitlines(keepends=True)
    places = [
        (*metric.lc.key(key), key)
        for metric in metrics or ()
        if isinstance(metric, CommentedMap)
        for key in RENAMED
        if key in metric.lc.data
    ]
    for number, column, key in sorted(places, reverse=True):
        line = lines[number]
        start = column + (line[column] in "\"'")
        if not line.startswith(key, start):
            msg = f"line {number + 1}: {key} is called {RENAMED[key]} now; rename it by hand, where it is spelled in an unusual way"
            raise ValueError(msg)
        lines[number] = line[:start] + RENAMED[key] + line[start + len(key) :]
    return "".join(lines)
