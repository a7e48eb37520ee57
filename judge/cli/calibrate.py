"""``judge calibrate`` and ``judge replay``: a config against the service's own history."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judge.cli.option_types import NumberRange

if TYPE_CHECKING:
    from collections.abc import Callable

_CACHE_HELP = "Folder that remembers what the source answered; none remembers nothing.  [default: canary-judge in the user's cache folder]"


def _history(since: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options that say which history, and how it is read."""
    options: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.argument("config"),
        click.option("--arg", "args", multiple=True, metavar="NAME=VALUE", help="An arg that the config declares; may be repeated."),
        click.option("--rollout", default="", help="Name of the Rollout, for scopes by pod name."),
        click.option("--scope", default="", help="One of the config's named scopes."),
        click.option("--since", default=since, show_default=True, help="A duration before --until, RFC 3339 or unix seconds."),
        click.option("--until", default="", help="RFC 3339 or unix seconds.  [default: the last full hour]"),
        click.option("--prometheus", "url", default="", help="Address of Prometheus.  [default: JUDGE_PROMETHEUS_URL or server.yaml]"),
        click.option("--pod-label", default="", help="The label that tells pods apart.  [default: pod, else instance]"),
        click.option("--cache", default="", metavar="FOLDER", help=_CACHE_HELP),
        click.option(
            "--rate", default=20.0, show_default=True, type=NumberRange(0, 1000), help="Questions a second at most; 0 is no limit."
        ),
        click.option("--at-once", default=1, show_default=True, type=click.IntRange(1, 16), help="Questions under way at the same time."),
        click.option("--timeout", default=60.0, show_default=True, type=NumberRange(1, 3600), help="Seconds for one question."),
    ]

    def added(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return added


@click.command(short_help="Try a config on a service's own history.")
@_history("14d")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes at work.")
@click.option("--dask", default="", metavar="ADDRESS", help="Work on the Dask cluster of this scheduler, for example tcp://scheduler:8786.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Which pods play the canary.")
@click.option("--canary-pods", type=click.IntRange(1), help="How many do.  [default: as many as in the rollouts found, else half]")
@click.option("--pairs", default=2000, show_default=True, type=click.IntRange(10), help="Healthy pairs at most.")
@click.option("--trials", default=40, show_default=True, type=click.IntRange(5), help="How many of them are made worse, for each change.")
@click.option("--no-replay", is_flag=True, help="Do not judge the rollouts of the past.")
@click.option("--estimate", "only_estimate", is_flag=True, help="Only say what would be asked of the source.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the report with its pictures here.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Write everything that was found here.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the proposed config here.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def calibrate(form: str, **asked: Any) -> None:
    """Find out how often CONFIG would stop a healthy rollout of a service, and how small a regression it catches.

    CONFIG is a file, or the name of a config in the config folder. The service's own past is read from Prometheus:
    nothing else is needed, nothing is written there. Interrupted, the same command goes on where it was.
    Exit status: 0 done; 2 wrong usage or config; 4 the source is in trouble; 130 interrupted.
    """
    from judge.cli.calibrate_run import calibrate_config

    sys.exit(calibrate_config(asked, form=form))


@click.command(short_help="Judge the rollouts that a service has had.")
@_history("90d")
@click.option("--archive", "archive_url", default="none", show_default=True, help="Keep the verdicts there, marked as replayed.")
@click.option("--looks", "every_look", is_flag=True, help="Keep every look, not only the last one of each rollout.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
def replay(form: str, archive_url: str, *, every_look: bool, **asked: Any) -> None:
    """Find the rollouts that a service has had, and judge each as it would have been judged.

    CONFIG is a file, or the name of a config in the config folder. Exit status: 0 done, whatever the verdicts;
    2 wrong usage or config; 4 the source, the archive or judge itself is in trouble; 130 interrupted.
    """
    from judge.cli.calibrate_run import replay_rollouts

    sys.exit(replay_rollouts(asked, archive_url=archive_url, every_look=every_look, form=form))


COMMANDS = (calibrate, replay)
