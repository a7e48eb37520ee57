"""The command line. Every command loads what it needs when it runs, so that ``--help`` is instant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from judge import __version__
from judge.cli.calibrate import COMMANDS as CALIBRATION
from judge.cli.history import COMMANDS
from judge.cli.option_types import NumberRange
from judge.cli.token import token_command
from judge.errors import JudgeError
from judge.reports.formats import FORMATS

if TYPE_CHECKING:
    from collections.abc import Callable

EXIT_STATUS = """\b
Exit status: 0 pass; 1 fail; 2 wrong usage, config or dump; 3 marginal or
inconclusive; 4 the source, the archive or judge itself is in trouble."""


class _Group(click.Group):
    """Shows our own errors as a person should see them, with their exit status."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except JudgeError as error:
            click.echo(f"judge: {error}", err=True)
            ctx.exit(error.exit_code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="judge")
def cli() -> None:
    """Tell whether a canary is worse than its baseline."""


def _sides(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add the options that say whose samples."""
    options = [
        click.option("--baseline", required=required, help="What ${hash} is on the baseline: the stable pod-template hash."),
        click.option("--canary", required=required, help="What ${hash} is on the canary."),
        click.option("--arg", "args", multiple=True, metavar="NAME=VALUE", help="An arg that the config declares; may be repeated."),
        click.option("--rollout", default="", help="Name of the Rollout, for scopes by pod name."),
        click.option("--scope", default="", help="One of the config's named scopes."),
    ]

    def added(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return added


def _question(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that ask one live question."""
    options: list[Callable[[Callable[..., Any]], Callable[..., Any]]] = [
        click.argument("config"),
        _sides(required=True),
        click.option("--start", default="", help="RFC 3339 or unix seconds.  [default: the canary's first sample plus warm-up]"),
        click.option("--end", default="", help="RFC 3339 or unix seconds.  [default: now]"),
        click.option("--window", default="", help="Judge at most this much, for example 30m."),
        click.option("--look", default="", help="Number of this look."),
        click.option("--prometheus", "url", default="", help="Address of Prometheus.  [default: JUDGE_PROMETHEUS_URL or server.yaml]"),
        click.option(
            "--deadline", default=60.0, show_default=True, type=NumberRange(1, 3600), help="Seconds until there must be an answer."
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@cli.command(epilog=EXIT_STATUS)
@_question
@click.option("--archive", default="", help="Where the verdict is kept; none keeps nothing.  [default: JUDGE_ARCHIVE_URL or server.yaml]")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def run(archive: str, form: str, **asked: Any) -> None:
    """Judge one live canary.

    CONFIG is a file, or the name of a config in the config folder.
    """
    from judge.cli.run import judge_live

    sys.exit(judge_live(asked, archive_url=archive, form=form))


@cli.command(epilog=EXIT_STATUS)
@_question
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write (.json, .jsonl; .gz welcome)."
)
@click.option("--append", is_flag=True, help="Add to a JSON Lines file instead of replacing it.")
def fetch(output: Path, *, append: bool, **asked: Any) -> None:
    """Save the series of one canary as a dump.

    CONFIG is a file, or the name of a config in the config folder.
    """
    from judge.cli.run import save_live

    sys.exit(save_live(asked, output=output, append=append))


@cli.command(epilog=EXIT_STATUS + " With several canaries: the worst of them, in the order 2, 4, 1, 3, 0.")
@click.argument("dumps", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path), metavar="DUMP...")
@click.option("--config", "config_path", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Judge by this config.")
@click.option(
    "--judge", "judge_name", default="", help="Use this judge, whatever the config says; two, as in kayenta,sequential, are compared."
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes at work.")
@click.option("--dask", default="", metavar="ADDRESS", help="Work on the Dask cluster of this scheduler, for example tcp://scheduler:8786.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
def score(dumps: tuple[Path, ...], config_path: Path | None, form: str, **by: Any) -> None:
    """Judge saved canaries.

    DUMP is JSON or JSON Lines (one canary an object), Kayenta's metric set pairs, or a
    table (CSV, Parquet) with the columns metric, side, timestamp, value. JSON and CSV may be gzipped.
    """
    from judge.cli.score import score_dumps

    sys.exit(score_dumps(dumps, config_path=config_path, form=form, **by))


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 64), help="Processes; each answers 4 questions at a time.")
@click.option(
    "--config-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder of configs.  [default: JUDGE_CONFIG_DIR or configs]"
)
def serve(host: str, port: int, workers: int, config_dir: Path | None) -> None:
    """Answer Argo Rollouts over HTTP."""
    from judge.server.gunicorn import serve as run_server
    from judge.settings import load_settings

    run_server(load_settings(config_dir=config_dir), host=host, port=port, workers=workers)


@cli.command()
@click.option("--serve", "keep", is_flag=True, help="Keep the service running afterwards.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port of the service.  [default: a free one]")
def demo(*, keep: bool, port: int) -> None:
    """See two recorded canaries judged, one healthy and one bad."""
    from judge.cli.demo import run_demo

    sys.exit(run_demo(keep=keep, port=port))


@cli.command(short_help="Find faults of configs, AnalysisTemplates and Rollouts.")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, allow_dash=True, path_type=Path), metavar="[FILE|FOLDER|-]...")
@click.option("--against", "url", default="", metavar="URL", help="Ask this Prometheus, too, what each query of the configs returns now.")
@_sides(required=False)
@click.option("--start", default="", help="RFC 3339 or unix seconds.  [default: the config's window before --end]")
@click.option("--end", default="", help="RFC 3339 or unix seconds.  [default: now]")
@click.option("--format", "form", type=click.Choice(["text", "json", "sarif"]), default="text", show_default=True)
def check(paths: tuple[Path, ...], form: str, **asked: Any) -> None:
    """Find every fault of canary configs, AnalysisTemplates, Rollouts and Experiments.

    Without arguments: of the config folder. Each rule has a page in docs/checks. With
    --against the queries are asked for --baseline and --canary; nothing is judged or kept.
    Exit status: 0 no fault (hints do not count), 2 faults.
    """
    from judge.cli.check import check_paths, question

    sys.exit(check_paths(paths, form=form, against=question(**asked)))


@cli.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="File to write.  [default: standard output]")
def convert(path: Path, output: Path | None) -> None:
    """Write a Kayenta canary config as a config of judge's own form."""
    from judge.cli.check import convert_file

    text = convert_file(path)
    if output is None:
        click.echo(text, nl=False)
    else:
        from judge.cli.files import write_text

        write_text(output, text)


@cli.command()
@click.argument("document", type=click.Choice(["config", "server"]), default="config")
def schema(document: str) -> None:
    """Print the JSON Schema of a canary config, or of server.yaml, for editors."""
    from judge.cli.check import schema_text

    click.echo(schema_text(document))


for command in (*COMMANDS, *CALIBRATION, token_command):
    cli.add_command(command)


def main() -> None:
    """Entry point of the ``judge`` command; what nobody foresaw must not look like the status of a canary that failed."""
    try:
        cli(prog_name="judge")
    except Exception as error:  # noqa: BLE001 - whatever it is
        import traceback

        traceback.print_exc()
        click.echo(f"judge: internal error ({type(error).__name__}): a fault of judge itself, not of the canary", err=True)
        sys.exit(JudgeError.exit_code)
