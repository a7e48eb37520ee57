"""The terminal report: what stands where, whatever the width, and nothing a terminal would obey."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.reports.terminal import verdict_text
from judge.reports.terminal_charts import interval_picture
from judge.reports.terminal_text import Palette, cells, wrap
from judge.reports.view_model import Interval
from tests.reports.sample import record

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def interval(**changed: object) -> Interval:
    base = {
        "point": 0.18,
        "low": 0.09,
        "high": 0.27,
        "tolerance": 0.05,
        "must_detect": 0.2,
        "direction": "increase",
        "relative": True,
        "unit": "",
    }
    return Interval(**(base | changed))


def test_the_first_line_is_the_verdict_its_score_and_why() -> None:
    first, second, *_ = verdict_text(record()).splitlines()

    assert first == "✖ FAIL 0/100  error-ratio +620% (limit +25% and 0.1 pp), 98% interval +540% to"
    assert second == "  +700%, counts p=0.0004"


def test_the_table_is_worst_first_with_change_p_n_and_tolerance() -> None:
    lines = verdict_text(record(), width=81).splitlines()
    header = next(number for number, line in enumerate(lines) if line.startswith("  metric "))

    assert lines[header].split() == ["metric", "result", "change", "p", "n", "(eff.)", "tolerance"]
    assert [line.split()[:3] for line in lines[header + 1 : header + 7]] == [
        ["✖", "error-ratio", "high"],
        ["✖", "latency-p99", "high"],
        ["?", "heap-used", "undecided"],
        ["∅", "cache-hit-ratio", "no"],
        ["✔", "oom-kills", "pass"],
        ["✔", "latency-p50", "pass"],
    ]
    assert re.search(r"latency-p99 +high +\+19% \[\+14%, \+23%\] +0\.0002 +31/26 \(19\) +\+5%$", lines[header + 2])


def test_a_name_too_long_for_its_column_gets_a_line_of_its_own() -> None:
    base = record()
    name = "ts-basic-service_queryForTravel.latency_p95"
    base["verdict"]["results"][0]["name"] = name
    text = verdict_text(base)

    assert re.search(rf"^✔ {re.escape(name)}\n {{15,}}pass +\+1\.5% \[", text, re.MULTILINE)


def test_each_metric_that_did_not_pass_says_why_and_the_others_do_not() -> None:
    text = verdict_text(record())

    assert "✖ error-ratio (critical): errors rose from 0.6% to 4.2% of requests\n" in text
    assert "∅ cache-hit-ratio: the canary has no samples in the window\n" in text
    assert "0 is within the limit" not in text


def test_warnings_of_the_verdict_and_of_its_metrics_are_shown() -> None:
    text = verdict_text(record())

    assert "! warning: Prometheus answered in part: 1 of 3 stores was away\n" in text
    assert "! warning: latency-p99: 5 samples of the canary are absent" in text


def test_the_picture_is_of_the_worst_metric_with_values_and_times_on_its_axes() -> None:
    text = verdict_text(record())
    picture = text[text.index("\n  error-ratio\n") :]

    assert "▒▒ baseline  ⣀⠔⠉ canary  in %" in picture
    assert re.search("^  6 ┼", picture, re.MULTILINE)
    assert re.search("^  0 ┼.*▒", picture, re.MULTILINE)
    assert re.search("08:40 .* 08:50 .* 09:00 .* 09:10$", picture, re.MULTILINE)
    assert "├─────●─────┤" in picture
    assert "┊ tolerance +25%, ╎ must_detect +100%" in picture


def test_a_gap_is_left_open_in_the_picture() -> None:
    base = record()
    base["verdict"]["results"] = [one for one in base["verdict"]["results"] if one["name"] == "latency-p99"]
    base["samples"][2]["baseline"] = {"t": [], "v": []}

    rows = [line.partition("┼" if "┼" in line else "│")[2] for line in verdict_text(base).splitlines() if re.match(r" *\d* [┼│]", line)]
    empty = [all(row[column : column + 1] in {"", " "} for row in rows) for column in range(73)]

    # The canary's samples 12 to 16 of 0 to 30 are absent: between 11 and 17 nothing is drawn.
    assert all(empty[round(11.6 / 30 * 73) : round(16.4 / 30 * 73)])
    assert not any(empty[round(2 / 30 * 73) : round(10 / 30 * 73)])


@pytest.mark.parametrize("width", [40, 46, 60, 79, 80, 100, 200])
@pytest.mark.parametrize("ascii_only", [False, True], ids=["unicode", "ascii"])
def test_no_line_is_wider_than_the_terminal(width, ascii_only) -> None:
    base = record()
    base["verdict"]["results"][1]["labels"] = {"route": "/a/very/long/path/with/many/parts", "host": "日本語の名前がここに"}
    text = verdict_text(base, width=width, ascii=ascii_only)

    assert max(cells(line) for line in text.splitlines()) <= width
    assert "+654%" in text


def test_ascii_is_ascii_and_still_tells_the_verdicts_apart() -> None:
    base = record()
    base["verdict"]["reason"] = "größer – 日本"
    text = verdict_text(base, ascii=True)

    assert text.isascii()
    assert text.startswith("x FAIL 0/100  gr??er - ????\n")
    assert re.search(r"^\+ latency-p50 +pass", text, re.MULTILINE)
    assert "o baseline  x canary" in text


def test_colour_adds_nothing_but_colour() -> None:
    plain, coloured = verdict_text(record()), verdict_text(record(), colour=True)

    assert coloured.startswith("\x1b[1;31m✖ FAIL 0/100\x1b[0m")
    assert "\x1b" not in plain
    assert ANSI.sub("", coloured) == plain


def test_control_sequences_in_a_record_do_not_reach_the_terminal() -> None:
    base = record()
    base["verdict"]["reason"] = "\x1b[2Jgone\x07\u202eesrever"
    base["verdict"]["results"][1] |= {"name": "p99\x1b]0;title\x07", "reason": "a\nb\x9b31m"}
    text = verdict_text(base)

    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)
    assert "a b\ufffd31m" in text


@pytest.mark.parametrize("colour", [False, True])
def test_a_verdict_without_metrics_is_told(colour) -> None:
    base = record(samples=[], traffic=None)
    base["verdict"] |= {"verdict": "inconclusive", "score": None, "reason": "the canary has no samples yet", "results": [], "warnings": []}
    text = ANSI.sub("", verdict_text(base, colour=colour))

    assert text.startswith("? INCONCLUSIVE  the canary has no samples yet\n")
    assert "No metric was judged." in text


def test_an_empty_record_is_an_error_and_no_crash() -> None:
    assert verdict_text({}).startswith("! ERROR")


def test_the_interval_lies_beside_its_margins_on_one_axis() -> None:
    labels, rule, drawn, text = interval_picture(interval(), palette=Palette(), width=60, level="98%")

    assert labels.split() == ["0", "tolerance", "+5%", "must_detect", "+20%"]
    assert rule.index("┼") < rule.index("┊") < drawn.index("├") < drawn.index("●") < rule.index("╎") < drawn.index("┤")
    assert text.strip() == "+18% [+9%, +27%] 98% interval"


def test_an_interval_that_leaves_the_axis_ends_in_arrows() -> None:
    drawn = interval_picture(interval(low=-90.0, high=400.0), palette=Palette(), width=60)[2]

    assert drawn.strip().startswith("◀")
    assert drawn.strip().endswith("▶")


finite = st.floats(-1e12, 1e12)


@given(
    finite,
    finite,
    finite,
    st.floats(0, 1e6) | st.none(),
    st.floats(0, 1e6) | st.none(),
    st.sampled_from(["increase", "decrease", "either"]),
)
def test_every_interval_can_be_drawn(low, point, high, tolerance, must_detect, direction) -> None:
    found = interval(
        point=point, low=min(low, high), high=max(low, high), tolerance=tolerance, must_detect=must_detect, direction=direction
    )

    lines = interval_picture(found, palette=Palette(), width=80, level="98%")

    assert max(map(len, lines)) <= 80
    assert "●" in lines[2]


@given(st.text(max_size=80), st.integers(3, 30), st.integers(0, 30))
def test_wrapping_loses_nothing_and_fits(text, width, first) -> None:
    lines = wrap(text, width, first=first)

    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cells(line) <= max(2, width) for line in lines[1:])
