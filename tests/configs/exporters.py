"""A made-up past of one rollout as nine exporters tell it: their metric names and labels, as Prometheus keeps them after a scrape.

Four versions run side by side: `STABLE`, and the canaries `HEALTHY`, `FAULTY`
(errors, lost sales, one out-of-memory kill) and `SLOW` (latency, CPU, memory).
The labels are written here as the exporters and the usual scrape configurations
make them, not as the ready-made configs ask for them: where the two differ, a
config finds nothing.

References
----------
kubernetes/ingress-nginx ``socket.go``; traefik/traefik ``pkg/metrics``; istio.io "Istio Standard Metrics"; linkerd.io
"Proxy Metrics" and linkerd-viz' ``prometheus.yaml``; google/cadvisor ``prometheus.md``; kubernetes/kube-state-metrics
``pod-metrics.md``; grpc-ecosystem/go-grpc-middleware ``server_metrics.go``; Spring Boot's sample of ``/actuator/prometheus``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    Series = tuple[str, Mapping[str, str], NDArray[np.float64]]

END = 1_700_000_100.0
"""Unix seconds: when the past ends; a whole minute."""
LENGTH = 2400.0
SCRAPE = 15.0
SEED = 20
PODS = 2
RPS = 15.0
"""Requests per second of each pod."""
BUCKETS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 1.0, 2.5)
MEDIAN, SIGMA = 0.08, 0.6
KILLED_AT = 900.0
"""Seconds before `END` at which the first pod of `FAULTY` is killed."""
APP_NAMESPACES = ("pods", "services")
"""The same app, scraped through a PodMonitor (no label service) and through ServiceMonitors of both Services."""


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version of the app and how it behaves."""

    name: str
    hash: str
    revision: str
    error_ratio: float = 0.004
    conversion: float = 0.30
    slower: float = 1.0
    heavier: float = 1.0
    killed: bool = False

    @property
    def service(self) -> str:
        """The Kubernetes Service that selects this version's pods alone."""
        return f"shop-{self.name}"

    @cached_property
    def pods(self) -> list[Pod]:
        """Its pods, each with a past of its own."""
        return [Pod(version=self, index=index) for index in range(PODS)]


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What one pod did, as counters and gauges at its scrapes."""

    version: Version
    index: int
    rng: np.random.Generator = field(init=False, repr=False)

    def __post_init__(self) -> None:
        seed = [SEED, self.index, *self.version.hash.encode()]
        object.__setattr__(self, "rng", np.random.default_rng(seed))

    @property
    def name(self) -> str:
        """As Argo's ReplicaSets name pods."""
        return f"shop-{self.version.hash}-x{self.index}k7q"

    @cached_property
    def t(self) -> NDArray[np.float64]:
        """When it was scraped, unix seconds."""
        return np.arange(END - LENGTH, END, SCRAPE) + round(self.rng.uniform(0, SCRAPE), 3)

    @cached_property
    def requests(self) -> NDArray[np.float64]:
        """Requests since the scrape before."""
        return self.rng.poisson(RPS * SCRAPE, len(self.t)).astype(float)

    @cached_property
    def errors(self) -> NDArray[np.float64]:
        """Failed ones among them."""
        return self.rng.binomial(self.requests.astype(int), self.version.error_ratio).astype(float)

    @cached_property
    def buckets(self) -> NDArray[np.float64]:
        """Requests since the scrape before by time taken, cumulative in the bounds; shape (scrapes, bounds + 1)."""
        below = ndtr((np.log(BUCKETS) - np.log(MEDIAN * self.version.slower)) / SIGMA)
        shares = np.diff(below, prepend=0.0, append=1.0)
        return np.cumsum(self.rng.multinomial(self.requests.astype(int), shares), axis=1).astype(float)

    def total(self, increments: NDArray[np.float64]) -> NDArray[np.float64]:
        """A counter; it begins anew where the pod was killed."""
        counted = np.cumsum(increments, axis=0)
        if self.version.killed and self.index == 0:
            after = self.t >= END - KILLED_AT
            counted[after] -= counted[~after][-1]
        return counted

    def noisy(self, value: float, spread: float) -> NDArray[np.float64]:
        """A gauge around a value, never negative."""
        return np.maximum(self.rng.normal(value, value * spread, len(self.t)), 0.0)

    @property
    def started(self) -> NDArray[np.float64]:
        """When its process began, unix seconds."""
        killed = self.version.killed and self.index == 0
        return np.where(killed & (self.t >= END - KILLED_AT), END - KILLED_AT, END - LENGTH - 60)

    def histogram(self, name: str, labels: Mapping[str, str], *, scale: float = 1.0) -> Iterator[Series]:
        """Its requests' times as a Prometheus histogram; `scale` is the unit in seconds⁻¹."""
        counted = self.total(self.buckets)
        for column, bound in enumerate([*(f"{bound * scale:g}" for bound in BUCKETS), "+Inf"]):
            yield f"{name}_bucket", {**labels, "le": bound}, counted[:, column]


