"""Seals clear secrets before they are written to the topic, and finds those that are sealed there already.

The topic announces the public key, as the object `key/secrets`. So every writer can seal, also one that can open nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from pipeline.config.base.sealed import PREFIX, PrivateKey, key_of, seal, unseal
from pipeline.control.objects import SECRETS_KEY, Stored, Value
from pipeline.errors import ConfigError


def sealer_of(objects: Mapping[str, Stored]) -> Callable[[str], str] | None:
    """What seals with the key that the topic announces; None if it announces none."""
    announced = objects.get(SECRETS_KEY)
    return partial(seal, public=str(announced.value.get("public"))) if announced else None


def announced(key: PrivateKey) -> dict[str, Value]:
    """The object that announces a key."""
    return {SECRETS_KEY: {"id": key.id, "public": key.public}}


def kept(objects: Mapping[str, Stored], wanted: Mapping[str, Value]) -> dict[str, Value]:
    """The wanted objects with the stored text for each secret that this process can open and that has not changed.

    Each sealing of a secret gives another text. Without this, an object with a clear secret would differ from itself.
    """
    return {key: _kept(objects[key].value, value) if key in objects else value for key, value in wanted.items()}


def _kept(stored: Any, wanted: Any) -> Any:
    if isinstance(stored, Mapping) and isinstance(wanted, Mapping):
        return {name: _kept(stored.get(name), each) for name, each in wanted.items()}
    if isinstance(stored, list) and isinstance(wanted, list) and len(stored) == len(wanted):
        return [_kept(*each) for each in zip(stored, wanted, strict=True)]
    return stored if isinstance(stored, str) and stored.startswith(PREFIX) and _opens_to(stored, wanted) else wanted


def _opens_to(sealed: str, text: Any) -> bool:
    try:
        return isinstance(text, str) and unseal(sealed) == text
    except ConfigError:
        return False


def sealed_again(value: Any, key: PrivateKey) -> Any:
    """Plain data with each sealed text sealed for this key. Raises ConfigError for one that this process cannot open."""
    if isinstance(value, Mapping):
        return {name: sealed_again(each, key) for name, each in value.items()}
    if isinstance(value, list):
        return [sealed_again(each, key) for each in value]
    if isinstance(value, str) and value.startswith(PREFIX) and key_of(value) != key.id:
        return seal(unseal(value), key.public)
    return value
