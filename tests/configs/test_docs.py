"""docs/configs.md says what the code does: every field with its default, every ready-made config, and YAML that loads."""

from __future__ import annotations

import json
import re
import subprocess
from enum import Enum
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from judge.config.load import parse_config
from judge.config.schema import ConfigDocument
from judge.config.yaml import Document, parse
from judge.core import formatting as words
from judge.core.config import COUNT_MUST_DETECT, COUNT_TOLERANCE, MUST_DETECT, TOLERANCE
from judge.core.templates import BUILT_IN, seconds
from judge.wire.request import parse_request
from tests.configs.questions import CONFIGS, ROOT
from tests.servers import require

PAGE = (ROOT / "docs" / "configs.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
YAML = [text for language, text in BLOCKS if language == "yaml"]
BASE = {"name": "base", "scope": 'pod="${hash}"', "metrics": [{"name": "up", "query": "sum(up{${scope}})"}]}


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split(" | ")]


def tables(heading: str) -> list[dict[str, str]]:
    """Rows of the first table under a heading, by the head's names."""
    section = re.split(rf"^#+ {re.escape(heading)}$", PAGE, flags=re.MULTILINE)[1]
    lines = re.search(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)
    assert lines is not None
    head, _, *rows = lines.group().splitlines()
    return [dict(zip(cells(head), cells(row), strict=True)) for row in rows]


def documents(model: type[BaseModel], heading: str) -> dict[str, type[BaseModel]]:
    """The model and all models in it, by the heading under which the page describes each."""
    found = {heading: model}
    for name, field in model.model_fields.items():
        for part in (field.annotation, *_inside(field.annotation)):
            if isinstance(part, type) and issubclass(part, Document):
                found |= documents(part, f"`{name}`")
    return found


def _inside(annotation: Any) -> list[Any]:
    return [leaf for part in get_args(annotation) for leaf in (part, *_inside(part))]


DOCUMENTS = documents(ConfigDocument, "The config")


def shown(default: Any) -> str:
    """How the page writes a default."""
    if isinstance(default, Document):
        return "see below"
    if isinstance(default, Enum):
        return default.value
    if isinstance(default, bool):
        return str(default).lower()
    if default is None:
        return "none"
    if default in ("", {}, ()):
        return "empty"
    return f"{default:g}" if isinstance(default, float | int) else str(default)


def told(text: str, default: Any) -> str:
    """A default as the page tells it, durations as seconds."""
    if isinstance(default, float) and re.fullmatch(r"\d+[smh]", text):
        return f"{seconds(text):g}"
    if isinstance(default, float) and re.fullmatch(r"\d+%", text):
        return f"{float(text[:-1]) / 100:g}"
    return text


def test_the_page_describes_every_part_of_a_config():
    assert set(DOCUMENTS) == {
        "The config",
        "`args`",
        "`sides`",
        "`window`",
        "`looks`",
        "`traffic`",
        "`conditions`",
        "`metrics`",
        "`tests`",
        "`limit`",
        "`score`",
    }


@pytest.mark.parametrize("heading", DOCUMENTS)
def test_every_field_is_described_and_nothing_else(heading):
    names = [f"`{field.alias or name}`" for name, field in DOCUMENTS[heading].model_fields.items()]

    assert [row["field"] for row in tables(heading)] == names


@pytest.mark.parametrize("heading", DOCUMENTS)
def test_every_default_is_right(heading):
    rows = {row["field"].strip("`"): row["default"] for row in tables(heading)}
    fields = {field.alias or name: field for name, field in DOCUMENTS[heading].model_fields.items()}
    said = {name: told(rows[name], field.default) for name, field in fields.items()}

    assert said == {name: "required" if field.is_required() else shown(field.default) for name, field in fields.items()}


@pytest.mark.parametrize("heading", DOCUMENTS)
def test_every_field_says_its_type_and_when_to_use_it(heading):
    assert [row for row in tables(heading) if not row["type"] or not row["when to use it"]] == []


