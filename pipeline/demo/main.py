"""Runs the demo: starts everything, lets the devices publish, stops them, waits for the last object, and proves.

`tidegate demo` calls `run`. It always stops every process that it started before it returns. If it is killed, Linux stops them
(see process.py).
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Final, Literal

from rich.console import Console

from pipeline import log
from pipeline.demo.evidence import Bucket, Log
from pipeline.demo.fleet import Fleet
from pipeline.demo.live import Show
from pipeline.demo.proof import Evidence, Proof, prove
from pipeline.demo.report import print_directions, print_json, print_objects, print_proof
from pipeline.demo.stack import Stack
from pipeline.errors import TidegateError

_TICK_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 30.0  # stop waiting for the last objects when nothing new has come for this time
_OBJECTS_PER_SECOND: Final = 200  # the speed of the embedded S3
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

FAILED: Final = 1
INTERRUPTED: Final = 130


@dataclass(frozen=True)
class Options:
    """The options of the command. `rate` is messages per second of each device."""

    devices: int = 40
    rate: float = 2.5
    duration_seconds: float = 20.0
    output: Literal["text", "json"] = "text"
    keep: bool = False
    listener: bool = False


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP arrived. Like KeyboardInterrupt, this is not an Exception, so nobody catches it as one."""


def run(options: Options) -> int:
    """Run the demo. Returns the exit status: 0 proved, 1 not proved or not started, 130 interrupted before the proof.

    With output json, standard output gets only the line of JSON. Everything else goes to standard error.
    """
    console = Console(stderr=options.output == "json", force_terminal=False if options.output == "json" else None)
    status, started_at = INTERRUPTED, time.monotonic()
    log.configure(level="error")  # the processes of the demo have logs of their own
    with interruptible():
        try:
            with Stack(listener=options.listener) as stack:
                status = _prove(stack, options, console, started_at)
                if options.keep:
                    print_directions(console, stack)
                    _idle(stack)
        except Interrupted:
            with suppress(OSError, Interrupted):  # the terminal may be gone
                console.print("stopped")
        except TidegateError as error:
            console.print(f"tidegate demo: {error}", style="red", markup=False, soft_wrap=True)
            status = FAILED
    return status


def _prove(stack: Stack, options: Options, console: Console, started_at: float) -> int:
    started = (
        f"started Kafka, MQTT, S3, ingress, worker and API; devices publish after {time.monotonic() - started_at:.1f} s"
    )
    console.print(f"{started}; logs in {stack.folder}", soft_wrap=True)
    if options.devices * options.rate > _OBJECTS_PER_SECOND:
        console.print(f"the embedded S3 stores about {_OBJECTS_PER_SECOND} objects a second: the rest waits in Kafka")
    fleet = Fleet(options.devices, options.rate, stack.mqtt_5, stack.mqtt_311)
    began = time.monotonic()
    with Show(console, fleet.account, stack.ingress_metrics, stack.worker_metrics) as show:
        _publish(stack, fleet, show, console, options.duration_seconds)
        stack.wait()
        bucket = stack.bucket()
        proof, reason = _wait(stack, fleet, show, bucket)
    seconds = time.monotonic() - began
    stack.keep_logs = not proof.holds
    print_objects(console, bucket.objects)
    print_proof(console, proof, reason)
    if options.output == "json":
        print_json(proof, seconds, reason)
    return 0 if proof.holds else FAILED


def _publish(stack: Stack, fleet: Fleet, show: Show, console: Console, seconds: float) -> None:
    fleet.start()
    told = False
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        stack.check()
        fleet.check()
        if not told and (link := stack.first_user_link()):
            told = True
            console.print(f"the dashboard: {stack.page}; create its first user: {link}", markup=False, soft_wrap=True)
        show.tick("publishing")
        time.sleep(min(_TICK_SECONDS, max(0.0, deadline - time.monotonic())))
    fleet.stop()


def _wait(stack: Stack, fleet: Fleet, show: Show, bucket: Bucket) -> tuple[Proof, str]:
    """Read the bucket until everything that was published has arrived, or until nothing more comes.

    The text is the reason then.
    """
    kafka_log = stack.log()
    most, since = -1, time.monotonic()
    while True:
        stack.check()
        unread = bucket.refresh()
        show.tick(f"reading {unread:,} objects" if unread else "arriving")
        if len(bucket.objects) > most:
            most, since = len(bucket.objects), time.monotonic()
        elif not unread:  # nothing new: either everything has arrived, or something is unclear
            proof = _look(fleet, bucket, kafka_log)
            if not proof.total.lost:
                return proof, ""
            if time.monotonic() - since > _PATIENCE_SECONDS:
                missing = f"{proof.total.lost:,} had not arrived"
                return proof, f"{missing} when nothing new had come for {_PATIENCE_SECONDS:g} s"
        time.sleep(_TICK_SECONDS)


def _look(fleet: Fleet, bucket: Bucket, kafka_log: Log) -> Proof:
    """Prove with the objects alone. If something is unclear, use the records in Kafka too."""
    proof = prove(Evidence(fleet.account, bucket.objects))
    if proof.total.lost or proof.total.duplicated:
        kafka_log.refresh()
        proof = prove(
            Evidence(fleet.account, bucket.objects, kafka_log.arrivals.values(), kafka_log.dead_letters.values())
        )
    return proof


def _idle(stack: Stack) -> None:
    while True:
        stack.check()
        time.sleep(1)


@contextmanager
def interruptible() -> Iterator[None]:
    """Convert the first signal into Interrupted. A later Ctrl-C interrupts the orderly stop, and everything is killed
    at exit.

    The handlers are set explicitly, because a shell starts background jobs with SIGINT ignored.
    """
    came = 0

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came == 0 or (came == 1 and number == signal.SIGINT):
            came += 1
            raise Interrupted

    before = [(each, signal.signal(each, interrupt)) for each in _SIGNALS]
    try:
        yield
    finally:
        for each, action in before:
            signal.signal(each, action)


if __name__ == "__main__":
    sys.exit(run(Options()))
