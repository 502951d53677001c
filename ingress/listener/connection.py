"""One device's connection from accept to close: it passes bytes to the protocol, words to listener and inbox, and
answers back.

1. The device must send CONNECT, and we answer it, within the time limit. Nothing more is read meanwhile.
2. A turn handles a bounded number of packets, and its answers leave in one write. The rest waits for the next turn of the loop,
   so that other devices have their turns, and nothing is read meanwhile.
3. Messages go to the inbox, which acknowledges them through `acknowledge` when Kafka has them.
4. Reading pauses while the window or the inbox is full, while the device does not read our answers, and after the device has sent
   too many packets without a message. A device that does this for long is disconnected.
5. `leave` ends the connection, whoever wants this. The device gets a last packet, and the listener gets the reason, once.

This file does not know Kafka. It does not decide which devices may connect.
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

from ingress.listener import words
from ingress.listener.host import Host
from ingress.listener.identity import Identity
from ingress.listener.inbox import ClientWindow
from ingress.listener.limits.allowance import Allowance
from ingress.listener.limits.seats import network
from ingress.listener.notices import reason_of
from ingress.listener.protocol import ServerProtocol
from ingress.listener.transports import farewell
from ingress.listener.transports.websocket import WebSocket
from ingress.listener.welcome import address_of, connack, silence_seconds
from pipeline.errors import ConnectorError
from pipeline.mqtt import reasons
from pipeline.mqtt.packets import Publish

UNFETCHED_BYTES: Final = 64 << 10  # asyncio's buffer for answers that the device has not read
TOO_MANY: Final = "expected fewer packets that bring no message"
KNOWN_CLOSE: Final = {0x00: "normal", 0x04: "disconnect_with_will"}


class DeviceConnection(asyncio.Protocol):
    """One connection. Use it on the thread of the event loop. `identity` is None until the device has logged in."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._loop = asyncio.get_running_loop()
        source = host.source
        self._protocol = ServerProtocol(packet_bytes_max=source.max_packet_size, receive_max=source.window)
        self._transport: Any = None
        self._pauses: set[str] = set()
        self._gathered: list[bytes] | None = None  # the answers of the present turn, or None
        self._next_turn: asyncio.Handle | None = None
        self._allowance = Allowance(source.control_packets_per_second, self._loop.time())
        self._timer: asyncio.TimerHandle | None = None
        self._login: asyncio.Task[None] | None = None
        self._window: ClientWindow | None = None
        self._has_place = False
        self._opening: asyncio.Task[None] | None = None
        self._abort: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._silence_seconds = 0.0
        self._kept_bytes = 0  # bytes of CONNECT until it is answered, then bytes of its will
        self._held_bytes = 0  # the bytes that the listener's memory has counted
        self._ended = False
        self.identity: Identity | None = None
        self.login_seconds = source.connect_timeout  # the time limit for TLS, CONNECT and its answer
        self.peerhost = self.network = ""
        self.v5 = False

    # --- Asyncio's calls

    def connection_made(self, transport: Any) -> None:
        """Begin after a device has connected, and after its TLS handshake."""
        self._transport = transport
        if self._ended:
            transport.abort()
        elif not self._has_place:
            peer = transport.get_extra_info("peername")
            self.arrive(str(peer[0]) if peer else "")

    def give_way(self) -> None:
        """End this connection, because others need its place and it has not logged in."""
        self._refuse("limit", "expected a login sooner, because all connections are taken")
        self._end()

    def data_received(self, data: bytes) -> None:
        """Take the bytes of one read. This is the hot path."""
        if not self._ended:
            self._heard_at = self._loop.time()
            self._turn(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the other side or we have closed the connection."""
        self.leave("tcp_closed")
        self._host.gone(self)
        if self._abort is not None:
            self._abort.cancel()

    def pause_writing(self) -> None:
        """Stop reading, because the device does not read our answers."""
        self._pause("writing")
        self._hold()

    def resume_writing(self) -> None:
        """Read again, because the device reads our answers again."""
        self._resume("writing")
        self._hold()

    # --- The way in

    def arrive(self, host: str) -> bool:
        """Take a place for a device from this host until `connection_lost`, if there is one. Its time limit begins here."""
        self.peerhost, self.network = host, network(host)
        self._has_place = self._host.welcome(self)
        if not self._has_place:
            self._end()
            return False
        self._timer = self._loop.call_later(self.login_seconds, self._too_late)
        return True

    def opens(self, opening: asyncio.Task[None]) -> None:
        """Keep the task that makes the transport, to cancel it at the time limit."""
        self._opening = opening
        if self._ended:
            opening.cancel()

    def opened(self, raw: socket.socket) -> None:
        """Note that the accepted socket has its transport, or will never have one."""
        if self._transport is None:
            raw.close()
            self.connection_lost(None)

    def transport_failed(self, reason: str, error: str) -> None:
        """The handshake of TLS or of a WebSocket failed, or a frame was wrong. `reason`: tls or websocket."""
        self._refuse(reason, error)

    def carried(self) -> asyncio.BaseProtocol:
        """The protocol of the socket: this connection, or the WebSocket that carries it."""
        source = self._host.source
        return WebSocket(self, source.websocket_path) if source.transport == "websockets" else self

    def count_noise(self, count: int) -> None:
        """Count frames of a WebSocket that brought nothing."""
        if not self._ended:
            self._protocol.control_packets += count
            self._count_control()

    # --- A turn

    def _turn(self, data: bytes) -> None:
        """Handle whole packets, as many as one turn allows."""
        self._gathered = []
        for word in self._protocol.receive_data(data):
            if isinstance(word, list):
                self._publishes(word)
            else:
                self._on(word)
            if self._ended:
                return
        self._write_gathered()
        if self._protocol.held_bytes + self._kept_bytes != self._held_bytes:
            self._hold()
            if self._ended:
                return
        if self._protocol.control_packets or (self._window is not None and self._window.refused):
            self._count_control()
        if self._protocol.waits:
            self._pause("rest")
            self._go_on_soon()
        elif "rest" in self._pauses:
            self._resume("rest")

    def _go_on_soon(self) -> None:
        """Schedule another turn after those of other devices, unless something else must happen first."""
        if self._next_turn is None and self._pauses == {"rest"} and self._protocol.has_more:
            self._next_turn = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._next_turn = None
        if self._pauses == {"rest"} and not self._ended:
            self._turn(b"")

    def _count_control(self) -> None:
        """Delay a device that sends too many packets without a message, and disconnect it if it continues."""
        count, self._protocol.control_packets = self._protocol.control_packets, 0
        if self._window is not None:
            count, self._window.refused = count + self._window.refused, 0
        wait_seconds = self._allowance.spend(count, self._loop.time())
        if self._allowance.is_used_up:
            self._refuse("message_rate_too_high", TOO_MANY)
            self.leave("message_rate_too_high", reasons.MESSAGE_RATE_TOO_HIGH, TOO_MANY)
        elif wait_seconds:
            self._pause("rate")
            self._loop.call_later(wait_seconds, self._resume, "rate")

    # --- What the device said

    def _publishes(self, run: list[Publish]) -> None:
        assert self._window is not None
        assert self.identity is not None
        obeyed = self._host.inbox.take(self._window, self.identity, run)
        if self._window.refused_topic:
            self._refuse("topic", "the client may not publish to this topic", topic=self._window.refused_topic)
            self._window.refused_topic = b""
        if not obeyed:
            self.leave("not_authorized", reasons.NOT_AUTHORIZED)

    def _on(self, word: words.Said) -> None:
        match word:
            case words.Ping():
                self._tell(words.Pong())
            case words.Release(mid, code):
                self._tell(words.Complete(mid, code))
            case words.Repeated(mid):
                self._tell(words.Acks([mid | words.QOS2]))
            case words.Subscribe(mid, filters):
                self._tell(words.SubAck(mid, filters))
            case words.Unsubscribe(mid, filters):
                self._tell(words.UnsubAck(mid, filters))
            case words.Disconnect(code, expiry):
                if self.identity is not None and expiry is not None:
                    self.identity.change_expiry(expiry)
                if code == reasons.SUCCESS and self.identity is not None:
                    self.identity.will_is_void = True
                self.leave(KNOWN_CLOSE.get(code, f"disconnect_0x{code:02x}"))
            case words.Violation(code, reason):
                self._violated(code, reason)
            case words.Connect():
                self._pause("login")
                self._kept_bytes = word.size_bytes
                self._host.logins.enter(lambda: self._begin_login(word))

    def _violated(self, code: int, reason: str) -> None:
        self._refuse(reason_of(code), reason)
        self.leave("protocol_error", code, reason)

    def _begin_login(self, connect: words.Connect) -> None:
        if not self._ended:
            self._login = asyncio.create_task(self._admit(connect))

    async def _admit(self, connect: words.Connect) -> None:
        """Answer CONNECT."""
        address = address_of(self._transport, self.peerhost, self.network)
        admitted = await self._host.admit(connect, address)
        if self._ended:
            return
        if admitted.code != reasons.SUCCESS:
            self._refuse(reason_of(admitted.code), admitted.problem, connect)
            self._tell(words.ConnAck(admitted.code))
            self._end()
            return
        await self._host.before(connect, admitted.clientid)
        if self._ended:
            return
        if admitted.will_is_dropped:
            connect = connect._replace(will=None)
            self._host.inbox.metrics.dropped("bridge_notice")
        if self._timer is not None:
            self._timer.cancel()
        self.v5 = connect.version == 5
        self._window = self._host.inbox.window(self)
        self.identity, session = self._host.enter(self, connect, admitted, address)
        self._kept_bytes = connect.will.size_bytes if connect.will is not None else 0
        self._hold()
        if self._ended:
            return
        self._protocol.usual_topics(self.identity.prepared)
        if session is not None:
            self._protocol.resume(session.taken)
        answer = connack(self._host.source, connect, admitted, session_present=session is not None)
        self._silence_seconds = silence_seconds(connect, answer)
        self._tell(answer)
        self._watch()
        self._heard_at = self._loop.time()
        self._resume("login")

    # --- Time

    def _too_late(self) -> None:
        self._refuse("login_timeout", f"expected a login within {self.login_seconds:g} s")
        self._end()

    def _watch(self) -> None:
        """End a connection after a silence of one and a half keep-alives. Silence does not count while we do not read."""
        if not self._silence_seconds or self._ended:
            return
        now = self._loop.time()
        if self._pauses - {"writing"}:
            self._heard_at = now
        left = self._heard_at + self._silence_seconds - now
        if left <= 0:
            self.leave("keepalive_timeout", reasons.KEEPALIVE_TIMEOUT)
        else:
            self._timer = self._loop.call_later(left, self._watch)

    # --- What the inbox and the listener want

    def acknowledge(self, acks: list[words.Ack]) -> None:
        """Acknowledge messages that Kafka has."""
        self._tell(words.Acks(acks))
        if "rest" in self._pauses:
            self._go_on_soon()

    def room(self, there_is: bool) -> None:
        """Start or stop reading."""
        if there_is:
            self._resume("room")
        else:
            self._pause("room")

    def fail(self, problem: ConnectorError) -> None:
        """End the connection because Kafka does not accept its messages. The device has to send them again."""
        self.leave("server_unavailable", reasons.SERVER_UNAVAILABLE, str(problem))

    def give_up(self) -> None:
        """End this connection, because it holds too much of the shared memory."""
        problem = "expected fewer bytes of unfinished packets, wills and topic aliases of all clients together"
        self._refuse("quota", problem)
        self.leave("quota", reasons.QUOTA_EXCEEDED, problem)

    def hold(self) -> None:
        """Handle nothing more."""
        self._pause("stopping")

    def leave(self, why: str, code: int | None = None, reason: str = "", *, lingers: bool = False) -> None:
        """End the connection. With a `code`, send it first. `why` is for the event client.disconnected.

        `lingers`: let the device close it, so that it gets all answers. What it still sends is dropped.
        """
        if self._ended:
            return
        if code is not None:
            self._tell(words.Bye(code, reason))
        if self.identity is not None and self._window is not None:
            session = self._host.keep(self.identity, self._protocol.unreleased, self._window)
            self._host.inbox.forget(self._window, session)
            self._host.left(self, self.identity, why)
        self._end(lingers)

    def _refuse(self, reason: str, error: str, connect: words.Connect | None = None, topic: bytes = b"") -> None:
        """Count a refusal before the login, which is logged once a minute."""
        if self.identity is None:
            self._host.inbox.metrics.refused(reason)
        who = self.identity or connect
        clientid, username = (who.clientid, who.username) if who is not None else ("", None)
        self._host.notices.refused(reason, self.peerhost, error, clientid=clientid, username=username, topic=topic)

    def _hold(self) -> None:
        """Report the bytes of this device to the shared memory."""
        if self._ended:
            return
        self._held_bytes = self._protocol.held_bytes + self._kept_bytes
        unfetched = UNFETCHED_BYTES if "writing" in self._pauses else 0
        self._host.memory.hold(self, self.network, self._held_bytes + unfetched)

    # --- The transport

    def _end(self, lingers: bool = False) -> None:
        self._write_gathered()
        self._ended = True
        if self._next_turn is not None:
            self._next_turn.cancel()
        if self._login is not None and self._login is not asyncio.current_task():
            self._login.cancel()
        if self._timer is not None:
            self._timer.cancel()
        self._host.memory.hold(self, self.network, 0)
        if self._transport is None:
            if self._opening is not None:
                self._opening.cancel()
        elif not self._transport.is_closing():
            self._abort = farewell.close(self._transport, lingers=lingers)

    def _tell(self, word: words.Told) -> None:
        """Answer the device. The protocol notes the answer also when the device is gone, because a session goes on from there."""
        if self._ended or self._transport is None:
            return
        answer = self._protocol.send(word)
        if self._gathered is not None:
            self._gathered.append(answer)
        elif not self._transport.is_closing():
            self._transport.write(answer)

    def _write_gathered(self) -> None:
        answers, self._gathered = self._gathered, None
        if answers and not self._transport.is_closing():
            self._transport.write(b"".join(answers))

    def _pause(self, why: str) -> None:
        if not self._pauses and self._transport is not None and not self._transport.is_closing():
            self._transport.pause_reading()
        self._pauses.add(why)

    def _resume(self, why: str) -> None:
        self._pauses.discard(why)
        if self._pauses == {"rest"}:
            self._go_on_soon()
        elif not self._pauses and not self._transport.is_closing():
            self._transport.resume_reading()
