"""A source that is added as one module and one line in `SOURCES` works everywhere, in its own query language."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from click.testing import CliRunner
from pydantic import Field

from judge.archive import open_archive
from judge.cli.main import cli
from judge.core.model import Series
from judge.core.templates import QueryLanguage
from judge.errors import ConfigError
from judge.reports.verdict_page import verdict_page
from judge.server.app import create_app
from judge.settings import load_settings
from judge.sources import Answer, Source, SourceSettings
from judge.sources.registry import SOURCES
from judge.verdicts.service import Service

NOW = 1_763_629_200.0
SERVER = "sources: {default: {type: toy, table: latencies}}\n"
CONFIG = """
name: shop
source: default
scope: pod is '${hash}'
window: {step: 60s, length: 30m}
metrics:
  - {name: latency, query: "mean of ${scope}", direction: increase, critical: true}
"""


class ToySettings(SourceSettings):
    """A table."""

    type: Literal["toy"]
    table: Annotated[str, Field(description="Its name.")]
    rows: Annotated[int, Field(ge=1, description="How many are read.")] = 7

    def open(self, name: str = "default") -> Source:
        """Open it."""
        return Toy(self, name)

    def recorded(self) -> dict[str, Any]:
        """The rows."""
        return {"type": self.type, "rows": self.rows}

    @staticmethod
    def query_page(described, query, *, start, end, step) -> str:
        """A page of the table."""
        return f"https://toy.example/{described['table']}"


def escape(template: str, position: int, value: str) -> str:
    if template[:position].count("'") % 2 == 0:
        msg = "stands outside quotes"
        raise ValueError(msg)
    return value.replace(".", "..")


class Toy(Source):
    """Canaries with an even number of letters are slow."""

    language = QueryLanguage(name="ToyQL", escape=escape)
    asked: list[str]

    def __init__(self, settings: ToySettings, name: str) -> None:
        self.settings, self.name = settings, name
        Toy.asked = []

    def describe(self):
        """The table."""
        return {"type": "toy", "table": self.settings.table}

    def fetch(self, queries, *, deadline):
        """Answer by the length of the scope."""
        Toy.asked += [query.text for query in queries]
        return [Answer(query=query, series=(self.series(query),)) for query in queries]

    @staticmethod
    def series(query):
        """A level with noise that does not repeat."""
        t = np.arange(query.start, query.end + 1, query.step)
        level = 150.0 if query.side == "canary" and len(query.scope) % 2 == 0 else 100.0
        return Series(t=t, v=level + np.sin(t * (12.9898 if query.side == "canary" else 78.233)) * 3)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setitem(SOURCES, "toy", ToySettings)
    (tmp_path / "server.yaml").write_text(SERVER, encoding="utf-8")
    (tmp_path / "shop.yaml").write_text(CONFIG, encoding="utf-8")
    monkeypatch.setenv("JUDGE_CONFIG_DIR", str(tmp_path))
    monkeypatch.setenv("JUDGE_ARCHIVE_URL", f"sqlite:///{tmp_path / 'judge.sqlite'}")
    return tmp_path


def judge(*arguments):
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize(("canary", "status"), [("odd", 0), ("even", 1)])
def test_judge_run_asks_it(folder, canary, status):
    done = judge("run", "shop", "--baseline", "v.1", "--canary", canary, "--end", str(NOW), "--start", str(NOW - 1800), "--format", "jsonl")

    assert (done.exit_code, done.stderr) == (status, "")
    assert set(Toy.asked) == {"mean of pod is 'v..1'", f"mean of pod is '{canary}'"}


def test_the_service_judges_by_it_records_it_and_links_to_it(folder):
    settings = load_settings()
    archive = open_archive(settings.archive_url)
    app = create_app(Service(settings, archive), clock=lambda: NOW)

    answer = app.test_client().post("/v1/verdict", json={"config": "shop", "baseline": "old", "canary": "even", "start": NOW - 1800}).json
    record = archive.get(answer["id"])
    archive.close()

    assert answer["verdict"] == "fail"
    assert record["settings"]["source"] == {"name": "default", "type": "toy", "rows": 7}
    assert record["source"] == {"type": "toy", "table": "latencies"}
    assert 'href="https://toy.example/latencies"' in verdict_page(record)


def test_its_fields_are_validated_all_at_once_beside_those_of_other_types(folder):
    text = "sources: {a: {type: toy, tabel: x, rows: 0}, b: {type: toyy}, c: {type: dumps}, d: {url: x, compress: 7}}\n"
    (folder / "server.yaml").write_text(text, encoding="utf-8")

    with pytest.raises(ConfigError) as caught:
        load_settings()

    faults = {fault.path: fault for fault in caught.value.faults}
    assert set(faults) == {
        "sources.a.table",
        "sources.a.tabel",
        "sources.a.rows",
        "sources.b.type",
        "sources.c.path",
        "sources.d.url",
        "sources.d.compress",
    }
    assert faults["sources.a.tabel"].message == "unknown key; did you mean 'table'?"
    assert faults["sources.a.tabel"].allowed == ("rows", "table", "type")
    assert faults["sources.b.type"].message == "should be 'prometheus', 'dumps' or 'toy', found 'toyy'; did you mean 'toy'?"
    assert faults["sources.b.type"].allowed == ("prometheus", "dumps", "toy")


def test_the_schema_has_it(folder):
    schema = json.loads(judge("schema", "server").stdout)

    kinds = schema["properties"]["sources"]["additionalProperties"]["oneOf"]
    assert {"$ref": "#/$defs/ToySettings"} in kinds
    assert schema["$defs"]["ToySettings"]["required"] == ["type", "table"]
    assert schema["$defs"]["ToySettings"]["properties"]["rows"]["description"] == "How many are read."


def test_check_reads_it(folder):
    done = judge("check", str(folder))

    assert (done.exit_code, done.stderr) == (0, "")
    assert "server.yaml: ok, 1 sources" in done.stdout


def test_errors_name_its_language(folder):
    (folder / "shop.yaml").write_text(CONFIG.replace("'${hash}'", "${hash} or so"), encoding="utf-8")
    done = judge("run", "shop", "--baseline", "old", "--canary", "new", "--end", str(NOW))

    assert done.exit_code == 2
    assert "${hash} stands outside quotes: 'pod is ${hash} or so' (ToyQL)" in done.stderr


def test_a_scope_that_prometheus_cannot_read_is_refused(folder):
    (folder / "server.yaml").write_text("sources: {default: {url: 'http://127.0.0.1:1'}}\n", encoding="utf-8")
    done = judge("run", "shop", "--baseline", "old", "--canary", "new", "--end", str(NOW))

    assert done.exit_code == 2
    assert "scope: \"pod is 'new'\" is no label matcher of PromQL" in done.stderr


def test_a_source_without_history_is_not_calibrated_on(folder):
    done = judge("calibrate", "shop", "--since", "2h")

    assert done.exit_code == 2
    assert "source: the source 'default' has no history that can be asked in PromQL" in done.stderr
