"""A verdict's page as people use it: read, point, zoom, find, open, print, download, label."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import subprocess
import sys

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.servers import wait_until

WIDTHS = {"phone": 390, "desk": 1280}
READOUT = r"return document.querySelector('.readout').textContent"
VIEW = "return document.querySelector('.plot').getAttribute('viewBox')"


@pytest.fixture
def page(browser, judge):
    browser.open(f"{judge.url}/verdicts/{judge.bad[-1]}")
    return browser


def point_at(browser, selector: str, share: float, *, drag_to: float | None = None) -> None:
    """Put the pointer on a picture, a share of its width from the left, and drag it if told so."""
    browser.run(f"document.querySelector('{selector}').scrollIntoView({{block: 'center'}})")
    picture = browser.one(selector)
    width = picture.rect["width"]
    actions = ActionChains(browser.driver, duration=20).move_to_element_with_offset(picture, round((share - 0.5) * width), 0)
    if drag_to is not None:
        actions.click_and_hold().move_by_offset(round((drag_to - share) * width), 0).release()
    actions.perform()


def test_the_worst_metric_comes_first_and_is_open(page):
    rows = [row.text.splitlines()[0] for row in page.all("table.metrics tbody tr")]

    assert rows[0].startswith("error-ratio")
    assert "FAIL" in page.one(".headline").text
    assert page.one("details.metric").get_attribute("open") == "true"
    assert page.all("details.metric")[-1].get_attribute("open") is None
    assert page.said() == []


def test_a_metric_is_opened_by_its_name_and_by_a_click(page):
    last = page.all("details.metric")[-1]
    page.all("table.metrics tbody a")[-1].click()
    wait_until(lambda: last.get_attribute("open"), "the link opened the metric")

    last.find_element("css selector", "summary").click()
    wait_until(lambda: last.get_attribute("open") is None, "a click closed it")
    page.one("[data-do=open]").click()
    assert all(one.get_attribute("open") for one in page.all("details.metric"))


def test_the_pointer_shows_time_and_values_of_both_sides(page):
    assert page.run(READOUT).startswith("Point or")

    point_at(page, "svg.series", 0.6)

    told = page.run(READOUT)
    assert told[2] == ":"
    assert "baseline 0." in told
    assert "canary 1." in told
    assert told.endswith("%")
    assert page.one("svg.series .cross").get_attribute("visibility") == "visible"


def test_what_the_pointer_shows_is_what_was_judged(page, judge):
    record = json.loads(subprocess.run(["curl", "-sS", f"{judge.url}/v1/verdicts/{judge.bad[-1]}"], capture_output=True, check=True).stdout)
    sample = next(one for one in record["samples"] if one["metric"] == "error-ratio")
    share = sample["canary"]["v"][-1] / sample["canary_total"]["v"][-1]
    page.run("document.querySelector('svg.series').focus()")

    page.one("svg.series").send_keys(Keys.END)

    assert f"canary {100 * share:.4g}%" in page.run(READOUT)
    assert page.run(READOUT).startswith("09:00:00")


def test_dragging_zooms_every_picture_and_a_double_click_shows_all_again(page):
    whole = page.run(VIEW)
    ticks = page.run("return document.querySelector('.times').textContent")

    point_at(page, "svg.series", 0.4, drag_to=0.6)

    views = [view.split() for view in page.run("return [...document.querySelectorAll('.plot')].map((one) => one.getAttribute('viewBox'))")]
    assert float(views[0][0]) > 50
    assert float(views[0][2]) < 0.5 * float(whole.split()[2])
    assert len({tuple(view) for view in views}) == 1
    assert page.run("return document.querySelector('.times').textContent") != ticks

    ActionChains(page.driver).double_click(page.one("svg.series")).perform()

    assert page.run(VIEW) == whole
    assert page.run("return document.querySelector('.times').textContent") == ticks


def test_the_buttons_zoom_for_those_who_cannot_drag(page):
    whole = page.run(VIEW)
    closer, farther, everything = page.all(".tools")[0].find_elements("css selector", "button")
    page.run("arguments[0].scrollIntoView({block: 'center'})", closer)

    closer.click()
    closer.click()
    assert float(page.run(VIEW).split()[2]) == pytest.approx(float(whole.split()[2]) / 4, rel=1e-3)
    farther.click()
    assert float(page.run(VIEW).split()[2]) == pytest.approx(float(whole.split()[2]) / 2, rel=1e-3)
    everything.click()
    assert page.run(VIEW) == whole


def test_everything_can_be_done_with_the_keyboard_alone(page):
    """From the top: the skip link, a metric's name, its picture, values, zoom and back."""
    page.one("body").send_keys(Keys.TAB)
    assert page.run("return document.activeElement.className") == "skip"
    seen = set()
    for _ in range(60):
        active = page.run("const one = document.activeElement; return [one.localName, one.getAttribute('class')]")
        seen.add(active[0])
        if active == ["svg", "series"]:
            break
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
    assert {"a", "summary", "button", "svg"} <= seen
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"

    active = page.driver.switch_to.active_element
    last = page.run(READOUT)
    active.send_keys(Keys.ARROW_LEFT)
    assert page.run(READOUT) != last
    active.send_keys("+")
    zoomed = page.run(VIEW)
    active.send_keys(Keys.ESCAPE)
    assert page.run(VIEW) != zoomed


