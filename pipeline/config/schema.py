"""The JSON Schema of the configuration file, for editors: `tidegate config schema`.

It is pydantic's schema of the model, and it also allows everything else that a file may contain: `${NAME}` where a
setting takes it, numbers for durations and sizes, and older names of settings. Keywords that begin with `x-` hold what
a declaration says beyond JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipeline.config.base.environment import PATTERN
from pipeline.config.base.section import Section, keys_of, kind_of, sections_in
from pipeline.config.base.values import text_of
from pipeline.config.model import Config

_ABOUT: Final = ("description", "default", "examples", "deprecated", "x-advanced", "x-content", "x-syntax", "x-private")
_LIMITED: Final = {"enum", "const", "pattern", "format", "minLength"}


def schema() -> dict[str, Any]:
    """The whole schema, in JSON Schema's draft 2020-12."""
    found = Config.model_json_schema()
    models = {model.__name__: model for model in _sections(Config)}
    parts = {name: _section(part, models[name]) for name, part in found.pop("$defs").items()}
    whole = _section(found, Config)
    reference = {"type": "string", "pattern": PATTERN, "description": "A variable of the environment."}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **whole,
        "$defs": {"reference": reference, **parts},
    }


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    yield section
    for field in section.model_fields.values():
        for inner in sections_in(field.annotation):
            yield from _sections(inner)


def _section(found: dict[str, Any], model: type[Section]) -> dict[str, Any]:
    settings = {name: _setting(each) for name, each in found.get("properties", {}).items()}
    for name, field in model.model_fields.items():
        first, *older = keys_of(name, field)
        if settings[first].get("default") is not None:
            settings[first]["default"] = text_of(kind_of(field), field.default)
        settings |= {each: {**settings[first], "deprecated": True} for each in older}
    return {**found, "properties": settings}


def _setting(found: dict[str, Any]) -> dict[str, Any]:
    """The schema of one setting: its annotations and its allowed values."""
    about = {
        name: found[name] for name in _ABOUT if found.get(name) or (name == "default" and found.get(name) is not None)
    }
    value = {
        name: each
        for name, each in found.items()
        if name not in {*_ABOUT, "x-advanced", "title", "ge", "gt", "le", "lt"}
    }
    return {**about, **(_value(value) if not found.get("x-syntax") else value)}


def _value(found: dict[str, Any]) -> dict[str, Any]:
    """The allowed values of a setting, or a reference instead of them."""
    for several in ("anyOf", "oneOf"):
        if several in found:
            return {"anyOf": [_value(each) for each in found[several]]}
    kind = found.get("type")
    if kind == "array":
        return {**found, "items": _value(found["items"])}
    reference = {"$ref": "#/$defs/reference"}
    if found.get("format") in {"duration", "size"}:
        return {"anyOf": [found, {"type": "integer", "minimum": 0}, reference]}
    limited = kind in {"integer", "number", "boolean"} or (kind == "string" and _LIMITED & found.keys())
    return {"anyOf": [found, reference]} if limited and found.get("format") != "password" else found
