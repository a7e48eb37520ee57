"""Histories from which little can be learnt: each ends in a sentence that says what, and gives what can."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from judge.cli.main import cli
from tests.calibrate.conftest import victoria
from tests.calibrate.history import DAY, END, Samples, import_into, past, write_openmetrics
from tests.servers import prometheus

pytestmark = [pytest.mark.integration, pytest.mark.extended]

CONFIG = Path(__file__).parents[2] / "configs" / "http-service.yaml"
LATE = END - 0.4 * DAY


def one_service(one: Samples) -> Samples | None:
    """Only the smallest service; Kubernetes' own metrics carry no service."""
    name = one.labels.get("service", one.labels.get("container", ""))
    return one if name == "cart" else None


def changed(case: str, first_pod: str):
    """How each case's history differs, in a namespace of its own."""

    def change(one: Samples) -> Samples | None:
        kept = one_service(one)
        if kept is None or (case in {"solo", "recorded"} and kept.labels["pod"] != first_pod):
            return None
        labels = {**kept.labels, "namespace": case}
        if case == "recorded":
            del labels["pod"]
        if case == "late" and "duration" in kept.name:
            return Samples(kept.name, labels, kept.t[kept.t >= LATE], kept.v[kept.t >= LATE])
        return Samples(kept.name, labels, kept.t, kept.v)

    return change


@pytest.fixture(scope="module")
def steady():
    """One version for a day, without a rollout."""
    return past(seed=5, days=1.0, scrape=30.0, rollouts=0, bad=())


@pytest.fixture(scope="module")
def poor_url(steady, tmp_path_factory):
    """A server with each case in its namespace."""
    pod = next(service.alive[0].name for service in steady.services if service.name == "cart")
    with victoria(tmp_path_factory.mktemp("poor")) as url:
        for case in ("same", "solo", "recorded", "late"):
            import_into(url, steady, change=changed(case, pod))
        yield url


def calibrate(url: str, folder: Path, namespace: str, *more: str) -> tuple[str, dict]:
    path = folder / "found.json"
    result = CliRunner().invoke(
        cli,
        ["calibrate", str(CONFIG), "--arg", "service=cart", "--arg", f"namespace={namespace}", "--until", f"{END:.0f}", "--prometheus", url,
         "--cache", str(folder / "cache"), "--rate", "0", "--trials", "5", "--pairs", "15", "--json", str(path), *more],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return " ".join(result.stdout.split()), json.loads(path.read_text())


def test_a_label_that_never_changes_leaves_healthy_pairs(poor_url, tmp_path):
    said, found = calibrate(poor_url, tmp_path, "same", "--since", "1d")

    assert "the label that tells versions apart never changes: no rollout can be found or replayed" in said
    assert found["history"]["rollouts"] == []
    assert found["pairs"]["kinds"]["split"] > 30
    assert found["power"]["latency-p99"]["shapes"]["level"]["smallest"]["80%"] is not None


def test_replay_of_a_label_that_never_changes_says_so(poor_url, tmp_path):
    result = CliRunner().invoke(
        cli,
        ["replay", str(CONFIG), "--arg", "service=cart", "--arg", "namespace=same", "--until", f"{END:.0f}", "--since", "1d",
         "--prometheus", poor_url, "--cache", str(tmp_path), "--rate", "0"],
    )  # fmt: skip

    assert result.exit_code == 0
    assert "no rollout was found" in result.stdout
    assert "the label that tells versions apart never changes" in " ".join(result.stdout.split())


def test_two_weeks_asked_of_one_day(poor_url, tmp_path):
    said, found = calibrate(poor_url, tmp_path, "same", "--since", "14d", "--no-replay")

    assert "of the 14 days asked for hold data" in said
    assert "cannot be told from none" in said
    assert found["pairs"]["kinds"]["split"] > 30
    assert found["pairs"]["left_out"]["no data"] > 500


def test_one_pod_is_compared_with_itself_at_other_times(poor_url, tmp_path):
    said, found = calibrate(poor_url, tmp_path, "solo", "--since", "1d")

    assert "the pods of a version cannot be split in two, because it has one pod" in said
    assert "split" not in found["false_alarms"]
    assert found["pairs"]["kinds"]["adjacent"] > 20
    assert found["pairs"]["basis"] == "adjacent"


def test_series_without_a_pod_are_compared_with_themselves_at_other_times(poor_url, tmp_path):
    said, found = calibrate(poor_url, tmp_path, "recorded", "--since", "1d")

    assert "because its series have no label that tells pods apart" in said
    assert found["pairs"]["kinds"] == {"adjacent": found["pairs"]["kinds"]["adjacent"]}


def test_series_that_appear_late_leave_the_time_since(poor_url, tmp_path):
    said, found = calibrate(poor_url, tmp_path, "late", "--since", "1d")

    assert "latency-p99: its series only begin 0.6 days into the history" in said
    assert 10 < found["pairs"]["kinds"]["split"] < 22
    assert found["false_alarms"]["split"]["metrics"]["latency-p99"]["no_data"] == 0


def test_a_query_that_is_too_heavy_is_named_and_the_rest_goes_on(tmp_path):
    short = past(seed=6, days=0.5, scrape=30.0, rollouts=0, bad=())
    text = tmp_path / "past.om"
    write_openmetrics(short, text)
    # A histogram quantile of half an hour loads some thousand samples, a count of requests a hundred.
    with prometheus(tmp_path / "prometheus", blocks=text.read_text(), flags=["--query.max-samples=2200"]) as url:
        said, found = calibrate(url, tmp_path, "shop", "--since", "12h", "--no-replay")

    assert "latency-p99: left out, because" in said
    assert "query processing would load too many samples" in said
    assert "Record it in Prometheus (a recording rule)" in said
    assert set(found["false_alarms"]["split"]["metrics"]) == {"error-ratio", "restarts"}
    assert found["pairs"]["kinds"]["split"] > 10
