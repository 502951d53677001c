"""The service that EMQX calls (`HookProvider`, versions 2 and 3), as a source of the ingress.

EMQX calls inside the process of its client, and waits. So each call is answered at once or, if configured, as soon as there is
room. EMQX keeps a client on one channel, a channel keeps its order, and a call produces before it waits, so the order is kept.
We do not register calls that decide something (authenticate, authorize). If they come, the answer is IGNORE.

This file stores no records and does not know their content.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.message import DecodeError

from ingress.exhook import wire
from ingress.exhook.outbox import Outbox
from ingress.exhook.translate import EventReader, publish_record
from ingress.sparkplug.aliases import Aliases
from ingress.sparkplug.payload import speaker_of
from pipeline.config.kafka import KafkaConfig
from pipeline.config.sources import ExHookSource
from pipeline.connectors.kafka.producer import Producer
from pipeline.errors import ConfigError
from pipeline.log import get_logger, printable
from pipeline.record import Outgoing, event_record
from pipeline.topics import matches

log: Final = get_logger("tidegate.ingress")

CALLS_MAX: Final = 4096  # calls under way; a further call is refused, and EMQX follows its failed_action
ROOM_BYTES: Final = 1 << 20  # bytes of a call besides the payload
OBSERVE_SECONDS: Final = 1.0


class ExHookServer:
    """One address that EMQX's nodes call. Has the verbs of ingress/source.py: `run` until `stop`."""

    status_reason: Final = ""  # it always listens: otherwise the process ends with the reason

    def __init__(self, name: str, source: ExHookSource, *, kafka: KafkaConfig, producer: Producer) -> None:
        self._name = name
        self._source = source
        self._kafka = kafka
        self._outbox = Outbox(name, producer, kafka, records_max=source.buffer_records, bytes_max=source.buffer_bytes)
        self._reader = EventReader()
        self._aliases = Aliases(f"exhook:{name}", kafka, self._outbox.metrics) if source.sparkplug_aliases else None
        self._hooks = hooks(source)
        self._events = frozenset(source.events)
        self._stopping = asyncio.Event()
        self._stop_before = 0.0
        self.connected_once = asyncio.Event()
        self.connected = False

    async def run(self) -> None:
        """Answer calls until `stop`. Raises ConfigError if the address or a certificate cannot be used."""
        if self._aliases is not None:
            await self._aliases.open(self._stopping)
        server = self._open()
        await server.start()
        self.connected = True
        self.connected_once.set()
        log.info("exhook.listening", source=self._name, address=self._source.bind)
        try:
            while not self._stopping.is_set():
                now_ms = int(time.time() * 1000)
                self._outbox.observe(now_ms)
                self._reader.forget(now_ms)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(OBSERVE_SECONDS):
                        await self._stopping.wait()
        finally:
            self.connected = False
            self._outbox.metrics.connected.set(0)
            await self._leave(server)
            if self._aliases is not None:
                await self._aliases.close()

    def stop(self, deadline_seconds: float) -> None:
        """Ask `run` to take no more calls and to wait for Kafka within the deadline."""
        self._stop_before = time.monotonic() + deadline_seconds
        self._stopping.set()

    async def _leave(self, server: grpc.aio.Server) -> None:
        """Stop: 1. take no more calls; 2. answer those under way; 3. give Kafka the rest of the time."""
        await server.stop(min(1.0, max(0.0, self._stop_before - time.monotonic())))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._stop_before - time.monotonic())):
                await self._outbox.empty.wait()
        if self._outbox:
            log.warning("exhook.stopped_early", source=self._name, lost=len(self._outbox))

    def _open(self) -> grpc.aio.Server:
        options = [
            ("grpc.max_receive_message_length", self._kafka.max_message_bytes + ROOM_BYTES),
            ("grpc.so_reuseport", 0),  # a second process on this port must fail instead of taking half of the calls
        ]
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=CALLS_MAX)
        methods = {call.rpc: self._method(call) for call in wire.CALLS.values()}
        methods["OnProviderLoaded"] = grpc.unary_unary_rpc_method_handler(self._loaded)
        methods["OnProviderUnloaded"] = grpc.unary_unary_rpc_method_handler(self._unloaded)
        for service in wire.SERVICES:
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, methods),))
        where = f"sources.exhook.{self._name}"
        try:
            if self._source.ssl.enable:
                server.add_secure_port(self._source.bind, self._credentials())
            else:
                server.add_insecure_port(self._source.bind)
        except OSError as error:
            raise ConfigError(f"cannot use the certificate: {error}", where=f"{where}.ssl") from None
        except RuntimeError:
            raise ConfigError(
                f"cannot listen on {self._source.bind}: is the port taken?", where=f"{where}.bind"
            ) from None
        return server

    def _credentials(self) -> Any:
        tls = self._source.ssl
        pair = Path(tls.keyfile or "").read_bytes(), Path(tls.certfile or "").read_bytes()
        authorities = Path(tls.cacertfile).read_bytes() if tls.cacertfile else None
        return grpc.ssl_server_credentials([pair], authorities, require_client_auth=authorities is not None)

    # --- The calls

    async def _loaded(self, request: bytes, context: Any) -> bytes:
        """Answer EMQX's first call with the hooks that it should call."""
        told = await self._decode(wire.ProviderLoadedRequest, request, context)
        node, version = printable(told.meta.node), printable(told.broker.version)
        log.info("exhook.connected", source=self._name, node=node, version=version)
        self._outbox.metrics.connections.inc()
        self._outbox.metrics.connected.set(1)
        wanted = [{"name": name, "topics": topics} for name, topics in self._hooks.items()]
        answer: bytes = wire.LoadedResponse(hooks=wanted).SerializeToString()
        return answer

    async def _unloaded(self, request: bytes, context: Any) -> bytes:
        log.info("exhook.disconnected", source=self._name)
        self._outbox.metrics.connected.set(0)
        return wire.UNLOADED_ANSWER

    def _method(self, call: wire.ExHookCall) -> Any:
        note = self._note(call.hook) if call.is_read else None

        async def answer(request: bytes, context: Any) -> bytes:
            if note is not None:
                if self._source.when_full == "wait" and self._outbox.full:
                    await self._outbox.room(self._source.wait_timeout, len(request))
                note(await self._decode(call.request, request, context))
            return call.answer

        return grpc.unary_unary_rpc_method_handler(answer)

    def _note(self, hook: str) -> Callable[[Any], None] | None:
        """The function for a call of this hook, or None if the call has no effect."""
        if hook == "client.connect":
            return self._reader.note_connect
        if hook == "message.publish":
            return self._publish if self._source.messages else None
        return (lambda request: self._event(hook, request)) if hook in self._events else None

    async def _decode(self, message: Any, request: bytes, context: Any) -> Any:
        try:
            found, left_out = wire.decoded(message, request)
            self._outbox.metrics.left_out(left_out)
            return found
        except DecodeError:
            self._outbox.metrics.dropped("malformed")
            failing: Awaitable[None] = context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, f"expected {message.DESCRIPTOR.name}"
            )
            await failing

    def _publish(self, request: Any) -> None:
        """Take a message. EMQX filters by topic already; messages of other topics and of EMQX's own $SYS are dropped."""
        topic = request.message.topic
        self._outbox.metrics.received.inc()
        if topic.startswith("$SYS/") or not any(matches(each, topic) for each in self._source.messages):
            self._outbox.metrics.dropped("unsubscribed")
            return
        now_ms = int(time.time() * 1000)
        record = publish_record(request, now_ms, self._reader.left_out)
        self._outbox.metrics.left_out(self._reader.left_out.take())
        if self._aliases is not None and (speaker := speaker_of(topic.encode())):
            record.headers.extend(self._aliases.headers(speaker, record.value))
            if table := self._aliases.table(speaker, record.value, now_ms):
                self._outbox.offer(self._aliases.topic, table)
        self._outbox.offer(self._kafka.messages_topic, record)

    def _event(self, hook: str, request: Any) -> None:
        now_ms = int(time.time() * 1000)
        event = self._reader.event(hook, request, now_ms)
        self._outbox.metrics.left_out(self._reader.left_out.take())
        record: Outgoing = event_record(event.name, event.fields, clientid=event.clientid, timestamp_ms=now_ms)
        if self._outbox.offer(self._kafka.events_topic, record):
            self._outbox.metrics.events.inc()


def hooks(source: ExHookSource) -> dict[str, list[str]]:
    """The hooks to register at EMQX: hook → topic filters, which only hooks about messages have."""
    wanted: dict[str, list[str]] = {name: [] for name in source.events}
    if "client.connected" in wanted:
        wanted["client.connect"] = []  # it has fields that client.connected lacks
    if source.messages:
        wanted["message.publish"] = list(source.messages)
    return wanted
