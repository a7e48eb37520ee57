"""Read YAML 1.2 and JSON, and turn pydantic's complaints into faults a person can act on."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Tag, TypeAdapter, ValidationError

from judge.config.renamed import hint
from judge.errors import ConfigError, Fault, nearest

MAX_NODES = 20_000
"""A document with more nodes than this is refused: aliases can multiply without end."""

Model = TypeVar("Model", bound="Document")


class Document(BaseModel):
    """A part of a document: unknown keys are refused, nothing is coerced by accident."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


def read(path: Path) -> Any:
    """Read a YAML or JSON file.

    Raises
    ------
    ConfigError
        Where the file cannot be read or parsed, has a key twice, or refers to
        itself in a circle; names the file and the line.
    """
    return parse(read_text(path), where=str(path), is_json=path.suffix == ".json")


def read_text(path: Path) -> str:
    """Read a file of UTF-8 text.

    Raises
    ------
    ConfigError
        Where it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise unreadable(error, where=str(path)) from error


def unreadable(error: OSError | UnicodeDecodeError, *, where: str) -> ConfigError:
    """Say why a document cannot be read, in plain words."""
    if isinstance(error, UnicodeDecodeError):
        return ConfigError(f"cannot be read: it is not UTF-8 text ({error.reason} at byte {error.start})", where=where)
    return ConfigError(f"cannot be read: {error.strerror if error.strerror else error}", where=where)


def parse(text: str, *, where: str, is_json: bool = False) -> Any:
    """Parse YAML 1.2 (``no`` is a string, ``0123`` a number) or JSON."""
    if is_json:
        try:
            return json.loads(text, object_pairs_hook=unique_keys)
        except ValueError as error:
            raise ConfigError(f"not JSON: {error}", where=where) from error
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    reader = YAML(typ="safe", pure=True)
    try:
        document = reader.load(text)
    except YAMLError as error:
        raise ConfigError(_yaml_message(error), where=where) from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"not YAML: {error}", where=where) from error
    _refuse_circles(document, where)
    return document


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object for `json.loads`; a key that is there twice is refused, since one of the two would be lost."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            msg = f"the key {key!r} is there twice"
            raise ValueError(msg)
        found[key] = value
    return found


def _yaml_message(error: Exception) -> str:
    """Say what the parser found and where, without its advice about its own API."""
    mark = getattr(error, "problem_mark", None)
    place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark is not None else ""
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"not YAML{place}: {str(problem).splitlines()[0]}"


def _refuse_circles(document: Any, where: str) -> None:
    """Refuse aliases that contain themselves, or that multiply beyond `MAX_NODES`."""
    nodes = 0

    def walk(node: Any, path: str, above: tuple[int, ...]) -> None:
        nonlocal nodes
        nodes += 1
        if nodes > MAX_NODES:
            raise ConfigError(f"more than {MAX_NODES} nodes once its aliases are followed", where=where)
        if not isinstance(node, Mapping | list):
            return
        if id(node) in above:
            raise ConfigError([Fault(path=path, message="refers to itself in a circle (an alias inside its own anchor)")], where=where)
        for key, value in node.items() if isinstance(node, Mapping) else enumerate(node):
            walk(value, f"{path}.{key}" if path else str(key), (*above, id(node)))

    walk(document, "", ())


def validate(model: type[Model], document: Any, *, where: str) -> Model:
    """Check a document against its model; all faults at once.

    Raises
    ------
    ConfigError
        With one `Fault` for each thing that is wrong.
    """
    if not isinstance(document, Mapping):
        found = "nothing" if document is None else type(document).__name__
        raise ConfigError(f"expected a mapping with keys, found {found}", where=where)
    try:
        return TypeAdapter(model).validate_python(document)
    except ValidationError as error:
        raise ConfigError(faults(error, model), where=where) from None


def faults(error: ValidationError, model: type[BaseModel]) -> list[Fault]:
    """Turn pydantic's errors into faults: dotted path, what was found, what is allowed."""
    found = []
    for item in error.errors(include_url=False, include_context=True):
        keys, place = _follow(model, item["loc"])
        path = ".".join(keys)
        if item["type"] == "extra_forbidden":
            known = sorted(_keys_of(_follow(model, item["loc"][:-1])[1]))
            found.append(Fault(path=path, message=f"unknown key{hint(keys[-1], known)}", allowed=tuple(known)))
        elif item["type"] == "union_tag_invalid":
            *others, last = map(repr, allowed := tuple(_tagged(place)))
            tag = item["ctx"]["tag"]
            message = f"should be {', '.join(others)} or {last}, found {tag!r}{nearest(tag, allowed)}"
            found.append(Fault(path=f"{path}.type", message=message, allowed=allowed))
        elif item["type"] == "union_tag_not_found":
            found.append(Fault(path=f"{path}.type", message="is no type", allowed=tuple(_tagged(place))))
        elif item["type"] == "missing":
            found.append(Fault(path=path, message="is missing"))
        elif item["type"] in {"too_short", "string_too_short"}:
            least = item["ctx"]["min_length"]
            # A list that is long enough has faulty items, which are told by themselves.
            if len(item["input"]) < least:
                found.append(Fault(path=path, message="must not be empty" if least == 1 else f"needs at least {least}"))
        else:
            message = item["msg"].removeprefix("Value error, ").removeprefix("Input ")
            found.append(Fault(path=path, message=f"{message}, found {_short(item['input'])}" if _wants_input(item) else message))
    return found


