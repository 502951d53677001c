"""Declarations of the configuration: sections, and the settings in them.

`setting` declares once everything that the program needs to know about a setting: its default, limits and help, whether it
decides the bytes of objects, whether a form may fold it, and what `${…}` means in it. The import of a module fails if one of
its sections has a setting without such a declaration.

The files of sections, this one too, have no `from __future__ import annotations`: it makes texts of annotations, which pydantic
would compile when a file is imported.

Reading a section replaces references to the environment. The section keeps the written text, and dump.py writes it back.
"""

import os
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeVar, Union, get_args, get_origin, overload

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    Tag,
    ValidationInfo,
    model_validator,
)
from pydantic.fields import FieldInfo

from pipeline.config.base.environment import Resolved, Unset, resolve
from pipeline.config.base.secrets import Secret
from pipeline.config.base.values import Kind
from pipeline.hidden import hide

T = TypeVar("T")
Syntax = Literal["template", "sql", "schema", "prose", "emqx"]


class Declared(NamedTuple):
    """The parts of a declaration that pydantic does not know."""

    advanced: bool  # a form may fold it
    content: bool | None  # it decides the bytes or the key of objects; None: no setting of its section does
    syntax: (
        Syntax | None
    )  # the language in which `${…}` has its own meaning; None: `${…}` is a reference to the environment
    private: bool  # may hold a secret, so an error never shows what was found


@overload
def setting(
    default: T, *, advanced: bool, content: bool | None = ..., syntax: Syntax | None = ..., **field: Any
) -> T: ...
@overload
def setting(
    *,
    default_factory: Callable[[], T],
    advanced: bool,
    content: bool | None = ...,
    syntax: Syntax | None = ...,
    **field: Any,
) -> T: ...
@overload
def setting(*, advanced: bool, content: bool | None = ..., syntax: Syntax | None = ..., **field: Any) -> Any: ...
def setting(
    default: Any = ...,
    *,
    advanced: bool,
    content: bool | None = None,
    syntax: Syntax | None = None,
    private: bool = False,
    **field: Any,
) -> Any:
    """Declare a setting. `field` holds arguments of pydantic's Field: description, limits, alias.

    A ContentSection must give `content`; other sections must not.
    """
    if (make := field.get("default_factory")) is not None:
        field["default_factory"] = lambda: make()  # pydantic asks what it takes, which costs ten times more for a class
    said = Declared(advanced, content, syntax, private)
    extra = {f"x-{name}": value for name, value in said._asdict().items()}
    return Field(default, json_schema_extra=extra, repr=not private, **field)


class Written(dict[str, tuple[Any, Any]]):
    """By setting, the written text and the value that it had then. Spellings do not count for equality, so all are equal."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Written)

    __hash__ = None


class Section(BaseModel):
    """A part of the configuration. It refuses unknown names and never changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    _written: Written = PrivateAttr(default_factory=Written)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            said = statement_of(field)
            if said is None:
                raise TypeError(f"{cls.__name__}.{name}: declare it with setting(…)")
            if (said.content is None) == issubclass(cls, ContentSection):
                raise TypeError(
                    f"{cls.__name__}.{name}: a ContentSection must declare `content`, and other sections must not"
                )
            if int in members(field.annotation, bare=False) and not kind_of(field) and not _has_most(field):
                raise TypeError(f"{cls.__name__}.{name}: a number needs `le`, since no number is without limit")

    def written(self, name: str) -> Any:
        """The text of a setting in the file if it differs from the standard text of its value, else None."""
        text, value = self._written.get(name, (None, None))
        return text if text is not None and value == getattr(self, name) else None

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, handler: ModelWrapValidatorHandler[Any], info: ValidationInfo) -> Any:
        """Replace references, and remember the written texts. Context: `environment`, and `plain` for data without references."""
        context = info.context or {}
        if isinstance(data, dict):
            _hide_private(cls, data)
        if not isinstance(data, dict) or context.get("plain"):
            return handler(data)
        environment, ways = context.get("environment", os.environ), _ways(cls)
        found, written = dict(data), {}
        for key, value in data.items():
            if (way := ways.get(key)) is not None:
                found[key] = way.read(value, environment)
                if (text := way.written(value, found[key])) is not None:
                    written[way.name] = text
        model = handler(found)
        for name, text in written.items():
            model._written[name] = (text, getattr(model, name))
        return model


def _hide_private(section: type[Section], data: Mapping[str, Any]) -> None:
    """What is given for settings that may hold a secret is not printed, whether it is right or wrong."""
    for name, field in section.model_fields.items():
        said = statement_of(field)
        if said and said.private:
            for key in keys_of(name, field):
                for text in _texts(data.get(key)):
                    hide(text)


