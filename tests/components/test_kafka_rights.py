"""Kafka with an authorizer: which right is missing is told, with the setting that says whose rights they are."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.stream.groups import require_group
from ingress.sparkplug.reader import TableReader
from pipeline.config import KafkaConfig
from pipeline.config.load import load, load_file
from pipeline.connectors.kafka.client import Link
from pipeline.connectors.kafka.logs import look_at_logs
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.kafka.reader import everything, newest
from pipeline.connectors.kafka.topics import ensure_aliases_topic, ensure_lead_topic, ensure_topics
from pipeline.control.config_log import ConfigLog
from pipeline.control.follower import Follower, read_all
from pipeline.control.objects import Change
from pipeline.doctor import control, rights
from pipeline.doctor import kafka as doctor
from pipeline.errors import OperatorError
from pipeline.record import Outgoing
from tests.components.secure_settings import TOPIC, config_of, kafka_of, settings
from tests.parts.logs import log_lines
from tests.parts.part import S3Part
from tests.parts.secure_kafka import OUTSIDER, SecureKafka
from tests.parts.waiting import patient, until, wait_until

pytestmark = pytest.mark.real
NO_TLS = {"ssl": {"enable": False}}
MANUAL = Path(__file__).parents[2] / "docs" / "kafka.md"


def test_what_an_outsider_may_not_do_is_told(secure: SecureKafka) -> None:
    """A user without permissions is told which are missing, and a topic that is hidden from it is not called missing."""
    plain = settings(secure, "plain")
    login = {"mechanism": "plain", "username": "outsider", "password": OUTSIDER}

    with pytest.raises(OperatorError, match=rf"{TOPIC}.*needs DESCRIBE, and READ or WRITE.*kafka\.authentication"):
        ensure_topics(kafka_of(plain | {"authentication": login}))


def test_a_worker_that_may_not_use_its_group_says_so(secure: SecureKafka, tmp_path: Path) -> None:
    """A user that may read the topics, and not the consumer group, is one line that names the group and the setting."""
    secure.allow("halfway", TOPIC)
    with _worker_of("halfway", secure, tmp_path) as log:
        wait_until(lambda: "action.failed" in [line["event"] for line in log_lines(log)], 30, log.read_text)
    lines = log_lines(log)
    first = [line["event"] for line in lines].index("action.failed")
    lines = lines[: first + 1]  # a second later it tries again
    told = [line for line in lines if line["level"] in ("warning", "error") and "secured.raw" in str(line)]

    assert len(told) == 1, log.read_text()
    assert told[0]["error"].startswith("cannot use the consumer group secured.raw: ")
    assert "the user of `kafka` needs READ on the consumer group (kafka.authentication)" in told[0]["error"]
    assert "Traceback" not in log.read_text()


async def test_a_right_that_is_taken_away_is_told_until_it_is_back(secure: SecureKafka) -> None:
    """Who follows the configuration says which right is missing and in which setting to look, and stops saying so in time."""
    secure.set_scram_password("losing", "a password")
    secure.allow("losing", TOPIC)
    login = {"mechanism": "scram_sha_512", "username": "losing", "password": "a password"}
    kafka = kafka_of(settings(secure, "scram_sha_512") | {"authentication": login})
    follower = Follower(kafka, TOPIC, lambda objects, revision: None)
    follower.start()
    try:
        await asyncio.to_thread(follower.catch_up, patient(30))
        assert follower.error == ""
        await asyncio.to_thread(read_all, kafka, TOPIC)  # no right to a group is needed
        assert follower.error == ""
        secure.forbid("losing", TOPIC)
        await until(
            lambda: TOPIC in follower.error and "kafka.authentication" in follower.error, 20, lambda: follower.error
        )
        secure.allow("losing", TOPIC)
        await until(lambda: follower.error == "", 20, lambda: follower.error)
    finally:
        await asyncio.to_thread(follower.close)


def test_a_worker_that_loses_its_topic_says_so_until_it_is_back(secure: SecureKafka, tmp_path: Path) -> None:
    """Without the right to its topic it has no partition, and no lane that could fail. Its log names the setting."""
    secure.allow("reader", TOPIC, group="secured.raw")
    with _worker_of("reader", secure, tmp_path) as log:
        wait_until(lambda: "action.assigned" in log.read_text(), 30, log.read_text)
        secure.forbid("reader", TOPIC)
        wait_until(lambda: _told(log), 30, log.read_text)
        secure.allow("reader", TOPIC)
        wait_until(lambda: "action.connected" in log.read_text(), 30, log.read_text)

    assert all("kafka.authentication" in each for each in _told(log)), _told(log)
    assert "Traceback" not in log.read_text()


async def test_a_reader_needs_no_right_to_a_consumer_group(secure: SecureKafka) -> None:
    """Commands, traces and tables of aliases read without a group, so a user that may READ the topic alone is enough."""
    kafka = _kafka_of(secure, "reads alone")
    secure.allow_named("reads alone", "topic", TOPIC, "literal", ["Read"])
    told: asyncio.Queue[Any] = asyncio.Queue()
    table = TableReader(kafka.model_copy(update={"aliases_topic": TOPIC}), told.put_nowait)
    producer = Producer(kafka_of(settings(secure, "plain")), process="tests")
    await producer.connect()
    await producer.send(TOPIC, [Outgoing(b"a", b"for readers", [], int(time.time() * 1000))])
    await producer.close()

    found = await asyncio.to_thread(lambda: [*newest(kafka, 1), list(everything(kafka, TOPIC))[-1]])
    table.start()
    await asyncio.wait_for(table.caught_up(), patient(30))
    await table.close()

    assert [each.value for each in found] == [b"for readers"] * 2


def test_a_plan_of_a_replay_asks_for_no_right_to_write(secure: SecureKafka, s3: S3Part, tmp_path: Path) -> None:
    """A plan sends no dead letter, so a user that may only read can make it, and nothing is complained about."""
    secure.allow_named("plans", "topic", TOPIC, "literal", ["Read"])
    bucket = f"plans-{uuid.uuid4().hex}"
    s3.client().create_bucket(Bucket=bucket)
    config = config_of(tmp_path, _section_of(secure, "plans"))
    found = yaml.safe_load(config.read_text())
    keys = {"access_key_id": s3.access_key_id, "secret_access_key": s3.secret_access_key}
    found["connectors"]["s3"]["lake"] = {"host": s3.host, "port": s3.port, **keys, "transport_options": NO_TLS}
    parameters = {"mode": "aggregated", "bucket": bucket, "key": "a/${partition}-${offset}.jsonl"}
    found["actions"]["s3"]["raw"]["parameters"] = parameters
    config.write_text(json.dumps(found))

    command = [sys.executable, "-m", "pipeline.cli", "replay", "-c", str(config), "raw", "--from", "0", "--plan"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patient(60))

    assert (done.returncode, done.stderr) == (0, "")


def test_a_user_that_may_not_make_the_missing_topics_is_told(secure: SecureKafka) -> None:
    """It has all rights that an ingress needs, and the topic does not exist: what lacks is CREATE, and neither READ nor WRITE."""
    secure.allow_named("makes nothing", "topic", "not.made", "literal", ["Write"])
    kafka = _section_of(secure, "makes nothing") | dict.fromkeys(
        ("messages_topic", "events_topic", "dead_letter_topic"), "not.made"
    )

    with pytest.raises(
        OperatorError, match=r"cannot create not\.made, which Kafka does not have: .*needs CREATE on the topic"
    ):
        ensure_topics(kafka_of(kafka))


async def test_a_user_that_may_only_describe_a_group_is_told(secure: SecureKafka) -> None:
    """It could look at the group and never join it, and the consumer would ask again and again without a word."""
    kafka = _kafka_of(secure, "describes")
    secure.allow_named("describes", "topic", TOPIC, "literal", ["Read"])
    secure.allow_named("describes", "group", "secured.described", "literal", ["Describe"])

    with pytest.raises(OperatorError, match=r"secured\.described: .*needs READ on the consumer group"):
        await require_group(kafka, "secured.described")
    logs = await asyncio.to_thread(look_at_logs, kafka, "secured.described", {TOPIC: 0})
    assert [each.committed for each in logs] == [None]


def test_a_group_that_may_not_be_looked_at_is_told_at_once(secure: SecureKafka) -> None:
    """Not after ten seconds, and not as a Kafka that does not answer."""
    kafka = _kafka_of(secure, "no group")
    secure.allow_named("no group", "topic", TOPIC, "literal", ["Read"])

    with pytest.raises(OperatorError, match=r"secured\.raw: .*needs READ on the consumer group"):
        look_at_logs(kafka, "secured.raw", {TOPIC: 0})


def test_the_doctor_tells_what_the_user_of_each_process_lacks(secure: SecureKafka, tmp_path: Path) -> None:
    """A user with the rights of one process is no error. One that reads messages and may not use the group is."""
    secure.allow_named("works", "topic", TOPIC, "literal", ["Read", "Write"])
    config = load_file(config_of(tmp_path, _section_of(secure, "works")))

    before = [(each.name, each.state) for each in rights.check(config)]
    secure.allow_named("works", "group", "secured.raw", "literal", ["Read"])
    after = [(each.name, each.state) for each in rights.check(config)]

    assert before == [(f"kafka:{TOPIC} permissions", "ok"), ("kafka groups", "bad")]
    assert after == [(f"kafka:{TOPIC} permissions", "ok"), ("kafka groups", "ok")]


async def test_the_rights_of_the_manual_s_kafka_user_are_enough(secure: SecureKafka) -> None:
    """A user with the rights of the manual's KafkaUser makes topics, writes, reads and changes the configuration."""
    for each in _kafka_user()["spec"]["authorization"]["acls"]:
        resource = each["resource"]
        secure.allow_named("plant7", resource["type"], resource["name"], resource["patternType"], each["operations"])
    secure.set_scram_password("plant7", "a password")
    login = {"mechanism": "scram_sha_512", "username": "plant7", "password": "a password"}
    found = {name: value for name, value in settings(secure, "scram_sha_512").items() if not name.endswith("_topic")}
    config = load({"pipeline": "plant7", "kafka": found | {"authentication": login}, "control": {}})

    await asyncio.to_thread(ensure_topics, config.kafka)
    await asyncio.to_thread(ensure_lead_topic, config.kafka, "tidegate.lead", keep_trying=lambda: True)
    await asyncio.to_thread(ensure_aliases_topic, config.kafka, keep_trying=lambda: True)
    producer = Producer(config.kafka, process="ingress")
    await producer.connect()
    now_ms = int(time.time() * 1000)  # Kafka deletes what is older than its retention, whenever it looks
    await producer.send("mqtt.messages", [Outgoing(b"a", b"hello", [], now_ms)])
    await producer.close()
    async with ConfigLog(config) as log:
        await log.write(Change(puts={"user/a": {}}, by="anna", source="apply"))
    await require_group(config.kafka, "plant7.raw")
    read = await asyncio.to_thread(_first_of_group, config.kafka, "mqtt.messages", "plant7.raw")
    checks = await asyncio.to_thread(
        lambda: [*doctor.check(config.kafka, {}), *rights.check(config), *control.check(config)]
    )
    readable = await asyncio.to_thread(newest, config.kafka, 5)

    assert read == b"hello"
    assert [each.value for each in readable] == [b"hello"]
    assert [each for each in checks if each.state == "bad" or ("permissions" in each.name and each.state != "ok")] == []


