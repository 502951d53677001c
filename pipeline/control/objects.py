"""The objects of the configuration in Kafka, a change of them, and the whole configuration that follows from them.

Each object has a key: `connector/s3/lake`, `action/s3/hot`, `source/mqtt/plant`, `rule/hot`, `schema/x`. These make the
configuration. Other keys (users, sessions, API keys) are stored beside them and mean nothing to it.

An object is stored with the texts that were written: durations, sizes and references keep their spelling. A secret is a
reference, or is sealed: whoever writes seals a clear one with the key that the topic announces. Without a key it is
refused, because everybody who may read the topic would read it.

Pure. config_log.py reads and writes the topic.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from msgspec import Struct, field

from pipeline.action import problems
from pipeline.config import Config
from pipeline.config.base.clear import ClearText, clear_in, refusal_of, replaced
from pipeline.config.base.section import Section, keys_of
from pipeline.config.dump import dump
from pipeline.config.load import OBJECT_SETTINGS, load, load_object
from pipeline.config.text.problems import dotted
from pipeline.control.status import Parts
from pipeline.errors import ConfigError, StaleError

# Kinds of objects, and the setting of the configuration that holds them. The first three have types below: connector/s3/lake.
TYPED: Final[Mapping[str, Parts]] = {"source": "sources", "connector": "connectors", "action": "actions"}
PLAIN: Final = {"rule": "rules", "schema": "schemas"}
# The key of the object that says whose topic it is. The first change of a topic writes it.
OWNER: Final = "pipeline"
# The key of the object that announces the public key of secrets: `{"public": …, "id": …}`.
SECRETS_KEY: Final = "key/secrets"

Value = Mapping[str, Any]

# How deep lists and objects may lie in each other: deeper ones cannot be encoded, or not be read, everywhere.
NESTED_MAX: Final = 200


class Stored(Struct, frozen=True):
    """An object of the topic. `value` is its JSON as a file has it; `revision` is the offset of its record.

    `by` changed it last, at `at` (milliseconds since 1970), through `source`: rest, apply, import, page.
    """

    value: Value
    revision: int
    by: str
    at: int
    source: str
    created: int = 0  # when its key came into the topic, in the same unit


class Snapshot(Struct, frozen=True):
    """What the topic says at one moment: never half of a change.

    `revision` is the highest offset that was read, markers of transactions included. `config` is the whole that follows from the
    objects and the process's file; it has the same revision. If this program cannot use what is there, `problem` says why, and
    `config` is the last whole that it could use.
    """

    objects: Mapping[str, Stored]
    revision: int
    config: Config
    problem: str = ""


class Change(Struct, frozen=True):
    """What becomes of some objects, all at once or not at all.

    `expected` has the revision that an object must have (If-Match), None if it must not exist; a key that is not in it is not
    compared. `sources` replaces `source` for single keys.
    """

    puts: Mapping[str, Value] = field(default_factory=dict)
    deletes: frozenset[str] = frozenset()
    expected: Mapping[str, int | None] = field(default_factory=dict)
    by: str = ""
    source: str = ""
    sources: Mapping[str, str] = field(default_factory=dict)


# --- Keys


class ObjectPlace(NamedTuple):
    """Where an object stands in the configuration: `setting`, type (empty for rules and schemas), name."""

    setting: str
    type: str
    name: str

    @property
    def path(self) -> tuple[str, ...]:
        """The path of its setting in a file."""
        return tuple(part for part in self if part)


def place_of(key: str) -> ObjectPlace | None:
    """The place of an object by its key; None if the key is not one of an object of the configuration."""
    kind, *parts = key.split("/")
    if kind in TYPED and len(parts) == 2 and all(parts):
        return ObjectPlace(TYPED[kind], *parts)
    if kind in PLAIN and len(parts) == 1 and parts[0]:
        return ObjectPlace(PLAIN[kind], "", parts[0])
    return None


def key_at(path: tuple[str | int, ...]) -> str | None:
    """The key of the object around a setting: `rule/hot` for ("rules", "hot", "sql"). None if there is none."""
    for kinds, length in ((TYPED, 3), (PLAIN, 2)):
        for kind, setting in kinds.items():
            if path[:1] == (setting,) and len(path) >= length:
                return "/".join((kind, *map(str, path[1:length])))
    return None


# --- From a configuration to objects, and back


def objects_of(config: Config) -> dict[str, dict[str, Any]]:
    """All objects of a configuration by key, with the texts that were written."""
    found: dict[str, dict[str, Any]] = {}
    for kind, setting in TYPED.items():
        section: Section = getattr(config, setting)
        for attribute, each in type(section).model_fields.items():
            for name, item in getattr(section, attribute).items():
                found[f"{kind}/{keys_of(attribute, each)[0]}/{name}"] = dump(item)
    for kind, plain in PLAIN.items():
        found |= {f"{kind}/{name}": dump(item) for name, item in getattr(config, plain).items()}
    return found


def sections_of(values: Mapping[str, Value]) -> dict[str, Any]:
    """Objects in the form of a file: `{"rules": {"hot": …}}`. Keys of other things are left out."""
    found: dict[str, Any] = {}
    for key, value in sorted(values.items()):
        place = place_of(key)
        if place is None:
            continue
        section = found.setdefault(place.setting, {})
        if place.type:
            section = section.setdefault(place.type, {})
        section[place.name] = dict(value)
    return found


def own_settings(config: Config) -> dict[str, Any]:
    """What a process's own file says: everything but objects."""
    return {name: value for name, value in dump(config).items() if name not in OBJECT_SETTINGS}


