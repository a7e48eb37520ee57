"""The pages: whole without the network, safe with any text, readable in both colour schemes."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest

import judge.reports
from judge.reports.verdict_page import verdict_page
from tests.reports.html import Page, checked, links, svgs, text_of
from tests.reports.sample import START, STEP, record


@pytest.mark.parametrize(
    "html",
    [verdict_page(record()), verdict_page(record("pass"), public_url="/"), verdict_page({}), verdict_page({}, public_url="/")],
    ids=["fail", "pass", "nothing in it", "nothing in it, served"],
)
def test_a_page_is_one_well_formed_file_that_asks_for_nothing(html) -> None:
    checked(html)


def hashes_of(html: str, tag: str) -> set[str]:
    """The hashes of what stands in every element of this tag, as a browser makes them."""
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    return {f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in found}


@pytest.mark.parametrize(
    ("html", "scripts"), [(verdict_page(record()), 1), (verdict_page(record(), public_url="/"), 2)], ids=["file", "served"]
)
def test_the_policy_allows_exactly_the_style_and_scripts_of_the_page(html, scripts) -> None:
    (meta,) = [one for one in Page(html).all("meta") if one.get("http-equiv") == "Content-Security-Policy"]
    policy = dict(part.split(" ", 1) for part in str(meta["content"]).split("; "))

    assert set(policy["script-src"].split()) == hashes_of(html, "script")
    assert set(policy["style-src"].split()) == hashes_of(html, "style")
    assert len(hashes_of(html, "script")) == scripts
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == ("'none'" if scripts == 1 else "'self'")
    assert "unsafe" not in str(meta["content"])


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
    metrics = [one for one in Page(html).all("details") if one.get("class") == "metric"]
    assert [one["data-name"] for one in metrics if "open" in one] == [name for _, name in names[:4]]
    assert [one["id"] for one in Page(html).all("div", class_="inside")] == [place for place, _ in names]
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


def test_a_gap_in_the_samples_is_open_in_the_picture() -> None:
    latency = svgs(verdict_page(record()), "series")[1]
    canary, baseline = (latency.find(f".//path[@class='{side}']").get("d") for side in ("canary", "baseline"))

    assert baseline.count("M") == 1
    assert canary.count("M") == 2
    assert canary.count("L") == 31 - 5 - 2


def test_a_lone_sample_is_a_dot() -> None:
    restarts = svgs(verdict_page(record()), "series")[4]

    assert restarts.find(".//path[@class='canary dot']").get("d").endswith("h0")
    assert restarts.find(".//line[@class='bound']") is not None


def test_a_verdict_without_any_sample_says_so_everywhere() -> None:
    base = record()
    base["samples"] = []
    for one in base["verdict"]["results"]:
        one.update(comparison=None, classification="nodata", n_baseline=0, n_canary=0)
    html = verdict_page(base)

    checked(html)
    assert text_of(html).count("There are no samples to draw: neither side has any in the window.") == 6
    assert not svgs(html, "series")
    base["verdict"]["results"] = []
    assert "No metric was judged: the reason above says why." in text_of(verdict_page(base))


def test_a_long_series_stays_a_small_page_and_keeps_its_spike() -> None:
    base = record()
    t = [START + i for i in range(20_000)]
    base["window"] |= {"end": t[-1], "step": 1.0}
    base["samples"][2]["canary"] = {"t": t, "v": [1.0 + i % 7 for i in range(20_000)]}
    base["samples"][2]["baseline"] = {"t": t, "v": [9.0 if i == 12_345 else 1.0 for i in range(20_000)]}

    html = verdict_page(base)
    path = svgs(html, "series")[1].find(".//path[@class='baseline']").get("d")
    heights = [float(y) for y in re.findall(r"[ML][\d.]+ ([\d.]+)", path)]

    assert len(html) < 300_000
    assert len(heights) <= 4 * 511
    assert min(heights) < 0.5 * max(heights)


def test_pictures_say_in_words_what_they_show() -> None:
    page = Page(verdict_page(record()))
    labels = [svg["aria-label"] for svg in page.all("svg", role="img")]

    assert all(labels)
    assert len(labels) == 6 + 4 + 6 + 5
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

    page = checked(html)
    assert len(page.all("script")) == 2
    assert len(page.all("style")) == 1
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "<script>alert" not in html
    assert "99980001" not in html


def test_a_page_that_is_sent_around_leads_to_its_own_parts_and_the_source_alone() -> None:
    found = links(verdict_page(record()))

    assert [link for link in found if not link.startswith("http://prometheus.monitoring:9090/graph?")] == [
        f"#metric-{n}" for n in range(1, 7)
    ]
    assert links(verdict_page(record(), public_url="/"))[1:4] == ["/", "/", "/configs"]


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """Contrast ratio as WCAG 2 defines it."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mixed(one: str, other: str, share: float) -> str:
    """What a part of one colour over another looks like."""
    parts = (round(share * int(one[i : i + 2], 16) + (1 - share) * int(other[i : i + 2], 16)) for i in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


STYLE = (Path(judge.reports.__file__).parent / "templates" / "style.css").read_text()
SCHEMES = dict(zip(("light", "dark", "print"), re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL), strict=True))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_and_lines_are_of_enough_contrast(scheme) -> None:
    """WCAG AA: 4.5 for text, 3 for the lines of a picture."""
    colours = dict(re.findall(r"--(\w+): (#\w{6})", SCHEMES[scheme]))

    for behind in ("page", "card"):
        for name in ("text", "quiet", "link", "good", "bad", "warn", "open"):
            assert contrast(colours[name], colours[behind]) >= 4.5, (name, behind)
        for name in ("baseline", "canary", "edge"):
            assert contrast(colours[name], colours[behind]) >= 3, (name, behind)
    for name in ("baseline", "canary"):  # lines run over the warm-up and over gaps
        assert contrast(colours[name], colours["shade"]) >= 3, name
        assert contrast(colours[name], mixed(colours["warn"], colours["page"], 0.14)) >= 3, name
    for name in ("good", "bad", "open", "quiet"):  # intervals and margins are drawn on the accepted band
        assert contrast(colours[name], colours["accepted"]) >= 3, name


def test_every_outcome_has_a_sign_and_a_colour() -> None:
    for outcome in ("pass", "marginal", "fail", "inconclusive", "error", "high", "low", "undecided", "nodata"):
        assert re.search(rf"\.{outcome}\b[^{{]*\{{ color:", STYLE)
        assert judge.reports.text.SYMBOLS[outcome]


def test_the_sample_covers_every_step_of_its_window() -> None:
    """Else the tests above would look at a picture of nothing."""
    base = record()

    assert base["samples"][0]["baseline"]["t"] == [START + STEP * i for i in range(31)]
