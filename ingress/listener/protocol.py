"""A device's side of MQTT 3.1.1 and 5, as a server sees it that takes messages and gives none: a pure core without I/O.

`receive_data(bytes)` gives what the device said, `send(word)` the bytes of an answer; nothing raises, whatever comes. What
breaks the protocol is the word Violation, and ends the conversation. A whole read is parsed at once, and a usual PUBLISH
(QoS 0 or 1, no properties, a topic seen before) costs no call: everything else is read field by field.

Limits on a stranger: the size of a packet is checked before it is kept; CONNECT comes first, once; nothing behind it is
looked at before it is answered; of QoS 1 and 2 at most `receive_max` messages may be unanswered (MQTT 5).

Sources: MQTT 5.0 and MQTT 3.1.1, chapter 3. This file knows no socket, user, Kafka or clock.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from ingress.listener import packets as words
from ingress.listener.answers import Answers
from ingress.listener.connect import read_connect, read_version
from ingress.listener.fields import (
    MALFORMED,
    PROTOCOL_ERROR,
    USER_PROPERTY,
    Broken,
    Properties,
    Reader,
    checked_text,
    checked_topic,
    length,
)

CONNECT_BYTES_MAX: Final = 128 << 10  # before a device has said who it is
TOPICS_REMEMBERED_MAX: Final = 512
TOPIC_BYTES_REMEMBERED_MAX: Final = 256

USUAL_PUBLISH: Final = frozenset({0x30, 0x31, 0x32, 0x33, 0x3A, 0x3B})  # QoS 0, and QoS 1 with or without DUP

RESPONSE_TOPIC, REASON_STRING, TOPIC_ALIAS = 0x08, 0x1F, 0x23
PUBLISH_ALLOWED: Final = frozenset({0x01, 0x02, 0x03, RESPONSE_TOPIC, 0x09, TOPIC_ALIAS, USER_PROPERTY})
ACK_ALLOWED: Final = frozenset({REASON_STRING, USER_PROPERTY})
SUBSCRIBE_ALLOWED: Final = frozenset({0x0B, USER_PROPERTY})
UNSUBSCRIBE_ALLOWED: Final = frozenset({USER_PROPERTY})
DISCONNECT_ALLOWED: Final = frozenset({0x11, REASON_STRING, USER_PROPERTY})
DISCONNECT_CODES: Final = frozenset({0x00, 0x04, *range(0x80, 0xA3)})


class State(Enum):
    """Of a conversation. ANSWERING: CONNECT is being looked into, and what follows it waits unread."""

    NEW = 0
    ANSWERING = 1
    OPEN = 2
    ENDED = 3


class ServerProtocol:
    """One conversation with one device."""

    def __init__(self, *, packet_bytes_max: int, receive_max: int) -> None:
        self._packet_bytes_max = packet_bytes_max
        self._receive_max = receive_max
        self._limit = min(packet_bytes_max, CONNECT_BYTES_MAX)
        self._tail = bytearray()  # what was received and not yet parsed
        self._needed = 0  # bytes of it that the next packet takes, as far as is known
        self._topics: set[bytes] = set()
        self._aliases: dict[int, bytes] = {}
        self._unanswered = 0
        self._taken: dict[int, bool] = {}  # QoS 2: packet identifier → whether its PUBREC was sent
        self._answers = Answers(packet_bytes_max, receive_max)
        self.state = State.NEW
        self.v5 = False

    # --- what the device said ---

    def receive_data(self, chunk: bytes) -> list[words.Said]:
        """What `chunk` completes, in order. Call it with nothing after CONNECT was answered: more may have come by then."""
        if self.state is State.ENDED:
            return []
        if self._tail or self.state is State.ANSWERING:
            self._tail += chunk
            if len(self._tail) < self._needed or self.state is State.ANSWERING:
                return []
            chunk = bytes(self._tail)
            self._tail = bytearray()
        found: list[words.Said] = []
        run: list[words.Publish] = []
        try:
            self._split(chunk, found, run)
            _flush(run, found)
        except Broken as error:
            _flush(run, found)
            found.append(words.Violation(error.code, str(error)))
            self.state = State.ENDED
        return found

    def _split(self, b: bytes, found: list[words.Said], run: list[words.Publish]) -> None:
        """The hot loop: one pass over the bytes, positions in local variables."""
        topics, v5, maximum, limit = self._topics, self.v5, self._receive_max, self._limit
        start, end = 0, len(b)
        while start + 1 < end:
            first, size, at = b[start], b[start + 1], start + 2
            if size > 127:
                size, at = length(b, start + 1, end)
                if size < 0:
                    break
            if size > limit or first & 0xF0 != 0x30 or self.state is not State.OPEN:
                self._check_header(first, size)
            stop = at + size
            if stop > end:
                break
            start = stop
            if first & 0xF0 != 0x30:
                _flush(run, found)
                found.append(self._control(first, Reader(b[at:stop])))
                if self.state is not State.OPEN:
                    break
                continue
            if size > 4 and first in USUAL_PUBLISH:
                body = at + 2 + ((b[at] << 8) | b[at + 1])
                topic = b[at + 2 : body]
                if body + 3 <= stop and topic in topics:
                    mid = 0
                    if first & 2:
                        mid = (b[body] << 8) | b[body + 1]
                        body += 2
                        self._unanswered += 1
                    if (mid or not first & 2) and not (v5 and (b[body] or self._unanswered > maximum)):
                        run.append((topic, b[body + v5 : stop], first, mid, ()))
                        continue
                    self._unanswered -= first & 2 == 2
            self._unusual(first, Reader(b[at:stop]), found, run)
        if start < end and self.state is not State.ENDED:
            self._keep(b, start, end)

    def _check_header(self, first: int, size: int) -> None:
        """What can be said of a packet before all of it has come."""
        expected = first == 0x10 if self.state is State.NEW else first & 0xF0 == 0x30 or first in _CONTROL
        if not expected:
            raise Broken(PROTOCOL_ERROR, f"a packet that begins with 0x{first:02X} cannot come here")
        if size > self._limit:
            raise Broken(words.PACKET_TOO_LARGE, f"expected at most {self._limit} bytes in a packet, found {size}")

    def _keep(self, b: bytes, start: int, end: int) -> None:
        """Remember the beginning of a packet and how many bytes it needs, so that a large one is not parsed again."""
        self._tail = bytearray(b[start:])
        self._needed = 2
        if end - start >= 2 and self.state is not State.ANSWERING:
            size, at = length(b, start + 1, end)
            self._needed = end - start + 1 if size < 0 else at - start + size

    def _unusual(self, first: int, body: Reader, found: list[words.Said], run: list[words.Publish]) -> None:
        """A PUBLISH with a new topic, QoS 2, properties, or something wrong with it."""
        qos = (first & 6) >> 1
        if qos == 3 or (not qos and first & 8):
            raise Broken(MALFORMED, f"expected QoS 0 to 2, and DUP only with 1 and 2, found flags 0x{first & 15:X}")
        topic = checked_text(body.binary())
        mid = body.number(2) if qos else 0
        if qos and not mid:
            raise Broken(PROTOCOL_ERROR, "expected a packet identifier of 1 to 65535, found 0")
        properties: Properties = body.properties(PUBLISH_ALLOWED) if self.v5 else ()
        if properties:
            topic, properties = self._with_properties(topic, properties)
        self._remember(checked_topic(topic))
        if qos == 2 and mid in self._taken:
            if self._taken[mid]:
                _flush(run, found)
                found.append(words.Repeated(mid))
            return
        if qos:
            self._unanswered += 1
            if self.v5 and self._unanswered > self._receive_max:
                raise Broken(
                    words.RECEIVE_MAXIMUM_EXCEEDED, f"expected at most {self._receive_max} unanswered messages"
                )
            if qos == 2:
                self._taken[mid] = False
        run.append((topic, body.rest(), first, mid, properties))

    def _with_properties(self, topic: bytes, properties: Properties) -> tuple[bytes, Properties]:
        """The topic that an alias stands for, and the properties without it."""
        values = dict(properties)
        if RESPONSE_TOPIC in values:
            checked_topic(values[RESPONSE_TOPIC])
        alias = values.get(TOPIC_ALIAS)
        if alias is None:
            return topic, properties
        if alias > words.TOPIC_ALIASES_MAX or (not topic and alias not in self._aliases):
            raise Broken(
                words.TOPIC_ALIAS_INVALID, f"topic alias {alias} is unknown or beyond {words.TOPIC_ALIASES_MAX}"
            )
        if topic:
            self._aliases[alias] = topic
        return self._aliases[alias], tuple(each for each in properties if each[0] != TOPIC_ALIAS)

    def _remember(self, topic: bytes) -> None:
        if len(topic) <= TOPIC_BYTES_REMEMBERED_MAX:
            if len(self._topics) >= TOPICS_REMEMBERED_MAX:
                self._topics.clear()
            self._topics.add(topic)

    def _control(self, first: int, body: Reader) -> words.Said:
        """A packet that is no PUBLISH."""
        said: words.Said = _CONTROL[first](self, body)
        return said

    def _connect(self, body: Reader) -> words.Connect:
        if self.state is not State.NEW:
            raise Broken(PROTOCOL_ERROR, "expected one CONNECT, found a second")
        version = read_version(body)
        self.v5 = self._answers.v5 = version == 5  # before the rest: what is wrong with it is said in this version
        connect = read_connect(body, version)
        self._answers.device_packet_max = dict(connect.properties).get(0x27, 0xFFFFFFFF)
        self.state = State.ANSWERING
        return connect

    def _release(self, body: Reader) -> words.Release:
        mid = self._identifier(body)
        if self.v5 and body.left:
            body.number(1)
            if body.left:
                body.properties(ACK_ALLOWED)
        body.finish()
        if not self._taken.get(mid):
            return words.Release(mid, words.PACKET_IDENTIFIER_NOT_FOUND)
        return words.Release(mid, words.SUCCESS)

    def _subscribe(self, body: Reader) -> words.Subscribe:
        mid = self._identifier(body)
        if self.v5:
            body.properties(SUBSCRIBE_ALLOWED)
        count = 0
        while body.left:
            body.text()
            body.number(1)
            count += 1
        return words.Subscribe(mid, self._some(count))

    def _unsubscribe(self, body: Reader) -> words.Unsubscribe:
        mid = self._identifier(body)
        if self.v5:
            body.properties(UNSUBSCRIBE_ALLOWED)
        count = 0
        while body.left:
            body.text()
            count += 1
        return words.Unsubscribe(mid, self._some(count))

    def _ping(self, body: Reader) -> words.Ping:
        body.finish()
        return words.Ping()

    def _disconnect(self, body: Reader) -> words.Disconnect:
        code = body.number(1) if self.v5 and body.left else 0
        if code not in DISCONNECT_CODES:
            raise Broken(PROTOCOL_ERROR, f"expected a reason of DISCONNECT, found 0x{code:02X}")
        if self.v5 and body.left:
            body.properties(DISCONNECT_ALLOWED)
        body.finish()
        self.state = State.ENDED
        return words.Disconnect(code)

    def _identifier(self, body: Reader) -> int:
        mid = body.number(2)
        if not mid:
            raise Broken(PROTOCOL_ERROR, "expected a packet identifier of 1 to 65535, found 0")
        return mid

    def _some(self, count: int) -> int:
        if not count:
            raise Broken(PROTOCOL_ERROR, "expected at least one topic filter, found none")
        return count

    # --- what is told to the device ---

    def send(self, word: words.Told) -> bytes:
        """The bytes of `word`; none when the device could not read them. `Bye` ends the conversation."""
        if isinstance(word, words.Acks):
            self._answered(word.acks)
            return self._answers.acks(word.acks)
        if isinstance(word, words.Complete) and self._taken.pop(word.mid, False):
            self._unanswered -= 1
        if isinstance(word, words.ConnAck):
            accepted = word.code == words.SUCCESS
            self.state = State.OPEN if accepted else State.ENDED
            self._limit = self._packet_bytes_max
            self._needed = 0
        if isinstance(word, words.Bye):
            before_connack = not self._answers.connected
            self.state = State.ENDED
            return self._answers.refusal(word) if before_connack else self._answers.bye(word)
        return self._answers.other(word)

    def _answered(self, acks: list[words.Ack]) -> None:
        """QoS 1 is over with its PUBACK; QoS 2 with a PUBREC that refuses, else with PUBCOMP."""
        for ack in acks:
            if not ack & words.QOS2:
                self._unanswered -= 1
            elif ack >> words.REASON_SHIFT >= words.UNSPECIFIED:
                self._unanswered -= 1
                self._taken.pop(ack & 0xFFFF, None)
            elif ack & 0xFFFF in self._taken:
                self._taken[ack & 0xFFFF] = True


def _flush(run: list[words.Publish], found: list[words.Said]) -> None:
    if run:
        found.append(words.Publishes(run.copy()))
        run.clear()


# First byte, with the flags that it has to have → what reads the packet.
_CONTROL: Final[dict[int, Callable[[ServerProtocol, Reader], Any]]] = {
    0x10: ServerProtocol._connect,
    0x62: ServerProtocol._release,
    0x82: ServerProtocol._subscribe,
    0xA2: ServerProtocol._unsubscribe,
    0xC0: ServerProtocol._ping,
    0xE0: ServerProtocol._disconnect,
}
