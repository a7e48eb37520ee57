"""The whole calibration, from a config and a reader to a document that reports are made of. Read this first.

    versions -> timeline -> pairs -> judged -> power -> proposal (first half) -> both on the second half -> replay

What cannot be learnt becomes a sentence in `notes`, and the rest goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from judge.calibrate import result as doc
from judge.calibrate.discovery import GRID, Found, discover, questions
from judge.calibrate.healthy_pairs import Asking, Case, Kind, Plan, plan
from judge.calibrate.history_reader import Reader
from judge.calibrate.past_rollouts import Replayed, look_ends, replay
from judge.calibrate.proposal import applicable, apply, propose
from judge.calibrate.regressions import Trial, try_shapes
from judge.calibrate.scopes import Asked, is_instant, versions_of
from judge.calibrate.settings_grid import thin, variants
from judge.calibrate.timeline import Timeline
from judge.calibrate.trials import Judged, judge_all
from judge.core import formatting as words
from judge.core.config import CanaryConfig
from judge.parallel import Workers

DAY = 86400.0
_FEW_PAIRS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What to look at.

    `start` and `end` are unix seconds on whole minutes. At most `most` healthy pairs are judged and `trials` of them made
    worse; `pods` play the canary, None for as many as in the rollouts found.
    """

    start: float
    end: float
    seed: int = 1
    most: int = 2000
    trials: int = 40
    pods: int | None = None
    pod_label: str = ""
    replay: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What is going to be asked of the source: questions, those not in the cache yet, and steps of these."""

    questions: int
    missing: int
    steps: int


Tell = Callable[[str, int, int], None]


def look_around(asked: Asked, reader: Reader, options: Options) -> Found:
    """Find out who ran when."""
    return discover(reader, versions_of(asked), start=options.start, end=options.end, pod_label=options.pod_label)


def plan_pairs(asked: Asked, found: Found, options: Options) -> Asking:
    """Choose the windows and pods of the healthy pairs."""
    config = asked.config
    timeline = found.timeline
    chosen = options.pods if options.pods is not None else usual_pods(timeline)
    made = plan(timeline, length=config.window.length, settle=config.window.warmup, pods=chosen, seed=options.seed, step=config.window.step)
    return Asking(asked=asked, pod_label=found.pod_label, plan=made)


def usual_pods(timeline: Timeline) -> int | None:
    """How many pods the canary of a rollout usually has; None where there was no rollout."""
    counts = sorted(one.pods[1] for one in timeline.rollouts if one.pods[1] > 0)
    return counts[len(counts) // 2] if counts else None


def estimate(asked: Asked, found: Found, asking: Asking, reader: Reader, options: Options) -> Estimate:
    """Add up what will be asked of the source."""
    ranges = [*questions(versions_of(asked), found.pod_label, start=options.start, end=options.end), *asking.questions()]
    pieces = dict.fromkeys(piece for one in ranges for piece in one.pieces())
    missing = reader.missing(ranges)
    steps = sum(1 if one.instant else round((one.end - one.start) / one.step) + 1 for one in missing)
    more = 0
    if options.replay:
        more = sum(_replay_questions(asked.config, one.start, one.end) for one in found.timeline.rollouts)
    return Estimate(questions=len(pieces) + more, missing=len(missing) + more, steps=steps + more)


def _replay_questions(config: CanaryConfig, start: float, end: float) -> int:
    looks = len(look_ends(config, origin=start + config.window.warmup, last=end))
    templates = [one for metric in config.metrics for one in (metric.query, metric.numerator, metric.denominator) if one]
    templates += [config.traffic.query] if config.traffic is not None else []
    return sum(2 * (looks if is_instant(one) else 1) for one in templates)


def study(asked: Asked, found: Found, asking: Asking, reader: Reader, options: Options, *, workers: Workers, tell: Tell) -> dict[str, Any]:
    """Calibrate; `tell` hears what is going on: a word, done, of.

    Raises
    ------
    SourceUnreachable
        Where the source went away; what was read is in the cache.
    """
    notes = [*found.notes, *_notes_on_history(found, options)]
    config, cases, more = _read(asked, asking, reader, found)
    notes += more
    split = [case for case in cases if case.kind is Kind.SPLIT]
    split = thin(split, options.most)
    middle = (found.timeline.start + found.timeline.end) / 2
    by_kind: dict[str, list[Judged]] = {}
    for kind in Kind:
        chosen = split if kind is Kind.SPLIT else thin([case for case in cases if case.kind is kind], min(options.most, 300))
        by_kind[kind.value] = judge_all(config, chosen, workers=workers, tell=partial(tell, f"judging pairs ({kind.value})"))
    # Where pods cannot be split, pairs in time are all there is to learn from.
    base = Kind.SPLIT if split else Kind.ADJACENT
    basis = split if split else [case for case in cases if case.kind is base]
    judged = by_kind[base.value]
    tell("known regressions", 0, 1)
    trials = try_shapes(config, thin(basis, options.trials), workers=workers, seed=options.seed)
    tell("other settings", 0, 1)
    tried = variants(config, basis, workers=workers, most=min(options.most, 120), seed=options.seed)
    tell("a proposal", 0, 1)
    first = [one for one in judged if one.start < middle]
    settings = propose(config, first, [case for case in basis if case.start < middle][:200], scrape=found.scrape, workers=workers)
    settings = applicable(asked.config, settings)
    proposed = apply(asked.config, settings)
    later = [case for case in basis if case.start >= middle]
    compared = _on_later_half(config, proposed, [metric.name for metric in config.metrics], later, options, workers)
    replays: list[Replayed] = []
    again: list[Replayed] = []
    if options.replay:
        rollouts = found.timeline.rollouts
        for number, one in enumerate(replay(rollouts, asked, reader), start=1):
            replays.append(one)
            tell("replaying rollouts", number, len(rollouts))
        if any(one.key for one in settings):
            again = list(replay(rollouts, replace(asked, config=proposed), reader))
    return {
        "made_by": "judge calibrate",
        "config": asked.config.name,
        "config_digest": asked.config.digest,
        "judge": asked.config.judge,
        "args": dict(asked.args),
        "window": asdict(config.window),
        "looks": {"count": config.looks.count, "interval": config.looks.interval},
        "period": {"start": options.start, "end": options.end, "scrape": found.scrape, "pod_label": found.pod_label},
        "history": doc.history(found.timeline),
        "pairs": doc.pairs(asking.plan, cases, base.value),
        "false_alarms": {kind: doc.tally(done, config) for kind, done in by_kind.items() if done},
        "power": doc.power(config, trials),
        "samples": doc.samples(config, judged, asking.plan),
        "variants": [doc.variant(one) for one in tried],
        "proposal": {
            "settings": [asdict(one) for one in settings],
            "on_later_half": compared,
            "template": doc.template(config if proposed is asked.config else proposed, judged),
        },
        "replayed": [doc.replayed(one) for one in replays],
        "replayed_as_proposed": [doc.replayed(one) for one in again],
        "notes": [*notes, *_notes_on_pairs(by_kind, base.value, asking.plan)],
        "seed": options.seed,
    }


def _read(asked: Asked, asking: Asking, reader: Reader, found: Found) -> tuple[CanaryConfig, list[Case], list[str]]:
    """Read the pairs, without what cannot be asked, and leave out windows in which a metric was not there yet."""
    notes = []
    config = replace(asked.config, conditions=None)
    unsplit = asking.unsplit()
    if unsplit and asking.plan.parts:
        notes.append(
            f"{', '.join(unsplit)}: the query does not use ${{scope}}, so it is the same for whichever pods; left out of all pairs"
        )
    cases, broken = asking.cases(reader, without=unsplit)
    for name, why in broken.items():
        notes.append(f"{name or 'the minimum of requests'}: left out, because {why}")
    gone = {*unsplit, *broken}
    kept = tuple(metric for metric in config.metrics if metric.name not in gone)
    if not kept:
        return config, [], notes
    config = replace(config, metrics=kept, traffic=None if "" in broken else config.traffic)
    late, empty = _late(config, cases, found.timeline)
    if empty:
        notes.append(f"{', '.join(empty)}: no samples in any healthy window; nothing can be said about it")
        config = replace(config, metrics=tuple(metric for metric in config.metrics if metric.name not in empty))
    for name, since in late.items():
        before = sum(case.start < since for case in cases)
        notes.append(
            f"{name}: its series only begin {_days(since - found.timeline.start)} into the history; the {before} pairs before are left out"
        )
    latest = max(late.values(), default=0.0)
    cases = [case for case in cases if case.start - case.shift >= latest]
    names = {metric.name for metric in config.metrics}
    cases = [replace(case, pairs=tuple(pair for pair in case.pairs if pair.metric in names)) for case in cases]
    return config, cases, notes


def _late(config: CanaryConfig, cases: Sequence[Case], timeline: Timeline) -> tuple[dict[str, float], list[str]]:
    """Metrics whose first sample comes late, with the start of the first window that has it; and those that have none."""
    late, empty = {}, []
    for metric in config.metrics:
        if metric.limit is not None:
            continue
        starts = [
            case.start
            for case in cases
            if any(
                len(pair.canary_total if pair.canary_total is not None else pair.canary)
                for pair in case.pairs
                if pair.metric == metric.name
            )
        ]
        everywhere = [case.start for case in cases]
        if not everywhere:
            continue
        if not starts:
            empty.append(metric.name)
        elif min(starts) > min(everywhere) + 0.02 * (timeline.end - timeline.start):
            late[metric.name] = min(starts)
    return late, empty


def _on_later_half(
    config: CanaryConfig, proposed: CanaryConfig, names: Sequence[str], cases: Sequence[Case], options: Options, workers: Workers
) -> dict[str, Any]:
    """Figures of the config as it is and as proposed on what the proposal was not chosen by."""
    known = tuple(metric for metric in proposed.metrics if metric.name in names)
    changed = replace(proposed, metrics=known, conditions=None, traffic=config.traffic)
    found = {}
    for name, one in (("as_it_is", config), ("as_proposed", changed)):
        judged = judge_all(one, cases, workers=workers, traits=False)
        trials: list[Trial] = (
            try_shapes(one, thin(cases, options.trials // 2), workers=workers, seed=options.seed) if name == "as_proposed" else []
        )
        found[name] = {"false_alarms": doc.tally(judged, one), "power": doc.power(one, trials) if trials else {}}
    return found


def _notes_on_history(found: Found, options: Options) -> list[str]:
    timeline = found.timeline
    notes = []
    if timeline.seen is not None:
        asked, there = options.end - options.start, timeline.seen[1] - timeline.seen[0]
        if there < 0.9 * asked:
            notes.append(f"only {_days(there)} of the {_days(asked)} asked for hold data; shares are known less well")
    if len(set(timeline.versions)) == 1:
        notes.append(
            "the label that tells versions apart never changes: no rollout can be found or replayed, and the healthy pairs "
            "may hide one that did not change it"
        )
    elif not timeline.rollouts:
        notes.append("no two versions ever ran together: there is no rollout to replay (a Recreate strategy leaves none)")
    short = [one for one in timeline.rollouts if one.end - one.start < 10 * GRID]
    if short:
        notes.append(f"{len(short)} rollouts lasted less than 10 minutes, too short to be judged by most configs")
    return notes


def _notes_on_pairs(by_kind: dict[str, list[Judged]], base: str, made: Plan) -> list[str]:
    notes = []
    n = len(by_kind[base])
    if base != Kind.SPLIT.value:
        if any(why in made.left_out for why in ("one pod", "no pod label")):
            what = "its series have no label that tells pods apart" if "no pod label" in made.left_out else "it has one pod"
            notes.append(
                f"the pods of a version cannot be split in two, because {what}: only windows of the same pods one after the other are "
                "compared. What hits both sides at once is then not cancelled, so a real canary, beside its baseline, does better than this"
            )
        else:
            notes.append("no window was quiet enough for a healthy pair; give a longer history (--since)")
    if 0 < n < _FEW_PAIRS:
        notes.append(f"{n} healthy pairs: a share of false alarms under {words.percent(3 / n, sign=False)} cannot be told from none")
    return notes


def _days(seconds: float) -> str:
    return f"{seconds / DAY:.1f} days".replace(".0 ", " ")
