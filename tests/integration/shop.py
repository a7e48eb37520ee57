"""A small shop with prometheus_client, whose errors and latency can be turned up while it runs."""

from __future__ import annotations

import random
import sys
import threading
import time

from flask import Flask, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest

BUCKETS = tuple(0.001 * 1.25**n for n in range(30))


def create_shop(seed: int) -> Flask:
    """Build the shop; its answers take made-up times that are counted, not slept."""
    registry = CollectorRegistry()
    requests = Counter("http_requests", "Requests.", ["service", "code"], registry=registry)
    seconds = Histogram("http_request_duration_seconds", "Duration.", ["service"], buckets=BUCKETS, registry=registry)
    app = Flask("shop")
    chance = random.Random(seed)
    state = {"errors": 0.01, "slowness": 1.0}
    lock = threading.Lock()

    def serve_customers() -> None:
        """About 200 requests a second."""
        while True:
            with lock:
                for _ in range(20):
                    code = "500" if chance.random() < state["errors"] else "200"
                    requests.labels(service="shop", code=code).inc()
                    seconds.labels(service="shop").observe(0.02 * state["slowness"] * chance.lognormvariate(0, 0.3))
            time.sleep(0.1)

    @app.get("/metrics")
    def metrics():
        return generate_latest(registry), 200, {"Content-Type": CONTENT_TYPE_LATEST}

    @app.post("/state")
    def change():
        state.update({key: float(value) for key, value in request.get_json().items()})
        return state

    threading.Thread(target=serve_customers, daemon=True).start()
    return app


if __name__ == "__main__":
    create_shop(int(sys.argv[2])).run("127.0.0.1", int(sys.argv[1]))