def whole(base: Config, values: Mapping[str, Value], revision: int = 0, *, check: bool = True) -> Config:
    """The configuration of the process's own file and of objects. Raises ConfigError, which names all wrong settings.

    Without `check`, references between objects are not checked.
    """
    owner = values.get(OWNER, {}).get("name", base.pipeline)
    if owner != base.pipeline:
        raise ConfigError(
            f"expected the topic of pipeline {base.pipeline!r}, found that of {owner!r}: each pipeline needs its own topic",
            where="control.topic",
        )
    data = {**own_settings(base), **sections_of(values)}
    config = load(data) if check else load_object(Config, data)
    config.is_revision(revision)
    return config


def checked(base: Config, values: Mapping[str, Value]) -> Config:
    """The whole, with every rule and template compiled and without a secret that cannot be stored. Raises ConfigError."""
    config = whole(base, values)
    parts = [each if isinstance(each, ConfigError) else ConfigError(str(each)) for each in problems(config)]
    refused = [(each, refusal_of(each, seals=SECRETS_KEY in values)) for each in _clear_texts(config)]
    parts += [ConfigError(reason, where=dotted(each.path)) for each, reason in refused if reason]
    if parts:
        raise ConfigError("\n".join(map(str, parts)), parts=parts)
    return config


def _clear_texts(config: Config) -> list[ClearText]:
    return [each for setting in OBJECT_SETTINGS for each in clear_in(getattr(config, setting), (setting,))]


# --- Changes


def is_too_deep(value: Any) -> bool:
    """Whether lists and objects lie deeper in a value of JSON than NESTED_MAX levels."""
    level = [value]
    for _ in range(NESTED_MAX):
        inner = [each for each in level if isinstance(each, list | dict)]
        if not inner:
            return False
        level = [part for each in inner for part in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, list | dict) for each in level)


def check_expected(objects: Mapping[str, Stored], expected: Mapping[str, int | None]) -> None:
    """Compare the revisions that a change expects. Raises StaleError for the first object that differs."""
    for key, revision in expected.items():
        found = objects.get(key)
        if (found.revision if found else None) != revision:
            raise StaleError(key, found)


def after(objects: Mapping[str, Stored], change: Change) -> dict[str, Value]:
    """The values of all objects after a change."""
    found: dict[str, Value] = {key: each.value for key, each in objects.items() if key not in change.deletes}
    return found | dict(change.puts)


def written_values(
    base: Config, objects: Mapping[str, Stored], change: Change, seal: Callable[[str], str] | None = None
) -> dict[str, Value | None]:
    """What a change writes, by key: values as they are read back, with clear secrets sealed; None for a deletion.

    Checks the whole that follows, and raises ConfigError. A change that touches no object of the configuration is not checked.
    `seal` seals with the key that `objects` announce; None if they announce none.
    """
    _check_nesting(change.puts)
    puts: dict[str, Value | None] = dict(change.puts)
    if any(place_of(key) for key in (*change.puts, *change.deletes)):
        config = checked(base, after(objects, change))
        read = objects_of(config)
        for each in _clear_texts(config):
            key = key_at(each.path)
            if seal is not None and key in puts and not each.is_harmless:
                place = place_of(key)
                assert place is not None
                read[key] = replaced(read[key], each.path[len(place.path) :], seal(each.text))
        puts |= {key: read[key] for key in puts if key in read}
        if OWNER not in objects:
            puts[OWNER] = {"name": base.pipeline}
    return puts | dict.fromkeys(change.deletes & objects.keys() - change.puts.keys())


def _check_nesting(puts: Mapping[str, Value]) -> None:
    for key, value in puts.items():
        if is_too_deep(value):
            place = place_of(key)
            reason = f"expected at most {NESTED_MAX} lists and objects in each other"
            raise ConfigError(reason, where=dotted(place.path) if place else key)
