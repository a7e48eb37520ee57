"""docs/deploy.md and docs/argo.md say what the files say, and what a real Prometheus says."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request

import pytest
from ruamel.yaml import YAML

from judge.config.load import load_config, parse_config
from tests.configs.kustomizations import COMPONENTS, DEPLOY
from tests.configs.manifests import read_all
from tests.configs.questions import CONFIGS, FOLDER
from tests.configs.test_rollouts import ROLLOUTS
from tests.configs.test_rules import BY_ALERT, recorded
from tests.docs.pages import DOCS, blocks, codes, rows
from tests.servers import prometheus

GUIDE, DEPLOYING, OPERATING = (DOCS / f"{name}.md" for name in ("argo", "deploy", "operations"))
BUCKETS = "rate(http_request_duration_seconds_bucket[5m])"
"""What the page leaves out of its queries."""


def yaml_blocks(page) -> list:
    return [YAML(typ="safe", pure=True).load(block.text) for block in blocks(page, "yaml")]


def texts(page) -> list[str]:
    return [block.text.strip() for block in blocks(page, "text")]


def test_every_rollout_is_in_the_table():
    links = re.findall(r"configs/argo/rollouts/([\w-]+)\.yaml", "".join("".join(row.values()) for row in rows(GUIDE, "Which Rollout")))

    assert sorted(links) == [path.stem for path in ROLLOUTS]


def test_every_template_is_in_the_table():
    links = re.findall(r"\]\(\.\./configs/argo/([\w-]+)\.yaml", "".join("".join(row.values()) for row in rows(GUIDE, "Which template")))

    assert sorted(links) == sorted(path.stem for path in (FOLDER / "argo").glob("*.yaml"))


def test_the_config_after_the_switch_is_the_one_that_is_deployed():
    [told] = [one for one in yaml_blocks(GUIDE) if one.get("name") == "after-switch"]
    config = load_config(DEPLOY / "base" / "configs" / "after-switch.yaml")

    assert told == {key: value for key, value in config.document.items() if key != "description"}


def test_the_judges_form_of_the_one_query_is_a_config():
    [told] = [one for one in yaml_blocks(GUIDE) if list(one) == ["metrics"]]
    config = parse_config({"name": "shop", "scope": 'pod="${hash}"', **told}, where="docs/argo.md")

    assert config.metrics[0].tolerance.relative == 0.2


@pytest.mark.integration
def test_prometheus_refuses_what_articles_show_in_these_words(tmp_path):
    said = texts(GUIDE)
    shown = {said[index - 1]: text for index, text in enumerate(said) if text.startswith('invalid parameter "query"')}

    assert len(shown) == 2
    with prometheus(tmp_path / "prometheus") as url:
        for query, words in shown.items():
            whole = urllib.parse.quote(query.replace("…", BUCKETS))
            with pytest.raises(urllib.error.HTTPError, match="400") as refused:
                urllib.request.urlopen(f"{url}/api/v1/query?query={whole}", timeout=10)
            assert json.load(refused.value)["error"] == words


def test_every_component_is_in_the_table():
    assert sorted(codes(row["component"])[0] for row in rows(DEPLOYING, "What can be added")) == COMPONENTS


def test_every_alert_is_in_the_table_with_its_severity():
    told = {codes(row["alert"])[0]: row["severity"] for row in rows(OPERATING, "Alerts")}

    assert told == {name: rule["labels"]["severity"] for name, rule in BY_ALERT.items()}
    assert [row for row in rows(OPERATING, "Alerts") if not (row["what it means"] and row["what to do"])] == []


def test_the_files_that_are_shown_are_those_that_are_there():
    base, overlay, metrics = yaml_blocks(DEPLOYING)
    [really_base], [really_overlay] = (read_all(DEPLOY / place / "kustomization.yaml") for place in ("base", "overlays/production"))

    assert base["configMapGenerator"] == really_base["configMapGenerator"]
    assert overlay == {key: really_overlay[key] for key in overlay}
    [told] = metrics["metrics"]
    mine = next(metric for metric in CONFIGS["http-service"].document["metrics"] if metric["name"] == "latency-p99")
    assert told == {key: recorded(value) if key == "query" else value for key, value in mine.items() if key != "description"}


@pytest.mark.parametrize("page", [GUIDE, DEPLOYING], ids=lambda page: page.stem)
def test_every_path_that_is_typed_is_there(page):
    typed = {found for block in blocks(page, "text", "sh") for found in re.findall(r"(?<![/\w])configs/[\w/.-]+", block.text)}

    assert typed
    assert sorted(found for found in typed if not (FOLDER.parent / found.rstrip(".:")).exists()) == []
