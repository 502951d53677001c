"""Compares the batch transport with a stock Faust agent, on the same topic of one real Kafka.

    python -m benchmarks.transport [--records 200000] [--output json]

It has two workloads: *counting* reads no fields of records; *rules* decodes JSON, filters and selects fields. The stock
agent is Faust as in its manual, with one event for each record, `orjson.loads`, and the same filter and fields written
by hand. Ours runs the compiled rule. Each side is a separate process and reads all partitions from their start. The
benchmark counts the CPU time of that process, with all threads, between the first record and the last. A second core or
other load on the machine changes it little.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

TOPIC: Final = "benchmark.messages"
PARTITIONS: Final = 4
STATEMENT: Final = (
    'SELECT clientid, payload.seq AS seq, payload.temp AS temp, payload.type AS type FROM "t/#" WHERE payload.temp > 20'
)
REQUIRED: Final = {"counting": 20.0, "rules": 12.0}
# A stock agent is slow, so it gets only a part of the records. Its rate does not depend on their number.
STOCK_SHARE: Final = 10
RUN_SECONDS_MAX: Final = 60.0


# --- The parent: a Kafka, its records, and one process for each measurement


def main() -> int:
    """Run all measurements, and print the table or JSON. Exit status 1 if a ratio is below the required one."""
    arguments = _arguments()
    if arguments.measure:
        side, workload = arguments.measure
        print(json.dumps(asyncio.run(_measure(side, workload, arguments.kafka, arguments.records))))
        return 0
    with _kafka(arguments.kafka) as servers:
        _fill(servers, arguments.records)
        results = [_compare(workload, servers, arguments) for workload in REQUIRED]
    if arguments.output == "json":
        print(json.dumps({"machine": _machine(), "records": arguments.records, "results": results}))
    else:
        _print(results)
    return 0 if all(each["ratio"] >= each["required"] for each in results) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=200_000, help="records in the topic")
    parser.add_argument("--rounds", type=int, default=2, help="measurements of each side; the best one counts")
    parser.add_argument("--kafka", default="", help="host:port of a Kafka; by default one is started")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--measure", nargs=2, metavar=("SIDE", "WORKLOAD"), help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _kafka(servers: str) -> Iterator[str]:
    """The given Kafka, or a new one (this needs Java and Maven once)."""
    if servers:
        yield servers
        return
    from tests.parts import apache_kafka

    with tempfile.TemporaryDirectory() as folder:
        part = apache_kafka.start(Path(folder))
        try:
            yield part.bootstrap_servers
        finally:
            part.stop()


def _fill(servers: str, count: int) -> None:
    """Write messages of about 150 bytes in the ingress's form. The filter rejects a quarter of them."""
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    from pipeline.record import message_record

    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(TOPIC, PARTITIONS, 1)])[TOPIC].result(30)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20, "queue.buffering.max.messages": count + 1})
    now_ms = int(time.time() * 1000)  # the topic's retention would delete old records before they are read
    for number in range(count):
        device = b"dev-%d" % (number % 500)
        fields = {
            "seq": number,
            "temp": number % 80,
            "type": "pump",
            "humidity": 40,
            "place": {"lat": 48.1, "lon": 11.5},
        }
        record = message_record(
            topic=b"t/" + device,
            payload=orjson.dumps({**fields, "note": "spare text that no rule here reads"}),
            qos=1,
            retain=False,
            dup=False,
            clientid=device,
            clientid_from=b"topic",
            timestamp_ms=now_ms + number // 1000,
        )
        key, value, headers, timestamp = record
        producer.produce(TOPIC, value, key, partition=number % PARTITIONS, headers=headers, timestamp=timestamp)
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(120) == 0


