"""While Kafka is away, each command ends in time with one message, and each process waits with one line."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka.errors import KafkaConnectionError

from agents.lanes.lane import Lane
from agents.runner import ActionRunner
from agents.stream import app as wiring
from agents.stream.worker_log import SharedTopicIds
from pipeline.action import compile_action
from pipeline.config import KafkaConfig, S3Connector
from pipeline.connectors.kafka.client import ANSWER_SECONDS
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.kafka.topic_ids import TopicIds
from pipeline.connectors.s3.store import S3Store
from pipeline.demo.process import free_port
from tests.components.pipeline_parts import Make, direct
from tests.parts.actions import ALL, aggregated, configuration
from tests.parts.waiting import patient

CONFIG = """\
pipeline: away
kafka: {{bootstrap_servers: "127.0.0.1:{kafka}"}}
sources: {{mqtt: {{broker: {{server: "127.0.0.1:{mqtt}", topics: ["t/#"]}}}}}}
connectors:
  s3: {{lake: {{host: 127.0.0.1, port: {s3}, access_key_id: k, secret_access_key: open-sesame}}}}
actions:
  s3: {{raw: {{connector: lake, parameters: {{bucket: sink, key: "a/${{clientid}}.json", content: "${{payload}}"}}}}}}
rules:
  hot: {{sql: 'SELECT clientid, payload FROM "t/#"', actions: ["s3:raw"]}}
