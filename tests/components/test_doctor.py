"""`tidegate doctor` with good and bad real servers: its checks, and that it leaves nothing behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from pipeline.config import KafkaConfig
from pipeline.config.sources import MqttSource
from pipeline.connectors.kafka.topics import require_topics
from pipeline.demo import embedded
from pipeline.demo.process import free_port
from pipeline.doctor.visit import Visit
from pipeline.errors import OperatorError
from tests.parts import mosquitto
from tests.parts.certificates import certificate
from tests.parts.faulty_s3 import Fault, FaultyS3
from tests.parts.part import KafkaPart, MqttPart, S3Part
from tests.parts.waiting import patient

pytestmark = pytest.mark.real

Broker = Callable[..., MqttPart]
Found = dict[str, dict[str, Any]]


@pytest.fixture
def broker(mqtt_broker: MqttPart, tmp_path: Path) -> Iterator[Broker]:
    """Start a separate mosquitto with more lines of configuration."""
    started: list[MqttPart] = []

    def start(more: str = "") -> MqttPart:
        folder = tmp_path / f"mosquitto{len(started)}"
        folder.mkdir()
        started.append(mosquitto.start(folder, more=more))
        return started[-1]

    yield start
    for each in started:
        each.stop()


def run(folder: Path, config: dict[str, Any], *more: str) -> tuple[int, str]:
    """Exit status and output."""
    path = folder / "doctor.yaml"
    path.write_text(json.dumps(config), encoding="utf-8")
    command = [sys.executable, "-m", "pipeline.cli", "doctor", "-c", str(path), *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=patient(60))
    assert "Traceback" not in done.stderr, done.stderr
    assert "sesame" not in done.stdout + done.stderr
    return done.returncode, done.stdout + done.stderr


def examine(folder: Path, config: dict[str, Any]) -> tuple[int, Found]:
    """Exit status and the checks by name."""
    status, text = run(folder, config, "--output", "json")
    found = json.loads(text.partition("\n")[0])  # then what standard error says: that it waits for Kafka
    assert sum(found[state] for state in ("ok", "warn", "bad", "skipped")) == len(found["checks"])
    return status, {check["name"]: check for check in found["checks"]}


def pipeline(kafka: KafkaPart | None, **parts: Any) -> dict[str, Any]:
    """A configuration. Without a Kafka, its address has no server."""
    name = f"doctor{uuid.uuid4().hex[:8]}"
    topics = {each: f"{name}.{each}" for each in ("messages_topic", "events_topic", "dead_letter_topic")}
    servers = kafka.bootstrap_servers if kafka else f"127.0.0.1:{free_port()}"
    return {"pipeline": name, "kafka": {"bootstrap_servers": servers, **topics}, **parts}


def mqtt(part: MqttPart, **source: Any) -> dict[str, Any]:
    return {"mqtt": {"plant": {"server": part.server_address, "topics": ["t/#"], **source}}}


def make_topics(config: dict[str, Any], partitions: tuple[int, int, int] = (4, 4, 4), **settings: str) -> None:
    kafka = config["kafka"]
    admin = AdminClient({"bootstrap.servers": kafka["bootstrap_servers"]})
    names = [kafka[each] for each in ("messages_topic", "events_topic", "dead_letter_topic")]
    wide = {"max.message.bytes": str(20 << 20)} | {name.replace("_", "."): value for name, value in settings.items()}
    new = [NewTopic(name, count, 1, config=wide) for name, count in zip(names, partitions, strict=True)]
    for future in admin.create_topics(new).values():
        future.result(patient(20))


def s3_action(s3: S3Part, bucket: str, mode: str = "aggregated", **connector: Any) -> dict[str, Any]:
    lake = {
        "host": s3.host,
        "port": s3.port,
        "access_key_id": s3.access_key_id,
        "secret_access_key": s3.secret_access_key,
        "transport_options": {"ssl": {"enable": False}, "max_retries": 0},
        **connector,
    }
    action = {"connector": "lake", "parameters": {"mode": mode, "bucket": bucket, "key": "x/${partition}"}}
    return {"connectors": {"s3": {"lake": lake}}, "actions": {"s3": {"rows": action}}}


def test_a_healthy_pipeline_is_told_so(kafka: KafkaPart, s3: S3Part, broker: Broker, tmp_path: Path) -> None:
    """Each check is one ok line, the status is 0, and only the worker's own probe stays in the bucket."""
    bucket = f"doctor-{uuid.uuid4().hex[:8]}"
    s3.client().create_bucket(Bucket=bucket)
    config = pipeline(kafka, sources=mqtt(broker()), **s3_action(s3, bucket))
    make_topics(config)

    status, text = run(tmp_path, config)

    lines = text.splitlines()
    assert status == 0, text
    assert lines[-1] == f"{len(lines) - 1} ok, 0 warn, 0 bad, 0 skipped"
    assert all(line.startswith("ok ") for line in lines[:-1])
    assert any("mqtt:plant queue: all 1,200 messages" in line for line in lines)
    left = [each["Key"] for each in s3.client().list_objects_v2(Bucket=bucket)["Contents"]]
    assert left == ["_tidegate/probe"]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_queue_of_a_thousand_is_bad(kafka: KafkaPart, broker: Broker, tmp_path: Path, protocol: str) -> None:
    """An unchanged mosquitto keeps 1,000 messages: the check is bad, and says what to set; the session is removed."""
    part = broker("max_queued_messages 1000\n")

    status, found = examine(tmp_path, pipeline(kafka, sources=mqtt(part, protocol=protocol)))

    check = found["mqtt:plant queue"]
    assert (status, check["state"], found["mqtt:plant connection"]["state"]) == (1, "bad", "ok")
    assert "of 1,200 messages published while we were away the broker kept 1,0" in check["found"]
    assert "max_queued_messages 0" in check["advice"]
    assert "max_mqueue_len" in check["advice"]
    assert sessions(part) == 0


