"""Fill ``${…}`` in queries, so that no value can say more than a value.

The language of the query says how a value is escaped. In PromQL, a value inside a string is escaped for that string, and
for RE2 too if the string belongs to a ``=~`` or ``!~`` matcher. Outside of strings only durations, numbers and the
scope's own matcher may stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import lru_cache

from judge.errors import ConfigError, Fault, nearest

PLACEHOLDER = re.compile(r"\$\{([^}]*)\}")
BUILT_IN = frozenset({"hash", "rollout", "window", "step", "scope"})
"""Names that a query may use without declaring them."""

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_DURATION = re.compile(r"(\d+(ms|s|m|h|d|w|y))+")
_BARE_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_MATCHER_BEFORE = re.compile(r"(=~|!~|!=|=)\s*$")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}
_RE2_SPECIAL = frozenset("\\.+*?()|[]{}^$")
_UNSAFE = re.compile(r'[\\"\'`\x00-\x1f\x7f\u2028\u2029]')


@dataclass(frozen=True, slots=True)
class Matcher:
    """Label matchers that are already rendered and safe; they go in as they are."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryLanguage:
    """What a source's queries and scopes are written in.

    `name` is what errors call it. `escape` gets a template, the position of a placeholder in it and the value; it writes the
    value for that place, or raises `ValueError` if it could change the query's meaning there. `in_string` tells whether a
    position is inside a string, where no scope may stand. `check_scope` says what is wrong with a filled-in scope, `labels`
    names the labels that scopes speak of, `rate_window` the seconds of data under one sample of a query, None if unknown.
    """

    name: str
    escape: Callable[[str, int, str], str]
    in_string: Callable[[str, int], bool] = lambda _template, _position: False
    check_scope: Callable[[str], str] = lambda _scope: ""
    labels: Callable[[Iterable[str]], AbstractSet[str]] = lambda _scopes: frozenset()
    rate_window: Callable[[str], float | None] = lambda _query: None


def placeholders(template: str) -> frozenset[str]:
    """Name what a template asks for.

    Examples
    --------
    >>> sorted(placeholders('up{job="${job}",${scope}}'))
    ['job', 'scope']
    """
    return frozenset(PLACEHOLDER.findall(template))


def seconds(text: str) -> float:
    """Read a Prometheus duration.

    Raises
    ------
    ValueError
        Where the text is not one.

    Examples
    --------
    >>> seconds("1m30s"), seconds("500ms")
    (90.0, 0.5)
    """
    if not _DURATION.fullmatch(text):
        msg = f"not a duration: {text!r}; write 90s, 5m or 1h30m"
        raise ValueError(msg)
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)(ms|s|m|h|d|w|y)", text))


def duration(value: float) -> str:
    """Write seconds as a Prometheus duration.

    Examples
    --------
    >>> duration(90), duration(0.5)
    ('90s', '500ms')
    """
    return f"{int(value)}s" if value == int(value) else f"{round(value * 1000)}ms"


def escape_regex(value: str) -> str:
    r"""Escape for RE2, so that only the value itself matches.

    Examples
    --------
    >>> escape_regex("a.b*")
    'a\\.b\\*'
    """
    return "".join("\\" + char if char in _RE2_SPECIAL else char for char in value)


def escape_string(value: str) -> str:
    r"""Escape for the inside of a PromQL string in double or single quotes.

    Examples
    --------
    >>> print(escape_string('a"b'))
    a\u0022b
    """
    return _UNSAFE.sub(lambda found: f"\\u{ord(found.group()):04x}" if found.group() != "\\" else r"\\", value)


@lru_cache(maxsize=4096)
def quote_spans(template: str) -> tuple[tuple[int, int, str], ...]:
    """Find the strings of a PromQL text: (after the opening quote, closing quote, quote)."""
    spans = []
    start, quote, position = 0, "", 0
    while position < len(template):
        char = template[position]
        if quote:
            if char == "\\" and quote != "`":
                position += 1
            elif char == quote:
                spans.append((start, position, quote))
                quote = ""
        elif char in "\"'`":
            quote, start = char, position + 1
        elif char == "#":
            end = template.find("\n", position)
            position = len(template) if end < 0 else end
        position += 1
    if quote:
        spans.append((start, len(template), quote))
    return tuple(spans)


