"""The core of the listener: the meaning of bytes, the answers, and safety against any bytes.

The bytes are our own, not paho's.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.listener import words
from ingress.listener.protocol import ServerProtocol, State
from pipeline.mqtt.fields import written_text as text
from pipeline.mqtt.packets import packet
from pipeline.mqtt.reasons import SUCCESS
from tests.parts.device_bytes import CONNECT_5, CONNECT_311, STREAMS, publish


def core(packet_bytes_max: int = 1000, receive_max: int = 10) -> ServerProtocol:
    return ServerProtocol(packet_bytes_max=packet_bytes_max, receive_max=receive_max)


def connected(version: int = 5, **limits: int) -> ServerProtocol:
    protocol = core(**limits)
    protocol.receive_data(CONNECT_5 if version == 5 else CONNECT_311)
    protocol.send(words.ConnAck(SUCCESS))
    return protocol


def hear(protocol: ServerProtocol, chunk: bytes) -> list[words.Said]:
    """What a device said, answering its CONNECT as a server would."""
    heard: list[words.Said] = []
    fresh = protocol.receive_data(chunk)
    while fresh:
        heard += fresh
        fresh = []
        if isinstance(heard[-1], words.Connect):
            protocol.send(words.ConnAck(SUCCESS))
            fresh = protocol.receive_data(b"")
    return heard


def flat(heard: list[words.Said]) -> list[object]:
    """Runs of messages, taken apart."""
    return [each for word in heard for each in (word if isinstance(word, list) else [word])]


def violation(heard: list[words.Said]) -> int:
    assert isinstance(heard[-1], words.Violation), heard
    return heard[-1].code


@given(stream=STREAMS, cuts=st.lists(st.integers(0, 400), max_size=20))
def test_a_stream_says_the_same_however_it_is_cut(stream: bytes, cuts: list[int]) -> None:
    """No bytes raise, and the pieces in which they come make no difference."""
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places)]
    whole, cut = core(), core()

    at_once = hear(whole, stream)
    piece_by_piece = [word for piece in pieces for word in hear(cut, piece)]

    assert flat(piece_by_piece) == flat(at_once)


@given(stream=STREAMS)
def test_nothing_is_heard_after_a_violation(stream: bytes) -> None:
    """After a violation of the protocol, nothing more is read."""
    protocol = core()
    heard = hear(protocol, stream)

    broken = [isinstance(word, words.Violation) for word in heard]
    assert not any(broken[:-1])
    if broken and broken[-1]:
        assert protocol.state is State.ENDED
        assert protocol.receive_data(CONNECT_5) == []


@pytest.mark.parametrize(("version", "connect"), [(4, CONNECT_311), (5, CONNECT_5)])
def test_a_connect_is_read_and_what_follows_waits_for_its_answer(version: int, connect: bytes) -> None:
    """Messages behind a CONNECT wait until the login is accepted."""
    protocol = core()
    message = publish(b"t", b"x", properties=b"" if version == 5 else None)

    first = protocol.receive_data(connect + message)
    held = protocol.receive_data(message)
    protocol.send(words.ConnAck(SUCCESS))
    then = protocol.receive_data(b"")

    assert first == [words.Connect(version, "d1", None, None, 60, True, None, ())]
    assert held == []
    assert flat(then) == [(b"t", b"x", 0x30, 0, ())] * 2


def test_a_connect_with_everything() -> None:
    """A CONNECT gives user name, password, and a will with delay and properties."""
    will = b"\x0c" + b"\x18\x00\x00\x00\x05" + b"\x26" + text(b"k") + text(b"v") + text(b"gone/d1") + text(b"bye")
    body = b"\x00\x04MQTT\x05\xec\x00\x0a\x05\x11\x00\x00\x00\x0f" + text(b"d1") + will + text(b"u") + text(b"\x00p")

    (connect,) = core().receive_data(packet(0x10, body))

    assert connect == words.Connect(
        5,
        "d1",
        "u",
        b"\x00p",
        10,
        False,
        words.Will(b"gone/d1", b"bye", 0x03, ((0x26, (b"k", b"v")),), 5),
        ((0x11, 15),),
    )


def test_a_bridge_may_say_that_it_has_no_receive_maximum() -> None:
    """MQTT 5 has no 0 there, but bridges of mosquitto 2.0 send it, and they are let in."""
    (connect,) = core().receive_data(packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x03\x21\x00\x00\x00\x02d1"))

    assert isinstance(connect, words.Connect)
    assert connect.clientid == "d1"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\xc0\x00", 0x82),  # no CONNECT first
        (b"GET / HTTP/1.1\r\n\r\n", 0x82),
        (b"\x10\xff\xff\xff\xff\x01", 0x81),
        (b"\x10\xff\xff\xff\x7f", 0x95),
        (packet(0x10, b"\x00\x06MQIsdp\x04\x02\x00\x3c\x00\x02d1"), 0x84),
        (packet(0x10, b"\x00\x04MQTT\x06\x02\x00\x3c\x00\x02d1"), 0x84),
        (packet(0x10, b"\x00\x04HTTP\x04\x02\x00\x3c\x00\x02d1"), 0x81),
        (packet(0x10, b"\x00\x04MQTT\x04\x03\x00\x3c\x00\x02d1"), 0x81),  # reserved flag
        (packet(0x10, b"\x00\x04MQTT\x04\x1e\x00\x3c\x00\x02d1"), 0x81),  # will of QoS 3
        (packet(0x10, b"\x00\x04MQTT\x04\x42\x00\x3c\x00\x02d1\x00\x01p"), 0x81),  # password alone
        (packet(0x10, b"\x00\x04MQTT\x04\x00\x00\x3c\x00\x00"), 0x85),  # neither clientid nor clean session
        (packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x02\xff\xfe"), 0x81),  # clientid no UTF-8
        (packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x02d\x00"), 0x81),  # null character
        (packet(0x10, b"\x00\x04MQTT\x04\x02\x00\x3c\x00\x02d1more"), 0x81),
        (packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x06\x21\x00\x01\x21\x00\x01\x00\x02d1"), 0x82),  # property twice
        (packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x05\x27\x00\x00\x00\x00\x00\x02d1"), 0x82),  # packet maximum 0
        (packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x02\x01\x01\x00\x02d1"), 0x82),  # not a property of CONNECT
    ],
)
def test_what_cannot_begin_a_conversation(sent: bytes, code: int) -> None:
    """Each bad first packet is refused with MQTT 5's code for it."""
    assert violation(core().receive_data(sent)) == code


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (CONNECT_5, 0x82),
        (publish(b"t/+", b"", properties=b""), 0x90),
        (publish(b"", b"", properties=b""), 0x90),
        (publish(b"t\0", b"", properties=b""), 0x81),
        (publish(b"\xed\xa0\x80", b"", properties=b""), 0x81),  # a surrogate
        (publish(b"t", b"", mid=0, qos=1, properties=b""), 0x82),
        (publish(b"t", b"", mid=1, qos=3, properties=b""), 0x81),
        (b"\x38" + publish(b"t", b"", properties=b"")[1:], 0x81),  # DUP with QoS 0
        (publish(b"t", b"", properties=b"\x23\x00\x00"), 0x82),  # alias 0
        (publish(b"t", b"", properties=b"\x23\x00\x21"), 0x94),  # alias beyond the maximum
        (publish(b"", b"", properties=b"\x23\x00\x01"), 0x94),  # alias never told
        (publish(b"t", b"", properties=b"\x08\x00\x01#"), 0x90),  # response topic with a wildcard
        (publish(b"t", b"", properties=b"\x0b\x01"), 0x82),  # subscription identifier
        (publish(b"t", b"", properties=b"\x01\x02"), 0x82),
        (publish(b"t", b"", properties=b"\x03\x00\x09short"), 0x81),
        (publish(b"t", b"", properties=b"\x26\x00\x00\x00\x00" * 150), 0x97),
        (publish(b"t", b"x" * 5000, properties=b""), 0x95),
        (b"\x30\x80\x00", 0x81),  # a length in more bytes than it needs
        (b"\x60\x02\x00\x01", 0x82),  # PUBREL without its flags
        (b"\x40\x02\x00\x01", 0x82),  # we publish nothing
        (b"\xf0\x00", 0x82),
        (packet(0x82, b"\x00\x01\x00"), 0x82),  # SUBSCRIBE to nothing
        (packet(0x82, b"\x00\x01\x00" + b"\x00\x00\x00" * 1001), 0x97),
        (packet(0xA2, b"\x00\x01\x00" + b"\x00\x00" * 1001), 0x97),
        (b"\xe0\x01\x01", 0x82),
    ],
)
def test_what_ends_a_conversation(sent: bytes, code: int) -> None:
    """The messages before a bad packet are taken, and nothing after it."""
    good = publish(b"t", b"x", properties=b"")
    protocol = connected(receive_max=3, packet_bytes_max=4000)

    heard = protocol.receive_data(good + sent + good)

    assert violation(heard) == code
    assert len(flat(heard)) == 2