def test_the_dump_is_downloaded_and_judged_again(judge, one_browser, browser, tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    browser.open(f"{judge.url}/verdicts/{judge.bad[-1]}")
    browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))

    browser.one("a.button[download]").click()

    dump = folder / f"{judge.bad[-1]}.jsonl.gz"
    wait_until(dump.exists, "the dump is downloaded")
    done = subprocess.run(
        [sys.executable, "-m", "judge", "score", str(dump), "--format", "jsonl"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert json.loads(done.stdout)["verdict"] == "fail"


def test_a_file_that_is_sent_around_holds_its_dump_and_asks_nobody(judge, browser, tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    report = tmp_path / "report.html"
    environ = {**os.environ, "JUDGE_ARCHIVE_URL": judge.archive}
    subprocess.run(
        [sys.executable, "-m", "judge", "report", judge.bad[-1], "-o", str(report)], env=environ, check=True, capture_output=True
    )

    browser.open(report.as_uri())
    browser.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    browser.one("a.button[download]").click()
    dump = folder / f"{judge.bad[-1]}.jsonl.gz"
    wait_until(dump.exists, "the dump is downloaded")

    assert json.loads(gzip.decompress(dump.read_bytes()))["record"]["id"] == judge.bad[-1]
    assert len(browser.all("svg.evidence")) == len(browser.all("details.metric"))
    assert browser.hosts() <= {"file://"}
    assert browser.said() == []
    assert not browser.all("form, header")


def test_a_label_is_sent_and_shown_and_faults_are_said(judge, browser):
    browser.open(f"{judge.url}/verdicts/{judge.good[0]}")
    assert browser.one(".no-label").is_displayed()

    browser.one("form.label input[value=right]").click()
    browser.one("form.label input[name=by]").send_keys("   ")
    browser.one("form.label button").click()
    wait_until(lambda: "Not kept: by: is missing" in browser.one(".said").text, "the fault is said")

    browser.one("form.label input[name=by]").send_keys("ann")
    browser.one("form.label input[name=why]").send_keys("<b>the load test</b> ran")
    browser.one("form.label button").click()
    wait_until(lambda: "Kept: right, says ann." in browser.one(".said").text, "the label is kept")

    assert "right, says ann: <b>the load test</b> ran" in browser.one(".label-list").text
    assert not browser.all(".label-list b")
    assert not browser.one(".no-label").is_displayed()
    browser.driver.refresh()
    assert "right, says ann: <b>the load test</b> ran" in browser.one(".label-list").text


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_is_wider_than_the_window_and_colours_follow_the_scheme(judge, browser, width, dark):
    browser.open(f"{judge.url}/verdicts/{judge.bad[-1]}", width=width, dark=dark)
    browser.one("[data-do=open]").click()

    assert browser.run("return document.documentElement.scrollWidth") == width
    behind = browser.run("return getComputedStyle(document.body).backgroundColor")
    assert behind == ("rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)")
    assert browser.said() == []
    assert browser.hosts() == {judge.url}


def test_every_control_has_a_name_and_every_heading_its_place(page):
    """What a screen reader goes by."""
    unnamed = """const all = 'input:not([type=hidden]), select, button, a, [role=img], [role=application], [role=region]';
        return [...document.querySelectorAll(all)]
        .filter((one) => !(one.labels && one.labels.length) && !one.getAttribute('aria-label') && !one.textContent.trim())
        .map((one) => one.outerHTML.slice(0, 80))"""
    doubled = "const ids = [...document.querySelectorAll('[id]')].map((one) => one.id); return ids.filter((id, n) => ids.indexOf(id) !== n)"
    levels = page.run("return [...document.querySelectorAll('h1, h2, h3')].map((one) => Number(one.localName[1]))")

    assert page.run(unnamed) == []
    assert page.run(doubled) == []
    assert levels[0] == levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_on_paper_every_metric_is_open_and_no_control_is_left(page):
    page.cdp("Emulation.setEmulatedMedia", media="print", features=[])
    page.run("dispatchEvent(new Event('beforeprint'))")

    assert all(one.get_attribute("open") for one in page.all("details"))
    assert not [one for one in page.all("button, form, .actions, header") if one.is_displayed()]
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.all("details.metric")[-1].get_attribute("open") is None


def test_nothing_moves_for_those_who_do_not_want_it(judge, browser):
    browser.open(f"{judge.url}/verdicts/{judge.bad[-1]}", still=True)

    moving = "return [...document.querySelectorAll('*')].filter((one) => parseFloat(getComputedStyle(one).transitionDuration) > 0).length"
    assert browser.run(moving) == 0
