"""Every rule has a page, whose bad example it finds, alone, and whose good example is clean.

Those of the rules that need a Prometheus are tried in test_against.py.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from judge.cli.main import cli
from judge.lint.rules import RULES
from tests.lint import LIVE

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "checks"
TEMPLATES = sorted((ROOT / "configs" / "argo").glob("*.yaml"))
STATIC = [rule for rule in RULES if rule not in LIVE]
EXAMPLES = re.compile(r"^## (Bad|Good)\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(rule: str) -> dict[str, str]:
    found = EXAMPLES.findall((PAGES / f"{rule}.md").read_text(encoding="utf-8"))
    assert [name for name, _text in found] == ["Bad", "Good"]
    return dict(found)


@pytest.fixture
def found_in(tmp_path, monkeypatch):
    """The rules that find something in a text, among our configs and templates."""
    monkeypatch.setenv("JUDGE_CONFIG_DIR", str(ROOT / "configs"))

    def check(text):
        path = tmp_path / "example.yaml"
        path.write_text(text, encoding="utf-8")
        result = CliRunner().invoke(cli, ["check", *map(str, (path, *TEMPLATES)), "--format", "json"])
        findings = json.loads(result.stdout)["findings"]
        assert {finding["file"] for finding in findings} <= {str(path)}
        return {finding["rule"] for finding in findings}, result.exit_code

    return check


@pytest.mark.parametrize("rule", STATIC)
def test_the_bad_example_is_found_by_its_rule_alone(found_in, rule):
    assert found_in(examples(rule)["Bad"]) == ({rule}, 0 if RULES[rule].severity == "info" else 2)


@pytest.mark.parametrize("rule", RULES)
def test_the_good_example_is_clean(found_in, rule):
    assert found_in(examples(rule)["Good"]) == (set(), 0)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_page_and_table_say_how_bad_it_is(rule):
    page, table = (ROOT / rule.page).read_text(encoding="utf-8"), (PAGES / "README.md").read_text(encoding="utf-8")
    word = {"error": "error", "warning": "warning", "info": "hint (exit status 0)"}[rule.severity.value]

    assert page.startswith(f"# {rule.id}\n")
    assert f"* severity: {word}\n" in page
    assert f"| [{rule.id}]({rule.id}.md) | {rule.severity.value} | {rule.summary} |" in table


def test_there_is_no_page_without_a_rule():
    assert {path.stem for path in PAGES.glob("*.md")} == {*RULES, "README"}
