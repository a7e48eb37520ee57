"""Rollouts and Experiments: which analyses they run, and whether these decide anything."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from judge.errors import nearest
from judge.lint.rule import Context, Document, Hits, Kind, Place, Severity, items, mapping, rule
from judge.lint.rules.template_args import declared
from judge.wire.request import ALIASES

_HASHES = {"baseline": "Stable", "canary": "Latest"}
_HASH = re.compile(r"[bcdfghjklmnpqrstvwxz2456789]{6,10}")
"""A pod-template hash, and no name of a Service."""


def analyses(document: Document) -> Iterator[tuple[Place, Mapping[str, Any], str]]:
    """Each reference to templates, with its args: place, the analysis, the template's name."""
    for place, analysis in blocks(document):
        for index, reference in items(analysis.get("templates")):
            yield (*place, "templates", index), {**reference, "args": analysis.get("args")}, str(reference.get("templateName", ""))
        if "templateName" in analysis:
            yield place, analysis, str(analysis["templateName"])


def blocks(document: Document) -> Iterator[tuple[Place, Mapping[str, Any]]]:
    """Each analysis with its place; one may name several templates."""
    if document.kind is Kind.EXPERIMENT:
        for index, analysis in items(document.spec.get("analyses")):
            yield ("spec", "analyses", index), analysis
        return
    strategy = mapping(document.spec.get("strategy"))
    canary, bluegreen = mapping(strategy.get("canary")), mapping(strategy.get("blueGreen"))
    if canary.get("analysis"):
        yield ("spec", "strategy", "canary", "analysis"), mapping(canary["analysis"])
    for index, step in items(canary.get("steps")):
        at: Place = ("spec", "strategy", "canary", "steps", index)
        if step.get("analysis"):
            yield (*at, "analysis"), mapping(step["analysis"])
        for number, analysis in items(mapping(step.get("experiment")).get("analyses")):
            yield (*at, "experiment", "analyses", number), analysis
    for key in ("prePromotionAnalysis", "postPromotionAnalysis"):
        if bluegreen.get(key):
            yield ("spec", "strategy", "blueGreen", key), mapping(bluegreen[key])


@rule("background-only", Severity.WARNING, Kind.ROLLOUT)
def background_only(document: Document, _: Context) -> Hits:
    """An analysis in the background does not gate."""
    canary = mapping(mapping(document.spec.get("strategy")).get("canary"))
    steps = [step for _index, step in items(canary.get("steps"))]
    gated = any(step.get("analysis") or mapping(step.get("experiment")).get("analyses") for step in steps)
    if canary.get("analysis") and not gated:
        yield (
            ("spec", "strategy", "canary", "analysis"),
            "when the steps are over first, an analysis that has not failed ends as successful; add an analysis step",
        )


@rule("template-missing", Severity.WARNING, Kind.ROLLOUT, Kind.EXPERIMENT)
def template_missing(document: Document, context: Context) -> Hits:
    """A template that is named should be there, in the scope that is named."""
    if not context.templates:
        return
    for place, reference, name in analyses(document):
        cluster = reference.get("clusterScope") is True
        kind = "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate"
        there = {template.name: template for template in context.templates}
        if name not in there:
            yield place, f"there is no template {name!r} in what was checked{nearest(name, there)}"
        elif not any(template.name == name and template.data.get("kind") == kind for template in context.templates):
            other = "set clusterScope: true" if not cluster else "leave clusterScope out"
            yield place, f"{name!r} is no {kind}; {other}"


@rule("template-args", Severity.ERROR, Kind.ROLLOUT, Kind.EXPERIMENT)
def template_args(document: Document, context: Context) -> Hits:
    """Every arg of a template without a value must be given."""
    there = {template.name: template for template in context.templates}
    for place, reference, name in analyses(document):
        if name not in there:
            continue
        wanted = declared(there[name])
        given = {str(arg.get("name", "")) for _index, arg in items(reference.get("args"))}
        for arg, entry in wanted.items():
            if "value" not in entry and "valueFrom" not in entry and arg not in given:
                yield place, f"the template {name!r} wants the arg {arg!r}, which nothing gives"


@rule("arg-unknown", Severity.WARNING, Kind.ROLLOUT, Kind.EXPERIMENT)
def arg_unknown(document: Document, context: Context) -> Hits:
    """An arg that no template of the analysis declares is dropped."""
    there = {template.name: template for template in context.templates}
    for place, analysis in blocks(document):
        names = [str(reference.get("templateName", "")) for _index, reference in items(analysis.get("templates"))]
        names += [str(analysis["templateName"])] if "templateName" in analysis else []
        # A template that is not at hand, or combines others, may declare anything.
        if not names or any(name not in there or there[name].spec.get("templates") for name in names):
            continue
        known = {arg for name in names for arg in declared(there[name])}
        for index, arg in items(analysis.get("args")):
            name = str(arg.get("name", ""))
            if name not in known:
                yield (*place, "args", index), f"no template here declares the arg {name!r}, so that Argo drops it{nearest(name, known)}"


@rule("swapped-sides", Severity.ERROR, Kind.ROLLOUT)
def swapped_sides(document: Document, _: Context) -> Hits:
    """The baseline is the stable hash and the canary the latest one."""
    for place, name, arg in _hashes(document):
        source = mapping(arg.get("valueFrom")).get("podTemplateHashValue")
        if source is not None and source != _HASHES[ALIASES.get(name, name)]:
            yield (
                place,
                f"{name} gets the hash {source}: a canary that is worse would look better; it is {_HASHES[ALIASES.get(name, name)]}",
            )


@rule("fixed-hash", Severity.ERROR, Kind.ROLLOUT)
def fixed_hash(document: Document, _: Context) -> Hits:
    """A hash that is written down is that of one rollout for ever."""
    for place, name, arg in _hashes(document):
        value = arg.get("value")
        if isinstance(value, str) and value and "{{" not in value and _HASH.fullmatch(value):
            wanted = _HASHES[ALIASES.get(name, name)]
            yield place, f"{name} is {value} in every rollout; write valueFrom: {{podTemplateHashValue: {wanted}}}"


def _hashes(document: Document) -> Iterator[tuple[Place, str, Mapping[str, Any]]]:
    """Each arg that picks a side."""
    for place, analysis in blocks(document):
        for index, arg in items(analysis.get("args")):
            name = str(arg.get("name", ""))
            if ALIASES.get(name, name) in _HASHES:
                yield (*place, "args", index), name, arg


RULES = (background_only, template_missing, template_args, arg_unknown, swapped_sides, fixed_hash)
