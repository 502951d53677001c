"""MQTT inside a WebSocket, with wsproto's client, a played socket and Kafka."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Pong,
    RejectConnection,
    Request,
    TextMessage,
)

from ingress.listener.transports.websocket import PIECE_BYTES
from tests.parts.device_bytes import CONNECT_5, CONNECT_311, STREAMS, publish
from tests.parts.played_devices import Gate, PlayedSocket
from tests.parts.waiting import turns

WEB = {"transport": "websockets"}
HANDSHAKE = (
    b"GET /mqtt HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: a2tra2tra2tra2tra2tra2s=\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n"
)


class Browser:
    """A client of a WebSocket on a played socket."""

    def __init__(self, sock: PlayedSocket) -> None:
        self.frames = WSConnection(ConnectionType.CLIENT)
        self._sock = sock
        self._seen = 0

    @classmethod
    async def connected(cls, gate: Gate, *, path: str = "/mqtt", offers: tuple[str, ...] = ("mqtt",)) -> Browser:
        _, sock = await gate.device()
        browser = cls(sock)
        browser.send(Request(host="gate.example", target=path, subprotocols=list(offers)))
        return browser

    @classmethod
    async def logged_in(cls, gate: Gate, connect: bytes = CONNECT_5) -> Browser:
        browser = await cls.connected(gate)
        await browser.heard()
        browser.send(BytesMessage(connect))
        await browser.heard()
        return browser

    def send(self, event: Any) -> None:
        self.raw(self.frames.send(event))

    def raw(self, data: bytes) -> None:
        self._sock.carrier.data_received(data)

    async def heard(self) -> list[Any]:
        """What has come since the last call."""
        await turns()
        fresh, self._seen = bytes(self._sock.heard[self._seen :]), len(self._sock.heard)
        self.frames.receive_data(fresh)
        return list(self.frames.events())


def stream_of(heard: list[Any]) -> bytes:
    return b"".join(each.data for each in heard if isinstance(each, BytesMessage))


@pytest.mark.parametrize(
    ("offers", "chosen"), [(("mqtt",), "mqtt"), (("mqttv3.1",), "mqttv3.1"), (("other", "mqttv3.1", "mqtt"), "mqtt")]
)
async def test_a_device_logs_in_and_publishes(offers: tuple[str, ...], chosen: str) -> None:
    """The subprotocol is chosen, and answers come in binary frames."""
    gate = Gate(**WEB)
    browser = await Browser.connected(gate, path="/mqtt?x=1", offers=offers)
    (accepted,) = await browser.heard()
    browser.send(BytesMessage(CONNECT_311))
    connack = stream_of(await browser.heard())
    browser.send(BytesMessage(publish(b"t", b"x", mid=1, qos=1)))
    gate.kafka.answer(None, None)

    assert isinstance(accepted, AcceptConnection)
    assert accepted.subprotocol == chosen
    assert connack == b"\x20\x02\x00\x00"
    assert stream_of(await browser.heard()) == b"\x40\x02\x00\x01"


@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=30),
    cuts=st.lists(st.integers(1, 60), min_size=1, max_size=30),
    pings=st.integers(0, 3),
)
async def test_packets_come_in_frames_and_reads_of_any_size(sizes: list[int], cuts: list[int], pings: int) -> None:
    """Frames cut packets, fragments make messages, reads cut frames, and pings come between: the stream is the same."""
    gate = Gate(**WEB)
    browser = await Browser.connected(gate)
    await browser.heard()
    stream = CONNECT_5 + b"".join(publish(b"t", b"%d" % n, mid=n, qos=1, properties=b"") for n in range(1, 9))
    wire, at = b"", 0
    for number, size in enumerate([*sizes, len(stream)]):
        piece = stream[at : at + size]
        at += len(piece)
        wire += browser.frames.send(BytesMessage(piece, message_finished=number % 3 == 0 or number == len(sizes)))
        wire += browser.frames.send(Ping(b"%d" % number)) if number < pings else b""
    while wire:
        size = cuts[len(wire) % len(cuts)]
        browser.raw(wire[:size])
        wire = wire[size:]
        await turns()
    heard = await browser.heard()

    assert gate.told == ["connected", *map(str, range(1, 9))]
    assert len([each for each in heard if isinstance(each, Pong)]) == min(pings, len(sizes) + 1)


@pytest.mark.parametrize(
    ("target", "is_ours"),
    [
        ("/mqtt?x=/other", True),
        ("http://gate.example/mqtt", True),
        ("WSS://gate.example:8084/mqtt?token=1", True),
        ("http://gate.example", False),
        ("http://gate.example/mqtt/", False),
        ("http:/mqtt", False),
        ("ftp://gate.example/mqtt", False),
        ("mqtt", False),
    ],
)
async def test_a_proxy_may_send_the_whole_address(target: str, is_ours: bool) -> None:
    """The path counts, with or without an origin before it, and not the query."""
    browser = await Browser.connected(Gate(**WEB), path=target)

    (answer, *_) = await browser.heard()

    assert isinstance(answer, AcceptConnection) is is_ours


@pytest.mark.parametrize(
    ("path", "offers", "status"), [("/other", ("mqtt",), 404), ("/mqtt", ("soap",), 400), ("/mqtt", (), 400)]
)
async def test_a_handshake_for_something_else_is_refused(path: str, offers: tuple[str, ...], status: int) -> None:
    """The answer has a status, and the socket is closed."""
    gate = Gate(**WEB)
    browser = await Browser.connected(gate, path=path, offers=offers)
    rejected, *_ = await browser.heard()

    assert isinstance(rejected, RejectConnection)
    assert rejected.status_code == status
    assert browser._sock.closed


@pytest.mark.parametrize(
    "sent",
    [
        CONNECT_5,
        b"GET /mqtt HTTP/1.1\r\nHost: h\r\n\r\n",
        b"POST /mqtt HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
        b"GET /mqtt HTTP/1.1\r\nHost: h\r\nX: " + b"x" * 100_000,
        b"\x16\x03\x01\x00\xa5\x01\x00",
        HANDSHAKE.replace(b"Host: h", b"Host: \xff\xfe"),
        HANDSHAKE.replace(b"Protocol: mqtt", b"Protocol: mqtt\xff"),
        HANDSHAKE.replace(b"Connection: Upgrade", b"Connection: Upgr\xe4de"),
        HANDSHAKE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: \xe4\r\n\r\n"),
    ],
)
async def test_what_opens_no_websocket_is_refused(sent: bytes) -> None:
    """MQTT without a WebSocket, other requests, headers without end, TLS, and headers that are not ASCII."""
    gate = Gate(**WEB)
    _, sock = await gate.device()
    for start in range(0, len(sent), 4096):
        if not sock.closed:
            sock.carrier.data_received(sent[start : start + 4096])
            await turns()
    sock.carrier.data_received(b"\r\n\r\n" * (not sock.closed))

    assert sock.closed
    assert sock.heard.startswith(b"HTTP/1.1 400") or not sock.heard
    assert gate.told == []


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x82\x01x", 1002),  # without a mask
        (b"\xc2\x80\x00\x00\x00\x00", 1002),  # a reserved bit
        (b"\x89\xfe\x00\xff\x00\x00\x00\x00", 1002),  # a ping of 255 bytes
        (b"\x80\x80\x00\x00\x00\x00", 1002),  # goes on with nothing
        (None, 1003),  # text
    ],
)
async def test_a_wrong_frame_ends_the_connection_with_its_code(sent: bytes | None, code: int) -> None:
    """RFC 6455 has a code for each, and the will is published."""
    gate = Gate(**WEB)
    browser = await Browser.logged_in(gate)
    browser.raw(browser.frames.send(TextMessage("x")) if sent is None else sent)
    (closed,) = [each for each in await browser.heard() if isinstance(each, CloseConnection)]
    browser._sock.carrier.connection_lost(None)

    assert closed.code == code
    assert browser._sock.closed
    assert gate.told == ["connected", "tcp_closed"]


async def test_a_close_is_answered() -> None:
    """The device's close is answered with its code, and ours has one too."""
    gate = Gate(**WEB)
    theirs, ours = await Browser.logged_in(gate), await Browser.logged_in(gate, CONNECT_5.replace(b"d1", b"d2"))
    theirs.send(CloseConnection(code=1001))
    ours.send(BytesMessage(b"\xe0\x00"))

    assert [each.code for each in await theirs.heard()] == [1001]
    assert [each.code for each in await ours.heard()] == [1000]
    assert theirs._sock.closed
    assert ours._sock.closed


