"""The configuration in a real Kafka: whole changes, one after the other, whoever writes and whoever dies."""

from __future__ import annotations

import asyncio
import gc
import json
import multiprocessing
import os
import random
import signal
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.config import Config
from pipeline.config.load import load
from pipeline.control.config_log import ConfigLog
from pipeline.control.objects import Change, Snapshot
from pipeline.control.status import ProcessReport
from pipeline.control.status_topic import reporting
from pipeline.doctor import control as doctor
from pipeline.errors import ConfigError, OperatorError, StaleError
from tests.parts.part import KafkaPart
from tests.parts.waiting import patient, pause, until, wait_until

pytestmark = pytest.mark.real
LAKE = {
    "host": "s3.plant",
    "access_key_id": "lake",
    "secret_access_key": "${S3_SECRET}",
    "transport_options": {"connect_timeout": "1500ms"},
}
HOT = {"connector": "lake", "parameters": {"bucket": "iot", "key": "hot/${id}"}}
RULE = {"sql": 'SELECT * FROM "t/#"', "actions": ["s3:hot"]}
OBJECTS = {"connector/s3/lake": LAKE, "action/s3/hot": HOT, "rule/hot": RULE}
COUNTERS = ("user/a", "user/b", "user/c")


def base(kafka: KafkaPart, topic: str, pipeline: str = "plant7") -> Config:
    """What the file of a process says."""
    settings = {"bootstrap_servers": kafka.bootstrap_servers, "replication_factor": 1}
    return load({"pipeline": pipeline, "kafka": settings, "control": {"topic": topic}})


@pytest.fixture
def topic() -> str:
    """The name of a new topic."""
    return f"config-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def opened(kafka: KafkaPart, topic: str) -> AsyncIterator[ConfigLog]:
    """The log of a new topic."""
    async with ConfigLog(base(kafka, topic)) as log:
        yield log


def change(**facts: Any) -> Change:
    """A change by somebody."""
    return Change(**{"by": "anna", "source": "apply", **facts})


async def test_a_change_is_there_as_a_whole_with_revisions_and_with_who_made_it(
    opened: ConfigLog, kafka: KafkaPart, topic: str
) -> None:
    """A writer sees its change when it returns, and a follower that comes later sees the same, with the same revisions."""
    empty = opened.snapshot
    written = await opened.write(change(puts=OBJECTS))

    async with ConfigLog(base(kafka, topic)) as later:
        found = later.snapshot
    assert (empty.revision, empty.objects, empty.config.rules) == (-1, {}, {})
    assert found == written
    assert found.config.revision == found.revision > max(each.revision for each in found.objects.values())
    assert found.objects["connector/s3/lake"].value == LAKE  # the spelling of 1500ms, and the reference
    assert {each.by for each in found.objects.values()} == {"anna"}
    assert len({each.revision for each in found.objects.values()}) == len(OBJECTS) + 1  # and whose topic it is
    assert found.config.rules["hot"].actions == ["s3:hot"]


async def test_a_change_that_is_refused_leaves_nothing(opened: ConfigLog) -> None:
    """A stale revision, a reference to nothing, a wrong statement and a clear secret are refused, and nothing is written."""
    before = await opened.write(change(puts=OBJECTS))
    stale = {"rule/hot": before.objects["rule/hot"].revision - 1}
    refused: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (StaleError, "rule/hot was changed", {"puts": {"rule/hot": RULE}, "expected": stale}),
        (StaleError, "none now", {"puts": {"rule/new": RULE}, "expected": {"rule/new": 3}}),
        (StaleError, "rule/hot was changed", {"puts": {"rule/hot": RULE}, "expected": {"rule/hot": None}}),
        (ConfigError, "rules.hot.actions", {"deletes": frozenset({"action/s3/hot"})}),
        (ConfigError, "rules.hot.sql", {"puts": {"rule/hot": {"sql": "SELECT FROM"}}}),
        (ConfigError, "clear one", {"puts": {"connector/s3/lake": LAKE | {"secret_access_key": "sesame"}}}),
        (ConfigError, "clear one", {"puts": {"connector/s3/lake": LAKE | {"secret_access_key": "${A:-sesame}"}}}),
    ]
    for kind, words, facts in refused:
        with pytest.raises(kind, match=words) as found:
            await opened.write(change(**facts))
        assert "sesame" not in str(found.value)

    assert opened.snapshot == before
    assert await opened.history() == [each for each in await opened.history() if each.revision <= before.revision]


