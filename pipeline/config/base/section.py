"""How a part of the configuration is declared: sections, and the settings in them.

`setting` says of each setting once what the rest of the program asks: its default, limits and help, whether it decides the
bytes of objects, whether a form may fold it, and what `${…}` in it means. A section that declares one otherwise is refused
when its module is imported.

Reading a section replaces references to the environment and keeps what was written beside the model: dump.py gives it back.
"""

from __future__ import annotations

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

from pipeline.config.base.environment import Resolved, resolve
from pipeline.config.base.secrets import Secret
from pipeline.config.base.values import Kind

T = TypeVar("T")
Syntax = Literal["template", "sql", "schema", "prose", "emqx"]


class Declared(NamedTuple):
    """What `setting` says of a setting beyond what pydantic knows."""

    advanced: bool  # a form may fold it
    content: bool | None  # it decides the bytes of objects, or their key; None: the section has no say in these
    syntax: Syntax | None  # `${…}` in it is its own; None: a reference to the environment
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
    """Declare a setting; `field` are pydantic's words: description, limits, alias.

    `content` must be said in a ContentSection, and only there.
    """
    said = Declared(advanced, content, syntax, private)
    extra = {f"x-{name}": value for name, value in said._asdict().items()}
    return Field(default, json_schema_extra=extra, repr=not private, **field)


class Written(dict[str, tuple[Any, Any]]):
    """What was written for a setting, and the value that it had. How something is spelled takes no part in equality."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Written)

    __hash__ = None


class Section(BaseModel):
    """A part of the configuration: unknown names are refused, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    _written: Written = PrivateAttr(default_factory=Written)

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        for name, field in cls.model_fields.items():
            said = statement_of(field)
            if said is None:
                raise TypeError(f"{cls.__name__}.{name}: declare it by setting(…)")
            if (said.content is None) == issubclass(cls, ContentSection):
                raise TypeError(f"{cls.__name__}.{name}: `content` must be said in a ContentSection, and only there")

    def written(self, name: str) -> Any:
        """The text in the file for a setting, if it was another than its value has by itself; else None."""
        text, value = self._written.get(name, (None, None))
        return text if text is not None and value == getattr(self, name) else None

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, data: Any, handler: ModelWrapValidatorHandler[Any], info: ValidationInfo) -> Any:
        """Replace references; remember what was written. Context: `environment`, and `plain` for data without references."""
        context = info.context or {}
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


class ContentSection(Section):
    """A section each of whose settings says whether it decides the bytes of objects."""


# --- How a setting is read


class _Way(NamedTuple):
    """What is done with the value of one key before it is validated."""

    name: str
    references: bool
    spelled: bool
    whole_numbers: bool
    tag: str

    def read(self, value: Any, environment: Mapping[str, str]) -> Any:
        """The value with its references replaced."""
        if self.tag:
            tag = value.get(self.tag) if isinstance(value, dict) else None
            return {**value, self.tag: resolve(tag, environment)} if isinstance(tag, str) and "${" in tag else value
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
        """What to give back for `value`, if the model by itself would give something else."""
        if isinstance(value, Resolved):
            return value.written  # the section above had to read it, to choose this shape
        if self.tag:
            return None
        return value if (self.references and read != value) or (self.spelled and isinstance(value, str)) else None


def _is_small(text: str) -> bool:
    return text.isdecimal() and len(text) < 10


@cache
def _ways(section: type[Section]) -> dict[str, _Way]:
    """By each key under which a setting may be given."""
    found: dict[str, _Way] = {}
    for name, field in section.model_fields.items():
        said = statement_of(field)
        nested = any(True for _ in sections_in(field.annotation))
        secret = Secret in members(field.annotation)
        way = _Way(
            name=name,
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
    """What `setting` said; None if it was not asked."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or "x-advanced" not in extra:
        return None
    return Declared(*(extra[f"x-{name}"] for name in Declared._fields))  # type: ignore[arg-type]


def keys_of(name: str, field: FieldInfo) -> list[str]:
    """The names by which a file may give a setting; the first is the one that is written back."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(each) for each in field.validation_alias.choices]
    return [field.alias or name]


def kind_of(field: FieldInfo) -> str:
    """ "duration", "size", …; empty for a plain type."""
    marks = [*field.metadata, *(mark for each in members(field.annotation, bare=False) for mark in get_args(each)[1:])]
    return next((each.name for each in marks if isinstance(each, Kind)), "")


def tag_of(field: FieldInfo) -> str:
    """The setting that says which of several shapes a section has: "mode", "type"; empty if there is one shape."""
    shapes = [each for each in members(field.annotation) if isinstance(each, type) and issubclass(each, Section)]
    return next((name for name in _TAGS if len(shapes) > 1 and name in shapes[0].model_fields), "")


_TAGS: Final = ("mode", "type")


def members(annotation: Any, *, bare: bool = True) -> list[Any]:
    """The types of a union, None left out; of any other type itself. `bare`: without what Annotated adds."""
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
    """Shapes told apart by the setting `name`, which may be left out. Mark each with `Tag`."""
    return Discriminator(
        lambda value: str(value.get(name, default)) if isinstance(value, dict) else getattr(value, name, None)
    )


__all__ = ["ContentSection", "Section", "Tag", "by_tag", "setting"]
