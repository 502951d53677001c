"""MQTT 5's properties: those that paho writes are read back, and forbidden ones are refused with their reason code."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipeline.mqtt.fields import ProtocolError
from pipeline.mqtt.properties import (
    KNOWN_PROPERTIES,
    OF_CONNECT,
    OF_DISCONNECT,
    OF_PUBLISH_BY_CLIENT,
    OF_PUBLISH_BY_SERVER,
    OF_WILL,
    check,
    decode,
    decode_checked,
    written_properties,
)


def test_properties_are_those_that_paho_wrote() -> None:
    """All publish properties, written by paho, are read back in order."""
    written = Properties(PacketTypes.PUBLISH)
    written.PayloadFormatIndicator = 1
    written.MessageExpiryInterval = 70_000
    written.ContentType = "text/plain"
    written.ResponseTopic = "answers"
    written.CorrelationData = b"\x00\xff"
    written.UserProperty = [("a", "1"), ("a", "2"), ("", "")]

    found = decode(written.pack()[1:], OF_PUBLISH_BY_SERVER)

    assert sorted(found, key=lambda each: each[0]) == [
        (0x01, 1),
        (0x02, 70_000),
        (0x03, b"text/plain"),
        (0x08, b"answers"),
        (0x09, b"\x00\xff"),
        (0x26, (b"a", b"1")),
        (0x26, (b"a", b"2")),
        (0x26, (b"", b"")),
    ]


def test_the_table_is_that_of_paho() -> None:
    """Identifier, name and kind of each property are the same in paho's own table."""
    paho = Properties(PacketTypes.CONNECT)
    kinds = {
        "Byte": "byte",
        "Two Byte Integer": "two",
        "Four Byte Integer": "four",
        "Variable Byte Integer": "varint",
        "UTF-8 Encoded String": "text",
        "Binary Data": "binary",
        "UTF-8 String Pair": "pair",
    }

    theirs = {
        identifier: (name.replace(" ", "").lower(), kinds[paho.types[paho.properties[identifier][0]]])
        for name, identifier in paho.names.items()
    }
    ours = {
        identifier: (found.name.replace("-", "").lower(), found.kind) for identifier, found in KNOWN_PROPERTIES.items()
    }
    assert ours == theirs


@pytest.mark.parametrize(
    ("allowed", "packet_type"),
    [
        (OF_CONNECT, PacketTypes.CONNECT),
        (OF_WILL, PacketTypes.WILLMESSAGE),
        (OF_PUBLISH_BY_SERVER, PacketTypes.PUBLISH),
    ],
)
def test_each_packet_may_have_what_paho_allows_it(allowed: frozenset[int], packet_type: int) -> None:
    """The allowed properties of each packet are those of table 2-4, as in paho."""
    table = Properties(packet_type).properties

    assert allowed == {identifier for identifier, (_, packets) in table.items() if packet_type in packets}


@pytest.mark.parametrize(
    "packed", [b"\x26\x00\x01a\x00\x09b", b"\x02\x00", b"\x26\x00", b"\x0b\x80", b"\x03\x00\x09short"]
)
def test_a_value_that_reaches_beyond_the_end_is_refused(packed: bytes) -> None:
    """A value of any kind that reaches beyond the end is refused on both sides."""
    with pytest.raises(ProtocolError, match="reaches beyond them") as refused:
        decode(packed, OF_PUBLISH_BY_SERVER)

    assert refused.value.reason_code == 0x81


@pytest.mark.parametrize(
    ("packed", "allowed", "code"),
    [
        (b"\x11\x00\x00\x00\x01", OF_PUBLISH_BY_CLIENT, 0x82),  # one of CONNECT
        (b"\x7f", OF_PUBLISH_BY_CLIENT, 0x81),  # one of no packet
        (b"\x0b\x01", OF_PUBLISH_BY_CLIENT, 0x82),  # only a server sends it
        (b"\x01\x00\x01\x00", OF_PUBLISH_BY_CLIENT, 0x82),  # twice
        (b"\x01\x02", OF_PUBLISH_BY_CLIENT, 0x82),  # neither 0 nor 1
        (b"\x23\x00\x00", OF_PUBLISH_BY_CLIENT, 0x82),  # topic alias 0
        (b"\x27\x00\x00\x00\x00", OF_CONNECT, 0x82),  # packets of no byte
        (b"\x1f\x00\x01\xff", OF_DISCONNECT, 0x81),  # not UTF-8
        (b"\x26\x00\x01a\x00\x01\x00", OF_CONNECT, 0x81),  # a null character
        (b"\x26\x00\x00\x00\x00" * 150, OF_CONNECT, 0x97),
    ],
)
def test_a_stranger_may_not_send(packed: bytes, allowed: frozenset[int], code: int) -> None:
    """Each forbidden property is refused with MQTT 5's code for it."""
    with pytest.raises(ProtocolError) as refused:
        decode_checked(packed, allowed)

    assert refused.value.reason_code == code


def test_a_server_is_not_checked_as_a_stranger_is() -> None:
    """Text from a server that is not UTF-8 is accepted, because it would come again on each new connection."""
    (found,) = decode(b"\x26\x00\x01\xff\x00\x00", OF_PUBLISH_BY_SERVER)

    assert found == (0x26, (b"\xff", b""))


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_else(noise: bytes) -> None:
    """Any bytes give properties or a ProtocolError."""
    with contextlib.suppress(ProtocolError):
        check(decode(noise, frozenset(KNOWN_PROPERTIES)))


def test_what_is_written_is_read_back() -> None:
    """Numbers of each size and a text are written and read back with their length."""
    values: dict[int, bytes | int] = {0x21: 5, 0x27: 70_000, 0x28: 0, 0x1F: "größer".encode()}

    written = written_properties(values)

    assert written[0] == len(written) - 1
    assert dict(decode(written[1:], frozenset(values))) == values
