"""The outside systems of the tests, real or embedded, do what the tests expect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from paho.mqtt import publish, subscribe

from pipeline.demo.process import Server, ServerError, free_port, listens
from tests.components.ingress_process import read
from tests.parts import cache
from tests.parts.part import KafkaPart, MqttPart, S3Part, UnavailableError
from tests.parts.waiting import let_pass, patient, wait_until


@pytest.mark.real
def test_kafka_keeps_its_records_over_a_kill(kafka: KafkaPart) -> None:
    """Acknowledged records are there after SIGKILL and a start on the same port."""
    where = {"bootstrap.servers": kafka.bootstrap_servers}
    admin = AdminClient(where)
    admin.create_topics([NewTopic("parts", 1, 1)])["parts"].result(patient(20))
    producer = Producer({**where, "acks": "all"})
    producer.produce("parts", b"value")
    assert producer.flush(patient(20)) == 0

    kafka.kill()
    kafka.start()

    assert [each.value() for each in read(kafka, "parts", 1)] == [b"value"]


def test_the_mqtt_broker_carries_a_message(mqtt_broker: MqttPart) -> None:
    """One client's retained message reaches another client."""
    where = {"hostname": mqtt_broker.host, "port": mqtt_broker.port_311}
    publish.single("parts/topic", b"hello", qos=1, retain=True, **where)

    received = subscribe.simple("parts/topic", qos=1, **where)

    assert received.payload == b"hello"


def test_the_store_gives_back_what_was_put(s3: S3Part) -> None:
    """A stored object is read back unchanged."""
    client = s3.client(retries={"max_attempts": 1})
    client.create_bucket(Bucket="parts")
    client.put_object(Bucket="parts", Key="a/b", Body=b"content")

    assert client.get_object(Bucket="parts", Key="a/b")["Body"].read() == b"content"


def test_a_part_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that need the same part wait for the one that fetches it, and never use half a part."""
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path))
    fetched = []

    def build(folder: Path) -> None:
        fetched.append(folder)
        (folder / "first").touch()
        let_pass(0.2)
        (folder / "second").touch()

    with ThreadPoolExecutor(4) as pool:
        folders = list(pool.map(lambda _: sorted(cache.obtain("part", build).iterdir()), range(4)))

    assert len(fetched) == 1
    assert folders == [[tmp_path / "part" / "first", tmp_path / "part" / "second"]] * 4


def test_a_part_that_cannot_be_fetched_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed download says why, and the next run tries again."""
    monkeypatch.setenv("TIDEGATE_CACHE", str(tmp_path))

    def build(folder: Path) -> None:
        cache.fetch([sys.executable, "-c", "raise SystemExit('no network')"], folder=folder)

    with pytest.raises(UnavailableError, match="no network"):
        cache.obtain("part", build)

    assert [path.name for path in tmp_path.iterdir()] == ["part.lock"]


def test_a_server_that_ends_at_once_shows_the_end_of_its_log(tmp_path: Path) -> None:
    """The error has the server's status and its last output."""
    command = [sys.executable, "-c", "print('no such file'); raise SystemExit(3)"]
    server = Server("the server", command, tmp_path / "log", lambda: False)

    with pytest.raises(ServerError, match=r"(?s)the server ended with status 3.*no such file"):
        server.start()


def test_a_server_that_never_answers_is_stopped(tmp_path: Path) -> None:
    """A server that is not ready in time is stopped, with an error."""
    server = Server("the server", ["sleep", "60"], tmp_path / "log", lambda: False, ready_seconds=0.3)

    with pytest.raises(ServerError, match=r"not ready after 0\.3 s"):
        server.start()

    assert not server.running


def test_a_program_that_cannot_be_run_is_named(tmp_path: Path) -> None:
    """The error names a missing program."""
    with pytest.raises(ServerError, match=r"(?s)status 127.*no-such-program.*No such file"):
        Server("the server", ["no-such-program"], tmp_path / "log", lambda: False).start()


def test_the_number_of_a_server_that_has_ended_stays_its_own(tmp_path: Path) -> None:
    """Linux gives the number of an ended server to no other process before its last signal."""
    port = free_port()
    web = f"[{sys.executable!r}, '-m', 'http.server', '--bind', '127.0.0.1', '{port}']"
    command = [sys.executable, "-c", f"import subprocess; subprocess.Popen({web}); raise SystemExit(7)"]
    server = Server("the server", command, tmp_path / "log")
    server.start()
    number = server.pid
    wait_until(lambda: server.exit_status == 7, 20, lambda: f"status {server.exit_status}")
    wait_until(listens(port), 20, server.tail)

    assert not server.running
    assert server.exit_status == 7
    os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)  # it is there for whoever reaps it

    server.kill()

    wait_until(lambda: not listens(port)(), 20, lambda: "its child still listens")
    with pytest.raises(ChildProcessError):
        os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)


def test_a_server_that_was_killed_from_outside_says_by_what(tmp_path: Path) -> None:
    """The status of a killed server is the negative number of the signal."""
    server = Server("the server", ["sleep", "60"], tmp_path / "log")
    server.start()

    os.kill(server.pid, signal.SIGKILL)

    wait_until(lambda: not server.running, 20, lambda: "it runs")
    assert server.exit_status == -signal.SIGKILL
    server.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
def test_no_server_outlives_a_killed_parent(tmp_path: Path) -> None:
    """After SIGKILL of its parent, a server is gone."""
    port = free_port()
    parent = textwrap.dedent(f"""
        import signal, sys
        from pathlib import Path
        from pipeline.demo.process import Server, listens
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", "{port}"]
        server = Server("web", command, Path({str(tmp_path / "log")!r}), listens({port}))
        server.start()
        print(server.pid, flush=True)
        signal.pause()
    """)
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        assert listens(port)()
        process.kill()

    wait_until(lambda: not listens(port)(), 10, lambda: f"process {child} still listens")
