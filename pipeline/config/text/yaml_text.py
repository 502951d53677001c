"""Reads YAML into plain data in which each value knows its line, from the events of the parser.

This differs from YAML's own rules on purpose: every key is a text (`null:`, `on:` and `1:` are names of settings); two equal keys
are an error; `0123` and `12:30` are texts and not octal or base 60; dates are texts. Anchors, aliases and merge keys work, within
bounds. Every error is a ConfigError with a line. It shows only names of settings, and nothing else of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from pipeline.config.base.environment import Spelled
from pipeline.config.text.yaml_errors import plain_words
from pipeline.errors import ConfigError

DEPTH_MAX: Final = 50
VALUES_MAX: Final = 100_000  # with the values that aliases repeat
DIGITS_MAX: Final = 40

_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_CONSTANTS: Final = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **{word: True for each in ("yes", "on", "true") for word in (each, each.title(), each.upper())},
    **{word: False for each in ("no", "off", "false") for word in (each, each.title(), each.upper())},
}
_INTEGER: Final = re.compile(rf"[-+]?(?:0|[1-9][0-9_]{{0,{DIGITS_MAX - 1}}}|0x[0-9a-fA-F]{{1,16}})", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(?:[0-9]{1,20}\.[0-9]{0,20}|\.[0-9]{1,20})(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_TAGS: Final[dict[str, Any]] = {
    f"tag:yaml.org,2002:{name}": type_
    for name, type_ in {
        "str": str, "int": int, "float": int | float, "bool": bool, "null": type(None), "seq": list, "map": dict,
    }.items()
}  # fmt: skip


class Place(NamedTuple):
    """A place in a text; the first line and column are 1."""

    line: int
    column: int


@dataclass(slots=True)
class YamlNode:
    """A value with its place. `size` counts the values in it. A mapping has `keys`, a list has `items`, a scalar has `text`."""

    value: Any
    place: Place
    last_line: int
    size: int = 1
    keys: dict[str, tuple[Place, YamlNode]] = field(default_factory=dict)
    items: list[YamlNode] = field(default_factory=list)
    text: str | None = None
    style: str | None = None


def read(text: str, name: str) -> YamlNode:
    """The document in `text`. Raises ConfigError with a place in the file `name`."""
    try:
        return _Builder(name).build(yaml.parse(text.removeprefix("\ufeff"), Loader=_LOADER))
    except yaml.YAMLError as error:
        words, line, column = plain_words(error, text)
        raise ConfigError(f"not YAML: {words}", where=f"{name}:{line}:{column}") from None
    except UnicodeError:
        raise ConfigError("not YAML: found half of a surrogate pair", where=name) from None


class _Builder:
    """Makes nodes from the parser's events."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._anchors: dict[str, YamlNode | None] = {}
        self._size = 0

    def build(self, events: Iterator[Event]) -> YamlNode:
        root: YamlNode | None = None
        for event in events:
            if isinstance(event, DocumentStartEvent):
                if root is not None:
                    self._refuse(event, "expected one document, found a second")
                root = self._node(next(events), events, 0)
            elif isinstance(event, DocumentEndEvent):
                self._anchors.clear()
        return root or YamlNode(None, Place(1, 1), 1)

    def _node(self, event: Event, events: Iterator[Event], depth: int) -> YamlNode:
        if depth > DEPTH_MAX:
            self._refuse(event, f"expected at most {DEPTH_MAX} nested values")
        if isinstance(event, AliasEvent):
            return self._alias(event)
        assert isinstance(event, NodeEvent)
        if event.anchor:
            self._anchors[event.anchor] = None
        if isinstance(event, ScalarEvent):
            node = self._scalar(event)
        elif isinstance(event, SequenceStartEvent):
            node = self._list(event, events, depth)
        else:
            assert isinstance(event, MappingStartEvent)
            node = self._mapping(event, events, depth)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._count(event, 1)
        return node

    def _alias(self, event: AliasEvent) -> YamlNode:
        node = self._anchors.get(event.anchor or "")
        if node is None:
            self._refuse(
                event, "found an alias (*) without an anchor before it; a text that begins with * needs quotes"
            )
        self._count(event, node.size)
        return node

    def _scalar(self, event: ScalarEvent) -> YamlNode:
        tag = event.tag or ""
        if tag not in {"", "!", *_TAGS}:
            self._refuse(event, "found a tag (!) that YAML does not have; a text that begins with ! needs quotes")
        plain = event.implicit[0] or (tag in _TAGS and not tag.endswith(":str"))
        value = _value(event.value) if plain else event.value
        if tag in _TAGS and not isinstance(value, _TAGS[tag]):
            self._refuse(event, f"this value is not of the type that its tag says: !!{tag.rpartition(':')[2]}")
        return YamlNode(value, _start(event), _last_line(event), text=event.value, style=event.style)

    def _list(self, event: Event, events: Iterator[Event], depth: int) -> YamlNode:
        node = YamlNode([], _start(event), 0)
        for each in events:
            if isinstance(each, SequenceEndEvent):
                node.last_line = _last_line(each)
                break
            node.items.append(self._node(each, events, depth + 1))
        node.value = [each.value for each in node.items]
        node.size += sum(each.size for each in node.items)
        return node

    def _mapping(self, event: Event, events: Iterator[Event], depth: int) -> YamlNode:
        node = YamlNode({}, _start(event), 0)
        merged: dict[str, tuple[Place, YamlNode]] | None = None
        for each in events:
            if isinstance(each, MappingEndEvent):
                node.last_line = _last_line(each)
                break
            key = self._node(each, events, depth + 1)
            if key.text is None:
                self._refuse(each, "expected the name of a setting, found a value in brackets")
            value = self._node(next(events), events, depth + 1)
            if key.text == "<<" and not key.style:
                if merged is not None:
                    self._refuse(each, "'<<' is here twice; expected one, with a list of aliases")
                merged = self._merge(each, value)
            elif key.text in node.keys:
                first = node.keys[key.text][0].line
                self._refuse(each, f"{key.text!r} is here twice, in line {first} and in line {key.place.line}")
            else:
                node.keys[key.text] = (key.place, value)
        node.keys |= {name: found for name, found in (merged or {}).items() if name not in node.keys}
        node.value = {name: found.value for name, (_, found) in node.keys.items()}
        node.size += sum(found.size for _, found in node.keys.values())
        return node

    def _merge(self, event: Event, value: YamlNode) -> dict[str, tuple[Place, YamlNode]]:
        """The settings of `<<`. Of several mappings, the first counts."""
        found: dict[str, tuple[Place, YamlNode]] = {}
        for each in value.items or [value]:
            if not isinstance(each.value, dict):
                self._refuse(event, "expected a mapping, or a list of mappings, after <<")
            found = each.keys | found
        return found

    def _count(self, event: Event, size: int) -> None:
        self._size += size
        if self._size > VALUES_MAX:
            self._refuse(event, f"expected at most {VALUES_MAX} values, with those that aliases repeat")

    def _refuse(self, event: Event, message: str) -> NoReturn:
        place = _start(event)
        raise ConfigError(f"not YAML: {message}", where=f"{self._name}:{place.line}:{place.column}")


def _start(event: Event) -> Place:
    mark: Any = event.start_mark
    return Place(mark.line + 1, mark.column + 1)


def _last_line(event: Event) -> int:
    mark: Any = event.end_mark
    return int(mark.line) + 1


def _value(text: str) -> Any:
    """The value of a text without quotes."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        number = Spelled(text)
        return int(number) if text == str(int(number)) else number
    return float(text) if _NUMBER.fullmatch(text) else text
