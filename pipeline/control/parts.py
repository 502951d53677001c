"""The parts of a configuration that several files hold: their objects together, and the file and line of what is wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pipeline.config import Config
from pipeline.config.text.places import path_of
from pipeline.control.objects import key_at, objects_of, place_of
from pipeline.errors import ConfigError


def objects_of_all(parts: Sequence[Config]) -> dict[str, dict[str, Any]]:
    """The objects of all parts by key. Raises ConfigError for one that two files have."""
    found: dict[str, dict[str, Any]] = {}
    places: dict[str, str] = {}
    for part in parts:
        for key, value in objects_of(part).items():
            place = place_of(key)
            assert place is not None
            where = part.places.of(place.path)
            if key in found:
                raise ConfigError(f"{key} is in {places[key]} too", where=where)
            found[key], places[key] = value, where
    return found


@contextmanager
def placed_in(parts: Sequence[Config]) -> Iterator[None]:
    """Add the file and line of each setting to the ConfigErrors of the block."""
    try:
        yield
    except ConfigError as error:
        found = [_placed(each, parts) for each in error.parts or [error]]
        raise ConfigError("\n".join(map(str, found)), parts=found) from None


def _placed(error: ConfigError, parts: Sequence[Config]) -> ConfigError:
    path = path_of(error.where)
    key = key_at(tuple(path))
    part = next((part for part in parts if key is not None and key in objects_of(part)), None)
    return ConfigError(error.message, where=f"{part.places.of(path)}: {error.where}" if part else error.where)
