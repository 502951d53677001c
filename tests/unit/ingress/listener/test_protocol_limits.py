"""The limits of one device in the core: work of one call, messages without an answer, and held memory."""

from __future__ import annotations

import pytest

from ingress.listener import words
from ingress.listener.protocol import EXCHANGE_BYTES, WORK_MAX, ServerProtocol
from pipeline.mqtt.fields import written_text as text
from pipeline.mqtt.packets import packet
from pipeline.mqtt.reasons import SUCCESS
from tests.parts.device_bytes import CONNECT_5, CONNECT_311, publish


def connected(version: int = 5, *, packet_bytes_max: int = 1000, receive_max: int = 10) -> ServerProtocol:
    protocol = ServerProtocol(packet_bytes_max=packet_bytes_max, receive_max=receive_max)
    protocol.receive_data(CONNECT_5 if version == 5 else CONNECT_311)
    protocol.send(words.ConnAck(SUCCESS))
    return protocol


def flat(heard: list[words.Said]) -> list[object]:
    """Runs of messages, taken apart."""
    return [each for word in heard for each in (word if isinstance(word, list) else [word])]


def violation(heard: list[words.Said]) -> int:
    assert isinstance(heard[-1], words.Violation), heard
    return heard[-1].code


@pytest.mark.parametrize(("version", "code"), [(5, b"\x20\x03\x00\x86"), (4, b"\x20\x02\x00\x04")])
def test_a_user_name_is_not_longer_than_4096_bytes(version: int, code: bytes) -> None:
    """It is in each record, and a device chooses it."""

    def login(name: bytes) -> tuple[words.Said, bytes]:
        protocol = ServerProtocol(packet_bytes_max=100_000, receive_max=10)
        header = text(b"MQTT") + bytes([version, 0x82]) + b"\x00\x3c" + b"\x00" * (version == 5)
        (said,) = protocol.receive_data(packet(0x10, header + text(b"d1") + text(name)))
        return said, protocol.send(words.Bye(said.code)) if isinstance(said, words.Violation) else b""

    taken, _ = login(b"u" * 4096)
    refused, answer = login(b"u" * 4097)

    assert isinstance(taken, words.Connect)
    assert refused == words.Violation(0x86, "expected a user name of at most 4096 bytes, found 4097")
    assert answer[:1] + answer[2:4] == code[:1] + code[2:4]


def test_a_message_beyond_the_receive_maximum_waits_for_our_answers() -> None:
    """With MQTT 5, a message beyond the receive maximum waits for room, and MQTT 3.1.1 has no maximum."""
    v5, v311 = connected(5, receive_max=3), connected(4, receive_max=3)
    sent = [publish(b"t", b"%d" % n, mid=n + 1, qos=1, properties=b"") for n in range(6)]

    first = flat(v5.receive_data(b"".join(sent[:5])))
    meanwhile = v5.receive_data(sent[5])
    waited = (v5.waits, v5.has_more)
    v5.send(words.Acks([1, 2]))
    then = flat(v5.receive_data(b""))
    v5.send(words.Acks([3]))
    last = flat(v5.receive_data(b""))

    assert [each[1] for each in first] == [b"0", b"1", b"2"]  # type: ignore[index]
    assert (meanwhile, waited) == ([], (True, False))
    assert [each[1] for each in [*then, *last]] == [b"3", b"4", b"5"]  # type: ignore[index]
    assert not v5.waits
    assert len(flat(v311.receive_data(publish(b"t", b"x", mid=1, qos=1) * 9))) == 9


def test_exchanges_that_wait_for_the_device_take_no_room() -> None:
    """QoS 2: what makes room is our PUBREC, since the PUBREL may come behind any number of messages."""
    protocol = connected(5, receive_max=3)
    sent = [publish(b"t", b"x", mid=n + 1, qos=2, properties=b"") for n in range(4)]
    protocol.receive_data(b"".join(sent[:3]))

    waiting = protocol.receive_data(sent[3])
    protocol.send(words.Acks([1 | words.QOS2]))
    more = flat(protocol.receive_data(b""))
    protocol.send(words.Acks([1 | words.QOS2]))  # told again, which makes no room

    assert waiting == []
    assert [each[3] for each in more] == [4]  # type: ignore[index]
    assert protocol.receive_data(publish(b"t", b"x", mid=5, qos=2, properties=b"")) == []
    protocol.send(words.Complete(1, 0x92))
    assert protocol.held_bytes > 4 * EXCHANGE_BYTES


