"""Reads and writes the fields of MQTT packets, with every check.

Every read is checked: its bytes exist, a text is UTF-8 without the null character, a number has as few bytes as it needs. An
error raises ProtocolError with MQTT 5's reason code.

Source: MQTT 5.0 section 1.5 (data types). This file does not know any packet.
"""

from __future__ import annotations

from pipeline.errors import RetryableError
from pipeline.mqtt.reasons import MALFORMED, TOPIC_NAME_INVALID


class ProtocolError(RetryableError):
    """The other side broke the protocol. This connection cannot go on, but a new one may work.

    `reason_code` is MQTT 5's code, and `problem` is a text for the other side.
    """

    def __init__(self, reason_code: int, problem: str) -> None:
        super().__init__(f"not MQTT: {problem}", reason="protocol_error")
        self.reason_code = reason_code
        self.problem = problem


def varint(b: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable byte integer (section 1.5.5) and its end, or (-1, at) if it continues beyond `end`.

    It must have as few bytes as it needs. The result is a plain tuple for speed, because every packet has a length.
    """
    value = shift = 0
    while at < end:
        byte = b[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if not byte and shift:
                raise ProtocolError(MALFORMED, "expected a length in as few bytes as it needs")
            return value, at
        shift += 7
        if shift > 21:
            raise ProtocolError(MALFORMED, "expected a length of at most 4 bytes, found a fifth")
    return -1, at


class Reader:
    """Reads the body of one packet from its beginning to its end."""

    __slots__ = ("_at", "_b", "_end")

    def __init__(self, b: bytes) -> None:
        self._b = b
        self._at = 0
        self._end = len(b)

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return self._end - self._at

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        at = self._at
        if count > self._end - at:
            raise ProtocolError(
                MALFORMED, f"expected {count} more bytes, found the end of the packet after {self.left}"
            )
        self._at = at + count
        return self._b[at : at + count]

    def number(self, size: int) -> int:
        """A whole number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def binary(self) -> bytes:
        """Bytes after their length."""
        return self.take(self.number(2))

    def text(self) -> bytes:
        """The same for a text, still as bytes."""
        return checked_text(self.binary())

    def counted(self) -> bytes:
        """Bytes that follow their length as a variable byte integer, as properties do."""
        size, self._at = varint(self._b, self._at, self._end)
        if size < 0:
            raise ProtocolError(MALFORMED, "expected a length, found the end of the packet")
        return self.take(size)

    def rest(self) -> bytes:
        """All remaining bytes."""
        return self.take(self.left)

    def finish(self) -> None:
        """Check that no bytes are left."""
        if self.left:
            raise ProtocolError(MALFORMED, f"expected the end of the packet, found {self.left} more bytes")


def checked_text(value: bytes) -> bytes:
    """`value`, if it is UTF-8 without the null character (section 1.5.4)."""
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError:
            raise ProtocolError(MALFORMED, "expected UTF-8 in a text") from None
    if b"\0" in value:
        raise ProtocolError(MALFORMED, "expected no null character in a text")
    return value


def checked_topic(value: bytes) -> bytes:
    """`value`, if it is a topic name: a text, not empty, without wildcards (section 4.7)."""
    if not value or b"+" in value or b"#" in value:
        expected = "expected a topic name without wildcards" if value else "expected a topic name, found none"
        raise ProtocolError(TOPIC_NAME_INVALID, expected)
    return checked_text(value)


# --- Writing


def written_varint(value: int) -> bytes:
    """A variable byte integer."""
    found = bytearray()
    while True:
        value, low = divmod(value, 128)
        found.append(low | 128 if value else low)
        if not value:
            return bytes(found)


def written_text(value: bytes) -> bytes:
    """Bytes after their length."""
    return len(value).to_bytes(2, "big") + value
