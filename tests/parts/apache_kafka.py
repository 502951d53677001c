"""A real Apache Kafka: one node of KRaft, fetched with Maven, run with plain java."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from pipeline.demo.process import HOST, Server, free_port, listens
from tests.parts import cache
from tests.parts.part import KafkaPart, UnavailableError
from tests.parts.waiting import patient

VERSION = "4.1.1"
_OLDEST_JAVA = 17
_CLUSTER_ID = "dGlkZWdhdGUtdGVzdHMtMQ"  # 16 bytes in base64url, as Kafka wants it

_POM = f"""\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>tidegate</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{VERSION}</version></dependency>
  </dependencies>
</project>
"""

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers={host}:{controller_port}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}{listeners}
advertised.listeners=PLAINTEXT://{host}:{port}{listeners}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT{protocols}
log.dirs={data}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
log.cleaner.backoff.ms=500
"""

# A Java that lives for minutes: what it saves on compiling and collecting is a third of its work. Benchmarks do without.
BRIEF: Final = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")


def libraries() -> Path:
    """The folder with Kafka's jars. Raises UnavailableError."""
    _check_java()
    return cache.obtain(f"apache-kafka-{VERSION}", _fetch)


def start(
    folder: Path,
    *,
    listeners: Mapping[str, tuple[int, str]] | None = None,
    more: str = "",
    formatting: Sequence[str] = (),
    java: Sequence[str] = (),
) -> KafkaPart:
    """A fresh, empty Kafka whose files are in `folder`.

    `listeners`: port and protocol of further listeners by name; `more`: further properties; `formatting` and `java`: arguments.
    """
    listeners = listeners or {}
    classpath = f"{libraries()}/*"
    port, controller_port = free_port(), free_port()
    properties = folder / "server.properties"
    text = _PROPERTIES.format(
        host=HOST,
        port=port,
        controller_port=controller_port,
        data=folder / "data",
        listeners="".join(f",{name.upper()}://{HOST}:{at}" for name, (at, _) in listeners.items()),
        protocols="".join(f",{name.upper()}:{protocol}" for name, (_, protocol) in listeners.items()),
    )
    properties.write_text(text + more, encoding="utf-8")
    tool = ["kafka.tools.StorageTool", "format", "--standalone", "-t", _CLUSTER_ID, "-c", str(properties)]
    cache.fetch(["java", *BRIEF, "-cp", classpath, *tool, *formatting], folder=folder)
    command = ["java", "-Xms256m", "-Xmx1g", *java, "-cp", classpath, "kafka.Kafka", str(properties)]
    answers = listens(port)
    server = Server(
        f"Apache Kafka {VERSION}",
        command,
        folder / "kafka.log",
        lambda: answers() and _serves(port),
        folder=folder,
        ready_seconds=patient(60),
        stop_seconds=30,
    )
    server.start()
    return KafkaPart(server, real=True, port=port)


def _check_java() -> None:
    java = shutil.which("java")
    if java is None:
        raise UnavailableError(f"java is not installed (Java {_OLDEST_JAVA} or later runs Kafka)")
    told = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30).stderr
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found[1]) < _OLDEST_JAVA:
        first = told.partition("\n")[0] or "nothing"
        raise UnavailableError(f"Kafka needs Java {_OLDEST_JAVA} or later; found: {first}")


def _fetch(folder: Path) -> None:
    if shutil.which("mvn") is None:
        raise UnavailableError("mvn (Maven) is not installed, which fetches Kafka")
    (folder / "pom.xml").write_text(_POM, encoding="utf-8")
    copy = ["dependency:copy-dependencies", "-DoutputDirectory=.", "-DincludeScope=runtime"]
    cache.fetch(["mvn", "-q", "-B", *copy], folder=folder)


def _serves(port: int) -> bool:
    """Whether the broker answers a question about its cluster: the port opens a little earlier."""
    with suppress(KafkaException):
        client = AdminClient({"bootstrap.servers": f"{HOST}:{port}", "log_level": 0})
        return bool(client.list_topics(timeout=2).brokers)
    return False
