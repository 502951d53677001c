"""Reads CONNECT: the device's names, its keep-alive, and its will.

Sources: MQTT 5.0, 3.1.1 and 3.1, section 3.1. Pure. This file does not judge which device may connect.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ingress.listener.words import Connect, Will
from pipeline.mqtt.fields import ProtocolError, Reader, checked_topic
from pipeline.mqtt.properties import (
    AUTHENTICATION_DATA,
    AUTHENTICATION_METHOD,
    OF_CONNECT,
    OF_WILL,
    RESPONSE_TOPIC,
    WILL_DELAY,
    decode_checked,
)
from pipeline.mqtt.reasons import BAD_CREDENTIALS, CLIENTID_NOT_VALID, MALFORMED, PROTOCOL_ERROR, UNSUPPORTED_VERSION

CLIENTID_BYTES_MAX: Final = 1024
USERNAME_BYTES_MAX: Final = 4096  # each record has it, and each connection keeps it
BRIDGE: Final = 0x80  # set in the version by a mosquitto that forwards messages to another broker
NAMES: Final = {3: b"MQIsdp", 4: b"MQTT", 5: b"MQTT"}


class Version(NamedTuple):
    """3 (MQTT 3.1), 4 (MQTT 3.1.1) or 5, and whether the client says that it is a bridge."""

    number: int
    is_bridge: bool


def read_version(body: Reader) -> Version:
    """The version. Raises ProtocolError for another one, without reading the rest."""
    name, version = body.binary(), body.number(1)
    if name not in NAMES.values():
        raise ProtocolError(MALFORMED, "expected the protocol name MQTT")
    number = version & ~BRIDGE
    if NAMES.get(number) != name:
        raise ProtocolError(UNSUPPORTED_VERSION, f"expected MQTT 3.1, 3.1.1 or 5, found version {number}")
    return Version(number, bool(version & BRIDGE))


def read_connect(body: Reader, told: Version) -> Connect:
    """Read the rest after the version. Raises ProtocolError."""
    version = told.number
    flags, keepalive = body.number(1), body.number(2)
    _check_flags(flags, version)
    properties = decode_checked(body.counted(), OF_CONNECT) if version == 5 else ()
    given = {identifier for identifier, _ in properties}
    if AUTHENTICATION_DATA in given and AUTHENTICATION_METHOD not in given:
        raise ProtocolError(PROTOCOL_ERROR, "expected an authentication method with the authentication data")
    clientid = body.text()
    if len(clientid) > CLIENTID_BYTES_MAX or (not clientid and not _may_be_empty(version, flags)):
        raise ProtocolError(
            CLIENTID_NOT_VALID, f"expected a clientid of 1 to {CLIENTID_BYTES_MAX} bytes, found {len(clientid)}"
        )
    will = _will(body, flags, version) if flags & 4 else None
    # In MQTT 3.1 the length of the packet counts, and not the flag (section 3.1).
    username = _username(body) if flags & 0x80 and (version > 3 or body.left) else None
    password = body.binary() if flags & 0x40 and (version > 3 or body.left) else None
    body.finish()
    return Connect(
        version, clientid.decode(), username, password, keepalive, bool(flags & 2), will, properties, told.is_bridge
    )


def _username(body: Reader) -> str:
    name = body.text()
    if len(name) > USERNAME_BYTES_MAX:
        raise ProtocolError(
            BAD_CREDENTIALS, f"expected a user name of at most {USERNAME_BYTES_MAX} bytes, found {len(name)}"
        )
    return name.decode()


def _may_be_empty(version: int, flags: int) -> bool:
    """Whether a device of this version may leave its clientid to us."""
    return version == 5 or (version == 4 and bool(flags & 2))


def _check_flags(flags: int, version: int) -> None:
    """MQTT 3.1 says nothing of flags that have no meaning."""
    if version == 3:
        flags &= ~1 if flags & 4 else ~0x39
    if flags & 1:
        raise ProtocolError(MALFORMED, "expected the reserved flag of CONNECT to be 0")
    if flags & 0x18 == 0x18 or (not flags & 4 and flags & 0x38):
        raise ProtocolError(MALFORMED, "expected a will of QoS 0 to 2, or no flags of one")
    if version < 5 and flags & 0x40 and not flags & 0x80:
        raise ProtocolError(MALFORMED, "expected a user name with the password")


def _will(body: Reader, flags: int, version: int) -> Will:
    properties = decode_checked(body.counted(), OF_WILL) if version == 5 else ()
    topic = checked_topic(body.binary())
    payload = body.binary()
    values = dict(properties)
    if RESPONSE_TOPIC in values:
        checked_topic(values[RESPONSE_TOPIC])
    kept = tuple(each for each in properties if each[0] != WILL_DELAY)
    return Will(topic, payload, (flags & 0x18) >> 2 | (flags & 0x20) >> 5, kept, values.get(WILL_DELAY, 0))