def test_qos_2_is_taken_once() -> None:
    """A repeated PUBLISH before PUBREC is not a new message, and gets PUBREC again after Kafka has it."""
    protocol = connected()
    message = publish(b"t", b"x", mid=7, qos=2, properties=b"")

    assert len(flat(protocol.receive_data(message))) == 1
    assert protocol.receive_data(message) == []
    assert protocol.receive_data(b"\x62\x02\x00\x07") == [words.Release(7, 0x92)]
    assert protocol.send(words.Acks([7 | words.QOS2])) == b"\x50\x02\x00\x07"
    assert protocol.receive_data(message) == [words.Repeated(7)]
    assert protocol.receive_data(b"\x62\x02\x00\x07") == [words.Release(7, 0)]
    assert protocol.send(words.Complete(7, 0)) == b"\x70\x02\x00\x07"
    assert len(flat(protocol.receive_data(message))) == 1


def test_a_topic_alias_stands_for_its_topic() -> None:
    """A message with an alias has the whole topic, and a new topic replaces the alias."""
    protocol = connected()

    heard = protocol.receive_data(
        publish(b"t/1", b"a", properties=b"\x23\x00\x01")
        + publish(b"", b"b", properties=b"\x23\x00\x01\x01\x01")
        + publish(b"t/2", b"c", properties=b"\x23\x00\x01")
        + publish(b"", b"d", properties=b"\x23\x00\x01")
    )

    assert [(each[0], each[1], each[4]) for each in flat(heard)] == [  # type: ignore[index]
        (b"t/1", b"a", ()),
        (b"t/1", b"b", ((1, 1),)),
        (b"t/2", b"c", ()),
        (b"t/2", b"d", ()),
    ]


