"""A judge that is added as one function and one line in `JUDGES` is chosen by configs and by ``--judge``."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from judge.cli.main import cli
from judge.config.load import config_schema, load_config
from judge.core.canary import JUDGES
from judge.core.classification import blank_result
from judge.core.model import Outcome, Verdict
from tests.demo_service import DEMO

RECORDED = str(DEMO / "canaries.jsonl.gz")


def accept_all(config, pairs, *, traffic=None, window=None, warnings=()):
    """Pass whatever comes."""
    results = tuple(blank_result(pair, config.metric(pair.metric)) for pair in pairs)
    return Verdict(outcome=Outcome.PASS, score=100.0, reason="all is well", results=results, judge="toy", warnings=tuple(warnings))


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setitem(JUDGES, "toy", accept_all)
    path = tmp_path / "http-service.yaml"
    text = (DEMO / "http-service.yaml").read_text(encoding="utf-8")
    path.write_text("judge: toy\n" + "\n".join(line for line in text.split("\n") if not line.startswith("judge:")), encoding="utf-8")
    return path


def scored(*arguments):
    done = CliRunner().invoke(cli, ["score", RECORDED, "--format", "jsonl", *map(str, arguments)], catch_exceptions=False)
    return done.exit_code, [json.loads(line)["reason"] for line in done.stdout.splitlines()]


def test_a_config_names_it(config):
    assert load_config(config).judge == "toy"
    assert "toy" in config_schema()["properties"]["judge"]["enum"]
    assert scored("--config", config) == (0, ["all is well", "all is well"])


def test_the_command_line_names_it(config):
    assert scored("--judge", "toy") == (0, ["all is well", "all is well"])


def test_it_is_compared_with_others(config):
    done = CliRunner().invoke(cli, ["score", RECORDED, "--judge", "toy,sequential"], catch_exceptions=False)

    assert done.exit_code == 3
    assert "2 canaries, the same verdict for 1, another for 1 (toy against sequential)" in done.stdout
