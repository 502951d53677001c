"""Compares the whole worker with loops written by hand, on one topic of a real Kafka and one real S3 server.

    python -m benchmarks.sink [--records 1000000] [--objects 20000] [--output json] [--profile]

It has two workloads. *aggregated*: JSON records of about 200 bytes with a nested payload, keys of 1,000 clients, 8
partitions; a filter on one payload field (all pass), three fields in each row, gzip JSON Lines objects of 10,000 rows.
*direct*: one object for each message.

The loops do only this: confluent-kafka with tuned fetch back-off, orjson, isal's gzip, boto3, offsets committed after S3 has
confirmed. They do not keep order across retries, write rows twice after a failure, and stop at the first error. The worker does
its whole job: exactly once with a ledger, fenced writes, order per client.

Each side is a separate process. The benchmark counts its CPU time, with all threads, from the first record to the last
confirmation.
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
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import orjson

PARTITIONS: Final = 8
BUCKET: Final = "benchmark"
STATEMENT: Final = (
    "SELECT payload.device AS device, payload.seq AS seq, payload.reading.temp AS temp "
    'FROM "t/#" WHERE payload.reading.humidity >= 0'
)
RUN_SECONDS_MAX: Final = 300.0
STILL_SECONDS_MAX: Final = 30.0  # how long a counter may stand still


def main() -> None:
    """Run all measurements and print the table or JSON."""
    arguments = _arguments()
    if arguments.measure:
        side, work = arguments.measure
        print(json.dumps(_MEASURES[side](work, json.loads(arguments.servers), arguments)))
        return
    with start_servers() as servers:
        for work, count in (("aggregated", arguments.records), ("direct", arguments.objects)):
            _fill(servers["kafka"], work, count)
        results = [
            {"work": work, **{side: _run(side, work, servers, arguments) for side in _MEASURES}}
            for work in ("aggregated", "direct")
        ]
    if arguments.output == "json":
        print(json.dumps({"machine": _machine(), "results": results}))
    else:
        _print(results)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000, help="records of the aggregated work")
    parser.add_argument("--objects", type=int, default=20_000, help="records of the direct work, an object each")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--profile", action="store_true", help="show where the worker's time goes (slows it down)")
    parser.add_argument("--measure", nargs=2, metavar=("SIDE", "WORK"), help=argparse.SUPPRESS)
    parser.add_argument("--servers", help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def start_servers() -> Iterator[dict[str, Any]]:
    """Start a Kafka and an S3 server. The store is in memory if this machine has a folder in memory."""
    from tests.parts import apache_kafka, versitygw

    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory() as logs, tempfile.TemporaryDirectory(dir=memory) as objects:
        kafka, s3 = apache_kafka.start(Path(logs)), versitygw.start(Path(objects))
        try:
            access = {"host": s3.host, "port": s3.port, "key": s3.access_key_id, "secret": s3.secret_access_key}
            client(access).create_bucket(Bucket=BUCKET)
            yield {"kafka": kafka.bootstrap_servers, "s3": access}
        finally:
            s3.stop()
            kafka.stop()


def _fill(servers: str, topic: str, count: int) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    from pipeline.record import message_record

    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer(
        {
            "bootstrap.servers": servers,
            "linger.ms": 50,
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 500_000,
        }
    )
    chance = random.Random(1)
    now_ms = int(time.time() * 1000)  # the topic's retention would delete old records before they are read
    for number in range(count):
        device = b"dev-%d" % chance.randrange(1000)
        reading = {"temp": round(chance.random() * 100, 2), "humidity": chance.randrange(100), "at": [48.1, 11.5]}
        fields = {"seq": number, "device": device.decode(), "reading": reading, "firmware": "1.2.3", "note": "x" * 60}
        key, value, headers, timestamp = message_record(
            topic=b"t/" + device,
            payload=orjson.dumps(fields),
            qos=1,
            retain=False,
            dup=False,
            clientid=device,
            clientid_from=b"topic",
            timestamp_ms=now_ms + number // 1000,
        )
        producer.produce(topic, value, key, headers=headers, timestamp=timestamp)
        if number % 10_000 == 0:
            producer.poll(0)
            while len(producer) > 400_000:
                producer.poll(0.1)
    assert producer.flush(120) == 0


def _run(side: str, work: str, servers: dict[str, Any], arguments: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.sink", "--measure", side, work, "--servers", json.dumps(servers)]
    command += ["--records", str(arguments.records), "--objects", str(arguments.objects)]
    command += ["--profile"] * arguments.profile
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=RUN_SECONDS_MAX)
    if done.returncode:
        raise SystemExit(f"{side} {work} ended with status {done.returncode}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _print(results: list[dict[str, Any]]) -> None:
    print(f"{_machine()}\n")
    print(f"{'':12}{'loop by hand':>30}{'tidegate worker':>30}{'CPU ratio':>12}")
    print(f"{'':12}" + f"{'CPU µs each':>15}{'each/s':>15}" * 2)
    for each in results:
        cells = "".join(
            f"{each[side]['cpu_us']:>15,.1f}{each[side]['per_second']:>15,.0f}" for side in ("hand", "worker")
        )
        print(f"{each['work']:12}{cells}{each['worker']['cpu_us'] / each['hand']['cpu_us']:>11.2f}x")


def _machine() -> str:
    return (
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    )


def _figures(count: int, began: tuple[float, float]) -> dict[str, float]:
    cpu, wall = time.process_time() - began[0], time.monotonic() - began[1]
    return {"count": count, "cpu_us": round(cpu / count * 1e6, 2), "per_second": round(count / wall)}


# --- By hand


def client(access: dict[str, Any], connections: int = 10) -> Any:
    """A boto3 client of the store."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=f"http://{access['host']}:{access['port']}",
        aws_access_key_id=access["key"],
        aws_secret_access_key=access["secret"],
        region_name="us-east-1",
        config=Config(
            request_checksum_calculation="when_required",
            s3={"addressing_style": "path"},
            max_pool_connections=connections,
        ),
    )


