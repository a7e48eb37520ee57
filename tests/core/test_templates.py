"""No value can say more than a value: rendering of ``${…}``, durations, rate windows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judge.core.templates import Matcher, duration, escape_regex, matcher_labels, rate_window, render, resolve_defaults, seconds
from judge.errors import ConfigError

VALUES = {"hash": "6f9c", "step": "60s", "service": "shop", "scope": Matcher('h="6f9c"')}


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param('up{s="${service}",${scope}}', 'up{s="shop",h="6f9c"}', id="a string and matchers"),
        pytest.param("rate(x{${scope}}[${step}])", 'rate(x{h="6f9c"}[60s])', id="a duration"),
        pytest.param("up{s='${service}'}", "up{s='shop'}", id="single quotes"),
        pytest.param('x{a="\\"${service}"}', 'x{a="\\"shop"}', id="an escaped quote does not end a string"),
        pytest.param('x # "comment\n{s="${service}"}', 'x # "comment\n{s="shop"}', id="a quote in a comment opens nothing"),
        pytest.param("up", "up", id="nothing to fill"),
    ],
)
def test_render(template, expected):
    assert render(template, VALUES) == expected


@pytest.mark.parametrize(
    ("template", "values", "message"),
    [
        pytest.param('up{s="${servce}"}', VALUES, "did you mean 'service'", id="unknown name"),
        pytest.param('up{s="${service}"}', {"service": ""}, "is empty", id="an empty value"),
        pytest.param("rate(x[${step}])", {"step": "2m]) or vector(1) or rate(x[1m"}, "only a number or a duration", id="no duration"),
        pytest.param("x + ${service}", {"service": "vector(1)"}, "only a number or a duration", id="PromQL outside quotes"),
        pytest.param('x{a="${scope}"}', VALUES, "cannot stand inside a string", id="matchers in a string"),
        pytest.param("x{a=`${service}`}", VALUES, "backticks", id="raw strings cannot be escaped"),
    ],
)
def test_render_refuses(template, values, message):
    with pytest.raises(ConfigError, match=message):
        render(template, values)


@given(st.text(min_size=1, max_size=40))
def test_a_value_stays_inside_its_string(value):
    rendered = render('x{a="${v}"}', {"v": value})

    inside = rendered.removeprefix('x{a="').removesuffix('"}')
    # Without the escapes no quote, line break or control character is left that could end the string.
    assert rendered.startswith('x{a="')
    assert not any(char in inside for char in '"\n\r\x00')
    assert _unescape(inside) == value


@given(st.text(min_size=1, max_size=40))
def test_a_value_in_a_regex_matches_only_itself(value):
    assert _unescape(render('x{a=~"${v}"}', {"v": value}).removeprefix('x{a=~"').removesuffix('"}')) == escape_regex(value)


def _unescape(text):
    """Read a PromQL string as Go does, as far as we write it."""
    found, position = [], 0
    while position < len(text):
        if text[position] != "\\":
            found.append(text[position])
            position += 1
        elif text[position + 1] == "\\":
            found.append("\\")
            position += 2
        else:
            assert text[position + 1] == "u"
            found.append(chr(int(text[position + 2 : position + 6], 16)))
            position += 6
    return "".join(found)


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172800)])
def test_durations(text, value):
    assert seconds(text) == value
    assert seconds(duration(value)) == value


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "1.5h", "5m]"])
def test_what_is_no_duration(text):
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@pytest.mark.parametrize(
    ("query", "window"),
    [
        ("sum(rate(x[1m]))", 60),
        ("rate(x[1m]) / rate(y[5m])", 300),
        ("max_over_time(rate(x[1m])[10m:30s])", 600),
        ('x{path="[9h]"}', None),
        ("x", None),
        ("increase(x[ 90s ])", 90),
    ],
)
def test_rate_window_is_the_longest_range(query, window):
    assert rate_window(query) == window


def test_a_circle_of_defaults_is_named():
    with pytest.raises(ConfigError, match="a -> b -> a"):
        resolve_defaults({}, {"a": "${b}", "b": "${a}"})


def test_labels_of_matchers_do_not_come_from_their_values():
    assert matcher_labels(['pod=~"namespace-.+",container!=""']) == {"pod", "container"}
