"""The pages at the service's doors: what they answer, to whom, and how errors look to a browser and to a program."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from judge.access.gate import digest_of
from judge.archive import NoArchive, open_archive
from judge.archive.types import Label
from judge.server.app import create_app
from judge.verdicts.related import MOST_RECORDS, records_of, same_canary, spread
from judge.verdicts.service import Service
from tests.archive.records import asked
from tests.demo_service import NOW
from tests.reports.html import checked, links, text_of

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
TOKENS = {
    "reader": "reader-0123456789012345",
    "asker": "asker-01234567890123456",
    "labeller": "labeller-0123456789012",
    "stranger": "stranger-0123456789012",
}


@pytest.fixture
def judged(client, questions):
    """Ids of three looks at the bad canary, the first one first."""
    ends = ("2025-11-20T08:45:00Z", "2025-11-20T08:50:00Z", "2025-11-20T09:00:00Z")
    asked = [{**questions["bad"], "end": end, "look": number} for number, end in enumerate(ends, start=1)]
    return [client.post("/v1/verdict", json=question).json["id"] for question in asked]


def test_a_verdict_tells_of_every_look_and_of_how_the_evidence_grew(client, judged):
    html = client.get(f"/verdicts/{judged[-1]}").text

    page = checked(html)
    strip = [link for link in links(html) if link in {f"/verdicts/{one}" for one in judged}]
    assert strip[:3] == [f"/verdicts/{one}" for one in judged]
    assert len(page.all("svg", class_="evidence")) == 4
    assert f"/verdicts/{judged[-1]}/dump" in links(html)
    assert f'data-url="/v1/verdicts/{judged[-1]}/labels"' in html


def test_an_earlier_look_knows_nothing_of_later_evidence_but_leads_to_it(client, judged):
    html = client.get(f"/verdicts/{judged[0]}").text

    assert "This page knows of one look alone" in text_of(html)
    assert re.search(r"This is not the newest look: the newest one (&#?\w+;)?says fail", text_of(html))
    assert f"/verdicts/{judged[-1]}" in links(html)


def test_a_canary_is_one_page(client, judged):
    link = next(link for link in links(client.get("/").text) if link.startswith("/rollout?"))

    answer = client.get(link.replace("&amp;", "&"))

    checked(answer.text)
    assert [link for link in links(answer.text) if link.startswith("/verdicts/")][:4] == [
        f"/verdicts/{one}" for one in [judged[-1], *judged]
    ]


def test_a_page_is_only_sent_again_once_it_has_changed(client, judged, questions):
    for path in ("/", f"/verdicts/{judged[0]}", f"/rollout?canary={questions['bad']['canary']}", "/configs"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})

        assert (again.status_code, again.data) == (304, b""), path
        assert "no-cache" in first.headers["Cache-Control"]
    client.post(f"/v1/verdicts/{judged[0]}/labels", json={"label": "right", "by": "ann"})
    changed = client.get("/", headers={"If-None-Match": client.get("/configs").headers["ETag"]})
    assert changed.status_code == 200


def test_a_page_s_policy_is_that_of_its_head(client, judged):
    answer = client.get(f"/verdicts/{judged[0]}")
    policy = answer.headers["Content-Security-Policy"]

    assert policy.removesuffix("; frame-ancestors 'none'") == re.search(r'Content-Security-Policy" content="([^"]*)"', answer.text)[
        1
    ].replace("&#39;", "'")
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_the_dump_is_a_file_that_can_be_judged(client, judged):
    client.post(f"/v1/verdicts/{judged[0]}/labels", json={"label": "right", "by": "ann"})
    answer = client.get(f"/verdicts/{judged[0]}/dump")

    assert answer.headers["Content-Disposition"] == f'attachment; filename="{judged[0]}.jsonl.gz"'
    document = json.loads(gzip.decompress(answer.data))
    assert document["id"] == document["record"]["id"] == judged[0]
    assert [metric["name"] for metric in document["metrics"]][:1] == ["error-ratio"]
    assert document["labels"][0]["by"] == "ann"


def test_one_metric_can_be_asked_for_by_its_name(client, judged):
    html = client.get(f"/verdicts/{judged[0]}?metric=memory").text

    assert "Only memory is shown." in text_of(html)
    assert len(checked(html).all("svg", class_="series")) == 1
    assert len(checked(client.get(f"/verdicts/{judged[0]}?metric=nothing").text).all("svg", class_="series")) == 4


def test_links_keep_to_the_path_of_the_public_address(settings, questions):
    archive = open_archive(settings.archive_url)
    client = create_app(
        Service(settings.model_copy(update={"public_url": "https://judge.example/canaries"}), archive), clock=lambda: NOW
    ).test_client()
    client.post("/v1/verdict", json=questions["bad"])

    found = [link for link in links(client.get("/").text) if not link.startswith("#")]

    assert found
    assert all(link.startswith("/canaries/") for link in found)
    archive.close()


# Errors


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        pytest.param("/verdicts/01X", 404, "There is nothing here no verdict has the id &#39;01X&#39;", id="no such verdict"),
        pytest.param("/verdicts/01X/dump", 404, "There is nothing here", id="no such dump"),
        pytest.param("/nowhere", 404, "There is nothing here", id="no such page"),
        pytest.param("/?verdict=bad", 400, "This cannot be shown as it was asked verdict unknown verdict &#39;bad&#39;", id="a filter"),
        pytest.param("/?limit=no", 400, "limit must be a whole number from 1 to 200, found &#39;no&#39;", id="a limit"),
        pytest.param("/?before=01X", 404, "no verdict has the id &#39;01X&#39;", id="a page that is gone"),
        pytest.param("/rollout", 400, "canary is missing: say whose looks are meant", id="no canary"),
        pytest.param("/rollout?cnary=x", 400, "unknown parameter &#39;cnary&#39;", id="a misspelt parameter"),
    ],
)
def test_a_browser_gets_errors_as_pages_and_a_program_as_json(client, path, status, said):
    page, document = client.get(path, headers=BROWSER), client.get(path)

    assert page.status_code == document.status_code == status
    assert page.mimetype == "text/html"
    checked(page.text)
    assert said in text_of(page.text)
    assert "What to do" in text_of(page.text)
    assert set(document.json) >= {"error", "path", "allowed"}


def test_doors_for_programs_answer_json_even_to_a_browser(client):
    for path in ("/v1/verdicts/01X", "/v1/verdicts?limit=no", "/canary/01X"):
        answer = client.get(path, headers=BROWSER)

        assert answer.mimetype == "application/json", path
        assert answer.status_code in {400, 404}


def test_an_archive_in_trouble_is_a_page_that_says_so(settings, tmp_path):
    (tmp_path / "folder").mkdir()
    archive = open_archive(f"sqlite:///{tmp_path / 'folder'}")
    client = create_app(Service(settings, archive), clock=lambda: NOW).test_client()

    answer = client.get("/", headers=BROWSER)

    assert answer.status_code == 503
    assert "The archive cannot be read now" in text_of(answer.text)
    assert "Verdicts are still given" in text_of(answer.text)


def test_without_an_archive_the_pages_are_empty_and_say_why(settings):
    client = create_app(Service(settings, NoArchive()), clock=lambda: NOW).test_client()

    assert "JUDGE_ARCHIVE_URL=none" in text_of(client.get("/").text)
    assert "Not asked for yet http-service" in text_of(client.get("/configs").text)
    assert client.get("/rollout?canary=x").status_code == 200


# Who may see what


@pytest.fixture
def guarded(settings, tmp_path):
    lines = [
        f'  - {{name: reader, sha256: "{digest_of(TOKENS["reader"])}", may: [read]}}',
        f'  - {{name: asker, sha256: "{digest_of(TOKENS["asker"])}", may: [ask]}}',
        f'  - {{name: labeller, sha256: "{digest_of(TOKENS["labeller"])}", may: [ask, read, label]}}',
        f'  - {{name: stranger, sha256: "{digest_of(TOKENS["stranger"])}", may: [read], configs: [other]}}',
    ]
    (tmp_path / "tokens.yaml").write_text("\n".join(["tokens:", *lines, ""]), encoding="utf-8")
    archive = open_archive(settings.archive_url)
    yield create_app(
        Service(settings.model_copy(update={"tokens_file": tmp_path / "tokens.yaml"}), archive), clock=lambda: NOW
    ).test_client()
    archive.close()


def as_(name):
    return {**BROWSER, "Authorization": f"Bearer {TOKENS[name]}"}


PATHS = ("/", "/verdicts/01X", "/verdicts/01X/dump", "/rollout?canary=x", "/configs", "/configs/http-service", "/nowhere")


@pytest.mark.parametrize("path", PATHS)
def test_a_browser_without_a_token_is_asked_for_one_on_a_plain_page(guarded, path):
    answer = guarded.get(path, headers=BROWSER)

    assert answer.status_code == 401
    assert "Basic" in answer.headers["WWW-Authenticate"]
    assert answer.mimetype == "text/html"
    checked(answer.text)
    assert "the password is your token" in text_of(answer.text)
    assert "http-service" not in answer.text


@pytest.mark.parametrize("path", PATHS[:-1])
def test_who_may_not_read_sees_a_page_that_says_so(guarded, path):
    answer = guarded.get(path, headers=as_("asker"))

    assert answer.status_code == 403
    assert "asker may not read verdicts" in text_of(answer.text)


def test_only_who_may_label_is_given_the_form(guarded, questions):
    made = guarded.post("/v1/verdict", json=questions["bad"], headers=as_("labeller")).json["id"]

    assert '<form class="label"' in guarded.get(f"/verdicts/{made}", headers=as_("labeller")).text
    assert '<form class="label"' not in guarded.get(f"/verdicts/{made}", headers=as_("reader")).text


def test_no_page_tells_of_what_is_not_the_readers(guarded, questions):
    asked = questions["bad"]
    made = guarded.post("/v1/verdict", json=asked, headers=as_("labeller")).json["id"]
    mine = guarded.get(f"/rollout?canary={asked['canary']}", headers=as_("reader")).text
    assert made in mine

    for path in ("/", "/configs", f"/rollout?canary={asked['canary']}", "/configs/http-service"):
        html = guarded.get(path, headers=as_("stranger")).text
        assert made not in html, path
        # Neither a metric of it, nor its config in a list or as a choice.
        assert not {"error-ratio", 'href="/configs/http-service"', 'value="http-service"'} & set(
            re.findall(r'error-ratio|(?:href|value)="[^"]*"', html)
        )
    gone, other = (guarded.get(f"/configs/{name}", headers=as_("stranger")).text for name in ("http-service", "nobody-ever"))
    assert gone.replace("http-service", "NAME") == other.replace("nobody-ever", "NAME")
    for path in (f"/verdicts/{made}", f"/verdicts/{made}/dump"):
        assert guarded.get(path, headers=as_("stranger")).status_code == 404


# What stands around a verdict


def test_looks_of_another_namespace_are_not_of_the_same_canary(tmp_path):
    archive = open_archive(f"sqlite:///{tmp_path / 'a.sqlite'}")
    for number, namespace in enumerate(("a", "b", "a")):
        one = asked(f"01{number}", float(number))
        one["request"]["args"] = {"service": "shop", "namespace": namespace}
        archive.keep(one)

    found = same_canary(archive, {"canary": "7d4b9c6f8", "namespace": "a", "service": "shop"})

    assert [row["id"] for row in found] == ["010", "012"]
    assert same_canary(archive, {"canary": ""}) == []
    archive.close()


def test_looks_that_were_taken_and_looks_that_were_replayed_are_two_series(tmp_path):
    archive = open_archive(f"sqlite:///{tmp_path / 'a.sqlite'}")
    of = {"canary": "7d4b9c6f8"}
    archive.restore(asked("01r", 1.0) | {"replayed": True})
    assert [row["id"] for row in same_canary(archive, of)] == ["01r"]

    archive.keep(asked("01a", 2.0))

    assert [row["id"] for row in same_canary(archive, of)] == ["01a"]
    assert [row["id"] for row in same_canary(archive, of | {"replayed": True})] == ["01r"]
    archive.close()


def test_of_many_looks_some_are_read_evenly_with_the_first_and_the_last(tmp_path):
    archive = open_archive(f"sqlite:///{tmp_path / 'a.sqlite'}")
    for number in range(60):
        archive.keep(asked(f"01{number:02}", float(number)))
    rows = archive.list(limit=100)[::-1]

    found = records_of(archive, rows[:-1], archive.get(rows[-1]["id"]))

    assert len(found) == MOST_RECORDS
    assert (found[0]["id"], found[-1]["id"]) == ("0100", "0159")
    assert "samples" not in found[0]
    assert "samples" in found[-1]
    assert [one["id"] for one in records_of(archive, rows[:3])] == ["0100", "0101", "0102"]
    assert records_of(archive, []) == []
    assert spread([], 5) == []
    archive.close()


def test_of_very_many_metrics_few_looks_are_read(tmp_path):
    archive = open_archive(f"sqlite:///{tmp_path / 'a.sqlite'}")
    for number in range(10):
        archive.keep(asked(f"01{number}", float(number)))
    rows = archive.list(limit=100)[::-1]
    last = archive.get(rows[-1]["id"])
    last["verdict"]["results"] = last["verdict"]["results"] * 100

    assert len(records_of(archive, rows[:-1], last)) == 2
    archive.close()


def test_labels_of_a_file_are_shown_without_a_form(tmp_path):
    from judge.reports.verdict_page import verdict_page
    from judge.verdicts.related import around

    archive = open_archive(f"sqlite:///{tmp_path / 'a.sqlite'}")
    archive.keep(asked("01A", 1.0))
    archive.label("01A", Label(label="wrong", by="ann", why="the load test ran", at=2.0))

    html = verdict_page(archive.get("01A"), around=around(archive, archive.get("01A"), in_file=True))

    assert "wrong , says ann: the load test ran 1970-01-01 00:00:02 UTC" in text_of(html)
    assert "<form" not in html
    assert any(link.startswith("data:application/gzip;base64,") for link in links(html))
    archive.close()