def _by_hand(work: str, servers: dict[str, Any], arguments: argparse.Namespace) -> dict[str, float]:
    from confluent_kafka import Consumer, KafkaException

    consumer = Consumer(
        {
            "bootstrap.servers": servers["kafka"],
            "group.id": f"hand-{work}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.subscribe([work])
    store = client(servers["s3"])
    total = arguments.records if work == "aggregated" else arguments.objects
    seen, still, began = 0, 0, None
    step = _hand_aggregated(store) if work == "aggregated" else _hand_direct(store)
    while seen < total:
        messages = consumer.consume(10_000, 1.0)
        if messages and began is None:
            began = time.process_time(), time.monotonic()
        still = 0 if messages else still + 1
        if still > STILL_SECONDS_MAX:
            raise SystemExit(f"expected {total:,} records, found {seen:,}")
        step(messages)
        seen += len(messages)
        if messages:
            consumer.commit(asynchronous=True)
    step(None)
    with suppress(KafkaException):  # raised if the last commit has covered everything
        consumer.commit(asynchronous=False)
    assert began is not None
    return _figures(total, began)


def _hand_aggregated(client: Any) -> Any:
    from isal import igzip

    buffer, rows, objects = bytearray(), 0, 0

    def put() -> None:
        nonlocal rows, objects
        body = igzip.compress(bytes(buffer), compresslevel=1)
        client.put_object(Bucket=BUCKET, Key=f"hand/{objects}.jsonl.gz", Body=body)
        buffer.clear()
        rows, objects = 0, objects + 1

    def step(messages: list[Any] | None) -> None:
        nonlocal rows
        for message in messages or ():
            fields = orjson.loads(message.value())
            reading = fields["reading"]
            if reading["humidity"] >= 0:
                row = {"device": fields["device"], "seq": fields["seq"], "temp": reading["temp"]}
                buffer.extend(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                rows += 1
                if rows == 10_000:
                    put()
        if messages is None and rows:
            put()

    return step


def _hand_direct(client: Any) -> Any:
    def step(messages: list[Any] | None) -> None:
        for message in messages or ():
            key = f"hand/{message.key().decode()}/{message.partition()}-{message.offset()}.json"
            client.put_object(Bucket=BUCKET, Key=key, Body=message.value())

    return step


# --- The worker


def _worker(work: str, servers: dict[str, Any], arguments: argparse.Namespace) -> dict[str, float]:
    import uvloop

    profile = cProfile.Profile() if arguments.profile else None
    figures = uvloop.run(_serve(work, servers, arguments, profile))
    if profile:
        pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(30)
    return figures


async def _serve(
    work: str, servers: dict[str, Any], arguments: argparse.Namespace, profile: cProfile.Profile | None
) -> dict[str, float]:
    """Run a worker in this process until everything is confirmed and committed."""
    from agents import worker
    from agents.metrics import OBJECTS, RECORDS
    from pipeline import log
    from pipeline.config import Config

    log.configure(level="warning")
    total = arguments.records if work == "aggregated" else arguments.objects
    stop = asyncio.Event()
    running = asyncio.create_task(worker.serve(Config.model_validate(settings(work, servers)), stop=stop))
    seen, done = RECORDS.labels("bench")._value, OBJECTS.labels("bench")._value
    await until(seen.get, 1, 0.001, running)
    began = time.process_time(), time.monotonic()
    if profile:
        profile.enable()
    await until(seen.get, total, 0.02, running)
    if work == "direct":
        await until(done.get, total, 0.02, running)
    stop.set()
    await running
    if profile:
        profile.disable()
    return _figures(total, began)


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


def settings(work: str, servers: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the worker."""
    aggregated = {
        "mode": "aggregated",
        "bucket": BUCKET,
        "key": "rows/${partition}-${offset}.jsonl.gz",
        "compression": "gzip",
        "aggregation": {"max_records": 10_000, "time_interval": "30m"},
    }
    direct = {"bucket": BUCKET, "key": "msgs/${clientid}/${id}.json", "content": "${payload}"}
    statement = STATEMENT if work == "aggregated" else 'SELECT clientid, id, payload FROM "t/#"'
    access = servers["s3"]
    return {
        "pipeline": f"bench-{work}",
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
            "s3": {"bench": {"connector": "store", "parameters": aggregated if work == "aggregated" else direct}}
        },
        "rules": {"bench": {"sql": statement, "actions": ["s3:bench"]}},
    }


_MEASURES = {"hand": _by_hand, "worker": _worker}


if __name__ == "__main__":
    main()
