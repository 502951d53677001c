"""Direct upload: one object for each row, in order for each client, with many clients at once.

1. Render the key, bucket and content of a row. A row that cannot be rendered is a dead letter.
2. Put the rows of one clientid one at a time, in order; up to `inflight_window` clients of a partition at once.
   With `conflate`, the same for the rows of one key, and only the newest of those that wait is put.
3. Repeat a PUT until S3 confirms it. A row that S3 will never accept, or that is itself the cause (suspect.py), is a dead letter.
4. The partition is durable up to the lowest offset with unfinished work.

Writes are *fenced*, so that a frozen worker that wakes up puts no old value over a newer one, and a replay changes nothing.
Each object carries the place of its row (topic and its id, partition, offset, number in the record). A new key is created. If
the key exists, or was written before, the object is replaced only if it has not changed since it was read. If it has the same
or a later place of the same partition, nothing is written. So a unique key costs one request. Equal contents may have equal
ETags, so a worker that may have lost its partitions looks at the object again before it replaces it. A topic that was deleted and
created again is another topic: its rows replace those of the earlier one, never the reverse.

Each object also carries the mark of its action. An object without this mark belongs to another action or to somebody else: it
stays, and the row is a dead letter. Only `write: overwrite` replaces any object.

*Conflated* rows are those that the fence would find settled, if the newest row of their key were written first. They are open
until it is durable. If the store refuses it, it alone is a dead letter, and the newest of the others is put.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import ClassVar, Final, NamedTuple

from agents.lanes.kafka_log import KafkaLog, find_place, is_outdated, read_at, say_replaced
from agents.lanes.lane import Lane, Partition, QueuedBatch
from agents.metrics import CONFLATED, OVERWRITTEN, RowMeter, Writing
from agents.sinks.dead_letter import DeadLetterSink
from agents.sinks.patient_store import PatientStore
from agents.sinks.put import DirectVersion, Put, RowOfRule, Seen, newest
from pipeline.action import DirectAction
from pipeline.errors import RecordError, RefusedError
from pipeline.log import get_logger
from pipeline.redriven import first_number
from pipeline.rule.batch import DeadLetter, RowBatch
from pipeline.rule.rule_set import RuleSet
from pipeline.upload.open_offsets import OpenOffsets
from pipeline.upload.row_place import ACTION, place_of
from pipeline.upload.source_log import RESET, of_group

KEYS_REMEMBERED_MAX: Final = 50_000
RENDERED_BYTES_MAX: Final = 16 << 20  # of one partition, not written yet: enough to keep the window full
LETTERS_AT_ONCE_MAX: Final = 1_000
# Bytes that are rendered between two looks for room, because a look goes over all lanes of the action.
LOOK_BYTES: Final = 16 << 10
FOREIGN: Final = "foreign_object"  # for the cause in a dead letter

log = get_logger("tidegate.direct")

# The rows that are put one after the other have the same one: their client, or with `conflate` their bucket and key.
Line = bytes | tuple[str, str] | None


class DirectWriter:
    """The parts that all lanes of one direct action share: templates, the store, and the written keys."""

    version_type: ClassVar[type[DirectVersion]] = DirectVersion

    def __init__(
        self,
        action: DirectAction,
        store: PatientStore,
        dead_letters: DeadLetterSink,
        kafka: KafkaLog,
        *,
        again: bool = False,
    ) -> None:
        """`again`: a row replaces the object that it made before, but never an object of a later row."""
        self.store = store
        self.dead_letters = dead_letters
        self.kafka = kafka
        self.name = action.name
        self.version = self.version_type(action)
        self.inflight_window = action.options.puts_at_once
        self.conflates = action.parameters.conflate
        self._again = again
        self._mark = action.mark
        self._written: OrderedDict[tuple[str, str], Seen] = OrderedDict()  # keys are bucket and object key
        self._said_overwrite = False
        self._said_replaced = ""
        self.meter = RowMeter(action.name)
        self._overwritten = OVERWRITTEN.labels(action.name)
        self.conflated = CONFLATED.labels(action.name)

    def forget(self) -> None:
        """Forget the written keys, because another process may have owned a partition meanwhile."""
        self._written.clear()

    def turn_to(self, action: DirectAction) -> None:
        """Render later rows under this version of the action."""
        self.version = self.version_type(action)

    async def put(self, put: Put) -> None:
        """Write one object, and return when S3 has confirmed it. Raises RefusedError if S3 will never accept it."""
        with self.meter.writing(put.bucket, put.key, origin=put.origin) as writing:
            await self._put(put, writing)
        self.meter.row(put.origin.timestamp)

    async def _put(self, put: Put, writing: Writing) -> None:
        version = put.version
        store = self.store.of_row(version.decided, put.bucket, len(put.content), version.action.headers.fixed)
        there = self._written.get((put.bucket, put.key))
        if not version.fenced:
            self._wrote(put, writing, await store.put(put.bucket, put.key, put.content, put.headers), there)
            return
        conditional = await store.conditional(put.bucket)
        if not conditional and not (there and self.kafka.owns()):
            there = await self._look(store, put)
        while not (self._settles(put, there) or await self._is_outdated(put, there)):
            self._say_if_replaced(put, there)
            new_etag = await self._write(store, put, there, conditional=conditional)
            if new_etag is not None:
                self._wrote(put, writing, new_etag, there)
                return
            there = await self._look(store, put)
        if there and there.place != put.place:
            self._count_overwritten(put)

    async def _write(self, store: PatientStore, put: Put, there: Seen | None, *, conditional: bool) -> str | None:
        """Create the object, or replace the known one. Returns its ETag, or None if another object is there."""
        if not conditional:
            return await store.put(put.bucket, put.key, put.content, put.headers)
        if there is None:
            return await store.create(put.bucket, put.key, put.content, put.headers)
        return await store.replace_known(put.bucket, put.key, put.content, put.headers, there, self.kafka.owns)

    async def _look(self, store: PatientStore, put: Put) -> Seen | None:
        """The object under the key. Raises RefusedError if it does not belong to our action."""
        head = await store.head(put.bucket, put.key)
        if head is None:
            return None
        mark = head.metadata.get(ACTION)
        if mark != self._mark:
            whose = f"of {mark[:200]!a}" if mark else "of nobody that Tidegate knows"
            raise RefusedError(
                f"{put.bucket}/{put.key} exists and is {whose}; expected a free key or an object of {self._mark!r}."
                " With `write: overwrite` the action replaces any object",
                reason=FOREIGN,
            )
        return Seen(head.etag, place_of(head.metadata))

    async def _is_outdated(self, put: Put, there: Seen | None) -> bool:
        return there is not None and await is_outdated(self.kafka, put.place, there.place, put.origin)

    def _say_if_replaced(self, put: Put, there: Seen | None) -> None:
        """Kafka forgets the commits of a topic that is deleted. Then only the objects of its rows still know its id."""
        now, before = put.place, there.place if there else None
        if before and now.is_of_another_topic(before) and self._said_replaced != now.topic_id:
            self._said_replaced = now.topic_id
            say_replaced(self.name, Partition(now.topic, now.partition), before.topic_id, now.topic_id)

    def _settles(self, put: Put, there: Seen | None) -> bool:
        """Whether the existing object makes the write unnecessary."""
        place = there.place if there else None
        return put.place.is_settled_by(place) and not (self._again and place == put.place)

    def _wrote(self, put: Put, writing: Writing, etag: str, before: Seen | None) -> None:
        writing.confirmed(len(put.content))
        name = (put.bucket, put.key)
        self._written.pop(name, None)
        self._written[name] = Seen(etag, put.place)
        if len(self._written) > KEYS_REMEMBERED_MAX:
            self._written.popitem(last=False)
        if before is not None and before.place not in (None, put.place):
            self._count_overwritten(put)

    def _count_overwritten(self, put: Put) -> None:
        """Count two records with one key, unless that is wanted. A repetition of the same record does not count."""
        if self.conflates:
            return
        self._overwritten.inc()
        if not self._said_overwrite:
            self._said_overwrite = True
            log.warning(
                "object.overwritten",
                action=self.name,
                key=put.key[:200],
                help="two rows have one key, the later one stays; add ${id} to the key to keep both",
            )


class HeldBatch(NamedTuple):
    """A batch that is not durable yet."""

    next_offset: int
    size_bytes: int


class DirectLane(Lane):
    """The lane of one partition of a direct action."""

    def __init__(self, partition: Partition, on_room: Callable[[], None], writer: DirectWriter) -> None:
        super().__init__(partition, on_room)
        self._writer = writer
        self._open = OpenOffsets()
        self._lines: dict[Line, deque[Put]] = {}  # rows that wait or are being written
        self._waiting: deque[Line] = deque()  # lines without a task
        self._tasks: set[asyncio.Task[None]] = set()
        self._batches: deque[HeldBatch] = deque()
        self._rendered_bytes = 0
        self._written = asyncio.Event()

    @property
    def rules(self) -> RuleSet:
        """The rules of the action."""
        return self._writer.version.action.rules

    @property
    def held_bytes(self) -> int:
        """Bytes of waiting batches, of batches that are not durable, and of rendered rows."""
        return self.queued_bytes + self._rendered_bytes

    @property
    def holds_nothing(self) -> bool:
        """Whether no batch waits, and none has rows that are not durable."""
        return self.idle and not self._batches

    async def run(self) -> None:
        """Find the first offset, take batches, and keep the window full. Its tasks end with this method."""
        await self._resume()
        self.ready = True
        self._on_room()
        try:
            async with asyncio.TaskGroup() as self._group:
                while (taken := await self._next(None)) is not None:
                    fetched, batch = taken
                    if batch is not None and not self._is_made(QueuedBatch(fetched, batch)):
                        self._put_back(fetched, batch)  # the action turned while its rows were made
                        continue
                    self._batches.append(HeldBatch(fetched.next, fetched.size_bytes))
                    if batch is not None:
                        await self._take(batch, self._writer.version)
                        self._release(batch.size_bytes)
                    self._open.read(fetched.next)
                    self._advance()
                    self._start()
            self.drained.set()
        finally:
            self._batches.clear()
            self._writer.meter.tell()

    async def _resume(self) -> None:
        """Begin reading at the group's offset if it belongs to this topic, or at the start of the log."""
        bounds = await self._writer.kafka.bounds(self.partition)
        self.topic_id = bounds.topic_id
        self._writer.forget()
        if bounds.commit_is_of_another_topic:
            say_replaced(self._writer.name, self.partition, bounds.committed_topic_id, bounds.topic_id)
        read_at(self, self._writer.name, of_group(bounds, "/".join(map(str, self.partition))))

    async def find_place(self, wanted: int) -> None:
        """Find the place again after other offsets than `wanted` came. Raises LaneError if the topic or its end has changed."""
        await find_place(self, self._writer.name, self._writer.kafka, wanted, RESET)

    def _made(self, batch: RowBatch) -> bool:
        """Whether rows are made already, under the action as it is now."""
        return super()._made(batch) and batch.rules == self.rules.digest

    async def _take(self, batch: RowBatch, version: DirectVersion) -> None:
        """Render all rows, and line them up. A refused row is open until its dead letter is durable."""
        await self._writer.dead_letters.send(batch.dead)
        refused: list[DeadLetter] = []
        before, number, looks_at = None, 0, 1
        for row, origin, made in zip(
            batch.rows, batch.origins, map(RowOfRule, batch.makers, batch.numbers()), strict=True
        ):
            if self._rendered_bytes >= looks_at:
                if not self._has_room_for_content:
                    await self._until_room()
                looks_at = self._rendered_bytes + LOOK_BYTES
            number = number + 1 if origin is before else first_number(origin)
            before = origin
            self._open.open(origin.offset)
            try:
                put = version.render(row, origin, number, made, self.topic_id)
            except RecordError as error:
                refused.append(DeadLetter(origin, error.cause, str(error), *made))
                if len(refused) >= LETTERS_AT_ONCE_MAX:
                    await self._refuse(refused)
                continue
            self._line_up(put)
        await self._refuse(refused)

    @property
    def _has_room_for_content(self) -> bool:
        return self._rendered_bytes < RENDERED_BYTES_MAX and self.has_room_for_rows

    async def _until_room(self) -> None:
        """Write until another row may be rendered."""
        while self._rendered_bytes and not self._has_room_for_content:
            self._start()
            self._written.clear()
            await self._written.wait()

    async def _refuse(self, letters: list[DeadLetter]) -> None:
        """Send dead letters for rows that cannot be rendered. They are done when these letters are durable."""
        await self._writer.dead_letters.send(letters)
        for letter in letters:
            self._open.close(letter.record.offset)
        letters.clear()

    def _line_up(self, put: Put) -> None:
        """Queue a row after the other rows of its line."""
        self._rendered_bytes += put.size_bytes
        line = (put.bucket, put.key) if self._writer.conflates else put.origin.key
        rows = self._lines.get(line)
        if rows is None:
            self._lines[line] = deque([put])
            self._waiting.append(line)
        else:
            rows.append(put)

    def _start(self) -> None:
        """Start a task for each waiting line, within the window."""
        while self._waiting and len(self._tasks) < self._writer.inflight_window:
            task = self._group.create_task(self._write(self._waiting.popleft()))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _write(self, line: Line) -> None:
        """Write the rows of one line in order, then those of the next waiting line."""
        while True:
            rows = self._lines[line]
            while rows:
                put = newest(rows) if self._writer.conflates else rows[0]
                if await self._is_in_s3(put) and self._writer.conflates:
                    self._conflate(rows, put)
                rows.remove(put)
                self._done(put)
            del self._lines[line]
            if not self._waiting:
                return
            line = self._waiting.popleft()

    async def _is_in_s3(self, put: Put) -> bool:
        """Write a row, or its dead letter if S3 will never accept it."""
        try:
            await self._writer.put(put)
        except RefusedError as error:
            letter = DeadLetter(put.origin, error.reason, str(error), put.rule, put.row)
            await self._writer.dead_letters.send([letter])
            return False
        return True

    def _conflate(self, rows: deque[Put], written: Put) -> None:
        """Drop the rows that need no object, because this newer one of their key is in S3."""
        for _ in range(len(rows)):
            put = rows.popleft()
            if put is not written and put.place.is_settled_by(written.place):
                self._done(put)
                self._writer.conflated.inc()
            else:
                rows.append(put)

    def _done(self, put: Put) -> None:
        """Note that a row is in S3, or is a dead letter."""
        self._rendered_bytes -= put.size_bytes
        self._written.set()
        self._open.close(put.origin.offset)
        self._advance()
        self._on_room()

    def look_again(self) -> None:
        """Check again, because there may be room for rows or for their content now."""
        super().look_again()
        self._written.set()

    def _advance(self) -> None:
        """Report the durable offset of the partition, and free the memory of durable rows."""
        self.durable = self._open.durable
        while self._batches and self.durable is not None and self._batches[0].next_offset <= self.durable:
            self._release(self._batches.popleft().size_bytes)
