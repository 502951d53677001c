"""Lanes of both kinds on a store, with rows to write."""

from __future__ import annotations

import asyncio
from typing import Any

from agents.lanes.lane import Fetched, Lane, Partition
from agents.sinks.aggregated import AggregatedLane
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import DeadLetters
from agents.sinks.direct import DirectLane, DirectWriter
from agents.sinks.patient_store import PatientStore
from pipeline.connectors.s3.store import S3Store
from tests.faults.simulation.world import Letters, kafka_record
from tests.parts.actions import aggregated, direct
from tests.parts.bench import PlayedLog
from tests.parts.waiting import patient

PARTITION = Partition("mqtt.messages", 0)


STATEMENTS = {"r": 'SELECT payload.n AS n, clientid FROM "t/#"'}


ROWS = 40


def parts(action: str) -> tuple[DeadLetters, Attempts]:
    attempts = Attempts(action, cap_seconds=0.2)
    return DeadLetters(Letters(), "dead", action, attempts), attempts


def direct_lane(
    store: S3Store, bucket: str, action: str = "d", statements: dict[str, str] = STATEMENTS, **parameters: Any
) -> DirectLane:
    settings = {"bucket": bucket, "key": "k/${clientid}", "content": "${n}", **parameters}
    dead_letters, attempts = parts(action)
    kafka = PlayedLog(end=ROWS)
    made = direct(action, statements, window=8, **settings)
    writer = DirectWriter(made, PatientStore(store, attempts), dead_letters, kafka)
    return DirectLane(PARTITION, lambda: None, writer)


def aggregated_lane(
    store: S3Store, bucket: str, statements: dict[str, str] = STATEMENTS, *, key: str = "x/${partition}.jsonl"
) -> AggregatedLane:
    aggregation = {"time_interval": "1h", "max_records": 7}
    action = aggregated("a", statements, bucket=bucket, key=key, aggregation=aggregation)
    dead_letters, attempts = parts("a")
    writer = AggregatedWriter("a", action, PatientStore(store, attempts), dead_letters, PlayedLog(end=ROWS))
    return AggregatedLane(PARTITION, lambda: None, writer)


def lettered(lane: DirectLane | AggregatedLane) -> dict[int, str]:
    """The offsets of a lane's dead letters, each with its cause."""
    letters = lane._writer.dead_letters
    assert isinstance(letters, DeadLetters)
    assert isinstance(letters._sender, Letters)
    facts = [dict(record.headers) for record in letters._sender.records]
    return {int(each["dead_letter.offset"]): each["dead_letter.cause"].decode() for each in facts}


async def write(lane: Lane, rows: int = ROWS) -> None:
    """Give the lane some rows of five clients, and let it write them all."""
    records = [kafka_record(offset, b"c%d" % (offset % 5), b'{"n": %d}' % offset) for offset in range(rows)]
    lane.reserve(Fetched(0, rows, 1000))
    lane.offer(lane.rules.evaluate(records))
    lane.drain()
    async with asyncio.timeout(patient(60)):
        await lane.run()
