"""What people write is text: no page runs it. And pages without JavaScript, which can all be read."""

from __future__ import annotations

import base64
import copy
import os
import subprocess
import sys

import pytest
from selenium.common.exceptions import NoAlertPresentException

from judge.archive import open_archive
from judge.archive.types import Label
from tests.pages.chromium import chromium
from tests.pages.conftest import DEMO
from tests.reports.sample import record
from tests.servers import free_port, get, loopback, process, wait_until

NASTY = "<img src=x onerror=alert(1)>\"'><script>alert(2)</script>{{7*7}}</title></style></script>"


@pytest.fixture(scope="module")
def poisoned(tmp_path_factory):
    """A service whose archive holds verdicts that are nothing but markup."""
    folder = tmp_path_factory.mktemp("nasty")
    archive = open_archive(f"sqlite:///{folder / 'judge.sqlite'}")
    for number in range(2):
        base = copy.deepcopy(record(verdict_id=f"01NASTY{number}", asked_at=1_763_629_860.0 + number, reusable=False))
        base["request"] |= {"config": NASTY, "rollout": NASTY, "baseline": NASTY, "canary": NASTY, "args": {"service": NASTY, NASTY: NASTY}}
        base["verdict"] |= {"reason": NASTY, "warnings": [NASTY], "groups": [{"name": NASTY, "weight": 1.0, "score": 1.0}]}
        base["config"] = {"name": NASTY, "description": NASTY}
        base["window"]["look"] = number + 1
        for one, sample in zip(base["verdict"]["results"], base["samples"], strict=True):
            one |= {
                "name": NASTY,
                "labels": {NASTY: one["name"]},
                "reason": NASTY,
                "group": NASTY,
                "unit": NASTY,
                "queries": {NASTY: NASTY},
                "warnings": [NASTY],
            }
            sample |= {"metric": NASTY, "labels": one["labels"]}
        archive.keep(base)
        archive.label(base["id"], Label(label="wrong", by=NASTY, why=NASTY, at=1.0))
    archive.close()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environ = {**os.environ, "JUDGE_CONFIG_DIR": str(DEMO), "JUDGE_ARCHIVE_URL": f"sqlite:///{folder / 'judge.sqlite'}"}
    with process(
        [sys.executable, "-m", "judge", "serve", "--port", str(port)],
        folder / "serve.log",
        ready=lambda: get(f"{url}/healthz"),
        environ=environ,
    ):
        yield url, folder


def test_nothing_that_people_wrote_is_run_on_any_page(browser, poisoned):
    url, folder = poisoned
    report = folder / "report.html"
    environ = {**os.environ, "JUDGE_ARCHIVE_URL": f"sqlite:///{folder / 'judge.sqlite'}"}
    subprocess.run([sys.executable, "-m", "judge", "report", "01NASTY1", "-o", str(report)], env=environ, check=True, capture_output=True)
    browser.open(f"{url}/")
    pages = [a.get_attribute("href") for a in browser.all("table a")]
    assert len(set(pages)) == 4

    for page in [
        url,
        *pages,
        f"{url}/configs",
        f"{url}/?config=%3Cscript%3Ealert(3)%3C/script%3E",
        f"{url}/rollout?canary=%3Cb%3E",
        report.as_uri(),
    ]:
        browser.open(page)
        for one in browser.all("details"):
            browser.run("arguments[0].open = true", one)
        with pytest.raises(NoAlertPresentException):
            _ = browser.driver.switch_to.alert.text
        assert not browser.all("img, main script, iframe"), page
        assert [said for said in browser.said() if "404" not in said] == [], page
        assert "49" not in browser.driver.title


@pytest.fixture(scope="module")
def plain_browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("plain"), javascript=False) as found:
        yield found


def text_without_scripts(browser) -> str:
    """What is seen, read through the browser's own protocol, since the page may run nothing."""
    document = browser.cdp("DOM.getDocument", depth=0)
    return browser.cdp("DOM.getOuterHTML", nodeId=document["root"]["nodeId"])["outerHTML"]


def test_without_javascript_everything_is_there_but_zoom_and_the_form(plain_browser, judge):
    plain_browser.open(f"{judge.url}/verdicts/{judge.bad[-1]}")

    html = text_without_scripts(plain_browser)
    assert plain_browser.one("svg.series path.canary").is_displayed()
    assert plain_browser.one("svg.evidence").is_displayed()
    assert not plain_browser.one("form.label").is_displayed()
    assert not plain_browser.one("[data-do=open]").is_displayed()
    assert f"judge label {judge.bad[-1]} right --by you" in plain_browser.one("section.labels").text
    assert 'class="tools"' not in html


def test_without_javascript_the_list_is_loaded_anew_now_and_then(plain_browser, judge):
    plain_browser.open(f"{judge.url}/")

    assert plain_browser.all("meta[http-equiv=refresh]")
    assert plain_browser.one("form.filters button").is_displayed()


def test_the_style_and_scripts_are_the_only_ones_that_count(browser, judge):
    browser.open(f"{judge.url}/")

    with loopback(lambda asked: asked.say(200, "")) as elsewhere:
        browser.run("const one = document.createElement('script'); one.textContent = 'window.run = 1'; document.body.append(one)")
        browser.run(
            "const one = document.createElement('img'); one.src = arguments[0]; document.body.append(one)", f"{elsewhere.url}/x.png"
        )
        said: list[str] = []
        wait_until(lambda: said.extend(browser.said()) or any("img-src" in one for one in said), "the picture is refused")

        assert browser.run("return window.run") is None
        assert any("script-src" in one for one in said)
        assert elsewhere.asked == []


def test_a_page_that_is_kept_as_it_was_seen_is_a_picture(browser, judge, tmp_path):
    """The pictures of the documentation are made like this one."""
    browser.open(f"{judge.url}/verdicts/{judge.bad[-1]}")
    browser.picture(tmp_path / "page.png")

    assert (tmp_path / "page.png").read_bytes().startswith(base64.b64decode("iVBORw0KGgo="))