def _wants_input(item: Any) -> bool:
    return item["type"] != "value_error" and not isinstance(item["input"], Mapping)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _follow(model: type[BaseModel], loc: tuple[int | str, ...]) -> tuple[list[str], Any]:
    """Follow the model's own structure to a place: the keys on the way, and what may stand there."""
    current: Any = model
    keys = []
    for part in loc:
        tagged = _tagged(current)
        if isinstance(part, str) and part in tagged:  # pydantic's name for one of several models is no key of the document
            current = tagged[part]
            continue
        keys.append(str(part))
        current = _bare(_step(current, part))
    return keys, current


def _keys_of(annotation: Any) -> list[str]:
    """Name the keys that are known there."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [field.alias or name for name, field in annotation.model_fields.items()]
    return []


def _tagged(annotation: Any) -> dict[str, Any]:
    """The models of a union by their tags."""
    parts = get_args(annotation) if get_origin(annotation) in {Union, UnionType} else ()
    return {note.tag: get_args(part)[0] for part in parts for note in getattr(part, "__metadata__", ()) if isinstance(note, Tag)}


def _bare(annotation: Any) -> Any:
    """Take off Annotated and Optional."""
    while get_origin(annotation) in {Annotated, Union, UnionType} and not _tagged(annotation):
        annotation = next(part for part in get_args(annotation) if part is not type(None))
    return annotation


def _step(annotation: Any, part: int | str) -> Any:
    """Go one key or index down."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = next((f for name, f in annotation.model_fields.items() if part in {name, f.alias}), None)
        return None if field is None else field.annotation
    inside = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return inside[-1] if inside else None


def without_faulty(document: Any, error: ValidationError) -> tuple[Any, tuple[str, ...]]:
    """Copy a document without what was wrong in it, so that the rest can be checked too.

    Returns the copy and the dotted paths of the mappings from which something was taken.
    """
    copied = copy.deepcopy(document)
    touched = []
    places = []
    for item in error.errors(include_url=False):
        loc = item["loc"][:-1] if item["type"] == "missing" else item["loc"]
        if not loc:
            continue
        places.append(loc)
        touched.append(".".join(str(part) for part in loc[:-1]))
    # Later list elements first, so that earlier indices stay what they were.
    for loc in sorted(
        set(places), key=lambda loc: [(isinstance(p, int), p if isinstance(p, int) else 0, str(p)) for p in loc], reverse=True
    ):
        try:
            parent = copied
            for part in loc[:-1]:
                parent = parent[part]
            del parent[loc[-1]]
        except (KeyError, IndexError, TypeError):
            continue
    return copied, tuple(touched)
