"""Limits the bytes that a listener holds because of devices: parts of packets, wills, topic aliases, unreleased
messages of QoS 2.

All devices together have a limit. Beyond it, the largest holder at the largest address has to give up its bytes.

Pure. This file does not know the content.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, Protocol


class Holder(Protocol):
    """An object that holds bytes for a device."""

    def give_up(self) -> None:
        """Release everything."""


class _Held(NamedTuple):
    address: str
    size_bytes: int


class Memory:
    """The memory of one listener."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held: dict[Holder, _Held] = {}
        self.held_bytes = 0

    def hold(self, holder: Holder, address: str, size_bytes: int) -> None:
        """Note that `holder` holds this number of bytes now. It or others may have to give up theirs."""
        before = self._held.pop(holder, None)
        if before is not None:
            self.held_bytes -= before.size_bytes
        if size_bytes:
            self._held[holder] = _Held(address, size_bytes)
            self.held_bytes += size_bytes
        while self.held_bytes > self._bytes_max:
            most = self._most()
            self.hold(most, "", 0)
            most.give_up()

    def _most(self) -> Holder:
        by_address: Counter[str] = Counter()
        for held in self._held.values():
            by_address[held.address] += held.size_bytes
        (address, _), *_ = by_address.most_common(1)
        own = [(held.size_bytes, holder) for holder, held in self._held.items() if held.address == address]
        return max(own, key=lambda each: each[0])[1]