STABLE = Version(name="stable", hash="6f9c7b8d5", revision="v41")
HEALTHY = Version(name="canary", hash="7d4b9c6f8b", revision="v42")
FAULTY = Version(name="faulty", hash="5c8f7d9b4", revision="v43", error_ratio=0.04, conversion=0.24, killed=True)
SLOW = Version(name="slow", hash="85d6c9f7c6", revision="v44", slower=1.4, heavier=1.7)
VERSIONS = (STABLE, HEALTHY, FAULTY, SLOW)


def openmetrics() -> str:
    """Every exporter's past of every version, as promtool reads it."""
    lines = []
    for version in VERSIONS:
        for pod in version.pods:
            times = [f"{t:.3f}" for t in pod.t]
            for exporter in EXPORTERS:
                for name, labels, values in exporter(pod):
                    inner = ",".join(f'{label}="{value}"' for label, value in labels.items())
                    lines += [f"{name}{{{inner}}} {value:.10g} {t}" for t, value in zip(times, values.tolist(), strict=True)]
    return "\n".join([*lines, "# EOF", ""])


def _scraped(pod: Pod) -> Iterator[dict[str, str]]:
    """Target labels of the app's own metrics, for each of `APP_NAMESPACES`."""
    common = {"pod": pod.name, "container": "app", "endpoint": "http", "instance": f"10.1.0.{pod.index}:8080"}
    yield {**common, "namespace": "pods", "job": "pods/shop", "rollouts_pod_template_hash": pod.version.hash}
    yield {**common, "namespace": "services", "job": pod.version.service, "service": pod.version.service}


def http_app(pod: Pod) -> Iterator[Series]:
    """client_golang's promhttp, and its process collector."""
    for target in _scraped(pod):
        yield "http_requests_total", {**target, "method": "get", "code": "200"}, pod.total(pod.requests - pod.errors)
        # The healthy canary never failed, so it has no error series at all.
        if pod.version is not HEALTHY:
            yield "http_requests_total", {**target, "method": "get", "code": "503"}, pod.total(pod.errors)
        yield from pod.histogram("http_request_duration_seconds", {**target, "method": "get"})
        yield "process_start_time_seconds", target, pod.started


def grpc_app(pod: Pod) -> Iterator[Series]:
    """go-grpc-middleware: unary calls, and streams that last long and end as they should."""
    for target in _scraped(pod):
        unary = {**target, "grpc_type": "unary", "grpc_service": "shop.v1.Shop", "grpc_method": "Buy"}
        stream = {**target, "grpc_type": "server_stream", "grpc_service": "shop.v1.Shop", "grpc_method": "Watch"}
        asked_wrongly = np.round(pod.requests * 0.05)
        yield "grpc_server_handled_total", {**unary, "grpc_code": "OK"}, pod.total(pod.requests - pod.errors - asked_wrongly)
        yield "grpc_server_handled_total", {**unary, "grpc_code": "NotFound"}, pod.total(asked_wrongly)
        yield "grpc_server_handled_total", {**unary, "grpc_code": "Unavailable"}, pod.total(pod.errors)
        yield "grpc_server_handled_total", {**stream, "grpc_code": "OK"}, pod.total(np.ones(len(pod.t)))
        yield from pod.histogram("grpc_server_handling_seconds", unary)
        for bound in (*map(str, BUCKETS), "+Inf"):
            streams = np.full(len(pod.t), float(bound == "+Inf"))
            yield "grpc_server_handling_seconds_bucket", {**stream, "le": bound}, pod.total(streams)


