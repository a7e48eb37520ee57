"""The service's other pages in a browser: the list and its filters, a rollout that goes on, configs, errors."""

from __future__ import annotations

import pytest
from selenium.webdriver.support.ui import Select

from tests.servers import wait_until

PHONE = 390


@pytest.fixture
def address(judge, browser):
    """The page of the bad canary."""
    browser.open(f"{judge.url}/verdicts/{judge.bad[-1]}")
    return browser.one("section[aria-label=Looks] h2 a").get_attribute("href")


def test_the_list_is_filtered_by_its_form(judge, browser):
    browser.open(f"{judge.url}/")
    assert len(browser.all("table.list tbody tr")) == len(judge.bad) + len(judge.good)

    Select(browser.one("select[name=verdict]")).select_by_visible_text("fail")
    browser.one("input[name=service]").send_keys("shop")
    browser.one("form.filters button").click()

    wait_until(lambda: "verdict=fail" in browser.driver.current_url, "the form is sent")
    assert {row.text for row in browser.all("table.list td.result")} == {"✖ fail"}
    assert len(browser.all("table.list tbody tr")) == len(judge.bad)
    assert browser.one("input[name=service]").get_attribute("value") == "shop"
    browser.driver.find_element("link text", "Show all").click()
    wait_until(lambda: "verdict=fail" not in browser.driver.current_url, "all are shown")


def test_a_filter_that_nothing_fits_says_what_to_do(judge, browser):
    browser.open(f"{judge.url}/?service=none")

    assert "No verdict matches." in browser.one(".empty").text


def test_a_verdict_is_found_from_the_list_and_its_canary_from_the_verdict(judge, browser, address):
    browser.open(f"{judge.url}/")
    browser.one("table.list td.result a").click()
    wait_until(lambda: browser.all(".headline"), "the verdict is open")
    browser.one("section[aria-label=Looks] h2 a").click()
    wait_until(lambda: "/rollout?" in browser.driver.current_url, "its canary is open")

    assert browser.driver.current_url == address
    assert len(browser.all("ol.looks li")) == len(judge.bad)
    assert len(browser.all("table.grid tbody tr:first-child td")) == len(judge.bad)


def test_the_page_of_a_rollout_goes_on_by_itself(judge, browser, bad_question):
    rollout = f"{judge.url}/rollout?canary={bad_question['canary']}&rollout=goes-on"
    judge.ask({**bad_question, "rollout": "goes-on", "look": "1"})
    browser.open(rollout)
    assert len(browser.all("ol.looks li")) == 1
    browser.run("document.querySelector('main').dataset.mark = 'not loaded anew'")

    judge.ask({**bad_question, "rollout": "goes-on", "look": "2"})
    # What the page does every ten seconds it also does when somebody comes back to it.
    wait_until(
        lambda: (
            browser.run("document.dispatchEvent(new Event('visibilitychange')); return document.querySelectorAll('ol.looks li').length")
            == 2
        ),
        "the second look appears",
        pause=0.3,
    )

    assert browser.one("main").get_attribute("data-mark") == "not loaded anew"
    assert "Changed at" in browser.one(".live").text
    assert browser.said() == []


def test_the_page_of_a_config_tells_how_often_each_metric_fired(judge, browser):
    browser.open(f"{judge.url}/configs")
    browser.driver.find_element("link text", "http-service").click()
    wait_until(lambda: browser.all("h1.large") and browser.one("h1.large").text == "http-service", "the config is open")

    metrics = {row.text.split()[0]: row.text for row in browser.all("table.list tbody tr")}
    assert set(metrics) == {"error-ratio", "latency-p99", "latency-p50", "memory"}
    assert "never" in metrics["memory"]


@pytest.mark.parametrize("path", ["/", "/configs", "/configs/http-service", "/verdicts/01X", "/?verdict=bad", "/rollout?canary=nobody"])
def test_every_page_fits_a_phone_and_asks_nobody_else(judge, browser, path):
    browser.open(f"{judge.url}{path}", width=PHONE)

    assert browser.run("return document.documentElement.scrollWidth") == PHONE
    assert browser.hosts() == {judge.url}
    # Only that the page itself was answered with 400 or 404.
    assert [said for said in browser.said() if "Failed to load resource" not in said] == []


def test_the_page_of_a_canary_fits_a_phone(judge, browser, address):
    browser.open(address, width=PHONE)

    assert browser.run("return document.documentElement.scrollWidth") == PHONE
    assert browser.said() == []


def test_what_is_not_there_is_a_page_that_says_what_to_do(judge, browser):
    browser.open(f"{judge.url}/verdicts/01X")

    assert browser.one("h1").text == "There is nothing here"
    assert "Check the address" in browser.one("main").text
    assert browser.one("main a").get_attribute("href") == f"{judge.url}/"
