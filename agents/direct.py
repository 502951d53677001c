"""Direct upload: one object per row, in order for each client, many clients at once.

1. A row's key, bucket and content are rendered. A row that cannot be rendered is a dead letter.
2. Rows of one clientid are put one at a time, in order; up to `inflight_window` clients of a partition at once.
3. A PUT is repeated until S3 confirmed it. What S3 will never accept is a dead letter.
4. The partition is durable up to the lowest offset that still has work.

Writing again what was written gives the same object, so a replay changes nothing that is not newer. Two rows with one key meet
in one object, the later one wins; that is counted, and said once.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog
from pipeline.template import Template

from agents.attempts import Attempts
from agents.dead_letter import DeadLetters
from agents.lane import Lane, Partition
from agents.metrics import OBJECT_BYTES, OBJECTS, OVERWRITTEN
from pipeline.config import DirectParameters
from pipeline.connectors.s3 import S3Store, put_settings
from pipeline.errors import RecordError, RefusedError, RenderError
from pipeline.progress import Progress
from pipeline.record import KafkaRecord
from pipeline.rule import DeadLetter, RowBatch
from pipeline.sql import Row

KEYS_REMEMBERED_MAX: Final = 100_000

log = structlog.get_logger("tidegate.direct")


@dataclass(slots=True)
class Put:
    """One object to write."""

    bucket: str
    key: str
    content: bytes
    origin: KafkaRecord


class DirectWriter:
    """What all lanes of one direct action share: templates, the store, and the keys that were written."""

    def __init__(
        self,
        action: str,
        parameters: DirectParameters,
        store: S3Store,
        dead_letters: DeadLetters,
        attempts: Attempts,
        inflight_window: int,
    ) -> None:
        self.action = action
        self.store = store
        self.dead_letters = dead_letters
        self.attempts = attempts
        self.inflight_window = inflight_window
        self._bucket = Template(parameters.bucket, missing="dead_letter")
        self._key = Template(parameters.key, missing=parameters.missing)
        self._content = Template(parameters.content, missing=parameters.missing)
        self._settings: Mapping[str, Any] = put_settings(parameters.headers, parameters.acl)
        self._written: OrderedDict[tuple[str, str], tuple[str, int, int]] = OrderedDict()
        self._said_overwrite = False

    def render(self, row: Row, origin: KafkaRecord) -> Put:
        """The object of a row. Raises RenderError."""
        key = self._key.render_text(row)
        if not key:
            raise RenderError("the object key is empty")
        return Put(self._bucket.render_text(row), key, self._content.render(row), origin)

    async def put(self, put: Put) -> None:
        """Write one object; returns when S3 confirmed it. Raises RefusedError if S3 will never accept it."""
        await self.attempts.until_done(lambda: self.store.put(put.bucket, put.key, put.content, self._settings))
        OBJECTS.labels(self.action).inc()
        OBJECT_BYTES.labels(self.action).inc(len(put.content))
        self._remember(put)

    def _remember(self, put: Put) -> None:
        """Count keys that are written by more than one record. A repetition of the same record is none."""
        name, place = (put.bucket, put.key), (put.origin.topic, put.origin.partition, put.origin.offset)
        before = self._written.pop(name, None)
        self._written[name] = place
        if len(self._written) > KEYS_REMEMBERED_MAX:
            self._written.popitem(last=False)
        if before is None or before == place:
            return
        OVERWRITTEN.labels(self.action).inc()
        if not self._said_overwrite:
            self._said_overwrite = True
            log.warning(
                "two rows have one key: the later one replaced the earlier; counted from now on, not said again",
                action=self.action,
                key=put.key[:200],
                help="add ${id} to the key to keep both",
            )


class DirectLane(Lane):
    """One partition of a direct action."""

    def __init__(self, partition: Partition, on_room: Callable[[], None], writer: DirectWriter) -> None:
        super().__init__(partition, on_room)
        self._writer = writer
        self._progress = Progress()
        self._clients: dict[bytes | None, deque[Put]] = {}  # rows of clients that wait or are being written
        self._waiting: deque[bytes | None] = deque()  # clients with rows and no task
        self._tasks: set[asyncio.Task[None]] = set()
        self._batches: deque[tuple[int, int]] = deque()  # (next offset, bytes) of batches that are not yet durable

    async def run(self) -> None:
        """Take batches and keep the window full. Its tasks end with it."""
        self.ready = True
        self._on_room()
        try:
            async with asyncio.TaskGroup() as group:
                while (taken := await self._next(None)) is not None:
                    batch, size_bytes = taken
                    await self._writer.dead_letters.send(batch.dead)
                    self._batches.append((batch.next_offset, size_bytes))
                    await self._take(batch)
                    self._start(group)
            self.drained.set()
        finally:
            self._batches.clear()

    async def _take(self, batch: RowBatch) -> None:
        """Render all rows and line them up by client."""
        refused = []
        for row, origin in zip(batch.rows, batch.origins, strict=True):
            try:
                put = self._writer.render(row, origin)
            except RecordError as error:
                refused.append(DeadLetter(origin, error.cause, str(error)))
                continue
            self._progress.open(origin.offset)
            rows = self._clients.get(origin.key)
            if rows is None:
                self._clients[origin.key] = deque([put])
                self._waiting.append(origin.key)
            else:
                rows.append(put)
        await self._writer.dead_letters.send(refused)
        self._progress.read(batch.next_offset)
        self._advance()

    def _start(self, group: asyncio.TaskGroup) -> None:
        """A task for each waiting client, as far as the window allows."""
        while self._waiting and len(self._tasks) < self._writer.inflight_window:
            task = group.create_task(self._write(self._waiting.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _write(self, client: bytes | None) -> None:
        """Write the rows of one client after the other, then those of the next client that waits."""
        while True:
            rows = self._clients[client]
            while rows:
                put = rows[0]
                try:
                    await self._writer.put(put)
                except RefusedError as error:
                    await self._writer.dead_letters.send([DeadLetter(put.origin, error.reason, str(error))])
                rows.popleft()
                self._progress.close(put.origin.offset)
                self._advance()
            del self._clients[client]
            if not self._waiting:
                return
            client = self._waiting.popleft()

    def _advance(self) -> None:
        """Pass on how far the partition is durable, and make room for what is."""
        self.durable = self._progress.durable
        while self._batches and self.durable is not None and self._batches[0][0] <= self.durable:
            self._release(self._batches.popleft()[1])
