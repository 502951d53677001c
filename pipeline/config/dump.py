"""Writes a configuration, or one object of it, back with the texts that were read: `load(dump(config)) == config`.

Each function takes any section: a whole Config, or one connector, action, rule or source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import yaml

from pipeline.config.base.secrets import MASK, Secret
from pipeline.config.base.section import Section, keys_of, kind_of, statement_of
from pipeline.config.base.values import text_of

S = TypeVar("S", bound=Section)
# Characters that JSON allows in a text, and that YAML forbids or reads as the end of a line.
_NOT_YAML: Final = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def dump(section: Section, *, defaults: bool = False, masked: bool = False) -> dict[str, Any]:
    """Plain data for JSON and YAML: the settings that were set, with references and spellings as they were written.

    `defaults`: also the settings that were not set. `masked`: for people and logs; ******, or the name of its variable
    or file, replaces each secret. Without `masked`, the result holds clear secrets if the file has them.
    """
    found: dict[str, Any] = {}
    for name, field in type(section).model_fields.items():
        if not defaults and name not in section.model_fields_set:
            continue
        value, text, said = getattr(section, name), section.written(name), statement_of(field)
        if masked and said and said.private and value:
            plain: Any = _private(value)
        elif text is not None:
            plain = text
        else:
            plain = _plain(
                text_of(kind_of(field), value), lambda each: dump(each, defaults=defaults, masked=masked), masked
            )
        found[keys_of(name, field)[0]] = plain
    return found


def to_json(section: Section, *, defaults: bool = False, masked: bool = False) -> str:
    """`dump` as JSON, which is YAML too."""
    text = json.dumps(dump(section, defaults=defaults, masked=masked), ensure_ascii=False, indent=2)
    return _NOT_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def to_yaml(section: Section, *, defaults: bool = False, masked: bool = False) -> str:
    """`dump` as YAML in the style of a person: a text of several lines is a block."""
    return yaml_text(dump(section, defaults=defaults, masked=masked))


def yaml_text(plain: dict[str, Any]) -> str:
    """Plain data, such as `dump` gives, as YAML in the same style."""
    return yaml.dump(plain, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=120)


def content_of(section: Section) -> dict[str, Any]:
    """The settings that decide the bytes of objects and their keys, by value: durations in seconds, sizes in bytes.

    The spelling of a value, and the variable that it comes from, make no difference.
    """
    return {
        field.alias or name: _plain(getattr(section, name), content_of, masked=False)
        for name, field in type(section).model_fields.items()
        if (said := statement_of(field)) and said.content
    }


def from_content(section: type[S], content: dict[str, Any]) -> S:
    """The section from the result of `content_of`; other settings have their defaults. Raises pydantic's ValidationError."""
    return section.model_validate(content, context={"plain": True})


def _private(value: Any) -> Any:
    """A value that may hold a secret, for people. Names and references of a mapping are shown."""
    if not isinstance(value, dict):
        return MASK
    return {name: str(each) if isinstance(each, Secret) else MASK for name, each in value.items()}


def _plain(value: Any, section: Callable[[Section], dict[str, Any]], masked: bool) -> Any:
    if isinstance(value, Section):
        return section(value)
    if isinstance(value, Secret):
        return str(value) if masked else value.written
    if isinstance(value, list):
        return [_plain(each, section, masked) for each in value]
    if isinstance(value, dict):
        return {key: _plain(each, section, masked) for key, each in value.items()}
    return value


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and uses block scalars."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    if _NOT_YAML.search(value):
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"')
    block = "\n" in value and not any(line != line.rstrip() or "\t" in line for line in value.split("\n"))
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if block else None)


_Dumper.add_representer(str, _text)
