"""Sessions of clients that are away: which messages of QoS 2 are in Kafka and not released yet.

A client that comes back in time sends such a message again with DUP, or its PUBREL. It must not make a second record (MQTT 5.0
section 4.3.3). While Kafka has not answered for messages of the lost connection, the client waits for its CONNACK.

A session ends with its expiry, with Clean Start, and with the process. All sessions count against the listener's memory.

This file does not know connections; the clock is the event loop's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from ingress.listener.identity import Identity
from ingress.listener.inbox import ClientWindow
from ingress.listener.limits.memory import Memory
from ingress.listener.words import QOS2, REASON_SHIFT, Ack
from pipeline.errors import ConnectorError
from pipeline.mqtt.properties import SESSION_EXPIRY
from pipeline.mqtt.reasons import UNSPECIFIED

SESSION_BYTES: Final = 1000
MESSAGE_BYTES: Final = 100


class DeviceSession:
    """One client's. It takes Kafka's answers for the window of its lost connection."""

    def __init__(self, sessions: DeviceSessions, clientid: str, taken: Iterable[int], waiting: Iterable[int]) -> None:
        self._sessions = sessions
        self._clientid = clientid
        self.taken = set(taken)  # packet identifiers of messages that are in Kafka
        self._waiting = set(waiting)
        self.settled = asyncio.Event()
        self.v5 = True  # no answer goes to a client
        self.timer: asyncio.TimerHandle | None = None
        self._look()

    @property
    def size_bytes(self) -> int:
        """About what it takes."""
        return SESSION_BYTES + MESSAGE_BYTES * (len(self.taken) + len(self._waiting))

    def acknowledge(self, acks: list[Ack]) -> None:
        """Kafka has these messages."""
        for ack in acks:
            mid = ack & 0xFFFF
            if ack & QOS2 and mid in self._waiting:
                self._waiting.discard(mid)
                if ack >> REASON_SHIFT < UNSPECIFIED:
                    self.taken.add(mid)
        self._look()

    def room(self, there_is: bool) -> None:
        """Nothing is read."""

    def fail(self, problem: ConnectorError) -> None:
        """Kafka does not take what is under way. The client sends it again."""
        self._waiting.clear()
        self._look()

    def give_up(self) -> None:
        """Forget the session, because there is no memory for it."""
        self._sessions.end(self._clientid)

    def _look(self) -> None:
        if not self._waiting:
            self.settled.set()


class DeviceSessions:
    """The sessions of one listener."""

    def __init__(self, seconds_max: float, memory: Memory) -> None:
        self._seconds_max = seconds_max
        self._memory = memory
        self._kept: dict[str, DeviceSession] = {}

    def keep(self, identity: Identity, released: Iterable[int], window: ClientWindow) -> DeviceSession | None:
        """Keep the session of a client that has gone; None if it wants none. `released`: identifiers that wait for PUBREL."""
        seconds = self._seconds(identity)
        if seconds <= 0:
            return None
        self.end(identity.clientid)
        session = self._kept[identity.clientid] = DeviceSession(
            self, identity.clientid, released, window.open_exchanges
        )
        session.timer = asyncio.get_running_loop().call_later(seconds, self.end, identity.clientid)
        self._memory.hold(session, identity.address.network, session.size_bytes)
        return session if identity.clientid in self._kept else None

    def _seconds(self, identity: Identity) -> float:
        connect = identity.connect
        if connect.version < 5:
            return 0 if connect.clean_start else self._seconds_max
        expiry: int = dict(connect.properties).get(SESSION_EXPIRY, 0)
        return min(expiry, self._seconds_max)

    async def settled(self, clientid: str) -> None:
        """Wait for Kafka's answers to the messages of the client's lost connection."""
        if clientid in self._kept:
            await self._kept[clientid].settled.wait()

    def came(self, clientid: str, *, afresh: bool) -> DeviceSession | None:
        """The session that a client continues. One that it does not continue ends."""
        session = self._kept.get(clientid)
        self.end(clientid)
        return None if afresh else session

    def end(self, clientid: str) -> None:
        """Forget a session."""
        session = self._kept.pop(clientid, None)
        if session is not None:
            self._memory.hold(session, "", 0)
            session.settled.set()
            if session.timer is not None:
                session.timer.cancel()