def test_the_margins_that_hold_without_saying_are_told():
    rows = {row["field"]: row["when to use it"] for row in tables("`metrics`")}

    for field, value, counted in (("`tolerance`", TOLERANCE, COUNT_TOLERANCE), ("`must_detect`", MUST_DETECT, COUNT_MUST_DETECT)):
        assert words.margin(value, counts=False) in rows[field]
        assert words.margin(counted, counts=True) in rows[field]


def test_every_built_in_name_is_described():
    names = {found for row in tables("What a query may name") for found in re.findall(r"\$\{(\w+)\}", row["name"])}

    assert names == BUILT_IN


def test_every_ready_made_config_has_its_row():
    assert {row["config"].strip("`") for row in tables("The ready-made configs")} == set(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_row_of_a_config_is_what_the_config_says(name):
    config = CONFIGS[name]
    row = next(row for row in tables("The ready-made configs") if row["config"] == f"`{name}`")
    texts = [text for metric in config.metrics for text in (metric.query, metric.numerator, metric.denominator)]
    used = {found for text in texts for found in re.findall(r"\b(\w+)\{", text.replace("${", "$"))}
    by_name = {arg.default for arg in config.args.values() if arg.default and any("__name__" in text for text in texts)}

    assert re.findall(r"`([^`]+)`", row["scopes"]) == list(config.scopes)
    assert re.findall(r"`([^`]+)`", row["args"]) == list(config.args)
    assert set(re.findall(r"`([^`]+)`", row["metrics"])) == used | (by_name - {"default"})
    assert row["what must be true of the Prometheus set-up"]


@pytest.mark.parametrize("text", YAML, ids=lambda text: text.splitlines()[0][:60])
def test_every_yaml_block_loads(text, tmp_path):
    document = parse(text, where="docs/configs.md")

    if "apiVersion" in document:
        assert set(document) == {"apiVersion", "kind", "metadata", "spec"}
    elif "scrape_configs" in document:
        config = tmp_path / "prometheus.yml"
        # Debian's promtool is built without Kubernetes' discovery; the rules are what the page teaches.
        discovery, static = "kubernetes_sd_configs: [{role: pod}]", 'static_configs: [{targets: ["localhost:80"]}]'
        assert discovery in text
        config.write_text(text.replace(discovery, static), encoding="utf-8")
        done = subprocess.run(
            [require("promtool", "prometheus"), "check", "config", "--syntax-only", config], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    elif "metricRelabelings" in document:
        (rule,) = document["metricRelabelings"]
        found = re.fullmatch(rule["regex"], "shop-6f9c7b8d5-x0k7q")
        assert found is not None
        assert (found.group(1), rule["targetLabel"]) == ("6f9c7b8d5", "rollouts_pod_template_hash")
    else:
        assert parse_config({**BASE, **document}, where="docs/configs.md").metrics


def test_the_page_has_whole_configs_fragments_and_scrape_settings():
    """The test above would pass on a page without any block."""
    keys = [set(parse(text, where="docs/configs.md")) for text in YAML]

    assert sum({"name", "scope", "metrics"} <= found for found in keys) >= 1
    assert sum("scopes" in found for found in keys) >= 1
    assert sum("scrape_configs" in found for found in keys) == 1


def test_the_request_of_the_worked_example_is_understood():
    example = next(text for text in YAML if text.startswith("name: checkout"))
    configs = {"checkout": parse_config(parse(example, where="docs/configs.md"), where="docs/configs.md")}
    (asked,) = [json.loads(text) for language, text in BLOCKS if language == "json"]

    request, _ = parse_request(asked, configs, now=1_700_000_000)

    assert (request.baseline, request.canary, request.args) == ("6f9c7b8d5", "7d4b9c6f8b", {"namespace": "shop"})


def test_every_link_within_the_page_has_its_heading():
    headings = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", PAGE, flags=re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) - headings == set()
