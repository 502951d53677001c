"""The properties of MQTT 5: their names, how each is written, in which packet each may stand, and their bytes.

`decode` reads them from anybody: it checks that all bytes are there. `check` judges what a stranger sent besides: a text is
UTF-8, a number is one that the property can have, and none but user properties are there twice.

Source: MQTT 5.0 section 2.2.2, table 2-4.
"""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from pipeline.mqtt.fields import ProtocolError, checked_text, varint, written_text, written_varint
from pipeline.mqtt.packets import Properties
from pipeline.mqtt.reasons import MALFORMED, PROTOCOL_ERROR, QUOTA_EXCEEDED

USER_PROPERTIES_MAX: Final = 100  # in one packet of a stranger
NO_LIMIT: Final = 1 << 62


class Property(NamedTuple):
    """Its name, as rules see it, and how its value is written."""

    name: str
    kind: Literal["byte", "two", "four", "varint", "text", "binary", "pair"]


PAYLOAD_FORMAT: Final = 0x01
MESSAGE_EXPIRY: Final = 0x02
CONTENT_TYPE: Final = 0x03
RESPONSE_TOPIC: Final = 0x08
CORRELATION_DATA: Final = 0x09
SUBSCRIPTION_IDENTIFIER: Final = 0x0B
SESSION_EXPIRY: Final = 0x11
ASSIGNED_CLIENTID: Final = 0x12
SERVER_KEEPALIVE: Final = 0x13
AUTHENTICATION_METHOD: Final = 0x15
AUTHENTICATION_DATA: Final = 0x16
REQUEST_PROBLEM: Final = 0x17
WILL_DELAY: Final = 0x18
REQUEST_RESPONSE: Final = 0x19
REASON_STRING: Final = 0x1F
RECEIVE_MAXIMUM: Final = 0x21
ALIAS_MAXIMUM: Final = 0x22
TOPIC_ALIAS: Final = 0x23
USER_PROPERTY: Final = 0x26
PACKET_MAXIMUM: Final = 0x27
WILDCARDS_AVAILABLE: Final = 0x28
IDENTIFIERS_AVAILABLE: Final = 0x29
SHARED_AVAILABLE: Final = 0x2A

KNOWN_PROPERTIES: Final[dict[int, Property]] = {
    PAYLOAD_FORMAT: Property("Payload-Format-Indicator", "byte"),
    MESSAGE_EXPIRY: Property("Message-Expiry-Interval", "four"),
    CONTENT_TYPE: Property("Content-Type", "text"),
    RESPONSE_TOPIC: Property("Response-Topic", "text"),
    CORRELATION_DATA: Property("Correlation-Data", "binary"),
    SUBSCRIPTION_IDENTIFIER: Property("Subscription-Identifier", "varint"),
    SESSION_EXPIRY: Property("Session-Expiry-Interval", "four"),
    ASSIGNED_CLIENTID: Property("Assigned-Client-Identifier", "text"),
    SERVER_KEEPALIVE: Property("Server-Keep-Alive", "two"),
    AUTHENTICATION_METHOD: Property("Authentication-Method", "text"),
    AUTHENTICATION_DATA: Property("Authentication-Data", "binary"),
    REQUEST_PROBLEM: Property("Request-Problem-Information", "byte"),
    WILL_DELAY: Property("Will-Delay-Interval", "four"),
    REQUEST_RESPONSE: Property("Request-Response-Information", "byte"),
    0x1A: Property("Response-Information", "text"),
    0x1C: Property("Server-Reference", "text"),
    REASON_STRING: Property("Reason-String", "text"),
    RECEIVE_MAXIMUM: Property("Receive-Maximum", "two"),
    ALIAS_MAXIMUM: Property("Topic-Alias-Maximum", "two"),
    TOPIC_ALIAS: Property("Topic-Alias", "two"),
    0x24: Property("Maximum-QoS", "byte"),
    0x25: Property("Retain-Available", "byte"),
    USER_PROPERTY: Property("User-Property", "pair"),
    PACKET_MAXIMUM: Property("Maximum-Packet-Size", "four"),
    WILDCARDS_AVAILABLE: Property("Wildcard-Subscription-Available", "byte"),
    IDENTIFIERS_AVAILABLE: Property("Subscription-Identifier-Available", "byte"),
    SHARED_AVAILABLE: Property("Shared-Subscription-Available", "byte"),
}
SIZES: Final = {"byte": 1, "two": 2, "four": 4}
KINDS: Final = {identifier: found.kind for identifier, found in KNOWN_PROPERTIES.items()}

# Bytes that can only be 0 or 1, and numbers that cannot be 0.
SWITCHES: Final = frozenset({PAYLOAD_FORMAT, REQUEST_PROBLEM, REQUEST_RESPONSE})
# A receive maximum of 0 is a mistake, but bridges of mosquitto 2.0 send it for "no limit", and no message goes to a client.
NOT_ZERO: Final = frozenset({SUBSCRIPTION_IDENTIFIER, TOPIC_ALIAS, PACKET_MAXIMUM})

