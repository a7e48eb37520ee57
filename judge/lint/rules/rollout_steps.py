"""The steps of a Rollout around its analyses: begun too early, too late, or over before they have an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge.core.templates import seconds
from judge.lint.rule import Context, Document, Hits, Kind, Place, Severity, items, mapping, metrics, rule, whole
from judge.lint.rules.rollouts import blocks
from judge.lint.rules.template_args import asked_config
from judge.lint.rules.template_conditions import web_metrics

LEAST_SAMPLES = 5
"""Under so many on a side no test can tell a difference."""


@rule("no-analysis", Severity.INFO, Kind.ROLLOUT)
def no_analysis(document: Document, _: Context) -> Hits:
    """A Rollout without an analysis promotes whatever it gets."""
    strategy = mapping(document.spec.get("strategy"))
    for key in ("canary", "blueGreen"):
        if key in strategy and not any(True for _block in blocks(document)):
            yield ("spec", "strategy", key), "no analysis looks at the new version: nothing but a person keeps a bad one from all users"


@rule("starting-step", Severity.WARNING, Kind.ROLLOUT)
def starting_step(document: Document, _: Context) -> Hits:
    """An analysis in the background begins with the first weight, not before and not after the last step."""
    canary = mapping(mapping(document.spec.get("strategy")).get("canary"))
    analysis, steps = mapping(canary.get("analysis")), list(items(canary.get("steps")))
    weights = [index for index, step in steps if (weight := whole(step.get("setWeight"))) is not None and weight > 0]
    if not analysis or not weights:
        return
    at: Place = ("spec", "strategy", "canary", "analysis")
    if "startingStep" not in analysis:
        yield at, f"without startingStep it begins before the canary has pods, and initialDelay counts from there; write {weights[0] + 1}"
        return
    first = whole(analysis["startingStep"])
    if first is not None and first >= len(steps):
        yield (*at, "startingStep"), f"there are {len(steps)} steps, counted from 0: this analysis never begins"
    elif first is not None and first < weights[0]:
        yield (*at, "startingStep"), f"step {first} is before the first weight (step {weights[0]}): the canary has no requests to judge yet"


@rule("gate-early", Severity.WARNING, Kind.ROLLOUT)
def gate_early(document: Document, context: Context) -> Hits:
    """A gate right after a weight has nothing to judge yet."""
    there = {template.name: template for template in context.templates}
    waited: float | None = 0.0
    for index, step in items(mapping(mapping(document.spec.get("strategy")).get("canary")).get("steps")):
        if "pause" in step:
            waited = _plus(waited, mapping(step["pause"]).get("duration"))
        if step.get("experiment"):
            waited = None  # how long it takes is not written down
        for number, reference in items(mapping(step.get("analysis")).get("templates")):
            template = there.get(str(reference.get("templateName", "")))
            wanted = None if template is None else _wanted(template, context)
            if waited is None or wanted is None or wanted[0] <= waited:
                continue
            at: Place = ("spec", "strategy", "canary", "steps", index, "analysis", "templates", number)
            yield at, f"{waited:g} s after the first step there are too few samples: {wanted[1]}"
        if step.get("analysis"):
            waited = None  # an analysis takes its time too


def _plus(waited: float | None, duration: Any) -> float | None:
    """Add a pause; None where it ends when somebody says so, or cannot be read."""
    length = _length(duration)
    return None if waited is None or length is None else waited + length


def _length(duration: Any) -> float | None:
    number = whole(duration)
    if number is not None:
        return float(number)
    try:
        return seconds(duration) if isinstance(duration, str) else None
    except ValueError:
        return None


def _wanted(template: Document, context: Context) -> tuple[float, str] | None:
    """Seconds before the first answer of a gate can be one, and why; None where that is not known."""
    for _place, metric, web in web_metrics(template):
        config = asked_config(template, web, context)
        if config is None or whole(metric.get("count", 1)) != 1:
            continue
        delay = _length(metric.get("initialDelay", 0))
        least = config.window.warmup + LEAST_SAMPLES * config.window.step
        words = f"{config.name!r} warms up for {config.window.warmup:g} s and samples every {config.window.step:g} s; wait {least:g} s"
        return None if delay is None else (least - delay, words)
    return None


@rule("experiment-duration", Severity.WARNING, Kind.ROLLOUT, Kind.EXPERIMENT)
def experiment_duration(document: Document, _: Context) -> Hits:
    """When an Experiment's time is over, an analysis that is not required ends as successful."""
    experiments: list[tuple[Place, Mapping[str, Any]]] = []
    if document.kind is Kind.EXPERIMENT:
        experiments.append((("spec",), document.spec))
    for index, step in items(mapping(mapping(document.spec.get("strategy")).get("canary")).get("steps")):
        experiments.append((("spec", "strategy", "canary", "steps", index, "experiment"), mapping(step.get("experiment"))))
    for place, experiment in experiments:
        analyses = list(items(experiment.get("analyses")))
        if "duration" in experiment and any(analysis.get("requiredForCompletion") is not True for _index, analysis in analyses):
            yield (
                (*place, "duration"),
                "then the pods go, and an analysis without requiredForCompletion ends as successful however far it is",
            )


@rule("way-back", Severity.WARNING, Kind.ROLLOUT)
def way_back(document: Document, context: Context) -> Hits:
    """After a blue-green switch the old pods must outlive the analysis."""
    bluegreen = mapping(mapping(document.spec.get("strategy")).get("blueGreen"))
    lives = whole(bluegreen.get("scaleDownDelaySeconds"))
    there = {template.name: template for template in context.templates}
    for _index, reference in items(mapping(bluegreen.get("postPromotionAnalysis")).get("templates")):
        template = there.get(str(reference.get("templateName", "")))
        lasts = max((_lasts(metric) for _place, metric in metrics(template)), default=0.0) if template is not None else 0.0
        if lives is not None and lives < lasts:
            place = ("spec", "strategy", "blueGreen", "scaleDownDelaySeconds")
            yield (
                place,
                f"the old pods go after {lives} s, and {reference.get('templateName')!r} may fail until {lasts:g} s: there is no way back",
            )


def _lasts(metric: Mapping[str, Any]) -> float:
    """Seconds until the last measurement begins."""
    count, interval, delay = whole(metric.get("count", 1)), _length(metric.get("interval", 0)), _length(metric.get("initialDelay", 0))
    return (delay if delay is not None else 0.0) + (max(count, 1) - 1 if count is not None else 0) * (
        interval if interval is not None else 0.0
    )


RULES = (no_analysis, starting_step, gate_early, experiment_duration, way_back)
