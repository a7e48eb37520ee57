"""``judge check`` finds every fault that is planted in tests/fixtures/faulty, where it is planted, and nothing else."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from judge.cli.main import cli
from judge.lint.checker import UNUSABLE
from judge.lint.rules import RULES
from tests.lint import LIVE

ROOT = Path(__file__).parents[2]
FAULTY = ROOT / "tests" / "fixtures" / "faulty"


@pytest.fixture(scope="module")
def report():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUDGE_CONFIG_DIR", str(FAULTY))
        result = CliRunner().invoke(cli, ["check", str(FAULTY), "--format", "json"])
    assert result.exit_code == 2, result.output
    return json.loads(result.stdout)


def planted():
    for path in sorted(FAULTY.rglob("*.yaml")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            if (found := re.search(r"# fault: (.+)", line)) is not None:
                yield from ((str(path), 0 if rule == UNUSABLE else number, rule) for rule in found.group(1).split())


def test_what_is_planted_is_found_and_nothing_else(report):
    found = Counter((finding["file"], finding["line"], finding["rule"]) for finding in report["findings"])

    assert found == Counter(planted())


def test_every_rule_that_needs_no_source_has_a_planted_fault():
    assert {rule for _file, _line, rule in planted()} == {*RULES, UNUSABLE} - LIVE


def test_what_is_none_of_ours_is_named(report):
    reasons = {(Path(item["file"]).name, item["reason"].partition(";")[0]) for item in report["skipped"]}

    assert reasons == {
        ("rollouts.yaml", "Service of v1"),
        ("template.yaml", "a Helm template"),
        ("values.yaml", "neither a canary config nor of Argo Rollouts"),
    }


@pytest.mark.parametrize("folder", ["configs", "judge/demo"])
def test_what_we_ship_is_clean(folder):
    result = CliRunner().invoke(cli, ["check", str(ROOT / folder), "--format", "json"])

    assert json.loads(result.stdout)["findings"] == []
    assert result.exit_code == 0
