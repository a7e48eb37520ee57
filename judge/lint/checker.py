"""Brings documents and rules together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from judge.core.config import CanaryConfig
from judge.lint.documents import Broken, Read, line_of
from judge.lint.rule import Asked, Context, Document, Finding, Kind, Severity
from judge.lint.rules import RULES

UNUSABLE = "unusable"
"""Stands for a rule where a file cannot be read or a config not be used."""


@dataclass(slots=True, kw_only=True)
class Report:
    """What was read, what a real source answered about it, and what was found."""

    read: list[Read] = field(default_factory=list)
    asked: Mapping[tuple[str, str], Asked] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether anything is worse than an info."""
        return any(finding.severity is not Severity.INFO for finding in self.findings)


Ask = Callable[[Iterable[Document]], Mapping[tuple[str, str], Asked]]
"""Asks a real source for every config among the documents."""


def check(read: Iterable[Read], *, configs: Mapping[str, CanaryConfig], deadline: float, ask: Ask | None = None) -> Report:
    """Hold every document against every rule for its kind.

    Parameters
    ----------
    read : iterable
        Documents, and what could not be read.
    configs : mapping
        Canary configs that questions may name beside those that were read.
    deadline : float
        Seconds within which the service answers.
    ask : callable, optional
        Asks a real source too.
    """
    report = Report(read=list(read))
    documents = [item for item in report.read if isinstance(item, Document)]
    if ask is not None:
        report.asked = ask(documents)
    context = Context(
        configs={**configs, **{item.config.name: item.config for item in documents if item.config is not None}},
        templates=tuple(item for item in documents if item.kind is Kind.TEMPLATE),
        deadline=deadline,
        asked=report.asked,
    )
    for item in report.read:
        if isinstance(item, Broken):
            report.findings += _broken(item)
        elif isinstance(item, Document):
            report.findings += sorted(_found(item, context))
    return report


def _broken(item: Broken) -> list[Finding]:
    return [
        Finding(
            where=item.where,
            line=0,
            path=fault.path,
            rule=UNUSABLE,
            severity=Severity.ERROR,
            message=str(fault).removeprefix(f"{fault.path}: "),
        )
        for fault in item.error.faults
    ]


def _found(document: Document, context: Context) -> list[Finding]:
    return [
        Finding(
            where=document.where,
            line=line_of(document, place),
            path=".".join(map(str, place)),
            rule=rule.id,
            severity=rule.severity,
            message=message,
        )
        for rule in RULES.values()
        if document.kind in rule.kinds
        for place, message in rule.look(document, context)
    ]
