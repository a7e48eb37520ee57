"""The manifests in configs/deploy as kustomize renders them: what Kubernetes takes, what hangs together, and what really starts."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from judge.cli.main import cli
from judge.config.load import load_configs
from judge.server.liveness import LEAVE_SECONDS, LOOK_SECONDS, PING_SECONDS
from judge.settings import ENVIRONMENT
from tests.configs.kustomizations import COMPONENTS, DEPLOY, Kustomize, build
from tests.configs.manifests import documents, faults
from tests.configs.questions import FOLDER, ROOT
from tests.servers import free_port, get, process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.extended]

PRODUCTION = ("postgres", "two-replicas", "network-policy", "monitoring")
VARIANTS = {
    "base": (),
    "postgres": ("postgres",),
    "two-replicas": ("postgres", "two-replicas"),
    "autoscaling": ("postgres", "two-replicas", "autoscaling"),
    "network-policy": ("network-policy",),
    "monitoring": ("monitoring",),
    "production": PRODUCTION,
    "everything": (*PRODUCTION, "autoscaling"),
}
each = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture(scope="session")
def kustomize(request, tmp_path_factory) -> Kustomize:
    """Kustomize's own library."""
    return Kustomize(build(request.config.cache.mkdir("kustomize")), tmp_path_factory.mktemp("kustomizations"))


@pytest.fixture
def rendered(kustomize):
    """Manifests of a variant, by kind and name."""

    def render(variant):
        return {(one["kind"], one["metadata"]["name"].partition("-configs-")[0]): one for one in kustomize.render(*VARIANTS[variant])}

    return render


def deployment(found) -> dict[str, Any]:
    return found["Deployment", "judge"]["spec"]


def pod(found) -> dict[str, Any]:
    return deployment(found)["template"]["spec"]


def containers(found) -> list[dict[str, Any]]:
    return [*pod(found)["initContainers"], *pod(found)["containers"]]


def test_every_component_is_tried():
    assert {name for names in VARIANTS.values() for name in names} == set(COMPONENTS)


@each
def test_kubernetes_takes_every_field(kustomize, variant):
    found = kustomize.render(*VARIANTS[variant])

    wrong = {f"{one['kind']} {one['metadata']['name']}": faults(one) for one in found}
    assert len(wrong) == len(found) >= 5
    assert {name: those for name, those in wrong.items() if those} == {}


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("Deployment", "readOnlyRootFilesystem", "readonlyRootFilesystem"),
        ("Deployment", "terminationGracePeriodSeconds", "terminationGracePeriod"),
        ("Service", "targetPort", "targetport"),
        ("NetworkPolicy", "policyTypes", "policytypes"),
        ("HorizontalPodAutoscaler", "averageUtilization", "utilization"),
        ("PodDisruptionBudget", "minAvailable", "minimum"),
        ("ServiceMonitor", "endpoints", "endpoint"),
        ("PrometheusRule", "annotations", "annotation"),
    ],
)
def test_a_misspelt_field_is_found(kustomize, kind, old, new):
    one = next(one for one in kustomize.render(*VARIANTS["everything"]) if one["kind"] == kind)
    text = json.dumps(one)
    assert f'"{old}"' in text

    assert faults(json.loads(text.replace(f'"{old}"', f'"{new}"')))


def test_the_overlay_is_the_base_with_its_components(kustomize):
    assert in_order(documents(kustomize.text(DEPLOY / "overlays" / "production"))) == in_order(kustomize.render(*PRODUCTION))


def in_order(manifests) -> list[dict[str, Any]]:
    """By kind and name: each way of rendering has an order of its own."""
    return sorted(manifests, key=lambda one: (one["kind"], one["metadata"]["name"]))


