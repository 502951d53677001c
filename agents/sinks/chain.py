"""The ledger of one partition, in the bucket: read at the start, and one entry longer after each cut.

What entries mean and how they are named is pipeline/upload/ledger.py's; here they are read and created, with as many attempts
as it takes. Creating is the fence: of two writers that have the same place in the chain, one finds its entry taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Final, NamedTuple, TypeVar

from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.lane import Partition
from pipeline.action import AggregatedAction
from pipeline.errors import ConflictError, FenceLostError, LaneError
from pipeline.upload import ledger
from pipeline.upload.ledger import ChainEnd, ChainPlace, Entry, Start

PAGE_KEYS: Final = 1000  # of one answer to a LIST

Decoded = TypeVar("Decoded")


class Page(NamedTuple):
    """Keys of entries, in order of offset, and whether there are more after them."""

    keys: list[str]
    more: bool

    @property
    def last(self) -> int:
        """The first offset of its last entry."""
        return ledger.first_of(self.keys[-1])


class Chain:
    """The ledger of one partition in the bucket."""

    def __init__(self, writer: AggregatedWriter, partition: Partition) -> None:
        self._writer = writer
        self._store, self._bucket = writer.store, writer.bucket
        self.place = ChainPlace(writer.name, partition.topic, "", partition.partition)

    # --- Reading

    async def end(self) -> ChainEnd | None:
        """Where the chain ends; None if there is none."""
        newest = await self._newest()
        if newest is None:
            start = await self.start()
            return ledger.end_at(start) if start is not None else None
        content = await self._store.get(self._bucket, newest)
        return ledger.end_after(self._read(ledger.decode_entry, newest, content))

    async def start(self) -> Start | None:
        """Where the chain begins; None if there is none."""
        key = ledger.start_key(self.place)
        content = await self._store.get(self._bucket, key)
        return self._read(ledger.decode_start, key, content) if content is not None else None

    async def entries(self) -> AsyncIterator[Entry]:
        """All entries, in order."""
        start = ledger.start_key(self.place)
        async for key in self._store.keys(self._bucket, ledger.chain_prefix(self.place)):
            if key != start:
                yield self._read(ledger.decode_entry, key, await self._store.get(self._bucket, key))

    async def over(self, offset: int) -> Entry | None:
        """The entry over an offset; None if none is. Looks back in steps that grow."""
        step = 1
        while True:
            key = await self._last_up_to(offset, beyond=offset - step)
            if key is not None:
                entry = self._read(ledger.decode_entry, key, await self._store.get(self._bucket, key))
                return entry if entry.first <= offset < entry.next else None
            if step > offset:
                return None
            step *= 8

    async def _last_up_to(self, offset: int, *, beyond: int) -> str | None:
        """The key of the last entry that begins at `offset` or before, of those that begin beyond another."""
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
        """What a ledger object says. Raises LaneError that names it if it cannot be read."""
        try:
            return decode(content or b"")
        except ValueError as error:
            raise LaneError(
                f"{self._bucket}/{key}: expected a part of the ledger, found what is not: {error}"
            ) from None

    async def version(self, digest: str) -> AggregatedAction:
        """The action as the chain goes on with it: as it is, or as it was."""
        action = self._writer.action
        if digest == action.digest:
            return action
        key = ledger.version_key(self._writer.name, digest)
        text = await self._store.get(self._bucket, key)
        if text is None:
            raise LaneError(f"{self._bucket}/{key} is missing: the ledger needs it to finish a cut")
        return action.as_of(text)

    async def _newest(self) -> str | None:
        """The key of the last entry, by a galloping search: to list years of entries takes hundreds of requests.

        1. Gallop: the distance to the next page doubles, until no entry begins beyond.
        2. Halve what is left between the last page and there.
        3. Turn the last pages one by one.
        """
        page = await self._page("")
        if page.more:
            page, beyond = await self._gallop(page)
            page = await self._halve(page, beyond)
        while page.more:
            following = await self._page(page.keys[-1])
            page = following if following.keys else page._replace(more=False)
        return page.keys[-1] if page.keys else None

    async def _gallop(self, page: Page) -> tuple[Page, int]:
        """The last page that was met, and an offset beyond which no entry begins."""
        step = page.last - ledger.first_of(page.keys[0]) + 1
        while page.more:
            beyond = page.last + step
            further = await self._page_beyond(beyond)
            if not further.keys:
                return page, beyond
            page, step = further, 2 * step
        return page, page.last

    async def _halve(self, page: Page, beyond: int) -> Page:
        """A page that is at most `PAGE_KEYS` offsets before the end."""
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
        keys, more = await self._store.page(self._bucket, ledger.chain_prefix(self.place), after=after)
        start = ledger.start_key(self.place)  # sorts after all entries
        return Page([key for key in keys if key != start], more)

    # --- Writing

    async def begin(self, first: int) -> ChainEnd:
        """Begin a chain at `first`, or find that another has begun it elsewhere."""
        action = self._writer.action
        await self.keep_version(action)
        start = Start(first, action.digest)
        if await self._create(ledger.start_key(self.place), start.encode()):
            return ledger.end_at(start)
        end = await self.end()
        assert end is not None
        return end

    async def turn(self, end: ChainEnd, version: AggregatedAction, *, clean: bool) -> ChainEnd:
        """End the epoch at `end` without a cut; the next one is `version`'s. Raises FenceLostError."""
        await self.keep_version(version)
        entry = ledger.without_offsets(end, next_version=version.digest, clean=clean)
        await self.append(entry)
        if clean:
            await self._mark_end(entry)
        return ledger.end_after(entry)

    async def _mark_end(self, entry: Entry) -> None:
        """Have the beginning name an orderly end. Another writer may do so at the same time: each end is one for ever."""
        key = ledger.start_key(self.place)
        head = await self._store.head(self._bucket, key)
        start = await self.start() if head is not None else None
        if head is not None and start is not None:
            marked = replace(start, ended=entry.digest)
            await self._store.replace(self._bucket, key, marked.encode(), self._headers, head.etag)

    async def append(self, entry: Entry) -> None:
        """Write the entry of a cut. Raises FenceLostError if another writer did."""
        key, content = ledger.entry_key(self.place, entry.first, entry.epoch), entry.encode()
        if not await self._create(key, content) and await self._store.get(self._bucket, key) != content:
            raise FenceLostError(f"{self._bucket}/{key} was written by another worker: this partition is theirs")

    async def rewrite(self, old: Entry, new: Entry) -> None:
        """Put `new` in the place of `old`. Raises ConflictError if another entry is there."""
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
        """Put a version's text beside the ledger, once."""
        await self._create(ledger.version_key(self._writer.name, version.digest), version.text)

    async def _create(self, key: str, content: bytes) -> bool:
        return await self._store.create(self._bucket, key, content, self._headers) is not None

    @property
    def _headers(self) -> dict[str, str]:
        return {**self._writer.action.ledger_headers, "content-type": "application/json"}
