"""The fields that MQTT packets are made of, read from what a stranger sent, and written.

Every read is checked: its bytes are there, a text is UTF-8 without the null character, a property stands where it may, once,
with a value that it may have. What is wrong raises Broken with MQTT 5's reason code.

Source: MQTT 5.0 sections 1.5 (data types) and 2.2.2 (properties). Pure. This file knows no packet.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

MALFORMED: Final = 0x81
PROTOCOL_ERROR: Final = 0x82

USER_PROPERTIES_MAX: Final = 100  # in one packet

# Identifier and value: a number, a text's or a binary's bytes, or a pair of texts. Of equal ones only pairs may repeat.
Properties = tuple[tuple[int, Any], ...]

USER_PROPERTY: Final = 0x26
SWITCHES: Final = frozenset({0x01, 0x17, 0x19})  # bytes that can only be 0 or 1
NOT_ZERO: Final = frozenset({0x21, 0x23, 0x27})  # numbers that cannot be 0

# How the value of each property is written (table 2-4).
KINDS: Final[dict[int, str]] = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), "byte"),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), "two"),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), "four"),
    **dict.fromkeys((0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F), "text"),
    **dict.fromkeys((0x09, 0x16), "binary"),
    0x0B: "varint",
    USER_PROPERTY: "pair",
}
SIZES: Final = {"byte": 1, "two": 2, "four": 4}


class Broken(Exception):  # noqa: N818 - never leaves the listener's pure files: it becomes the event Violation
    """What was sent breaks the protocol. `code` is MQTT 5's reason code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Length(NamedTuple):
    """A variable byte integer, and where it ends; `value` -1: it goes on beyond the bytes that there are."""

    value: int
    end: int


def length(b: bytes, at: int, end: int) -> Length:
    """A variable byte integer (section 1.5.5), in the fewest bytes as it must be."""
    value = shift = 0
    while at < end:
        byte = b[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            if not byte and shift:
                raise Broken(MALFORMED, "expected a length in as few bytes as it needs")
            return Length(value, at)
        shift += 7
        if shift > 21:
            raise Broken(MALFORMED, "expected a length of at most 4 bytes, found a fifth")
    return Length(-1, at)


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
            raise Broken(MALFORMED, f"expected {count} more bytes, found the end of the packet after {self.left}")
        self._at = at + count
        return self._b[at : at + count]

    def number(self, size: int) -> int:
        """A whole number of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def binary(self) -> bytes:
        """Bytes with their length before them."""
        return self.take(self.number(2))

    def text(self) -> bytes:
        """The same, when they are text; still as bytes."""
        return checked_text(self.binary())

    def rest(self) -> bytes:
        """All that is left."""
        return self.take(self.left)

    def finish(self) -> None:
        """Nothing may be left."""
        if self.left:
            raise Broken(MALFORMED, f"expected the end of the packet, found {self.left} more bytes")

    def properties(self, allowed: frozenset[int]) -> Properties:
        """The properties, of those that this packet may have."""
        size, self._at = length(self._b, self._at, self._end)
        if size < 0:
            raise Broken(MALFORMED, "expected the length of the properties, found the end of the packet")
        inside = Reader(self.take(size))
        found: list[tuple[int, Any]] = []
        seen: set[int] = set()
        while inside.left:
            identifier = inside.number(1)
            if identifier not in allowed:
                known = identifier in KINDS
                raise Broken(PROTOCOL_ERROR if known else MALFORMED, f"property 0x{identifier:02X} is not allowed here")
            if identifier in seen and identifier != USER_PROPERTY:
                raise Broken(PROTOCOL_ERROR, f"property 0x{identifier:02X} is there twice")
            seen.add(identifier)
            found.append((identifier, inside._value(identifier)))
            if len(found) > USER_PROPERTIES_MAX + len(KINDS):
                raise Broken(0x97, f"expected at most {USER_PROPERTIES_MAX} user properties")
        return tuple(found)

    def _value(self, identifier: int) -> Any:
        kind = KINDS[identifier]
        if kind == "pair":
            return self.text(), self.text()
        if kind == "text":
            return self.text()
        if kind == "binary":
            return self.binary()
        if kind == "varint":
            value, self._at = length(self._b, self._at, self._end)
        else:
            value = self.number(SIZES[kind])
        if value < 0 or (identifier in SWITCHES and value > 1) or (identifier in NOT_ZERO and not value):
            raise Broken(PROTOCOL_ERROR, f"property 0x{identifier:02X} cannot be {value}")
        return value


def checked_text(value: bytes) -> bytes:
    """`value`, if it is UTF-8 without the null character (section 1.5.4)."""
    if not value.isascii():
        try:
            value.decode()
        except UnicodeDecodeError:
            raise Broken(MALFORMED, "expected UTF-8 in a text") from None
    if b"\0" in value:
        raise Broken(MALFORMED, "expected no null character in a text")
    return value


def checked_topic(value: bytes) -> bytes:
    """`value`, if it is a topic name: a text, not empty, without wildcards (section 4.7)."""
    if not value or b"+" in value or b"#" in value:
        raise Broken(0x90, "expected a topic name without wildcards" if value else "expected a topic name, found none")
    return checked_text(value)


# --- writing ------------------------------------------------------------------------------------------------------------


def packet(first: int, body: bytes) -> bytes:
    """A packet: first byte, remaining length, body."""
    return bytes([first]) + written_length(len(body)) + body


def written_length(value: int) -> bytes:
    """A variable byte integer."""
    found = bytearray()
    while True:
        value, low = divmod(value, 128)
        found.append(low | 128 if value else low)
        if not value:
            return bytes(found)


def written_text(value: bytes) -> bytes:
    """Bytes with their length before them."""
    return len(value).to_bytes(2, "big") + value


def written_properties(values: dict[int, bytes | int]) -> bytes:
    """Properties with their length before them."""
    body = b""
    for identifier, value in values.items():
        kind = KINDS[identifier]
        body += bytes([identifier])
        body += written_text(value) if isinstance(value, bytes) else value.to_bytes(SIZES[kind], "big")
    return written_length(len(body)) + body
