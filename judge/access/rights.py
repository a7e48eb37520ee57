"""What callers may do: the rights, and a caller with those it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from judge.errors import NotAllowed

if TYPE_CHECKING:
    from judge.access.tokens_file import RightsDocument

Right: TypeAlias = Literal["ask", "read", "label", "kayenta"]
RIGHTS: tuple[Right, ...] = get_args(Right)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sends a request, and what they may do.

    `configs` are patterns (``checkout-*``); `namespaces` and `scopes` are the
    values of the arg ``namespace`` and the names of scopes that may be asked about; None is any.
    `questions_at_once` bounds the questions of this caller that are judged or wait in one process; None is a fair share.
    """

    name: str
    may: frozenset[Right] = frozenset(RIGHTS)
    configs: tuple[str, ...] = ("*",)
    namespaces: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    questions_at_once: int | None = None

    @property
    def anonymous(self) -> bool:
        """Whether there is no tokens file, so that callers cannot be told apart."""
        return self is ANYONE

    @property
    def everywhere(self) -> bool:
        """Nothing is hidden from this caller."""
        return "*" in self.configs and self.namespaces is None and self.scopes is None

    def knows(self, config: str) -> bool:
        """Whether a config of this name is there for this caller."""
        return any(fnmatchcase(config, pattern) for pattern in self.configs)

    def sees(self, request: Mapping[str, Any]) -> bool:
        """Whether a verdict on this question is there for this caller.

        Parameters
        ----------
        request : mapping
            As a record keeps it: `config`, `scope`, `args`.
        """
        namespace = (request.get("args") or {}).get("namespace")
        return (
            self.knows(str(request.get("config", "")))
            and (self.namespaces is None or namespace in self.namespaces)
            and (self.scopes is None or request.get("scope") in self.scopes)
        )

    def require(self, right: Right) -> None:
        """Refuse what this caller may not do.

        Raises
        ------
        NotAllowed
            With the right that is missing.
        """
        if right not in self.may:
            raise NotAllowed(f"{self.name} may not {_DEEDS[right]}: its token lacks the right {right!r}")

    def require_question(self, request: Mapping[str, Any]) -> None:
        """Refuse a question about what this caller may not see; says which part of it.

        Raises
        ------
        NotAllowed
            Where the config, the namespace or the scope is not this caller's.
        """
        self.require("ask")
        if not self.knows(str(request.get("config", ""))):
            raise NotAllowed(f"{self.name} may not ask for the config {request.get('config')!r}")
        if not self.sees(request):
            namespace = (request.get("args") or {}).get("namespace")
            if self.namespaces is not None and namespace not in self.namespaces:
                told = "the config has no arg namespace" if namespace is None else f"not about {namespace!r}"
                raise NotAllowed(f"{self.name} may only ask about the namespaces {', '.join(sorted(self.namespaces))}: {told}")
            raise NotAllowed(f"{self.name} may not use the scope {request.get('scope')!r}")


_DEEDS = {"ask": "ask for a verdict", "read": "read verdicts", "label": "label verdicts", "kayenta": "use Kayenta's API"}

ANYONE = Caller(name="anyone")
"""The caller of a service that has no tokens file."""

NOBODY = Caller(name="nobody", may=frozenset(), configs=())
"""The caller of an open route without a valid token."""


def caller_of(document: RightsDocument, *, name: str) -> Caller:
    """Make the caller that an entry of the tokens file describes."""
    return Caller(
        name=name,
        may=frozenset(document.may),
        configs=document.configs,
        namespaces=None if document.namespaces is None else frozenset(document.namespaces),
        scopes=None if document.scopes is None else frozenset(document.scopes),
        questions_at_once=document.questions_at_once,
    )