def _kafka_of(secure: SecureKafka, user: str) -> KafkaConfig:
    """The section `kafka` for a user that logs in, and has no rights yet."""
    return kafka_of(_section_of(secure, user))


def _section_of(secure: SecureKafka, user: str) -> dict[str, Any]:
    secure.set_scram_password(user, "a password")
    login = {"mechanism": "scram_sha_512", "username": user, "password": "a password"}
    return settings(secure, "scram_sha_512") | {"authentication": login}


def _kafka_user() -> dict[str, Any]:
    (text,) = re.findall(r"^```\n(apiVersion:.*?)^```", MANUAL.read_text(encoding="utf-8"), re.M | re.S)
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def _first_of_group(kafka: KafkaConfig, topic: str, group: str) -> bytes | None:
    """The first record of a topic, for a member of a consumer group, which commits it."""
    consumer = Link(kafka).consumer("worker", {"group.id": group, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    message = consumer.poll(patient(30))
    assert message is not None
    assert message.error() is None
    consumer.commit(asynchronous=False)
    consumer.close()
    return message.value()


@contextmanager
def _worker_of(user: str, secure: SecureKafka, folder: Path) -> Iterator[Path]:
    """A worker that logs in as this user, until it is killed. Gives its log."""
    config = config_of(folder, _section_of(secure, user))
    command = [sys.executable, "-m", "pipeline.cli", "worker", "--log", "json", "-c", str(config)]
    log = folder / "worker.log"
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as worker:
        try:
            yield log
        finally:
            worker.kill()


def _told(log: Path) -> list[str]:
    """The errors of an action in a log, but for those of its store, which is not there."""
    return [
        line["error"]
        for line in log_lines(log)
        if line["event"] == "action.disconnected" and "HEAD" not in line["error"]
    ]