def render(template: str, values: Mapping[str, str | Matcher], language: QueryLanguage | None = None) -> str:
    r"""Fill every ``${name}`` of a query with its value.

    Parameters
    ----------
    template : str
        A query, or label matchers.
    values : mapping
        A string is data and is escaped for the place it goes to; a `Matcher` is
        label matchers rendered before.
    language : QueryLanguage, optional
        Of the template; PromQL if left out.

    Raises
    ------
    ConfigError
        Where a name is not given, is empty, or stands where it could change
        the query's meaning.

    Examples
    --------
    >>> print(render('up{job="${job}",${scope}}', {"job": 'a"b', "scope": Matcher('hash="6f9c"')}))
    up{job="a\u0022b",hash="6f9c"}
    >>> print(render('up{pod=~"${name}-.+"}', {"name": "a.b"}))
    up{pod=~"a\\.b-.+"}
    """
    spoken = PROMQL if language is None else language

    def fill(found: re.Match[str]) -> str:
        name = found.group(1)
        if name not in values:
            msg = f"${{{name}}} is not defined{nearest(name, values)}"
            raise ConfigError([Fault(path="", message=f"{msg} in {template!r}", allowed=tuple(sorted(values)))])
        value = values[name]
        if isinstance(value, Matcher):
            if spoken.in_string(template, found.start()):
                raise ConfigError(f"${{{name}}} holds label matchers and cannot stand inside a string: {template!r}")
            return value.text
        if not value:
            # An empty matcher selects the series that lack the label: never what was meant.
            raise ConfigError(f"${{{name}}} is empty in {template!r}")
        try:
            return spoken.escape(template, found.start(), value)
        except ValueError as error:
            raise ConfigError(f"${{{name}}} {error}: {template!r} ({spoken.name})") from None

    return PLACEHOLDER.sub(fill, template)


def _span(template: str, position: int) -> tuple[int, int, str] | None:
    return next((span for span in quote_spans(template) if span[0] <= position < span[1]), None)


def _escape(template: str, position: int, value: str) -> str:
    span = _span(template, position)
    if span is None:
        if not (_NUMBER.fullmatch(value) or _DURATION.fullmatch(value)):
            msg = f"stands outside quotes, where only a number or a duration may go, not {value!r}"
            raise ValueError(msg)
        return value
    start, _, quote = span
    if quote == "`":
        msg = "stands inside backticks, where nothing can be escaped; use double quotes"
        raise ValueError(msg)
    matcher = _MATCHER_BEFORE.search(template, 0, start - 1)
    return escape_string(escape_regex(value) if matcher is not None and matcher.group(1) in {"=~", "!~"} else value)


def resolve_defaults(given: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """Fill in the args that were not given; a default may name other args.

    Raises
    ------
    ConfigError
        Where defaults name each other in a circle, or name what is not declared.

    Examples
    --------
    >>> resolve_defaults({"service": "shop"}, {"host": "${service}.${zone}", "zone": "eu"})
    {'service': 'shop', 'zone': 'eu', 'host': 'shop.eu'}
    """
    resolved = dict(given)

    def resolve(name: str, chain: tuple[str, ...]) -> str:
        if name in resolved:
            return resolved[name]
        if name in chain:
            circle = " -> ".join((*chain[chain.index(name) :], name))
            raise ConfigError([Fault(path=f"args.{chain[0]}.default", message=f"defaults name each other in a circle: {circle}")])
        if name not in defaults:
            known = sorted({*given, *defaults})
            raise ConfigError(
                [Fault(path=f"args.{chain[-1]}.default", message=f"${{{name}}} is not defined{nearest(name, known)}", allowed=tuple(known))]
            )
        value = PLACEHOLDER.sub(lambda found: resolve(found.group(1), (*chain, name)), defaults[name])
        resolved[name] = value
        return value

    for name in defaults:
        resolve(name, ())
    return resolved


def rate_window(query: str) -> float | None:
    """Find the longest range selector of a query, in seconds; None where it has none.

    Examples
    --------
    >>> rate_window('sum(rate(http_requests_total{path="[9h]"}[1m])) / sum(rate(x[5m:15s]))')
    300.0
    """
    spans = quote_spans(query)
    selectors = re.finditer(r"\[\s*((?:\d+(?:ms|s|m|h|d|w|y))+)\s*(?::[^\]]*)?\]", query)
    outside = (found for found in selectors if not any(start <= found.start() < end for start, end, _ in spans))
    return max((seconds(found.group(1)) for found in outside), default=None)


def matcher_labels(matchers: Iterable[str]) -> AbstractSet[str]:
    """Name the labels that rendered matchers speak of.

    Examples
    --------
    >>> sorted(matcher_labels(['pod=~"shop-6f9c-.+",namespace="a"']))
    ['namespace', 'pod']
    """
    names: set[str] = set()
    for text in matchers:
        spans = quote_spans(text)
        outside = "".join(char if not any(s <= i < e for s, e, _ in spans) else " " for i, char in enumerate(text))
        names.update(name for name in _BARE_NAME.findall(outside))
    return names


PROMQL = QueryLanguage(
    name="PromQL",
    escape=_escape,
    in_string=lambda template, position: _span(template, position) is not None,
    check_scope=lambda scope: "" if "=" in scope else "is no label matcher",
    labels=matcher_labels,
    rate_window=rate_window,
)