def sessions(part: MqttPart) -> int:
    """How many of the doctor's clientids, as the broker's log names them, still have a session."""
    clientids = set(re.findall(r" as (tidegate-doctor-\w+) ", part.server.log.read_text()))
    assert len(clientids) == 3, "the connection's, the reader's and the publisher's"
    source = MqttSource(server=part.server_address, topics=["t"])
    present = 0
    for clientid in clientids:
        with Visit(source, clientid, session_expiry_seconds=1) as visit:
            present += visit.session_present
    return present


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("topic read tidegate/doctor/#\n", "does not let us publish"),
        ("topic write tidegate/doctor/#\n", "tidegate/doctor/"),
    ],
    ids=["read only", "write only"],
)
def test_an_access_rule_that_forbids_the_probe_is_no_fault(
    kafka: KafkaPart, broker: Broker, tmp_path: Path, protocol: str, rules: str, expected: str
) -> None:
    """A forbidden probe is skipped with the reason and a rule to allow it."""
    access = tmp_path / "acl"
    access.write_text(rules)
    part = broker(f"acl_file {access}\n")

    _, found = examine(tmp_path, pipeline(kafka, sources=mqtt(part, protocol=protocol)))

    check = found["mqtt:plant queue"]
    assert (check["state"], found["mqtt:plant connection"]["state"]) == ("skipped", "ok")
    assert expected in check["found"]
    assert "allow tidegate/doctor/#" in check["advice"]


@pytest.mark.parametrize(
    ("source", "state", "expected"),
    [
        ({"username": "anna", "password": "sesame"}, "ok", "as 'anna'"),
        ({"username": "anna", "password": "sesame2"}, "bad", "refused the connection as 'anna': Not authorized"),
        ({}, "bad", "Not authorized"),
        ({"username": "anna", "password": "sesame", "ssl": {"enable": True}}, "bad", "cannot reach"),
        ({"username": "anna", "password": "sesame", "transport": "websockets"}, "bad", "cannot reach"),
    ],
    ids=["right", "wrong", "none", "tls", "websocket"],
)
def test_credentials_and_transport_are_the_ingresss_own(
    kafka: KafkaPart, broker: Broker, tmp_path: Path, source: dict[str, Any], state: str, expected: str
) -> None:
    """The check uses the source's credentials, TLS and WebSocket, and never prints the password."""
    with_passwords = broker(passwords(tmp_path, "anna", "sesame"))

    status, found = examine(tmp_path, pipeline(kafka, sources=mqtt(with_passwords, **source)))

    check = found["mqtt:plant connection"]
    assert (check["state"], status) == (state, 1 if state == "bad" else 0), check
    assert expected in check["found"]
    assert found["mqtt:plant queue"]["state"] == ("ok" if state == "ok" else "skipped")


