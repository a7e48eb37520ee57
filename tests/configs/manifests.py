"""Manifests as Kubernetes takes them, held against closed schemas: a field that is misspelt is a fault, not one that is dropped.

* Argo's own kinds: the custom resource definitions that come with its Go module.
* Kubernetes' kinds: the OpenAPI document that comes with Kubernetes' Go module, which Argo's needs.
* Everything else that the examples use (routers, the Prometheus operator, Argo CD, a pipeline): small schemas in this folder, which hold
  what the examples say and no more, since those definitions come with nothing that the tests have at hand.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
from ruamel.yaml import YAML

from tests.argo.argo import MODULE, go

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_SCHEMAS = Path(__file__).parent / "schemas.yaml"
KUBERNETES = "k8s.io/kubernetes"
CRDS = {
    "AnalysisTemplate": "analysis-template-crd.yaml",
    "ClusterAnalysisTemplate": "cluster-analysis-template-crd.yaml",
    "Experiment": "experiment-crd.yaml",
    "Rollout": "rollout-crd.yaml",
}
QUANTITY, INT_OR_STRING = "resource.Quantity", "intstr.IntOrString"


def documents(text: str) -> list[dict[str, Any]]:
    """Every document of a YAML stream, aliases followed."""
    return [document for document in YAML(typ="safe", pure=True).load_all(text) if document is not None]


def read_all(path: Path) -> list[dict[str, Any]]:
    """Every document of a file."""
    return documents(path.read_text(encoding="utf-8"))


@cache
def module(name: str) -> Path:
    """Where Go keeps the sources of a module that the client in tests/argo is built from."""
    return Path(json.loads(go("mod", "download", "-json", name))["Dir"])


def closed(schema: Any) -> Any:
    """Close every object, and say in JSON Schema what Kubernetes says in words of its own."""
    if isinstance(schema, list):
        return [closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and not schema.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    return found


@cache
def _argo(kind: str) -> Any:
    [definition] = read_all(module(MODULE) / "manifests" / "crds" / CRDS[kind])
    schema = closed(definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    # The definition leaves these to Kubernetes.
    schema["properties"]["metadata"] = _own("metadata")
    return schema


@cache
def _kubernetes() -> dict[str, Any]:
    document = json.loads((module(KUBERNETES) / "api" / "openapi-spec" / "swagger.json").read_text(encoding="utf-8"))
    definitions = {name: closed(schema) for name, schema in document["definitions"].items()}
    for name in definitions:
        if name.endswith((QUANTITY, INT_OR_STRING)):
            definitions[name] = {"type": ["integer", "number", "string"]}
    return definitions


@cache
def _own_schemas() -> dict[str, Any]:
    [found] = read_all(OWN_SCHEMAS)
    return found


def _own(name: str) -> Any:
    return closed(_own_schemas()[name])


@cache
def validator(api_version: str, kind: str) -> jsonschema.Draft7Validator:
    """The validator of a kind.

    Raises
    ------
    LookupError
        Where no schema is known.
    """
    group, _, version = api_version.rpartition("/")
    if group == "argoproj.io" and kind in CRDS:
        return jsonschema.Draft7Validator(_argo(kind))
    if f"{kind} of {api_version}" in _own_schemas():
        return jsonschema.Draft7Validator({**_own(f"{kind} of {api_version}"), "definitions": {"metadata": _own("metadata")}})
    wanted = {"group": group, "version": version, "kind": kind}
    for name, schema in _kubernetes().items():
        if wanted in schema.get("x-kubernetes-group-version-kind", []):
            return jsonschema.Draft7Validator({"$ref": f"#/definitions/{name}", "definitions": _kubernetes()})
    raise LookupError(f"no schema is known of {kind} of {api_version}")


def faults(manifest: dict[str, Any]) -> list[str]:
    """What is wrong with a manifest."""
    return list(_faults(validator(str(manifest["apiVersion"]), str(manifest["kind"])), manifest))


def _faults(of: jsonschema.Draft7Validator, manifest: Any) -> Iterator[str]:
    for error in of.iter_errors(manifest):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"


def own_faults(name: str, document: Any) -> list[str]:
    """What is wrong with a document that is no manifest, by the schema of this name."""
    return list(_faults(jsonschema.Draft7Validator(_own(name)), document))
