"""One change of one object: read what is there, make the new value, write it if nobody was faster, else begin again.

A client that names a revision (If-Match) is told when the object has another one. A client that names none gets EMQX's
behaviour: the last writer wins. In both cases the new value is made of what is really replaced, so no change of a part, and no
masked secret, is mixed with a value that is gone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from pipeline.control.objects import Change, Snapshot, Stored
from pipeline.control.records import Past
from pipeline.errors import ConflictError, StaleError
from pipeline.log import get_logger
from pipeline.web.people.accounts import OWN_RECORDS
from pipeline.web.people.caller import Caller

TRIES_MAX: Final = 10
NEWS_SECONDS: Final = 5.0

log: Final = get_logger("tidegate.api")


class Log(Protocol):
    """What the API needs of the configuration in Kafka: pipeline/control/config_log.py."""

    @property
    def snapshot(self) -> Snapshot:
        """The snapshot that was read last."""

    @property
    def error(self) -> str:
        """Why the topic cannot be read now; empty while it can."""

    @property
    def trouble(self) -> str:
        """The same, or why Kafka does not answer now."""

    async def write(self, change: Change) -> Snapshot:
        """Write a change. Raises StaleError, ConfigError or ConnectorError."""

    async def history(self, key: str | None = None) -> list[Past]:
        """All records that the topic still has, oldest first. Raises ConnectorError."""

    async def changed(self, after: int) -> Snapshot:
        """Wait for a revision above `after`."""


@dataclass(frozen=True)
class Edit:
    """What becomes of some keys. `expected`: of further keys that this rests on."""

    puts: Mapping[str, Any] = field(default_factory=dict)
    deletes: frozenset[str] = frozenset()
    expected: Mapping[str, int | None] = field(default_factory=dict)


Make = Callable[[Snapshot, Stored | None], Edit]


async def write(
    config_log: Log, caller: Caller, key: str, make: Make, if_match: frozenset[int] | None = None
) -> Snapshot:
    """Write what `make` makes of the object with this key, and return the snapshot that has it.

    `make` gets the snapshot and the object in it, None if there is none; its errors pass through. Raises StaleError if the object
    has none of the revisions of `if_match`, and what `Log.write` raises.
    """
    for _ in range(TRIES_MAX):
        snapshot = config_log.snapshot
        found = snapshot.objects.get(key)
        edit = make(snapshot, found)
        if if_match is not None and (found is None or found.revision not in if_match):
            raise StaleError(key, found)
        expected = {key: found.revision if found else None, **edit.expected}
        change = Change(edit.puts, edit.deletes, expected, by=caller.name, source=caller.source)
        try:
            after = await config_log.write(change)
        except StaleError:
            with suppress(TimeoutError):
                async with asyncio.timeout(NEWS_SECONDS):
                    await config_log.changed(snapshot.revision)
            continue
        _tell(caller, edit, after.revision)
        return after
    raise ConflictError(f"{key}: others changed it {TRIES_MAX} times meanwhile; try again")


def _tell(caller: Caller, edit: Edit, revision: int) -> None:
    """One line of the audit log: who changed what, and from where. Never the values. Its own records are left out."""
    keys = [each for each in (*edit.puts, *sorted(edit.deletes)) if not each.startswith(OWN_RECORDS)]
    if keys:
        log.info(
            "config.changed",
            by=caller.name,
            through=caller.through,
            address=caller.address,
            keys=keys,
            revision=revision,
        )
