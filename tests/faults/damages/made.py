"""What the product writes before anybody damages it: real lanes of both kinds, in every format, with all that a life brings.

Each aggregated action has two partitions. Its workers stop in order, are killed after a cut, and start under a new rule; records
are written, filtered and dead letters. Partition 0 ends in order, partition 1 with a kill. All of it lies in one bucket.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from agents.lanes.lane import Fetched, Partition
from agents.sinks.aggregated import AggregatedLane
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.direct import DirectLane, DirectWriter
from agents.sinks.patient_store import PatientStore
from pipeline.action import AggregatedAction, DirectAction
from pipeline.connectors.s3.store import S3Store
from pipeline.record import Record
from tests.faults.simulation.world import Letters
from tests.parts.actions import aggregated, direct
from tests.parts.bench import PlayedLog
from tests.parts.waiting import until

BUCKET: Final = "lake"
TOPIC: Final = "mqtt.messages"
PARTITIONS: Final = (0, 1)
RECORDS: Final = 120
# The last record of each worker's life, the rule that it has, and whether it stops in order.
LIVES: Final = ((40, 0, True), (60, 0, True), (90, 1, False), (RECORDS, 1, None))
CUT_RECORDS: Final = 20
FORMATS: Final[Mapping[str, Mapping[str, Any]]] = {
    "lines": {"container": {"type": "json_lines"}},
    "gzip": {"container": {"type": "json_lines"}, "compression": "gzip"},
    "csv": {"container": {"type": "csv"}, "compression": "zstd", "key": "csv/g${g}/x.csv"},
    "parquet": {"container": {"type": "parquet"}},
}
DIRECT: Final = "raw"


def record(partition: int, offset: int, chance: random.Random) -> Record:
    """A message of one of three groups. Rule r filters x below r; without a group it is a dead letter."""
    value: dict[str, Any] = {"n": offset, "g": chance.choice("ABC"), "x": chance.randrange(3), "text": "häuschen, 1"}
    if chance.random() < 0.05:
        del value["g"]
    place = (TOPIC, partition, offset, 1_700_000_000_000 + offset * 100)
    return Record(*place, b"c%d" % chance.randrange(5), json.dumps(value).encode(), [("topic", b"t/1")])


def log(seed: int, partition: int) -> list[Record]:
    """What is in Kafka."""
    chance = random.Random(f"{seed} {partition}")
    return [record(partition, offset, chance) for offset in range(RECORDS)]


def aggregated_action(name: str, rule: int, bucket: str = BUCKET) -> AggregatedAction:
    """An aggregated action under rule 0 or 1. Its objects are small."""
    sql = f'SELECT payload.n AS n, payload.g AS g, payload.text AS text FROM "t/#" WHERE payload.x >= {rule}'
    settings = {"key": f"{name}/${{g}}/x.{name}", "missing": "dead_letter", "bucket": bucket, **FORMATS[name]}
    return aggregated(name, {"r": sql}, aggregation={"time_interval": "1h", "max_records": 5}, **settings)


def direct_action(bucket: str = BUCKET, key: str = f"{DIRECT}/${{clientid}}/${{n}}.json") -> DirectAction:
    """A direct action with a key for each row."""
    settings = {"bucket": bucket, "key": key, "content": "${payload}"}
    return direct(DIRECT, {"r": 'SELECT clientid, payload.n AS n, payload FROM "t/#"'}, **settings)


async def write_everything(store: S3Store, seed: int, bucket: str = BUCKET) -> None:
    """All actions, all partitions."""
    for name in FORMATS:
        for partition in PARTITIONS:
            await write_chain(store, name, partition, log(seed, partition), bucket)
    await write_direct(store, log(seed, 0)[:40], bucket=bucket)


async def write_chain(store: S3Store, name: str, partition: int, records: Sequence[Record], bucket: str) -> None:
    """One partition of one aggregated action, from the first worker to the last."""
    begin = 0
    for end, rule, in_order in LIVES:
        action = aggregated_action(name, rule, bucket)
        await _live(
            store, action, partition, records[begin:end], end, in_order=partition == 0 if in_order is None else in_order
        )
        begin = end


async def _live(
    store: S3Store, action: AggregatedAction, partition: int, records: Sequence[Record], end: int, *, in_order: bool
) -> None:
    """One worker: some records, cut by cut."""
    attempts = Attempts(action.name, cap_seconds=0.2)
    dead_letters = DeadLetters(Letters(), "dead", action.name, attempts)
    writer = AggregatedWriter(
        action.name, action, PatientStore(store, attempts), dead_letters, PlayedLog(end=end, topic_id="")
    )
    lane = AggregatedLane(Partition(TOPIC, partition), lambda: None, writer)
    task = asyncio.create_task(lane.run())
    for begin in range(0, len(records), CUT_RECORDS):
        some = records[begin : begin + CUT_RECORDS]
        lane.reserve(Fetched(some[0].offset, some[-1].offset + 1, 1000))
        lane.offer(action.evaluator.evaluate(list(some)))
        await until(partial(_is_at, lane, some[-1].offset + 1, taken=True))
        lane.relieve()
        await until(partial(_is_at, lane, some[-1].offset + 1))
    if in_order:
        lane.drain()
        await task
    else:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _is_at(lane: AggregatedLane, offset: int, *, taken: bool = False) -> bool:
    """Whether everything before the offset is durable, or at least taken."""
    return lane.queued_bytes == 0 if taken else lane.durable == offset


async def write_direct(store: S3Store, records: Sequence[Record], **changes: str) -> None:
    """One partition of the direct action, with another bucket or key."""
    action = direct_action(**changes)
    attempts = Attempts(action.name, cap_seconds=0.2)
    letters, kafka = DeadLetters(Letters(), "dead", action.name, attempts), PlayedLog(end=len(records), topic_id="")
    writer = DirectWriter(action, PatientStore(store, attempts), letters, kafka)
    lane = DirectLane(Partition(TOPIC, 0), lambda: None, writer)
    lane.reserve(Fetched(records[0].offset, records[-1].offset + 1, 1000))
    lane.offer(action.evaluator.evaluate(list(records)))
    lane.drain()
    await lane.run()