def test_kubectl_renders_the_same(kustomize):
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is missing: kustomize's own library alone was tried")
    done = subprocess.run([kubectl, "kustomize", str(DEPLOY / "overlays" / "production")], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert in_order(documents(done.stdout)) == in_order(kustomize.render(*PRODUCTION))


# What hangs together


@each
def test_everything_is_in_one_namespace(kustomize, variant):
    assert {one["metadata"].get("namespace") for one in kustomize.render(*VARIANTS[variant]) if one["kind"] != "Namespace"} == {"judge"}


@each
def test_every_selector_finds_the_pods(rendered, variant):
    found = rendered(variant)
    labels = deployment(found)["template"]["metadata"]["labels"]
    selectors = [deployment(found)["selector"]["matchLabels"], found["Service", "judge"]["spec"]["selector"]]
    selectors += [one["spec"]["selector"]["matchLabels"] for (kind, _), one in found.items() if kind == "PodDisruptionBudget"]
    selectors += [one["spec"]["podSelector"]["matchLabels"] for (kind, _), one in found.items() if kind == "NetworkPolicy"]
    for term in pod(found).get("affinity", {}).get("podAntiAffinity", {}).get("preferredDuringSchedulingIgnoredDuringExecution", []):
        selectors.append(term["podAffinityTerm"]["labelSelector"]["matchLabels"])

    assert [one for one in selectors if not one or not one.items() <= labels.items()] == []


@each
def test_every_port_volume_and_config_map_is_there(rendered, variant):
    found = rendered(variant)
    [judge] = pod(found)["containers"]
    ports = {port["name"] for port in judge["ports"]}
    volumes = {volume["name"] for volume in pod(found)["volumes"]}
    mounted = {mount["name"] for container in containers(found) for mount in container["volumeMounts"]}
    [own] = [volume["configMap"]["name"] for volume in pod(found)["volumes"] if "configMap" in volume]

    assert {port["targetPort"] for port in found["Service", "judge"]["spec"]["ports"]} <= ports
    assert {judge[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")} <= ports
    assert mounted == volumes
    assert own == found["ConfigMap", "judge"]["metadata"]["name"]
    assert pod(found)["serviceAccountName"] == found["ServiceAccount", "judge"]["metadata"]["name"]


@each
def test_the_pod_may_do_nothing_that_it_need_not(rendered, variant):
    spec = pod(rendered(variant))

    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == 10001
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert spec["enableServiceLinks"] is False
    for container in containers(rendered(variant)):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert container["resources"]["limits"].keys() == {"memory"}


@each
def test_no_command_needs_a_program_that_the_image_does_not_have(rendered, variant):
    spec = pod(rendered(variant))
    commands = [one["command"] for one in containers(rendered(variant)) if "command" in one]
    commands.append(spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"])

    assert {command[0] for command in commands} == {"python"}


@each
def test_only_what_must_be_written_to_can_be(rendered, variant):
    [judge] = pod(rendered(variant))["containers"]

    assert {mount["mountPath"] for mount in judge["volumeMounts"] if not mount.get("readOnly")} == {"/data", "/dev/shm"}


@each
def test_questions_under_way_are_finished_before_the_pod_goes(rendered, variant):
    spec = pod(rendered(variant))
    [program, _, script] = spec["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    [wait] = re.fullmatch(r"import time; time\.sleep\((\d+)\)", script).groups()

    assert spec["terminationGracePeriodSeconds"] >= int(wait) + 30
    assert program == "python"


@each
def test_several_judges_share_an_archive_and_one_alone_has_a_volume(rendered, variant):
    found = rendered(variant)
    archive = next(one for one in pod(found)["containers"][0]["env"] if one["name"] == "JUDGE_ARCHIVE_URL")

    if "postgres" in VARIANTS[variant]:
        assert archive["valueFrom"] == {"secretKeyRef": {"name": "judge-archive", "key": "url"}}
        assert "value" not in archive
        assert not any(kind == "PersistentVolumeClaim" for kind, _ in found)
        assert deployment(found)["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    else:
        assert archive["value"] == "sqlite:////data/judge.sqlite"
        assert ("PersistentVolumeClaim", "judge-data") in found
        assert deployment(found)["replicas"] == 1
        assert deployment(found)["strategy"] == {"type": "Recreate"}


def test_one_of_two_judges_stays(rendered):
    found = rendered("two-replicas")

    assert deployment(found)["replicas"] == 2
    assert found["PodDisruptionBudget", "judge"]["spec"]["minAvailable"] == 1


def test_the_autoscaler_alone_sets_the_replicas(rendered):
    found = rendered("everything")
    scaler = found["HorizontalPodAutoscaler", "judge"]["spec"]

    assert "replicas" not in deployment(found)
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "judge"}
    assert scaler["minReplicas"] > found["PodDisruptionBudget", "judge"]["spec"]["minAvailable"]


def test_prometheus_finds_the_metrics_by_the_service(rendered):
    found = rendered("monitoring")
    service = found["Service", "judge"]
    monitor = found["ServiceMonitor", "judge"]["spec"]

    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert {one["port"] for one in monitor["endpoints"]} <= {port["name"] for port in service["spec"]["ports"]}


def test_grafana_gets_the_dashboard_as_it_is(rendered):
    found = rendered("monitoring")["ConfigMap", "judge-dashboard"]
    [(name, text)] = found["data"].items()

    assert (found["metadata"]["namespace"], found["metadata"]["labels"]["grafana_dashboard"]) == ("judge", "1")
    assert name.endswith(".json")
    assert json.loads(text) == json.loads((DEPLOY / "components" / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))
    # Kubernetes takes no larger one, and `kubectl apply` writes it into an annotation too.
    assert len(text) < 262_144


def test_no_probe_gives_up_before_the_judge_has_asked_its_archive(rendered):
    [judge] = pod(rendered("base"))["containers"]

    assert {name: judge[name].get("timeoutSeconds", 1) > PING_SECONDS for name in ("readinessProbe", "startupProbe")} == {
        "readinessProbe": True,
        "startupProbe": True,
    }
    # A stuck worker replaces itself within this; only where that fails does the kubelet start the pod anew.
    assert judge["livenessProbe"]["periodSeconds"] * judge["livenessProbe"]["failureThreshold"] >= LOOK_SECONDS + LEAVE_SECONDS


def test_the_policy_lets_in_who_asks_and_out_what_the_judge_asks(rendered):
    found = rendered("production")
    policy = found["NetworkPolicy", "judge"]["spec"]
    source = documents(found["ConfigMap", "judge"]["data"]["server.yaml"])[0]["sources"]["default"]["url"]
    _, namespace, port = re.fullmatch(r"http://(\w+)\.(\w+)\.svc:(\d+)", source).groups()
    out = [(rule["ports"], rule["to"]) for rule in policy["egress"]]
    selector = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}

    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert ([{"port": int(port), "protocol": "TCP"}], [selector]) in out
    assert {
        one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for rule in policy["ingress"] for one in rule["from"]
    } >= {
        "argo-rollouts",
        "monitoring",
    }


def test_the_templates_ask_at_the_services_address(rendered):
    service = rendered("base")["Service", "judge"]
    address = f"http://{service['metadata']['name']}.{service['metadata']['namespace']}.svc:{service['spec']['ports'][0]['port']}"

    for path in (FOLDER / "argo").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert address in text or "name: image" in text, path.name


def test_the_image_can_speak_to_postgresql():
    assert "requirements.txt --extra postgres" in (ROOT / ".ci" / "lock").read_text(encoding="utf-8")


# What really starts


def folder_of_configs(found, place: Path) -> Path:
    """What the init container makes of the image's configs and the ConfigMap, by its own command."""
    for name in ("image", "own", "configs"):
        (place / name).mkdir()
    for path in FOLDER.iterdir():  # as the Dockerfile copies them
        (shutil.copytree if path.is_dir() else shutil.copy)(path, place / "image" / path.name)
    for name, text in found["ConfigMap", "judge"]["data"].items():
        (place / "own" / name).write_text(text, encoding="utf-8")
    [container] = pod(found)["initContainers"]
    [program, flag, script] = container["command"]
    assert (program, flag) == ("python", "-c")
    for inside, outside in (("/etc/judge/configs", "image"), ("/etc/judge/own", "own"), ("/configs/", "configs/")):
        assert inside in script
        script = script.replace(inside, f"{place}/{outside}")
    done = subprocess.run([sys.executable, flag, script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return place / "configs"


@contextmanager
def started(found, place: Path) -> Iterator[str]:
    """The judge as its container starts it, but for the port and the archive's place; answers its address."""
    [judge] = pod(found)["containers"]
    assert {one["name"] for one in judge["env"]} <= set(ENVIRONMENT)
    context = cli.get_command(None, judge["args"][0]).make_context("serve", judge["args"][1:])
    assert (context.params["host"], context.params["port"]) == ("0.0.0.0", judge["ports"][0]["containerPort"])
    port = free_port()
    environ = {**os.environ, "JUDGE_CONFIG_DIR": str(folder_of_configs(found, place)), "JUDGE_ARCHIVE_URL": f"sqlite:///{place}/a.sqlite"}
    command = ["env", *(f"{name}={environ[name]}" for name in environ if name.startswith("JUDGE_")), "PYTHONPATH=" + str(ROOT)]
    serve = [sys.executable, "-m", "judge", "serve", "--port", str(port), "--workers", str(context.params["workers"])]
    with process([*command, *serve], place / "serve.log", ready=lambda: get(f"http://127.0.0.1:{port}/healthz")):
        yield f"http://127.0.0.1:{port}"


def test_the_probes_are_answered_and_every_config_is_served(rendered, tmp_path):
    found = rendered("base")
    [judge] = pod(found)["containers"]

    with started(found, tmp_path) as url:
        probes = [get(url + judge[probe]["httpGet"]["path"]) for probe in ("startupProbe", "readinessProbe", "livenessProbe")]
        ready = json.loads(get(f"{url}/readyz"))

    assert None not in probes
    assert ready["problems"] == []
    own = {name.removesuffix(".yaml") for name in found["ConfigMap", "judge"]["data"]} - {"server"}
    assert set(ready["configs"]) == own | {path.stem for path in FOLDER.glob("*.yaml")} - {"server"}


def test_a_config_of_ones_own_replaces_its_namesake(rendered, tmp_path):
    found = rendered("base")
    changed = {**found, ("ConfigMap", "judge"): {"data": {"http-service.yaml": (DEPLOY / "base/configs/after-switch.yaml").read_text()}}}

    configs, errors = load_configs(folder_of_configs(changed, tmp_path))

    assert errors == []
    assert "http-service" not in configs
    assert "after-switch" in configs
