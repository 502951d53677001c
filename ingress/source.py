"""The life of one source: connect, subscribe, carry messages until the connection ends, wait, and begin again.

A new connection begins only after Kafka has answered for every record of the last one. So messages under way stay within one
window, and a redelivered message comes after its first delivery. The broker keeps our session meanwhile.

A change of state is one log line: connected, or disconnected with the reason. The same reason is not logged again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Final

from ingress.bridge import Bridge
from ingress.events import Adapter
from ingress.events.aws_presence import AwsPresenceAdapter
from ingress.events.emqx_sys import EmqxSysAdapter
from ingress.events.mosquitto_log import MosquittoLogAdapter
from ingress.events.nanomq_status import NanomqStatusAdapter
from ingress.events.status_topic import StatusTopicAdapter
from ingress.reconcile import filters_matching
from pipeline.config import KafkaConfig, MqttSource
from pipeline.connectors.kafka.lead import Lead
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.mqtt.connection import Connection
from pipeline.errors import ConnectorError, OperatorError
from pipeline.log import get_logger, printable
from pipeline.mqtt.subscriptions import overlaps, without_harm
from pipeline.retry import BROKER, BROKER_STABLE_SECONDS

log: Final = get_logger("tidegate.ingress")

OBSERVE_SECONDS: Final = 1.0
HAND_OVER_SECONDS: Final = 5.0  # time for Kafka to answer for the window after another process has become the leader

ADAPTERS: Final[dict[str, Callable[[], Adapter]]] = {
    "aws_presence": AwsPresenceAdapter,
    "emqx_sys": EmqxSysAdapter,
    "mosquitto_log": MosquittoLogAdapter,
    "nanomq_status": NanomqStatusAdapter,
}


def adapters_of(source: MqttSource) -> list[Adapter]:
    """The event adapters that a source is configured with."""
    adapters = [ADAPTERS[name]() for name in source.events]
    if source.status_topic is not None:
        adapters.append(StatusTopicAdapter(source.status_topic))
    return adapters


class Source:
    """One broker. `run` returns after `stop` was called, and never raises because of the broker.

    With `standby`, it connects only while `lead` leads. `session` has the filters that a source before this one has left in its
    session at the broker; when this one has subscribed, they are ended, and the session has its own.
    """

    def __init__(
        self,
        name: str,
        source: MqttSource,
        *,
        pipeline: str,
        kafka: KafkaConfig,
        producer: Producer,
        lead: Lead | None = None,
        session: set[str] | None = None,
    ) -> None:
        self._name = name
        self._source = source
        self._clientid = source.clientid or f"tidegate-{pipeline}-{name}"
        adapters = adapters_of(source)
        self._bridge = Bridge(name, source, adapters, kafka, producer)
        if source.standby and lead is None:
            lead = Lead(kafka, group=f"{pipeline}.ingress.{name}")
        self._lead = lead
        self._session = session if session is not None else set()
        self._stopping = asyncio.Event()
        self._stop_before = 0.0
        self.status_reason = ""  # the last reason why there is no connection
        self.connected_once = asyncio.Event()
        self.connected = False

    async def run(self) -> None:
        """Carry messages until `stop`. A stand-by does this only while it leads."""
        observer = asyncio.create_task(self._observe())
        waits = BROKER.waits(random.random)
        if self._lead is not None:
            self._lead.open()
        try:
            if aliases := self._bridge.aliases:
                await aliases.open(self._stopping)
            while await self._wanted():
                began = time.monotonic()
                error = await self._one_connection()
                await self._drain_old_window()
                if time.monotonic() - began > BROKER_STABLE_SECONDS:
                    waits = BROKER.waits(random.random)
                self._say_disconnected(error)
                await _wait(self._stopping, waits.after(error))
        finally:
            observer.cancel()
            if self._lead is not None:
                await self._lead.close()
            if self._bridge.aliases is not None:
                await self._bridge.aliases.close()

    async def _wanted(self) -> bool:
        """Wait until it is known whether to connect, and return this."""
        if self._lead is not None:
            await self._stand_by(self._lead)
            if self._bridge.aliases is not None and not self._stopping.is_set():
                await self._bridge.aliases.caught_up(self._stopping)
        return not self._stopping.is_set()

    async def _stand_by(self, lead: Lead) -> None:
        """Wait until this process leads. A stand-by counts as connected, unless it cannot become the leader."""
        self.connected_once.set()
        while not (lead.leads.is_set() or lead.failed.is_set() or self._stopping.is_set()):
            lead.changed.clear()
            self.connected, self.status_reason = not lead.problem, lead.problem
            await _first(lead.leads.wait(), lead.failed.wait(), lead.changed.wait(), self._stopping.wait())
        self.connected = False
        lead.raise_failure()

    def stop(self, deadline_seconds: float) -> None:
        """Ask `run` to stop reading, wait for Kafka, acknowledge and leave within the deadline."""
        self._stop_before = time.monotonic() + deadline_seconds
        self._stopping.set()

    async def _one_connection(self) -> ConnectorError | None:
        """Run one connection from CONNECT to its end. Returns the reason of its end, or None if we stop."""
        connection = Connection(self._source, self._clientid, self._bridge.on_batch, kept_bytes=self._bridge.kept_bytes)
        self._bridge.attach(connection)
        try:
            if not await self._opened(connection):
                return None
            self._say_connected(connection)
            reconciling = asyncio.create_task(self._reconcile(connection))
            try:
                await _first(connection.ended.wait(), self._stopping.wait(), self._superseded())
            finally:
                reconciling.cancel()
            if not connection.ended.is_set():
                await self._leave(connection)
                return None
        except ConnectorError as error:
            return error
        finally:
            self.connected = False
            self._bridge.metrics.connected.set(0)
            self._bridge.detach()
            connection.abort()
        return connection.error

    async def _opened(self, connection: Connection) -> bool:
        """Open `connection`. Returns False if we have to stop first."""
        opening = asyncio.ensure_future(connection.open(self._bridge.subscribed))
        await _first(opening, self._stopping.wait())
        if not opening.done():
            opening.cancel()
            return False
        opening.result()
        return True

    async def _superseded(self) -> None:
        """Wait until another process leads."""
        await (self._lead.follows if self._lead is not None else asyncio.Event()).wait()

    async def _leave(self, connection: Connection) -> None:
        """End in order: 1. stop reading; 2. wait until Kafka has the window; 3. acknowledge; 4. send DISCONNECT."""
        connection.hold()
        seconds = self._seconds_left() if self._stopping.is_set() else HAND_OVER_SECONDS
        await _first(self._bridge.empty.wait(), connection.ended.wait(), asyncio.sleep(seconds))
        if self._bridge.window:
            log.warning("mqtt.stopped_early", source=self._name, unacknowledged=len(self._bridge.window))
        await connection.close()

    async def _drain_old_window(self) -> None:
        """Wait until Kafka has answered for the last connection's messages; during a stop, at most until the deadline."""
        if self._bridge.window:
            await _first(self._bridge.empty.wait(), self._stopping.wait())
        if self._bridge.window:
            await _first(self._bridge.empty.wait(), asyncio.sleep(self._seconds_left()))

    def _seconds_left(self) -> float:
        return max(0.0, self._stop_before - time.monotonic())

    async def _reconcile(self, connection: Connection) -> None:
        """Unsubscribe from filters that the persistent session still has but the configuration no longer has."""
        ours = self._bridge.subscribed.filters
        if connection.session_present:
            connection.unsubscribe([each for each in self._session if each not in ours])
        self._session.clear()
        self._session.update(ours)
        while True:
            for topic in self._bridge.take_unwanted():
                log.info("mqtt.unsubscribed", source=self._name, topic=printable(topic))
                connection.unsubscribe(without_harm(filters_matching(topic), ours))
            await asyncio.sleep(OBSERVE_SECONDS)

    async def _observe(self) -> None:
        while True:
            self._bridge.observe(int(time.time() * 1000))
            await asyncio.sleep(OBSERVE_SECONDS)

    def _say_connected(self, connection: Connection) -> None:
        self.status_reason = ""
        self.connected = True
        self.connected_once.set()
        self._bridge.metrics.connected.set(1)
        self._bridge.metrics.connections.inc()
        log.info(
            "mqtt.connected", source=self._name, server=self._source.server, session_present=connection.session_present
        )
        for topic_filter, qos in connection.lowered.items():
            log.warning("mqtt.qos_lowered", source=self._name, filter=topic_filter, qos=qos)
        if connection.session_seconds < self._source.session_expiry:
            log.warning("mqtt.session_shortened", source=self._name, seconds=connection.session_seconds)
        if self._bridge.subscribed.identifiers and not connection.identifies:
            (one, other), *_ = overlaps(self._bridge.subscribed.filters)
            log.warning("mqtt.filters_overlap", source=self._name, first=one, second=other)

    def _say_disconnected(self, error: ConnectorError | None) -> None:
        if error is None:
            log.info("mqtt.disconnected", source=self._name, reason="stopped")
        elif str(error) != self.status_reason:
            self.status_reason = str(error)
            level = logging.ERROR if isinstance(error, OperatorError) else logging.WARNING
            log.log(level, "mqtt.disconnected", source=self._name, reason=error.reason, error=self.status_reason)


async def _first(*waits: Awaitable[object]) -> None:
    """Wait for the first of `waits`. Then cancel the coroutines among the others, and leave the futures."""
    tasks = [asyncio.ensure_future(each) for each in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task, given in zip(tasks, waits, strict=True):
            if task is not given:
                task.cancel()


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
