"""Prometheus queries of Kayenta's canary configs, built as Kayenta builds them.

Where Kayenta pastes a value into a query as it is, we paste it where it can only be
a value: inside a string it is escaped for the string (a regular expression stays
one), outside of strings only label matchers, names, numbers and durations may stand.

Source: Kayenta's documented behaviour (docs/canary-config.md of spinnaker/kayenta) and
observation of its Prometheus metrics service at commit a69573be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from judge.core.templates import escape_string, quote_spans
from judge.errors import ConfigError, Fault

PROMQL = "PromQL:"
RESOURCE_TYPES = ("gce_instance", "aws_ec2_instance")

_PLACEHOLDER = re.compile(r"(\$?)\$\{([^}]*)\}")
_MATCHER = r"[a-zA-Z_][a-zA-Z0-9_]*\s*(?:=~|!~|!=|=)\s*\"(?:[^\"\\]|\\.)*\""
_OUTSIDE = re.compile(rf"\s*(?:[\w.:/-]+|{_MATCHER}(?:\s*,\s*{_MATCHER})*)\s*")


def build_query(metric: Mapping[str, Any], templates: Mapping[str, Any], values: Mapping[str, str], *, path: str) -> str:
    """Build the query of one metric for one side.

    Parameters
    ----------
    metric : mapping
        An entry of ``metrics[]``; its query is of type prometheus.
    templates : mapping
        The config's ``templates``.
    values : mapping
        ``scope``, ``location`` and the side's extended scope parameters.
    path : str
        Dotted path of the metric, for faults.

    Raises
    ------
    ConfigError
        Where there is no template, a value is missing, or a value would change the query.
    """
    query = metric["query"]
    template = query.get("customInlineTemplate")
    if not template and query.get("customFilterTemplate"):
        name = query["customFilterTemplate"]
        template = templates.get(name)
        if template is None:
            raise ConfigError(
                [Fault(path=f"{path}.query.customFilterTemplate", message=f"there is no template {name!r}", allowed=tuple(templates))]
            )
    known = {"resourceType": str(query.get("resourceType") or ""), **values}
    if template:
        text = str(template).replace("$\\{", "${")
        if text.startswith(PROMQL):
            return expand(text[len(PROMQL) :], known, path=f"{path}.query")
        # A filter is put between braces: its own strings are the query's.
        filters = [expand(text, known, path=f"{path}.query")]
    else:
        filters = _resource_filters(query, known, path)
    bindings = [str(part) for part in query.get("labelBindings") or []]
    inside = ",".join([*filters, *bindings])
    aggregated = f"avg({query.get('metricName', '')}{{{inside}}})"
    group_by = [str(part) for part in query.get("groupByFields") or []]
    return f"{aggregated} by ({','.join(group_by)})" if group_by else aggregated


def _resource_filters(query: Mapping[str, Any], values: Mapping[str, str], path: str) -> list[str]:
    kind = query.get("resourceType")
    scope, location = (escape_string(values.get(key, "")) for key in ("scope", "location"))
    if kind == "gce_instance":
        label = values.get("_scopeLabel", "instance")
        project = escape_string(values.get("project", ""))
        return [f'{label}=~"{scope}-.{{4}}"', f'zone=~".+/projects/{project}/zones/{location}-.{{1}}"']
    if kind == "aws_ec2_instance":
        return [f'asg_groupName="{scope}"', f'zone=~"{location}.{{1}}"']
    message = "needs customInlineTemplate, customFilterTemplate or resourceType"
    raise ConfigError([Fault(path=f"{path}.query", message=message, allowed=RESOURCE_TYPES)])


def placeholders(template: str) -> set[str]:
    """Name what a template asks for and has no default of its own.

    Examples
    --------
    >>> sorted(placeholders('app="${scope}",zone="${zone:-eu}",x="$${y}"'))
    ['scope']
    """
    return {name for dollar, name in _PLACEHOLDER.findall(template.replace("$\\{", "${")) if not dollar and ":-" not in name}


def expand(template: str, values: Mapping[str, str], *, path: str) -> str:
    r"""Fill ``${name}``, ``${name:-default}``; ``$${`` is a plain ``${``.

    Examples
    --------
    >>> expand('app="${scope}",${extra}', {"scope": 'a"b', "extra": 'zone="eu"'}, path="")
    'app="a\\u0022b",zone="eu"'
    """
    spans = quote_spans(template)

    def fill(found: re.Match[str]) -> str:
        if found.group(1):
            return found.group(0)[1:]
        name, has_default, default = found.group(2).partition(":-")
        if name in values:
            value = values[name]
        elif has_default:
            value = default
        else:
            raise ConfigError([Fault(path=path, message=f"${{{name}}} is not defined", allowed=tuple(sorted(values)))])
        if any(start <= found.start() < end for start, end, _ in spans):
            return escape_string(value)
        if not _OUTSIDE.fullmatch(value):
            message = f"${{{name}}} stands outside quotes, where only label matchers, names and numbers may go, not {value!r}"
            raise ConfigError([Fault(path=path, message=message)])
        return value

    return _PLACEHOLDER.sub(fill, template)
