"""Compares the whole worker with loops written by hand, on one topic of a real Kafka and one real S3 server.

    python -m benchmarks.sink [--records N] [--payload BYTES] [--objects N] [--actions N] [--fetch BYTES] [--rounds N]
                              [--output json] [--profile]

It has two workloads. *aggregated*: JSON records with three headers, keys of 1,000 clients, 8 partitions; a filter on one payload
field, three fields in each row, gzip JSON Lines objects of 10,000 rows. *direct*: one object for each message.

The loops (benchmarks/by_hand.py) do only this, without any guarantee. The worker does its whole job: exactly once with a ledger,
fenced writes, order per client. It is measured with its reader in C, if that was built, and without. `--actions N` also
measures a worker with N actions on the one topic, each with its own rule. With `--fetch BYTES` a fetch brings few records, as
when few come in a second.

Each side is a separate process with a bucket of its own, and the sides take turns. Two times of each are its CPU time, with all
threads: *steady* from the first record to the last confirmation, and *whole* from the start of the process, with its
imports, which only the first run compiles.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import platform
import pstats
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks import by_hand
from pipeline import native

PARTITIONS: Final = 8
BUCKET: Final = "benchmark"
# The first action of a worker has the first rule, and so on, and again from the first.
STATEMENTS: Final = (
    'SELECT clientid, payload.temp AS temp, payload.seq AS seq FROM "t/#" WHERE payload.temp > 10',
    'SELECT clientid, payload.humidity AS humidity, payload.seq AS seq FROM "t/#" WHERE payload.seq >= 0',
    'SELECT payload.seq AS seq, payload.firmware AS firmware, payload.temp AS temp FROM "t/#" WHERE payload.humidity < 90',
    'SELECT clientid, payload.note AS note, payload.humidity AS humidity FROM "t/#" WHERE payload.temp < 90',
    'SELECT topic, payload.firmware AS firmware, payload.seq AS seq FROM "t/#" WHERE payload.humidity >= 5',
)
RUN_SECONDS_MAX: Final = 300.0
STILL_SECONDS_MAX: Final = 30.0  # how long a counter may stand still

# What is measured in one process: the CPU time of each record in µs, and records in a second.
Figures = dict[str, float]


def main() -> None:
    """Run all measurements and print the table or JSON."""
    arguments = _arguments()
    if arguments.measure:
        side, work = arguments.measure
        print(json.dumps(_measured(side, work, json.loads(arguments.servers), arguments)))
        return
    with start_servers() as servers:
        for work, count in _counts(arguments).items():
            _fill(servers["kafka"], work, count, arguments.payload, arguments.fetch)
        results = {work: _rounds(work, servers, arguments) for work in _counts(arguments)}
    if arguments.output == "json":
        print(json.dumps({"machine": _machine(), "results": results}))
    else:
        _print(results, arguments)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=500_000, help="records of the aggregated work; 0: not this work")
    parser.add_argument("--payload", type=int, default=150, help="bytes of their payloads, about")
    parser.add_argument("--objects", type=int, default=3_000, help="records of the direct work; 0: not this work")
    parser.add_argument("--actions", type=int, default=1, help="aggregated actions of one more worker on the topic")
    parser.add_argument("--fetch", type=int, default=0, help="bytes of a partition in a fetch; 0: as many as there are")
    parser.add_argument("--rounds", type=int, default=3, help="how often each side is measured")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--profile", action="store_true", help="show where the worker's time goes (slows it down)")
    parser.add_argument("--measure", nargs=2, metavar=("SIDE", "WORK"), help=argparse.SUPPRESS)
    parser.add_argument("--servers", help=argparse.SUPPRESS)
    return parser.parse_args()


def _counts(arguments: argparse.Namespace) -> dict[str, int]:
    """The number of records of each work that is asked for."""
    counts = {"aggregated": arguments.records, "direct": arguments.objects}
    return {work: count for work, count in counts.items() if count}


@contextmanager
def start_servers() -> Iterator[dict[str, Any]]:
    """Start a Kafka and an S3 server. The store is in memory if this machine has a folder in memory."""
    from tests.parts import apache_kafka, versitygw

    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory() as logs, tempfile.TemporaryDirectory(dir=memory) as stored:
        kafka, s3 = apache_kafka.start(Path(logs)), versitygw.start(Path(stored))
        try:
            access = {"host": s3.host, "port": s3.port, "key": s3.access_key_id, "secret": s3.secret_access_key}
            by_hand.client(access).create_bucket(Bucket=BUCKET)
            yield {"kafka": kafka.bootstrap_servers, "s3": access}
        finally:
            s3.stop()
            kafka.stop()


def _fill(servers: str, topic: str, count: int, payload_bytes: int, batch_bytes: int = 0) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    from pipeline.record import message_record

    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    settings = {"linger.ms": 50, "partitioner": "murmur2_random", "queue.buffering.max.kbytes": 1 << 18}
    settings["batch.size"] = batch_bytes or 1_000_000  # Kafka's answers have whole batches
    producer = Producer({"bootstrap.servers": servers, "queue.buffering.max.messages": 500_000, **settings})
    chance = random.Random(1)
    now_ms = int(time.time() * 1000)  # the topic's retention would delete old records before they are read
    for number in range(count):
        device = b"dev-%d" % chance.randrange(1000)
        key, value, headers, timestamp = message_record(
            topic=b"t/" + device,
            payload=_payload(number, chance, payload_bytes),
            qos=1,
            retain=False,
            dup=False,
            clientid=device,
            clientid_from=b"topic",
            timestamp_ms=now_ms + number // 1000,
        )
        while True:
            try:
                producer.produce(topic, value, key, headers=headers, timestamp=timestamp)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0


def _payload(number: int, chance: random.Random, size_bytes: int) -> bytes:
    temp, humidity = round(10 + chance.random() * 90, 2), chance.randrange(100)
    fields = {"temp": temp, "seq": number, "humidity": humidity, "firmware": "1.2.3", "at": [48.1, 11.5], "note": ""}
    return orjson.dumps({**fields, "note": "x" * (size_bytes - len(orjson.dumps(fields)))})


# --- The sides, in turn


def _sides(work: str, arguments: argparse.Namespace) -> list[str]:
    if work == "direct":
        return ["boto3 by hand", "worker"]
    workers = ["worker", "worker without C"] if native.unpack else ["worker without C"]
    several = [f"{workers[0]}, {arguments.actions} actions"] if arguments.actions > 1 else []
    return ["by hand", "by hand, better", *workers, *several]


def _rounds(work: str, servers: dict[str, Any], arguments: argparse.Namespace) -> dict[str, list[Figures]]:
    """The figures of each side and round."""
    found: dict[str, list[Figures]] = {side: [] for side in _sides(work, arguments)}
    for _ in range(arguments.rounds):
        for side, figures in found.items():
            figures.append(_run(side, work, servers, arguments))
    return found


def _run(side: str, work: str, servers: dict[str, Any], arguments: argparse.Namespace) -> Figures:
    bucket = f"benchmark-{uuid.uuid4().hex[:12]}"
    by_hand.client(servers["s3"]).create_bucket(Bucket=bucket)
    given = json.dumps({**servers, "bucket": bucket})
    command = [sys.executable, "-m", "benchmarks.sink", "--measure", side, work, "--servers", given]
    for name in ("records", "objects", "actions", "fetch"):
        command += [f"--{name}", str(getattr(arguments, name))]
    command += ["--profile"] * arguments.profile
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if "without C" in side:
        environment[native.VARIABLE] = "0"
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=RUN_SECONDS_MAX, env=environment)
    if done.returncode:
        raise SystemExit(f"{side} {work} ended with status {done.returncode}")
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


def _measured(side: str, work: str, servers: dict[str, Any], arguments: argparse.Namespace) -> Figures:
    """Measure one side in this process."""
    total, began = _counts(arguments)[work], _Beginning()
    if side.startswith("worker"):
        if arguments.fetch:
            from agents.lanes import lanes
            from agents.stream import transport

            lanes.FETCH_BYTES_MIN = lanes.FETCH_BYTES_MAX = transport.SHARED_FETCH_BYTES_MAX = arguments.fetch  # type: ignore[misc, attr-defined]
        _worker(settings(work, servers, arguments.actions if "actions" in side else 1), total, began, arguments.profile)
    else:
        steps = {
            "by hand": by_hand.rows_in_a_list,
            "by hand, better": by_hand.rows_in_one_text,
            "boto3 by hand": by_hand.objects,
        }
        step = steps[side](by_hand.client(servers["s3"]), servers["bucket"])
        at_once = 2_000 if side == "by hand" else 10_000
        by_hand.run(step, servers["kafka"], work, total, at_once, began.now)
    return began.figures(total)


class _Beginning:
    """When the first record came."""

    def __init__(self) -> None:
        self.cpu = self.at = 0.0

    def now(self) -> None:
        self.cpu, self.at = time.process_time(), time.monotonic()

    def figures(self, count: int) -> Figures:
        cpu = time.process_time()
        return {
            "steady_us": (cpu - self.cpu) / count * 1e6,
            "whole_us": cpu / count * 1e6,
            "per_second": count / (time.monotonic() - self.at),
        }


def _worker(config: dict[str, Any], total: int, began: _Beginning, with_profile: bool) -> None:
    from pipeline.process import collector

    collector.loading()  # as each command does
    import uvloop

    from agents import worker  # noqa: F401 - what `tidegate worker` loads first
    from pipeline import log

    log.configure(level="warning")
    collector.loaded()
    profile = cProfile.Profile() if with_profile else None
    uvloop.run(_serve(config, total, began, profile))
    if profile:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(30)


async def _serve(config: dict[str, Any], total: int, began: _Beginning, profile: cProfile.Profile | None) -> None:
    """Run a worker in this process until all of its actions have confirmed and committed everything."""
    from agents import worker
    from agents.metrics import OBJECTS, RECORDS
    from pipeline.config import Config

    stop = asyncio.Event()
    running = asyncio.create_task(worker.serve(Config.model_validate(config), stop=stop))
    names = list(config["actions"]["s3"])
    seen, done = _sum(RECORDS, names), _sum(OBJECTS, names)
    first = asyncio.Event()
    for name in names:
        _tell_first(RECORDS.labels(name), began, first)
    await until(lambda: float(first.is_set()), 1, 0.1, running)
    if profile:
        profile.enable()
    await until(seen, total * len(names), 0.02, running)
    if config["actions"]["s3"]["bench"]["parameters"]["mode"] == "direct":
        await until(done, total * len(names), 0.02, running)
    stop.set()
    await running
    if profile:
        profile.disable()


def _tell_first(counter: Any, began: _Beginning, first: asyncio.Event) -> None:
    """Note when a counter first counts. Whoever looked at it each millisecond would be a twentieth of the start."""
    count = counter.inc

    def inc(amount: float) -> None:
        if not first.is_set():
            began.now()
            first.set()
        counter.inc = count
        count(amount)

    counter.inc = inc


def _sum(counter: Any, actions: list[str]) -> Callable[[], float]:
    values = [counter.labels(action)._value for action in actions]
    return lambda: sum(value.get() for value in values)


async def until(count: Callable[[], float], wanted: float, seconds: float, running: asyncio.Task[None]) -> None:
    """Wait until a counter has reached `wanted`, with a look at it every few milliseconds: it sends no event when it changes.

    Ends the program if the worker has ended, or if the counter stands still.
    """
    loop = asyncio.get_running_loop()
    last, since = count(), loop.time()
    while last < wanted:
        if running.done():
            running.result()
            raise SystemExit(f"the worker ended at {last:,.0f} of {wanted:,.0f}")
        if loop.time() - since > STILL_SECONDS_MAX:
            raise SystemExit(
                f"expected {wanted:,.0f}, found {last:,.0f} and nothing more within {STILL_SECONDS_MAX:.0f} s; "
                "did an earlier worker leave its ledger in the bucket, or is something in the way?"
            )
        await asyncio.sleep(seconds)
        if (now := count()) != last:
            last, since = now, loop.time()


def settings(work: str, servers: dict[str, Any], actions: int = 1) -> dict[str, Any]:
    """The configuration of the worker."""
    bucket = servers.get("bucket", BUCKET)
    names = ["bench", *(f"bench-{number}" for number in range(1, actions))]
    statements = {name: STATEMENTS[number % len(STATEMENTS)] for number, name in enumerate(names)}
    if work == "direct":
        statements = {"bench": 'SELECT clientid, id, payload FROM "t/#"'}
    access = servers["s3"]
    return {
        "pipeline": bucket,
        "kafka": {"bootstrap_servers": servers["kafka"], "messages_topic": work, "partitions": PARTITIONS},
        "connectors": {
            "s3": {
                "store": {
                    "host": access["host"],
                    "port": access["port"],
                    "access_key_id": access["key"],
                    "secret_access_key": access["secret"],
                    "transport_options": {"ssl": {"enable": False}},
                }
            }
        },
        "actions": {
            "s3": {
                name: {"connector": "store", "parameters": {"bucket": bucket, **_parameters(work, name)}}
                for name in statements
            }
        },
        "rules": {name: {"sql": sql, "actions": [f"s3:{name}"]} for name, sql in statements.items()},
    }


def _parameters(work: str, name: str) -> dict[str, Any]:
    if work == "direct":
        return {"mode": "direct", "key": "msgs/${clientid}/${id}.json", "content": "${payload}"}
    return {
        "mode": "aggregated",
        "key": name + "/${partition}-${offset}.jsonl.gz",
        "compression": "gzip",
        "aggregation": {"max_records": by_hand.ROWS, "time_interval": "30m"},
    }


# --- The table


def _print(results: dict[str, dict[str, list[Figures]]], arguments: argparse.Namespace) -> None:
    print(
        f"{_machine()}\nCPU µs of each record: the median of {arguments.rounds} rounds (lowest to highest), and its ratio\n"
    )
    for work, sides in results.items():
        of = f" of {arguments.payload} bytes" if work == "aggregated" else ""
        print(
            f"{f'{work}: {_counts(arguments)[work]:,} records{of}':44}{'steady':>26}{'':8}{'whole':>10}{'':8}{'each/s':>12}"
        )
        base = next(iter(sides.values()))
        for side, rounds in sides.items():
            steady, whole = _of(rounds, "steady_us"), _of(rounds, "whole_us")
            middle = statistics.median(steady)
            print(
                f"  {side:42}{f'{middle:,.2f} ({min(steady):,.2f} to {max(steady):,.2f})':>26}"
                f"{middle / statistics.median(_of(base, 'steady_us')):>7.2f}x{statistics.median(whole):>10,.2f}"
                f"{statistics.median(whole) / statistics.median(_of(base, 'whole_us')):>7.2f}x"
                f"{statistics.median(_of(rounds, 'per_second')):>12,.0f}"
            )
        print()


def _of(rounds: list[Figures], name: str) -> list[float]:
    return [each[name] for each in rounds]


def _machine() -> str:
    return (
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    )


if __name__ == "__main__":
    main()
