"""The ledger of one partition in the bucket: read at the start, and one entry longer after each cut.

pipeline/upload/ledger.py defines the meaning and the names of entries. This file reads and creates them, with as many attempts as
needed. Creating an entry is the fence: if two writers are at the same place in the chain, one finds that its entry exists.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from agents.lanes.kafka_log import say_replaced
from agents.lanes.lane import Lane, Partition
from agents.sinks.aggregated_writer import AggregatedWriter
from pipeline.action import AggregatedAction, node_of
from pipeline.errors import ConflictError, FenceLostError, LaneError, LedgerError
from pipeline.log import get_logger
from pipeline.upload import ledger
from pipeline.upload.ledger import ChainEnd, ChainPlace, Entry, Start
from pipeline.upload.ledger_check import succession

log: Final = get_logger("tidegate.aggregated")

PAGE_KEYS: Final = 1000  # keys in one answer to a LIST
OBJECTS_CHECKED_MAX: Final = 3  # objects that are checked of another writer's entry
AGAIN_SECONDS: Final = 60  # time until a ledger that could not be trusted is checked again

Decoded = TypeVar("Decoded")


class Page(NamedTuple):
    """Keys of entries in order of offset, and whether more follow."""

    keys: list[str]
    more: bool

    @property
    def last(self) -> int:
        """The first offset of the last entry on the page."""
        return ledger.first_of(self.keys[-1])


class Chain:
    """The ledger of one partition in the bucket."""

    def __init__(self, writer: AggregatedWriter, partition: Partition, topic_id: str = "") -> None:
        self._writer = writer
        self._store, self._bucket = writer.store, writer.bucket
        self.place = ChainPlace(writer.name, partition.topic, topic_id, partition.partition)

    # --- Reading

    async def end(self) -> ChainEnd | None:
        """The end of the chain, or None without a chain."""
        keys = await self._newest()
        if not keys:
            start = await self.start()
            return ledger.end_at(start) if start is not None else None
        before, newest = [await self._entry(key) for key in keys[:-1]], await self._entry(keys[-1])
        for each in before:
            self._check_follows(keys[-1], newest, ledger.end_after(each))
        return ledger.end_after(newest)

    async def _entry(self, key: str) -> Entry:
        return self._read(ledger.decode_entry, key, await self._store.get(self._bucket, key))

    def _check_follows(self, key: str, entry: Entry, end: ChainEnd) -> None:
        """Check that an entry follows `end`. Raises LedgerError if somebody else wrote it, or changed the previous entry."""
        wrong = next((text for _, text in succession(end, entry)), None)
        if wrong is not None:
            raise LedgerError(f"{self._bucket}/{key} does not follow from the entry before it: it {wrong}")

    async def start(self) -> Start | None:
        """The start of the chain, or None without a chain."""
        key = ledger.start_key(self.place)
        content = await self._store.get(self._bucket, key)
        return self._read(ledger.decode_start, key, content) if content is not None else None

    async def entries(self) -> AsyncIterator[Entry]:
        """All entries, in order."""
        async for key in self._store.keys(self._bucket, ledger.chain_prefix(self.place)):
            if ledger.is_entry_key(self.place, key):
                yield await self._entry(key)

    async def over(self, offset: int) -> Entry | None:
        """The entry that covers an offset, or None. Searches backwards with growing steps."""
        step = 1
        while True:
            key = await self._last_up_to(offset, beyond=offset - step)
            if key is not None:
                entry = await self._entry(key)
                return entry if entry.first <= offset < entry.next else None
            if step > offset:
                return None
            step *= 8

    async def _last_up_to(self, offset: int, *, beyond: int) -> str | None:
        """The key of the last entry that begins beyond the one offset, and at the other or before."""
        found = None
        page = await self._page_beyond(beyond) if beyond >= 0 else await self._page("")
        while page.keys:
            up_to = [key for key in page.keys if ledger.first_of(key) <= offset]
            found = up_to[-1] if up_to else found
            if len(up_to) < len(page.keys) or not page.more:
                return found
            page = await self._page(page.keys[-1])
        return found

    def _read(self, decode: Callable[[bytes], Decoded], key: str, content: bytes | None) -> Decoded:
        """Decode an object of the ledger. If it cannot be read, raises LedgerError, which names it."""
        try:
            return decode(content or b"")
        except ValueError as error:
            raise LedgerError(
                f"{self._bucket}/{key}: expected a part of the ledger, found something else: {error}"
            ) from None

    async def version(self, digest: str) -> AggregatedAction:
        """The version of the action with which the chain continues."""
        action = self._writer.action
        if digest == action.digest:
            return action
        key = ledger.version_key(self._writer.name, digest)
        text = await self._store.get(self._bucket, key)
        if text is None:
            raise LedgerError(f"{self._bucket}/{key} is missing: the ledger needs it to finish a cut")
        try:
            return action.as_of(text)
        except LaneError as error:
            raise LedgerError(f"{self._bucket}/{key}: {error}") from None

    async def pipeline(self, digest: str) -> str:
        """The pipeline whose version this is. Empty if it is ours, or if the version's text does not say."""
        if digest == self._writer.action.digest:
            return ""
        text = await self._store.get(self._bucket, ledger.version_key(self._writer.name, digest))
        node = node_of(text or b"")
        return "" if node == self._writer.action.rules.node else node

    async def _newest(self) -> list[str]:
        """The keys of the last two entries, of which the earlier one may be missing. Empty without entries.

        An exponential search, because listing years of entries takes hundreds of requests.

        1. Double the distance to the next page until no entry begins beyond it.
        2. Halve the range between the last page and that offset.
        3. Read the last pages one by one.
        """
        page = await self._page("")
        if page.more:
            page, beyond = await self._gallop(page)
            page = await self._halve(page, beyond)
        while page.more:
            following = await self._page(page.keys[-1])
            page = Page([page.keys[-1], *following.keys], following.more and bool(following.keys))
        return page.keys[-2:]

    async def _gallop(self, page: Page) -> tuple[Page, int]:
        """The last page found, and an offset beyond which no entry begins."""
        step = page.last - ledger.first_of(page.keys[0]) + 1
        while page.more:
            beyond = page.last + step
            further = await self._page_beyond(beyond)
            if not further.keys:
                return page, beyond
            page, step = further, 2 * step
        return page, page.last

    async def _halve(self, page: Page, beyond: int) -> Page:
        """A page at most `PAGE_KEYS` offsets before the end."""
        while page.more and beyond > page.last + PAGE_KEYS:
            middle = (page.last + beyond) // 2
            further = await self._page_beyond(middle)
            if further.keys:
                page = further
            else:
                beyond = middle
        return page

    async def _page_beyond(self, offset: int) -> Page:
        """The first page of entries that begin beyond an offset."""
        return await self._page(ledger.after(ledger.chain_prefix(self.place), offset))

    async def _page(self, after: str) -> Page:
        """Entries from there on. The page is empty only if there are none. Other objects, such as the start, are skipped."""
        keys, more = [after], True
        while more and keys:
            keys, more = await self._store.page(self._bucket, ledger.chain_prefix(self.place), after=keys[-1])
            entries = [key for key in keys if ledger.is_entry_key(self.place, key)]
            if entries:
                return Page(entries, more)
        return Page([], False)

    # --- Writing

    async def begin(self, first: int) -> ChainEnd:
        """Begin a chain at `first`, or return the end of a chain that another worker has begun.

        If another topic had this name before, keys of objects get epochs above that topic's. Raises LaneError if that
        cannot be known.
        """
        action = self._writer.action
        key_epoch = await self._key_epoch_after_others()
        await self.keep_version(action)
        start = Start(first, action.digest, key_epoch=key_epoch, topic_id=self.place.topic_id, revision=action.revision)
        if await self._create(ledger.start_key(self.place), start.encode()):
            return ledger.end_at(start)
        end = await self.end()
        assert end is not None
        return end

    async def _key_epoch_after_others(self) -> int:
        """The first epoch in keys that no chain of a topic of this name, and this partition, has used."""
        key_epoch, place = 0, self.place
        async for topic_id in self._topic_ids():
            end = await Chain(self._writer, Partition(place.topic, place.partition), topic_id).end()
            if end is None or topic_id == place.topic_id:
                continue
            if not topic_id or not place.topic_id:
                raise LaneError(
                    f"{self._bucket}/{ledger.topic_prefix(place.action, place.topic)}: there is a ledger of topic id "
                    f"{topic_id or 'unknown'}, and Kafka says {place.topic_id or 'none'}: nothing tells whether this is the same "
                    "topic. Give the action another name if it is not; if it is, let the broker tell ids as it did before"
                )
            key_epoch = max(key_epoch, end.key_epoch + 1)
            say_replaced(self._writer.action.name, Partition(place.topic, place.partition), topic_id, place.topic_id)
        return key_epoch

    async def _topic_ids(self) -> AsyncIterator[str]:
        """The ids of all topics with this name and a ledger. Makes one request for each, and one more."""
        prefix = ledger.topic_prefix(self.place.action, self.place.topic)
        after = ""
        while True:
            keys, _ = await self._store.page(self._bucket, prefix, after=after)
            if not keys:
                return
            text = keys[0].removeprefix(prefix).partition("/")[0]
            yield ledger.topic_id_of(text)
            after = f"{prefix}{text}/~"  # this key sorts after all partitions

    async def turn(self, end: ChainEnd, version: AggregatedAction, *, clean: bool) -> ChainEnd:
        """End the epoch at `end` without a cut. The next epoch belongs to `version`. Raises FenceLostError."""
        revision = self._writer.action.revision  # now, because a later configuration may come meanwhile
        await self.keep_version(version)
        entry = ledger.without_offsets(end, next_version=version.digest, clean=clean, revision=revision)
        await self.append(entry)
        if clean:
            await self._mark_end(entry)
        return ledger.end_after(entry)

    async def _mark_end(self, entry: Entry) -> None:
        """Name an orderly end in the start. Another writer may do so at the same time, because an end stays an end for ever."""
        key = ledger.start_key(self.place)
        head = await self._store.head(self._bucket, key)
        start = await self.start() if head is not None else None
        if head is not None and start is not None:
            marked = replace(start, ended=entry.digest)
            await self._store.replace(self._bucket, key, marked.encode(), self._headers, head.etag)

    async def append(self, entry: Entry) -> None:
        """Write the entry of a cut. Raises FenceLostError if another worker has written it, and LedgerError if no worker has."""
        key, content = ledger.entry_key(self.place, entry.first, entry.epoch), entry.encode()
        if await self._create(key, content) or (found := await self._store.get(self._bucket, key)) == content:
            return
        theirs = self._read(ledger.decode_entry, key, found)
        self._check_follows(key, theirs, ledger.end_before(entry))
        await self._check_objects(key, theirs)
        raise FenceLostError(f"{self._bucket}/{key} was written by another worker, which owns this partition now")

    async def _check_objects(self, key: str, entry: Entry) -> None:
        """Check that an entry's first objects exist. Raises LedgerError if its writer did not write them first."""
        for each in entry.objects[:OBJECTS_CHECKED_MAX]:
            head = await self._store.head(each.bucket or self._bucket, each.key, any_key=True)
            if head is not None and head.size_bytes == each.size:
                return
        if entry.objects:
            raise LedgerError(
                f"{self._bucket}/{key} names objects, and none of the first {OBJECTS_CHECKED_MAX} is there"
            )

    async def rewrite(self, old: Entry, new: Entry) -> None:
        """Replace `old` by `new`. Raises ConflictError if another entry is there."""
        key, content = ledger.entry_key(self.place, old.first, old.epoch), new.encode()
        changed = ConflictError(f"{self._bucket}/{key} changed while its objects were made: does another replay run?")
        head = await self._store.head(self._bucket, key)
        found = await self._store.get(self._bucket, key)
        if head is None or found is None or self._read(ledger.decode_entry, key, found) != old:
            raise changed
        replaced = await self._store.replace(self._bucket, key, content, self._headers, head.etag)
        if replaced is None and await self._store.get(self._bucket, key) != content:
            raise changed

    async def keep_version(self, version: AggregatedAction) -> None:
        """Store a version's text beside the ledger, once."""
        await self._create(ledger.version_key(self._writer.name, version.digest), version.text)

    async def _create(self, key: str, content: bytes) -> bool:
        return await self._store.create(self._bucket, key, content, self._headers) is not None

    @property
    def _headers(self) -> dict[str, str]:
        return {**self._writer.action.ledger_headers, "content-type": "application/json"}


