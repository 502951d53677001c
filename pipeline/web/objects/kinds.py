"""Connectors, actions and sources: their types, their keys in the topic, and their ids `type:name` in paths.

The types come from the model of the configuration, so a new one is here by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from pipeline.config import Config
from pipeline.config.base.section import Section, keys_of, sections_in
from pipeline.config.s3 import Actions, Connectors
from pipeline.config.sources import Sources
from pipeline.control.objects import TYPED
from pipeline.control.status import Parts
from pipeline.errors import ConfigError, NotFoundError

NAME: Final = re.compile(r"[0-9a-zA-Z][-0-9a-zA-Z_]{0,254}")


class NamedObject(NamedTuple):
    """One object of a configuration."""

    type: str
    name: str
    section: Section

    @property
    def id(self) -> str:
        """`type:name`."""
        return f"{self.type}:{self.name}"


class ObjectKind(NamedTuple):
    """One of the three kinds. `word` begins its keys, `setting` is its section of the configuration and its path."""

    word: str
    setting: Parts
    types: Mapping[str, type[Section]]

    def place(self, id: str) -> tuple[str, str]:
        """Type and name of an id. Raises NotFoundError, as EMQX does."""
        type_, _, name = id.partition(":")
        if type_ not in self.types or not NAME.fullmatch(name):
            raise NotFoundError(
                f"Invalid {self.word} ID {id[:80]!r}: expected type:name with a type of {', '.join(self.types)}"
            )
        return type_, name

    def key(self, type_: str, name: str) -> str:
        """The key in the topic."""
        return f"{self.word}/{type_}/{name}"

    def path(self, type_: str, name: str) -> str:
        """The path of the object in messages about the configuration."""
        return f"{self.setting}.{type_}.{name}"

    def found(self, config: Config, id: str) -> NamedObject:
        """The object with this id. Raises NotFoundError."""
        type_, name = self.place(id)
        section = getattr(getattr(config, self.setting), _attribute(self, type_)).get(name)
        if section is None:
            raise NotFoundError(f"no {self.word} {id!r}")
        return NamedObject(type_, name, section)

    def all(self, config: Config) -> Iterator[NamedObject]:
        """Every object of this kind."""
        for type_ in self.types:
            for name, section in getattr(getattr(config, self.setting), _attribute(self, type_)).items():
                yield NamedObject(type_, name, section)

    def new_place(self, type_: object, name: object) -> tuple[str, str]:
        """Type and name of a new object. Raises ConfigError with the field that is wrong."""
        if not isinstance(type_, str) or type_ not in self.types:
            raise ConfigError(f"expected one of {', '.join(self.types)}", where="root.type")
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ConfigError(
                "expected a name of letters, digits, - and _ that begins with a letter or digit", where="root.name"
            )
        return type_, name


def _types(section: type[Section]) -> dict[str, type[Section]]:
    """The types of a kind, by the name that a file has for them."""
    return {
        keys_of(name, field)[0]: next(sections_in(field.annotation)) for name, field in section.model_fields.items()
    }


def _attribute(kind: ObjectKind, type_: str) -> str:
    model = _MODELS[kind.setting]
    return next(name for name, field in model.model_fields.items() if keys_of(name, field)[0] == type_)


_MODELS: Final[Mapping[str, type[Section]]] = {"connectors": Connectors, "actions": Actions, "sources": Sources}
KINDS: Final[Mapping[str, ObjectKind]] = {
    setting: ObjectKind(word, setting, _types(_MODELS[setting])) for word, setting in TYPED.items()
}
