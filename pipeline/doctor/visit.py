"""A short visit to an MQTT broker: connect as the ingress would, send a request, leave.

It blocks, and runs paho's own loop in a thread, because a few hundred messages need no speed. This file does not judge the
answers.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Sequence
from typing import Any, Final, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipeline.config.sources import MqttSource
from pipeline.connectors.mqtt.login import dial, prepare, refusal, silence
from pipeline.errors import ConnectorError, RetryableError

ANSWER_SECONDS: Final = 10.0
PUBLISH_SECONDS: Final = 60.0


class Visit:
    """Use as `with Visit(...) as visit`. If the visit ends early, the verb that waits raises a ConnectorError.

    `session_expiry_seconds` 0: the broker removes the session of this clientid. Otherwise it keeps the session, unless the visit
    ends with `forget`. MQTT 3.1.1 has no expiry, only kept or not. `told` has the properties of CONNACK (MQTT 5).
    """

    def __init__(self, source: MqttSource, clientid: str, *, session_expiry_seconds: float) -> None:
        self._source = source
        self._expiry = session_expiry_seconds
        self._v5 = source.protocol == "5"
        version = {} if self._v5 else {"clean_session": not session_expiry_seconds}
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            clientid,
            protocol=paho.MQTTv5 if self._v5 else paho.MQTTv311,
            transport=source.transport,
            reconnect_on_failure=False,
            **version,
        )
        self._client = client
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()  # a message may overtake an answer
        client.on_connect = lambda *given: self._answers.put(("connack", given[2:]))
        client.on_subscribe = lambda *given: self._answers.put(("suback", given[3]))
        client.on_publish = lambda *given: self._answers.put(("puback", given[3]))
        client.on_message = lambda *given: self._messages.put(("message", given[2]))
        client.on_disconnect = self._on_disconnect
        self.session_present = False
        self.told: dict[str, Any] = {}

    def __enter__(self) -> Self:
        prepare(self._client, self._source)
        dial(self._client, self._source, clean=not self._expiry, session_expiry_seconds=self._expiry)
        self._client.loop_start()
        try:
            flags, code, properties = self._answer("connack", time.monotonic() + ANSWER_SECONDS)
            if code.is_failure:
                raise refusal(self._source, str(code))
        except ConnectorError:
            self.__exit__()
            raise
        self.session_present = flags.session_present
        self.told = properties.json() if properties else {}
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def forget(self) -> None:
        """Leave, and let the broker remove the session although CONNECT asked to keep it."""
        properties = None
        if self._v5:
            properties = Properties(PacketTypes.DISCONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
        self._client.disconnect(properties=properties)

    def subscribe(self, topic_filter: str) -> Any:
        """Subscribe with QoS 1, and return the code of SUBACK."""
        self._client.subscribe(topic_filter, 1)
        return self._answer("suback", time.monotonic() + ANSWER_SECONDS)[0]

    def publish(self, topic: str, payloads: Sequence[bytes]) -> list[str]:
        """Publish with QoS 1, and wait for all acknowledgements. Returns the words of refusing PUBACKs."""
        give_up = time.monotonic() + PUBLISH_SECONDS
        for payload in payloads:
            self._client.publish(topic, payload, 1)
        codes = [self._answer("puback", give_up) for _ in payloads]
        return [str(code) for code in codes if code.is_failure]

    def collect(self, topic: str, count: int, *, silence_seconds: float) -> set[bytes]:
        """The different payloads that come, until there are `count` or nothing comes for a while."""
        found: set[bytes] = set()
        while len(found) < count:
            try:
                message = self._answer("message", time.monotonic() + silence_seconds)
            except TimeoutError:
                break
            if message.topic == topic:
                found.add(message.payload)
        return found

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, code: Any, properties: Any) -> None:
        for each in (self._answers, self._messages):
            each.put(("end", code))

    def _answer(self, kind: str, give_up: float) -> Any:
        """The next answer of this kind. Earlier answers of other kinds are skipped, so ask in the order in which they come."""
        waiting = self._messages if kind == "message" else self._answers
        while True:
            try:
                found, value = waiting.get(timeout=max(0.0, give_up - time.monotonic()))
            except queue.Empty:
                todo = silence(self._source) if kind == "connack" else ""
                raise NoAnswerError(
                    f"{self._source.server} did not answer in time (no {kind}){todo}", reason="timeout"
                ) from None
            if found == kind:
                return value
            if found == "end":
                todo = silence(self._source) if kind == "connack" else ""
                raise RetryableError(f"{self._source.server} ended the connection: {value}{todo}", reason="closed")


class NoAnswerError(RetryableError, TimeoutError):
    """The broker did not answer in time."""
