"""The parser gives whole packets in order, whatever the pieces of bytes, and refuses what is not MQTT."""

from __future__ import annotations

import contextlib
import hashlib
import random
import tracemalloc
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paho.mqtt import client as paho

from pipeline.mqtt.fields import ProtocolError, written_text, written_varint
from pipeline.mqtt.packets import CUT, CutPayload, Packet, Publish, acknowledgements, packet
from pipeline.mqtt.parser import KEPT_BYTES_MIN, Parser

PINGRESP = b"\xd0\x00"


def publish(topic: bytes, payload: bytes, *, first: int = 0x32, mid: int = 1, properties: bytes | None = b"") -> bytes:
    """A PUBLISH packet; `properties` None makes one of MQTT 3.1.1."""
    body = written_text(topic) + (mid.to_bytes(2, "big") if first & 6 else b"")
    body += b"" if properties is None else written_varint(len(properties)) + properties
    return packet(first, body + payload)


def flat(parts: list[list[Publish] | Packet]) -> list[Publish | Packet]:
    return [each for part in parts for each in (part if isinstance(part, list) else [part])]


messages = st.tuples(
    st.binary(min_size=1, max_size=40),
    st.one_of(st.binary(max_size=60), st.integers(100, 40_000).map(bytes)),
    st.sampled_from([0x30, 0x31, 0x32, 0x33, 0x3A, 0x3B]),
    st.integers(1, 65535),
    st.sampled_from([(), ((0x01, 1),), ((0x26, (b"a", b"bc")),) * 20]),
)
WRITTEN = {0: b"", 1: b"\x01\x01", 20: b"\x26\x00\x01a\x00\x02bc" * 20}  # by their number


@given(sent=st.lists(messages, max_size=12), v5=st.booleans(), chance=st.randoms(use_true_random=False))
def test_any_cut_of_the_bytes_gives_the_same_packets(sent: list[Publish], v5: bool, chance: random.Random) -> None:
    """Random streams that are cut at random places give the same packets."""
    stream, expected = b"", []
    for topic, payload, first, mid, properties in sent:
        written = WRITTEN[len(properties)] if v5 else None
        stream += publish(topic, payload, first=first, mid=mid, properties=written) + PINGRESP
        expected += [(topic, payload, first, mid if first & 6 else 0, properties if v5 else ()), Packet(0xD0, b"")]
    cuts = sorted(chance.choices(range(len(stream) + 1), k=chance.choice([0, 3, 50])))
    parser = Parser(v5=v5)

    found = [each for a, b in pairwise([0, *cuts, len(stream)]) for each in flat(parser.feed(stream[a:b]))]

    assert found == expected


def test_single_bytes_give_the_same_packets() -> None:
    """One byte a read gives the same packets, also with a length of three bytes."""
    stream = publish(b"a/b", bytes(20_000)) + PINGRESP + publish(b"c", b"")
    parser = Parser(v5=True)

    found = [each for n in range(len(stream)) for each in flat(parser.feed(stream[n : n + 1]))]

    assert [each[0] for each in found] == [b"a/b", 0xD0, b"c"]


def test_neighbouring_messages_are_one_run() -> None:
    """Only another kind of packet ends a run of messages."""
    parser = Parser(v5=False)
    one = publish(b"t", b"x", properties=None)

    parts = parser.feed(one * 3 + PINGRESP + one * 2)

    assert [len(part) if isinstance(part, list) else part for part in parts] == [3, Packet(0xD0, b""), 2]


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (b"\x30\xff\xff\xff\xff\x01", "at most 4 bytes"),
        (b"\x30\x00", "reach beyond its end"),
        (b"\x30\x03\x00\x09a" + PINGRESP * 9, "reach beyond its end"),
        (publish(b"t", b"", first=0x32, mid=0), "packet identifier of 1 to 65535, found 0"),
        (publish(b"t", b"", first=0x34), "QoS 0 or 1, as subscribed, found QoS 2"),
        (publish(b"t", b"", first=0x36), "found QoS 3"),
        (b"\x32\x05\x00\x01t\x00\x01", "reach beyond its end"),
        (b"\x32\x06\x00\x01t\x00\x01\x05", "reach beyond its end"),
    ],
)
def test_what_is_not_mqtt_is_refused_in_words(packet: bytes, words: str) -> None:
    """The error says what was expected and what was found."""
    with pytest.raises(ProtocolError, match=words):
        Parser(v5=True).feed(packet)


@given(st.binary(max_size=300), st.booleans())
def test_no_bytes_raise_anything_else(noise: bytes, v5: bool) -> None:
    """Any bytes give packets or a ProtocolError."""
    parser = Parser(v5=v5)
    with contextlib.suppress(ProtocolError):
        parser.feed(noise)


