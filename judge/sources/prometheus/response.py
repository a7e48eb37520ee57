"""The JSON of Prometheus' query API, read into `Series`.

Pure: bytes and parsed JSON in, series out. What is wrong with an answer is raised
as `SourceUnreachable` (the server's fault: asking again may help) or
`QueryRejected` (the query's fault), with a message that goes on after the
source's address.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import numpy as np

from judge.core.model import Series
from judge.errors import QueryRejected, SourceUnreachable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from judge.core.model import Floats

_MAX_WORDS = 300
_MAX_WARNINGS = 20
_ABOUT_THE_QUERY = "PromQL "
# Thanos, Mimir and VictoriaMetrics report a time-out as a failed execution: only the words tell.
_TIMED_OUT = re.compile(r"deadline ?exceeded|timeout exceeded|exceeds? the timeout|query timed out|context canceled", re.IGNORECASE)
# With partial answers turned off, Thanos reports a store that is away as a failed execution too; ResourceExhausted is a limit.
_PART_AWAY = re.compile(r"rpc error: code = (?:Canceled|DataLoss|DeadlineExceeded|Internal|Unavailable|Unknown)\b|No StoreAPIs available")
_SOURCE_AT_FAULT = frozenset({"timeout", "canceled", "internal", "unavailable", "not_found"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A successful answer: what kind of result it holds, what the server had to say about it, and whether a part of it is missing."""

    document: Mapping[str, Any]
    result_type: str
    warnings: tuple[str, ...]
    partial: bool = False


def open_envelope(status: int, body: bytes) -> Envelope:
    """Read an HTTP answer of the query API.

    Raises
    ------
    QueryRejected
        The server understood the query, and refused it.
    SourceUnreachable
        Anything else that is no successful answer.
    """
    document = _document(body)
    if document is None or (status != HTTPStatus.OK and document.get("status") != "error"):
        raise _no_answer(status, body)
    if document.get("status") == "error":
        raise _refusal(status, document)
    data = document.get("data")
    if document.get("status") != "success" or not isinstance(data, dict) or "result" not in data:
        raise SourceUnreachable(f"sent JSON that is not the query API's: {shorten(_text(body), 80)}")
    return Envelope(
        document=document, result_type=str(data.get("resultType", "")), warnings=_warnings(document), partial=_is_partial(document)
    )


def is_api_error(body: bytes) -> bool:
    """Whether this is the query API's own refusal, rather than that of a proxy on the way."""
    document = _document(body) if len(body) < 100_000 else None
    return document is not None and document.get("status") == "error" and "errorType" in document


