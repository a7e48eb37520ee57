"""Pages taken apart, for the tests of all of them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """The elements of a page with their attributes, and whether every one was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        """The attributes of every element with this tag and these attributes."""
        found = [attributes for name, attributes in self.elements if name == tag]
        return [attributes for attributes in found if all(attributes.get(key.rstrip("_")) == value for key, value in wanted.items())]


def text_of(html: str) -> str:
    """What a reader sees, without tags."""
    without = re.sub(r"<(style|title|script|noscript)\b.*?</\1>|<[^>]*>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", without)


def links(html: str) -> list[str]:
    """Where the page leads."""
    return [str(a["href"]) for a in Page(html).all("a")]


def svgs(html: str, kind: str) -> list[ET.Element]:
    """Every picture of a kind."""
    inner = r"(?:(?!<svg|</svg>).)*"
    found = re.findall(rf'<svg class="{kind}"{inner}(?:<svg{inner}</svg>{inner})*</svg>', html, re.DOTALL)
    return [ET.fromstring(one) for one in found]


def checked(html: str) -> Page:
    """A page that is whole and well formed, styles and runs nothing but what its policy names, and asks nobody for anything."""
    page = Page(html)
    assert page.open == []
    assert not {"iframe", "img", "object", "embed", "base"} & {tag for tag, _ in page.elements}
    assert [link["href"] for link in page.all("link")] == ["data:,"]
    for tag, attributes in page.elements:
        assert not {"src", "srcset", "xlink:href", "style", "srcdoc", "formaction"} & set(attributes), tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert not str(attributes.get("href")).lower().startswith(("javascript:", "vbscript:")), tag
    assert all(script == {} for script in page.all("script"))
    assert not re.search(r"@import|url\(|@font-face", html)
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")
    return page
