"""Where Kafka's log ends: what was read is in it, also if a server names an end before it, as the embedded one does."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from agents.lanes.lane import Partition
from agents.operate.standing import read_to
from agents.sinks.attempts import Attempts
from agents.stream.transport import Committed, LogSpan
from agents.stream.worker_log import WorkerLog
from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.logs import FoundLog
from pipeline.connectors.kafka.reader import goes_to
from pipeline.demo import embedded
from pipeline.demo.process import free_port
from tests.parts.part import KafkaPart

RECORDS = 5


@pytest.fixture(params=["this Kafka", "embedded"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KafkaConfig]:
    """The Kafka of the tests, and the one of `tidegate servers`."""
    if request.param == "this Kafka":
        kafka: KafkaPart = request.getfixturevalue("kafka")
        yield KafkaConfig(bootstrap_servers=kafka.bootstrap_servers)
        return
    port = free_port()
    server = embedded.kafka(port, tmp_path)
    server.start()
    try:
        yield KafkaConfig(bootstrap_servers=f"127.0.0.1:{port}")
    finally:
        server.stop()


def one_batch(config: KafkaConfig) -> Partition:
    """A partition with one batch of records."""
    topic = f"batch-{uuid.uuid4().hex[:8]}"
    settings = {"bootstrap.servers": config.bootstrap_servers}
    admin = AdminClient(settings)
    for made in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        made.result(30)
    producer = Producer({**settings, "linger.ms": 200})
    for number in range(RECORDS):
        producer.produce(topic, str(number).encode(), partition=0)
    assert producer.flush(30) == 0
    return Partition(topic, 0)


class Ids:
    """A topic that keeps its id."""

    async def now(self, topic: str) -> str:
        return "id"


class Reading:
    """A consumer of a Kafka whose newest batch counts as one record."""

    def __init__(self, committed: Committed | None = None) -> None:
        self.committed = committed

    async def log_span(self, topic: str, partition: int) -> LogSpan:
        return LogSpan(0, 1)

    async def group_offset(self, topic: str, partition: int) -> Committed | None:
        return self.committed

    def owns(self) -> bool:
        return True


def test_a_log_goes_to_its_end_and_no_further(config: KafkaConfig) -> None:
    """By its records: each offset up to the end is reached, and the one after it is not."""
    topic, number = one_batch(config)

    assert [goes_to(config, topic, number, end) for end in (1, RECORDS, RECORDS + 1, RECORDS + 9)] == [
        True,
        True,
        False,
        False,
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("committed", [None, Committed(RECORDS, "id")], ids=["by the ledger", "by the group"])
async def test_what_was_read_is_not_lost(config: KafkaConfig, committed: Committed | None) -> None:
    """A worker goes on where its ledger or its group ends, and an end that no record has stays an error of the log."""
    partition = one_batch(config)
    log = WorkerLog(Ids(), Attempts("a", cap_seconds=1), lambda: Reading(committed), partial(goes_to, config))  # type: ignore[arg-type]

    read = await log.bounds(partition, 0 if committed else RECORDS)
    lost = await log.bounds(partition, RECORDS + 1)

    assert (read.end, lost.end) == (RECORDS, 1)


@pytest.mark.asyncio
async def test_the_doctor_sees_the_end_that_a_worker_sees(config: KafkaConfig) -> None:
    """What a ledger has read is in the log; what no record reaches is not."""
    partition = one_batch(config)
    named = FoundLog(*partition, 0, 1, 1, None)

    found = [(await read_to(named, {partition: end}, config)).end for end in (None, 1, RECORDS, RECORDS + 1)]

    assert found == [1, 1, RECORDS, 1]