async def test_what_is_deleted_is_gone_and_in_the_history(opened: ConfigLog) -> None:
    """A deletion is a change like others; the history says who did what, and shows the records of one change together."""
    await opened.write(change(puts=OBJECTS))
    await opened.write(change(deletes=frozenset({"rule/hot", "rule/none"}), by="bert", source="rest"))
    await opened.write(change(puts={"user/bert": {"role": "viewer"}}, source="page"))

    found = await opened.history()
    assert "rule/hot" not in opened.snapshot.objects
    assert opened.snapshot.objects["user/bert"].value == {"role": "viewer"}
    assert [(each.key, each.by, each.source, each.stored is None) for each in found[4:]] == [
        ("rule/hot", "bert", "rest", True),
        ("user/bert", "anna", "page", False),
    ]
    assert len({each.change for each in found[:4]}) == 1
    assert [each.revision for each in await opened.history("rule/hot")] == [found[2].revision, found[4].revision]


async def test_a_follower_waits_for_what_it_has_not_seen(opened: ConfigLog, kafka: KafkaPart, topic: str) -> None:
    """A follower gets each change soon, in whole changes, and one that changes nothing does not wake it."""
    async with ConfigLog(base(kafka, topic)) as other:
        waiting = asyncio.create_task(opened.changed(opened.snapshot.revision))
        await other.write(change())
        assert not waiting.done()
        written = await other.write(change(puts=OBJECTS))

        async with asyncio.timeout(patient(5)):
            found = await waiting
    assert found == written


async def test_two_writers_take_turns(opened: ConfigLog, kafka: KafkaPart, topic: str) -> None:
    """Of two changes that expect the same revision one is made; a writer that was fenced begins again by itself."""
    async with ConfigLog(base(kafka, topic)) as other:
        seen = (await opened.write(change(puts=OBJECTS))).objects["rule/hot"].revision
        both = await asyncio.gather(
            *(
                log.write(change(puts={"rule/hot": RULE | {"description": who}}, expected={"rule/hot": seen}, by=who))
                for log, who in ((opened, "anna"), (other, "bert"))
            ),
            return_exceptions=True,
        )
        for number in range(3):
            await opened.write(change(puts={"user/a": {"n": number}}))
            await other.write(change(puts={"user/b": {"n": number}}))

        found = await opened.changed(other.snapshot.revision - 1)
    lost = [each for each in both if isinstance(each, StaleError)]
    won = [each for each in both if isinstance(each, Snapshot)]
    assert len(lost) == len(won) == 1
    assert lost[0].found == won[0].objects["rule/hot"]
    assert [found.objects[key].value["n"] for key in ("user/a", "user/b")] == [2, 2]


async def test_a_change_takes_no_whole_seconds(opened: ConfigLog, kafka: KafkaPart, topic: str) -> None:
    """Of forty changes in a row few take a second, and writers who fence each other, in half of them, are nearly as fast."""
    seconds: list[float] = []
    async with ConfigLog(base(kafka, topic)) as other:
        for number in range(40):
            began = time.monotonic()
            await (other if number % 4 == 0 else opened).write(change(puts={"user/a": {"n": number}}))
            seconds.append(time.monotonic() - began)

    assert sorted(seconds)[-12] < patient(0.3), seconds  # a busy machine may stand still in some


