"""A calibration, for people: text of 80 columns, and one HTML file with pictures.

Both are pure functions of the document that `judge.calibrate.study` makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from judge.reports import text as words
from judge.reports.terminal_text import Palette, clip, pad, wrap

WIDTH = 80
KINDS = {
    "split": "pods split in two",
    "adjacent": "same pods, next window",
    "day": "same pods, a day later",
    "week": "same pods, a week later",
}


def calibration_text(found: Mapping[str, Any], *, palette: Palette | None = None, diff: str = "") -> str:
    """Write the whole answer; `diff` is the proposed change of the config's file."""
    palette = Palette() if palette is None else palette
    lines: list[str] = []
    for part in (
        _head(found), _history(found, palette), _pairs(found), _alarms(found), _by_metric(found), _caught(found), _variants(found),
        _proposal(found, diff), _notes(found),
    ):  # fmt: skip
        block = list(part)
        if block:
            lines += [*([""] if lines else []), *block]
    return palette.finish("\n".join(lines))


def replay_text(found: Mapping[str, Any], *, palette: Palette | None = None) -> str:
    """Write the table of replayed rollouts."""
    palette = Palette() if palette is None else palette
    rows = list(_rollouts(found["replayed"], palette))
    lines = [*wrap(title(found), WIDTH), "", *rows] if rows else [*wrap(title(found), WIDTH), "", "no rollout was found"]
    notes = list(_notes(found))
    return palette.finish("\n".join([*lines, *(["", *notes] if notes else [])]))


def title(found: Mapping[str, Any]) -> str:
    """Config, args and period."""
    args = ", ".join(f"{key}={value}" for key, value in found["args"].items())
    period = found["period"]
    span = f"{words.clock(period['start'], '%Y-%m-%d %H:%M')} to {words.clock(period['end'], '%Y-%m-%d %H:%M')} UTC"
    return f"{words.one_line(found['config'])}{f' of {words.one_line(args)}' if args else ''}, {span}"


def _head(found: Mapping[str, Any]) -> Iterator[str]:
    yield from wrap(title(found), WIDTH)
    window, looks = found["window"], found["looks"]
    often = f", {looks['count']} looks" if looks["count"] > 1 else ""
    scrape = found["period"]["scrape"]
    scraped = f"; scraped every {scrape:g} s" if scrape else ""
    yield from wrap(
        f"judge {found['judge']}, {words.duration(window['length'])} in steps of {words.duration(window['step'])}{often}{scraped}", WIDTH
    )


def _history(found: Mapping[str, Any], palette: Palette) -> Iterator[str]:
    rollouts = found["history"]["rollouts"]
    if not rollouts:
        return
    ends: dict[str, int] = {}
    for one in rollouts:
        ends[one["ending"]] = ends.get(one["ending"], 0) + 1
    yield f"Rollouts found: {len(rollouts)} ({', '.join(f'{count} {name}' for name, count in ends.items())})"
    yield from _rollouts(found["replayed"], palette)


def _rollouts(replayed: Sequence[Mapping[str, Any]], palette: Palette) -> Iterator[str]:
    """One line a rollout, and what the judge made of it."""
    if not replayed:
        return
    yield f"  {'began (UTC)':<17}{'lasted':>6}  {'canary':<12}{'pods':>6}{'part':>6}  {'was':<12}judge"
    for one in replayed:
        outcome = one["outcome"] if one["outcome"] is not None else "not judged"
        at = one["stopped_at"]
        said = f"{outcome}, look {at['look']}" if at else outcome
        part = words.percent(one["share"], signed=False) if one["share"] is not None else words.MISSING
        pods = f"{one['canary_pods']}/{one['baseline_pods']}"
        line = (
            f"  {words.clock(one['start'], '%Y-%m-%d %H:%M')} {words.duration(one['end'] - one['start']):>6}  "
            f"{pad(clip(words.one_line(one['canary']), 11), 12)}{pods:>6}{part:>6}  {one['ending']:<12}"
        )
        yield f"{line}{palette.symbol(outcome)} {said}"
        if one["outcome"] != "pass":
            for text in wrap(words.one_line(one["reason"]), WIDTH - 6)[:3]:
                yield f"      {text}"
    stopped = sum(one["outcome"] == "fail" for one in replayed)
    back = sum(one["ending"] == "rolled back" for one in replayed)
    both = sum(one["outcome"] == "fail" and one["ending"] == "rolled back" for one in replayed)
    yield f"  the judge would have stopped {stopped} of {len(replayed)}; of {back} that were rolled back, {both}"


def _pairs(found: Mapping[str, Any]) -> Iterator[str]:
    pairs = found["pairs"]
    left = ", ".join(f"{why} {count}" for why, count in sorted(pairs["left_out"].items(), key=lambda item: -item[1]))
    used = sum(pairs["left_out"].values())
    text = f"Healthy windows: {pairs['windows'] - used} of {pairs['windows']} of {words.duration(pairs['length'])}"
    yield from wrap(f"{text}; left out: {left}" if left else text, WIDTH)
    if pairs["canary_pods"] is not None:
        yield from wrap(
            f"  {pairs['canary_pods']} of {pairs['canary_pods'] + pairs['baseline_pods']} pods play the canary, chosen {pairs['splits']} "
            f"times by chance (seed {found['seed']})",
            WIDTH,
        )


