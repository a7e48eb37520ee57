"""The ready-made configs, and how one asks about the rollout of `tests.configs.exporters` with each."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from judge.config.load import load_configs
from judge.core.templates import placeholders
from judge.wire.request import parse_request
from tests.configs.exporters import END, STABLE, Version

if TYPE_CHECKING:
    from judge.core.config import CanaryConfig
    from judge.wire.request import Request

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "configs"
CONFIGS, ERRORS = load_configs(FOLDER)
SCOPES = [(name, scope) for name, config in CONFIGS.items() for scope in config.scopes]
"""Every scope of every config."""

# What a request must say besides the sides, where the histories of `exporters` are: by config, and where it differs by scope.
ARGS: dict[str, dict[str, str]] = {
    "http-service": {"service": "shop", "namespace": "pods"},
    "grpc-service": {"service": "shop", "namespace": "pods"},
    "jvm": {"service": "shop", "namespace": "pods"},
    "business-metric": {"service": "shop", "namespace": "pods"},
    "nginx-ingress": {"ingress": "shop", "namespace": "edge"},
    "traefik": {"namespace": "edge"},
    "istio": {"namespace": "mesh"},
    "linkerd": {"namespace": "mesh"},
    "kubernetes-resources": {"namespace": "shop"},
}
ARGS_OF_SCOPE: dict[tuple[str, str], dict[str, str]] = {
    **{(name, "service"): {"namespace": "services"} for name, args in ARGS.items() if "service" in args},
    ("nginx-ingress", "service-honor-labels"): {"ingress": "shop-honored"},
}


def side(scope: str, version: Version) -> str:
    """What a request calls a version under this scope."""
    kinds = {"pod-template-hash": version.hash, "pod-name": version.hash, "revision": version.revision}
    return kinds.get(scope, version.service)


def question(name: str, canary: Version, *, scope: str = "", **more: str) -> tuple[Request, CanaryConfig]:
    """Ask about a canary as Argo would: everything a string."""
    scope = scope if scope else CONFIGS[name].scope
    raw = {
        "config": name,
        "scope": scope,
        "baseline": side(scope, STABLE),
        "canary": side(scope, canary),
        **ARGS[name],
        **ARGS_OF_SCOPE.get((name, scope), {}),
        **({"rollout": "shop"} if "rollout" in placeholders(CONFIGS[name].scopes[scope]) else {}),
        **more,
    }
    return parse_request(raw, CONFIGS, now=END)