metrics: {{worker_port: 0, ingress_port: 0}}
"""
COMMANDS = [
    ("dead-letter", "list"),
    ("dead-letter", "list", "--summary"),
    ("dead-letter", "show", "0:1"),
    ("dead-letter", "redrive"),
    ("replay", "raw", "--from", "0", "--plan"),
    ("rule", "test", "--rule", "hot", "--from-kafka", "3"),
]
# They need the configuration that is in Kafka. It may be about to start, so they ask a second time.
ON_TOPIC = [("get", "rules"), ("history", "rule/hot"), ("export",), ("delete", "rule/hot")]
OWN = CONFIG.partition("sources:")[0] + "control: {{topic: rules}}\n"
# Kafka gets 10 s to answer; the rest is Python's start on a busy machine.
SECONDS_MAX = 60.0


def start(config: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command as a person runs it."""
    command = [sys.executable, "-m", "pipeline.cli", *arguments, "-c", str(config)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "away.yaml"
    path.write_text(CONFIG.format(kafka=free_port(), mqtt=free_port(), s3=free_port()))
    return path


def address(config: Path) -> str:
    """The address without a Kafka."""
    return config.read_text().split('bootstrap_servers: "')[1].split('"')[0]


def test_a_command_says_that_it_waits_and_gives_up_with_one_message(config: Path) -> None:
    """The message has the operation, address, setting and reason, the status is 2, and no library prints a line."""
    running = {words: start(config, *words) for words in COMMANDS}

    ended = {
        words: (*process.communicate(timeout=SECONDS_MAX), process.returncode) for words, process in running.items()
    }

    for words, (out, err, status) in ended.items():
        assert (words, out, status) == (words, "", 2)
        waiting, error = err.splitlines()
        assert waiting == f"waiting for Kafka at {address(config)}"
        assert error.startswith("error: cannot read: Kafka at "), (words, err)
        assert f"{address(config)} (kafka.bootstrap_servers) does not answer: " in error
        assert "Connection refused" in err


def test_a_command_on_the_configuration_in_kafka_says_that_it_waits(config: Path) -> None:
    """It gives up later than others, and says for which Kafka it waits, and then why it gave up."""
    config.write_text(OWN.format(kafka=free_port()))
    running = {words: start(config, *words) for words in ON_TOPIC}

    ended = {
        words: (*process.communicate(timeout=SECONDS_MAX), process.returncode) for words, process in running.items()
    }

    for words, (out, err, status) in ended.items():
        assert (words, out, status) == (words, "", 2)
        waiting, error = err.splitlines()
        assert waiting == f"waiting for Kafka at {address(config)}"
        assert error.startswith("error: cannot prepare the topics: Kafka at ")
        assert error.endswith(f"{address(config)} failed: Connection refused")


def test_the_doctor_says_it_as_a_check(config: Path) -> None:
    """Kafka's check is one bad line with the address, and the other checks run."""
    out, err = start(config, "doctor").communicate(timeout=SECONDS_MAX)

    bad = [line for line in out.splitlines() if line.startswith("bad     kafka connection: ")]
    assert err == f"waiting for Kafka at {address(config)}\n"
    assert len(bad) == 1
    assert f"{address(config)} (kafka.bootstrap_servers) does not answer: " in bad[0]
    assert "s3:raw bucket sink" in out


@pytest.mark.parametrize("command", ["ingress", "worker"])
def test_a_process_waits_with_one_line(config: Path, command: str) -> None:
    """A process logs once that it waits, and stops in order."""
    process = start(config, command, "--log", "json")
    assert process.stderr is not None
    try:
        waiting = json.loads(process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        _, rest = process.communicate(timeout=SECONDS_MAX)
    finally:
        process.kill()

    assert (waiting["event"], waiting["servers"], waiting["level"]) == ("kafka.waiting", address(config), "warning")
    assert "Connection refused" in waiting["error"]
    later = [json.loads(line) for line in rest.splitlines()]
    assert [line for line in later if line["logger"] == "tidegate.kafka" or line["level"] != "info"] == []
    assert process.returncode == 0
    assert time.monotonic() - began < SECONDS_MAX


USER = {"authentication": {"mechanism": "plain", "username": "worker", "password": "open-sesame"}}


def runner(kafka_port: int, store: S3Store, **kafka_settings: object) -> ActionRunner:
    """The runner of an action, as a worker that has found its topics makes it."""
    parameters = {"bucket": "sink", "key": "${id}", "content": "${.}"}
    kafka = {"bootstrap_servers": f"127.0.0.1:{kafka_port}", **kafka_settings}
    config = configuration("raw", ALL, "n", {"parameters": parameters}, kafka=kafka)
    ids = SharedTopicIds(TopicIds(config.kafka, "topics"), {"mqtt.messages"})
    return ActionRunner(compile_action(config, "raw"), config, store, Producer(config.kafka, process="worker"), ids)


@pytest.mark.parametrize("kafka_settings", [{}, USER], ids=["nobody", "user"])
@pytest.mark.parametrize("has_begun", [False, True])
async def test_an_action_ends_while_kafka_does_not_answer(has_begun: bool, kafka_settings: dict[str, object]) -> None:
    """Kafka takes the connection and says nothing: a stop ends the start, whenever it comes, also with a login."""
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        writer.close()

    stop = asyncio.Event()
    kafka = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with kafka, S3Store(S3Connector(host="127.0.0.1", port=free_port())) as store:
        running = asyncio.create_task(runner(kafka.sockets[0].getsockname()[1], store, **kafka_settings).run(stop))
        if has_begun:
            async with asyncio.timeout(patient(10)):
                await asked.wait()
        stop.set()
        began = time.monotonic()
        await running
        assert time.monotonic() - began < ANSWER_SECONDS


@pytest.mark.real
def test_a_worker_ends_while_kafka_is_frozen(make: Make) -> None:
    """Kafka does not answer to the commit and the leave of a worker that has started; the worker ends all the same."""
    pipeline = make(actions={"raw": direct("frozen", "${id}")}, rules={"r": ('SELECT * FROM "t/#"', ["raw"])})
    pipeline.prepare("frozen")
    worker = pipeline.worker()
    pipeline.kafka.pause()
    began = time.monotonic()
    try:
        worker.stop()
    finally:
        pipeline.kafka.resume()

    assert time.monotonic() - began < patient(20), worker.tail()


async def test_an_app_that_cannot_start_leaves_nothing_behind() -> None:
    """Kafka may go away after the worker has found it: what Faust had begun by then is ended."""
    tasks = asyncio.all_tasks()
    kafka = KafkaConfig(bootstrap_servers=f"127.0.0.1:{free_port()}")
    app = wiring.build("nobody", aggregated("a", {"r": 'SELECT * FROM "t/#"'}), kafka, Lane)

    with pytest.raises(KafkaConnectionError):
        async with wiring.running(app, asyncio.Event()):
            pass

    del app
    gc.collect()  # a producer that is not closed warns, and warnings are errors
    assert asyncio.all_tasks() == tasks
