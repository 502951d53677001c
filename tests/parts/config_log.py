"""The configuration in memory: what pipeline/control/config_log.py does with Kafka, for tests of what stands on it.

It compares, checks the whole and decodes as that file does, with the same functions; only the topic is a list. `rival` is a
change that somebody else makes just before the next write, and `away` an error that every write meets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.config import Config
from pipeline.config.load import load
from pipeline.control.objects import Change, Snapshot, Stored, check_expected, whole, written_values
from pipeline.control.records import Past
from pipeline.control.sealing import sealer_of
from pipeline.errors import TidegateError

BASE: Mapping[str, Any] = {"pipeline": "plant", "kafka": {"bootstrap_servers": "127.0.0.1:1"}}


class MemoryLog:
    """One pipeline's configuration."""

    def __init__(self, base: Config | None = None, now_ms: Callable[[], int] = lambda: 1_764_000_000_000) -> None:
        self._base = base or load(BASE)
        self._now_ms = now_ms
        self._moved = asyncio.Condition()
        self._past: list[Past] = []
        self.snapshot = Snapshot({}, -1, self._base)
        self.error = ""
        self.rival: Change | None = None
        self.away: TidegateError | None = None

    @property
    def trouble(self) -> str:
        """Why the topic cannot be read, or Kafka does not answer."""
        return self.error or str(self.away or "")

    async def write(self, change: Change) -> Snapshot:
        """Write a change. Raises StaleError or ConfigError."""
        if self.away is not None:
            raise self.away
        rival, self.rival = self.rival, None
        if rival is not None:
            await self.write(rival)
        objects = self.snapshot.objects
        check_expected(objects, change.expected)
        values = written_values(self._base, objects, change, sealer_of(objects))
        if values:
            self._take({key: json.loads(json.dumps(value)) for key, value in values.items()}, change)
            async with self._moved:
                self._moved.notify_all()
        return self.snapshot

    def _take(self, values: Mapping[str, Any], change: Change) -> None:
        objects, offset, now = dict(self.snapshot.objects), self.snapshot.revision, self._now_ms()
        number = str(offset)
        for key, value in values.items():
            offset += 1
            created = objects[key].created if key in objects else now
            stored = None if value is None else Stored(value, offset, change.by, now, change.source, created)
            self._past.append(Past(key, stored, offset, change.by, now, change.source, number))
            objects.pop(key, None)
            if stored is not None:
                objects[key] = stored
        offset += 1  # the marker that ends a transaction has an offset too
        config = whole(self._base, {key: each.value for key, each in objects.items()}, offset)
        self.snapshot = Snapshot(objects, offset, config)

    async def changed(self, after: int) -> Snapshot:
        """Wait for a revision above `after`."""
        async with self._moved:
            await self._moved.wait_for(lambda: self.snapshot.revision > after)
            return self.snapshot

    async def history(self, key: str | None = None) -> list[Past]:
        """All records, oldest first; those of one object, if `key` is given."""
        return [each for each in self._past if key in (None, each.key)]