def _texts(value: Any) -> Iterator[str]:
    """All texts in plain data, names left out."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


class ContentSection(Section):
    """A section in which each setting declares whether it decides the bytes of objects."""


# --- How a setting is read


class _Way(NamedTuple):
    """How to read the value of one key before validation."""

    name: str
    number: bool
    references: bool
    spelled: bool
    whole_numbers: bool
    tag: str

    def read(self, value: Any, environment: Mapping[str, str]) -> Any:
        """The value with its references replaced."""
        if self.tag:
            tag = value.get(self.tag) if isinstance(value, dict) else None
            return {**value, self.tag: resolve(tag, environment)} if isinstance(tag, str) and "${" in tag else value
        if self.number and isinstance(value, bool):
            return Unset("expected a number, found true or false")  # pydantic would take 1 or 0
        if not self.references:
            return value
        if isinstance(value, str):
            text = resolve(value, environment)
            return int(text) if self.whole_numbers and isinstance(text, Resolved) and _is_small(text) else text
        if isinstance(value, list):
            return [resolve(each, environment) if isinstance(each, str) else each for each in value]
        if isinstance(value, dict):
            return {key: resolve(each, environment) if isinstance(each, str) else each for key, each in value.items()}
        return value

    def written(self, value: Any, read: Any) -> Any:
        """The text to write back for `value`, or None if the model alone would write the same."""
        if isinstance(value, Resolved):
            return value.written  # the section above read this value already, to choose this model
        if self.tag:
            return None
        return value if (self.references and read != value) or (self.spelled and isinstance(value, str)) else None


def _is_small(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


@cache
def _ways(section: type[Section]) -> dict[str, _Way]:
    """How to read each setting, by every key that a file may use for it."""
    found: dict[str, _Way] = {}
    for name, field in section.model_fields.items():
        said = statement_of(field)
        nested = any(True for _ in sections_in(field.annotation))
        shapes = members(field.annotation)
        secret = any(Secret in (each, *get_args(each)) for each in members(field.annotation))
        way = _Way(
            name=name,
            number=bool({int, float} & {each for each in shapes if isinstance(each, type)}) and bool not in shapes,
            references=not (nested or secret or (said and said.syntax)),
            spelled=kind_of(field) in {"duration", "size"},
            whole_numbers=any(isinstance(each, int) for each in _literals(field.annotation)),
            tag=tag_of(field),
        )
        if way.references or way.tag:
            found |= dict.fromkeys(keys_of(name, field), way)
    return found


# --- What a declaration says


def statement_of(field: FieldInfo) -> Declared | None:
    """The declaration that `setting` made, or None."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or "x-advanced" not in extra:
        return None
    return Declared(*(extra[f"x-{name}"] for name in Declared._fields))  # type: ignore[arg-type]


def keys_of(name: str, field: FieldInfo) -> list[str]:
    """The names that a file may use for a setting. `dump` writes the first."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(each) for each in field.validation_alias.choices]
    return [field.alias or name]


def kind_of(field: FieldInfo) -> str:
    """ "duration", "size", …; empty for a plain type."""
    marks = [*field.metadata, *(mark for each in members(field.annotation, bare=False) for mark in get_args(each)[1:])]
    return next((each.name for each in marks if isinstance(each, Kind)), "")


def tag_of(field: FieldInfo) -> str:
    """The setting that chooses one of several models for a section: "mode" or "type". Empty if the section has one model."""
    shapes = [each for each in members(field.annotation) if isinstance(each, type) and issubclass(each, Section)]
    return next((name for name in _TAGS if len(shapes) > 1 and name in shapes[0].model_fields), "")


_TAGS: Final = ("mode", "type")


def _has_most(field: FieldInfo) -> bool:
    return any(hasattr(each, "le") or hasattr(each, "lt") for each in field.metadata)


def members(annotation: Any, *, bare: bool = True) -> list[Any]:
    """The types of a union without None; for any other type, the type itself. `bare`: without the metadata of Annotated."""
    if get_origin(annotation) is Annotated and get_origin(get_args(annotation)[0]) in {Union, UnionType}:
        return members(get_args(annotation)[0], bare=bare)
    if get_origin(annotation) in {Union, UnionType}:
        return [found for each in get_args(annotation) for found in members(each, bare=bare) if found is not type(None)]
    return [get_args(annotation)[0] if bare and get_origin(annotation) is Annotated else annotation]


def sections_in(annotation: Any) -> Iterator[type[Section]]:
    """The sections in a type: itself, or in its lists, mappings and unions."""
    for each in members(annotation):
        if isinstance(each, type) and issubclass(each, Section):
            yield each
        elif get_origin(each) in {list, dict}:
            yield from sections_in(get_args(each)[-1])


def _literals(annotation: Any) -> list[Any]:
    return [value for each in members(annotation) if get_origin(each) is Literal for value in get_args(each)]


def by_tag(name: str, default: str) -> Discriminator:
    """Chooses one of several models by the setting `name`, which a file may leave out. Mark each model with `Tag`."""
    return Discriminator(
        lambda value: str(value.get(name, default)) if isinstance(value, dict) else getattr(value, name, None)
    )


__all__ = ["ContentSection", "Section", "Tag", "by_tag", "setting"]
