"""An MQTT 5 broker that answers as a test says: brokers differ in what they grant, and few can be had for a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pipeline.mqtt import packets
from pipeline.mqtt.fields import Reader
from pipeline.mqtt.packets import packet

CONNACK = b"\x00\x00\x00"
SHARED_NOT_SUPPORTED = 0x9E


@dataclass
class PlayedBroker:
    """One connection of a client. `answers` gives the codes for the filters of each SUBSCRIBE, or None for a DISCONNECT."""

    connack: bytes = CONNACK  # flags, code, properties
    answers: Callable[[int, list[str]], list[int] | None] = lambda number, filters: [1] * len(filters)
    subscribed: list[list[str]] = field(default_factory=list)
    unsubscribed: list[list[str]] = field(default_factory=list)
    identifiers: list[int] = field(default_factory=list)  # packet identifiers of SUBSCRIBE
    port: int = 0
    then: bytes = b""  # what follows the answer to the first SUBSCRIBE

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer until the client goes."""
        try:
            while True:
                first, body = await _read(reader)
                if answer := self._answer(first, Reader(body)):
                    writer.write(answer)
                if first == packets.DISCONNECT:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    def _answer(self, first: int, body: Reader) -> bytes:
        if first == packets.CONNECT:
            return packet(packets.CONNACK, self.connack)
        if first not in (packets.SUBSCRIBE, packets.UNSUBSCRIBE):
            return b""
        mid = body.number(2)
        body.counted()
        filters = []
        while body.left:
            filters.append(body.text().decode())
            if first == packets.SUBSCRIBE:
                body.number(1)
        if first == packets.UNSUBSCRIBE:
            self.unsubscribed.append(filters)
            return packet(packets.UNSUBACK, mid.to_bytes(2, "big") + b"\0" + b"\0" * len(filters))
        self.subscribed.append(filters)
        self.identifiers.append(mid)
        codes = self.answers(len(self.subscribed), filters)
        if codes is None:
            return packet(packets.DISCONNECT, bytes([SHARED_NOT_SUPPORTED, 0]))
        then = self.then if len(self.subscribed) == 1 else b""
        return packet(packets.SUBACK, mid.to_bytes(2, "big") + b"\0" + bytes(codes)) + then


@asynccontextmanager
async def played(broker: PlayedBroker) -> AsyncIterator[PlayedBroker]:
    """The broker on a port of its own."""
    server = await asyncio.start_server(broker.serve, "127.0.0.1", 0)
    broker.port = server.sockets[0].getsockname()[1]
    async with server:
        yield broker


async def _read(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """The first byte of a packet and its body."""
    first, size, shift = (await reader.readexactly(1))[0], 0, 0
    while True:
        byte = (await reader.readexactly(1))[0]
        size, shift = size | (byte & 127) << shift, shift + 7
        if byte < 128:
            return first, await reader.readexactly(size)
