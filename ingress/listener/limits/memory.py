"""The bytes that devices make a listener hold: parts of packets, wills, topic aliases, messages of QoS 2 that are not released.

All together have a bound. Beyond it whoever holds most has to give it up, at the address that holds most.

Pure. This file does not know what is held.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple, Protocol


class Holder(Protocol):
    """What holds bytes for a device."""

    def give_up(self) -> None:
        """Hold nothing any more."""


class _Held(NamedTuple):
    address: str
    size_bytes: int


class Memory:
    """Of one listener."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._held: dict[Holder, _Held] = {}
        self.held_bytes = 0

    def hold(self, holder: Holder, address: str, size_bytes: int) -> None:
        """`holder` holds so much now, 0 for nothing. Others, or itself, may have to give up what they hold."""
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
