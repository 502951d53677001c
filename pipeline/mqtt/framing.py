"""Cuts a stream of bytes into packets: the hot loop of both sides.

It cuts a whole read at once. A usual PUBLISH (QoS 0 or 1, no properties) costs no call, no object except its tuple, and no
system call of its own. Everything else goes to one of three hooks: `_check_header`, `_packet` and `_publish`.

The result is a list in order: runs of PUBLISH packets as lists, and a value of the side's own type for each other packet. The
arrival of the bytes decides how neighbouring PUBLISH packets are split into runs.

A server bounds the work of one call: a usual PUBLISH is one unit, about 5 µs with all its consequences, and other packets count
by their cost. The rest waits here, and so do packets that must not be cut yet; `has_more` says so.

Source: MQTT 5.0 and 3.1.1, sections 2.1 (fixed header) and 3.3 (PUBLISH). This file does not know who may send what.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container
from typing import Any, Final, Generic, TypeVar

from pipeline.mqtt.fields import ProtocolError, varint
from pipeline.mqtt.packets import PUBLISH, QOS_MASK, TYPE_MASK
from pipeline.mqtt.reasons import MALFORMED, PROTOCOL_ERROR

NO_LIMIT: Final = 1 << 62
UNUSUAL_WORK: Final = 4  # units of a packet for a hook, and the bytes of its fields that count as one more unit
BYTES_OF_A_UNIT: Final = 16
QOS_0, QOS_1 = 1, 2
# First byte of a packet → QOS_0 or QOS_1 for a usual PUBLISH, 0 for everything else.
USUAL_PUBLISH: Final = bytes(
    {0x30: QOS_0, 0x31: QOS_0, 0x32: QOS_1, 0x33: QOS_1, 0x3A: QOS_1, 0x3B: QOS_1}.get(first, 0) for first in range(256)
)

Word = TypeVar("Word")  # a side's value for a packet other than PUBLISH
Found = list[Any]  # list[list[Publish] | Word]; its last is always the run that goes on, and may be empty


class Framing(ABC, Generic[Word]):
    """One direction of one connection. An incomplete packet is kept, and not read again before it can be complete."""

    def __init__(self, *, v5: bool) -> None:
        self._v5 = int(v5)  # a number, as the hot loop adds it to positions
        # The hot loop handles packets within these limits. Others go to a hook, which may lift or change the limits.
        self._usual_bytes_max = NO_LIMIT  # of a PUBLISH without its header; -1: `_check_header` sees each packet
        self._usual_topics: Container[bytes] | None = None  # None: each topic
        self._room = NO_LIMIT  # messages of QoS 1 and 2 that may still come
        self._work_max = NO_LIMIT  # units of one call
        self._is_held = False  # nothing is cut until this is False again
        self._waits_for_room = False  # the next packet is cut when there is room
        self._rest, self._rest_at = b"", 0  # a read whose packets were not all cut, and where the next begins
        self._tail = bytearray()
        self._needed = 0  # bytes of the tail that the next packet takes, as far as is known

    @property
    def v5(self) -> bool:
        """Whether MQTT 5 is spoken, and not 3.1.1."""
        return self._v5 == 1

    @v5.setter
    def v5(self, value: bool) -> None:
        self._v5 = int(value)

    @property
    def has_more(self) -> bool:
        """Whether another call, with nothing new, would go on. It may find that no packet is whole."""
        return bool(self._rest) and not self._is_blocked

    @property
    def waits(self) -> bool:
        """Whether a read waits here that was not all cut, so that nothing more should be read."""
        return bool(self._rest)

    @property
    def kept_bytes(self) -> int:
        """The kept bytes of packets that are incomplete or wait."""
        return len(self._tail) + len(self._rest)

    def _cut(self, chunk: bytes, found: Found) -> None:
        """Add the packets that `chunk` completes to `found`, which is `[[]]`. Raises ProtocolError.

        The hot loop: one pass over the bytes, positions in local variables.
        """
        b, start = self._begin(chunk) if self._tail or self._rest or self._is_held else (chunk, 0)
        v5, topics, limit, room = self._v5, self._usual_topics, self._usual_bytes_max, self._room
        append = found[-1].append
        work, end = self._work_max, len(b)
        while work > 0 and start + 1 < end:
            first, size, at = b[start], b[start + 1], start + 2
            if size > 127:
                size, at = varint(b, start + 1, end)
                if size < 0:
                    break
            usual = USUAL_PUBLISH[first]
            if not usual or size > limit:
                self._check_header(first, size)
            stop = at + size
            if stop > end:
                break
            before, start = start, stop
            work -= 1
            if usual and size > 4:
                body = at + 2 + ((b[at] << 8) | b[at + 1])
                topic = b[at + 2 : body]
                if body + 3 <= stop and (topics is None or topic in topics):
                    if usual == QOS_0:
                        if not (v5 and b[body]):
                            append((topic, b[body + v5 : stop], first, 0, ()))
                            continue
                    else:
                        mid = (b[body] << 8) | b[body + 1]
                        if mid and room > 0 and not (v5 and b[body + 2]):
                            room -= 1
                            append((topic, b[body + 2 + v5 : stop], first, mid, ()))
                            continue
            self._room = room
            if room < 1 and first & TYPE_MASK == PUBLISH and first & QOS_MASK and self._must_wait():
                start, self._waits_for_room = before, True
                break
            work -= self._unusual(b, first, at, stop, found)
            room, append = self._room, found[-1].append
            if self._is_held:
                break
        self._room = room
        if start < end:
            if work <= 0 or self._is_held or self._waits_for_room:
                self._rest, self._rest_at = b, start
            else:
                self._keep(b, start, end)
        if not found[-1]:
            found.pop()

    def _unusual(self, b: bytes, first: int, at: int, stop: int, found: Found) -> int:
        """A packet that the hot loop does not handle itself. Returns the units of work beyond one."""
        if first & TYPE_MASK != PUBLISH:
            add(found, self._packet(first, b[at:stop]))
            return UNUSUAL_WORK + (stop - at) // BYTES_OF_A_UNIT
        mid = size = 0
        try:
            topic_end = at + 2 + ((b[at] << 8) | b[at + 1])
            topic = b[at + 2 : topic_end]
            at = topic_end
            if first & QOS_MASK:
                mid = (b[at] << 8) | b[at + 1]
                at += 2
            if self.v5:
                size = b[at]
                at += 1
                if size > 127:
                    size, at = varint(b, at - 1, stop)
        except IndexError:
            size = -1
        if size < 0 or at + size > stop:
            raise ProtocolError(MALFORMED, "expected the fields of a PUBLISH, found some that reach beyond its end")
        if first & QOS_MASK and not mid:
            raise ProtocolError(PROTOCOL_ERROR, "expected a packet identifier of 1 to 65535, found 0")
        self._publish(found, topic, b[at + size : stop], first, mid, b[at : at + size])
        return UNUSUAL_WORK + size // BYTES_OF_A_UNIT

    def _begin(self, chunk: bytes) -> tuple[bytes, int]:
        """The kept bytes with `chunk`, and the place to go on. Empty while no packet can be cut."""
        if self._rest or self._is_held:
            if chunk:
                self._rest, self._rest_at = self._rest[self._rest_at :] + chunk, 0
            if self._is_blocked:
                return b"", 0
            b, start = self._rest, self._rest_at
            self._rest, self._rest_at, self._waits_for_room = b"", 0, False
            return b, start
        self._tail += chunk
        if len(self._tail) < self._needed:
            return b"", 0
        whole = bytes(self._tail)
        self._tail = bytearray()
        return whole, 0

    @property
    def _is_blocked(self) -> bool:
        return self._is_held or (self._waits_for_room and self._room < 1 and self._must_wait())

    def _keep(self, b: bytes, start: int, end: int) -> None:
        """Remember the beginning of a packet and how many bytes it needs, so that a large one is not cut again."""
        self._tail = bytearray(b[start:])
        self._needed = 2
        if end - start >= 2:
            size, at = varint(b, start + 1, end)
            self._needed = end - start + 1 if size < 0 else at - start + size

    # --- What each side says for itself

    @abstractmethod
    def _check_header(self, first: int, size: int) -> None:
        """Judge a packet by its first byte and length before the rest of it has come. Raises ProtocolError."""

    @abstractmethod
    def _packet(self, first: int, body: bytes) -> Word:
        """The side's value for a packet other than PUBLISH. Raises ProtocolError."""

    @abstractmethod
    def _publish(self, found: Found, topic: bytes, payload: bytes, first: int, mid: int, properties: bytes) -> None:
        """Judge a PUBLISH that is not usual, and append it to the run at the end of `found`. Raises ProtocolError.

        `properties` are not decoded yet; `mid`, the packet identifier, is 0 at QoS 0.
        """

    def _must_wait(self) -> bool:
        """Whether a message of QoS 1 or 2 for which there is no room can wait for some. Else `_publish` judges it."""
        return False


def add(found: Found, word: object) -> None:
    """Append a word to the result, and begin a new run after it."""
    if found[-1]:
        found.append(word)
    else:
        found[-1] = word
    found.append([])
