"""Workers that follow the configuration in Kafka, between a real Kafka and a real S3 server."""

from __future__ import annotations

import asyncio
import json
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from confluent_kafka import Message

from pipeline.demo.process import Server
from tests.components.ingress_process import Ingress, assert_all_there, barrier, stored, under_load
from tests.components.mqtt_publisher import Publisher
from tests.components.pipeline_parts import Make, Pipeline, aggregated, lines, message
from tests.parts.part import KafkaPart, MqttPart, S3Part
from tests.parts.waiting import let_pass, wait_until

pytestmark = pytest.mark.real
SECONDS = float(os.environ.get("TIDEGATE_RELOAD_SECONDS", "15"))  # 240 and more is a fault test of its own
RECORDS_A_SECOND = 1_000


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic holds a reference; the workers have the variable."""
    monkeypatch.setenv("TIDEGATE_TEST_SECRET", S3Part.secret_access_key)


def rule(version: int) -> str:
    """A statement that gives one row of each record."""
    return f'SELECT payload.n AS n, {version} AS v FROM "t/#"'


def rows(pipeline: Pipeline, bucket: str) -> list[list[dict[str, Any]]]:
    """The rows of each object."""
    found = pipeline.objects(bucket, [key for key in pipeline.keys(bucket) if not key.startswith("_tidegate")])
    return [[json.loads(line) for line in content.splitlines()] for content in found.values()]


def applied(worker: Server, revision: int) -> bool:
    """Whether a worker has applied a revision."""
    return any(each["event"] == "config.applied" and each["revision"] >= revision for each in lines(worker))


def events(worker: Server, name: str) -> list[Any]:
    """The lines of one event."""
    return [each for each in lines(worker) if each["event"] == name]


def change(pipeline: Pipeline, worker: Server) -> int:
    """Apply the configuration, and wait until a worker follows."""
    revision = pipeline.apply()
    wait_until(lambda: applied(worker, revision), 15, pipeline.tails)
    return revision


@pytest.mark.timeout(90)
def test_a_worker_follows_changes_without_a_restart(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """An idle worker starts an action, turns it in place, replaces it, keeps the last good one, and stops it."""
    pipeline = make(
        control=True, kafka_settings={"session_timeout": "20s"}
    )  # a lost session would be one more assignment
    bucket = "hot-reload"
    pipeline.prepare(bucket)
    worker = pipeline.worker(wait=False)
    pipeline.actions["rows"] = aggregated(bucket, "a/${partition}-${offset}.jsonl", seconds=1)
    pipeline.rules["r"] = (rule(1), ["rows"])
    change(pipeline, worker)
    pipeline.produce(message(f"c{n % 9}", b'{"n": %d}' % n) for n in range(200))
    wait_until(lambda: sum(map(len, rows(pipeline, bucket))) == 200, 40, pipeline.tails)

    # In place: no other assignment.
    pipeline.rules["r"] = (rule(2), ["rows"])
    pipeline.actions["rows"]["parameters"]["key"] = "b/${partition}-${offset}.jsonl"
    change(pipeline, worker)
    pipeline.produce(message(f"c{n % 9}", b'{"n": %d}' % n) for n in range(200, 400))
    wait_until(lambda: sum(map(len, rows(pipeline, bucket))) == 400, 40, pipeline.tails)
    pipeline.produce(message(f"c{n % 9}", b'{"n": %d}' % n) for n in range(400, 600))
    wait_until(lambda: sum(map(len, rows(pipeline, bucket))) == 600, 40, pipeline.tails)
    assert events(worker, "config.applied")[-1]["turn"] == ["rows"]
    assert len(events(worker, "action.assigned")) == 1

    # Nothing that counts: nothing happens, also not to the action's place in its group.
    pipeline.actions["rows"]["description"] = "for people"
    pipeline.apply()
    # What this worker cannot run: the last good one goes on.
    monkeypatch.setenv("TIDEGATE_ONLY_HERE", "iot")
    pipeline.transport_options["headers"] = {"x-a": "${TIDEGATE_ONLY_HERE}"}
    pipeline.apply()
    wait_until(lambda: events(worker, "config.unusable"), 15, pipeline.tails)
    del pipeline.transport_options["headers"]
    # Another limit of memory: a new start of this action.
    pipeline.actions["rows"]["resource_opts"] = {"max_buffer_bytes": "32MB"}
    change(pipeline, worker)
    assert events(worker, "config.applied")[-1]["replace"] == ["rows"]
    wait_until(lambda: len(events(worker, "action.assigned")) == 2, 30, pipeline.tails)

    pipeline.rules.clear()
    change(pipeline, worker)
    assert events(worker, "config.applied")[-1]["stop"] == ["rows"]
    found = [each for each in rows(pipeline, bucket) if each]
    assert Counter(row["n"] for each in found for row in each) == Counter(range(600))
    assert all(len({row["v"] for row in each}) == 1 for each in found)
    assert {row["v"] for each in found for row in each} == {1, 2}
    assert not events(worker, "action.failed")


@pytest.mark.timeout(150 + 2 * SECONDS)
def test_rules_change_while_workers_are_killed(make: Make) -> None:
    """Rules and keys change all the time and workers are killed, at a thousand records a second.

    Each row is there once, each object is of one revision, and revisions never fall along a partition.
    """
    chance = random.Random(7)
    pipeline = make(control=True, partitions=6)
    bucket = "reload-kills"
    pipeline.prepare(bucket)
    pipeline.actions["rows"] = aggregated(bucket, key(0), seconds=1)
    pipeline.rules["r"] = (rule(0), ["rows"])
    versions = {pipeline.apply(): 0}
    workers = [pipeline.worker() for _ in range(3)]
    end, kills = time.monotonic() + SECONDS, 0
    with stream(pipeline) as count:
        while time.monotonic() < end or len(templates(pipeline, bucket)) < 4:
            version = len(versions)
            pipeline.rules["r"] = (rule(version), ["rows"])
            if version % 2:
                pipeline.actions["rows"]["parameters"]["key"] = key(version)
            versions[pipeline.apply()] = version
            if version % 2 == 0:
                workers.pop(chance.randrange(len(workers))).kill()
                workers.append(pipeline.worker(wait=False))
                kills += 1
            let_pass(2 * chance.random())
    pipeline.wait_for_no_lag("rows", 60)
    for each in workers:
        each.stop()

    written = [written_object(pipeline, bucket, each) for each in pipeline.keys(bucket) if each.startswith("v")]
    proof = pipeline.command("verify")
    print(f"{count[0]} records, {len(versions)} revisions, {kills} kills, {len(written)} objects, {proof.stdout}")
    assert proof.returncode == 0, proof.stdout + proof.stderr
    assert Counter(n for each in written for n in each.numbers) == Counter(range(count[0]))
    made_at = {version: revision for revision, version in versions.items()}
    assert [each for each in written if len(each.versions) != 1] == []
    for partition in range(pipeline.partitions):
        # The writer of a chunk may have a later revision than the rules that made it: it turns after the cut.
        chain = [(each.revision, *each.versions) for each in sorted(written) if each.partition == partition]
        assert all(made_at[version] <= revision for revision, version in chain), chain
        assert [each[0] for each in chain] == sorted(each[0] for each in chain)
        assert [each[1] for each in chain] == sorted(each[1] for each in chain)
    assert len({each.revision for each in written}) > 2


def key(version: int) -> str:
    """A template that names the partition and the offset of the first row."""
    return f"v{version}/${{partition}}-${{offset}}-${{epoch}}.jsonl"


def templates(pipeline: Pipeline, bucket: str) -> set[str]:
    """The templates of `key` under which there are objects."""
    return {each.partition("/")[0] for each in pipeline.keys(bucket) if each.startswith("v")}


class Written(NamedTuple):
    """An object: where its rows come from, the revision that it names, and its rows."""

    partition: int
    first: int
    revision: int
    numbers: tuple[int, ...]
    versions: frozenset[int]


def written_object(pipeline: Pipeline, bucket: str, key: str) -> Written:
    """Read an object of the action."""
    found = pipeline.store.get_object(Bucket=bucket, Key=key)
    partition, first, _ = key.rpartition("/")[2].split("-")
    rows = [json.loads(line) for line in found["Body"].read().splitlines()]
    revision = int(found["Metadata"]["tidegate-revision"])
    numbers = tuple(row["n"] for row in rows)
    return Written(int(partition), int(first), revision, numbers, frozenset(row["v"] for row in rows))


@contextmanager
def stream(pipeline: Pipeline) -> Iterator[list[int]]:
    """In the block, a thousand records a second. The list holds how many there were."""
    count, end = [0], threading.Event()

    def produce() -> None:
        began = time.monotonic()
        while not end.wait(0.05):
            due = int((time.monotonic() - began) * RECORDS_A_SECOND)
            pipeline.produce(message(f"c{n % 50}", b'{"n": %d}' % n) for n in range(count[0], due))
            count[0] = due

    with ThreadPoolExecutor(1) as thread:
        producing = thread.submit(produce)
        try:
            yield count
        finally:
            end.set()
            producing.result()


@pytest.mark.timeout(90)
def test_sources_change_and_lose_nothing(kafka: KafkaPart, mqtt_broker: MqttPart, tmp_path: Path) -> None:
    """While devices publish, another source comes and goes and this one's own topics change: every message is in Kafka."""
    ingress = Ingress(f"sources{time.time_ns()}", tmp_path, kafka, mqtt_broker, control=True)
    other = {"server": mqtt_broker.server_address, "topics": [f"{ingress.name}x/#"]}
    ingress.apply()
    ingress.start()
    try:
        with under_load(ingress, devices=4, messages=1500, rate=300) as load:
            for sources, source, verb in (
                ({"other": other}, {}, "start"),
                ({"other": other}, {"topics": [f"{ingress.name}/#", f"{ingress.name}y/#"]}, "replace"),
                ({"other": {**other, "enable": False}}, {}, "stop"),
                ({}, {"description": "for people", "window": 500}, "replace"),
                ({}, {"topics": [f"{ingress.name}/+/up", f"{ingress.name}/d0/#"]}, "replace"),
                ({}, {"topics": [f"{ingress.name}/#"]}, "replace"),
            ):
                ingress.more_sources = sources
                ingress.reconfigure(**source)
                revision = ingress.apply()
                wait_until(lambda: done(ingress, revision, verb), 20, ingress.server.tail)  # noqa: B023
        assert_all_there(ingress, load.result())
        connected = [each["session_present"] for each in ingress.lines() if each["event"] == "mqtt.connected"]
        assert connected == [False, False, True, True, True, True]  # plant, other, and plant four times again
        # The filters that the new one covers have ended: a message comes once.
        broker_log = mqtt_broker.server.log
        wait_until(lambda: f"{ingress.name}/d0/#" in broker_log.read_text(errors="replace"), 20, ingress.server.tail)
        before = stored(ingress)
        records = asyncio.run(later(ingress, before))
        assert Counter(each.value() for each in records)[b"later"] == 1
    finally:
        ingress.server.stop()


async def later(ingress: Ingress, before: int) -> list[Message]:
    """All records after one more message."""
    publisher = await Publisher.connect(ingress.broker.host, ingress.broker.port_311, "d0")
    await publisher.publish(f"{ingress.name}/d0/up", [b"later"])
    await publisher.finish()
    return await barrier(ingress, before + 1)


def done(ingress: Ingress, revision: int, verb: str) -> bool:
    """Whether an ingress has taken up a revision, by this step."""
    applied = [each for each in ingress.lines() if each["event"] == "config.applied"]
    return any(each["revision"] >= revision and each.get(verb) for each in applied)
