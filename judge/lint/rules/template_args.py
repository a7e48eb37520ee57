"""Args of a template, and the question that they make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from judge.core.config import CanaryConfig
from judge.core.templates import placeholders
from judge.errors import nearest
from judge.lint.rule import Context, Document, Hits, Kind, Severity, items, mapping, metrics, rule, texts
from judge.lint.rules.template_conditions import web_metrics
from judge.wire.request import ALIASES, KEYS

_BRACES = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_ARG = re.compile(r"\s*args\.(.+?)\s*")
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?|1[5-9]\d{8}")
_TIMES = frozenset({"start", "end", "start-time", "end-time"})


def declared(document: Document) -> dict[str, Mapping[str, Any]]:
    """Every arg of a template, by name."""
    return {str(arg.get("name", "")): arg for _index, arg in items(document.spec.get("args"))}


def asked_config(document: Document, web: Mapping[str, Any], context: Context) -> CanaryConfig | None:
    """Find the config that a question names, itself or as an arg's default; None where that is not known."""
    name = _config_name(document, web)
    return context.configs.get(name) if name is not None else None


def _config_name(document: Document, web: Mapping[str, Any]) -> str | None:
    named = mapping(web.get("jsonBody")).get("config")
    if not isinstance(named, str):
        return None
    if (arg := _BRACES.fullmatch(named.strip())) is not None:
        found = _ARG.fullmatch(arg.group(1))
        value = declared(document).get(found.group(1), {}).get("value") if found is not None else None
        return value if isinstance(value, str) else None
    return named


@rule("arg-undeclared", Severity.ERROR, Kind.TEMPLATE)
def arg_undeclared(document: Document, _: Context) -> Hits:
    """What a metric uses must be declared in args."""
    known = declared(document)
    for place, metric in metrics(document):
        for at, text in texts(metric, place):
            for inside in _BRACES.findall(text):
                found = _ARG.fullmatch(inside)
                if found is not None and found.group(1) not in known:
                    hint = nearest(found.group(1), known)
                    yield at, f"{{{{{inside.strip()}}}}} is not declared in spec.args, so that the analysis fails{hint}"


@rule("foreign-braces", Severity.ERROR, Kind.TEMPLATE)
def foreign_braces(document: Document, _: Context) -> Hits:
    """In a metric only args are filled in."""
    for place, metric in metrics(document):
        for at, text in texts(metric, place):
            for inside in _BRACES.findall(text):
                if _ARG.fullmatch(inside) is None:
                    yield at, f"{{{{{inside.strip()}}}}} is no arg: Argo cannot fill it in, and the analysis fails"


@rule("arg-unused", Severity.INFO, Kind.TEMPLATE)
def arg_unused(document: Document, _: Context) -> Hits:
    """A declared arg that nothing uses is often a misspelt one."""
    used = {
        found.group(1)
        for _place, metric in metrics(document)
        for _at, text in texts(metric)
        for inside in _BRACES.findall(text)
        if (found := _ARG.fullmatch(inside)) is not None
    }
    if document.spec.get("templates"):
        return  # the templates that it combines may use them
    for index, arg in items(document.spec.get("args")):
        if str(arg.get("name", "")) not in used:
            yield ("spec", "args", index), f"no metric uses the arg {str(arg.get('name', ''))!r}"


@rule("question-key", Severity.ERROR, Kind.TEMPLATE)
def question_key(document: Document, context: Context) -> Hits:
    """A key that the config does not declare is refused with 400."""
    for place, _metric, web in web_metrics(document):
        config = asked_config(document, web, context)
        if config is None:
            continue
        body = mapping(web.get("jsonBody"))
        known = {*KEYS, *ALIASES, *config.args}
        at = (*place, "provider", "web", "jsonBody")
        wrong = [((*at, str(key)), str(key)) for key in body if not _known(str(key), config)]
        wrong += [((*at, "args", str(key)), str(key)) for key in mapping(body.get("args")) if str(key) not in config.args]
        for where, key in wrong:
            yield where, f"the config {config.name!r} does not declare this arg{nearest(key, known)}; the judge answers 400"


def _known(key: str, config: CanaryConfig) -> bool:
    target = key if key in config.args else ALIASES.get(key, key)
    return target in KEYS or target in config.args


@rule("question-lacks", Severity.ERROR, Kind.TEMPLATE)
def question_lacks(document: Document, context: Context) -> Hits:
    """A question needs config, baseline, canary and every arg without a default."""
    for place, _metric, web in web_metrics(document):
        body = mapping(web.get("jsonBody"))
        if not body:
            continue  # a query string: what is in it is not looked at
        at = (*place, "provider", "web", "jsonBody")
        config = asked_config(document, web, context)
        keys = {str(key) for key in (*body, *mapping(body.get("args")))}
        given = keys | {ALIASES[key] for key in keys if key in ALIASES}
        for key in ("config", "baseline", "canary"):
            if key not in given:
                yield at, f"{key} is missing; the judge answers 400"
        if config is None:
            continue
        for key, arg in config.args.items():
            if arg.default is None and key not in given:
                yield at, f"{key} is missing, which the config {config.name!r} wants; the judge answers 400"
        scope = str(body.get("scope", config.scope))
        if "rollout" in placeholders(config.scopes.get(scope, "")) and "rollout" not in given:
            yield at, f"rollout is missing: the scope {scope!r} of {config.name!r} finds pods by their Rollout's name"


@rule("question-config", Severity.WARNING, Kind.TEMPLATE)
def question_config(document: Document, context: Context) -> Hits:
    """The config that a question names should be there."""
    for place, _metric, web in web_metrics(document):
        name = _config_name(document, web)
        if context.configs and name is not None and "{{" not in name and name not in context.configs:
            at = (*place, "provider", "web", "jsonBody", "config")
            yield at, f"there is no config {name!r} in what was checked or in the config folder{nearest(name, context.configs)}"


@rule("fixed-date", Severity.ERROR, Kind.TEMPLATE)
def fixed_date(document: Document, _: Context) -> Hits:
    """A date that is written down judges the same old minutes for ever."""
    places = [(at, text) for place, metric in metrics(document) for at, text in texts(metric.get("provider"), (*place, "provider"))]
    places += [
        (("spec", "args", index, "value"), str(arg["value"]))
        for index, arg in items(document.spec.get("args"))
        if str(arg.get("name")) in _TIMES and "value" in arg
    ]
    for at, text in places:
        of_a_time = at[-1] in _TIMES or at[-1] == "value"
        if of_a_time and _DATE.fullmatch(text.strip()):
            yield at, f"{text.strip()} is the same for every rollout; leave it out, or take it from an arg"


RULES = (arg_undeclared, foreign_braces, arg_unused, question_key, question_lacks, question_config, fixed_date)