def _compare(workload: str, servers: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Run both sides in turn, and give the best round of each, and the ratio."""
    best: dict[str, dict[str, float]] = {}
    for _ in range(arguments.rounds):
        for side in ("stock", "batch"):
            count = arguments.records // STOCK_SHARE if side == "stock" else arguments.records
            found = _run(side, workload, servers, count)
            if side not in best or found["records_per_cpu_second"] > best[side]["records_per_cpu_second"]:
                best[side] = found
    ratio = best["batch"]["records_per_cpu_second"] / best["stock"]["records_per_cpu_second"]
    return {"workload": workload, **best, "ratio": round(ratio, 1), "required": REQUIRED[workload]}


def _run(side: str, workload: str, servers: str, records: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.transport", "--measure", side, workload]
    command += ["--kafka", servers, "--records", str(records)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX)
    if done.returncode:
        raise SystemExit(f"{side} {workload} ended with status {done.returncode}\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _print(results: list[dict[str, Any]]) -> None:
    print(f"{_machine()}\n")
    print(f"{'':10}{'stock Faust agent':>24}{'record batches':>24}")
    print(f"{'':10}{'rec/CPU s':>13}{'µs/rec':>11}{'rec/CPU s':>13}{'µs/rec':>11}{'ratio':>9}{'required':>10}")
    for each in results:
        cells = "".join(
            f"{each[side]['records_per_cpu_second']:>13,.0f}{each[side]['cpu_us_per_record']:>11.2f}"
            for side in ("stock", "batch")
        )
        print(f"{each['workload']:10}{cells}{each['ratio']:>8.1f}x{each['required']:>9.0f}x")


def _machine() -> str:
    return (
        f"{time.strftime('%Y-%m-%d')}, Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}"
    )


# --- The child: one side, one workload


async def _measure(side: str, workload: str, servers: str, records: int) -> dict[str, float]:
    """Read `records` records, and return CPU and wall-clock time from the first to the last."""
    meter = Meter(records)
    build = _stock_app if side == "stock" else _batch_app
    app = build(f"benchmark-{side}-{workload}-{os.getpid()}", servers, workload, meter)
    app.finalize()
    await app.start()
    try:
        await asyncio.wait_for(meter.done.wait(), RUN_SECONDS_MAX)
    finally:
        await app.stop()
    return meter.result()


class Meter:
    """Counts records, and notes the times of the first and the last."""

    def __init__(self, records: int) -> None:
        self.done = asyncio.Event()
        self._records = records
        self._seen = 0
        self._rows = 0
        self._began = self._ended = (0.0, 0.0)

    def begin(self) -> None:
        """Call this before the work on each batch."""
        if not self._seen:
            self._began = time.process_time(), time.monotonic()

    def add(self, records: int, rows: int) -> None:
        """Call this after the work on each batch."""
        self._seen += records
        self._rows += rows
        if self._seen >= self._records and not self.done.is_set():
            self._ended = time.process_time(), time.monotonic()
            self._total = self._seen
            self.done.set()

    def result(self) -> dict[str, float]:
        """Rates and costs."""
        cpu, wall = (end - begin for end, begin in zip(self._ended, self._began, strict=True))
        return {
            "records": self._total,
            "rows": self._rows,
            "records_per_cpu_second": round(self._total / cpu),
            "cpu_us_per_record": round(cpu / self._total * 1e6, 3),
            "records_per_second": round(self._total / wall),
        }


def _stock_app(name: str, servers: str, workload: str, meter: Meter) -> Any:
    import faust

    app = faust.App(
        name,
        broker=f"kafka://{servers}",
        store="memory://",
        datadir=tempfile.mkdtemp(),
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
    )
    topic = app.topic(TOPIC, value_type=bytes, value_serializer="raw", key_type=bytes, key_serializer="raw")
    work = _stock_work(workload)

    @app.agent(topic)
    async def handle(stream: Any) -> None:
        async for event in stream.events():
            meter.begin()
            meter.add(1, work(event))

    return app


def _stock_work(workload: str) -> Callable[[Any], int]:
    """The same filter and fields as in STATEMENT, written by hand for an agent."""
    if workload == "counting":
        return lambda event: 1

    def work(event: Any) -> int:
        if not event.headers["topic"].startswith(b"t/"):
            return 0
        document = orjson.loads(event.value)
        if not document["temp"] > 20:
            return 0
        row = {
            "clientid": event.key.decode(),
            "seq": document["seq"],
            "temp": document["temp"],
            "type": document["type"],
        }
        return len(row) and 1

    return work


def _batch_app(name: str, servers: str, workload: str, meter: Meter) -> Any:
    from agents.lanes.lane import Lane
    from agents.stream import app as wiring
    from pipeline.action.compiled import CompiledAction, TopicNames
    from pipeline.config import DirectParameters, KafkaConfig
    from pipeline.config.resource_opts import ResourceOpts
    from pipeline.rule.batch import RowBatch
    from pipeline.rule.rule_set import RuleSet

    class Counter(Lane):
        """A lane that finishes each batch at once."""

        rules = property(lambda _: rules)

        async def run(self) -> None:
            self.ready = True
            self.reads_at(0)
            while (taken := await self._next(None)) is not None:
                fetched, batch = taken
                assert batch is not None
                meter.add(len(batch.records), len(batch.rows))
                self.durable = fetched.next
                self._release(fetched.size_bytes + batch.size_bytes)

    class Counted(RuleSet):
        """Starts the clock. Reads no fields of records if it only counts."""

        def evaluate(self, records: Any, bytes_max: int = sys.maxsize, **how: Any) -> RowBatch:
            meter.begin()
            return (
                super().evaluate(records, bytes_max, **how) if workload == "rules" else RowBatch(records, self.digest)
            )

    kafka = KafkaConfig(bootstrap_servers=servers, messages_topic=TOPIC, events_topic=TOPIC)
    rules = Counted({"r": STATEMENT}, node="benchmark")
    parameters = DirectParameters(mode="direct", bucket="sink", key="k")
    action = CompiledAction("benchmark", "", ResourceOpts(), TopicNames(TOPIC, TOPIC), rules, parameters)
    return wiring.build(name, action, kafka, Counter)


if __name__ == "__main__":
    sys.exit(main())