# The properties of the packets that are read here. A server sends the subscription identifier; a client may not.
MESSAGE: Final = frozenset(
    {PAYLOAD_FORMAT, MESSAGE_EXPIRY, CONTENT_TYPE, RESPONSE_TOPIC, CORRELATION_DATA, USER_PROPERTY}
)
OF_PUBLISH_BY_CLIENT: Final = MESSAGE | {TOPIC_ALIAS}
OF_PUBLISH_BY_SERVER: Final = MESSAGE | {TOPIC_ALIAS, SUBSCRIPTION_IDENTIFIER}
OF_WILL: Final = MESSAGE | {WILL_DELAY}
OF_CONNECT: Final = frozenset(
    {
        SESSION_EXPIRY,
        AUTHENTICATION_METHOD,
        AUTHENTICATION_DATA,
        REQUEST_PROBLEM,
        REQUEST_RESPONSE,
        RECEIVE_MAXIMUM,
        ALIAS_MAXIMUM,
        USER_PROPERTY,
        PACKET_MAXIMUM,
    }
)
OF_ACK: Final = frozenset({REASON_STRING, USER_PROPERTY})
OF_SUBSCRIBE: Final = frozenset({SUBSCRIPTION_IDENTIFIER, USER_PROPERTY})
OF_UNSUBSCRIBE: Final = frozenset({USER_PROPERTY})
OF_DISCONNECT: Final = frozenset({SESSION_EXPIRY, REASON_STRING, USER_PROPERTY})


def decode(b: bytes, allowed: frozenset[int], *, count_max: int = NO_LIMIT) -> Properties:
    """Identifiers and values in order, of the bytes after their length. Raises ProtocolError. About 3 µs for four."""
    found: list[tuple[int, Any]] = []
    at, end = 0, len(b)
    try:
        while at < end:
            identifier = b[at]
            if identifier not in allowed:
                raise ProtocolError(
                    PROTOCOL_ERROR if identifier in KNOWN_PROPERTIES else MALFORMED,
                    f"expected the properties of this packet, found property 0x{identifier:02X}",
                )
            if len(found) >= count_max:
                raise ProtocolError(QUOTA_EXCEEDED, f"expected at most {USER_PROPERTIES_MAX} user properties")
            kind = KINDS[identifier]
            at += 1
            if kind == "pair":
                middle = at + 2 + ((b[at] << 8) | b[at + 1])
                last = middle + 2 + ((b[middle] << 8) | b[middle + 1])
                found.append((identifier, (b[at + 2 : middle], b[middle + 2 : last])))
                at = last
            elif kind in ("text", "binary"):
                last = at + 2 + ((b[at] << 8) | b[at + 1])
                found.append((identifier, b[at + 2 : last]))
                at = last
            elif kind == "varint":
                value, at = varint(b, at, end)
                if value < 0:
                    raise IndexError
                found.append((identifier, value))
            else:
                size = SIZES[kind]
                found.append((identifier, int.from_bytes(b[at : at + size], "big")))
                at += size
    except IndexError:
        at = end + 1
    if at > end:
        raise ProtocolError(MALFORMED, "expected the properties of this packet, found one that reaches beyond them")
    return tuple(found)


def check(properties: Properties) -> Properties:
    """`properties`, if each has a value that it can have, and only user properties repeat. Raises ProtocolError."""
    seen: set[int] = set()
    for identifier, value in properties:
        if identifier == USER_PROPERTY:
            checked_text(value[0])
            checked_text(value[1])
            continue
        if identifier in seen:
            raise ProtocolError(PROTOCOL_ERROR, f"expected property 0x{identifier:02X} once, found it twice")
        seen.add(identifier)
        if KINDS[identifier] == "text":
            checked_text(value)
        elif (identifier in SWITCHES and value > 1) or (identifier in NOT_ZERO and not value):
            raise ProtocolError(PROTOCOL_ERROR, f"property 0x{identifier:02X} cannot be {value}")
    return properties


def decode_checked(b: bytes, allowed: frozenset[int]) -> Properties:
    """Decode the properties of a stranger, with limits and checks. Raises ProtocolError."""
    return check(decode(b, allowed, count_max=USER_PROPERTIES_MAX + len(KNOWN_PROPERTIES)))


def written_properties(values: dict[int, bytes | int]) -> bytes:
    """Properties with their length before them."""
    body = b""
    for identifier, value in values.items():
        body += bytes([identifier])
        body += written_text(value) if isinstance(value, bytes) else value.to_bytes(SIZES[KINDS[identifier]], "big")
    return written_varint(len(body)) + body