def passwords(folder: Path, username: str, password: str) -> str:
    """Lines of mosquitto's configuration that let only this user in."""
    path = folder / "mosquitto.passwords"
    tool = Path(mosquitto.program()).parent.parent / "bin" / "mosquitto_passwd"
    path.touch(mode=0o600)
    subprocess.run([str(tool), "-b", str(path), username, password], check=True, timeout=20)
    return f"allow_anonymous false\npassword_file {path}\n"


@pytest.mark.parametrize(
    ("ssl", "state"),
    [({"cacertfile": "cert.pem"}, "ok"), ({}, "bad"), ({"cacertfile": "nowhere.pem"}, "bad")],
    ids=["trusted", "unknown", "no file"],
)
def test_tls_is_looked_at(kafka: KafkaPart, broker: Broker, tmp_path: Path, ssl: dict[str, str], state: str) -> None:
    """A trusted certificate is ok, and an untrusted one or a missing file is bad."""
    certificate(tmp_path)
    port = free_port()
    files = f"cafile {tmp_path}/cert.pem\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem\n"
    part = broker(f"listener {port} 127.0.0.1\n{files}")
    given = {"enable": True} | {name: str(tmp_path / file) for name, file in ssl.items()}
    source = {"server": f"127.0.0.1:{port}", "ssl": given}

    _, found = examine(tmp_path, pipeline(kafka, sources=mqtt(part, **source)))

    check = found["mqtt:plant connection"]
    assert check["state"] == state, check
    assert ("TLS" in check["found"]) is True


def test_a_broker_that_forgets_sooner_than_asked_is_told(kafka: KafkaPart, broker: Broker, tmp_path: Path) -> None:
    """A shorter session expiry is a warning, and so is no session at all."""
    _, found = examine(tmp_path, pipeline(kafka, sources=mqtt(broker(), session_expiry="0s")))

    check = found["mqtt:plant connection"]
    assert (check["state"], check["found"]) == ("warn", "session_expiry is 0")


def test_sources_that_others_connect_to_are_skipped_with_the_reason(tmp_path: Path) -> None:
    """ExHook and the listener have no broker to check, and a missing Kafka is bad."""
    sources = {
        "exhook": {"emqx": {"bind": f"127.0.0.1:{free_port()}"}},
        "listener": {"devices": {"bind": f"127.0.0.1:{free_port()}", "authentication": "none", "topics": ["t/#"]}},
    }

    status, found = examine(tmp_path, pipeline(None, sources=sources))

    assert "EMQX connects to the ingress" in found["exhook:emqx"]["found"]
    assert "devices connect to the ingress" in found["listener:devices"]["found"]
    assert (found["exhook:emqx"]["state"], found["listener:devices"]["state"]) == ("skipped", "skipped")
    assert (status, found["kafka connection"]["state"]) == (1, "bad")
    assert "kafka.bootstrap_servers" in found["kafka connection"]["advice"]


@pytest.mark.parametrize(
    ("partitions", "settings", "which", "state", "expected"),
    [
        ((4, 6, 4), {}, "partitions", "bad", "has 6"),
        ((4, 4, 4), {"max_message_bytes": "1000000"}, ":{}.messages_topic size", "warn", "records of 999,488 bytes"),
        ((4, 4, 4), {"retention_ms": "3600000"}, ":{}.messages_topic retention", "warn", "forgets after 1 h"),
        ((4, 4, 4), {"retention_bytes": "1000000"}, ":{}.events_topic retention", "warn", "beyond 1,000,000 bytes"),
        ((4, 4, 4), {"cleanup_policy": "compact"}, ":{}.messages_topic retention", "bad", "compact"),
        ((4, 4, 4), {"retention_ms": "-1"}, ":{}.dead_letter_topic retention", "ok", "forgets nothing"),
    ],
    ids=["partitions", "size", "time", "bytes", "compact", "for ever"],
)
def test_topics_that_do_not_fit_are_found(
    kafka: KafkaPart,
    tmp_path: Path,
    partitions: tuple[int, int, int],
    settings: dict[str, str],
    which: str,
    state: str,
    expected: str,
) -> None:
    """Unequal partitions and compaction are bad, and limits are a warning with an advice."""
    config = pipeline(kafka)
    make_topics(config, partitions, **settings)

    status, found = examine(tmp_path, config)

    separator = "" if which.startswith(":") else " "
    check = found["kafka" + separator + which.format(config["pipeline"])]
    assert (check["state"], expected in check["found"]) == (state, True), check
    assert bool(check["advice"]) == (state != "ok")
    assert status == (1 if state == "bad" else 0)


