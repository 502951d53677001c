"""What a client sees of an object, and what it may send back.

It sees every setting with its default, and ****** or the name of a variable or file in the place of each secret. What it sees,
it may send back: fields that the API adds are left out, and a masked text stands for the stored one. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipeline.config.base.secrets import MASK
from pipeline.config.base.section import Section, keys_of
from pipeline.config.dump import dump
from pipeline.errors import ConfigError

# Fields that answers have beside the settings. A client that changes an object sends them back.
READ_ONLY: Final = frozenset(
    {
        *("id", "status", "status_reason", "node_status", "error", "namespace", "revision"),
        *("created_at", "last_modified_at", "last_modified_by", "actions", "sources", "rules"),
        *("from", "action_details", "idForRuleFrom", "metadata", "name", "type"),
    }
)
# Settings that every object has in EMQX. Where ours has none, an answer has this value, and a body may only have it too.
ADDED: Final[Mapping[str, Any]] = {"enable": True, "resource_opts": {}}
# What no answer shows of objects that are not of the configuration.
_HIDDEN: Final = frozenset({"password_hash", "secret_hash", "secret_digest"})


def visible(section: Section) -> dict[str, Any]:
    """All settings of an object, secrets masked."""
    return {**ADDED, **dump(section, defaults=True, masked=True)}


def shown(key: str, value: Mapping[str, Any]) -> dict[str, Any]:
    """The value of any key without what is secret, for answers about changes. Values of settings are masked by their names."""
    return {name: _masked(name, each) for name, each in value.items() if name not in _HIDDEN}


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        inner = name == "headers"
        return {key: MASK if inner else _masked(key, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_masked(name, each) for each in value]
    secret = any(word in name.lower() for word in ("secret", "password", "token", "keyfile"))
    clear = isinstance(value, str) and not value.startswith(("${", "file://"))
    return MASK if secret and clear and value else value


def settings_of(body: Mapping[str, Any], section: type[Section]) -> dict[str, Any]:
    """The settings in a body, without the fields that answers add. Unknown names stay, and are refused by the model."""
    known = {key for name, field in section.model_fields.items() for key in keys_of(name, field)}
    return {
        key: value
        for key, value in body.items()
        if key in known or (key not in READ_ONLY and not (key in ADDED and value == ADDED[key]))
    }


def restored(data: Mapping[str, Any], stored: Section | None) -> dict[str, Any]:
    """`data` with the stored text in the place of each masked one. Raises ConfigError if no text is stored there."""
    clear = dump(stored) if stored is not None else {}
    masked = dump(stored, masked=True) if stored is not None else {}
    found = {key: _restored(value, masked.get(key), clear.get(key)) for key, value in data.items()}
    for path in _masks(found, ()):
        raise ConfigError(
            f"expected the secret itself: {MASK} stands for a stored one, and none is stored here",
            where=".".join(("root", *path)),
        )
    return found


def _restored(value: Any, masked: Any, clear: Any) -> Any:
    if isinstance(value, dict) and isinstance(masked, dict) and isinstance(clear, dict):
        return {key: _restored(each, masked.get(key), clear.get(key)) for key, each in value.items()}
    if isinstance(value, list) and isinstance(masked, list) and isinstance(clear, list) and len(value) == len(masked):
        return [_restored(*each) for each in zip(value, masked, clear, strict=True)]
    if isinstance(masked, str) and value == masked and clear is not None:
        return clear
    return value


def _masks(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if value == MASK:
        yield path
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _masks(each, (*path, str(key)))
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from _masks(each, (*path, str(number)))
