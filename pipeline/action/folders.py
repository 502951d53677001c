"""The folders of aggregated actions, which a device must not reach with a row of a direct action.

An aggregated action never replaces an object, so a foreign object with one of its keys stops it. If the fixed text of a
direct key is itself in such a folder, a person wants this, and `tidegate check` only warns. Pure.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pipeline.config import AggregatedParameters, Config, DirectParameters
from pipeline.template.object_key import literal_prefix
from pipeline.template.object_names import readings

_SLASHES: Final = re.compile(r"[/\\]+")


class Folder(NamedTuple):
    """A folder of a bucket, with its slash, and the action that has its objects there."""

    bucket: str
    prefix: str
    action: str

    def problem(self, bucket: str, key: str) -> str:
        """The problem with an object in this folder, or an empty text. `hot` itself is a problem: some stores keep files."""
        if bucket != self.bucket:
            return ""
        if any(each.startswith(self.prefix) or self.prefix.startswith(f"{each}/") for each in _tidied(key)):
            return f"expected a key outside of {self.prefix}, where the objects of s3:{self.action} lie, found {key[:80]!a}"
        return ""


def _tidied(key: str) -> list[str]:
    """A key in the forms that a store or a proxy may make of it."""
    return [key] if key.isalnum() else [_tidy(each) for each in readings(key)]


def _tidy(key: str) -> str:
    return _SLASHES.sub("/", key).lstrip("/")


def one_store(config: Config, *names: str) -> bool:
    """Whether actions write to the same store."""
    connectors = [config.connectors.s3[config.actions.s3[name].connector] for name in names]
    return len({(each.host, each.port) for each in connectors}) == 1


def folders(config: Config, name: str) -> tuple[Folder, ...]:
    """The folders that rows of this direct action must not enter."""
    own = config.actions.s3[name]
    assert isinstance(own.parameters, DirectParameters)
    fixed = _tidy(literal_prefix(own.parameters.key))
    found = []
    for other, action in config.actions.s3.items():
        theirs = action.parameters
        if not isinstance(theirs, AggregatedParameters) or not one_store(config, name, other):
            continue
        prefix = _tidy(literal_prefix(theirs.key)).rpartition("/")[0] + "/"
        if prefix != "/" and "${" not in theirs.bucket and not fixed.startswith(prefix):
            found.append(Folder(theirs.bucket, prefix, other))
    return tuple(found)
