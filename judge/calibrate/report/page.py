"""A calibration as one HTML file that asks for nothing else: tables, pictures, the proposed change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from judge.calibrate.report import charts as pictures
from judge.calibrate.report.terminal_report import KINDS, change, percent, title
from judge.reports import text as words
from judge.reports.html import fill, safe


def calibration_page(found: Mapping[str, Any], *, diff: str = "") -> str:
    """Write the document of a calibration as a page; `diff` is the proposed change of the config's file."""
    alarms = found["false_alarms"]
    basis = alarms.get(found["pairs"]["basis"])
    looks = [len(one["looks"]) for one in found["replayed"]]
    return fill(
        "calibration.html",
        title=title(found),
        found=found,
        window=found["window"],
        length=words.duration(found["pairs"]["length"]),
        left_out=sorted(found["pairs"]["left_out"].items(), key=lambda item: -item[1]),
        healthy=found["pairs"]["windows"] - sum(found["pairs"]["left_out"].values()),
        alarms=_alarms(alarms),
        metrics=[] if basis is None else _metrics(basis),
        power=[
            {
                "name": words.one_line(name),
                "alone": one["stops_alone"],
                "picture": safe(pictures.power_curves(name, one)),
                "rows": _smallest(one),
            }
            for name, one in found["power"].items()
        ],
        samples=[_samples(name, one) for name, one in found["samples"].items()],
        variants=[
            {"name": one["name"], "chosen": one["chosen"], "stopped": percent(one["stopped"]), "undecided": _part(one["undecided"]),
             "caught": _part(one["caught"])}
            for one in found["variants"]
        ],
        rollouts=[_rollout(one, max(looks, default=1)) for one in found["replayed"]],
        later={
            name: {"n": one["false_alarms"]["n"], "stopped": percent(one["false_alarms"]["stopped"]),
                   "undecided": _part(one["false_alarms"]["inconclusive"])}
            for name, one in found["proposal"]["on_later_half"].items()
        },
        settings=[{**one, "after": _plain(one["after"])} for one in found["proposal"]["settings"]],
        template=found["proposal"]["template"],
        diff=diff,
        notes=[words.plain(note) for note in found["notes"]],
    )  # fmt: skip


def _part(share: Mapping[str, Any]) -> str:
    return words.percent(share["share"], signed=False)


def _alarms(alarms: Mapping[str, Any]) -> list[dict[str, Any]]:
    most = pictures.scale([one["stopped"] for one in alarms.values()])
    return [
        {
            "name": KINDS[kind],
            "n": one["n"],
            "stopped": percent(one["stopped"]),
            "bar": safe(pictures.share_bar(one["stopped"], most=most)),
            "marginal": percent(one["marginal"]),
            "undecided": percent(one["inconclusive"]),
            "most": f"{most:.0%}",
        }
        for kind, one in alarms.items()
    ]


def _metrics(basis: Mapping[str, Any]) -> list[dict[str, Any]]:
    most = pictures.scale([one["regressed"] for one in basis["metrics"].values()])
    return [
        {
            "name": words.one_line(name),
            "limit": one["limit"],
            "critical": one["critical"],
            "regressed": percent(one["regressed"]),
            "bar": safe(pictures.share_bar(one["regressed"], most=most)),
            "undecided": percent(one["undecided"]),
            "tests": ", ".join(f"{test or 'it'} {count}" for test, count in one["by_test"].items()),
            "most": f"{most:.0%}",
        }
        for name, one in basis["metrics"].items()
    ]


def _smallest(power: Mapping[str, Any]) -> list[dict[str, str]]:
    rows = []
    for shape, tried in power["shapes"].items():
        row = {"shape": shape}
        for wanted in ("80%", "95%"):
            small = tried["smallest"][wanted]
            row[wanted] = change(small["size"], counted=power["counted"]) if small else "not caught"
            row[f"look {wanted}"] = str(small["look"]) if small and small["look"] is not None else words.MISSING
        rows.append(row)
    return rows


def _samples(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    lag = one["autocorrelation"]
    return {
        "name": words.one_line(name),
        "samples": words.number(one["samples"]),
        "effective": words.number(one["effective"]),
        "bar": safe(pictures.effective(one["samples"], one["effective"])),
        "lag": words.MISSING if lag is None else f"{lag:.2f}",
        "usual": words.percent(one["change_97"], signed=False),
        "offsets": words.percent(one["pod_offsets"], signed=False),
        "hours": safe(pictures.hours(one["by_hour"])),
    }


def _rollout(one: Mapping[str, Any], most: int) -> dict[str, Any]:
    return {
        "began": words.clock(one["start"], "%Y-%m-%d %H:%M"),
        "lasted": words.duration(one["end"] - one["start"]),
        "canary": words.one_line(one["canary"]),
        "pods": f"{one['canary_pods']} beside {one['baseline_pods']}",
        "share": words.percent(one["share"], signed=False),
        "ending": one["ending"],
        "outcome": one["outcome"] if one["outcome"] is not None else "not judged",
        "reason": words.one_line(one["reason"]),
        "strip": safe(pictures.strip(one, most=most)),
    }


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_plain(one)}" for key, one in value.items()) + "}"
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
