"""The manual's page of settings, made from the model: `python -m pipeline.config.manual > docs/configuration.md`.

A test fails if the page in docs/ differs from this output.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import kind_of
from pipeline.config.base.values import Kind, text_of
from pipeline.config.model import Config

_INTRODUCTION = """\
# Configuration

One YAML file describes the whole pipeline. `tidegate check -c FILE` checks the file without opening a connection. It refuses
unknown settings and names their line.

Durations are `500ms`, `15s`, `1h30m` or a number of milliseconds, at most `10000w`. Sizes are `64kb`, `5mb`, `1gb` or a number
of bytes, in binary multiples, at most 8 PB. [rule-language.md](rule-language.md) describes templates, and
[delivery.md](delivery.md) describes delivery.

`${NAME}` in a setting stands for a variable of the process's environment. `${NAME:-default}` stands for the default if the
variable is not set or is empty; the default is a plain text. `host: s3.${REGION:-eu-central-1}.amazonaws.com` works too. So one
file serves development and production. In templates (`bucket`, `key`, `content`, `metadata`, `tags`), SQL, schemas and
descriptions, `${…}` has their own meaning and never means the environment. If a variable is not set, the error names the
variable, the setting and the line.

A secret is a text, `${NAME}` or `file:///path`. The process that connects reads the secret when it connects. No command, log or
page shows a secret. If a secret cannot be found, `tidegate check` warns; `tidegate check --connect` and `tidegate doctor` fail.

In the YAML file, every name of a setting is a text (`null:` and `on:` too). Two equal names are an error. `0123`, `12:30` and
`2026-01-31` are texts. `tidegate config schema` prints the JSON Schema of this page for editors.
"""


def page() -> str:
    """The whole page, as Markdown."""
    return _INTRODUCTION + "".join(_sections(Config, ""))


def _sections(model: type[BaseModel], path: str) -> Iterator[str]:
    nested: list[tuple[type[BaseModel], str]] = []
    rows = []
    for attribute, field in model.model_fields.items():
        name = field.alias or attribute
        where = f"{path}.{name}" if path else name
        inner = list(_models(field.annotation, where))
        nested += inner
        if not inner or field.description:
            rows.append(
                f"| `{name}` | {_kind(field, inner)} | {_default(field, inner)} | {field.description or ''} |\n"
            )
    title = f"## `{path}`" if path else "## Top level"
    if rows:
        yield f"\n{title}\n\n{(model.__doc__ or '').splitlines()[0]}\n\n"
        yield "| setting | value | default | meaning |\n|---|---|---|---|\n"
        yield from rows
    for each, where in nested:
        yield from _sections(each, where)


def _models(annotation: Any, path: str) -> Iterator[tuple[type[BaseModel], str]]:
    """The models of an annotation, each with its path in a file."""
    origin = get_origin(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, path
    elif origin is dict:
        yield from _models(get_args(annotation)[1], f"{path}.<name>")
    elif origin is list:
        yield from _models(get_args(annotation)[0], f"{path}[]")
    elif origin is Annotated:
        yield from _models(get_args(annotation)[0], path)
    elif origin in {Union, types.UnionType}:
        members = [each for each in get_args(annotation) if each is not type(None)]
        for each in members:
            yield from _models(each, f"{path}{_told_apart(each)}")


def _told_apart(model: Any) -> str:
    """The setting with which a file chooses one of several models."""
    fields = getattr(model, "model_fields", {})
    name = next(
        (name for name in ("mode", "type") if name in fields and get_origin(fields[name].annotation) is Literal), ""
    )
    return f" ({name}: {get_args(fields[name].annotation)[0]})" if name else ""


def _kind(field: FieldInfo, inner: list[Any]) -> str:
    if inner:
        return "section"
    text = _type_name(field.annotation)
    limits = [
        f"{sign} {text_of(kind_of(field), getattr(each, name))}"
        for each in field.metadata
        for kind, name, sign in _LIMITS
        if isinstance(each, kind)
    ]
    return (kind_of(field) or text) + (f", {', '.join(limits)}" if limits else "")


_LIMITS = [(Ge, "ge", "≥"), (Gt, "gt", ">"), (Le, "le", "≤"), (Lt, "lt", "<")]


def _type_name(annotation: Any) -> str:
    origin = get_origin(annotation)
    if origin is Literal:
        return " \\| ".join(f"`{each}`" for each in get_args(annotation))
    if origin in {Union, types.UnionType}:
        return _type_name(next(each for each in get_args(annotation) if each is not type(None)))
    if origin is Annotated:
        named = next((each.name for each in get_args(annotation)[1:] if isinstance(each, Kind)), "")
        return named or _type_name(get_args(annotation)[0])
    if origin is list:
        return f"list of {_type_name(get_args(annotation)[0])}"
    if origin is dict:
        return f"map of {_type_name(get_args(annotation)[1])}"
    return {
        Any: "anything",
        str: "text",
        int: "number",
        float: "number",
        bool: "true \\| false",
        Secret: "secret",
    }.get(annotation, getattr(annotation, "__name__", str(typing.cast(Any, annotation))))


def _default(field: FieldInfo, inner: list[Any]) -> str:
    if inner:
        return ""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None or value is PydanticUndefined or value in ("", [], {}):
        return ""
    value = text_of(kind_of(field), value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


if __name__ == "__main__":
    print(page(), end="")