async def test_a_writer_that_is_fenced_leaves_no_client_behind(opened: ConfigLog, kafka: KafkaPart, topic: str) -> None:
    """Its client of Kafka ends when another one takes its place, and not when Python looks for garbage."""
    gc.collect()
    gc.disable()
    try:
        async with ConfigLog(base(kafka, topic)) as other:
            counts = []
            for number in range(4):
                await opened.write(change(puts={"user/a": {"n": number}}))
                await other.write(change(puts={"user/b": {"n": number}}))
                counts.append(_clients())
    finally:
        gc.enable()

    assert counts == [counts[0]] * 4


def _clients() -> int:
    """The clients of librdkafka in this process: each has one thread of this name."""
    count = 0
    for each in Path("/proc/self/task").glob("*/comm"):
        with suppress(OSError):  # a thread that has ended meanwhile
            count += each.read_text().strip() == "rdk:main"
    return count


async def test_the_topic_of_another_pipeline_and_one_of_many_partitions_are_refused(
    opened: ConfigLog, kafka: KafkaPart, topic: str
) -> None:
    """A pipeline does not take the configuration of another one for its own, nor a topic without an order."""
    await opened.write(change(puts=OBJECTS))

    async with ConfigLog(base(kafka, topic, "plant8")) as other:
        assert "that of 'plant7'" in other.snapshot.problem
        assert not other.snapshot.config.rules
        with pytest.raises(ConfigError, match="each pipeline needs its own topic"):
            await other.write(change(puts=OBJECTS))
    _create(kafka, f"{topic}-wide", partitions=2)
    with pytest.raises(OperatorError, match="with one partition, found 2"):
        async with ConfigLog(base(kafka, f"{topic}-wide")):
            pass


def add(servers: str, topic: str, number: int, seconds: float, told: Path) -> None:
    """A process that adds to two of three counters at once, again and again, and writes down what it was told to be done."""

    async def work() -> None:
        chance = random.Random(number)
        settings = {"bootstrap_servers": servers, "replication_factor": 1}
        config = load({"pipeline": "plant7", "kafka": settings, "control": {"topic": topic}})
        async with ConfigLog(config, patience_seconds=None) as log:
            loop = asyncio.get_running_loop()
            end = loop.time() + seconds
            while loop.time() < end:
                seen = log.snapshot.objects
                keys = chance.sample(COUNTERS, 2)
                puts = {key: {"n": seen[key].value["n"] + 1} for key in keys}
                try:
                    await log.write(change(puts=puts, expected={key: seen[key].revision for key in keys}))
                except StaleError:
                    continue
                with told.open("a") as file:
                    file.write(json.dumps(keys) + "\n")

    asyncio.run(work())


@pytest.mark.timeout(60)
async def test_no_change_is_lost_doubled_or_torn_when_writers_are_killed(
    kafka: KafkaPart, topic: str, tmp_path: Path
) -> None:
    """Two writers add to counters while others are killed; after a compaction a new follower sees what an old one saw."""
    quick = {"segment.ms": "500", "min.cleanable.dirty.ratio": "0.01", "min.compaction.lag.ms": "0"}
    _create(kafka, topic, config={"cleanup.policy": "compact", "delete.retention.ms": "0", **quick})
    spawn, told = multiprocessing.get_context("spawn"), tmp_path / "told"
    told.touch()
    async with ConfigLog(base(kafka, topic)) as old:
        await old.write(change(puts={each: {"n": 0} for each in COUNTERS}))
        start = lambda number, seconds: spawn.Process(  # noqa: E731
            target=add, args=(kafka.bootstrap_servers, topic, number, seconds, told)
        )
        writers = [start(number, 5) for number in range(2)]
        victims = [start(10 + number, 60) for number in range(2)]
        for each in (*writers, *victims):
            each.start()
        for each in victims:
            before = told.read_text().count("\n")
            await until(lambda count=before: told.read_text().count("\n") > count + 3, 20)  # type: ignore[misc]
            os.kill(each.pid or 0, signal.SIGKILL)
        for each in (*writers, *victims):
            await asyncio.to_thread(each.join, patient(20))
            assert each.exitcode in (0, -signal.SIGKILL)
        last = await old.write(change(puts={"user/a": old.snapshot.objects["user/a"].value}))

        lines = [json.loads(line) for line in told.read_text().splitlines()]
        for key in COUNTERS:
            count = sum(key in line for line in lines)
            # Who was killed after a commit could not tell.
            assert count <= last.objects[key].value["n"] <= count + len(victims)
        assert sum(last.objects[each].value["n"] for each in COUNTERS) % 2 == 0  # no change is torn
        await _compacted(old)
        async with ConfigLog(base(kafka, topic)) as fresh:
            found = await fresh.changed(old.snapshot.revision - 1)
        assert found == old.snapshot