def jvm_app(pod: Pod) -> Iterator[Series]:
    """Micrometer in Spring Boot."""
    heavier = pod.version.heavier
    for target in _scraped(pod):
        name = "http_server_requests_seconds"
        asked = {**target, "method": "POST", "uri": "/orders", "exception": "none", "error": "none"}
        yield f"{name}_count", {**asked, "status": "200", "outcome": "SUCCESS"}, pod.total(pod.requests - pod.errors)
        yield f"{name}_count", {**asked, "status": "500", "outcome": "SERVER_ERROR"}, pod.total(pod.errors)
        yield from pod.histogram(name, {**asked, "status": "200", "outcome": "SUCCESS"})
        probes = {**target, "method": "GET", "uri": "/actuator/health", "status": "200", "outcome": "SUCCESS"}
        yield f"{name}_count", probes, pod.total(np.full(len(pod.t), 500.0))
        yield "process_cpu_time_ns_total", target, pod.total(pod.requests * pod.noisy(4e6 * heavier, 0.05))
        pauses = pod.rng.poisson(2.0, len(pod.t)) * 0.02 * heavier
        yield "jvm_gc_pause_seconds_sum", {**target, "action": "end of minor GC", "cause": "G1 Evacuation Pause"}, pod.total(pauses)
        fullness = pod.noisy(0.2 * heavier, 0.05)
        yield "jvm_memory_usage_after_gc", {**target, "area": "heap", "pool": "long-lived"}, fullness
        yield "jvm_threads_live_threads", target, np.full(len(pod.t), 48.0)


def business_app(pod: Pod) -> Iterator[Series]:
    """An app that counts what it sells."""
    sold = pod.rng.binomial(pod.requests.astype(int), pod.version.conversion).astype(float)
    for target in _scraped(pod):
        yield "checkouts_started_total", target, pod.total(pod.requests)
        yield "checkouts_completed_total", target, pod.total(sold)
        yield "checkouts_value_total", target, pod.total(sold * pod.noisy(40.0, 0.1))


def nginx_ingress(pod: Pod) -> Iterator[Series]:
    """ingress-nginx: every request under the stable Ingress and Service, the canary's own only in `canary`."""
    taken = {} if pod.version is STABLE else {"canary": f"edge-{pod.version.service}-80"}
    controller = {"controller_pod": f"ingress-nginx-{pod.index}", "controller_class": "k8s.io/ingress-nginx", "host": "shop.example"}
    plain = {"namespace": "ingress-nginx", "service": "ingress-nginx-controller-metrics", "exported_namespace": "edge"}
    scrapes = (
        {**plain, "exported_service": STABLE.service, "ingress": "shop"},
        {"namespace": "edge", "service": STABLE.service, "ingress": "shop-honored"},
    )
    for scrape in scrapes:
        labels = {**controller, **scrape, **taken, "method": "GET", "path": "/"}
        yield "nginx_ingress_controller_requests", {**labels, "status": "200"}, pod.total(pod.requests - pod.errors)
        yield "nginx_ingress_controller_requests", {**labels, "status": "503"}, pod.total(pod.errors)
        yield from pod.histogram("nginx_ingress_controller_response_duration_seconds", {**labels, "status": "200"})


def traefik(pod: Pod) -> Iterator[Series]:
    """Traefik: a name of its own for each Kubernetes Service of a weighted TraefikService."""
    backend = f"edge-{pod.version.service}-80@kubernetescrd"
    proxy = {"pod": f"traefik-{pod.index}", "namespace": "traefik", "method": "GET", "protocol": "http"}
    for scrape in ({"service": "traefik-metrics", "exported_service": backend}, {"service": backend}):
        labels = {**proxy, **scrape}
        yield "traefik_service_requests_total", {**labels, "code": "200"}, pod.total(pod.requests - pod.errors)
        yield "traefik_service_requests_total", {**labels, "code": "502"}, pod.total(pod.errors)
        yield from pod.histogram("traefik_service_request_duration_seconds", {**labels, "code": "200"})


