"""Real processes that are killed, frozen and cut off, between a real Kafka and a real S3 server.

One seed decides what happens when: TIDEGATE_FAULT_SEED, a number or a commit. Afterwards only the bucket and Kafka's offsets are
asked. A failure prints the command that repeats it.
"""

from __future__ import annotations

import random

import pytest

from tests.faults import checkers
from tests.faults.real.load import SEED, SESSION_SECONDS, Load, Make
from tests.parts.part import KafkaPart, S3Part
from tests.parts.waiting import let_pass, wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


def test_workers_that_are_killed_frozen_and_replaced_lose_and_double_nothing(make: Make) -> None:
    """Three workers get SIGKILL, SIGSTOP and SIGCONT in random order under load, and no row is lost or doubled."""
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
        let_pass(chance.uniform(1.0, 1.5 * SESSION_SECONDS))
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
    """No worker leaves its group, nothing is lost, and the workers go on when the store is back."""
    pipeline = make()
    session_seconds = (
        3 * SESSION_SECONDS
    )  # a busy machine may keep a worker from telling that it lives for the usual ones
    pipeline.kafka_settings = {"session_timeout": f"{session_seconds}s"}
    load = Load(pipeline)
    load.produce(300)
    for _ in range(2):
        pipeline.worker()
    wait_until(lambda: pipeline.members("rows") == 2, 30, pipeline.tails)
    pipeline.wait_for_no_lag("rows")
    s3.stop()
    try:
        load.produce(3000)
        let_pass(2 * session_seconds)
        assert pipeline.members("rows") == 2
        assert pipeline.lag("rows") == 3000
    finally:
        s3.start()

    load.check()


def test_kafka_restarts_under_load(make: Make, kafka: KafkaPart) -> None:
    """After a kill and restart of the broker, the workers go on by themselves."""
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
    """Records in new partitions are read within a bounded time."""
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
