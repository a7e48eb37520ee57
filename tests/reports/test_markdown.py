"""The Markdown report, read as a renderer reads it."""

from __future__ import annotations

import re

import pytest

from judge.reports.markdown import code, escape, verdict_markdown
from tests.reports.sample import record

NASTY = [
    "a|b",
    "<img src=x onerror=alert(1)>",
    "*bold* _it_ `code` ~~no~~",
    "[x](javascript:alert(1))",
    "# title",
    "- item",
    "1. item",
    "&lt;b&gt;",
    "a\n\nb",
]


def rendered(markdown: str) -> str:
    """The HTML that a CommonMark renderer with GitHub's tables makes of it."""
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    return parser.render(markdown)


def test_a_verdict_is_a_title_a_reason_a_table_and_the_sentences() -> None:
    lines = verdict_markdown(record()).splitlines()

    assert lines[0] == "### ✖ **FAIL** 0/100: http-service"
    assert lines[2] == "error-ratio +620% (limit +25% and 0.1 pp), 98% interval +540% to +700%, counts p=0.0004"
    assert lines[6] == "| metric | result | change | p | n baseline/canary (effective) | tolerance |"
    assert [re.match(r"\| `([^`]*)` \| (\S)", line).groups() for line in lines[8:14]] == [
        ("error-ratio", "✖"),
        ("latency-p99", "✖"),
        ("heap-used", "?"),
        ("cache-hit-ratio", "∅"),
        ("oom-kills", "✔"),
        ("latency-p50", "✔"),
    ]
    assert "- ✖ `error-ratio` (critical): errors rose from 0.6% to 4.2% of requests" in lines
    assert "> ⚠ Prometheus answered in part: 1 of 3 stores was away  " in lines


def test_the_queries_are_folded_away_as_they_were_sent() -> None:
    base = record()
    query = 'sum(rate(x{a="```\\n"}[1m]))'
    base["verdict"]["results"][2]["queries"] = {"baseline": query}
    text = verdict_markdown(base)

    assert f"<details><summary>Queries as sent</summary>\n\n`latency-p99` baseline\n\n````promql\n{query}\n````" in text


def test_the_report_is_linked_only_where_there_is_one() -> None:
    assert verdict_markdown(record(verdict_id="01/x"), public_url="https://judge.example/").endswith(
        "[Report with pictures](https://judge.example/verdicts/01%2Fx)\n"
    )
    assert "](http" not in verdict_markdown(record())


@pytest.mark.parametrize("text", NASTY)
def test_escaped_text_is_shown_as_it_is(text) -> None:
    shown = re.sub("<[^>]*>", "", rendered(escape(text)))

    assert rendered(escape(text)).count("<") == 2  # the paragraph it stands in, and nothing else
    assert shown.strip().replace("\u2060", "") == " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


@pytest.mark.parametrize("text", [*NASTY, "`", "a``b", "```", "`x`", "|"])
def test_code_in_a_cell_stays_in_its_cell(text) -> None:
    html = rendered(f"| a | b |\n|---|---|\n| {code(text, cell=True)} | x |")
    shown = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    assert f"<td><code>{shown}</code></td>\n<td>x</td>" in html


def test_a_whole_record_of_nasty_text_makes_no_html_and_keeps_its_table() -> None:
    base = record()
    for number, one in enumerate(base["verdict"]["results"]):
        one |= {"name": NASTY[number], "reason": NASTY[number], "warnings": [NASTY[number]], "labels": {"k": NASTY[-1 - number]}}
    base["verdict"] |= {"reason": " ".join(NASTY), "warnings": NASTY}
    base["request"] |= {"config": NASTY[1], "rollout": NASTY[0]}
    html = rendered(verdict_markdown(base))

    assert html.count("<tr>") == 1 + 6
    assert html.count("<td>") == 6 * 6
    assert not re.search("<(img|em|a|h1|s|del)[ >]", html)


@pytest.mark.parametrize("text", ["@someone", "org/repo#12"])
def test_nobody_is_told_and_nothing_is_linked(text) -> None:
    assert not re.search(r"@\w|#\d", escape(text))


def test_an_empty_record_is_an_error_and_no_crash() -> None:
    assert verdict_markdown({}).startswith("### ! **ERROR**\n\nNo metric was judged.")
