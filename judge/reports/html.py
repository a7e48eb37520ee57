"""How a page is made: templates that escape everything, and a policy that allows nothing but the page's own style and scripts.

A page is one file. Its style sheet and scripts stand in it and are allowed by their
hashes, so that nothing else on it can style or run, and nothing comes from outside.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from judge.reports import text as words

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_TEMPLATES = Path(__file__).parent / "templates"
_OF_A_FILE = ("report.js",)
_SERVED = ("report.js", "service.js")
"""What a page of the service may do besides: send a label, ask for its own newer self."""


def render(template: str, *, served: bool, **values: object) -> str:
    """Write a page; `served` is one that the service gives, else it is a file that is sent around."""
    return fill(
        template,
        served=served,
        policy=policy(served=served),
        style=safe(_asset("style.css")),
        scripts=[safe(_asset(name)) for name in _scripts(served=served)],
        **values,
    )


def fill(name: str, /, **values: object) -> str:
    """Write a template with these values, every text of which is escaped; for a page that has its own style and policy."""
    return _environment().get_template(name).render(version=_version(), **values)


@cache
def policy(*, served: bool) -> str:
    """What a page may load and run, as Content-Security-Policy spells it: its own style and scripts, by their hashes."""
    scripts = " ".join(_hash(_asset(name)) for name in _scripts(served=served))
    own = "'self'" if served else "'none'"
    parts = (
        "default-src 'none'",
        f"script-src {scripts}",
        f"style-src {_hash(_asset('style.css'))}",
        "img-src data:",
        f"connect-src {own}",
        f"form-action {own}",
        "base-uri 'none'",
    )
    return "; ".join(parts)


def safe(drawn: str) -> Markup:
    """Text that is written as it stands: ours, or a picture in which every text is escaped where it is drawn."""
    from markupsafe import Markup

    return Markup(drawn)  # nosec B704 # noqa: S704 - see above


def data_link(content: bytes, kind: str) -> str:
    """A file as a link that needs nobody to answer it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _scripts(*, served: bool) -> tuple[str, ...]:
    return _SERVED if served else _OF_A_FILE


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


@cache
def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    # Jinja2 is only loaded by those who write a page.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"moment": words.moment, "iso": words.iso, "url_part": words.url_part}
    environment.globals |= {"symbol": words.symbol}
    return environment


def _version() -> str:
    from judge import __version__

    return __version__
