"""Every object in one document, in the form of EMQX's configuration: what a client sees of it, and what it may write. Pure.

    connectors.s3.lake {…}, actions.s3.raw {…}, sources.mqtt.plant {…}, rule_engine.rules.hot {…}, schema_registry.schemas.x {…}

What a client sees, it may write back. Settings of a broker, and of processes, are in no topic, so they cannot be written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from pipeline.config import Rule
from pipeline.config.base.section import Section
from pipeline.config.base.values import parse_duration
from pipeline.config.dump import dump
from pipeline.config.load import load_object
from pipeline.config.model import Schema
from pipeline.control.objects import Snapshot, place_of
from pipeline.control.status import reset_key
from pipeline.errors import ConfigError
from pipeline.sql.functions.jq import TIME_LIMIT_MS
from pipeline.web.objects.forms import restored, settings_of, visible
from pipeline.web.objects.kinds import KINDS, NAME
from pipeline.web.objects.rules import settings_of_rule
from pipeline.web.objects.writing import Edit

ENGINE: Final = "rule_engine"
REGISTRY: Final = "schema_registry"
ROOTS: Final = (*KINDS, ENGINE, REGISTRY)
# EMQX's settings of the rule engine that have one value here, and the reason.
ENGINE_SETTINGS: Final[Mapping[str, Any]] = {
    "ignore_sys_message": False,
    "jq_function_default_timeout": f"{TIME_LIMIT_MS // 1000}s",
}
_FIXED: Final[Mapping[str, str]] = {
    "ignore_sys_message": "the topics of a source say whether it gets messages of $SYS",
    "jq_function_default_timeout": "a call may have a limit of its own: jq(program, json, timeout_ms)",
}
# Roots of EMQX under which a kind's objects stand, and the kind's setting in our own files.
_OF_FILE: Final[Mapping[str, str]] = {**{each: each for each in KINDS}, ENGINE: "rules", REGISTRY: "schemas"}
_PLAIN_KEY: Final = re.compile("(?!include)[A-Za-z_][-0-9A-Za-z_]*")


class Given(NamedTuple):
    """What a document gives: the roots that are in it, and its objects by key, as they were written."""

    roots: frozenset[str]
    objects: Mapping[str, Mapping[str, Any]]


# --- What a client sees


def seen(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    """All roots, with every setting. Secrets are masked."""
    config = snapshot.config
    found: dict[str, dict[str, Any]] = {}
    for setting, kind in KINDS.items():
        of_kind = found.setdefault(setting, {})
        for named in kind.all(config):
            of_kind.setdefault(named.type, {})[named.name] = visible(named.section)
    found[ENGINE] = {**ENGINE_SETTINGS, "rules": _dumped(config.rules)}
    found[REGISTRY] = {"schemas": _dumped(config.schemas)}
    return found


def _dumped(sections: Mapping[str, Section]) -> dict[str, Any]:
    return {name: dump(each, defaults=True, masked=True) for name, each in sections.items()}


def hocon(settings: Mapping[str, Any]) -> str:
    """A document as text. Its texts are those of JSON, in which `${` has no meaning."""
    return "".join(f"{line}\n" for line in _lines(settings, ""))


def _lines(settings: Mapping[str, Any], indent: str) -> Iterator[str]:
    for name, each in settings.items():
        key = name if _PLAIN_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)
        if isinstance(each, dict):
            yield f"{indent}{key} {{"
            yield from _lines(each, f"{indent}  ")
            yield f"{indent}}}"
        else:
            yield f"{indent}{key} = {json.dumps(each, ensure_ascii=False)}"


# --- What a client may write


def check_engine(settings: Mapping[str, Any]) -> None:
    """Check settings of the rule engine: those that it has, with the values that they have. Raises ConfigError."""
    raise_all([each for name, value in settings.items() for each in _engine_problem(name, value)])


def _engine_problem(name: str, value: Any) -> Iterator[ConfigError]:
    where = f"root.{name}"
    if name == "rules":
        yield ConfigError("rules are not settings: change them under /rules or /configs", where=where)
    elif name not in ENGINE_SETTINGS:
        yield ConfigError(f"there is no such setting: expected one of {', '.join(ENGINE_SETTINGS)}", where=where)
    elif not _same(value, ENGINE_SETTINGS[name]):
        yield ConfigError(f"cannot be changed here: {_FIXED[name]}", where=where)


def _same(value: Any, fixed: Any) -> bool:
    if isinstance(fixed, bool):
        return value is fixed
    try:
        return parse_duration(value) == parse_duration(fixed)
    except ValueError:
        return False


def given(document: Mapping[str, Any], *, ignore_others: bool = False) -> Given:
    """The objects of a document. Raises ConfigError for everything in it that cannot be written.

    `ignore_others`: leave out roots that Tidegate has none of.
    """
    roots = frozenset(ROOTS) & document.keys()
    others = [] if ignore_others else sorted(document.keys() - roots)
    problems = [
        ConfigError(f"cannot be set here: expected {', '.join(ROOTS)}", where=f"root.{each[:80]}") for each in others
    ]
    objects: dict[str, Mapping[str, Any]] = {}
    for root in sorted(roots):
        try:
            objects |= dict(_typed(root, document[root]) if root in KINDS else _plain(root, document[root]))
        except ConfigError as error:
            problems += error.parts or [error]
    raise_all(problems)
    return Given(roots, objects)


def raise_all(problems: list[ConfigError]) -> None:
    """Raise one ConfigError for all, if there are any."""
    if problems:
        raise ConfigError("\n".join(map(str, problems)), parts=problems)


def _typed(root: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    kind = KINDS[root]
    for type_, names in _settings(value, f"root.{root}").items():
        if type_ not in kind.types:
            why = f"there is no {kind.word} of this type: expected one of {', '.join(kind.types)}"
            raise ConfigError(why, where=f"root.{root}.{type_[:80]}")
        for name, each in _named(names, f"root.{root}.{type_}"):
            yield kind.key(type_, name), each


def _plain(root: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    setting = _OF_FILE[root]
    rest = dict(_settings(value, f"root.{root}"))
    objects = rest.pop(setting, {})
    if root == ENGINE:
        check_engine(rest)
    elif rest:
        raise ConfigError("there is no such setting: expected schemas", where=f"root.{root}.{min(rest)[:80]}")
    for name, each in _named(objects, f"root.{root}.{setting}"):
        yield f"{setting.removesuffix('s')}/{name}", each


def _named(value: Any, where: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, each in _settings(value, where).items():
        if not NAME.fullmatch(name):
            raise ConfigError("expected a name of letters, digits, - and _", where=f"{where}.{name[:80]}")
        yield name, _settings(each, f"{where}.{name}")


def _settings(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ConfigError(f"expected settings by name, found {type(value).__name__}", where=where)
    return value


# --- The change


def edit(snapshot: Snapshot, written: Given, *, replace: bool) -> Edit:
    """What becomes of the objects. A merge keeps what is not given, of each object too.

    `replace`: objects that are not given are deleted, in the roots that are. An object that stays the same is left alone.
    """
    puts = {key: _value(snapshot, key, each, replace) for key, each in written.objects.items()}
    gone = {
        key
        for key in snapshot.objects.keys() - puts.keys()
        if replace and (place := place_of(key)) and place.setting in {_OF_FILE[root] for root in written.roots}
    }
    stored = {key: snapshot.objects.get(key) for key in (*puts, *gone)}
    expected = {key: each.revision if each else None for key, each in stored.items()}
    puts = {key: each for key, each in puts.items() if (found := stored[key]) is None or found.value != each}
    resets = {reset_key("rules", key.removeprefix("rule/")) for key in gone if key.startswith("rule/")}
    return Edit(puts, frozenset(gone | resets), expected)


def _value(snapshot: Snapshot, key: str, settings: Mapping[str, Any], replace: bool) -> dict[str, Any]:
    place, stored = place_of(key), snapshot.objects.get(key)
    assert place is not None
    section = KINDS[place.setting].types[place.type] if place.type else Rule if place.setting == "rules" else Schema
    try:
        own = settings_of_rule(place.name, settings) if section is Rule else settings_of(settings, section)
        made = own if replace or stored is None else _merged(stored.value, own)
        return restored(made, load_object(section, dict(stored.value)) if stored else None) if place.type else made
    except ConfigError as error:
        raise ConfigError(error.message, where=error.where.replace("root", ".".join(place.path), 1)) from error


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`new` over `old`, at every depth."""
    inner = {
        name: _merged(old[name], each)
        for name, each in new.items()
        if isinstance(each, dict) and isinstance(old.get(name), dict)
    }
    return {**old, **new, **inner}
