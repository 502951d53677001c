"""Secrets in the topic of a real Kafka, as a person makes keys, applies, rotates and looks."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.config.base.sealed import opened_with, read_keys
from pipeline.connectors.kafka.client import Link
from pipeline.control.follower import open_reader
from pipeline.control.whole import load_whole
from tests.parts.part import KafkaPart
from tests.parts.waiting import patient

pytestmark = pytest.mark.real

SECRET = "sesame-open-sesame"
STORE = f"""\
connectors:
  s3:
    lake:
      host: s3.plant
      access_key_id: lake
      secret_access_key: {SECRET}
      transport_options: {{headers: {{x-auth-token: {SECRET}}}}}
"""


def test_secrets_are_sealed_for_the_workers(kafka: KafkaPart, tmp_path: Path) -> None:
    """Without a key they are refused; with one, only a process with its file reads them, also after a rotation."""
    topic, own, keys = f"config-{uuid.uuid4().hex[:12]}", tmp_path / "own.yaml", tmp_path / "keys"
    store = tmp_path / "store.yaml"
    store.write_text(STORE)
    own.write_text(
        f"pipeline: plant7\nkafka: {{bootstrap_servers: '{kafka.bootstrap_servers}', replication_factor: 1}}\n"
        f"control: {{topic: {topic}, secrets_key: {keys}}}\n"
    )

    def say(*arguments: str, text: str = "") -> Result:
        return CliRunner().invoke(app, [*arguments, "-c", str(own)], input=text)

    assert "tidegate secrets init" in str(say("apply", "-f", str(store)).exception)
    assert say("secrets", "init").exit_code == 0
    assert say("apply", "-f", str(store)).exit_code == 0
    assert "nothing to change" in say("apply", "-f", str(store)).output
    assert secret_of(own) == (SECRET, SECRET)
    exported = yaml.safe_load(say("export").stdout)["connectors"]["s3"]["lake"]["secret_access_key"]
    assert exported.startswith("sealed:")
    assert say("secrets", "seal", text="another\n").stdout.startswith("sealed:")

    assert say("secrets", "rotate").exit_code == 0
    assert secret_of(own) == (SECRET, SECRET)
    assert "1 objects" in say("secrets", "rotate", "--finish").output
    first, second = read_keys(keys)
    assert f"sealed:{second.id}:" in say("export").stdout
    assert f"sealed:{first.id}:" not in say("export").stdout
    assert secret_of(own) == (SECRET, SECRET)

    told = [say(*each).output for each in (["get"], ["history", "--show"], ["history"])]
    assert [text for text in (*told, *records(kafka, own, topic)) if SECRET in text] == []
    opened_with(None)


def secret_of(own: Path) -> tuple[str, str]:
    """What a process with this file reads."""
    lake = load_whole(own).connectors.s3["lake"]
    assert lake.secret_access_key is not None
    return lake.secret_access_key.reveal(), lake.transport_options.headers["x-auth-token"].reveal()


def records(kafka: KafkaPart, own: Path, topic: str) -> list[str]:
    """Every record of the topic, as bytes that are read as text."""
    from confluent_kafka import TopicPartition

    from pipeline.control.whole import load_own

    consumer = open_reader(Link(load_own(own).kafka, silent=True), "reader-of-secrets")
    consumer.assign([TopicPartition(topic, 0, 0)])
    found, seconds = [], patient(20)  # the first record may take long; those behind it come with it
    while (message := consumer.poll(seconds)) is not None and message.error() is None:
        found.append(f"{message.key()!r} {message.value()!r} {message.headers()!r}")
        seconds = 2
    consumer.close()
    assert len(found) > 3
    return found
