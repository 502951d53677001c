"""A publisher that is fast and knows which of its messages the broker has acknowledged: a raw MQTT 3.1.1 socket.

What a device may rely on is exactly what got a PUBACK, so that is what a test must find in Kafka. Deliberately without
paho: the load must not cost more than what is measured, and must not share a fault with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.parts.waiting import pause

KEEPALIVE_SECONDS = 600
INFLIGHT_MAX = 200


@dataclass
class Publisher:
    """One connected device. `acknowledged` counts the messages that the broker has acknowledged, in order."""

    clientid: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    acknowledged: int = 0
    _sent: int = 0
    _room: asyncio.Event = field(default_factory=asyncio.Event)
    _listening: asyncio.Task[None] | None = None

    @classmethod
    async def connect(cls, host: str, port: int, clientid: str) -> Publisher:
        """Connect a device with a clean session."""
        reader, writer = await asyncio.open_connection(host, port)
        body = b"\x00\x04MQTT\x04\x02" + KEEPALIVE_SECONDS.to_bytes(2, "big") + _text(clientid.encode())
        writer.write(b"\x10" + _length(len(body)) + body)
        connack = await reader.readexactly(4)
        assert connack[0] == 0x20, f"expected CONNACK, found {connack!r}"
        assert connack[3] == 0, f"connection refused: {connack!r}"
        publisher = cls(clientid, reader, writer)
        publisher._listening = asyncio.create_task(publisher._listen())
        return publisher

    async def publish(
        self, topic: str, payloads: Iterable[bytes], *, rate: float = 0, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish in order, at most `rate` messages a second (0: as fast as the broker acknowledges)."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        for count, payload in enumerate(payloads, 1):
            while qos and self._sent - self.acknowledged >= INFLIGHT_MAX:
                self._room.clear()
                await self._room.wait()
            self._write(_text(topic.encode()), payload, qos << 1 | retain)
            if count % 20 == 0:
                await self.writer.drain()
                ahead = count / rate - (loop.time() - began) if rate else 0
                if ahead > 0:
                    await pause(ahead)

    async def finish(self) -> int:
        """Wait for every PUBACK, disconnect, and return the number of acknowledged messages."""
        while self.acknowledged < self._sent:
            self._room.clear()
            await self._room.wait()
        self.writer.write(b"\xe0\x00")
        await self.writer.drain()
        self.writer.close()
        if self._listening is not None:
            self._listening.cancel()
        return self.acknowledged

    def _write(self, topic: bytes, payload: bytes, flags: int) -> None:
        mid = b""
        if flags & 6:
            mid = (self._sent % 65535 + 1).to_bytes(2, "big")
            self._sent += 1
        body = topic + mid + payload
        self.writer.write(bytes([0x30 | flags]) + _length(len(body)) + body)

    async def _listen(self) -> None:
        while True:
            packet = await self.reader.readexactly(4)
            assert packet[0] == 0x40, f"expected PUBACK, found {packet!r}"
            self.acknowledged += 1
            self._room.set()


def _text(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def _length(length: int) -> bytes:
    found = bytearray()
    while True:
        length, low = divmod(length, 128)
        found.append(low | 128 if length else low)
        if not length:
            return bytes(found)
