"""The lanes of an action on a store that counts, fed as the transport and the rule agent feed them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from agents.lanes.lane import Fetched, Partition
from agents.lanes.lanes import Lanes
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.patient_store import PatientStore
from agents.sinks.writers import Outside, lanes_of, writer_of
from pipeline.action import CompiledAction
from pipeline.columns import size_of
from pipeline.connectors.s3.store import Head
from pipeline.record import Outgoing, Record
from tests.parts.bench import PlayedLog
from tests.parts.waiting import patient, turn

ONE, TWO = Partition("mqtt.messages", 0), Partition("mqtt.messages", 1)


class Sink:
    """A store that counts the rows of all objects and forgets their content."""

    def __init__(self) -> None:
        self.rows: Counter[Any] = Counter()
        self.bytes = 0
        self.order: list[str] = []

    async def create(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], **_: object) -> str | None:
        await turn()
        if not key.startswith("_tidegate/"):
            self.order.append(key)
            self.bytes += len(body)
            for line in body.splitlines():
                row = orjson.loads(line)
                self.rows[row["clientid"], row["n"], row.get("rule")] += 1
        return "etag"

    async def conditional(self, bucket: str) -> bool:
        return True

    async def head(self, bucket: str, key: str, **_: object) -> Head | None:
        return None

    async def get(self, bucket: str, key: str) -> bytes | None:
        return None

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> tuple[list[str], bool]:
        return [], False


class CountedLetters:
    """A dead letter topic of which only the number of letters by record and rule is kept."""

    def __init__(self) -> None:
        self.letters: Counter[tuple[bytes, bytes]] = Counter()

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        await turn()
        for record in records:
            found = dict(record.headers)
            self.letters[found["dead_letter.offset"], found["dead_letter.rule"]] += 1


class Flow:
    """An action's lanes on a Sink, fed as the transport and the rule agent feed them."""

    def __init__(self, action: CompiledAction, bytes_max: int) -> None:
        self.action, self.sink, self.letters = action, Sink(), CountedLetters()
        attempts = Attempts(action.name)
        store: Any = PatientStore(self.sink, attempts)  # type: ignore[arg-type]
        letters = DeadLetters(self.letters, "dead", action.name, attempts)
        self.writer = writer_of(action, Outside(store, letters, PlayedLog()))
        self.evaluated = 0
        self.lanes = Lanes(action.name, lanes_of(self.writer), bytes_max, self._count)
        self.most_held = 0

    def _count(self, batch: Any) -> None:
        self.evaluated += len(batch.records)

    async def feed(self, partition: Partition, records: list[Record], size: int = 500) -> None:
        for at in range(0, len(records), size):
            while not self.lanes.has_room(partition):
                await turn()
                assert not self.lanes.failed.done(), self.lanes.failed.exception()
            fetched = records[at : at + size]
            self.lanes.sought({partition: fetched[0].offset})
            size_bytes = size_of(fetched)
            assert self.lanes.reserve(partition, Fetched(fetched[0].offset, fetched[-1].offset + 1, size_bytes))
            self.lanes.offer(partition, self.lanes.rows(self.action.evaluator, fetched), records[-1].offset + 1)
            self.most_held = max(self.most_held, self.lanes.held_bytes)
            await turn()

    async def run(self, records: Mapping[Partition, list[Record]]) -> None:
        self.lanes.assign(records)
        try:
            async with asyncio.TaskGroup() as group:
                for partition, each in records.items():
                    group.create_task(self.feed(partition, each))
            assert await self.lanes.drain(patient(100)), self.lanes.failed
        finally:
            await self.lanes.close()
