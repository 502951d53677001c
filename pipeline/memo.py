"""Answers that are cached by what devices choose: topic names, keys, patterns.

A bound on their number is not enough, because a device also chooses how long they are. So a memo also has a bound on its bytes.
A full memo is emptied, which is cheaper than an order of its entries.

Pure.
"""

from __future__ import annotations

from typing import Final, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")

# Memory of an entry besides what the caller counts.
ENTRY_BYTES: Final = 256
# A larger answer is not cached: it would drive out this part of all others.
SHARE: Final = 16


class Memo(dict[Key, Value]):
    """A dictionary of answers. `remember` adds one; a look-up costs what it costs in a dictionary."""

    def __init__(self, entries_max: int, bytes_max: int) -> None:
        super().__init__()
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self.size_bytes = 0

    def remember(self, key: Key, value: Value, size_bytes: int) -> Value:
        """Cache an answer whose key and value together take about `size_bytes`, and return it."""
        size_bytes += ENTRY_BYTES
        if size_bytes > self._bytes_max // SHARE:
            return value
        if len(self) >= self._entries_max or self.size_bytes + size_bytes > self._bytes_max:
            self.clear()
        self.size_bytes += size_bytes
        self[key] = value
        return value

    def clear(self) -> None:
        """Forget all answers."""
        super().clear()
        self.size_bytes = 0
