"""A notebook asks a real Prometheus about a canary of the past."""

from __future__ import annotations

import pytest

from judge import notebook
from tests.integration.test_scenarios import CONFIGS


@pytest.mark.integration
def test_a_past_canary_is_judged_from_prometheus_and_again_from_its_record(prometheus_url, history, history_end):
    known = history["errors"]
    record = notebook.live(
        str(CONFIGS / "http-service.yaml"),
        baseline=known.baseline.hash,
        canary=known.canary.hash,
        prometheus=prometheus_url,
        args={"service": "errors"},
        end=str(history_end),
    )

    assert record["verdict"]["verdict"] == "fail"
    assert notebook.metrics(record).set_index("metric").loc["error-ratio", "classification"] == "high"
    assert len(notebook.samples(record, "error-ratio")) > 20
    assert notebook.changes([record], notebook.rejudge([record])).empty