def percent(share: Mapping[str, Any]) -> str:
    """A share with its interval: ``0.2% (0.0 to 0.9)``."""
    if share["share"] is None:
        return words.MISSING
    return f"{share['share'] * 100:.1f}% ({share['low'] * 100:.1f} to {share['high'] * 100:.1f})"


def _alarms(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["false_alarms"]:
        return
    yield f"{'Healthy rollouts (95% intervals)':<34}{'pairs':>6}{'stopped':>22}{'undecided':>18}"
    for kind, one in found["false_alarms"].items():
        open_share = words.percent(one["inconclusive"]["share"], signed=False) if one["n"] else words.MISSING
        yield f"  {KINDS[kind]:<32}{one['n']:>6}{percent(one['stopped']):>22}{open_share:>18}"
        if one["marginal"]["count"]:
            yield f"    marginal: {percent(one['marginal'])}"


def _by_metric(found: Mapping[str, Any]) -> Iterator[str]:
    basis = found["false_alarms"].get(found["pairs"]["basis"])
    if not basis or not basis["n"]:
        return
    yield f"{'By metric, ' + KINDS[found['pairs']['basis']]:<34}{'regressed':>16}{'undecided':>10}  by test"
    for name, one in basis["metrics"].items():
        tests = ", ".join(f"{test or 'it'} {count}" for test, count in one["by_test"].items())
        open_share = words.percent(one["undecided"]["share"], signed=False) if one["undecided"]["share"] is not None else words.MISSING
        yield f"  {pad(clip(words.one_line(name), 27), 28)}{percent(one['regressed']):>20}{open_share:>10}  {tests}".rstrip()


def change(size: float | None, *, counted: bool) -> str:
    """A size of change: ``+18%``, of counts ``+0.5 pp``."""
    if size is None:
        return words.MISSING
    return f"+{words.significant(size * 100, 2)} pp" if counted else f"+{words.significant(size * 100, 2)}%"


def _caught(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["power"]:
        return
    yield f"{'Smallest change caught':<34}{'in 80%':>12}{'by look':>8}{'in 95%':>14}{'by look':>8}"
    for name, one in found["power"].items():
        alone = "" if one["stops_alone"] else ", does not stop a rollout alone"
        yield clip(f"  {words.one_line(name)}{alone}", WIDTH)
        for shape, tried in one["shapes"].items():
            cells = []
            for wanted in ("80%", "95%"):
                small = tried["smallest"][wanted]
                cells.append(change(small["size"], counted=one["counted"]) if small else "not caught")
                cells.append(str(small["look"]) if small and small["look"] is not None else words.MISSING)
            yield f"    {shape:<30}{cells[0]:>12}{cells[1]:>8}{cells[2]:>14}{cells[3]:>8}"


def _variants(found: Mapping[str, Any]) -> Iterator[str]:
    if not found["variants"]:
        return
    yield f"{'Other settings':<34}{'stopped':>20}{'undecided':>11}{'caught':>15}"
    for one in found["variants"]:
        open_share = words.percent(one["undecided"]["share"], signed=False)
        caught = words.percent(one["caught"]["share"], signed=False)
        yield f"  {pad(clip(one['name'], 31), 32)}{percent(one['stopped']):>20}{open_share:>11}{caught:>15}"


def _proposal(found: Mapping[str, Any], diff: str) -> Iterator[str]:
    proposal = found["proposal"]
    keys = [one for one in proposal["settings"] if one["key"]]
    advice = [one for one in proposal["settings"] if not one["key"]]
    if keys:
        yield "Proposed, by the first half of the history"
        for one in keys:
            yield from (f"  {line}" for line in wrap(f"{one['key']}: {one['before']} -> {_value(one['after'])}", WIDTH - 2))
            yield from (f"    {line}" for line in wrap(one["why"], WIDTH - 4))
    elif not advice:
        yield "Nothing to change was found in the first half of the history"
    for one in advice:
        yield from (f"  {line}" for line in wrap(f"by hand, {one['metric']}: {one['why']}", WIDTH - 2))
    later = proposal["on_later_half"]
    if later["as_it_is"]["false_alarms"]["n"]:
        yield f"  {'on the second half':<32}{'pairs':>6}{'stopped':>22}{'undecided':>18}"
        for name in ("as_it_is", "as_proposed") if keys else ("as_it_is",):
            one = later[name]["false_alarms"]
            open_share = words.percent(one["inconclusive"]["share"], signed=False)
            yield f"    {name.replace('_', ' '):<30}{one['n']:>6}{percent(one['stopped']):>22}{open_share:>18}"
    if found["replayed_as_proposed"]:
        stopped = sum(one["outcome"] == "fail" for one in found["replayed_as_proposed"])
        back = sum(one["outcome"] == "fail" and one["ending"] == "rolled back" for one in found["replayed_as_proposed"])
        yield f"  replayed as proposed: {stopped} rollouts stopped, {back} of them were rolled back"
    template = proposal["template"]
    numbers = [f"initialDelay: {int(template['initial_delay'])}s"]
    if template["interval"] is not None:
        numbers.append(f"interval: {int(template['interval'])}s")
    numbers.append(f"count: {template['count']}")
    yield f"  AnalysisTemplate: {', '.join(numbers)}"
    if diff:
        yield ""
        yield from diff.splitlines()


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_value(one)}" for key, one in value.items()) + "}"
    return str(value)


def _notes(found: Mapping[str, Any]) -> Iterator[str]:
    for note in found["notes"]:
        first, *rest = wrap(words.plain(note), WIDTH - 2)
        yield f"* {first}"
        yield from (f"  {line}" for line in rest)
