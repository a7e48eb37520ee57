"""``judge token``: make a bearer token, and the entry of the tokens file that knows it."""

from __future__ import annotations

from typing import Any

import click

from judge.access.rights import RIGHTS


@click.command("token")
@click.argument("name")
@click.option("--may", multiple=True, type=click.Choice(RIGHTS), help="A right; may be repeated.  [default: ask, read]")
@click.option("--config", "configs", multiple=True, metavar="PATTERN", help="A config, or a pattern; may be repeated.  [default: all]")
@click.option("--namespace", "namespaces", multiple=True, help="A namespace; may be repeated.  [default: any]")
@click.option("--scope", "scopes", multiple=True, help="One of a config's scopes; may be repeated.  [default: any]")
@click.option("--questions-at-once", type=click.IntRange(1, 64), help="Judged or waiting, in each process.  [default: a fair share]")
def token_command(
    name: str,
    may: tuple[str, ...],
    configs: tuple[str, ...],
    namespaces: tuple[str, ...],
    scopes: tuple[str, ...],
    questions_at_once: int | None,
) -> None:
    """Make a token for NAME.

    The token itself goes to standard error and is kept nowhere; the entry for the tokens file, which holds
    only its hash, goes to standard output.
    """
    import json
    import secrets

    from judge.access.gate import digest_of
    from judge.access.tokens_file import check_token

    token = f"judge_{secrets.token_urlsafe(32)}"
    entry: dict[str, Any] = {"name": name, "sha256": digest_of(token), "may": list(may) if may else ["ask", "read"]}
    entry |= {key: list(given) for key, given in (("configs", configs), ("namespaces", namespaces), ("scopes", scopes)) if given}
    if questions_at_once is not None:
        entry["questions_at_once"] = questions_at_once
    # An entry that is refused would keep the whole file from being read again.
    check_token(entry)
    click.echo(f"the token, shown only now: {token}", err=True)
    # A JSON object is YAML too, and needs no escaping of ours.
    click.echo(f"- {json.dumps(entry, ensure_ascii=False)}")
