"""The page of both processes: metrics, alive, works, status."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, get_args
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from pipeline import native
from pipeline.config.model import Metrics
from pipeline.demo import embedded
from pipeline.demo.process import HOST, Server, free_port
from pipeline.errors import ConfigError
from pipeline.web import page
from pipeline.web.page import Process, Report, serving
from tests.parts.waiting import patient, wait_until

CALM = Report(list, lambda: {"pipeline": "p"})


def ask(port: int, path: str) -> tuple[int, str]:
    """Status and text of a page."""
    try:
        with urlopen(f"http://{HOST}:{port}/{path}", timeout=patient(20)) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def on(process: Process, port: int) -> Metrics:
    return Metrics.model_validate({f"{process}_port": port})


@pytest.mark.parametrize("process", get_args(Process))
async def test_the_page_is_the_same_for_both_processes(process: Process) -> None:
    """The page has metrics, alive, works and status, and any other path lists these."""
    port = free_port()
    async with serving(process, on(process, port), CALM):
        found = {
            path: await asyncio.to_thread(ask, port, path) for path in ("metrics", "healthz", "readyz", "status", "x")
        }

    assert found["healthz"] == found["readyz"] == (200, "ok\n")
    assert (found["status"][0], json.loads(found["status"][1])) == (200, {"pipeline": "p"})
    assert found["x"] == (404, "no such page; there are: /metrics /healthz /readyz /status\n")
    build = next(line for line in found["metrics"][1].splitlines() if line.startswith("tidegate_build_info{"))
    assert f'process="{process}"' in build
    assert f'python="{sys.version.split()[0]}"' in build
    assert f'native="{"yes" if native.unpack else "no"}"' in build


async def test_a_process_that_does_not_work_is_alive() -> None:
    """/readyz gives one reason a line, and /healthz stays ok."""
    port = free_port()
    async with serving("worker", on("worker", port), Report(lambda: ["Kafka is away", "so is S3"], dict)):
        ready = await asyncio.to_thread(ask, port, "readyz")
        alive = await asyncio.to_thread(ask, port, "healthz")

    assert ready == (503, "Kafka is away\nso is S3\n")
    assert alive == (200, "ok\n")


async def test_an_event_loop_that_is_stuck_is_not_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stuck loop, /healthz fails and /metrics still answers."""
    monkeypatch.setattr(page, "LOOP_SECONDS", 0.3)
    port = free_port()
    found: dict[str, tuple[int, str]] = {}
    asked = threading.Event()

    def ask_all() -> None:
        found.update({path: ask(port, path) for path in ("healthz", "readyz", "status", "metrics")})
        asked.set()

    async with serving("ingress", on("ingress", port), CALM):
        threading.Thread(target=ask_all).start()
        asked.wait(patient(20))

    stuck = (503, "the event loop has not answered for 0.3 s\n")
    assert [found["healthz"], found["readyz"], found["status"]] == [stuck] * 3
    assert found["metrics"][0] == 200


@pytest.mark.parametrize("process", get_args(Process))
async def test_a_port_that_is_taken_is_named_by_its_setting(process: Process) -> None:
    """A port in use is an error of the configuration."""
    with closing(socket.create_server((HOST, 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"metrics\.{process}_port.*{HOST}:{port}: Address already in use"):
            async with serving(process, on(process, port), CALM):
                pass


async def test_clients_that_say_nothing_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection beyond the limit is closed, and silent connections end after a while."""
    monkeypatch.setattr(page._Request, "timeout", 0.5)
    port = free_port()
    async with serving("ingress", on("ingress", port), CALM):
        silent = [socket.create_connection((HOST, port)) for _ in range(page.CONNECTIONS_MAX)]
        with closing(socket.create_connection((HOST, port))) as one_more:
            refused = await asyncio.to_thread(one_more.recv, 1)
        for each in silent:
            assert await asyncio.to_thread(each.recv, 1) == b""
            each.close()
        again = await asyncio.to_thread(ask, port, "healthz")

    assert (refused, again) == (b"", (200, "ok\n"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str, dict[str, Any]], Server]]:
    """Starts a process of `tidegate`, and ends it."""
    servers: list[Server] = []

    def run(command: str, config: dict[str, Any]) -> Server:
        file = tmp_path / f"{command}.json"
        file.write_text(json.dumps(config))
        port = config["metrics"][f"{command}_port"]
        server = Server(
            command,
            [sys.executable, "-m", "pipeline.cli", command, "-c", str(file), "--log", "json"],
            tmp_path / f"{command}.log",
            embedded.answers(f"http://{HOST}:{port}/healthz"),
            folder=Path.cwd(),
        )
        servers.append(server)
        server.start()
        return server

    yield run
    for server in servers:
        server.stop()


def test_a_process_is_alive_before_kafka_is_there_and_works_while_it_is(
    start: Callable[[str, dict[str, Any]], Server], tmp_path: Path
) -> None:
    """/readyz follows Kafka, even if nothing is produced."""
    kafka_port, port = free_port(), free_port()
    kafka = embedded.kafka(kafka_port, tmp_path)
    config = {
        "pipeline": "p",
        "kafka": {"bootstrap_servers": f"{HOST}:{kafka_port}", "partitions": 1},
        "sources": {"listener": {"door": {"bind": f"{HOST}:{free_port()}", "authentication": "none", "topics": ["#"]}}},
        "metrics": {"ingress_port": port},
    }
    ingress = start("ingress", config)
    try:
        before = ask(port, "readyz")
        for _ in range(2):
            kafka.start()
            wait_until(lambda: ask(port, "readyz") == (200, "ok\n"), 60, ingress.tail)
            kafka.kill()
            wait_until(lambda: ask(port, "readyz")[0] == 503, 60, ingress.tail)
        after, status = ask(port, "readyz")[1], json.loads(ask(port, "status")[1])
        alive = ask(port, "healthz")
    finally:
        kafka.kill()

    waiting = f"Kafka at {HOST}:{kafka_port} has not answered"
    assert before == (503, f"{waiting} yet\n")  # sources begin when the topics are there
    assert after.startswith(f"{waiting} for ")
    assert alive == (200, "ok\n")
    assert status["kafka"]["status"] == "disconnected"
    assert status["sources"] == {"listener:door": {"status": "connected", "status_reason": "", "revision": 0}}
