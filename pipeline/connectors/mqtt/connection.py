"""One connection to an MQTT broker, from CONNECT to its end, on the event loop.

It runs `BatchClient`, which is paho-mqtt with a faster reader, on asyncio. Each connection is a new object, so an
acknowledgement can only leave on the connection of its message.

This file does not know Kafka, has no window and never reconnects. ingress/source.py does this.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from pipeline.config.sources import MqttSource
from pipeline.connectors.mqtt.client import BatchClient, OnBatch
from pipeline.connectors.mqtt.login import dial, disconnected, prepare, refusal, silence
from pipeline.errors import ConnectorError, OperatorError, RetryableError
from pipeline.mqtt.framing import NO_LIMIT
from pipeline.mqtt.reasons import PACKET_IDENTIFIER_IN_USE
from pipeline.mqtt.subscriptions import Subscriptions, without_harm

SMALL_READ_MESSAGES: Final = 256  # after a smaller read the next one waits, so that it gets more messages
PAUSE_SECONDS: Final = 0.004
ANSWER_SECONDS: Final = 15.0
MISC_SECONDS: Final = 0.5
FILTERS_MAX: Final = 8  # in one SUBSCRIBE or UNSUBSCRIBE; AWS IoT Core takes no more
ASKED_AGAIN_MAX: Final = 20  # SUBSCRIBE packets of a connection that are sent once more, with another identifier
RETAIN_HANDLING: Final = {
    "first": SubscribeOptions.RETAIN_SEND_IF_NEW_SUB,
    "always": SubscribeOptions.RETAIN_SEND_ON_SUBSCRIBE,
    "never": SubscribeOptions.RETAIN_DO_NOT_SEND,
}


class Connection:
    """One connection. Use it on the thread of the event loop. Only `open` and `close` wait.

    1. `await open(wanted)` connects and subscribes. It raises OperatorError if the broker says that a person must act
       (in the broker's own words, never with the password), and RetryableError for everything else. Batches may arrive
       before it returns, because a persistent session has waiting messages.
    2. `on_batch` is called at once with the messages of each read, in order. It must not wait. `pause` stops reading.
       A message with more than `kept_bytes` is cut: see pipeline/mqtt/parser.py.
    3. Call `acknowledge(mids)` in the order of arrival. It writes soon, all acknowledgements together.
    4. `ended` is set when the connection is gone, whoever ended it. `error` has the reason.
    5. `await close(deadline_seconds)` sends queued packets and DISCONNECT. The broker keeps the session.
    """

    def __init__(self, source: MqttSource, clientid: str, on_batch: OnBatch, *, kept_bytes: int = NO_LIMIT) -> None:
        self._source = source
        self._clientid = clientid
        self._loop = asyncio.get_running_loop()
        self._v5 = source.protocol == "5"
        settings: dict[str, Any] = {} if self._v5 else {"clean_session": False}
        settings["transport"] = source.transport
        self._client = BatchClient(on_batch, v5=self._v5, kept_bytes=kept_bytes, client_id=clientid, **settings)
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        self._asked: dict[int, tuple[Sequence[str], Properties | None]] = {}  # SUBSCRIBE packets without an answer
        self._asked_again = 0
        self._refused: OperatorError | None = None
        self._sock: Any = None
        self._reading = self._writing = self._paused = self._held = False
        self._new_to_us = True
        self._rest: asyncio.TimerHandle | None = None
        self._misc: asyncio.TimerHandle | None = None
        self.ended = asyncio.Event()
        self.error: ConnectorError | None = None
        self.session_present = False
        self.identifies = False  # whether the broker names the subscription of each message
        self.lowered: dict[str, int] = {}  # filters that got a lower QoS than wanted, and which
        self.session_seconds = float(source.session_expiry)  # how long the broker keeps the session, if it says it

    @property
    def retained_wanted(self) -> bool:
        """Whether to pass on a message with the RETAIN flag.

        MQTT 5 brokers send only wanted retained messages. With 3.1.1 they come at each SUBSCRIBE; "first" then means: only if
        the broker had no session of ours.
        """
        return self._source.retained == "always" or (self._source.retained == "first" and self._new_to_us)

    async def open(self, wanted: Subscriptions) -> None:
        """Connect and subscribe; see the class."""
        self._wanted = wanted
        prepare(self._client, self._source)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        expiry = self._source.session_expiry
        await asyncio.to_thread(dial, self._client, self._source, clean=False, session_expiry_seconds=expiry)
        self._adopt()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await self._until(self._connected)
                self._subscribe()
                await self._until(self._subscribed)
        except TimeoutError:
            todo = "" if self._connected.done() else silence(self._source)
            raise RetryableError(
                f"{self._source.server} did not answer within {ANSWER_SECONDS:g} s{todo}", reason="timeout"
            ) from None
        if self.session_present:
            self.unsubscribe(without_harm(wanted.covered, wanted.filters))

    def acknowledge(self, mids: list[int]) -> None:
        """Acknowledge messages to the broker. Does nothing if the connection is gone."""
        if mids and not self.ended.is_set():
            self._client.acknowledge(mids)

    def pause(self) -> None:
        """Stop reading. First the broker's window and then TCP hold further messages back."""
        self._paused = True
        self._stop_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused and not self._held:
            self._paused = False
            self._start_reading()

    def hold(self) -> None:
        """Stop reading for ever: `resume` has no effect after this."""
        self._held = True
        self.pause()

    async def close(self, deadline_seconds: float = 2.0) -> None:
        """Send queued packets and DISCONNECT, and wait until the broker has closed the connection."""
        if not self.ended.is_set() and self._sock is not None:
            self._client.leave()
            self._held = False
            self.resume()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(deadline_seconds):
                    await self.ended.wait()
        self.abort()

    def abort(self, error: ConnectorError | None = None) -> None:
        """Close without DISCONNECT. The broker will deliver unacknowledged messages again."""
        self._end(error)
        for timer in (self._rest, self._misc):
            if timer is not None:
                timer.cancel()
        self._client._sock_close()

    # --- Connecting

    def _adopt(self) -> None:
        """Register the socket with the event loop, on the loop's thread."""
        client = self._client
        self._sock = client.socket()
        if self._sock is None:
            raise RetryableError(f"{self._source.server} closed the connection", reason="closed")
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write
        if client.want_write():
            client._call_socket_register_write()
        self._start_reading()
        self._misc = self._loop.call_later(MISC_SECONDS, self._do_misc)

    async def _until(self, answer: asyncio.Future[Any]) -> Any:
        """The answer. Raises the reason if the connection ends before the answer comes."""
        ended = asyncio.ensure_future(self.ended.wait())
        try:
            await asyncio.wait({answer, ended}, return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            todo = "" if self._connected.done() else silence(self._source)
            raise self.error or RetryableError(f"{self._source.server} closed the connection{todo}", reason="closed")
        finally:
            ended.cancel()

    def _subscribe(self) -> None:
        if not self.identifies:
            for some in _packets(self._wanted.filters):
                self._ask(some)
            return
        for each, identifier in zip(self._wanted.filters, self._wanted.identifiers, strict=True):
            properties = Properties(PacketTypes.SUBSCRIBE)  # type: ignore[no-untyped-call]
            properties.SubscriptionIdentifier = identifier
            self._ask([each], properties)

    def _ask(self, filters: Sequence[str], properties: Properties | None = None) -> None:
        """Send one SUBSCRIBE."""
        qos: int = self._source.qos
        if self._v5:
            options = SubscribeOptions(qos=qos, retainHandling=RETAIN_HANDLING[self._source.retained])
            _, mid = self._client.subscribe([(each, options) for each in filters], properties=properties)
        else:
            _, mid = self._client.subscribe([(each, qos) for each in filters])
        if mid is not None:
            self._asked[mid] = filters, properties

    def unsubscribe(self, filters: Sequence[str]) -> None:
        """Unsubscribe from `filters`. Does not wait for the answer."""
        for some in _packets(filters):
            if not self.ended.is_set():
                self._client.unsubscribe(list(some))

    # --- Paho's callbacks, in the loop's thread

    def _on_connect(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if code.is_failure:
            self._end(refusal(self._source, str(code)))
            return
        self.session_present = flags.session_present
        self._new_to_us = self._v5 or not flags.session_present
        self.session_seconds = getattr(properties, "SessionExpiryInterval", self.session_seconds)
        if self._v5 and self._wanted.identifiers:  # before the first message, which may come before SUBACK
            self.identifies = getattr(properties, "SubscriptionIdentifierAvailable", 1) == 1
        if not self._connected.done():
            self._connected.set_result(None)

    def _on_subscribe(self, client: Any, userdata: Any, mid: int, codes: list[Any], properties: Any) -> None:
        filters, asked_with = self._asked.pop(mid, ((), None))
        for topic_filter, code in zip(filters, codes, strict=False):
            if code.value == PACKET_IDENTIFIER_IN_USE and self._asked_again < ASKED_AGAIN_MAX:
                # Some brokers compare with the identifiers of the messages that they send to us.
                self._asked_again += 1
                self._ask([topic_filter], asked_with)
            elif not code.is_failure and code.value < self._source.qos:
                self.lowered[topic_filter] = code.value
            elif code.is_failure and self._refused is None:
                self._refused = OperatorError(
                    f"{self._source.server} refused the subscription to {topic_filter!r}: {code}",
                    reason="subscription_refused",
                )
        if self._asked or self._subscribed.done():
            return
        if self._refused is not None:
            self._subscribed.set_exception(self._refused)
        else:
            self._subscribed.set_result(None)

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        if self._client.protocol_error is not None:
            self._end(self._client.protocol_error)
        elif flags.is_disconnect_packet_from_server:
            self._end(disconnected(self._source, str(code)))
        else:
            how = self._client.lost_by or "sending failed"
            self._end(RetryableError(f"the connection to {self._source.server} was lost: {how}", reason="lost"))

    def _end(self, error: ConnectorError | None) -> None:
        if not self.ended.is_set():
            self.error = error
            self.ended.set()

    # --- The socket on the event loop

    def _start_reading(self) -> None:
        if not self._reading and not self._paused and self._sock is not None:
            self._reading = True
            self._loop.add_reader(self._sock.fileno(), self._on_readable)

    def _stop_reading(self) -> None:
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._sock.fileno())

    def _on_readable(self) -> None:
        self._client.loop_read()
        if self._reading and self._client.read_messages < SMALL_READ_MESSAGES and self._connected.done():
            self._stop_reading()
            self._rest = self._loop.call_later(PAUSE_SECONDS, self._rested)

    def _rested(self) -> None:
        self._rest = None
        self._start_reading()

    def _on_register_write(self, client: Any, userdata: Any, sock: Any) -> None:
        # The socket nearly always takes everything at once. epoll is used only if it does not.
        self._loop.call_soon(self._write)

    def _on_unregister_write(self, client: Any, userdata: Any, sock: Any) -> None:
        if self._writing:
            self._writing = False
            self._loop.remove_writer(sock.fileno())

    def _write(self) -> None:
        if self._sock is None:
            return
        self._client.loop_write()
        if self._sock is not None and self._client.want_write() and not self._writing:
            self._writing = True
            self._loop.add_writer(self._sock.fileno(), self._client.loop_write)

    def _on_socket_close(self, client: Any, userdata: Any, sock: Any) -> None:
        self._stop_reading()
        self._on_unregister_write(client, userdata, sock)
        self._sock = None

    def _do_misc(self) -> None:
        """Keep-alive, twice a second."""
        if self._paused:
            self._client.excuse_silence()
        self._client.loop_misc()
        if not self.ended.is_set():
            self._misc = self._loop.call_later(MISC_SECONDS, self._do_misc)


def _packets(filters: Sequence[str]) -> Iterator[Sequence[str]]:
    """The filters, as many together as one packet may have."""
    return (filters[start : start + FILTERS_MAX] for start in range(0, len(filters), FILTERS_MAX))
