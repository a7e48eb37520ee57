"""Links out of a page: a query in Prometheus, and nothing that is not a plain web address."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from judge.reports import text as words

# Only what all readers of addresses understand alike: no credentials, no backslash, no query, nothing that is not printable.
_ADDRESS = re.compile(r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:/[A-Za-z0-9._~%/-]*)?")
_LONGEST = 6000


def graph_link(source: Mapping[str, Any], query: str, *, start: float | None, end: float | None, step: float | None) -> str:
    """Write the address of a query in Prometheus' own page, over the judged window; empty where the source has no such page.

    Examples
    --------
    >>> graph_link({"url": "http://prom:9090"}, 'up{job="x"}', start=1763627400.0, end=1763629200.0, step=60.0)
    'http://prom:9090/graph?g0.expr=up%7Bjob%3D%22x%22%7D&g0.tab=0&g0.range_input=1800s&g0.end_input=2025-11-20+09%3A00%3A00&g0.step_input=60'
    >>> graph_link({"url": "javascript:alert(1)"}, "up", start=None, end=None, step=None)
    ''
    """
    address = source.get("url")
    if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
        return ""
    asked = {"g0.expr": query, "g0.tab": "0"}
    if start is not None and end is not None:
        asked |= {"g0.range_input": f"{max(round(end - start), 1)}s", "g0.end_input": words.clock(end, "%Y-%m-%d %H:%M:%S")}
    if step:
        asked["g0.step_input"] = f"{step:g}"
    found = f"{address.rstrip('/')}/graph?{urlencode(asked, errors='replace')}"
    return found if len(found) <= _LONGEST else ""