@pytest.mark.parametrize(
    ("word", "v311", "v5"),
    [
        (words.Acks([1, 258]), "4002000140020102", "4002000140020102"),
        (words.Acks([1 | 0x87 << words.REASON_SHIFT]), "40020001", "4003000187"),
        (words.Acks([2 | words.QOS2]), "50020002", "50020002"),
        (words.Complete(3, 0x92), "70020003", "7003000392"),
        (words.Pong(), "d000", "d000"),
        (words.SubAck(4, 2), "900400048080", "90050004008787"),
        (words.UnsubAck(4, 2), "b0020004", "b0050004001111"),
        (words.Bye(0x8E), "", "e0028e00"),
        (words.Bye(0x8E, "no"), "", "e0078e051f00026e6f"),
    ],
)
def test_answers_in_both_versions(word: words.Told, v311: str, v5: str) -> None:
    """MQTT 3.1.1 has reasons only in CONNACK and SUBACK, and no DISCONNECT from a server."""
    assert connected(4).send(word).hex() == v311
    assert connected(5).send(word).hex() == v5


@pytest.mark.parametrize(
    ("code", "v311", "v5"),
    [(0x86, "20020004", "2003008600"), (0x87, "20020005", "2003008700"), (0x89, "20020003", "2003008900")],
)
def test_refusals_in_both_versions(code: int, v311: str, v5: str) -> None:
    """CONNACK gives the reason with the codes of the version."""
    for connect, expected in ((CONNECT_311, v311), (CONNECT_5, v5)):
        protocol = core()
        protocol.receive_data(connect)

        assert protocol.send(words.ConnAck(code)).hex() == expected
        assert protocol.state is State.ENDED


def test_a_version_that_we_do_not_know_is_told_so() -> None:
    """An unknown version gets CONNACK code 1 (MQTT 3.1.1 section 3.1.2.2)."""
    protocol = core()
    protocol.receive_data(packet(0x10, b"\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x02d1"))

    assert protocol.send(words.Bye(0x84)) == b"\x20\x02\x00\x01"


def test_a_connack_tells_the_limits() -> None:
    """CONNACK has the receive maximum, the largest packet, aliases, and that subscriptions are not available."""
    protocol = core(packet_bytes_max=70_000, receive_max=5)
    protocol.receive_data(CONNECT_5)

    told = protocol.send(words.ConnAck(0, assigned="a1", keepalive_seconds=9, session_expiry_seconds=1))

    assert told.hex() == "2021" + "0000" + "1e" + "210005" + "2700011170" + "220020" + "280029002a00" + (
        "1100000001" + "1200026131" + "130009"
    )


def test_nothing_larger_than_the_device_reads_is_sent() -> None:
    """A packet that is too large for the device is sent without its reason text."""
    protocol = core()
    protocol.receive_data(packet(0x10, b"\x00\x04MQTT\x05\x02\x00\x3c\x05\x27\x00\x00\x00\x05\x00\x02d1"))
    protocol.send(words.ConnAck(SUCCESS))

    assert protocol.send(words.Bye(0x8E, "a longer reason")).hex() == "e0028e00"


@pytest.mark.parametrize(
    ("connect", "answer"),
    [
        (packet(0x10, b"\x00\x04MQTT\x05\x03\x00\x3c"), "2003008100"),
        (packet(0x10, b"\x00\x04MQTT\x04\x03\x00\x3c"), ""),
    ],
)
def test_a_broken_connect_is_answered_in_its_own_version(connect: bytes, answer: str) -> None:
    """A broken CONNECT of MQTT 5 gets a CONNACK, and with 3.1.1 the connection ends."""
    protocol = core()
    code = violation(protocol.receive_data(connect))

    assert protocol.send(words.Bye(code)).hex() == answer
