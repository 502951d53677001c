"""Real processes that are killed, frozen and cut off, between a real Kafka and a real S3 server.

One seed decides what happens when. Afterwards only the bucket and Kafka's offsets are asked. A failing run is repeated with
TIDEGATE_FAULT_SEED=<seed> make test TEST_ARGS=tests/faults/real.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.components.pipeline_parts import Pipeline, aggregated, direct, message, wait_until
from tests.faults import checkers
from tests.parts.part import KafkaPart, S3Part

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
SEED = int(os.environ.get("TIDEGATE_FAULT_SEED", "1"))
SESSION_SECONDS = 2.0
CLIENTS = 40
Make = Callable[..., Pipeline]
RULE = 'SELECT clientid, payload.n AS n FROM "t/#" WHERE payload.keep = true'
LATEST = 'SELECT clientid, payload FROM "t/#"'


@pytest.fixture
def make(kafka: KafkaPart, s3: S3Part, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """A pipeline with an aggregated and a direct action, named after the test; its workers end with the test."""
    made: list[Pipeline] = []
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:40].strip("-").replace("_", "-")

    def pipeline() -> Pipeline:
        found = Pipeline(
            name,
            tmp_path,
            kafka,
            s3,
            actions={
                "rows": aggregated(f"{name}-rows", "x/${partition}-${offset}.jsonl.gz", seconds=1, compression="gzip"),
                "latest": direct(f"{name}-latest", "${clientid}/latest", content="${payload}"),
            },
            rules={"r": (RULE, ["rows"]), "l": (LATEST, ["latest"])},
            kafka_settings={"session_timeout": f"{SESSION_SECONDS}s"},
        )
        found.prepare(f"{name}-rows", f"{name}-latest")
        made.append(found)
        return found

    yield pipeline
    for each in made:
        each.stop()


class Load:
    """What was produced: numbered records of forty clients; every third is filtered by the aggregated rule."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.count = 0
        self.latest: dict[str, bytes] = {}

    def produce(self, count: int) -> None:
        records = []
        for number in range(self.count, self.count + count):
            client = f"c{number % CLIENTS}"
            payload = json.dumps({"n": number, "keep": number % 3 != 0}).encode()
            self.latest[client] = payload
            records.append(message(client, payload))
        self.pipeline.produce(records)
        self.count += count

    def check(self) -> None:
        """Everything arrived, once, whole, the last value of each client is there, and every commit is covered."""
        pipeline = self.pipeline
        pipeline.wait_for_no_lag("rows", 60)
        pipeline.wait_for_no_lag("latest", 60)
        bucket = pipeline.objects(f"{pipeline.name}-rows")
        wrong = [
            *checkers.exactly_once(bucket, [n for n in range(self.count) if n % 3], "n"),
            *checkers.conservation(bucket),
            *checkers.whole_objects(bucket),
            *checkers.no_orphans(bucket),
        ]
        for number, end in pipeline.ends().items():
            wrong += checkers.unbroken_chain(bucket, ("rows", pipeline.topic, number), 0, end)
        assert wrong[:20] == [], f"seed {SEED}\n{pipeline.tails()}"
        stored = checkers.data_objects(pipeline.objects(f"{pipeline.name}-latest"))
        assert stored == {f"{client}/latest": payload for client, payload in self.latest.items()}, f"seed {SEED}"

    def check_commits(self) -> None:
        """No committed offset is beyond what the ledger in the bucket covers."""
        pipeline = self.pipeline
        committed = pipeline.committed("rows")  # asked first: the ledger may only be ahead of it
        keys = [key for key in pipeline.keys(f"{pipeline.name}-rows") if key.startswith("_tidegate/rows/")]
        entries = checkers.cuts(pipeline.objects(f"{pipeline.name}-rows", keys))
        covered: dict[int, int] = {}
        for entry in entries:
            covered[entry.partition[2]] = max(covered.get(entry.partition[2], 0), entry.fields["next"])
        beyond = {number: offset for number, offset in committed.items() if offset > covered.get(number, 0)}
        assert beyond == {}, f"seed {SEED}: committed {committed}, covered {covered}"


def test_workers_that_are_killed_frozen_and_replaced_lose_and_double_nothing(make: Make) -> None:
    """Three workers under load: SIGKILL, SIGSTOP beyond the session timeout and SIGCONT, in a random order."""
    chance = random.Random(SEED)
    pipeline = make()
    load = Load(pipeline)
    load.produce(500)
    alive = [pipeline.worker() for _ in range(2)]
    frozen = []
    for step in range(7):
        load.produce(400)
        victim = alive.pop(chance.randrange(len(alive)))
        if chance.random() < 0.5:
            victim.kill()
        else:
            victim.pause()
            frozen.append((step, victim))
        alive.append(pipeline.worker(wait=False))
        until = time.monotonic() + chance.uniform(1.0, 1.5 * SESSION_SECONDS)
        wait_until(lambda until=until: time.monotonic() > until, 10, str)  # type: ignore[misc]
        load.check_commits()
        for since, zombie in list(frozen):
            if step - since >= 2:
                zombie.resume()
                frozen.remove((since, zombie))
    for _, zombie in frozen:
        zombie.resume()
    load.produce(200)

    load.check()


def test_s3_away_for_longer_than_every_timeout(make: Make, s3: S3Part) -> None:
    """No worker drops out of its group, nothing is lost, and all goes on when the store is back."""
    pipeline = make()
    load = Load(pipeline)
    load.produce(300)
    for _ in range(2):
        pipeline.worker()
    pipeline.wait_for_no_lag("rows")
    s3.stop()
    try:
        load.produce(3000)
        until = time.monotonic() + 5 * SESSION_SECONDS
        wait_until(lambda: time.monotonic() > until, 60, str)
        assert pipeline.members("rows") == 2
        assert pipeline.lag("rows") == 3000
    finally:
        s3.start()

    load.check()


def test_kafka_restarts_under_load(make: Make, kafka: KafkaPart) -> None:
    """The broker is killed and comes back with its data; the workers go on by themselves."""
    pipeline = make()
    load = Load(pipeline)
    load.produce(1000)
    for _ in range(2):
        pipeline.worker()
    load.produce(1000)
    kafka.kill()
    kafka.start()
    load.produce(1000)

    load.check()


def test_a_topic_that_gets_more_partitions(make: Make) -> None:
    """Records in the new partitions are read within a bounded time."""
    pipeline = make()
    load = Load(pipeline)
    load.produce(300)
    pipeline.worker()
    pipeline.wait_for_no_lag("rows")
    pipeline.add_partitions(6)
    load.produce(600)

    load.pipeline.wait_for_no_lag("rows", 90)
    bucket = pipeline.objects(f"{pipeline.name}-rows")
    assert checkers.exactly_once(bucket, [n for n in range(load.count) if n % 3], "n") == []
