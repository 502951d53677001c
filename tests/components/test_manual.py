"""The commands of README and of docs/operations.md, given one after the other on real servers, as a newcomer would give them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline.demo.process import Server, free_port
from tests.components.ingress_process import get
from tests.components.mqtt_publisher import Publisher
from tests.parts.part import KafkaPart, MqttPart, S3Part
from tests.parts.waiting import patient, until

ROOT = Path(__file__).parents[2]
README, OPERATIONS = ROOT / "README.md", ROOT / "docs" / "operations.md"
# Commands about what is not there in this trial: what they say instead of doing it.
NOT_THERE = {"dead-letter show": "no dead letter"}

ROW = re.compile(r"^tidegate_worker_rows_total\{.*\} [1-9]", re.MULTILINE)

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(240)]


def commands(page: Path) -> list[list[str]]:
    """The words of each `tidegate …` in the blocks of a page, and of what publishes a message."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    lines = [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]
    wanted = [words for words in lines if words and words[0] in ("tidegate", "mosquitto_pub")]
    return [words for words in wanted if words[1:2] != ["servers"]]  # this trial has servers already


def configuration(kafka: KafkaPart, broker: MqttPart, s3: S3Part, ports: dict[str, int]) -> str:
    """README's own file, with the addresses of this machine, and topics that no other test uses."""
    (text,) = re.findall(r"```yaml\n(# my\.yaml.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names = ", ".join(f"{name}_topic: manual.{name}" for name in ("messages", "events", "dead_letter"))
    for here, there in {
        '"127.0.0.1:9092"': f'"{kafka.bootstrap_servers}", {names}, partitions: 4',
        "127.0.0.1:1883": broker.server_address,
        "port: 7070, access_key_id: tidegate": f"port: {s3.port}, access_key_id: {s3.access_key_id}",
    }.items():
        assert here in text
        text = text.replace(here, there)
    return f"{text}metrics: {{ingress_port: {ports['ingress']}, worker_port: {ports['worker']}}}\n"


async def test_the_commands_of_the_manual_do_what_the_manual_says(
    kafka: KafkaPart, mqtt_broker: MqttPart, s3: S3Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever copies them needs to find out nothing more."""
    monkeypatch.setenv("S3_SECRET", s3.secret_access_key)
    ports = {"ingress": free_port(), "worker": free_port()}
    (tmp_path / "my.yaml").write_text(configuration(kafka, mqtt_broker, s3, ports), encoding="utf-8")
    s3.client().create_bucket(Bucket="iot-data")
    running: dict[str, Server] = {}
    try:
        for words in commands(README):
            if words[-1] == "&":
                running[words[1]] = server = started(tmp_path, words[1:-1], ports[words[1]])
                server.start()
            elif words[0] == "mosquitto_pub":
                await publish(mqtt_broker, words)
                await until(lambda: ROW.search(page(ports["worker"], "/metrics")), 60)
                running["worker"].stop()  # its last object is written now and not in a minute
            else:
                run(tmp_path, words[1:])
        for words in commands(OPERATIONS):
            run(tmp_path, words[1:])
    finally:
        for server in running.values():
            server.stop()


async def publish(broker: MqttPart, words: list[str]) -> None:
    """What mosquitto_pub would do with these words; it may not be on this machine."""
    given = dict(zip(words[1::2], words[2::2], strict=True))
    publisher = await Publisher.connect(broker.host, broker.port_311, "mosquitto_pub")
    await publisher.publish(given["-t"], [given["-m"].encode()], qos=int(given["-q"]))
    await publisher.finish()


def started(folder: Path, words: list[str], port: int) -> Server:
    """A process in the background; it is ready when its page says so."""
    return Server(
        words[0],
        [sys.executable, "-m", "pipeline.cli", *words],
        folder / f"{words[0]}.log",
        lambda: bool(page(port, "/readyz")),
        folder=folder,
        ready_seconds=patient(60),
        stop_seconds=patient(30),
    )


def page(port: int, path: str) -> str:
    """What a process says of itself; empty until it answers with 200."""
    with suppress(OSError):
        return get(f"http://127.0.0.1:{port}{path}") or "\n"
    return ""


def run(folder: Path, words: list[str]) -> None:
    """A command to its end, which is good, or says what it did not find."""
    command = [sys.executable, "-m", "pipeline.cli", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=patient(60), input="y\n")
    line, said = " ".join(words), done.stdout + done.stderr
    missing = next((text for part, text in NOT_THERE.items() if part in line), None)
    if missing is None:
        assert done.returncode == 0, f"tidegate {line}: {said}"
    else:
        assert missing in said, f"tidegate {line}: {said}"
