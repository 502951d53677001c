"""The words between the protocol and the connection: the device's words, and our answers.

Values only: protocol.py reads and writes them.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.mqtt.packets import Properties, Publish
from pipeline.mqtt.reasons import (
    BAD_CREDENTIALS,
    CLIENTID_NOT_VALID,
    NOT_AUTHORIZED,
    SUCCESS,
    UNSUPPORTED_VERSION,
)

# The acknowledgement of a message, in one number because the window keeps one for each message: the packet identifier, QOS2
# when a PUBREC is due instead of a PUBACK, and the reason code above them. 0: no acknowledgement is due.
Ack = int
QOS2: Final = 1 << 16
REASON_SHIFT: Final = 17

TOPIC_ALIASES_MAX: Final = 32

# CONNACK of MQTT 3.1.1 (section 3.2.2.3) for reason codes of MQTT 5; all others are "server unavailable".
CONNACK_311: Final = {
    SUCCESS: 0,
    UNSUPPORTED_VERSION: 1,
    CLIENTID_NOT_VALID: 2,
    BAD_CREDENTIALS: 4,
    NOT_AUTHORIZED: 5,
}


# --- What a device said


def size_of(properties: Properties) -> int:
    """Bytes of texts in properties."""
    texts = [value for _, value in properties if not isinstance(value, int)]
    return sum(len(each) if isinstance(each, bytes) else len(each[0]) + len(each[1]) for each in texts)


class Will(NamedTuple):
    """A message to publish if the device disappears without DISCONNECT. Flags as in a PUBLISH."""

    topic: bytes
    payload: bytes
    flags: int
    properties: Properties
    delay_seconds: int

    @property
    def size_bytes(self) -> int:
        """Its approximate memory in bytes."""
        return len(self.topic) + len(self.payload) + size_of(self.properties)


class Connect(NamedTuple):
    """CONNECT; `version` is 3 (MQTT 3.1), 4 (3.1.1) or 5. Nothing more is read before it is answered."""

    version: int
    clientid: str  # empty: we assign one
    username: str | None
    password: bytes | None
    keepalive_seconds: int
    clean_start: bool
    will: Will | None
    properties: Properties
    is_bridge: bool = False

    @property
    def size_bytes(self) -> int:
        """Its approximate memory in bytes."""
        will = self.will.size_bytes if self.will is not None else 0
        return (
            len(self.clientid) + len(self.username or "") + len(self.password or b"") + will + size_of(self.properties)
        )


class Repeated(NamedTuple):
    """A PUBLISH of QoS 2 whose PUBREC was sent before: send it again."""

    mid: int


class Release(NamedTuple):
    """PUBREL. `code` is the reason code for its PUBCOMP."""

    mid: int
    code: int


class Ping(NamedTuple):
    """PINGREQ."""


class Subscribe(NamedTuple):
    """SUBSCRIBE with this number of filters. We refuse all of them."""

    mid: int
    filters: int


class Unsubscribe(NamedTuple):
    """UNSUBSCRIBE with this number of filters."""

    mid: int
    filters: int


class Disconnect(NamedTuple):
    """DISCONNECT: the device leaves, maybe with another wish of how long its session lasts."""

    code: int
    session_expiry_seconds: int | None = None


class Violation(NamedTuple):
    """The device broke the protocol. This is its last word: nothing more is read."""

    code: int
    reason: str


# A list: one or more PUBLISH in order. The arrival of the bytes decides how they are split into runs.
Said = list[Publish] | Connect | Repeated | Release | Ping | Subscribe | Unsubscribe | Disconnect | Violation


# --- What is told to a device


class ConnAck(NamedTuple):
    """The answer to CONNECT. `keepalive_seconds` and `assigned` are set if they differ from the device's."""

    code: int
    assigned: str | None = None
    keepalive_seconds: int | None = None
    session_expiry_seconds: int | None = None
    session_present: bool = False


class Acks(NamedTuple):
    """PUBACK or PUBREC for each."""

    acks: list[Ack]


class Complete(NamedTuple):
    """PUBCOMP."""

    mid: int
    code: int


class Pong(NamedTuple):
    """PINGRESP."""


class SubAck(NamedTuple):
    """A SUBACK that refuses all filters."""

    mid: int
    filters: int


class UnsubAck(NamedTuple):
    """UNSUBACK."""

    mid: int
    filters: int


class Bye(NamedTuple):
    """The last packet before we close: DISCONNECT, or a CONNACK that refuses if the device is not connected."""

    code: int
    reason: str = ""


Told = ConnAck | Acks | Complete | Pong | SubAck | UnsubAck | Bye
