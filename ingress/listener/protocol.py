"""The conversation with one device in MQTT 3.1, 3.1.1 or 5, for a server that takes messages and sends none. No I/O.

`receive_data(bytes)` gives the device's words, and `send(word)` gives the bytes of an answer. Neither ever raises: if a
device breaks the protocol, its word is Violation, and the conversation ends. pipeline/mqtt/framing.py cuts packets, and
a usual PUBLISH with a known topic costs no call there. This file reads everything else field by field.

Limits on a device: the size of a packet is checked before any of it is kept. CONNECT comes first, and once. Nothing after it is
read before it is answered. One call does a bounded amount of work; while `has_more`, call again without bytes, after other
devices had their turn. At most `receive_max` messages of QoS 1 and 2 wait for our answer (MQTT 5). One more is not read before
we have answered some. The connection goes on, because a bridge with a backlog can wait.

Sources: MQTT 5.0, 3.1.1 and 3.1, chapter 3. This file does not know sockets, users, Kafka or clocks.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from enum import Enum
from typing import Any, Final

from ingress.listener import words
from ingress.listener.answers import Answers
from ingress.listener.connect import read_connect, read_version
from pipeline.mqtt import packets, reasons
from pipeline.mqtt.fields import ProtocolError, Reader, checked_text, checked_topic
from pipeline.mqtt.framing import NO_LIMIT, Found, Framing, add
from pipeline.mqtt.packets import Properties
from pipeline.mqtt.properties import (
    OF_ACK,
    OF_DISCONNECT,
    OF_PUBLISH_BY_CLIENT,
    OF_SUBSCRIBE,
    OF_UNSUBSCRIBE,
    PACKET_MAXIMUM,
    RESPONSE_TOPIC,
    SESSION_EXPIRY,
    TOPIC_ALIAS,
    decode_checked,
)

CONNECT_BYTES_MAX: Final = 128 << 10  # before a device has logged in
WORK_MAX: Final = 256  # units of one call (framing.py); together some 2 ms
FILTERS_MAX: Final = 1000  # in one SUBSCRIBE or UNSUBSCRIBE
EXCHANGE_BYTES: Final = 100  # memory of an unfinished exchange of QoS 2
DISCONNECT_CODES: Final = frozenset({0x00, 0x04, *range(0x80, 0xA3)})


class State(Enum):
    """The state of a conversation. ANSWERING: we check CONNECT, and everything after it waits unread."""

    NEW = 0
    ANSWERING = 1
    OPEN = 2
    ENDED = 3


class ServerProtocol(Framing[words.Said]):
    """One conversation with one device."""

    def __init__(self, *, packet_bytes_max: int, receive_max: int) -> None:
        super().__init__(v5=False)
        self._packet_bytes_max = packet_bytes_max
        self._receive_max = receive_max
        self._work_max = WORK_MAX
        self._usual_topics = frozenset()
        self._aliases: dict[int, bytes] = {}
        self._alias_bytes = 0
        self._taken: dict[int, bool] = {}  # QoS 2: packet identifier → whether its PUBREC was sent
        self.control_packets = 0  # packets without a message, and filters in them; the counter resets it
        self._answers = Answers(packet_bytes_max, receive_max)
        self._resumed: set[int] = set()  # of these, those of an earlier connection
        self._is_31 = False
        self._enter(State.NEW)

    def _enter(self, state: State) -> None:
        """Enter a state, and set the limits of the hot loop."""
        self.state = state
        self._is_held = state in (State.ANSWERING, State.ENDED)
        self._usual_bytes_max = self._packet_bytes_max if state is State.OPEN else -1

    def usual_topics(self, topics: Container[bytes]) -> None:
        """Known topics, whose messages cost no call. The caller adds topics, and bounds their number."""
        self._usual_topics = topics

    @property
    def unreleased(self) -> list[int]:
        """Packet identifiers of messages of QoS 2 that wait for their PUBREL."""
        return [mid for mid, is_told in self._taken.items() if is_told]

    def resume(self, unreleased: Iterable[int]) -> None:
        """Continue a session: these messages were taken on an earlier connection."""
        self._resumed = set(unreleased)
        self._taken = dict.fromkeys(self._resumed, True)

    @property
    def held_bytes(self) -> int:
        """Bytes that this conversation holds because of the device: a part of a packet, aliases, open exchanges."""
        return self.kept_bytes + self._alias_bytes + EXCHANGE_BYTES * len(self._taken)

    # --- What the device said

    def receive_data(self, chunk: bytes) -> list[words.Said]:
        """The words that `chunk` completes, in order.

        Call it without bytes after CONNECT was answered, and while `has_more`.
        """
        if self.state is State.ENDED:
            return []
        found: Found = [[]]
        try:
            self._cut(chunk, found)
        except ProtocolError as error:
            self._enter(State.ENDED)
            add(found, words.Violation(error.reason_code, error.problem))
            found.pop()
        return found

    def _check_header(self, first: int, size: int) -> None:
        """Check a packet before all of it has arrived."""
        first = self._usual_first(first)
        is_new = self.state is State.NEW
        is_publish = first & packets.TYPE_MASK == packets.PUBLISH
        expected = first == packets.CONNECT if is_new else is_publish or first in _READERS
        if not expected:
            raise ProtocolError(reasons.PROTOCOL_ERROR, f"a packet that begins with 0x{first:02X} cannot come here")
        limit = min(self._packet_bytes_max, CONNECT_BYTES_MAX) if is_new else self._packet_bytes_max
        if size > limit:
            raise ProtocolError(reasons.PACKET_TOO_LARGE, f"expected at most {limit} bytes in a packet, found {size}")

    def _usual_first(self, first: int) -> int:
        """The first byte of a packet as later versions have it. MQTT 3.1 leaves flags open that have no meaning."""
        return _FIRST_BYTES.get(first & packets.TYPE_MASK, first) if self._is_31 else first

    def _publish(self, found: Found, topic: bytes, payload: bytes, first: int, mid: int, properties: bytes) -> None:
        """A PUBLISH with a new topic, QoS 2, properties, or something wrong with it."""
        qos = (first & packets.QOS_MASK) >> 1
        if qos == 3 or (not qos and first & packets.DUP_FLAG and not self._is_31):
            raise ProtocolError(
                reasons.MALFORMED, f"expected QoS 0 to 2, and DUP only with 1 and 2, found flags 0x{first & 15:X}"
            )
        checked_text(topic)
        decoded: Properties = ()
        if properties:
            topic, decoded = self._with_properties(topic, decode_checked(properties, OF_PUBLISH_BY_CLIENT))
        checked_topic(topic)
        if qos == 2 and mid in self._resumed:
            self._resumed.discard(mid)
            if not first & packets.DUP_FLAG:  # the client has lost its session, and this is another message
                del self._taken[mid]
        if qos == 2 and mid in self._taken:
            self.control_packets += 1
            if self._taken[mid]:
                add(found, words.Repeated(mid))
            return
        if qos:
            self._room -= 1
            if qos == 2:
                self._taken[mid] = False
        found[-1].append((topic, payload, first, mid, decoded))

    def _with_properties(self, topic: bytes, properties: Properties) -> tuple[bytes, Properties]:
        """The topic of an alias, and the properties without the alias."""
        values = dict(properties)
        if RESPONSE_TOPIC in values:
            checked_topic(values[RESPONSE_TOPIC])
        alias = values.get(TOPIC_ALIAS)
        if alias is None:
            return topic, properties
        if alias > words.TOPIC_ALIASES_MAX or (not topic and alias not in self._aliases):
            raise ProtocolError(
                reasons.TOPIC_ALIAS_INVALID, f"topic alias {alias} is unknown or beyond {words.TOPIC_ALIASES_MAX}"
            )
        if topic:
            self._alias_bytes += len(topic) - len(self._aliases.get(alias, b""))
            self._aliases[alias] = topic
        return self._aliases[alias], tuple(each for each in properties if each[0] != TOPIC_ALIAS)

    def _must_wait(self) -> bool:
        """An answer of ours makes room."""
        return True

    def _packet(self, first: int, body: bytes) -> words.Said:
        said: words.Said = _READERS[self._usual_first(first)](self, Reader(body))
        return said

    def _connect(self, body: Reader) -> words.Connect:
        if self.state is not State.NEW:
            raise ProtocolError(reasons.PROTOCOL_ERROR, "expected one CONNECT, found a second")
        version = read_version(body)
        self.v5 = self._answers.v5 = (
            version.number == 5
        )  # before the rest, so that errors in it are answered in this version
        self._is_31 = version.number == 3
        connect = read_connect(body, version)
        self._answers.device_packet_max = dict(connect.properties).get(PACKET_MAXIMUM, 0xFFFFFFFF)
        self._enter(State.ANSWERING)
        return connect

    def _release(self, body: Reader) -> words.Release:
        mid = self._identifier(body)
        if self.v5 and body.left:
            body.number(1)
            if body.left:
                decode_checked(body.counted(), OF_ACK)
        body.finish()
        if not self._taken.get(mid):
            self.control_packets += 1
            return words.Release(mid, reasons.PACKET_IDENTIFIER_NOT_FOUND)
        return words.Release(mid, reasons.SUCCESS)

    def _subscribe(self, body: Reader) -> words.Subscribe:
        mid = self._identifier(body)
        if self.v5:
            decode_checked(body.counted(), OF_SUBSCRIBE)
        count = 0
        while body.left:
            body.text()
            body.number(1)
            count = self._one_more(count)
        return words.Subscribe(mid, self._some(count))

    def _unsubscribe(self, body: Reader) -> words.Unsubscribe:
        mid = self._identifier(body)
        if self.v5:
            decode_checked(body.counted(), OF_UNSUBSCRIBE)
        count = 0
        while body.left:
            body.text()
            count = self._one_more(count)
        return words.Unsubscribe(mid, self._some(count))

    def _ping(self, body: Reader) -> words.Ping:
        body.finish()
        self.control_packets += 1
        return words.Ping()

    def _disconnect(self, body: Reader) -> words.Disconnect:
        code = body.number(1) if self.v5 and body.left else 0
        if code not in DISCONNECT_CODES:
            raise ProtocolError(reasons.PROTOCOL_ERROR, f"expected a reason of DISCONNECT, found 0x{code:02X}")
        properties = decode_checked(body.counted(), OF_DISCONNECT) if self.v5 and body.left else ()
        body.finish()
        self._enter(State.ENDED)
        return words.Disconnect(code, dict(properties).get(SESSION_EXPIRY))

    def _identifier(self, body: Reader) -> int:
        mid = body.number(2)
        if not mid:
            raise ProtocolError(reasons.PROTOCOL_ERROR, "expected a packet identifier of 1 to 65535, found 0")
        return mid

    def _one_more(self, count: int) -> int:
        if count >= FILTERS_MAX:
            raise ProtocolError(reasons.QUOTA_EXCEEDED, f"expected at most {FILTERS_MAX} topic filters in a packet")
        return count + 1

    def _some(self, count: int) -> int:
        if not count:
            raise ProtocolError(reasons.PROTOCOL_ERROR, "expected at least one topic filter, found none")
        self.control_packets += count
        return count

    # --- What is told to the device

    def send(self, word: words.Told) -> bytes:
        """The bytes of `word`, or none if they are too large for the device. `Bye` ends the conversation."""
        if isinstance(word, words.Acks):
            self._answered(word.acks)
            return self._answers.acks(word.acks)
        if isinstance(word, words.Complete) and word.code == reasons.SUCCESS:
            self._taken.pop(word.mid, None)
            self._resumed.discard(word.mid)
        if isinstance(word, words.ConnAck):
            self._enter(State.OPEN if word.code == reasons.SUCCESS else State.ENDED)
            self._room = self._receive_max if self.v5 else NO_LIMIT
        if isinstance(word, words.Bye):
            before_connack = not self._answers.connected
            self._enter(State.ENDED)
            return self._answers.refusal(word) if before_connack else self._answers.bye(word)
        return self._answers.other(word)

    def _answered(self, acks: list[words.Ack]) -> None:
        """Note an answer that ends an exchange: PUBACK for QoS 1, and PUBCOMP or a refusing PUBREC for QoS 2."""
        for ack in acks:
            mid = ack & 0xFFFF
            if ack & words.QOS2:
                self._room += self._taken.get(mid) is False  # one that was told before is told again
                if ack >> words.REASON_SHIFT >= reasons.UNSPECIFIED:
                    self._taken.pop(mid, None)
                elif mid in self._taken:
                    self._taken[mid] = True
            else:
                self._room += 1


# First byte with its required flags → the method that reads the packet.
_READERS: Final[dict[int, Callable[[ServerProtocol, Reader], Any]]] = {
    packets.CONNECT: ServerProtocol._connect,
    packets.PUBREL: ServerProtocol._release,
    packets.SUBSCRIBE: ServerProtocol._subscribe,
    packets.UNSUBSCRIBE: ServerProtocol._unsubscribe,
    packets.PINGREQ: ServerProtocol._ping,
    packets.DISCONNECT: ServerProtocol._disconnect,
}
_FIRST_BYTES: Final = {first & packets.TYPE_MASK: first for first in _READERS}
