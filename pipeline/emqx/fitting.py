"""Leaves out of a takeover what the whole configuration cannot be used with. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config import Config
from pipeline.config.text.places import path_of
from pipeline.control.objects import Change, Stored, after, checked, key_at
from pipeline.emqx.translate import Takeover
from pipeline.errors import ConfigError


def fit(base: Config, objects: Mapping[str, Stored], to: Takeover) -> None:
    """Drop objects with their reasons, until what is left can be stored. Raises ConfigError if it is not their fault."""
    while True:
        try:
            checked(base, after(objects, Change(to.objects)))
            return
        except ConfigError as error:
            wrong = {key_at(tuple(path_of(each.where))): each for each in error.parts or [error]}
            ours = {key: each for key, each in wrong.items() if key in to.objects}
            if not ours:
                raise
            for key, each in ours.items():
                assert key is not None
                to.drop(key, str(each))
