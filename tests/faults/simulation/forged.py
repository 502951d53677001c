"""An entry that no worker wrote, in the place of the next one of a ledger."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pipeline.errors import FenceLostError
from pipeline.upload import ledger
from pipeline.upload.ledger import StoredObject
from tests.faults.simulation.bucket import Stored

if TYPE_CHECKING:
    from tests.faults.simulation.world import Worker, World

LOOKS: Final = 5
LOOK_SECONDS: Final = 4.0


async def forge(world: World) -> None:
    """It is there for a while, until a person removes it. Whoever believes it starts afresh, and goes on behind it."""
    objects, chain = world.bucket.objects, f"/{world.topic_id}/"
    entries = sorted(key for key in objects if chain in key and is_entry(key))
    if not entries:
        return
    world.forged, body = next_entry(entries[-1], objects[entries[-1]].body)
    objects[world.forged] = Stored(body, {}, "forged")
    for _ in range(LOOKS):
        await asyncio.sleep(LOOK_SECONDS)
        if any(_believed(each, world.forged) for each in world.workers):
            world.bury()
            await world.start()
    assert objects.pop(world.forged).body == body, "somebody wrote over an entry"
    world.forged = ""


def is_entry(key: str) -> bool:
    """Whether a key is that of a ledger's entry."""
    return ledger.place_of(key) is not None and not key.endswith(ledger.START)


def _believed(worker: Worker, key: str) -> bool:
    """Whether a worker lost its partition to the entry."""
    error = worker.task.exception() if worker.task.done() and not worker.task.cancelled() else None
    return isinstance(error, FenceLostError) and key in str(error)


def next_entry(last_key: str, last: bytes) -> tuple[str, bytes]:
    """Key and content of an entry that follows the last one, and names an object that nobody has written."""
    place, end = ledger.place_of(last_key), ledger.end_after(ledger.decode_entry(last))
    assert place is not None
    made_up = StoredObject("nobody's", 5, end.first, end.first + 4, "0" * 64, "0" * 64, 100, "none")
    entry = replace(
        ledger.without_offsets(end, next_version=end.version, clean=False, revision=end.revision),
        next=end.first + 5,
        next_epoch=end.epoch,
        records=5,
        rows=5,
        objects=(made_up,),
    )
    return ledger.entry_key(place, entry.first, entry.epoch), entry.encode()
