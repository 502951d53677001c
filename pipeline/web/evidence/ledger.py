"""The ledger of an action in its bucket, as the API shows it: the entries of one partition, the newest first.

Keys of entries sort by their first offset, and a store lists keys from the first on: so all keys of the partition are listed,
and only the entries of the page are read. `LIST_SECONDS` bounds that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Final

from pipeline.config import AggregatedParameters, Config
from pipeline.connectors.s3.store import S3Store
from pipeline.errors import NotFoundError
from pipeline.upload import ledger
from pipeline.upload.ledger import ChainPlace, Entry
from pipeline.web.answers import RequestError
from pipeline.web.evidence.shapes.objects import LedgerEntry, LedgerPage, PlacedEntry
from pipeline.web.objects.kinds import KINDS

LIST_SECONDS: Final = 15.0
CHAINS_MAX: Final = 100  # topics, and topics that were made again under their names


async def page(
    config: Config, id: str, partition: int, topic: str | None, before: int | None, count: int
) -> LedgerPage:
    """At most `count` entries that begin before an offset. Raises NotFoundError, RequestError or a ConnectorError."""
    named = KINDS["actions"].found(config, id)
    action: Any = named.section
    if not isinstance(action.parameters, AggregatedParameters):
        raise RequestError("BAD_REQUEST", f"{id} is a direct action; only aggregated actions have a ledger")
    bucket = action.parameters.home
    try:
        async with asyncio.timeout(LIST_SECONDS), S3Store(config.connectors.s3[action.connector]) as store:
            place = await _chain(store, bucket, named.name, partition, topic)
            newest, more = await _newest(store, bucket, place, before, count)
            entries = await asyncio.gather(*(_entry(store, bucket, each) for each in reversed(newest)))
    except TimeoutError:
        raise RequestError(
            "SERVICE_UNAVAILABLE", f"the ledger cannot be listed within {LIST_SECONDS:g} s; use `tidegate verify`"
        ) from None
    return {
        "topic": place.topic,
        "topic_id": place.topic_id,
        "partition": partition,
        "data": entries,
        "before": ledger.first_of(newest[0]) if more and newest else None,
    }


async def _chain(store: S3Store, bucket: str, action: str, partition: int, topic: str | None) -> ChainPlace:
    """The chain of a partition. Raises NotFoundError, or RequestError if several topics have one."""
    topics = await _folders(store, bucket, ledger.action_prefix(action))
    found = [
        ChainPlace(action, name, ledger.topic_id_of(id), partition)
        for name in topics
        if f"{ledger.action_prefix(action)}{name}/" != ledger.version_prefix(action) and topic in (None, name)
        for id in await _folders(store, bucket, ledger.topic_prefix(action, name))
        if str(partition) in await _folders(store, bucket, f"{ledger.topic_prefix(action, name)}{id}/")
    ]
    if not found:
        raise NotFoundError(f"no ledger of partition {partition} of s3:{action} in {bucket}")
    if len({each.topic for each in found}) > 1:
        names = ", ".join(sorted({each.topic for each in found}))
        raise RequestError("BAD_REQUEST", f"partitions of several topics have a ledger; say which `topic`: {names}")
    return found[-1]


async def _folders(store: S3Store, bucket: str, prefix: str) -> list[str]:
    """The names of the folders in a folder."""
    found = await store.folder(bucket, prefix, count=CHAINS_MAX)
    return [each.removeprefix(prefix).rstrip("/") for each in found.folders]


async def _newest(
    store: S3Store, bucket: str, place: ChainPlace, before: int | None, count: int
) -> tuple[list[str], bool]:
    """The last keys of entries that begin before an offset, in order, and whether there are earlier ones."""
    kept: deque[str] = deque(maxlen=count + 1)
    after, more = "", True
    while more:
        keys, more = await store.page(bucket, ledger.chain_prefix(place), after=after)
        for key in keys:
            if ledger.is_entry_key(place, key):
                if before is not None and ledger.first_of(key) >= before:
                    more = False
                    break
                kept.append(key)
        after = keys[-1] if keys else after
    found = list(kept)
    return found[-count:], len(found) > count


async def _entry(store: S3Store, bucket: str, key: str) -> PlacedEntry:
    """One entry, or what is wrong with it."""
    content = await store.get(bucket, key)
    try:
        return {"key": key, "entry": shown(ledger.decode_entry(content or b"")), "problem": ""}
    except ValueError as error:
        return {"key": key, "entry": None, "problem": str(error)}


def shown(entry: Entry) -> LedgerEntry:
    """An entry as the API shows it."""
    return {
        "first": entry.first,
        "next": entry.next,
        "epoch": entry.epoch,
        "revision": entry.revision,
        "version": entry.version,
        "records": entry.records,
        "filtered": entry.filtered,
        "dead_lettered": entry.dead_lettered,
        "absent": entry.absent,
        "gone": sum(each.next - each.first for each in entry.missing),
        "rows": entry.rows,
        "objects": len(entry.objects),
        "replayed": bool(entry.original),
    }
