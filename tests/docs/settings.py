"""How docs/server.md writes the type and the default of a setting."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin

from judge.config.units import Duration
from judge.config.yaml import Document
from judge.core.templates import duration

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

_IS_DURATION = get_args(Duration)[1:]


def type_words(field: FieldInfo) -> str:
    """A setting's type as a reader of the page writes it."""
    annotation = _without_none(field.annotation)
    if _is_duration(field):
        return "duration"
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{word}`" for word in get_args(annotation))
    if get_origin(annotation) in {Mapping, dict}:
        held = get_args(annotation)[1]
        return "name: source" if isinstance(held, type) and issubclass(held, Document) else "name: text"
    least = next((part.ge for part in field.metadata if hasattr(part, "ge")), None)
    most = next((part.le for part in field.metadata if hasattr(part, "le")), None)
    words = {str: "text", bool: "true or false", int: "whole number"}[annotation]
    return words + ("" if least is None else f" from {least:,}") + ("" if most is None else f" to {most:,}")


def default_words(field: FieldInfo, really: Any = None) -> str:
    """A setting's default; `really` is what the service takes where the file says nothing."""
    if field.is_required():
        return "required"
    value = field.default if field.default is not None else really
    if value in ("", None) or value == {}:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if _is_duration(field):
        return duration(value)
    return f"{value:,}" if isinstance(value, int) else str(value)


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in {Union, types.UnionType}:
        (annotation,) = [part for part in get_args(annotation) if part is not type(None)]
    return get_args(annotation)[0] if annotation is not None and hasattr(annotation, "__metadata__") else annotation


def _is_duration(field: FieldInfo) -> bool:
    parts = [*field.metadata, *(part for held in get_args(field.annotation) for part in getattr(held, "__metadata__", ()))]
    return any(part is known for part in parts for known in _IS_DURATION)
