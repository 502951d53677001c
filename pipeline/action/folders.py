"""The folders of aggregated actions, which a device must not reach with a row of a direct action.

An aggregated action never replaces an object, so a foreign object with one of its keys stops it. If the fixed text of a
direct key is itself in such a folder, a person wants this, and `tidegate check` only warns. Pure.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from pipeline.config import AggregatedParameters, Config, DirectParameters
from pipeline.template.object_key import literal_prefix

_SLASHES: Final = re.compile(r"/{2,}")


class Folder(NamedTuple):
    """A folder of a bucket, with its slash, and the action that has its objects there."""

    bucket: str
    prefix: str
    action: str

    def problem(self, bucket: str, key: str) -> str:
        """The problem with an object in this folder, or an empty text. `hot` itself is a problem: some stores keep files."""
        if bucket != self.bucket:
            return ""
        tidied = _SLASHES.sub("/", key).lstrip("/") if "/" in key else key
        if tidied.startswith(self.prefix) or self.prefix.startswith(f"{tidied}/"):
            return f"expected a key outside of {self.prefix}, where the objects of s3:{self.action} lie, found {key[:80]!a}"
        return ""


def one_store(config: Config, *names: str) -> bool:
    """Whether actions write to the same store."""
    connectors = [config.connectors.s3[config.actions.s3[name].connector] for name in names]
    return len({(each.host, each.port) for each in connectors}) == 1


def folders(config: Config, name: str) -> tuple[Folder, ...]:
    """The folders that rows of this direct action must not enter."""
    own = config.actions.s3[name]
    assert isinstance(own.parameters, DirectParameters)
    fixed = own.parameters.key.partition("${")[0]
    found = []
    for other, action in config.actions.s3.items():
        theirs = action.parameters
        if not isinstance(theirs, AggregatedParameters) or not one_store(config, name, other):
            continue
        prefix = literal_prefix(theirs.key).rpartition("/")[0] + "/"
        if prefix != "/" and "${" not in theirs.bucket and not fixed.startswith(prefix):
            found.append(Folder(theirs.bucket, prefix, other))
    return tuple(found)
