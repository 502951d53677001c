"""From the device to the bucket, with random kills of ingress and workers: every acknowledged message is there."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.components.ingress_process import Ingress, assert_all_there, under_load
from tests.components.pipeline_parts import Pipeline, aggregated, direct
from tests.faults import checkers
from tests.faults.real.load import SEED, SESSION_SECONDS
from tests.parts.part import KafkaPart, MqttPart, S3Part
from tests.parts.waiting import let_pass

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
NAME = "end-to-end"
DEVICES, MESSAGES = 4, 2500


def test_every_acknowledged_message_is_stored(
    kafka: KafkaPart, mqtt_broker: MqttPart, s3: S3Part, tmp_path: Path
) -> None:
    """Publishers with QoS 1, an ingress and two workers; every second one of them dies by SIGKILL and is started again.

    A message that a kill made the broker send again may be there twice, as two records; nothing that was acknowledged may lack.
    """
    chance = random.Random(SEED)
    ingress = Ingress(NAME, tmp_path, kafka, mqtt_broker)
    pipeline = Pipeline(
        NAME,
        tmp_path,
        kafka,
        s3,
        actions={
            "rows": aggregated(f"{NAME}-rows", "x/${partition}-${offset}.jsonl", seconds=1),
            "raw": direct(f"{NAME}-raw", "${clientid}/${id}", content="${payload}"),
        },
        rules={"r": ('SELECT clientid, payload AS text FROM "#"', ["rows"]), "d": ('SELECT * FROM "#"', ["raw"])},
        kafka_settings={"session_timeout": f"{SESSION_SECONDS}s"},
    )
    pipeline.prepare(f"{NAME}-rows", f"{NAME}-raw")
    try:
        ingress.start()
        workers = [pipeline.worker(wait=False) for _ in range(2)]
        with under_load(ingress, devices=DEVICES, messages=MESSAGES, rate=200) as load:
            while not load.done():
                victim = chance.choice([ingress.server, *workers])
                victim.kill()
                if victim is ingress.server:
                    ingress.start()
                else:
                    workers.remove(victim)
                    workers.append(pipeline.worker(wait=False))
                let_pass(chance.uniform(0.5, 2.5), unless=load.done)
        acknowledged = load.result()
        assert_all_there(ingress, acknowledged)  # the broker holds what an ingress that was killed had not taken yet
        ingress.server.stop()
        pipeline.wait_for_no_lag("rows", 60)
        pipeline.wait_for_no_lag("raw", 60)
    finally:
        ingress.server.stop()
        pipeline.stop()

    bucket = pipeline.objects(f"{NAME}-rows")
    rows = {
        row["text"].strip() for content in checkers.data_objects(bucket).values() for row in checkers.rows_of(content)
    }
    raw = checkers.data_objects(pipeline.objects(f"{NAME}-raw"))
    objects = {content.decode().strip() for content in raw.values()}
    expected = {f"{client}:{number}" for client, count in acknowledged.items() for number in range(count)}
    assert len(expected) == DEVICES * MESSAGES
    assert sorted(expected - rows)[:10] == [], f"seed {SEED}: acknowledged and in no aggregated object"
    assert sorted(expected - objects)[:10] == [], f"seed {SEED}: acknowledged and in no object of its own"
    assert [*checkers.conservation(bucket), *checkers.whole_objects(bucket), *checkers.no_orphans(bucket)] == []