def istio(pod: Pod) -> Iterator[Series]:
    """Istio: the server's sidecar, the gateway before it, a waypoint; the workload's name is the Rollout's on every side."""
    version = pod.version
    to = {"destination_service_namespace": "mesh", "destination_workload": "shop", "destination_canonical_revision": version.revision}
    server = {"namespace": "mesh", "pod": pod.name, "rollouts_pod_template_hash": version.hash, "destination_service_name": "shop"}
    gateway = {"namespace": "istio-system", "pod": f"gateway-{pod.index}", "destination_service_name": version.service}
    waypoint = {"namespace": "mesh", "pod": f"waypoint-{pod.index}", "destination_service_name": version.service}
    for reporter, target in (("destination", server), ("source", gateway), ("waypoint", waypoint)):
        labels = {**target, **to, "reporter": reporter, "request_protocol": "http", "source_workload": "gateway"}
        yield "istio_requests_total", {**labels, "response_code": "200"}, pod.total(pod.requests - pod.errors)
        yield "istio_requests_total", {**labels, "response_code": "503"}, pod.total(pod.errors)
        yield from pod.histogram("istio_request_duration_milliseconds", {**labels, "response_code": "200"}, scale=1000)


def linkerd(pod: Pod) -> Iterator[Series]:
    """Linkerd: the server's proxy with the kubelet's probes, and the gateway's."""
    server = {"namespace": "mesh", "pod": pod.name, "rollouts_pod_template_hash": pod.version.hash, "direction": "inbound"}
    gateway = {"namespace": "ingress", "pod": f"gateway-{pod.index}", "direction": "outbound"}
    chosen = {"dst_namespace": "mesh", "dst_service": pod.version.service, "authority": "shop.mesh.svc.cluster.local:80"}
    for labels in ({**server, "route_name": "default", "srv_name": "all-unauthenticated"}, {**gateway, **chosen}):
        good = {**labels, "classification": "success", "status_code": "200"}
        yield "response_total", good, pod.total(pod.requests - pod.errors)
        yield "response_total", {**labels, "classification": "failure", "status_code": "500"}, pod.total(pod.errors)
        yield from pod.histogram("response_latency_ms", {**labels, "status_code": "200"}, scale=1000)
    probes = {**server, "route_name": "probe", "classification": "success", "status_code": "200"}
    yield "response_total", probes, pod.total(np.full(len(pod.t), 1000.0))


def cadvisor(pod: Pod) -> Iterator[Series]:
    """The kubelet: the app's container, the pause container and the pod's own cgroup, which holds both."""
    heavier = pod.version.heavier
    cores = pod.noisy(0.4 * heavier, 0.08)
    memory = pod.noisy(200e6 * heavier, 0.02)
    throttled = pod.rng.binomial(150, min(0.02 * heavier**4, 1.0), len(pod.t)).astype(float)
    for container, share in (("app", 1.0), ("POD", 0.001), ("", 1.001)):
        labels = {
            "namespace": "shop",
            "pod": pod.name,
            "container": container,
            "id": f"/kubepods/{pod.name}/{container}",
            "rollouts_pod_template_hash": pod.version.hash,
        }
        labels = {name: value for name, value in labels.items() if value}
        yield "container_cpu_usage_seconds_total", labels, pod.total(cores * share * SCRAPE)
        yield "container_memory_working_set_bytes", labels, memory * share
        if container != "POD":
            yield "container_cpu_cfs_periods_total", labels, pod.total(np.full(len(pod.t), 150.0))
            yield "container_cpu_cfs_throttled_periods_total", labels, pod.total(throttled)


def kube_state_metrics(pod: Pod) -> Iterator[Series]:
    """Restarts, and why a container last ended: only where one did."""
    killed = (pod.started > END - LENGTH).astype(float)
    for namespace in ("shop", *APP_NAMESPACES):
        labels = {"namespace": namespace, "pod": pod.name, "container": "app", "uid": f"0-{pod.name}"}
        if namespace == "shop":
            labels["rollouts_pod_template_hash"] = pod.version.hash
        # Healthy's first pod was killed once, long ago: that is no kill of this window.
        before = float(pod.version is HEALTHY and pod.index == 0)
        yield "kube_pod_container_status_restarts_total", labels, killed + before
        if killed.any() or before:
            ended = {**labels, "reason": "OOMKilled"}
            yield "kube_pod_container_status_last_terminated_reason", ended, np.maximum(killed, before)


EXPORTERS: tuple[Callable[[Pod], Iterator[Series]], ...] = (
    http_app,
    grpc_app,
    jvm_app,
    business_app,
    nginx_ingress,
    traefik,
    istio,
    linkerd,
    cadvisor,
    kube_state_metrics,
)
