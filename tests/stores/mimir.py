"""Mimir on loopback: the whole of it in one process, for several tenants, in a folder that is thrown away."""

from __future__ import annotations

import json
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.servers import free_port, get, process, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TENANT = "X-Scope-OrgID"
ASKING_SECONDS = 5.0
RINGS = (
    "alertmanager.sharding-ring",
    "compactor.ring",
    "distributor.ring",
    "ingester.partition-ring",
    "ingester.ring",
    "overrides-exporter.ring",
    "querier.ring",
    "query-scheduler.ring",
    "ruler.ring",
    "store-gateway.sharding-ring",
)
"""What each part of a cluster is found by; one process needs no gossip for that."""
WITHOUT_ADDRESS = frozenset({"ingester.partition-ring"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mimir:
    """A running Mimir: its address, and the file of what each tenant may."""

    url: str
    overrides: Path

    @property
    def query_api(self) -> str:
        """Where Prometheus' query API is."""
        return f"{self.url}/prometheus"

    def newest(self, tenant: str, metric: str) -> float:
        """The time, in unix seconds, up to which all series of a tenant's metric have come; 0 while there are none."""
        asked = f"{self.query_api}/api/v1/query?{urlencode({'query': f'min(timestamp({metric}))'})}"
        with urllib.request.urlopen(urllib.request.Request(asked, headers={TENANT: tenant}), timeout=ASKING_SECONDS) as answer:
            found = json.loads(answer.read())["data"]["result"]
        return float(found[0]["value"][1]) if found else 0.0

    def limit(self, limits: Mapping[str, Mapping[str, object]]) -> None:
        """Set the limits of each tenant, and wait until they are in force."""
        before = self._in_force()
        beside = self.overrides.with_suffix(".new")
        beside.write_text(json.dumps({"overrides": limits}), encoding="utf-8")
        beside.replace(self.overrides)
        wait_until(lambda: self._in_force() != before, "Mimir has read its limits", pause=0.1)

    def _in_force(self) -> list[bytes]:
        """Mimir's own digest of them."""
        return [line for line in (get(f"{self.url}/metrics") or b"").splitlines() if line.startswith(b"cortex_runtime_config_hash{")]


@contextmanager
def mimir(program: Path, folder: Path, **more: object) -> Iterator[Mimir]:
    """Run Mimir, with more flags; what is asked without a tenant is refused."""
    folder.mkdir(parents=True, exist_ok=True)
    http, grpc, gossip = free_port(), free_port(), free_port()
    overrides = folder / "overrides.yaml"
    overrides.write_text("{}", encoding="utf-8")
    settings = {
        "auth.multitenancy-enabled": "true",
        "usage-stats.enabled": "false",
        "log.level": "warn",
        "server.http-listen-address": "127.0.0.1",
        "server.http-listen-port": http,
        "server.grpc-listen-address": "127.0.0.1",
        "server.grpc-listen-port": grpc,
        "memberlist.bind-addr": "127.0.0.1",
        "memberlist.bind-port": gossip,
        "memberlist.advertise-addr": "127.0.0.1",
        "query-frontend.instance-addr": "127.0.0.1",
        "ingester.ring.replication-factor": 1,
        "ingester.ring.min-ready-duration": "0s",
        "store-gateway.sharding-ring.replication-factor": 1,
        "common.storage.backend": "filesystem",
        "blocks-storage.filesystem.dir": folder / "blocks",
        "blocks-storage.tsdb.dir": folder / "tsdb",
        "blocks-storage.bucket-store.sync-dir": folder / "sync",
        "ruler-storage.filesystem.dir": folder / "rules",
        "ruler.rule-path": folder / "ruler",
        "alertmanager-storage.filesystem.dir": folder / "alerts",
        "compactor.data-dir": folder / "compactor",
        "activity-tracker.filepath": folder / "activity.log",
        "runtime-config.file": overrides,
        "runtime-config.reload-period": "500ms",
        **{f"{ring}.store": "inmemory" for ring in RINGS},
        **{f"{ring}.instance-addr": "127.0.0.1" for ring in RINGS if ring not in WITHOUT_ADDRESS},
        **more,
    }
    url = f"http://127.0.0.1:{http}"
    command = [str(program), *(f"-{name}={value}" for name, value in settings.items())]
    with process(command, folder / "mimir.log", ready=lambda: (get(f"{url}/ready") or b"").strip() == b"ready"):
        yield Mimir(url=url, overrides=overrides)
