"""A config's scope taken apart: which label tells versions from each other, and how one version's pods are chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from judge.core.config import CanaryConfig, MetricConfig
from judge.core.templates import Matcher, duration, escape_regex, escape_string, placeholders, render
from judge.errors import ConfigError, Fault

_MATCHER = re.compile(r"""([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')""")
_SELECTOR = re.compile(r"""([A-Za-z_:][A-Za-z0-9_:]*)\s*\{((?:\$\{\w+\}|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^{}"'])*)\}""")
_HASH = "${hash}"
_COUNTED = ("_total", "_count", "_sum", "_bucket")


@dataclass(frozen=True, slots=True, kw_only=True)
class Versions:
    """How versions are told apart: by `label`, whose values `pattern` reads (its group is the version).

    `selector` is PromQL that selects the series of all versions; `counter` says that they only ever grow.
    """

    label: str
    pattern: str
    selector: str
    counter: bool

    def version_of(self, value: str) -> str | None:
        """The version that a value of the label names; None where it is of something else."""
        found = re.fullmatch(self.pattern, value)
        return found.group(1) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What of a config is the same for every question: its scope and the values of its args."""

    config: CanaryConfig
    scope: str
    args: Mapping[str, str]
    rollout: str = ""

    def values(self, version: str) -> dict[str, str | Matcher]:
        """What fills the config's placeholders for one version; windows are of the config's length."""
        window = self.config.window
        values: dict[str, str | Matcher] = {
            **self.args,
            "hash": version,
            "step": duration(window.step),
            "window": duration(max(window.length, window.step)),
        }
        if self.rollout:
            values["rollout"] = self.rollout
        return values

    def matcher(self, version: str, pods: Sequence[str] = (), *, pod_label: str = "pod") -> str:
        """Label matchers of one version, or of some of its pods."""
        scope = render(self.config.scopes[self.scope], self.values(version))
        if not pods:
            return scope
        several = "|".join(escape_regex(pod) for pod in sorted(pods))
        return f'{scope},{pod_label}=~"{escape_string(several)}"'

    def text(self, template: str, version: str, matcher: str) -> str:
        """One of the config's queries with everything filled in."""
        return render(template, {**self.values(version), "scope": Matcher(matcher)})

    def parts(self, metric: MetricConfig) -> Iterator[tuple[str, str]]:
        """Part and template of each query of a metric."""
        for part, template in (("value", metric.query), ("numerator", metric.numerator), ("denominator", metric.denominator)):
            if template:
                yield part, template


def is_instant(template: str) -> bool:
    """Whether a query is asked once for a whole window, not each step."""
    return "window" in placeholders(template)


def versions_of(asked: Asked) -> Versions:
    """Find out from the config how versions are told apart.

    Raises
    ------
    ConfigError
        Where the scope has no matcher with ``${hash}`` that a version can be read from, or no query uses ``${scope}``.

    Examples
    --------
    >>> config = CanaryConfig(
    ...     name="c",
    ...     scopes={"scope": 'pod=~"shop-${hash}-.+",job="shop"'},
    ...     metrics=(MetricConfig(name="m", query="rate(requests_total{${scope}}[1m])"),),
    ... )
    >>> found = versions_of(Asked(config=config, scope="scope", args={}))
    >>> found.label, found.selector
    ('pod', 'requests_total{pod=~"shop-[a-z0-9]+-.+",job="shop"}')
    >>> found.version_of("shop-6f9c-x2b7z"), found.version_of("cart-1-2")
    ('6f9c', None)
    """
    template = asked.config.scopes[asked.scope]
    where = f"config {asked.config.name!r}"
    carriers = [found for found in _MATCHER.finditer(template) if _HASH in found.group(3)]
    if len(carriers) != 1 or carriers[0].group(2) not in {"=", "=~"}:
        message = f"no rollout can be found in history: {template!r} must have one matcher with ${{hash}}, by = or =~"
        raise ConfigError([Fault(path=f"scopes.{asked.scope}", message=message)], where=where)
    found = carriers[0]
    label, operator, value = found.group(1), found.group(2), found.group(3)[1:-1]
    before, _, after = value.partition(_HASH)
    if _HASH in after:
        raise ConfigError([Fault(path=f"scopes.{asked.scope}", message="names ${hash} twice in one matcher")], where=where)
    everything = {key: kept for key, kept in asked.values("x").items() if key != "hash"}
    if operator == "=" and not before and not after:
        pattern, every = "(.+)", f'{label}!=""'
    else:
        fixed = [_filled(part, everything, regex=operator == "=~") for part in (before, after)]
        pattern = f"{fixed[0]}([a-z0-9]+){fixed[1]}"
        every = f'{label}=~"{escape_string(f"{fixed[0]}[a-z0-9]+{fixed[1]}")}"'
    others = render(template[: found.start()] + "${scope}" + template[found.end() :], {**everything, "scope": Matcher(every)})
    name, inside = _selector(asked)
    # What is counted of each pod must not depend on how it does: no matcher on a status code.
    selector = render(f"{name}{{{inside}}}", {**everything, "scope": Matcher(others)})
    return Versions(label=label, pattern=pattern, selector=selector, counter=name.endswith(_COUNTED))


def _filled(part: str, values: Mapping[str, str | Matcher], *, regex: bool) -> str:
    """One side of ``${hash}`` in a matcher, as a regular expression."""
    text = part
    for name in placeholders(part):
        value = values.get(name)
        if not isinstance(value, str):
            raise ConfigError(f"${{{name}}} is not given: the scope needs it (--rollout, --arg)")
        text = text.replace(f"${{{name}}}", escape_regex(value) if regex else value)
    return text if regex else escape_regex(text)


def _selector(asked: Asked) -> tuple[str, str]:
    """Name and matchers of the series that tell which pods there were."""
    config = asked.config
    templates = [] if config.traffic is None else [config.traffic.query]
    templates += [metric.denominator for metric in config.metrics if metric.denominator]
    templates += [metric.query for metric in config.metrics if metric.query]
    for template in templates:
        for found in _SELECTOR.finditer(template):
            if "${scope}" in found.group(2):
                return found.group(1), found.group(2)
    raise ConfigError("no query of its metrics has a selector with ${scope}", where=f"config {config.name!r}")
