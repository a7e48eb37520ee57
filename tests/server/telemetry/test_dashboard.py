"""Alerts and dashboard on a real Prometheus that has scraped a real judge: every expression gives data."""

from __future__ import annotations

import json
import math
import re
import time
import urllib.request
from urllib.parse import urlencode, urlsplit

import pytest

from tests.configs.kustomizations import DEPLOY
from tests.configs.manifests import read_all
from tests.servers import prometheus, wait_until

pytestmark = pytest.mark.integration

FOLDER = DEPLOY / "components" / "monitoring"
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TARGETS = [
    pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}".replace(" ", "-"))
    for panel in PANELS
    for target in panel["targets"]
]
[ALERTS] = read_all(FOLDER / "alerts.yaml")
RULES = {rule["alert"]: rule["expr"] for group in ALERTS["spec"]["groups"] for rule in group["rules"]}
FILLED = {"$__rate_interval": "20s", "$__range": "1m", "$config": ".*"}
"""What Grafana writes in place of its own variables."""


@pytest.fixture(scope="module")
def scraped(real_prometheus, bad_canary, tmp_path_factory):
    """The address of a Prometheus that scrapes a judge which was asked, and has wrong configs and questions too."""
    from tests.integration.service import serving
    from tests.integration.test_scenarios import CONFIGS
    from tests.server.telemetry.conftest import Judge

    folder = tmp_path_factory.mktemp("scraped")
    hashes = {"baseline": bad_canary.baseline.hash, "canary": bad_canary.canary.hash}
    question = {"config": "http-service", **hashes, "service": "errors", "end": str(bad_canary.canary.end)}
    with serving(folder / "judge", prometheus=real_prometheus, configs=CONFIGS) as url:
        target = ("judge", urlsplit(url).netloc, {"namespace": "judge", "pod": "judge-1"})
        with prometheus(folder / "prometheus", scrape=[target]) as scraper:
            service = Judge(url, folder / "judge")
            ends = time.monotonic() + 12
            number = 0
            while time.monotonic() < ends:
                number += 1
                service.ask("/v1/verdict", {**question, "window": f"{900 + 60 * (number % 15)}s", "look": str(1 + number % 20)})
                time.sleep(0.1)
            wait_until(lambda: values(scraper, 'judge_executions{state="waiting"}'), "the executions were scraped")
            yield scraper


def values(url: str, query: str) -> list[float]:
    """Values of an instant query."""
    with urllib.request.urlopen(f"{url}/api/v1/query?{urlencode({'query': query})}", timeout=10) as answer:
        document = json.loads(answer.read())
    assert not document.get("warnings")
    return [float(series["value"][1]) for series in document["data"]["result"]]


def filled(expression: str) -> str:
    for name, value in FILLED.items():
        expression = expression.replace(name, value)
    assert "$" not in expression
    return expression


@pytest.mark.parametrize("expression", TARGETS)
def test_every_panel_shows_something(scraped, expression):
    found = values(scraped, filled(expression))

    assert found
    assert any(math.isfinite(value) for value in found)


@pytest.mark.parametrize("alert", sorted(set(RULES) - {"JudgeDown"}))
def test_what_an_alert_compares_is_there(scraped, alert):
    """Without its limits each alert's expression has a value, and with them none: all is well here."""
    whole = re.sub(r"\[\d+[mhd]\]", "[20s]", RULES[alert])
    unlimited = re.sub(r" (?:>|==) [\d.]+", "", whole)

    assert unlimited != whole
    assert values(scraped, unlimited)
    assert values(scraped, RULES[alert]) == []


def test_the_judge_is_seen_to_be_there(scraped):
    assert values(scraped, RULES["JudgeDown"]) == []
    assert values(scraped, RULES["JudgeDown"].replace('job="judge"', 'job="another"')) == [1]


def test_every_metric_of_the_judge_is_on_the_dashboard(scraped):
    """What nobody looks at need not be counted."""
    from tests.docs.generated import metrics

    told = set(re.findall(r"`(judge_\w+)`", metrics()))
    used = {re.sub(r"_(bucket|sum|count)$", "", name) for case in TARGETS for name in re.findall(r"\bjudge_\w+", case.values[0])}

    assert told == used


def test_panels_have_places_and_titles_of_their_own():
    boxes = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [(x, y) for box in boxes for x in range(box["x"], box["x"] + box["w"]) for y in range(box["y"], box["y"] + box["h"])]

    assert len(cells) == len(set(cells))
    assert max(box["x"] + box["w"] for box in boxes) <= 24
    assert len({panel["title"] for panel in PANELS}) == len(PANELS)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_the_dashboard_names_no_data_source_of_one_grafana():
    wanted = {"type": "prometheus", "uid": "${datasource}"}

    assert all(panel["datasource"] == wanted for panel in PANELS)
    assert all(target["datasource"] == wanted for panel in PANELS for target in panel["targets"])
    assert [one["name"] for one in DASHBOARD["templating"]["list"]] == ["datasource", "config"]
    assert "id" not in DASHBOARD


def test_grafanas_sidecar_finds_the_dashboard():
    [component] = read_all(FOLDER / "kustomization.yaml")
    [generator] = component["configMapGenerator"]

    assert generator["files"] == ["canary-judge.json=dashboard.json"]
    assert generator["options"]["labels"] == {"grafana_dashboard": "1"}
