"""Wills in virtual time: when they are published and when they are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from ingress.listener.identity import Address, Identity
from ingress.listener.limits.memory import Memory
from ingress.listener.wills import PENDING_BYTES, Wills
from ingress.listener.words import Connect, Will
from pipeline.mqtt.properties import SESSION_EXPIRY
from pipeline.record import Outgoing
from tests.faults.simulation.clock import STARTED_AT, tell

ADDRESS = Address("192.0.2.1", "192.0.2.1:5", "192.0.2.9:1883")


def device(name: str, *, delay: int = 0, expiry: int | None = 100, will: bool = True, void: bool = False) -> Identity:
    """One that has logged in, with a will unless it has none."""
    last = Will(b"will/" + name.encode(), b"gone", 0x32, (), delay) if will else None
    properties = () if expiry is None else ((SESSION_EXPIRY, expiry),)
    connect = Connect(5, name, None, None, 60, False, last, properties)
    return Identity(name, None, ADDRESS, ["#"], connect, 0, will_is_void=void)


def told(
    story: Callable[[Wills], Coroutine[Any, Any, None]], delay_seconds_max: float = 50, memory: Memory | None = None
) -> list[tuple[float, str]]:
    """What a story comes to: the second and the device of each will that was published."""
    published: list[tuple[float, str]] = []

    def publish(record: Outgoing) -> None:
        published.append((record.timestamp_ms / 1000 - STARTED_AT, record.key.decode()))

    wrong: list[object] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: wrong.append(context))
        await story(Wills(delay_seconds_max, publish, memory or Memory(1 << 20)))

    tell(1, run())
    assert wrong == []
    return published


@pytest.mark.parametrize(
    ("settings", "second"),
    [
        ({"delay": 0}, 0), ({"delay": 20}, 20), ({"delay": 20, "expiry": 5}, 5), ({"delay": 200, "expiry": 1000}, 50),
        ({"delay": 20, "expiry": 0}, 0), ({"delay": 20, "expiry": None}, 0), ({"delay": 1}, 1),
    ],
)  # fmt: skip
def test_a_will_is_due_after_its_delay(settings: dict[str, int | None], second: int) -> None:
    """A will waits for its delay, but at most until its session ends or the listener's limit is reached."""

    async def story(wills: Wills) -> None:
        wills.left(device("d", **settings))  # type: ignore[arg-type]
        await asyncio.sleep(60)

    assert told(story) == [(second, "d")]


@pytest.mark.parametrize("settings", [{"will": False}, {"void": True}])
def test_without_a_will_nothing_is_published(settings: dict[str, bool]) -> None:
    """A device without a will, or with a normal disconnect, publishes nothing."""

    async def story(wills: Wills) -> None:
        wills.left(device("d", **settings))
        await asyncio.sleep(60)
        wills.send_all()

    assert told(story) == []


def test_a_device_that_comes_back_takes_its_will_back() -> None:
    """A device that reconnects cancels its will, unless it starts a new session."""

    async def story(wills: Wills) -> None:
        for name in ("back", "afresh", "gone"):
            wills.left(device(name, delay=20))
        await asyncio.sleep(10)
        wills.came("back", afresh=False)
        wills.came("afresh", afresh=True)
        wills.came("stranger", afresh=True)
        await asyncio.sleep(60)

    assert told(story) == [(10, "afresh"), (20, "gone")]


def test_a_listener_that_stops_publishes_what_it_holds_back() -> None:
    """A stop publishes each delayed will once."""

    async def story(wills: Wills) -> None:
        for name in ("a", "b"):
            wills.left(device(name, delay=20))
        await asyncio.sleep(1)
        wills.send_all()
        await asyncio.sleep(60)

    assert told(story) == [(1, "a"), (1, "b")]


def test_wills_that_are_held_back_take_bounded_memory() -> None:
    """One is published sooner when all together take too much; what was published or taken back takes nothing."""

    async def story(wills: Wills) -> None:
        for number in range(9):
            wills.left(device(f"a{number}", delay=20))
            wills.came(f"a{number}", afresh=False)
        for name in ("first", "second", "third"):
            wills.left(device(name, delay=20))
        await asyncio.sleep(60)

    assert sorted(second for second, _ in told(story, memory=Memory(PENDING_BYTES * 5 // 2))) == [0, 20, 20]


def test_a_will_that_was_taken_back_hastens_no_later_one() -> None:
    """A device that goes, comes back and goes again has the whole delay again, and what it took back takes no memory."""
    memory = Memory(1 << 20)

    async def story(wills: Wills) -> None:
        wills.left(device("d", delay=20))
        await asyncio.sleep(10)
        wills.came("d", afresh=False)
        assert memory.held_bytes == 0
        wills.left(device("d", delay=20))
        await asyncio.sleep(60)

    assert told(story, memory=memory) == [(30, "d")]
    assert memory.held_bytes == 0
