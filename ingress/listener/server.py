"""A port on which devices publish, as a source of the ingress: its clients, takeovers, and its stop.

A stop: 1. accepts no new connections and stops reading; 2. gives Kafka time, and acknowledges what it has; 3. disconnects each
client, and cancels its will; 4. gives Kafka the rest of the time for the events.

This file knows neither bytes nor records. See connection.py and inbox.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import time
from typing import Final

from ingress.clientid import Resolver
from ingress.listener import words
from ingress.listener.connection import DeviceConnection
from ingress.listener.identity import Address, Identity
from ingress.listener.inbox import ClientWindow, Inbox
from ingress.listener.limits.memory import Memory
from ingress.listener.limits.seats import Seat, Seats
from ingress.listener.limits.topics import TopicCount
from ingress.listener.limits.turnstile import Turnstile
from ingress.listener.login import Admitted, Login
from ingress.listener.notices import Notices
from ingress.listener.sessions import DeviceSession, DeviceSessions
from ingress.listener.transports.certificate import Certificate
from ingress.listener.transports.door import Door, let_in
from ingress.listener.transports.farewell import CLOSE_SECONDS
from ingress.listener.wills import Wills
from pipeline.config.kafka import KafkaConfig
from pipeline.config.listener import ListenerSource
from pipeline.connectors.kafka.producer import Producer
from pipeline.errors import ConfigError
from pipeline.log import get_logger
from pipeline.mqtt import reasons
from pipeline.record import Outgoing

log: Final = get_logger("tidegate.ingress")

OBSERVE_SECONDS: Final = 1.0
FULL: Final = {
    "limit": "expected at most max_connections connections",
    "address_limit": "expected at most max_connections_per_address connections of one address",
}
FILES_BESIDES: Final = 256  # for Kafka's connections and other files
LOGINS_PER_TURN: Final = 20  # a login takes some 0.1 ms of the event loop
HANDSHAKES_PER_TURN: Final = 2  # a handshake takes more than 1 ms


class Listener:
    """One port. Has the verbs of ingress/source.py: `run` until `stop`."""

    status_reason: Final = ""  # it always listens: otherwise the process ends with the reason

    def __init__(self, name: str, source: ListenerSource, *, kafka: KafkaConfig, producer: Producer) -> None:
        self._name = name
        self._kafka = kafka
        self.source = source
        self.inbox = Inbox(name, source, kafka, producer)
        self.notices = Notices(name)
        self.memory = Memory(max(source.held_bytes, 2 * source.max_packet_size))
        self.logins = Turnstile(LOGINS_PER_TURN)
        self._handshakes = Turnstile(HANDSHAKES_PER_TURN)
        self._door = Door(self._accepted)
        self._wills = Wills(source.will_delay_max, self._publish_will, self.memory)
        self._sessions = DeviceSessions(source.session_expiry_max, self.memory)
        self._login = Login(name, source)
        self._certificate = Certificate(name, source.ssl)
        self._places = Seats(source.max_connections, source.max_connections_per_address)
        self._connections: dict[DeviceConnection, Seat] = {}
        self._clients: dict[str, DeviceConnection] = {}
        self._topic_count = TopicCount()
        self._resolver = Resolver(source.clientid_from)
        self._aliases = self.inbox.aliases
        self._stopping = asyncio.Event()
        self._stop_before = 0.0
        self._all_gone = asyncio.Event()  # after a stop
        self.connected_once = asyncio.Event()
        self.connected = False

    async def run(self) -> None:
        """Serve devices until `stop`. Raises ConfigError if the address or a certificate cannot be used."""
        if self._aliases is not None:
            await self._aliases.open(self._stopping)
        await self._open()
        self.connected = True
        self.inbox.metrics.connected.set(1)
        self.connected_once.set()
        log.info("listener.listening", source=self._name, address=self.source.bind)
        if self.source.unproven:
            log.warning("listener.names_unproven", source=self._name, error=self.source.unproven)
        try:
            while not self._stopping.is_set():
                self._observe()
                await self._login.refresh()
                self._certificate.refresh()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(OBSERVE_SECONDS):
                        await self._stopping.wait()
        finally:
            self.connected = False
            self.inbox.metrics.connected.set(0)
            await self._leave()
            if self._aliases is not None:
                await self._aliases.close()

    def stop(self, deadline_seconds: float) -> None:
        """Ask `run` to take no more messages and to wait for Kafka within the deadline."""
        self._stop_before = time.monotonic() + deadline_seconds
        self._stopping.set()

    async def _open(self) -> None:
        self._raise_file_limit()
        host, _, port = self.source.bind.rpartition(":")
        try:
            await self._door.open(host.strip("[]"), int(port))
        except OSError as error:
            problem = f"cannot listen on {self.source.bind}: {error.strerror or error}"
            raise ConfigError(problem, where=f"sources.listener.{self._name}.bind") from None

    def _accepted(self, raw: socket.socket, host: str) -> None:
        let_in(raw, host, DeviceConnection(self), self._certificate.context, self._handshakes)

    def _raise_file_limit(self) -> None:
        """Raise the limit of open files, because each connection is an open file, and shells often allow only 1,024."""
        wanted = self.source.max_connections + FILES_BESIDES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY and soft < wanted:
            possible = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (possible, hard))
            if possible < wanted:
                log.warning("listener.files_limited", source=self._name, files=possible, wanted=wanted)

    async def _leave(self) -> None:
        self._door.close()
        for connection in list(self._connections):
            connection.hold()
        await self._until_empty()
        if self.inbox:
            log.warning("listener.stopped_early", source=self._name, unacknowledged=len(self.inbox))
        for connection in list(self._connections):
            if connection.identity is not None:
                connection.identity.will_is_void = True
            connection.leave("server_shutdown", reasons.SHUTTING_DOWN, lingers=True)
        self._wills.send_all()
        await self._until_empty()
        await self._until_gone()
        self._login.close()

    async def _until_empty(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._stop_before - time.monotonic())):
                await self.inbox.empty.wait()

    async def _until_gone(self) -> None:
        """Wait for devices to read our last answers and to close their connections."""
        if self._connections:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self._all_gone.wait()

    def _observe(self) -> None:
        self.inbox.metrics.clients(len(self._clients))
        self.inbox.observe(int(time.time() * 1000))
        self.notices.observe()

    # --- Devices come and go

    def welcome(self, connection: DeviceConnection) -> bool:
        """Whether one more connection is allowed."""
        if self._stopping.is_set():
            self.inbox.metrics.refused("limit")
            return False
        now = asyncio.get_running_loop().time()
        place = self._places.take(connection.network, connection.give_way, now)
        if not isinstance(place, Seat):
            self.inbox.metrics.refused(place)
            self.notices.refused(place, connection.peerhost, FULL[place])
            return False
        self._connections[connection] = place
        return True

    def gone(self, connection: DeviceConnection) -> None:
        """Free the place of a connection that has ended."""
        place = self._connections.pop(connection, None)
        if place is not None:
            self._places.leave(place)
        if self._stopping.is_set() and not self._connections:
            self._all_gone.set()

    async def admit(self, connect: words.Connect, address: Address) -> Admitted:
        """Whether a device may connect. No device may while Kafka is away and the buffer is full."""
        if self.inbox.full:
            return Admitted(reasons.SERVER_BUSY, problem="Kafka is away, and what waits for it is full")
        return await self._login.admit(connect, address.common_name, address.network)

    async def before(self, connect: words.Connect, clientid: str) -> None:
        """End an older connection of this client, if the new one continues its session, and wait until that is known."""
        older = self._clients.get(clientid)
        if connect.clean_start:
            return
        if older is not None:
            older.leave("takenover", reasons.TAKEN_OVER)
        await self._sessions.settled(clientid)

    def keep(self, identity: Identity, unreleased: list[int], window: ClientWindow) -> DeviceSession | None:
        """Keep the session of a device that leaves."""
        return self._sessions.keep(identity, unreleased, window)

    def enter(
        self, connection: DeviceConnection, connect: words.Connect, admitted: Admitted, address: Address
    ) -> tuple[Identity, DeviceSession | None]:
        """Add a device. Another connection with its clientid ends."""
        clientid = admitted.clientid
        self._places.logged_in(self._connections[connection])
        before = self._clients.get(clientid)
        if before is not None:
            before.leave("takenover", reasons.TAKEN_OVER)
        self._wills.came(clientid, afresh=connect.clean_start)
        now_ms = int(time.time() * 1000)
        identity = Identity(
            clientid,
            admitted.username,
            address,
            admitted.topics,
            connect,
            now_ms,
            topic_count=self._topic_count,
            publishers=self._publishers(clientid, admitted.username),
            aliases=self._aliases,
        )
        self._clients[clientid] = connection
        self.inbox.metrics.connections.inc()
        self._event(identity.connected())
        identity.forget_login()
        return identity, self._sessions.came(clientid, afresh=connect.clean_start)

    def _publishers(self, clientid: str, username: str | None) -> Resolver | None:
        """How to find who published what this client sends, if it is a gateway. Nothing proves a name without a login."""
        proven = clientid if self.source.authentication == "none" else username
        is_gateway = not self.source.gateways or proven in self.source.gateways
        return self._resolver if is_gateway and self.source.clientid_from else None

    def left(self, connection: DeviceConnection, identity: Identity, why: str) -> None:
        """Remove a device: publish its will, then the event."""
        if self._clients.get(identity.clientid) is connection:
            del self._clients[identity.clientid]
        identity.forget_topics()
        self._wills.left(identity)
        self._event(identity.disconnected(why, int(time.time() * 1000)))

    def _event(self, record: Outgoing) -> None:
        self.inbox.metrics.events.inc()
        self.inbox.put(self._kafka.events_topic, record)

    def _publish_will(self, record: Outgoing) -> None:
        self.inbox.put(self._kafka.messages_topic, record)
