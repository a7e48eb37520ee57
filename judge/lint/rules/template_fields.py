"""Fields of a template: misspelt, misplaced, or of another tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge.errors import nearest
from judge.lint.rule import Context, Document, Hits, Kind, Place, Severity, items, mapping, metrics, rule

# argo-rollouts v1.6 to v1.9, pkg/apis/rollouts/v1alpha1/analysis_types.go. Argo drops what it does not know without a word,
# unless the API server was told to validate strictly.
SPEC = ("args", "dryRun", "measurementRetention", "metrics", "templates")
METRIC = (
    "name",
    "interval",
    "initialDelay",
    "count",
    "successCondition",
    "failureCondition",
    "failureLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
    "consecutiveSuccessLimit",
    "provider",
)
PROVIDERS = (
    "prometheus",
    "kayenta",
    "web",
    "datadog",
    "wavefront",
    "newRelic",
    "job",
    "cloudWatch",
    "graphite",
    "influxdb",
    "skywalking",
    "plugin",
)
WEB = ("url", "method", "headers", "timeoutSeconds", "jsonPath", "insecure", "body", "jsonBody", "authentication")
KAYENTA = (
    "address",
    "application",
    "canaryConfigName",
    "metricsAccountName",
    "configurationAccountName",
    "storageAccountName",
    "threshold",
    "scopes",
    "lookback",
)
SCOPE = ("name", "controlScope", "experimentScope")
SIDE = ("scope", "region", "step", "start", "end")
OF_THE_METRIC = frozenset(METRIC) - {"name", "provider"}
"""What belongs beside `provider`."""

HINTS = {"timeout": "it is called timeoutSeconds, a number", "location": "it is called region"}


@rule("inconclusive-condition", Severity.ERROR, Kind.TEMPLATE)
def inconclusive_condition(document: Document, _: Context) -> Hits:
    """There is no inconclusiveCondition: what neither condition takes is inconclusive."""
    for place, metric in metrics(document):
        if "inconclusiveCondition" in metric:
            yield (
                (*place, "inconclusiveCondition"),
                "Argo does not know this field and drops it; what is neither success nor failure is inconclusive by itself",
            )


@rule("misplaced-field", Severity.ERROR, Kind.TEMPLATE)
def misplaced_field(document: Document, _: Context) -> Hits:
    """Count, interval and limits belong beside provider, not inside it."""
    for place, metric in metrics(document):
        provider = mapping(metric.get("provider"))
        for name, inside in {"": provider, **provider}.items():
            at = (*place, "provider", name) if name else (*place, "provider")
            for key in sorted(OF_THE_METRIC & set(mapping(inside))):
                yield (*at, key), f"{key} belongs to the metric, beside provider; here nobody reads it"


@rule("unknown-field", Severity.ERROR, Kind.TEMPLATE)
def unknown_field(document: Document, _: Context) -> Hits:
    """Argo drops a field that it does not know."""
    yield from _unknown(("spec",), document.spec, SPEC)
    for place, metric in metrics(document):
        yield from _unknown(place, metric, (*METRIC, "inconclusiveCondition"))
        provider = mapping(metric.get("provider"))
        yield from _unknown((*place, "provider"), provider, (*PROVIDERS, *OF_THE_METRIC))
        yield from _unknown((*place, "provider", "web"), mapping(provider.get("web")), (*WEB, *OF_THE_METRIC))
        kayenta = mapping(provider.get("kayenta"))
        yield from _unknown((*place, "provider", "kayenta"), kayenta, (*KAYENTA, *OF_THE_METRIC))
        for index, scope in items(kayenta.get("scopes")):
            at = (*place, "provider", "kayenta", "scopes", index)
            yield from _unknown(at, scope, SCOPE)
            for side in ("controlScope", "experimentScope"):
                yield from _unknown((*at, side), mapping(scope.get(side)), SIDE)


def _unknown(place: Place, found: Mapping[str, Any], known: tuple[str, ...]) -> Hits:
    for key in found:
        if str(key) not in known:
            hint = f"; {HINTS[str(key)]}" if str(key) in HINTS else nearest(str(key), known)
            yield (*place, str(key)), f"Argo does not know this field and drops it{hint}"


RULES = (inconclusive_condition, misplaced_field, unknown_field)