def test_missing_topics_and_too_large_packets_are_told(kafka: KafkaPart, tmp_path: Path) -> None:
    """Missing topics are reported, and a listener whose packets are larger than Kafka's records is a warning."""
    listener = {
        "bind": f"127.0.0.1:{free_port()}",
        "authentication": "none",
        "topics": ["t/#"],
        "max_packet_size": "64MB",
    }
    config = pipeline(kafka, sources={"listener": {"devices": listener}})

    _, before = examine(tmp_path, config)
    make_topics(config)
    _, after = examine(tmp_path, config)

    messages = f"kafka:{config['kafka']['messages_topic']}"
    assert (before[f"{messages} topic"]["state"], before[f"{messages} topic"]["found"]) == ("warn", "not there")
    assert after[f"{messages} size"]["state"] == "warn"
    assert "listener:devices" in after[f"{messages} size"]["expected"]


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"secret_access_key": "sesame"}, "SignatureDoesNotMatch"),
        ({"port": 1}, "cannot look at the bucket"),
        ({}, "NoSuchBucket"),
    ],
    ids=["secret", "port", "bucket"],
)
def test_a_bucket_that_cannot_be_used_is_bad(
    kafka: KafkaPart, s3: S3Part, tmp_path: Path, wrong: dict[str, Any], expected: str
) -> None:
    """A wrong secret, an absent store and a missing bucket are each bad, with their own words."""
    bucket = f"doctor-{uuid.uuid4().hex[:8]}"
    if wrong:
        s3.client().create_bucket(Bucket=bucket)

    status, found = examine(tmp_path, pipeline(kafka, **s3_action(s3, bucket, **wrong)))

    check = found[f"s3:rows bucket {bucket}"]
    assert (status, check["state"]) == (1, "bad")
    assert expected in check["found"] or "404" in check["found"], check


@pytest.mark.parametrize(("mode", "state"), [("aggregated", "bad"), ("direct", "warn")])
def test_a_store_without_conditions_is_found(
    kafka: KafkaPart, s3: S3Part, tmp_path: Path, mode: str, state: str
) -> None:
    """A store without conditional writes is bad for aggregated upload, and not for direct upload."""
    bucket = f"doctor-{uuid.uuid4().hex[:8]}"
    s3.client().create_bucket(Bucket=bucket)
    with FaultyS3(s3) as proxy:
        proxy.inject(Fault("error", methods=("PUT",), path="_tidegate/probe", status=501, code="NotImplemented"))
        _, found = examine(tmp_path, pipeline(kafka, **s3_action(proxy.part, bucket, mode)))

    check = found[f"s3:rows bucket {bucket}"]
    assert (check["state"], "If-None-Match" in check["found"]) == (state, True), check


def test_a_bucket_that_is_a_template_is_skipped(kafka: KafkaPart, s3: S3Part, tmp_path: Path) -> None:
    """A template of a bucket is skipped."""
    _, found = examine(tmp_path, pipeline(kafka, **s3_action(s3, "b-${clientid}", "direct")))

    assert found["s3:rows bucket b-${clientid}"]["state"] == "skipped"


def test_the_bucket_of_the_ledger_is_looked_at_too(kafka: KafkaPart, s3: S3Part, tmp_path: Path) -> None:
    """If the objects' bucket is a template, the ledger's bucket is checked."""
    config = pipeline(kafka, **s3_action(s3, "b-${partition}"))
    config["actions"]["s3"]["rows"]["parameters"]["ledger_bucket"] = "no-such-ledger"

    _, found = examine(tmp_path, config)

    assert found["s3:rows bucket b-${partition}"]["state"] == "skipped"
    assert found["s3:rows bucket no-such-ledger"]["state"] == "bad"


def test_a_kafka_that_sends_its_clients_elsewhere_is_found(tmp_path: Path) -> None:
    """It answers at its first address, and gives another one that this machine cannot reach."""
    port, elsewhere = free_port(), free_port()
    server = embedded.kafka(port, tmp_path)
    words = list(server.command)
    words[words.index("--advertised-listener-url") + 1] = f"tcp://127.0.0.1:{elsewhere}"
    server.command = words
    server.start()
    try:
        with pytest.raises(OperatorError, match=f"sends clients to 127.0.0.1:{elsewhere}, which cannot be reached"):
            require_topics(KafkaConfig(bootstrap_servers=f"127.0.0.1:{port}"))
    finally:
        server.stop()
