"""Kafka behind TLS and logins: every mechanism with both libraries, what is wrong in one line, and what changes while we run."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import aiokafka
import pytest
from aiokafka.errors import TopicAuthorizationFailedError
from structlog.testing import capture_logs

from pipeline.connectors.kafka import reader
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.kafka.topics import look_at_topics
from pipeline.control.board import Board
from pipeline.control.config_log import ConfigLog
from pipeline.control.follower import Follower
from pipeline.control.objects import Change
from pipeline.control.status import ProcessReport
from pipeline.control.status_topic import following, reporting
from pipeline.errors import ConnectorError, OperatorError, RetryableError
from pipeline.record import Outgoing
from tests.components.pipeline_parts import Pipeline, aggregated, message
from tests.components.secure_settings import (
    COMMANDS,
    CONTROL_COMMANDS,
    TOPIC,
    Turning,
    config_of,
    controlled,
    kafka_of,
    reading,
    settings,
    wrong,
)
from tests.parts.part import S3Part
from tests.parts.secure_kafka import OUTSIDER, PASSWORD, SESSION_MS, SecureKafka
from tests.parts.waiting import patient, pause, until

pytestmark = pytest.mark.real

WAYS = ("tls", "mtls", "mtls as text", "plain", "scram_sha_256", "scram_sha_512", "oauth", "oauth token", "any name")


async def sent(producer: Producer, value: bytes) -> bytes:
    """Send one record, and give its value back."""
    now_ms = int(time.time() * 1000)  # Kafka deletes what is older than its retention, whenever it looks
    await producer.send(TOPIC, [Outgoing(b"k", value, [], now_ms)])
    return value


async def has_read(consumer: aiokafka.AIOKafkaConsumer, value: bytes) -> bool:
    """Read until this value comes."""
    async for record in consumer:
        if record.value == value:
            return True
    return False


@pytest.mark.parametrize("way", WAYS)
async def test_both_libraries_connect(secure: SecureKafka, way: str) -> None:
    """By each way, librdkafka writes a record and aiokafka reads it."""
    kafka = kafka_of(settings(secure, way))
    producer = Producer(kafka, process="tests")
    await producer.connect()
    consumer = reading(kafka)
    await consumer.start()

    try:
        value = await sent(producer, way.encode())

        assert await has_read(consumer, value)
    finally:
        await consumer.stop()
        await producer.close()


def test_what_is_wrong_is_told_by_its_setting(secure: SecureKafka) -> None:
    """Each wrong setting is one line that names it, and shows no secret."""
    cases = wrong(secure)

    def said(case: str) -> ConnectorError:
        with pytest.raises(ConnectorError) as error:
            look_at_topics(kafka_of(cases[case][0]))
        return error.value

    with ThreadPoolExecutor(len(cases)) as pool:
        found = dict(zip(cases, pool.map(said, cases), strict=True))

    for case, (_, setting) in cases.items():
        assert setting in str(found[case]), (case, str(found[case]))
        assert "\n" not in str(found[case])
        assert "wrong" not in str(found[case]), case
    waits = {case for case, error in found.items() if isinstance(error, RetryableError)}
    assert waits == {
        "no server of tokens",
        "TLS to a plain listener",
        "plain to a TLS listener",
        "a login without TLS",
        "no login",
    }


@pytest.mark.parametrize("case", ["password of scram", "an outsider"])
def test_every_command_tells_it_in_one_line(secure: SecureKafka, tmp_path: Path, case: str) -> None:
    """A wrong password, and a user without permissions, are one line of each command and process, and never the password."""
    if case == "an outsider":
        login = {"mechanism": "plain", "username": "outsider", "password": OUTSIDER}
        kafka, named = settings(secure, "plain") | {"authentication": login}, "kafka.authentication"
    else:
        kafka, named = wrong(secure)[case]
    config, in_kafka = config_of(tmp_path, kafka), controlled(tmp_path, kafka)
    objects = tmp_path / "objects.yaml"
    objects.write_text('rules: {hot: {sql: SELECT * FROM "t/#", actions: []}}', encoding="utf-8")

    def output(run: tuple[tuple[str, ...], Path]) -> str:
        words, file = run
        given = [str(objects) if word == "OBJECTS" else word for word in words]
        command = [sys.executable, "-m", "pipeline.cli", *given, "-c", str(file)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=patient(60), check=False)
        assert done.returncode != 0, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    runs = {name: (words, config) for name, words in COMMANDS.items()}
    runs |= {name: (words, in_kafka) for name, words in CONTROL_COMMANDS.items()}
    with ThreadPoolExecutor(len(runs) // 2) as pool:
        found = dict(zip(runs, pool.map(output, runs.values()), strict=True))

    for command, text in found.items():
        about = [line for line in text.splitlines() if named in line]
        assert about, (command, text)
        assert len(about) == 1 or command == "doctor", (command, text)
        assert "Traceback" not in text, (command, text)
        assert "wrong password" not in text, command
        assert OUTSIDER not in text, command


def test_a_worker_behind_a_login(secure: SecureKafka, s3: S3Part, tmp_path: Path) -> None:
    """A worker reads by SCRAM over TLS and writes its objects; its log shows no password; Kafka sees its name."""
    kafka = settings(secure, "scram_sha_512")
    first = f"127.0.0.1:1,{kafka['bootstrap_servers']}"  # nobody listens at the first address
    topics = {
        "messages_topic": "worker.messages",
        "events_topic": "worker.messages",
        "dead_letter_topic": "worker.dead",
    }
    session = {"session_timeout": "20s"}  # it is about the log of a worker that loses none
    own = {**kafka, **topics, **session, "bootstrap_servers": first}
    pipeline = Pipeline("worker", tmp_path, secure, s3, kafka_settings=own)
    pipeline.prepare("behind-a-login")
    pipeline.actions = {"raw": aggregated("behind-a-login", "a/${sequence}.jsonl", seconds=1)}
    pipeline.rules = {"all": ('SELECT clientid FROM "t/#"', ["raw"])}
    try:
        worker = pipeline.worker()
        pipeline.produce(message(f"device{number}", b"{}") for number in range(20))
        pipeline.wait_for_no_lag("raw")
        asked = pipeline._admin.describe_consumer_groups(["worker.raw"])["worker.raw"]
        names = {each.client_id for each in asked.result(patient(20)).members}
    finally:
        pipeline.stop()

    rows = b"".join(body for key, body in pipeline.objects("behind-a-login").items() if key.startswith("a/"))
    text = worker.log.read_text()
    assert len(rows.splitlines()) == 20
    assert names == {"tidegate-worker-worker-raw"}
    assert PASSWORD not in text
    told = [json.loads(line) for line in text.splitlines()]
    odd = [line for line in told if line["level"] != "info" and line["event"] != "kafka.topic_limited"]
    assert [line for line in odd if "Coordinator load in progress" not in line.get("text", "")] == []


def drop(consumer: aiokafka.AIOKafkaConsumer) -> None:
    """Close its connections, as a broker that restarts does."""
    for each in list(consumer._client._conns.values()):
        each.close()


async def test_a_password_is_replaced_while_running(secure: SecureKafka, tmp_path: Path) -> None:
    """When user and file have another password, both libraries log in with it as soon as the broker asks them again."""
    secret = tmp_path / "password"
    secret.write_text("the first password\n")
    secure.set_scram_password("turning", "the first password")
    login = {"mechanism": "scram_sha_512", "username": "turning", "password": f"file://{secret}"}
    kafka = kafka_of(settings(secure, "scram_sha_512") | {"authentication": login})
    producer = Producer(kafka, process="tests")
    await producer.connect()
    consumer = reading(kafka)
    await consumer.start()
    try:
        await sent(producer, b"with the first password")
        secure.set_scram_password("turning", "the second password")
        secret.write_text("the second password\n")
        begun = time.monotonic()
        for number in count():
            value = await sent(producer, f"{number} with the second password".encode())
            assert await has_read(consumer, value)
            if time.monotonic() - begun > 2 * SESSION_MS / 1000:
                break
            await pause(SESSION_MS / 4000)
    finally:
        await consumer.stop()
        await producer.close()


async def test_those_who_read_for_long_take_a_new_password(
    secure: SecureKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A replay that waits for its store, and who follows the configuration, log in with the password that replaced theirs."""
    monkeypatch.setattr(reader, "BATCH_RECORDS_MAX", 1)
    secret = tmp_path / "password"
    secret.write_text("the first password\n")
    secure.set_scram_password("turning", "the first password")
    login = {"mechanism": "scram_sha_512", "username": "turning", "password": f"file://{secret}"}
    kafka = kafka_of(settings(secure, "scram_sha_512") | {"authentication": login})
    producer = Producer(kafka_of(settings(secure, "scram_sha_512")), process="tests")
    await producer.connect()
    for number in range(3):
        await sent(producer, b"%d" % number)
    follower = Follower(kafka, TOPIC, lambda objects, revision: None)
    follower.start()
    end = (await asyncio.to_thread(reader.ranges, kafka, [TOPIC], reader.Bound(0), None))[0].end
    found = reader.batches(kafka, reader.Span(TOPIC, 0, end - 3, end))
    try:
        first = await asyncio.to_thread(next, found)
        secure.set_scram_password("turning", "the second password")
        secret.write_text("the second password\n")
        await pause(2 * SESSION_MS / 1000)
        rest = await asyncio.to_thread(list, found)
        await sent(producer, b"later")
        _, revision = await asyncio.to_thread(follower.catch_up, patient(30))
    finally:
        await asyncio.to_thread(follower.close)
        await producer.close()

    assert [each.value for batch in [first, *rest] for each in batch] == [b"0", b"1", b"2"]
    assert revision >= end