def _document(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _text(body: bytes) -> str:
    return body[:4096].decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")


def shorten(text: str, limit: int = _MAX_WORDS) -> str:
    r"""One line of printable text, at most `limit` characters long.

    Examples
    --------
    >>> shorten("too  many\n words", 12)
    'too many wo…'
    """
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _refusal(status: int, document: Mapping[str, Any]) -> QueryRejected | SourceUnreachable:
    kind, told = str(document.get("errorType", "")), str(document.get("error", "no reason given"))
    words = shorten(told)
    if kind == "timeout" or (kind != "bad_data" and _TIMED_OUT.search(told)):
        return SourceUnreachable(f"gave the query up: {words}")
    if kind == "execution" and _PART_AWAY.search(told):
        return SourceUnreachable(f"gives no answer while a part of it is away: {words}")
    if kind in _SOURCE_AT_FAULT or status >= 500:
        return SourceUnreachable(f"failed on the query ({kind or status}): {words}")
    if status in {401, 403}:
        return SourceUnreachable(f"does not let us in ({status}): {words}")
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return SourceUnreachable(f"limits how much is asked ({status}): {words}")
    return QueryRejected(f"refused the query: {words}")


def _no_answer(status: int, body: bytes) -> QueryRejected | SourceUnreachable:
    """What an answer that the query API cannot have sent comes to."""
    if status == HTTPStatus.OK:
        return SourceUnreachable(_strange(body))
    what = f"{status} {_phrase(status)}".strip()
    text = _text(body)
    said = "" if not text or text.startswith("<") else f": {shorten(text, 120)}"
    if status in {401, 403}:
        return SourceUnreachable(f"does not let us in ({what}{said}): check username, password, bearer_token and headers in its settings")
    if 300 <= status < 400:
        return SourceUnreachable(f"redirects elsewhere ({what}), which is not followed: its settings need the final address")
    if status in {404, 405}:
        return SourceUnreachable(f"has no query API at this address ({what}): check the address and its path")
    if status in {413, 414}:
        return QueryRejected(f"refused the query as too long ({what})")
    return SourceUnreachable(f"answered {what}{said}")


def _strange(body: bytes) -> str:
    """What a 200 holds that is not a JSON object."""
    text = _text(body)
    if not text:
        return "sent an empty answer"
    if text.startswith("<"):
        return "sent a web page where JSON was expected: check the address, or is there a login page before it?"
    if text.startswith("{"):
        return f"sent broken JSON, {len(body):,} bytes long"
    return f"sent something that is not the query API's JSON: {shorten(text, 120)}"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _warnings(document: Mapping[str, Any]) -> tuple[str, ...]:
    """The server's `warnings` and `infos`, and VictoriaMetrics' word for a partial answer."""
    said = [item for key in ("warnings", "infos") for item in _listed(document.get(key))]
    if document.get("isPartial") is True:
        said.append("the answer is partial: a part of the storage did not answer")
    unique = list(dict.fromkeys(shorten(str(item)) for item in said))
    more = len(unique) - _MAX_WARNINGS
    return (*unique[:_MAX_WARNINGS], *([f"and {more} more warnings"] if more > 0 else []))


def _is_partial(document: Mapping[str, Any]) -> bool:
    """Whether a part of the storage did not answer.

    VictoriaMetrics says so itself. Thanos, and a Prometheus that reads from elsewhere, tell it as a warning; warnings about
    the query begin with ``PromQL`` (Prometheus, ``util/annotations``).
    """
    if document.get("isPartial") is True:
        return True
    return any(not str(warning).startswith(_ABOUT_THE_QUERY) for warning in _listed(document.get("warnings")))


def _listed(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def read_series(result_type: str, result: Any, *, instant_at: float | None = None) -> tuple[Series, ...]:
    """Read ``data.result``: one series per label set, NaN samples included.

    With `instant_at` (unix seconds) the result is that of an instant query, and
    each value becomes the one sample of a series at that time.

    Raises
    ------
    QueryRejected
        A result that is no numbers: a string, native histograms, a range vector asked at an instant.
    SourceUnreachable
        A result that the API cannot have sent.
    """
    if result_type == "string":
        raise QueryRejected("answered with a string: the query must give numbers")
    if result_type in {"streams", "matrix"} and instant_at is not None:
        raise QueryRejected(
            "answered with a range of samples where one value was asked for: wrap the selector in rate(), increase() or the like"
        )
    if result_type == "scalar" and instant_at is not None:
        result = [{"metric": {}, "value": result}]
    elif result_type != ("matrix" if instant_at is None else "vector"):
        raise SourceUnreachable(f"sent a result of type {shorten(result_type, 40)!r}, which was not asked for")
    return tuple(_one_series(item, instant_at) for item in _items(result))


def _items(result: Any) -> Iterable[Mapping[str, Any]]:
    """The list of series; Go programs may spell the empty list null."""
    if result is None:
        return []
    if not isinstance(result, list) or not all(isinstance(item, dict) for item in result):
        raise SourceUnreachable("sent a result that is not a list of series")
    return result


def _one_series(item: Mapping[str, Any], instant_at: float | None) -> Series:
    if "histogram" in item or "histograms" in item:
        raise QueryRejected("answered with native histograms, which are no numbers: wrap them in histogram_quantile()")
    metric = item.get("metric")
    rows = item.get("values") if instant_at is None else [item.get("value")]
    if not isinstance(metric, dict) or not isinstance(rows, list):
        raise SourceUnreachable("sent a series without labels or values")
    t, v = _columns(rows)
    if instant_at is not None:
        t = np.array([instant_at])
    if np.any(np.diff(t) <= 0):
        raise SourceUnreachable("sent samples that are not in order of time")
    return Series(t=t, v=v, labels={str(name): str(value) for name, value in metric.items()})


def _columns(rows: Sequence[Any]) -> tuple[Floats, Floats]:
    """``[[unix seconds, "value"], …]`` as two columns."""
    try:
        t = np.array([time for time, _ in rows], dtype=np.float64)
    except (TypeError, ValueError):
        raise SourceUnreachable("sent samples that are not pairs of time and value") from None
    try:
        v = np.array([float(value) for _, value in rows], dtype=np.float64)
    except (TypeError, ValueError):
        odd = next(value for _, value in rows if not _is_number(value))
        raise QueryRejected(f"answered with the value {shorten(repr(odd), 40)}, which is not a number") from None
    if not np.all(np.isfinite(t)):
        raise SourceUnreachable("sent samples without a time")
    return t, v


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def check_labels(series: Sequence[Series], *, max_series: int) -> None:
    """Refuse more label sets than can be meant, and a label set that comes twice."""
    if len(series) > max_series:
        raise QueryRejected(
            f"answered with {len(series):,} label sets, more than {max_series:,} (max_series): aggregate, for instance with sum by (…) (…)"
        )
    seen: set[frozenset[tuple[str, str]]] = set()
    for one in series:
        key = frozenset(one.labels.items())
        if key in seen:
            raise QueryRejected(f"answered with the label set {label_text(one.labels)} twice: aggregate, so that each comes once")
        seen.add(key)


def join(parts: Sequence[Sequence[Series]]) -> tuple[Series, ...]:
    """Join what was asked in several parts of the window, in order of time, by label set.

    A sample that lies in two parts is taken once, from the earlier one.
    """
    if len(parts) == 1:
        return tuple(parts[0])
    found: dict[frozenset[tuple[str, str]], list[Series]] = {}
    for part in parts:
        for series in part:
            found.setdefault(frozenset(series.labels.items()), []).append(series)
    return tuple(_joined(pieces) for pieces in found.values())


def _joined(pieces: Sequence[Series]) -> Series:
    t, first = np.unique(np.concatenate([piece.t for piece in pieces]), return_index=True)
    return Series(t=t, v=np.concatenate([piece.v for piece in pieces])[first], labels=pieces[0].labels)


def drop_nan(series: Series) -> Series:
    """Leave out NaN samples (0/0, or a quantile of no observations): they are absent. ±Inf stays."""
    there = ~np.isnan(series.v)
    return series if there.all() else Series(t=series.t[there], v=series.v[there], labels=series.labels)


def label_text(labels: Mapping[str, str]) -> str:
    """``{code="200",pod="a"}``, shortened.

    Examples
    --------
    >>> label_text({"pod": "a", "code": "200"})
    '{code="200",pod="a"}'
    """
    return shorten("{" + ",".join(f'{name}="{value}"' for name, value in sorted(labels.items())) + "}", 120)
