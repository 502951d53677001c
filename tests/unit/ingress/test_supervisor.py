"""What an ingress does with its sources when the configuration changes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from ingress.metrics import CONNECTIONS
from ingress.runner import SourceRunner
from ingress.supervisor import SourceSupervisor
from pipeline.config.load import load
from pipeline.control.objects import Snapshot
from pipeline.demo.process import free_port
from tests.parts.played_kafka import PlayedKafka
from tests.parts.waiting import until


def listener(port: int, **settings: Any) -> dict[str, Any]:
    """A listener without a login."""
    return {"bind": f"127.0.0.1:{port}", "authentication": "none", "topics": ["t/#"], **settings}


def snapshot(revision: int, **sources: Any) -> Snapshot:
    """What the topic says: these listeners."""
    config = load(
        {
            "pipeline": "p",
            "kafka": {"bootstrap_servers": "k:1"},
            "control": {"topic": "c"},
            "sources": {"listener": sources},
        }
    )
    config.is_revision(revision)
    return Snapshot({}, revision, config)


@asynccontextmanager
async def supervised() -> AsyncIterator[SourceSupervisor]:
    """A supervisor with a played Kafka."""
    group = asyncio.TaskGroup()
    first = snapshot(0).config
    async with group, SourceSupervisor(first, PlayedKafka(), group) as supervisor:  # type: ignore[arg-type]
        yield supervisor


async def listens(supervisor: SourceSupervisor, *names: str) -> dict[str, SourceRunner]:
    """The runners, when these and no others work."""
    await until(lambda: all(each.connected for each in supervisor.runners.values()), 10)
    assert sorted(supervisor.runners) == sorted(f"listener:{each}" for each in names)
    return supervisor.runners


async def test_only_the_source_that_changes_is_touched() -> None:
    """Sources are added, described, changed, disabled and removed: each of the others is the same one as before."""
    one, two = free_port(), free_port()
    async with supervised() as supervisor:
        await supervisor.take(snapshot(1, one=listener(one)))
        first = (await listens(supervisor, "one"))["listener:one"]
        await supervisor.take(snapshot(2, one=listener(one, description="for people"), two=listener(two)))
        second = (await listens(supervisor, "one", "two"))["listener:two"]
        await supervisor.take(snapshot(3, one=listener(one), two=listener(two, topics=["u/#"])))
        runners = await listens(supervisor, "one", "two")
        changed = runners["listener:two"]

        assert runners["listener:one"] is first
        assert changed is not second
        assert first.revision == 3
        assert CONNECTIONS.labels("two")  # of the one that goes on under this name

        await supervisor.take(snapshot(4, one=listener(one), two=listener(two, enable=False)))
        assert list(supervisor.runners) == ["listener:one"]
        await supervisor.take(snapshot(5, two=listener(two, topics=["u/#"])))
        assert (await listens(supervisor, "two"))["listener:two"] is not changed
        await supervisor.take(snapshot(6))
        assert supervisor.runners == {}
        assert supervisor.config.revision == 6
    for port in (one, two):
        with socket.socket() as free:
            free.bind(("127.0.0.1", port))


async def test_what_cannot_run_leaves_the_last_good_one() -> None:
    """A listener whose certificate is missing changes nothing, and the problem says so until it is mended."""
    port = free_port()
    wrong = listener(port, ssl={"enable": True, "certfile": "/nowhere/c.pem", "keyfile": "/nowhere/k.pem"})
    async with supervised() as supervisor:
        await supervisor.take(snapshot(1, one=listener(port)))
        first = (await listens(supervisor, "one"))["listener:one"]
        await supervisor.take(snapshot(2, one=wrong))

        assert supervisor.runners["listener:one"] is first
        assert first.connected
        assert "revision 2 cannot run here" in supervisor.problem
        assert "sources.listener.one.ssl" in supervisor.problem
        assert supervisor.config.revision == 1

        await supervisor.take(snapshot(3, one=listener(port)))
        assert supervisor.problem == ""
        assert supervisor.runners["listener:one"] is first


async def test_a_port_that_is_taken_delays_its_own_source_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source says why it does not listen, and listens as soon as the port is free; the others do not notice."""
    monkeypatch.setattr("random.random", lambda: 0.01)
    taken, other = socket.socket(), free_port()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    port = taken.getsockname()[1]
    async with supervised() as supervisor:
        await supervisor.take(snapshot(1, one=listener(port), two=listener(other)))
        runners = supervisor.runners
        await until(lambda: runners["listener:two"].connected and runners["listener:one"].status_reason, 10)

        assert runners["listener:one"].status == "disconnected"
        assert f"cannot listen on 127.0.0.1:{port}" in runners["listener:one"].status_reason
        taken.close()
        await listens(supervisor, "one", "two")
        assert runners["listener:one"].status_reason == ""
