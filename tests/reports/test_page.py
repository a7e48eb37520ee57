"""The pages: whole without the network, safe with any text, readable in both colour schemes."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

import judge.reports
from judge.reports.page import verdict_page, verdicts_page
from tests.reports.sample import START, STEP, record

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """The elements of a page with their attributes, and whether every one was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """The attributes of every element with this tag and these attributes."""
        found = [attributes for name, attributes in self.elements if name == tag]
        return [attributes for attributes in found if all(attributes.get(key.rstrip("_")) == value for key, value in wanted.items())]


def text_of(html: str) -> str:
    """What a reader sees, without tags."""
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<title>.*?</title>|<[^>]*>", " ", html, flags=re.DOTALL))


def row(**changed: Any) -> dict[str, Any]:
    return {
        "id": "01JD",
        "asked_at": 1_763_629_860.0,
        "config": "http-service",
        "rollout": "shop",
        "baseline": "6f9c7b8d5",
        "canary": "7d4b9c6f8",
        "verdict": "fail",
        "score": 50.0,
        "look": 7,
        "reason": "latency-p99 +18%",
    } | changed


@pytest.mark.parametrize(
    "html",
    [verdict_page(record()), verdict_page(record("pass"), public_url="/"), verdict_page({}), verdicts_page([row()]), verdicts_page([])],
    ids=["fail", "pass", "nothing in it", "list", "empty list"],
)
def test_a_page_is_one_well_formed_file_that_asks_for_nothing(html) -> None:
    page = Page(html)

    assert page.open == []
    assert not {"script", "iframe", "img", "object", "form"} & {tag for tag, _ in page.elements}
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    assert not any({"src", "srcset", "xlink:href"} & set(attributes) for _, attributes in page.elements)
    assert not re.search(r"@import|url\(|@font-face", html)
    assert any(str(meta.get("content")).startswith("default-src 'none'; style-src 'unsafe-inline'") for meta in page.all("meta"))
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_the_header_says_verdict_score_reason_and_what_was_judged() -> None:
    seen = text_of(verdict_page(record()))

    for words in (
        "✖ fail",
        "score 0/100",
        "error-ratio +620% (limit +25% and 0.1 pp)",
        "rollout shop",
        "window 2025-11-20 08:40:00 to 09:10:00 UTC",
        "look 7 of 20",
    ):
        assert words in seen


def test_the_table_is_worst_first_and_leads_to_each_metric() -> None:
    html = verdict_page(record())
    names = re.findall(r'<a href="#(metric-\d)">([^<]*)</a>', html)

    assert names == [
        ("metric-1", "error-ratio"),
        ("metric-2", "latency-p99"),
        ("metric-3", "heap-used"),
        ("metric-4", "cache-hit-ratio"),
        ("metric-5", "oom-kills"),
        ("metric-6", "latency-p50"),
    ]
    assert [one["id"] for one in Page(html).all("details") if "open" in one] == ["metric-1", "metric-2", "metric-3", "metric-4"]
    assert len(Page(html).all("svg", class_="spark")) == 6
    assert len(Page(html).all("svg", class_="interval")) == 4


def test_everything_that_explains_the_verdict_is_on_its_page() -> None:
    seen = text_of(verdict_page(record()))

    for words in (
        "98% interval +14% to +22%",
        "5 samples of the canary are absent from 09:12 to 09:16",
        "Prometheus answered in part",
        "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{service=&#34;shop&#34;",
        "saturation",
        "service=shop, namespace=default",
        "first_sample 2025-11-20 08:38:20 UTC",
        "min_requests 100",
        "http://prometheus.monitoring:9090",
        "python 3.11.7",
        "01JD4Z8Q2M7K3N5P9R1T6V8X0B",
    ):
        assert words in seen


def svgs(html: str, kind: str) -> list[ET.Element]:
    return [ET.fromstring(found) for found in re.findall(rf'<svg class="{kind}".*?</svg>', html, re.DOTALL)]


def test_a_gap_in_the_samples_is_open_in_the_picture() -> None:
    latency = svgs(verdict_page(record()), "series")[1]
    canary, baseline = (latency.find(f"path[@class='{side}']").get("d") for side in ("canary", "baseline"))

    assert baseline.count("M") == 1
    assert canary.count("M") == 2
    assert canary.count("L") == 31 - 5 - 2


def test_a_lone_sample_is_a_dot() -> None:
    restarts = svgs(verdict_page(record()), "series")[4]

    assert len(restarts.findall("circle[@class='canary']")) == 1
    assert restarts.find("line[@class='bound']") is not None


def test_the_pointer_finds_time_and_values() -> None:
    titles = [title.text for title in svgs(verdict_page(record()), "series")[1].iter("title")]

    assert len(titles) == 31
    assert re.fullmatch(r"2025-11-20 08:40:00 UTC: baseline 6[\d.]+ ms, canary [78][\d.]+ ms", titles[0])
    assert re.fullmatch(r"2025-11-20 08:53:00 UTC: baseline 6[\d.]+ ms, canary –", titles[13])


def test_a_long_series_stays_a_small_page_and_keeps_its_spike() -> None:
    base = record()
    t = [START + i for i in range(20_000)]
    base["window"] |= {"end": t[-1], "step": 1.0}
    base["samples"][2]["canary"] = {"t": t, "v": [1.0 + i % 7 for i in range(20_000)]}
    base["samples"][2]["baseline"] = {"t": t, "v": [9.0 if i == 12_345 else 1.0 for i in range(20_000)]}

    html = verdict_page(base)
    path = svgs(html, "series")[1].find("path[@class='baseline']").get("d")
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]

    assert len(html) < 250_000
    assert len(heights) < 4 * 640
    assert min(heights) < 0.5 * max(heights)