async def test_a_full_window_stops_the_reading_of_the_socket() -> None:
    """A read that is larger than the window waits, and goes on when Kafka has answered."""
    gate = Gate(window=2, **WEB)
    browser = await Browser.logged_in(gate)
    large = b"x" * PIECE_BYTES
    browser.send(BytesMessage(b"".join(publish(b"t", large, mid=n, qos=1, properties=b"") for n in range(1, 7))))
    await turns()
    was_read, first = browser._sock.reading, len(gate.kafka.sent)
    for _ in range(6):
        gate.kafka.answer(*[None] * len(gate.kafka.sent))
        await turns()

    assert (was_read, first) == (False, 3)
    assert browser._sock.reading
    assert stream_of(await browser.heard()).count(b"\x40\x02") == 6


async def test_frames_that_bring_nothing_are_slowed() -> None:
    """Pings, empty frames and single bytes take turns and count as packets without a message."""
    for frame in (Ping(b""), BytesMessage(b"")):
        gate = Gate(control_packets_per_second=10, **WEB)
        browser = await Browser.logged_in(gate)
        browser.raw(b"".join(browser.frames.send(frame) for _ in range(20_000)))
        await turns()

        assert not browser._sock.reading
        assert len(browser._sock.heard) < 10_000


@given(stream=STREAMS, cut=st.integers(0, 200), framed=st.booleans())
async def test_no_bytes_do_harm(stream: bytes, cut: int, framed: bool) -> None:
    """Any bytes, in frames or as frames, cause no error."""
    gate = Gate(**WEB)
    browser = await Browser.connected(gate)
    await browser.heard()
    for piece in (stream[:cut], stream[cut:]):
        if not browser._sock.closed:
            browser.raw(browser.frames.send(BytesMessage(piece)) if framed else piece)
            await turns()
    browser._sock.carrier.connection_lost(None)

    assert not gate.listener._connections
