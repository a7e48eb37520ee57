"""What docs/argo.md and the pages in docs/checks say about Argo, asked of Argo's own code."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest

from judge.lint.rules import RULES
from tests.argo.argo import ROLLOUT
from tests.argo.conftest import GUIDE, ROOT
from tests.servers import loopback

pytestmark = pytest.mark.integration

CHECKS = ROOT / "docs" / "checks"
EXAMPLES = re.compile(r"^## (Bad|Good)\n\n```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
GIVEN = {"service": "shop", "stable-hash": "6f9c7b8d5", "canary-hash": "7d4b9c6f8b"}
PASS = {"verdict": "pass", "pass": True, "fail": False, "score": 100.0, "code": 0}

REFUSED = {
    "inconclusive-condition": 'unknown field "inconclusiveCondition"',
    "misplaced-field": 'unknown field "count"',
    "unknown-field": 'unknown field "timeout"',
    "interval-missing": "interval must be specified when count > 1",
    "dry-run-name": "Rule didn't match any metric name",
    "arg-undeclared": "failed to resolve {{args.stable-hash}}",
    "foreign-braces": "failed to resolve {{templates.canary.podTemplateHash}}",
}
"""Bad examples that Argo refuses as a whole, or would if it read strictly."""

MISREAD = {
    "jsonpath-braces": "Error",
    "result-index": "Error",
    "field-of-a-value": "Error",
    "answer-field": "Inconclusive",
    "verdict-word": "Inconclusive",
    "body-with-get": "Error",
}
"""Bad examples that make this of a pass."""


def example(rule: str, which: str) -> str:
    return dict(EXAMPLES.findall((CHECKS / f"{rule}.md").read_text(encoding="utf-8")))[which]


@pytest.fixture
def measure(argo):
    """Measure an example against a judge that says pass."""

    def measured(text):
        with loopback(lambda asked: asked.say_json(PASS)) as judge:
            text = text.replace("http://judge.judge.svc:8080", judge.url)
            declared = {arg["name"] for arg in argo.ask("json", yaml=text)["spec"]["args"]}
            args = [{"name": name, "value": value} for name, value in GIVEN.items() if name in declared]
            return argo.ask("measure", template=text, args=args, rollout=ROLLOUT, stable="a", latest="b")

    return measured


@pytest.mark.parametrize("rule", REFUSED)
def test_argo_refuses_the_bad_example(measure, rule):
    assert REFUSED[rule] in measure(example(rule, "Bad"))["error"]


@pytest.mark.parametrize("rule", MISREAD)
def test_argo_misreads_a_pass_in_the_bad_example(measure, rule):
    assert [found["phase"] for found in measure(example(rule, "Bad"))] == [MISREAD[rule]]


def test_argo_cannot_tell_the_window_of_the_bad_kayenta_example(argo):
    with loopback(lambda asked: asked.say_json([{"id": "1", "name": "shop"}])) as judge:
        text = example("kayenta-window", "Bad").replace("http://judge.judge.svc:8080", judge.url)
        args = [{"name": name, "value": GIVEN[name]} for name in ("stable-hash", "canary-hash")]
        [found] = argo.ask("measure", template=text, args=args, rollout=ROLLOUT, stable="a", latest="b")

    assert found["phase"] == "Error"
    assert "Invalid duration" in found["message"]


@pytest.mark.parametrize(
    ("condition", "phase"),
    [
        pytest.param('successCondition: result.verdict == "pass"', "Failed", id="success alone"),
        pytest.param('failureCondition: result.verdict == "fail"', "Successful", id="failure alone"),
    ],
)
def test_one_condition_pushes_an_inconclusive_answer_to_a_side(argo, condition, phase):
    metric = f"name: x\n{condition}\nprovider: {{web: {{url: http://judge}}}}\n"

    assert argo.ask("read", metric=metric, status=200, body='{"verdict": "inconclusive"}')["phase"] == phase


WEB_RULES = [rule.id for rule in RULES.values() if "template" in rule.kinds and "kayenta:" not in example(rule.id, "Good")]


@pytest.mark.parametrize("rule", WEB_RULES)
def test_argo_takes_every_good_example(measure, rule):
    assert {found["phase"] for found in measure(example(rule, "Good"))} == {"Successful"}


BUCKETS = 'rate(http_request_duration_seconds_bucket{rollouts_pod_template_hash="%s"}[5m])'


@pytest.mark.parametrize(
    ("query", "understood"),
    [
        pytest.param("Q(canary) / Q(stable)", True, id="a ratio"),
        pytest.param('{"canary": Q(canary), "stable": Q(stable)}', False, id="a JSON object"),
        pytest.param("let c = Q(canary) in c / Q(stable)", False, id="let in"),
    ],
)
def test_what_promql_has_and_has_not(shops, shops_prometheus, query, understood):
    shop = shops["healthy"]
    for side, hash_ in (("canary", shop.canary.hash), ("stable", shop.baseline.hash)):
        query = query.replace(f"Q({side})", f"histogram_quantile(0.99, sum by (le) ({BUCKETS % hash_}))")
    url = f"{shops_prometheus}/api/v1/query?time={shop.canary.end}&query={quote(query)}"

    if understood:
        with urllib.request.urlopen(url, timeout=10) as answer:
            [found] = json.load(answer)["data"]["result"]
        assert 0.5 < float(found["value"][1]) < 2
    else:
        with pytest.raises(urllib.error.HTTPError, match="400"):
            urllib.request.urlopen(url, timeout=10)


def test_the_guides_rollout_uses_what_is_there(argo):
    [text] = re.findall(r"^```yaml\n(apiVersion:.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    canary = argo.ask("json", yaml=text)["spec"]["strategy"]["canary"]
    named = [canary["analysis"], *(step["analysis"] for step in canary["steps"] if "analysis" in step)]

    assert [one["templates"][0]["templateName"] for one in named] == ["judge-watch", "judge-gate"]
    for one in named:
        template = (ROOT / "configs" / "argo" / f"{one['templates'][0]['templateName']}.yaml").read_text(encoding="utf-8")
        found = argo.ask("resolve", template=template, args=one["args"], rollout=ROLLOUT, stable="aaa", latest="bbb")
        body = found[0]["provider"]["web"]["jsonBody"]
        assert (body["baseline"], body["canary"], body["rollout"], body["namespace"]) == ("aaa", "bbb", "shop", "default")
