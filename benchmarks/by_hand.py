"""The loops that benchmarks/sink.py compares a worker with: confluent-kafka, orjson, gzip and boto3, as an engineer writes them.

They promise nothing: they do not keep order across retries, write rows twice after a failure, and stop at the first error.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Final

import orjson

ROWS: Final = 10_000  # of an object
STILL_SECONDS_MAX: Final = 30.0

# A step takes the next messages; None means that none follow. A put writes the next object.
Step = Callable[[list[Any] | None], None]
Put = Callable[[bytes], Any]


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


def run(step: Step, servers: str, topic: str, total: int, at_once: int, begun: Callable[[], None]) -> None:
    """Give all messages of a topic to `step`, and commit. `begun` is called before the first ones."""
    from confluent_kafka import Consumer, KafkaException

    consumer = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": f"by-hand-{id(step)}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "fetch.queue.backoff.ms": 10,
        }
    )
    consumer.subscribe([topic])
    seen = still = 0
    while seen < total:
        messages = consumer.consume(at_once, 1.0)
        if messages and not seen:
            begun()
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


def _puts(store: Any, bucket: str) -> Put:
    """What writes the objects 0, 1, 2 … of rows."""
    keys: Iterator[str] = (f"hand/{number}.jsonl.gz" for number in range(10**9))
    return lambda body: store.put_object(Bucket=bucket, Key=next(keys), Body=body)


def rows_in_a_list(store: Any, bucket: str) -> Step:
    """The loop as it comes to mind: rows in a list, and Python's own gzip."""
    put, rows = _puts(store, bucket), list[bytes]()

    def step(messages: list[Any] | None) -> None:
        for message in messages or ():
            fields = orjson.loads(message.value())
            if fields["temp"] > 10:
                row = {"clientid": message.key().decode(), "temp": fields["temp"], "seq": fields["seq"]}
                rows.append(orjson.dumps(row))
        while len(rows) >= ROWS or (rows and messages is None):
            put(gzip.compress(b"\n".join(rows[:ROWS]) + b"\n", compresslevel=1))
            del rows[:ROWS]

    return step


def rows_in_one_text(store: Any, bucket: str) -> Step:
    """The same loop, better: rows in one bytearray, and isal's gzip."""
    from isal import igzip

    put, text, rows = _puts(store, bucket), bytearray(), 0

    def write() -> None:
        nonlocal rows
        put(igzip.compress(bytes(text), compresslevel=1))
        text.clear()
        rows = 0

    def step(messages: list[Any] | None) -> None:
        nonlocal rows
        for message in messages or ():
            fields = orjson.loads(message.value())
            if fields["temp"] > 10:
                row = {"clientid": message.key().decode(), "temp": fields["temp"], "seq": fields["seq"]}
                text.extend(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                rows += 1
                if rows == ROWS:
                    write()
        if messages is None and rows:
            write()

    return step


def objects(store: Any, bucket: str) -> Step:
    """One object for each message."""
    put = partial(store.put_object, Bucket=bucket)

    def step(messages: list[Any] | None) -> None:
        for message in messages or ():
            key = f"hand/{message.key().decode()}/{message.partition()}-{message.offset()}.json"
            put(Key=key, Body=message.value())

    return step
