"""Memory stays under `max_buffer_bytes` plus a constant, however many groups the rows fall into.

TIDEGATE_MEMORY_GROUPS=1000000 makes it a million (some minutes); what is counted per group does not change with their number.
"""

from __future__ import annotations

import asyncio
import os
import tracemalloc
from collections.abc import Mapping

import pytest

from agents.lanes.lane import Fetched, Partition
from agents.lanes.lanes import Lanes
from agents.sinks.aggregated import AggregatedLane
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.patient_store import PatientStore
from pipeline.upload.buffer import Buffer, RollLimits
from tests.faults.simulation.world import Letters, kafka_record
from tests.parts.actions import aggregated
from tests.parts.bench import PlayedLog
from tests.parts.lines import lines_of
from tests.parts.memory import traced

GROUPS = int(os.environ.get("TIDEGATE_MEMORY_GROUPS", "12000"))
BOUND_BYTES = 8 << 20
BATCH = 1000
# A fetched batch with its rows and the groups that it opens, the objects under way, the entry's text.
CONSTANT_BYTES = 12 << 20


@pytest.mark.parametrize(("row_bytes", "rows"), [(10, 1), (300, 1), (30, 20), (2000, 3)])
def test_what_is_counted_is_no_less_than_what_is_used(row_bytes: int, rows: int) -> None:
    """The counted bytes cover the memory in use, for groups with few rows."""
    with traced():
        before = tracemalloc.get_traced_memory()[0]
        buffer = Buffer(RollLimits(1000, 1 << 20))
        for number in range(5000):
            name = (f"devices/{number:08d}/", "/rows.jsonl")
            buffer.extend(name, lines_of((b"x" * (row_bytes - 1) + b"\n", at) for at in range(number, number + rows)))
        used = tracemalloc.get_traced_memory()[0] - before

    assert used <= buffer.size_bytes


class Sink:
    """A store that remembers the ledger's keys and nothing of the objects."""

    def __init__(self) -> None:
        self.objects = 0
        self.entries = 0

    async def create(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], **_: object) -> str | None:
        await asyncio.sleep(0)
        if key.startswith("_tidegate/"):
            self.entries += 1
        else:
            self.objects += 1
        return "etag"

    async def get(self, bucket: str, key: str) -> bytes | None:
        return None

    async def head(self, bucket: str, key: str) -> None:
        return None

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> tuple[list[str], bool]:
        return [], False


@pytest.mark.timeout(1800 if GROUPS > 100_000 else 120)
async def test_a_row_in_each_of_very_many_groups_stays_within_the_bound() -> None:
    """With very many groups, the lane cuts at the bound and stores everything."""
    statements = {"r": 'SELECT payload.n AS n, clientid FROM "t/#"'}
    settings = {"key": "devices/${clientid}/rows.jsonl", "aggregation": {"time_interval": "1h"}}
    action = aggregated("memory", statements, **settings)
    sink, attempts = Sink(), Attempts("memory")

    letters = DeadLetters(Letters(), "dead", "memory", attempts)
    writer = AggregatedWriter("memory", action, PatientStore(sink, attempts), letters, PlayedLog(end=GROUPS))  # type: ignore[arg-type]
    partition = Partition("mqtt.messages", 0)
    lanes = Lanes("memory", lambda tp, on_room: AggregatedLane(tp, on_room, writer), BOUND_BYTES)
    lanes.assign([partition])
    held = 0
    with traced():
        for first in range(0, GROUPS, BATCH):
            while not lanes.has_room(partition):
                assert not lanes.failed.done(), lanes.failed.exception()
                await asyncio.sleep(0)
            records = [
                kafka_record(offset, b"client-%07d" % offset, b'{"n": %d}' % offset)
                for offset in range(first, first + BATCH)
            ]
            lanes.sought({partition: first})
            assert lanes.reserve(partition, Fetched(first, first + BATCH, 100 * BATCH))
            lanes.offer(partition, action.evaluator.evaluate(records), first + BATCH)
            held = max(held, lanes.held_bytes)
            del records
            await asyncio.sleep(0)
        assert await lanes.drain(600)
        peak = tracemalloc.get_traced_memory()[1]
    await lanes.close()

    assert sink.objects == GROUPS
    assert sink.entries > GROUPS * 1536 // (BOUND_BYTES + 3000 * BATCH)
    assert held < BOUND_BYTES + 3000 * BATCH
    assert peak < BOUND_BYTES + CONSTANT_BYTES
