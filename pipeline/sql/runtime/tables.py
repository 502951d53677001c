"""Tables of values that rules keep as long as the process lives. Devices choose keys and values, so each table has a bound.

This file does not know statements or functions.
"""

from __future__ import annotations

from typing import Any, Final

from pipeline.sql.runtime.values import UNDEFINED, BadValueError, size_up_to

KEYS_MAX: Final = 100_000
VALUE_BYTES_MAX: Final = 65_536
TABLE_BYTES_MAX: Final = 64 << 20
# Memory of an entry besides what its key and its value take when they are written.
ENTRY_BYTES: Final = 256

Key = tuple[str, str | bytes]


class Table:
    """One table. Values count with the memory that they may take."""

    def __init__(self) -> None:
        self._entries: dict[Key, tuple[Any, int]] = {}
        self._size_bytes = 0

    def get(self, key: Key, default: Any = UNDEFINED) -> Any:
        """The value under a key, or the default."""
        found = self._entries.get(key)
        return default if found is None else found[0]

    def put(self, key: Key, value: Any) -> None:
        """Store a value under a key. Raises BadValueError if it is too large, or if the table is full."""
        size = size_up_to(value, VALUE_BYTES_MAX)
        if size > VALUE_BYTES_MAX:
            raise BadValueError(f"a value in a table takes at most {VALUE_BYTES_MAX} bytes")
        size += ENTRY_BYTES + len(key[1])
        _, before = self._entries.get(key, (None, 0))
        if not before and len(self._entries) >= KEYS_MAX:
            raise BadValueError(f"the table is full: it holds {KEYS_MAX} keys")
        if self._size_bytes + size - before > TABLE_BYTES_MAX:
            raise BadValueError(f"the table is full: its keys and values take {TABLE_BYTES_MAX} bytes")
        self._size_bytes += size - before
        self._entries[key] = value, size

    def pop(self, key: Key) -> Any:
        """Remove a key, and return its value, or undefined."""
        value, size = self._entries.pop(key, (UNDEFINED, 0))
        self._size_bytes -= size
        return value