def test_acknowledgements_are_joined_in_order() -> None:
    """Each packet identifier gives one PUBACK of four bytes."""
    assert acknowledgements([1, 65535, 258]) == b"\x40\x02\x00\x01\x40\x02\xff\xff\x40\x02\x01\x02"


def test_paho_still_has_what_the_client_overrides_and_calls() -> None:
    """paho still has every private name that the client uses."""
    methods = (
        "_packet_handle",
        "_packet_queue",
        "_loop_rc_handle",
        "_sock_close",
        "_call_socket_register_write",
        "loop_read",
    )
    attributes = ("_in_packet", "_sock", "_ssl", "_ping_t", "_last_bytes_received")
    client = paho.Client(paho.CallbackAPIVersion.VERSION2)

    assert all(callable(getattr(client, name)) for name in methods)
    assert all(hasattr(client, name) for name in attributes)
    assert {"command", "packet", "remaining_length", "pos"} <= client._in_packet.keys()


LARGE = KEPT_BYTES_MIN * 2
PAIR = b"\x26\x00\x01a\x00\x02bc"


@given(
    v5=st.booleans(),
    payload=st.integers(KEPT_BYTES_MIN - 100, LARGE).map(lambda size: b"ab" * (size // 2)),
    pairs=st.sampled_from([0, 1, KEPT_BYTES_MIN // len(PAIR), 2 * KEPT_BYTES_MIN // len(PAIR)]),
    chance=st.randoms(use_true_random=False),
)
@settings(max_examples=30, deadline=None)
def test_of_a_large_message_the_beginning_is_kept(v5: bool, payload: bytes, pairs: int, chance: random.Random) -> None:
    """However the bytes are cut: with size and digest of its payload, also if its properties are larger than what is kept."""
    before, after = (publish(topic, b"x", properties=b"" if v5 else None) for topic in (b"t/0", b"t/2"))
    stream = before + publish(b"t/1", payload, mid=7, properties=PAIR * pairs if v5 else None) + after
    cuts = [0, *sorted(chance.choices(range(len(stream) + 1), k=chance.choice([1, 3, 20]))), len(stream)]
    parser = Parser(v5=v5, kept_bytes=KEPT_BYTES_MIN)

    found: list[Any] = [each for a, b in pairwise(cuts) for each in flat(parser.feed(stream[a:b]))]

    first, (topic, kept, flags, mid, properties), last = found
    assert (first[0], topic, flags, mid, last[0]) == (b"t/0", b"t/1", 0x32, 7, b"t/2")
    if properties and properties[-1][0] == CUT:
        assert properties[-1][1] == CutPayload(len(payload), hashlib.sha256(payload).hexdigest())
        assert payload.startswith(kept)
    else:
        assert (kept, len(properties)) == (payload, pairs if v5 else 0)


def test_a_large_message_does_not_take_its_size() -> None:
    """256 MB in reads of 256 KB: some brokers pass on whatever a device publishes."""
    parser = Parser(v5=True, kept_bytes=1 << 20)
    total = 64 << 20
    head = written_text(b"t/1") + b"\x00\x07\x00"
    tracemalloc.start()
    try:
        parser.feed(b"\x32" + written_varint(len(head) + total) + head)
        chunk = bytes(1 << 18)
        found = [each for _ in range(total // len(chunk)) for each in flat(parser.feed(chunk))]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    topic, payload, _, mid, properties = cast(Publish, found[0])
    assert len(found) == 1
    assert (topic, mid, properties[-1][1].size_bytes) == (b"t/1", 7, total)
    assert len(payload) == (1 << 20) - len(head)
    assert peak < 5 << 20


@pytest.mark.parametrize(
    "fields", [written_text(b"t") + b"\x00\x00\x00", written_text(b"t") + b"\x00\x01\xff\xff\xff\x7f"]
)
def test_a_large_message_with_wrong_fields_is_refused(fields: bytes) -> None:
    """Without an identifier, and with properties that reach beyond it."""
    parser = Parser(v5=True, kept_bytes=KEPT_BYTES_MIN)

    with pytest.raises(ProtocolError, match="fields of a PUBLISH"):
        parser.feed(b"\x32" + written_varint(len(fields) + LARGE) + fields + bytes(KEPT_BYTES_MIN))


def test_too_many_properties_are_not_made() -> None:
    """Of 400 KB they would be 20 MB: the message counts as too large, and has none."""
    properties = b"\x26\x00\x00\x00\x00" * 80_000

    found = flat(Parser(v5=True).feed(publish(b"t", b"x", properties=properties)))

    assert found == [(b"t", b"x", 0x32, 1, ((CUT, CutPayload(1, hashlib.sha256(b"x").hexdigest())),))]