async def _compacted(log: ConfigLog) -> None:
    """Write now and then, so that Kafka closes segments and compacts them, until each counter has one record."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + patient(30)
    while len([each for each in await log.history() if each.key in COUNTERS]) > len(COUNTERS):
        assert loop.time() < give_up, "Kafka compacts nothing"
        await log.write(change(puts={"user/d": {"at": loop.time()}}))
        await pause(0.6)  # a segment is closed by time


def _create(kafka: KafkaPart, topic: str, *, partitions: int = 1, config: dict[str, str] | None = None) -> None:
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(topic, partitions, 1, config=config or {})])[topic].result(patient(20))
    wait_until(lambda: topic in admin.list_topics(timeout=10).topics, 10, lambda: "the topic is not there")


async def test_a_record_of_a_foreign_hand_has_its_time(opened: ConfigLog, kafka: KafkaPart, topic: str) -> None:
    """Whoever writes with a client of Kafka is unknown, and the history says when it was."""
    began = int(time.time() * 1000)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, json.dumps(LAKE).encode(), b"connector/s3/lake")
    assert producer.flush(patient(20)) == 0

    await until(lambda: "connector/s3/lake" in opened.snapshot.objects, 20)
    (found,) = await opened.history()
    assert (found.by, found.source) == ("unknown", "kafka")
    assert began - 1000 <= found.at <= int(time.time() * 1000) + 1000


async def test_a_topic_that_is_deleted_is_told_within_seconds(opened: ConfigLog, kafka: KafkaPart, topic: str) -> None:
    """The process goes on with what it knows, and says that the topic is not there; no write is needed for it."""
    before = await opened.write(change(puts=OBJECTS))
    assert opened.error == ""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.delete_topics([topic])[topic].result(patient(20))

    await until(lambda: topic in opened.error, 15, lambda: f"error: {opened.error!r}")
    assert opened.snapshot == before


async def test_a_topic_from_which_kafka_deletes_is_told(
    kafka: KafkaPart, topic: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Objects that nobody changes for a week would be gone: each process says so at its start, and goes on."""
    _create(kafka, topic, config={"cleanup.policy": "delete"})
    async with ConfigLog(base(kafka, topic)) as log:
        await log.write(change(puts=OBJECTS))

    (said,) = [line for line in capsys.readouterr().out.splitlines() if "config.topic_deletes" in line]
    assert topic in said
    assert "cleanup.policy=compact" in said


async def test_the_doctor_looks_at_it(kafka: KafkaPart, topic: str) -> None:
    """Before the first start the topics are not there; then all is well, and a worker that is behind is named."""

    def found(config: Config) -> dict[str, str]:
        return {each.name: each.state for each in doctor.check(config)}

    before = await asyncio.to_thread(found, base(kafka, topic))
    assert before[f"kafka:{topic} topic"] == "warn"
    async with ConfigLog(base(kafka, topic)) as log:
        config = (await log.write(change(puts=OBJECTS))).config
        behind = ProcessReport("worker@a", "worker", 0, revision=config.revision - 1)
        async with reporting(config, "worker@a", lambda: behind):
            while "revision of worker@a" not in (now := await asyncio.to_thread(found, config)):
                await pause(0.1)

    assert (now[f"kafka:{topic} topic"], now[f"kafka:{topic} transactions"]) == ("ok", "ok")
    assert now["revision of worker@a"] == "warn"