def test_released_exchanges_are_over() -> None:
    """A PUBREL ends its exchange, and another message of an open one is repeated."""
    protocol = connected(5, receive_max=2)
    two = [publish(b"t", b"x", mid=n, qos=2, properties=b"") for n in (1, 2, 3)]
    protocol.receive_data(two[0] + two[1])
    protocol.send(words.Acks([1 | words.QOS2, 2 | words.QOS2]))

    assert protocol.receive_data(two[1] + b"\x62\x02\x00\x01") == [words.Repeated(2), words.Release(1, 0)]
    protocol.send(words.Complete(1, 0))
    assert len(flat(protocol.receive_data(two[2]))) == 1


@pytest.mark.parametrize(
    ("sent", "most"),
    [
        (b"\xc0\x00", WORK_MAX // 4),
        (packet(0x62, b"\x00\x07"), WORK_MAX // 4),
        (packet(0x82, b"\x00\x01\x00" + (text(b"") + b"\x01") * 500), 3),
        (publish(b"t", b"", properties=b""), WORK_MAX),
        (publish(b"new", b"", properties=b"\x26" + text(b"k") + text(b"v")), WORK_MAX // 4),
        (publish(b"new", b"", properties=(b"\x26" + text(b"k") + text(b"v")) * 100), 6),
    ],
)
def test_one_call_does_a_bounded_amount_of_work(sent: bytes, most: int) -> None:
    """One call handles a bounded number of packets, fewer if they cost more, and loses nothing."""
    count = 1000
    protocol = connected(packet_bytes_max=5000)
    protocol.usual_topics({b"t"})

    calls = [flat(protocol.receive_data(sent * count))]
    while protocol.has_more:
        calls.append(flat(protocol.receive_data(b"")))

    assert max(map(len, calls)) <= most
    assert len(calls) > 1
    assert sum(map(len, calls)) == count
    assert len({str(word) for call in calls for word in call}) == 1


def test_what_brings_no_message_is_counted() -> None:
    """PINGREQ, PUBREL of nothing, a repeated PUBLISH, and each topic filter; a PUBREL that is due is part of its message."""
    protocol = connected()
    message = publish(b"t", b"x", mid=7, qos=2, properties=b"")
    protocol.receive_data(message)
    protocol.send(words.Acks([7 | words.QOS2]))
    protocol.receive_data(b"\x62\x02\x00\x07")
    counts = [protocol.control_packets]
    filters = packet(0x82, b"\x00\x01\x00" + (text(b"a") + b"\x00") * 5)
    for sent in (b"\xc0\x00", message, b"\x62\x02\x00\x09", filters):
        protocol.receive_data(sent)
        counts.append(protocol.control_packets)

    assert counts == [0, 1, 2, 3, 8]


def test_what_a_conversation_holds_is_known() -> None:
    """The size counts unfinished packets, aliases, open QoS 2 exchanges, and waiting messages."""
    protocol = connected(receive_max=1)
    held = [protocol.held_bytes]
    long = publish(b"t", b"x" * 500, properties=b"")
    for sent in (
        long[:400],
        long[400:],
        publish(b"alias", b"", properties=b"\x23\x00\x01"),
        publish(b"al", b"", properties=b"\x23\x00\x01"),
        publish(b"t", b"", mid=1, qos=2, properties=b""),
        publish(b"t", b"1234", mid=2, qos=1, properties=b""),
    ):
        protocol.receive_data(sent)
        held.append(protocol.held_bytes)

    assert held == [0, 400, 0, 5, 2, 102, 102 + 12]