async def test_those_who_read_for_long_take_a_new_certificate(
    secure: SecureKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running replay, and who follows the configuration, use the certificate that replaced theirs, even an outsider's."""
    monkeypatch.setattr(reader, "BATCH_RECORDS_MAX", 1)
    secure.authority.write(tmp_path, "tidegate", "own")
    found = settings(secure, "mtls")
    tls = found["ssl"] | {"certfile": str(tmp_path / "own.pem"), "keyfile": str(tmp_path / "own.key")}
    kafka = kafka_of(found | {"ssl": tls})
    producer = Producer(kafka_of(settings(secure, "scram_sha_512")), process="tests")
    await producer.connect()
    for number in range(3):
        await sent(producer, b"%d" % number)
    follower = Follower(kafka, TOPIC, lambda objects, revision: None)
    follower.start()
    try:
        end = (await asyncio.to_thread(reader.ranges, kafka, [TOPIC], reader.Bound(0), None))[0].end
        batches = reader.batches(kafka, reader.Span(TOPIC, 0, end - 3, end))
        first = await asyncio.to_thread(next, batches)
        secure.authority.write(tmp_path, "outsider", "own")
        with pytest.raises(OperatorError, match=r"READ|DESCRIBE"):
            await asyncio.to_thread(list, batches)
        await until(lambda: follower.error != "")

        secure.authority.write(tmp_path, "tidegate again", "own")
        await sent(producer, b"later")
        _, revision = await asyncio.to_thread(follower.catch_up, patient(30))
    finally:
        await asyncio.to_thread(follower.close)
        await producer.close()

    assert [each.value for each in first] == [b"0"]
    assert revision >= end


@pytest.mark.parametrize("way", ["scram_sha_512", "mtls"])
async def test_reports_and_the_configuration_s_writer_take_what_is_new(
    secure: SecureKafka, tmp_path: Path, way: str
) -> None:
    """With what Kafka does not accept no report comes; with the password or certificate after it all go on."""
    turning, board, numbers = Turning(secure, tmp_path, way), Board(), count()

    async def reported() -> None:
        after = time.time() * 1000
        await until(lambda: any(each.at > after for each in board.reports(0)), 40)

    def report() -> ProcessReport:
        return ProcessReport("ingress@a", "ingress", 0, revision=next(numbers))

    async with ConfigLog(turning.config) as log, following(turning.config, board):
        async with reporting(turning.config, "ingress@a", report):
            await log.write(Change(puts={"user/a": {"number": 1}}))
            await reported()
            turning.break_()
            await pause(3 * SESSION_MS / 1000)
            (last,) = board.reports(0)
            assert last.at < (time.time() - SESSION_MS / 1000) * 1000
            turning.replace(2)
            await reported()
            written = await log.write(Change(puts={"user/a": {"number": 2}}))

    assert written.objects["user/a"].value == {"number": 2}


async def test_a_certificate_is_replaced_while_running(secure: SecureKafka, tmp_path: Path) -> None:
    """Both libraries go over to the certificate that replaced their own, without loss, and not to one that cannot be used."""
    secure.authority.write(tmp_path, "tidegate", "own")
    tls = {"certfile": str(tmp_path / "own.pem"), "keyfile": str(tmp_path / "own.key")}
    found = settings(secure, "mtls")
    kafka = kafka_of(found | {"ssl": found["ssl"] | tls})
    producer = Producer(kafka, process="tests")
    await producer.connect()
    consumer = reading(kafka)
    await consumer.start()
    try:
        with capture_logs() as logged:
            first = producer._shared
            (tmp_path / "own.key").write_text(secure.authority.sign("nobody")[1])  # of no certificate that is there
            await until(
                lambda: "kafka.certificates_unusable" in [line["event"] for line in logged], what=lambda: str(logged)
            )
            assert await has_read(consumer, await sent(producer, b"with the first certificate"))
            assert producer._shared is first
        secure.authority.write(tmp_path, "tidegate again", "own")
        drop(consumer)
        values: list[bytes] = []
        while producer._shared is first:
            values.append(await sent(producer, str(len(values)).encode()))
        values.append(await sent(producer, b"with the second certificate"))
        assert await has_read(consumer, values[-1])

        secure.authority.write(tmp_path, "outsider", "own")  # who may not do anything: a proof that it is used
        second = producer._shared
        await until(lambda: producer._shared is not second)
        drop(consumer)
        said = r"needs DESCRIBE|needs WRITE|_FATAL"  # whichever comes first
        with pytest.raises((OperatorError, RetryableError), match=said):
            await sent(producer, b"with the certificate of an outsider")
        with pytest.raises(TopicAuthorizationFailedError):
            await has_read(consumer, b"")
    finally:
        await consumer.stop()
        await producer.close()
