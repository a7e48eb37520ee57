"""``judge check --against``: what a real Prometheus answers to a config's queries, as a table and as findings."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from judge.cli.main import cli
from judge.lint.rules import RULES
from tests.docs.pages import blocks
from tests.history import openmetrics, rollouts
from tests.lint import LIVE
from tests.lint.test_pages import ROOT, examples
from tests.servers import free_port, loopback, prometheus, victoria_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.history import Rollout

pytestmark = pytest.mark.integration

CONFIG = ROOT / "configs" / "http-service.yaml"


@pytest.fixture(scope="module")
def shops() -> dict[str, Rollout]:
    """Rollouts that have just happened."""
    return rollouts(("healthy", "flawless"), end=time.time() // 60 * 60)


@pytest.fixture(scope="module")
def url(shops, tmp_path_factory) -> Iterator[str]:
    """A real Prometheus that holds them."""
    text = openmetrics((side for each in shops.values() for side in (each.baseline, each.canary)), seed=5)
    with prometheus(tmp_path_factory.mktemp("against"), blocks=text) as address:
        yield address


@pytest.fixture
def against(shops, url, tmp_path, monkeypatch):
    """Check a config, given as text or path, against the server: status, output, errors."""
    monkeypatch.setenv("JUDGE_CONFIG_DIR", str(tmp_path))

    def check(config, *more, address=url, args=("service=healthy",), canary="", form="text", shop="healthy"):
        paths = [config]
        if isinstance(config, str):
            paths = [tmp_path / "shop.yaml"]
            paths[0].write_text(config, encoding="utf-8")
        sides = ["--baseline", shops[shop].baseline.hash, "--canary", canary if canary else shops[shop].canary.hash]
        given = [word for arg in args for word in ("--arg", arg)]
        until = ["--end", str(shops[shop].canary.end)]
        command = ["check", *map(str, paths), "--against", address, *sides, *until, *given, "--format", form, *more]
        result = CliRunner().invoke(cli, command)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.stdout, result.stderr

    return check


def test_a_ready_made_config_has_samples_on_both_sides(against, url):
    status, out, err = against(CONFIG, args=("service=healthy", "namespace=default"))
    lines = out.splitlines()

    assert (status, err) == (0, "")
    assert lines[0].startswith(f"{CONFIG}: ok")
    assert re.fullmatch(rf"{CONFIG} against {url}, \S+Z to \S+Z", lines[1])
    rows = dict(re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in lines[3:])
    assert rows["latency-p99"] == "1 series, 31 points  1 series, 31 points"
    assert rows["error-ratio, denominator"] == "1 series, 31 points  1 series, 31 points"
    assert re.fullmatch(r"not asked\s+1 series, 1 point", rows["restarts"])
    assert re.fullmatch(r"1 series, 1 point\s+1 series, 1 point", rows["traffic"])


def test_a_canary_that_is_not_there_is_told_for_every_query(against):
    status, out, err = against(CONFIG, args=("service=healthy", "namespace=default"), canary="7d4b9c6f8b")

    assert status == 2
    assert re.search(r"latency-p99 +1 series, 31 points +nothing\n", out)
    found = re.findall(r"http-service.yaml:\d+: warning: (\S+): the canary has no samples: .*7d4b9c6f8b.* \[side-empty\]", err)
    assert found == ["traffic.query", "metrics.0.denominator", "metrics.1.query", "metrics.2.query", "metrics.3.query"]


def test_json_holds_the_queries_as_they_were_sent(against, url, shops):
    status, out, _ = against(CONFIG, args=("service=healthy", "namespace=default"), form="json")
    [asked] = json.loads(out)["asked"]
    p99 = next(query for query in asked["queries"] if query["metric"] == "latency-p99")

    assert status == 0
    assert (asked["file"], asked["url"]) == (str(CONFIG), url)
    assert (p99["part"], p99["canary"]["series"], p99["canary"]["points"]) == ("value", 1, 31)
    assert shops["healthy"].canary.hash in p99["canary"]["query"]
    assert next(query for query in asked["queries"] if query["metric"] == "restarts")["baseline"] is None


def test_sarif_has_the_findings_and_their_rules(against):
    status, out, _ = against(examples("side-empty")["Bad"], form="sarif")
    [run] = json.loads(out)["runs"]

    assert status == 2
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} >= LIVE
    [result] = run["results"]
    assert (result["ruleId"], result["level"]) == ("side-empty", "warning")
    assert result["locations"][0]["physicalLocation"]["region"]["startLine"] == 7


# The pages of these rules

SAID = {
    "not-asked": "was not asked: service: is missing; the config declares it",
    "source-unreachable": "2 of 2 queries have no answer: http://127.0.0.1:",
    "query-refused": "parse error: unclosed left parenthesis",
    "side-empty": "neither side has samples: avg(process_residnt_memory_bytes{",
    "rate-range-scrape": "no ranges with a sample hold the two that rate(http_requests_total{",
    "no-events": 'code=~"6.."',
    "several-series": "2 series on a side",
    "series-unpaired": "the query returns 3 baseline and 3 canary series that differ only in __name__, pod",
    "sides-identical": "both sides have the same 31 samples",
}


def rules_found(out):
    return sorted({finding["rule"] for finding in json.loads(out)["findings"]})


def test_every_rule_that_needs_a_source_is_tried():
    assert set(SAID) == LIVE


@pytest.mark.parametrize("rule", SAID)
def test_the_bad_example_is_found_by_its_rule(against, rule):
    how = {"args": ()} if rule == "not-asked" else {}
    how |= {"address": f"http://127.0.0.1:{free_port()}"} if rule == "source-unreachable" else {}

    status, out, _ = against(examples(rule)["Bad"], form="json", **how)
    beside = {"several-series"} if rule == "series-unpaired" else set()

    assert set(rules_found(out)) == {rule} | beside
    assert SAID[rule] in next(finding["message"] for finding in json.loads(out)["findings"] if finding["rule"] == rule)
    assert status == (0 if RULES[rule].severity == "info" else 2)


@pytest.mark.parametrize("rule", SAID)
def test_the_good_example_is_clean(against, rule):
    how = {"args": ("service=healthy",)}

    status, out, _ = against(examples(rule)["Good"], form="json", **how)

    assert (status, rules_found(out)) == (0, [])


@pytest.mark.parametrize(
    ("scale", "found"),
    [
        pytest.param("1e-6 * ", ["kayenta-small-values"], id="values under 0.0001"),
        pytest.param("", [], id="values above it"),
    ],
)
def test_small_values_are_told_where_kayenta_judges(against, scale, found):
    ratio = 'sum(rate(http_requests_total{code="500",${scope}}[${step}])) / sum(rate(http_requests_total{${scope}}[${step}]))'
    text = (
        "name: shop\njudge: kayenta\nscope: 'rollouts_pod_template_hash=\"${hash}\"'\nwindow: {step: 60s, length: 30m}\n"
        f"metrics: [{{name: errors, query: '{scale}{ratio}', direction: increase}}]\n"
    )

    assert rules_found(against(text, form="json", args=())[1]) == found
    assert rules_found(against(text.replace("judge: kayenta\n", ""), form="json", args=())[1]) == []


def of_range(length, function="rate"):
    return examples("rate-range-scrape")["Good"].replace("[${step}]", f"[{length}]").replace("rate(", f"{function}(")


@pytest.mark.parametrize("function", ["rate", "increase", "irate"])
@pytest.mark.parametrize(
    ("length", "said"),
    [
        pytest.param("10s", "no ranges", id="shorter than the scrape interval"),
        pytest.param("15s", "no ranges", id="the scrape interval"),
        pytest.param("20s", r"only \d\d% of the ranges", id="less than twice the scrape interval"),
        pytest.param("30s", "", id="twice the scrape interval"),
        pytest.param("1m", "", id="four times the scrape interval"),
    ],
)
def test_a_range_is_held_against_the_scrapes_that_are_there(against, length, said, function):
    _, out, _ = against(of_range(length, function), form="json", args=("service=healthy",))
    found = [finding for finding in json.loads(out)["findings"] if finding["rule"] in {"rate-range-scrape", "side-empty"}]

    assert [finding["rule"] for finding in found] == (["rate-range-scrape"] if said else [])
    if said:
        assert re.match(said, found[0]["message"])
        assert f"[{length}])" in found[0]["message"].replace("60s", "1m")
        assert found[0]["path"] == "metrics.0.query"


def test_a_store_that_looks_back_beyond_the_range_has_no_short_ranges(against, shops, tmp_path):
    text = openmetrics((side for each in shops.values() for side in (each.baseline, each.canary)), seed=5)
    with victoria_metrics(tmp_path / "vm", history=text) as address:
        _, out, _ = against(of_range("15s"), address=address, form="json", args=("service=healthy",))

    assert "rate-range-scrape" not in rules_found(out)
    assert json.loads(out)["asked"][0]["queries"][0]["canary"]["points"] > 20


def test_a_range_of_a_numerator_is_told_at_the_numerator(against):
    text = (ROOT / "configs" / "http-service.yaml").read_text(encoding="utf-8").replace("[${step}]", "[15s]")
    _, out, _ = against(text, form="json", args=("service=healthy", "namespace=default"))
    found = {finding["path"] for finding in json.loads(out)["findings"] if finding["rule"] == "rate-range-scrape"}

    assert {"metrics.0.numerator", "metrics.0.denominator"} <= found


def test_counts_are_small_where_their_ratio_is(against):
    text = (
        "name: shop\njudge: kayenta\nscope: 'rollouts_pod_template_hash=\"${hash}\"'\nwindow: {step: 60s, length: 30m}\n"
        "metrics: [{name: errors, numerator: '1e-4 * sum(increase(http_requests_total{code=\"500\",${scope}}[${step}]))', "
        "denominator: 'sum(increase(http_requests_total{${scope}}[${step}]))', direction: increase}]\n"
    )

    assert rules_found(against(text, form="json", args=())[1]) == ["kayenta-small-values"]


def test_no_errors_at_all_are_a_hint_and_no_fault(against):
    status, out, err = against(CONFIG, args=("service=flawless", "namespace=default"), shop="flawless")

    assert (status, err) == (0, "")
    assert "[no-events]" in out


def test_a_constant_on_both_sides_is_no_fault(against):
    text = (
        "name: shop\nscope: 'rollouts_pod_template_hash=\"${hash}\"'\nwindow: {step: 60s, length: 30m}\n"
        "metrics: [{name: pods, query: 'count(process_resident_memory_bytes{${scope}}) > 0', direction: either}]\n"
    )

    assert rules_found(against(text, form="json", args=())[1]) == []


def test_every_config_of_a_folder_gets_its_own_args(against, url, tmp_path, shops):
    folder = tmp_path / "all"
    folder.mkdir()
    for name in ("http-service", "linkerd"):
        (folder / f"{name}.yaml").write_text((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"), encoding="utf-8")

    status, out, _ = against(folder, form="json", args=("service=healthy", "namespace=default"))
    document = json.loads(out)

    assert status == 2  # there is no mesh in this Prometheus
    assert len(document["asked"]) == 2
    assert {(finding["file"].rpartition("/")[2], finding["rule"]) for finding in document["findings"]} == {
        ("linkerd.yaml", "side-empty"),
        ("linkerd.yaml", "no-events"),
    }


def test_an_old_rollout_is_asked_about_by_its_times(against, shops):
    """The canary began 40 minutes before the end: ten minutes before that only the baseline was there."""
    end = shops["healthy"].canary.end

    status, out, _ = against(examples("side-empty")["Good"], "--start", str(end - 3300), "--end", str(end - 2700))

    assert status == 2
    assert re.search(r"memory +1 series, 11 points +nothing\n", out)


# Wrong options


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param(["--against", "URL", "--canary", "x"], "--against needs --baseline: the hashes", id="no baseline"),
        pytest.param(["--against", "URL"], "--against needs --baseline and --canary", id="no side"),
        pytest.param(["--against", "URL", "--baseline", "x", "--canary", "x"], "are the same", id="one side twice"),
        pytest.param(["--baseline", "x"], "--baseline needs --against URL", id="a side and no source"),
        pytest.param(["--arg", "service=shop"], "--arg needs --against URL", id="an arg and no source"),
        pytest.param(
            ["--against", "URL", "--baseline", "x", "--canary", "y", "--arg", "servce=shop"],
            "--arg servce: no config that is checked declares it; they declare namespace, service",
            id="a misspelt arg",
        ),
        pytest.param(["--against", "URL", "--baseline", "x", "--canary", "y", "--arg", "shop"], "needs NAME=VALUE", id="no value"),
        pytest.param(
            ["--against", "prom:9090", "--baseline", "x", "--canary", "y"], "--against: must be an http or https", id="no address"
        ),
    ],
)
def test_options_that_make_no_question_end_with_the_reason(options, words):
    with loopback(lambda asked: asked.say(500, "")) as server:
        result = CliRunner().invoke(cli, ["check", str(CONFIG), *(server.url if word == "URL" else word for word in options)])

    assert result.exit_code == 2
    assert words in result.stderr
    assert server.asked == []


def test_a_password_in_the_address_is_not_shown(against):
    with loopback(lambda asked: asked.say(401, "no")) as server:
        address = server.url.replace("http://", "http://judge:s3cr3t@")
        status, out, err = against(examples("side-empty")["Good"], address=address)

    assert status == 2
    assert server.asked[0].headers["Authorization"].startswith("Basic ")
    assert "s3cr3t" not in out + err
    assert "[source-unreachable]" in err or "[query-refused]" in err


def test_what_is_no_prometheus_is_named(against):
    with loopback(lambda asked: asked.say(200, "<html>log in</html>", Content_Type="text/html")) as server:
        status, _, err = against(examples("side-empty")["Good"], address=server.url)

    assert status == 2
    assert "[source-unreachable]" in err


def test_the_guide_shows_what_is_printed(against, url):
    [shown] = [block.text for block in blocks(ROOT / "docs" / "argo.md", "text") if " against http://prometheus." in block.text]
    _, out, _ = against(CONFIG, args=("service=healthy", "namespace=default"))
    printed = out.replace(str(CONFIG), "configs/http-service.yaml").replace(url, "http://prometheus.monitoring.svc:9090")

    def plain(text):
        return [re.sub(r"\s+", " ", re.sub(r"\S+Z to \S+Z", "TIMES", line)).strip() for line in text.splitlines()]

    assert plain(shown)[-1] == "…"
    assert plain(printed)[: len(plain(shown)) - 1] == plain(shown)[:-1]
