"""Gives metrics of Sparkplug B the names that their node or device gave them at its birth.

1. A birth becomes a table, and a record for the topic of tables. It goes to Kafka with the birth's own record, before the
   birth is acknowledged.
2. A later message gets a header with the names that it uses. So a rule sees the same names at each replay.
3. Before a source takes messages, it has read the tables that it, or another process, has written.

This file does not know connections. See `reader.py` for what it reads, and pipeline/record.py for the header.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

import orjson
from confluent_kafka import Message

from ingress.metrics import SourceMetrics
from ingress.sparkplug.payload import Speaker, metrics_of, protobuf
from ingress.sparkplug.reader import TableReader
from ingress.sparkplug.tables import Tables
from pipeline.config.kafka import KafkaConfig
from pipeline.extras import needed
from pipeline.log import get_logger, printable
from pipeline.record import METRICS, Headers, Outgoing

log: Final = get_logger("tidegate.ingress")

WRITER: Final = "writer"  # header of a table: the process that has written it, and its number
UNKNOWN_REMEMBERED_MAX: Final = 1_000  # owners that a log line has named


class Aliases:
    """The tables of one source. `source` is its kind and name, such as mqtt:plant."""

    def __init__(self, source: str, kafka: KafkaConfig, metrics: SourceMetrics) -> None:
        with needed("schemas", "sparkplug_aliases"):
            protobuf()
        self._source = source
        self._prefix = f"{kafka.pipeline}/{source}/".encode()
        self._metrics = metrics
        self._tables = Tables()
        self._writer = os.urandom(8).hex().encode()
        self._reader = TableReader(kafka, self._told)
        self._unknown: set[bytes] = set()  # owners with an alias that no birth has named
        self.topic = kafka.aliases_topic

    async def open(self, stopping: asyncio.Event) -> None:
        """Read what is there. Waits while Kafka is away, until `stopping`. Raises TidegateError if a person has to correct
        something.
        """
        self._reader.start()
        await self.caught_up(stopping)
        log.info("sparkplug.restored", source=self._source.partition(":")[2], tables=len(self._tables))

    async def caught_up(self, stopping: asyncio.Event) -> None:
        """Read what other processes have written by now. Waits and raises as `open` does."""
        reading = asyncio.ensure_future(self._reader.caught_up())
        stopped = asyncio.ensure_future(stopping.wait())
        await asyncio.wait({reading, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if reading.done():
            reading.result()
        reading.cancel()

    async def close(self) -> None:
        """Stop reading."""
        await self._reader.close()

    def headers(self, speaker: Speaker, payload: bytes) -> Headers:
        """The header of a message that uses aliases, if it has some."""
        if speaker.is_birth:
            return ()
        names, unknown = self._tables.names(speaker.owner, metrics_of(payload))
        if unknown:
            self._note_unknown(speaker.owner, unknown)
        return ((METRICS, orjson.dumps({alias: [*named] for alias, named in names.items()})),) if names else ()

    def table(self, speaker: Speaker, payload: bytes, now_ms: int) -> Outgoing | None:
        """The record of a birth's table, for `topic`. None for other messages, and for a table that Kafka has already."""
        if not speaker.is_birth:
            return None
        learnt = self._tables.learn(speaker.owner, metrics_of(payload))
        self._unknown.discard(speaker.owner)
        if learnt is None:
            return None
        text, number = learnt
        return Outgoing(self._prefix + speaker.owner, text, [(WRITER, b"%s:%d" % (self._writer, number))], now_ms)

    def _note_unknown(self, owner: bytes, count: int) -> None:
        self._metrics.unknown_aliases(count)
        if owner not in self._unknown and len(self._unknown) < UNKNOWN_REMEMBERED_MAX:
            self._unknown.add(owner)
            source = self._source.partition(":")[2]
            device = printable(owner.decode("utf-8", "replace"))
            log.warning("sparkplug.alias_unknown", source=source, device=device, metrics=count)

    def _told(self, messages: list[Message]) -> None:
        for each in messages:
            key, value = each.key(), each.value()
            assert not isinstance(key, str)
            assert not isinstance(value, str)
            key = key or b""
            if not key.startswith(self._prefix):
                continue
            written: dict[str, Any] = dict(each.headers() or ())
            writer, _, number = (written.get(WRITER) or b"").partition(b":")
            ours = int(number) if writer == self._writer else None
            try:
                self._tables.told(key.removeprefix(self._prefix), value or b"", ours)
            except (ValueError, TypeError) as error:
                log.warning("sparkplug.table_unreadable", topic=self.topic, offset=each.offset(), error=str(error))