async def when_it_can_be_trusted(lane: Lane, action: str, go_on: Callable[[], Awaitable[object]]) -> bool:
    """Let a lane resume, or write an entry. While its ledger cannot be trusted, only this lane stands still.

    False: it must drain.
    """
    while True:
        try:
            await go_on()
        except LedgerError as error:
            lane.stopped = str(error)
        else:
            lane.stopped = ""
            return True
        topic, number = lane.partition
        log.error(
            "partition.stopped",
            action=action,
            topic=topic,
            partition=number,
            error=lane.stopped,
            again_in_seconds=AGAIN_SECONDS,
        )
        for _ in range(AGAIN_SECONDS):
            if lane.draining:
                return False
            await asyncio.sleep(1)


async def end_for_us(chain: Chain, lane: Lane, writer: AggregatedWriter) -> ChainEnd | None:
    """The end of a chain from which the lane goes on, of our revision. A line tells if another pipeline wrote it."""
    end = await _end_of_our_revision(chain, lane, writer)
    other = await chain.pipeline(end.version) if end is not None else ""
    if other and other not in writer.pipelines_told:
        writer.pipelines_told.add(other)
        log.warning(
            "ledger.of_another_pipeline",
            action=writer.name,
            bucket=writer.bucket,
            pipeline=writer.action.rules.node,
            ledger=other,
            help="nothing to do if the pipeline was renamed; if both run, each takes records from the other one: "
            "give one of them another action name or another bucket",
        )
    return end


async def _end_of_our_revision(chain: Chain, lane: Lane, writer: AggregatedWriter) -> ChainEnd | None:
    """Wait until the end of a chain is not of a later configuration than the action, or the lane must end. Returns the
    end.

    A change of the configuration reaches one worker after the other, and partitions may move to a worker without it.
    This worker would turn the chain back to the older rule. So it waits until it has the later rule, or the partition
    moves on.
    """
    said = False
    while (end := await chain.end()) is not None and end.revision > writer.action.revision and not lane.draining:
        if not said:
            log.warning(
                "revision.waiting",
                action=writer.name,
                topic=lane.partition.topic,
                partition=lane.partition.partition,
                revision=writer.action.revision,
                ledger=end.revision,
                help="another worker has a later configuration; this one goes on here when it has it too",
            )
            said = True
        while end.revision > writer.action.revision and not lane.draining:
            await lane.told()
    return end
