"""Shows that a worker whose rules make far more than it reads stays within its bound of memory.

    python -m benchmarks.memory [--records 20000] [--output json]

The works are: a hundred rules that all match, FOREACH over long lists, and both together, on one topic of a real Kafka and one
real S3 server. Each work is a worker in a process of its own, with `max_buffer_bytes` of 64 MB. The benchmark compares its
largest memory (VmHWM) with that before the first record. Exit status 1 if the difference is more than `max_buffer_bytes` and
ALLOWANCE_MB.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

import orjson

from benchmarks import sink

BUFFER_MB: Final = 64
# What a worker may take besides: a piece of each partition while it becomes rows, fetched batches, gzip, requests under way.
ALLOWANCE_MB: Final = 192
PARTITIONS: Final = 4
ELEMENTS: Final = 2_000
RUN_SECONDS_MAX: Final = 300.0
EACH: Final = 'FOREACH payload.list AS each DO each.name AS name, each.value AS value, payload.note AS note FROM "t/#"'
ALL: Final = 'SELECT payload.seq AS seq, payload.note AS note, payload.list[1] AS one, {number} AS rule FROM "t/#"'
RULES: Final[dict[str, list[str]]] = {
    "rules": [ALL.format(number=number) for number in range(100)],
    "foreach": [EACH],
    "together": [EACH, *(ALL.format(number=number) for number in range(99))],
}


def main() -> int:
    """Run all works, and print the table or JSON."""
    arguments = _arguments()
    if arguments.measure:
        print(json.dumps(asyncio.run(_measure(arguments.measure, json.loads(arguments.servers), arguments.records))))
        return 0
    with sink.start_servers() as servers:
        results = {}
        for work in RULES:
            _fill(servers["kafka"], work, _count(work, arguments.records))
            results[work] = _run(work, servers, arguments.records)
    if arguments.output == "json":
        print(json.dumps(results))
    else:
        print(f"max_buffer_bytes {BUFFER_MB} MB, allowance {ALLOWANCE_MB} MB")
        for work, found in results.items():
            print(f"{work:10}" + "".join(f"  {name} {value:,.0f}" for name, value in found.items()))
    return 0 if all(found["more_mb"] <= BUFFER_MB + ALLOWANCE_MB for found in results.values()) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000, help="records of the hundred rules")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    parser.add_argument("--servers", help=argparse.SUPPRESS)
    return parser.parse_args()


def _count(work: str, records: int) -> int:
    """A record with a long list makes as many rows as twenty for a hundred rules."""
    return records if work == "rules" else max(1, records // 20)


def _fill(servers: str, topic: str, count: int) -> None:
    from confluent_kafka import Producer
    from confluent_kafka.admin import AdminClient, NewTopic

    from pipeline.record import message_record

    admin = AdminClient({"bootstrap.servers": servers})
    admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
    producer = Producer({"bootstrap.servers": servers, "linger.ms": 20})
    items = [{"name": f"s{number}", "value": number} for number in range(1 if topic == "rules" else ELEMENTS)]
    for number in range(count):
        key, value, headers, _ = message_record(
            topic=b"t/1",
            payload=orjson.dumps({"seq": number, "note": "n" * 200, "list": items}),
            qos=1,
            retain=False,
            dup=False,
            clientid=b"dev-%d" % number,
            clientid_from=b"topic",
            timestamp_ms=int(time.time() * 1000),  # the topic's retention would delete old records
        )
        producer.produce(topic, value, key, headers=headers, partition=number % PARTITIONS)
        producer.poll(0)
    assert producer.flush(120) == 0


def _run(work: str, servers: dict[str, Any], records: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.memory", "--measure", work, "--records", str(records)]
    command += ["--servers", json.dumps(servers)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=RUN_SECONDS_MAX)
    if done.returncode:
        raise SystemExit(f"{work} ended with status {done.returncode}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


# --- The worker


async def _measure(work: str, servers: dict[str, Any], records: int) -> dict[str, float]:
    """Run a worker in this process until it has read everything and written what it holds."""
    from agents import worker
    from agents.metrics import RECORDS, ROWS
    from pipeline import log
    from pipeline.config import Config
    from pipeline.process.collector import slow_down

    slow_down()
    log.configure(level="warning")
    stop = asyncio.Event()
    running = asyncio.create_task(worker.serve(Config.model_validate(_settings(work, servers)), stop=stop))
    seen = RECORDS.labels("bench")._value
    await sink.until(seen.get, 1, 0.001, running)
    began = _memory_mb("VmRSS")
    await sink.until(seen.get, _count(work, records), 0.05, running)
    stop.set()
    await running
    rows = ROWS.labels("bench")._value.get()
    peak = _memory_mb("VmHWM")
    return {"rows": rows, "before_mb": began, "peak_mb": peak, "more_mb": peak - began}


def _memory_mb(name: str) -> float:
    """A figure of this process in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1]) / 1024


def _settings(work: str, servers: dict[str, Any]) -> dict[str, Any]:
    found = sink.settings("aggregated", servers)
    found["pipeline"] = f"memory-{work}"
    found["actions"]["s3"]["bench"]["parameters"]["key"] = work + "/${partition}-${offset}.jsonl.gz"
    found["kafka"] |= {"messages_topic": work, "partitions": PARTITIONS}
    found["actions"]["s3"]["bench"]["resource_opts"] = {"max_buffer_bytes": f"{BUFFER_MB}mb"}
    found["rules"] = {f"r{number}": {"sql": sql, "actions": ["s3:bench"]} for number, sql in enumerate(RULES[work])}
    return found


if __name__ == "__main__":
    sys.exit(main())
