"""The window: messages that were received and are not acknowledged yet, in the order of arrival.

Kafka answers by partition, and so out of order. MQTT requires acknowledgements in the order of arrival [MQTT-4.6.0-2]. So a
message leaves the window only after all earlier messages. Pure: no I/O, no clock.

This file knows neither the content of a record nor the reason of a refusal.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from pipeline.record import Outgoing, Prepared


class Delivery(msgspec.Struct, eq=False):
    """One message under way. The producer calls it with the result. `mid` is 0 for QoS 0, which has no acknowledgement.

    It holds the fields of its record, because to make a record as well costs a tenth of a message. A Struct is made in C.
    """

    window: Window
    mid: int
    topic: str  # topic in Kafka
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int
    size_bytes: int
    done: bool = False
    tries: int = 0  # how often Kafka has refused it

    @property
    def record(self) -> Outgoing:
        """The record on its way."""
        return Outgoing(self.key, self.value, self.headers, self.timestamp_ms)

    def __call__(self, error: Any, message: Any) -> None:
        if error is None:
            self.done = True
        else:
            self.window.failed.append(Refusal(self, error))


class Settled(NamedTuple):
    """Finished messages: their number, and the packet identifiers to acknowledge."""

    messages: int
    mids: list[int]


class Refusal(NamedTuple):
    """A delivery that Kafka has refused, and the error."""

    delivery: Delivery
    error: Any


class Window:
    """Deliveries in order of arrival, bounded by number and by bytes.

    Reading should pause while the window is `full`. One read is always taken whole, so the window can exceed its limits
    by one read.
    """

    __slots__ = ("_bytes", "_bytes_max", "_messages_max", "_pending", "failed")
    _delivery: type[Delivery] = Delivery

    def __init__(self, messages_max: int, bytes_max: int) -> None:
        self._messages_max = messages_max
        self._bytes_max = bytes_max
        self._bytes = 0
        self._pending: deque[Delivery] = deque()
        self.failed: list[Refusal] = []

    def __len__(self) -> int:
        return len(self._pending)

    @property
    def full(self) -> bool:
        """Whether reading should pause."""
        return len(self._pending) >= self._messages_max or self._bytes >= self._bytes_max

    @property
    def oldest(self) -> Delivery | None:
        """The first message, for which all others wait."""
        return self._pending[0] if self._pending else None

    def add(self, mid: int, topic: str, record: Outgoing) -> Delivery:
        """Add one message. With `mid` 0 it counts, but is never acknowledged."""
        delivery = self._delivery(self, mid, topic, *record, size_of(record))
        self.extend([delivery])
        return delivery

    def extend(self, run: Sequence[Delivery]) -> None:
        """Add deliveries of this window, in the order of arrival."""
        self._pending.extend(run)
        self._bytes += sum([each.size_bytes for each in run])

    def settle(self) -> Settled:
        """Remove finished messages at the front."""
        pending = self._pending
        mids: list[int] = []
        count = freed = 0
        for delivery in pending:
            if not delivery.done:
                break
            count += 1
            freed += delivery.size_bytes
            if delivery.mid:
                mids.append(delivery.mid)
        for _ in range(count):
            pending.popleft()
        self._bytes -= freed
        return Settled(count, mids)

    def take_failed(self) -> list[Refusal]:
        """The deliveries that Kafka has refused since the last call, with their errors."""
        failed, self.failed = self.failed, []
        return failed


def prepared(record: Outgoing) -> Prepared:
    """The parts that all usual messages like this one share."""
    return Prepared(record.key, record.headers, size_of(record) - len(record.value))


def size_of(record: Outgoing) -> int:
    """The memory that a message takes while it waits."""
    return len(record.key) + len(record.value) + sum(len(name) + len(value) for name, value in record.headers)