def test_pictures_say_in_words_what_they_show() -> None:
    page = Page(verdict_page(record()))
    labels = [svg["aria-label"] for svg in page.all("svg", role="img")]

    assert all(labels)
    assert len(labels) == sum("aria-hidden" not in svg for svg in page.all("svg")) == 6 + 4 + 6
    assert "+19%, interval +14% to +23%, accepted +5%, must not slip through +20%" in labels


NASTY = "<script>alert(1)</script>\"'&{{9999*9999}}</title></style>"


def test_html_in_a_record_is_shown_as_text() -> None:
    base = record()
    base["request"] |= {"config": NASTY, "rollout": NASTY, "baseline": NASTY, "canary": NASTY, "args": {NASTY: NASTY}}
    base["verdict"] |= {"verdict": NASTY, "reason": NASTY, "warnings": [NASTY], "groups": [{"name": NASTY, "weight": 1.0, "score": 1.0}]}
    base["source"] = {NASTY: NASTY}
    base["id"] = NASTY
    for one, sample in zip(base["verdict"]["results"], base["samples"], strict=True):
        one |= {
            "name": NASTY,
            "labels": {NASTY: NASTY},
            "reason": NASTY,
            "group": NASTY,
            "tolerance": NASTY,
            "unit": NASTY,
            "direction": NASTY,
        }
        one |= {"queries": {NASTY: NASTY}, "warnings": [NASTY], "classification": NASTY}
        sample |= {"metric": NASTY, "labels": {NASTY: NASTY}}
    html = verdict_page(base, public_url="https://judge.example")

    page = Page(html)
    assert page.open == []
    assert not page.all("script")
    assert len(page.all("style")) == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script" not in html
    assert "99980001" not in html
    for attributes in (attributes for _, attributes in page.elements):
        assert not any(name.startswith("on") for name in attributes)


def test_html_in_a_row_is_shown_as_text() -> None:
    html = verdicts_page([row(id=NASTY, config=NASTY, rollout=NASTY, reason=NASTY, verdict=NASTY)], older=NASTY, filters={"config": NASTY})

    assert Page(html).open == []
    assert "<script" not in html


def test_the_list_links_each_verdict_to_its_page() -> None:
    html = verdicts_page([row(), row(id="01/..", verdict="pass", score=100.0)], public_url="https://judge.example/")

    assert [a["href"] for a in Page(html).all("a")] == ["https://judge.example/verdicts/01JD", "https://judge.example/verdicts/01%2F.."]
    assert "✖ fail http-service shop 2025-11-20 09:11:00 UTC 50/100 7 6f9c7b8d5 → 7d4b9c6f8 latency-p99 +18%" in text_of(html)


def test_the_list_goes_on_with_its_filters() -> None:
    html = verdicts_page([row()], older="01JD", filters={"config": "a&b", "verdict": ""})

    assert [a["href"] for a in Page(html).all("a")] == ["/", "/verdicts/01JD", "/?config=a%26b&before=01JD"]
    assert "Only config a&amp;b" in text_of(html)


def test_a_verdict_without_a_score_or_rollout_is_listed() -> None:
    html = verdicts_page([row(score=None, rollout=None, look=None, verdict="inconclusive", baseline=None, canary=None)])

    assert "? inconclusive http-service 2025-11-20 09:11:00 UTC" in text_of(html)


@pytest.mark.parametrize(
    ("filters", "words"),
    [({}, "No verdict yet A verdict appears here as soon as a canary is judged."), ({"config": "x"}, "No verdict matches.")],
    ids=["no verdicts at all", "none that match"],
)
def test_an_empty_list_says_what_to_do(filters, words) -> None:
    assert words in text_of(verdicts_page([], filters=filters))


def test_a_page_that_is_sent_around_links_nowhere() -> None:
    assert [a["href"] for a in Page(verdict_page(record())).all("a")] == [f"#metric-{n}" for n in range(1, 7)]
    assert Page(verdict_page(record(), public_url="/")).all("a")[0] == {"href": "/"}


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio as WCAG 2 defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


STYLE = (Path(judge.reports.__file__).parent / "templates" / "style.css").read_text()
SCHEMES = dict(zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL), strict=True))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_and_lines_are_of_enough_contrast(scheme) -> None:
    """WCAG AA: 4.5 for text, 3 for the lines of a picture."""
    colours = dict(re.findall(r"--(\w+): (#\w{6})", SCHEMES[scheme]))

    for behind in ("page", "card"):
        for name in ("text", "quiet", "link", "good", "bad", "warn", "open"):
            assert contrast(colours[name], colours[behind]) >= 4.5, (name, behind)
        for name in ("baseline", "canary"):
            assert contrast(colours[name], colours[behind]) >= 3, (name, behind)
    for name in ("good", "bad", "open", "quiet"):  # intervals and margins are drawn on the accepted band
        assert contrast(colours[name], colours["accepted"]) >= 3, name


def test_every_outcome_has_a_sign_and_a_colour() -> None:
    for outcome in ("pass", "marginal", "fail", "inconclusive", "error", "high", "low", "undecided", "nodata"):
        assert re.search(rf"\.{outcome}\b[^{{]*\{{ color:", STYLE)
        assert judge.reports.words.SYMBOLS[outcome]


def test_the_sample_covers_every_step_of_its_window() -> None:
    """Else the tests above would look at a picture of nothing."""
    base = record()

    assert base["samples"][0]["baseline"]["t"] == [START + STEP * i for i in range(31)]
