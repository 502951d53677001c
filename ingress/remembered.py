"""Facts about clients that are needed again at their next event: bounded in bytes, and forgotten after a time.

Devices choose names and values of any length. The oldest facts are dropped first.

Pure: the caller gives the time.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

ENTRY_BYTES: Final = 300  # memory of an entry besides its texts

Key = tuple[str, ...]


class _Noted(NamedTuple):
    fields: bytes
    size_bytes: int
    at: float


class Remembered:
    """Fields by key. `seconds_max` 0: they stay until they are taken, or there is no room."""

    def __init__(self, bytes_max: int, seconds_max: float = 0) -> None:
        self._bytes_max = bytes_max
        self._seconds_max = seconds_max
        self._noted: dict[Key, _Noted] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._noted)

    def note(self, key: Key, fields: dict[str, Any], now: float) -> None:
        """Remember the fields, in place of earlier fields with this key."""
        self._remove(key)
        text = orjson.dumps(fields)
        size_bytes = len(text) + sum(map(len, key)) + ENTRY_BYTES
        if size_bytes > self._bytes_max:
            return
        while self.size_bytes + size_bytes > self._bytes_max:
            self._remove(next(iter(self._noted)))
        self._noted[key] = _Noted(text, size_bytes, now)
        self.size_bytes += size_bytes

    def take(self, key: Key) -> dict[str, Any]:
        """Take the fields of a key, once. Empty if they were forgotten."""
        found = self._remove(key)
        fields: dict[str, Any] = orjson.loads(found.fields) if found is not None else {}
        return fields

    def forget(self, now: float) -> None:
        """Forget old fields. Call it regularly."""
        while self._seconds_max and self._noted:
            key, oldest = next(iter(self._noted.items()))
            if now - oldest.at < self._seconds_max:
                return
            self._remove(key)

    def _remove(self, key: Key) -> _Noted | None:
        found = self._noted.pop(key, None)
        if found is not None:
            self.size_bytes -= found.size_bytes
        return found
