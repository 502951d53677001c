"""The ledger of one partition, in the bucket: read at the start, and one entry longer after each cut.

What entries mean and how they are named is pipeline/upload/ledger.py's; here they are read and created, with as many attempts
as it takes. Creating is the fence: of two writers that have the same place in the chain, one finds its entry taken.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import LetterBox
from agents.sinks.lane import Partition
from pipeline.action import AggregatedAction
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import ConflictError, FenceLostError, LaneError
from pipeline.upload import ledger
from pipeline.upload.ledger import Entry, Place, Start

PAGE_KEYS: Final = 1000  # of one answer to a LIST


@dataclass(frozen=True, slots=True)
class AggregatedWriter:
    """What all lanes of one aggregated action share. `name` is the action's in its ledger: a replay has a ledger of its own."""

    name: str
    action: AggregatedAction
    store: S3Store
    dead_letters: LetterBox
    attempts: Attempts
    end_offset: Callable[[Partition], Awaitable[int]]

    @property
    def bucket(self) -> str:
        """The bucket of the ledger, and of objects that name no other."""
        return self.action.parameters.home


class Chain:
    """The ledger of one partition in the bucket."""

    def __init__(self, writer: AggregatedWriter, partition: Partition) -> None:
        self._writer = writer
        self._place = (writer.name, partition.topic, partition.partition)

    async def end(self) -> Place | None:
        """Where the chain ends; None if there is none."""
        return await self._writer.attempts.until_done(self._end)

    async def _end(self) -> Place | None:
        writer, start = self._writer, ledger.start_key(*self._place)
        newest = await self._newest()
        if newest is not None:
            content = await writer.store.get(writer.bucket, newest)
            return ledger.place_after(ledger.decode_entry(content or b""))
        content = await writer.store.get(writer.bucket, start)
        return ledger.place_at(ledger.decode_start(content)) if content is not None else None

    async def _newest(self) -> str | None:
        """The key of the last entry, which a long ledger is searched for: listing years of entries is hundreds of requests.

        Keys sort by offset. From page to page the distance doubles while there are more, then the gap is halved.
        """
        writer, prefix = self._writer, ledger.partition_prefix(*self._place)
        page, more = await writer.store.page(writer.bucket, prefix)
        step, beyond = 0, -1  # no entry begins after `beyond`, once it is known
        while more:
            last = ledger.first_of(page[-1])
            step = 2 * step or last - ledger.first_of(page[0]) + 1
            ahead = last + step if beyond < 0 else (last + beyond) // 2
            near = 0 <= beyond <= last + PAGE_KEYS  # not worth halving
            after = page[-1] if near else ledger.after(prefix, ahead)
            found, still = await writer.store.page(writer.bucket, prefix, after=after)
            if found and found[0] != prefix + ledger.START:
                page, more = found, still
            elif near:
                more = False
            else:
                beyond = ahead
        entries = [key for key in page if key != prefix + ledger.START]
        return entries[-1] if entries else None

    async def start(self) -> Start | None:
        """Where the chain begins; None if there is none."""
        writer, key = self._writer, ledger.start_key(*self._place)
        content = await writer.attempts.until_done(lambda: writer.store.get(writer.bucket, key))
        return ledger.decode_start(content) if content is not None else None

    async def begin(self, first: int) -> Place:
        """Begin a chain at `first`, or find that another has begun it elsewhere."""
        writer = self._writer
        await self.keep_version(writer.action)
        start = Start(first, writer.action.digest)
        if not await self._create(ledger.start_key(*self._place), start.encode()):
            place = await self.end()
            assert place is not None
            return place
        return ledger.place_at(start)

    async def turn(self, place: Place, version: AggregatedAction, *, clean: bool) -> Place:
        """End the epoch at `place` without a cut; the next one is `version`'s. Raises FenceLostError."""
        await self.keep_version(version)
        entry = ledger.without_offsets(place, next_version=version.digest, clean=clean)
        await self.append(entry)
        return ledger.place_after(entry)

    async def append(self, entry: Entry) -> None:
        """Write the entry of a cut. Raises FenceLostError if another writer did."""
        key = ledger.entry_key(*self._place, entry.first, entry.epoch)
        content = entry.encode()
        if await self._create(key, content):
            return
        writer = self._writer
        found = await writer.attempts.until_done(lambda: writer.store.get(writer.bucket, key))
        if found != content:
            raise FenceLostError(f"{writer.bucket}/{key} was written by another worker: this partition is theirs")

    async def entries(self) -> AsyncIterator[Entry]:
        """All entries, in order."""
        writer, start = self._writer, ledger.start_key(*self._place)
        async for key in writer.store.keys(writer.bucket, ledger.partition_prefix(*self._place)):
            if key != start:
                content = await writer.attempts.until_done(lambda key=key: writer.store.get(writer.bucket, key))  # type: ignore[misc]
                yield ledger.decode_entry(content or b"")

    async def rewrite(self, old: Entry, new: Entry) -> None:
        """Put `new` in the place of `old`. Raises ConflictError if another entry is there."""
        writer, key = self._writer, ledger.entry_key(*self._place, old.first, old.epoch)
        head = await writer.attempts.until_done(lambda: writer.store.head(writer.bucket, key))
        found = await writer.attempts.until_done(lambda: writer.store.get(writer.bucket, key))
        headers = {**writer.action.ledger_headers, "content-type": "application/json"}
        if head is None or found is None or ledger.decode_entry(found) != old:
            raise ConflictError(f"{writer.bucket}/{key} changed while its objects were made: does another replay run?")
        content = new.encode()
        replaced = await writer.attempts.until_done(
            lambda: writer.store.replace(writer.bucket, key, content, headers, head.etag)
        )
        if (
            replaced is None
            and await writer.attempts.until_done(lambda: writer.store.get(writer.bucket, key)) != content
        ):
            raise ConflictError(f"{writer.bucket}/{key} changed while its objects were made: does another replay run?")

    async def version(self, digest: str) -> AggregatedAction:
        """The action as the chain goes on with it: as it is, or as it was."""
        writer = self._writer
        if digest == writer.action.digest:
            return writer.action
        key = ledger.version_key(writer.name, digest)
        text = await writer.attempts.until_done(lambda: writer.store.get(writer.bucket, key))
        if text is None:
            raise LaneError(f"{writer.bucket}/{key} is missing: the ledger needs it to finish a cut")
        return writer.action.as_of(text)

    async def keep_version(self, version: AggregatedAction) -> None:
        """Put a version's text beside the ledger, once."""
        await self._create(ledger.version_key(self._writer.name, version.digest), version.text)

    async def _create(self, key: str, content: bytes) -> bool:
        writer = self._writer
        headers = {**writer.action.ledger_headers, "content-type": "application/json"}
        created = await writer.attempts.until_done(lambda: writer.store.create(writer.bucket, key, content, headers))
        return created is not None
