"""jq programs that never end, on a real worker: it answers, it stops, and other actions go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread
from urllib.request import urlopen

import pytest

from pipeline.demo.process import free_port
from tests.components.pipeline_parts import Make, Pipeline, direct, lines, message
from tests.faults import checkers
from tests.parts.waiting import patient

pytestmark = pytest.mark.real

# The program is the rule's, the number the device's.
JQ = "SELECT clientid, payload.n AS n, jq('[limit(.n; repeat(1))] | length', payload) AS made FROM \"t/#\""
PLAIN = 'SELECT clientid, payload.n AS n FROM "t/#"'
BOMB = b'{"n": 1000000000000}'


@contextmanager
def asked(port: int) -> Iterator[list[float]]:
    """Ask for /healthz again and again; how long each answer took."""
    seconds: list[float] = []
    stop = Event()

    def ask() -> None:
        while not stop.wait(0.05):
            began = time.monotonic()
            urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30).read()
            seconds.append(time.monotonic() - began)

    asking = Thread(target=ask)
    asking.start()
    try:
        yield seconds
    finally:
        stop.set()
        asking.join()


def bombed(make: Make, name: str, bombs: int) -> Pipeline:
    """A pipeline with an action that asks jq and one that does not, and records: bombs of one client, good ones of another."""
    pipeline = make(
        actions={
            "jq": direct(name, "jq/${clientid}/${n}", content="${made}"),
            "plain": direct(name, "plain/${clientid}/${n}", content="${n}"),
        },
        rules={"jq": (JQ, ["jq"]), "plain": (PLAIN, ["plain"])},
        partitions=1,
        metrics_port=free_port(),
    )
    pipeline.prepare(name)
    pipeline.produce([message("bomber", BOMB) for _ in range(bombs)])
    pipeline.produce([message("good", b'{"n": %d}' % n) for n in range(20)])
    return pipeline


def test_bombs_keep_nobody_waiting(make: Make) -> None:
    """/healthz answers, the other action's rows arrive, and the bombs are dead letters after a few time limits."""
    pipeline = bombed(make, "jq-bombs", 300)
    pipeline.worker()
    began = time.monotonic()
    with asked(pipeline.metrics_port) as seconds:
        pipeline.wait_for_no_lag("plain")
        plain = time.monotonic() - began
        pipeline.wait_for_no_lag("jq", 120)

    objects = checkers.data_objects(pipeline.objects("jq-bombs"))
    assert {key for key in objects if key.startswith("jq/")} == {f"jq/good/{n}" for n in range(20)}
    assert sum(key.startswith("plain/good") for key in objects) == 20
    assert len(pipeline.dead_letters()) == 300
    assert time.monotonic() - began < 150  # a time limit each would be 300 s
    assert plain < patient(20)
    assert max(seconds) < patient(2)
    assert {line["rule"] for line in lines(pipeline.workers[0]) if line["event"] == "rule.suspended"} == {"jq"}


def test_a_stop_does_not_wait_for_bombs(make: Make) -> None:
    """SIGTERM ends the worker while a program of ten seconds runs; whoever comes next goes on."""
    pipeline = bombed(make, "jq-stop", 30)
    slow = JQ.replace("payload) AS", "payload, 10000) AS")
    pipeline.rules["jq"] = (slow, ["jq"])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("plain")
    began = time.monotonic()
    worker.stop()

    assert time.monotonic() - began < patient(30)
    assert lines(worker)[-1]["event"] == "worker.stopped"
