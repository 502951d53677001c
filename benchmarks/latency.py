"""Measures the time from a device's PUBLISH until its row can be read in S3, at 1,000 messages a second.

    python -m benchmarks.latency [--rate 1000] [--seconds 10] [--rounds 3] [--output json]

With mosquitto, Apache Kafka and versitygw, as the tests start them. Fifty devices publish at QoS 1. Four paths take turns:

- *direct*: the ingress and a worker; one object for each message, fenced and in order.
- *aggregated*: the same processes; `time_interval: 1s`, exactly once.
- *direct by hand*: paho subscribes and confluent-kafka produces; a consumer puts each message with boto3, 32 at once. It keeps no
  order, has no fence, and acknowledges messages to the broker before Kafka has them.
- *aggregated by hand*: the same consumer; one `put_object` of JSON Lines each second.

Of direct upload one message in fifty is a probe: HEAD is sent for its key until it answers 200, after 2 ms and then each time
after another tenth of the time that has passed. Of aggregated upload each row counts, when a GET has returned its object; the
bucket is listed every 20 ms. The first second of a round does not count. A row that is not there 30 s after the last message is
late.

Each figure is the median of all rounds, with the lowest and the highest, in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Final

import orjson

from benchmarks import by_hand, sink
from pipeline import log
from pipeline.config import Config
from pipeline.connectors.s3.store import S3Store
from pipeline.demo.process import Server
from tests.components.mqtt_publisher import Publisher

DEVICES: Final = 50
PUTS_AT_ONCE: Final = 32
PROBES_EVERY: Final = 50
LATE_SECONDS: Final = 30.0
START_SECONDS_MAX: Final = 300.0
LIST_SECONDS: Final = 0.02
# The first level of the topic names, and of the keys, of each path; the hand-written ones go by `hand-`.
PATHS: Final = {
    "direct": "direct",
    "direct by hand": "hand-direct",
    "aggregated, 1 s": "rows",
    "aggregated by hand, 1 s": "hand-rows",
}


def main() -> None:
    """Run all rounds, and print the table or JSON."""
    arguments = _arguments()
    if arguments.hand:
        ByHand(json.loads(arguments.hand)).run()
        return
    log.configure(level="warning")
    with _processes() as servers:
        found = asyncio.run(_measure(servers, arguments))
    if arguments.output == "json":
        print(json.dumps(found))
        return
    print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, {arguments.rate} messages/s, milliseconds")
    print(f"{'':26}{'p50':>8}{'lowest':>9}{'highest':>9}{'p99':>10}{'lowest':>9}{'highest':>9}{'late':>8}")
    for path, each in found.items():
        half, most = ("".join(f"{value:>9,.0f}" for value in each[share]) for share in ("p50", "p99"))
        print(f"{path:25}{half} {most}{each['late']:>8}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=int, default=1_000, help="messages a second")
    parser.add_argument("--seconds", type=int, default=10, help="of a round, after its first second")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--hand", help=argparse.SUPPRESS)
    return parser.parse_args()


@contextmanager
def _processes() -> Iterator[dict[str, Any]]:
    """Start the servers, the ingress, the worker, and the path by hand."""
    from tests.parts import mosquitto

    with tempfile.TemporaryDirectory() as name, sink.start_servers() as servers:
        folder = Path(name)
        broker = mosquitto.start(folder)
        servers |= {"broker": broker.server_address}
        file = folder / "pipeline.json"
        file.write_bytes(orjson.dumps(_settings(servers)))
        tidegate = [sys.executable, "-m", "pipeline.cli"]
        commands = {
            "ingress": [*tidegate, "ingress", "-c", str(file)],
            "worker": [*tidegate, "worker", "-c", str(file)],
            "hand": [sys.executable, "-m", "benchmarks.latency", "--hand", json.dumps(servers)],
        }
        started = [Server(each, command, folder / f"{each}.log") for each, command in commands.items()]
        try:
            for process in started:
                process.launch()
            yield servers
        finally:
            for process in started:
                if process.exit_status is not None:
                    print(f"{process.name} ended with status {process.exit_status}\n{process.tail()}", file=sys.stderr)
                process.stop()
            broker.stop()


def _settings(servers: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the ingress and the worker."""
    direct = {"bucket": sink.BUCKET, "key": "direct/${run}/${n}", "content": "${payload}"}
    rows = {
        "mode": "aggregated",
        "bucket": sink.BUCKET,
        "key": "rows/${partition}-${offset}.jsonl",
        "aggregation": {"time_interval": "1s"},
    }
    fields = "payload.run AS run, payload.n AS n"
    source = {
        "server": servers["broker"],
        "topics": ["direct/#", "rows/#"],
        "qos": 1,
        "clientid_from": [{"topic": "+/{clientid}"}],
    }
    return {
        **sink.settings("direct", servers),
        "pipeline": "latency",
        "kafka": {"bootstrap_servers": servers["kafka"], "partitions": sink.PARTITIONS},
        "sources": {"mqtt": {"plant": source}},
        "actions": {
            "s3": {
                "direct": {"connector": "store", "parameters": direct},
                "rows": {"connector": "store", "parameters": rows},
            }
        },
        "rules": {
            "direct": {"sql": f'SELECT {fields}, payload FROM "direct/#"', "actions": ["s3:direct"]},
            "rows": {"sql": f'SELECT {fields} FROM "rows/#"', "actions": ["s3:rows"]},
        },
    }


# --- The rounds


async def _measure(servers: dict[str, Any], arguments: argparse.Namespace) -> dict[str, dict[str, Any]]:
    found: dict[str, list[Seen]] = {path: [] for path in PATHS}
    host, _, port = servers["broker"].rpartition(":")
    connector = Config.model_validate(_settings(servers)).connectors.s3["store"]
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(S3Store(connector))
        devices = [await Publisher.connect(host, int(port), f"dev-{number}") for number in range(DEVICES)]
        for path in PATHS.values():
            try:
                async with asyncio.timeout(START_SECONDS_MAX):
                    await _until_it_flows(store, devices[0], path)
            except TimeoutError:
                raise SystemExit(f"no object below {path}/ after {START_SECONDS_MAX:g} s") from None
        for number in range(arguments.rounds):
            for path, prefix in PATHS.items():
                one = Round(store, devices, prefix, f"r{number}", arguments.rate)
                found[path].append(await one.run(arguments.seconds))
                print(f"round {number + 1}: {path}", file=sys.stderr)
        for device in devices:
            await device.finish()
    return {path: _figures(each) for path, each in found.items()}


async def _until_it_flows(store: S3Store, device: Publisher, prefix: str) -> None:
    """Publish until the first object is there, since the processes are just starting."""
    while not (await store.page(sink.BUCKET, f"{prefix}/")).keys:
        await device.publish(f"{prefix}/{device.clientid}", [_payload("start", 0)])
        await asyncio.sleep(0.5)


def _payload(run: str, number: int) -> bytes:
    return orjson.dumps({"run": run, "n": number, "temperature": 21.5, "note": "x" * 60})


@dataclass
class Seen:
    """The latencies of a round in seconds, and the number of rows that were late."""

    seconds: list[float] = field(default_factory=list)
    late: int = 0


class Round:
    """One path under load. `run` it once."""

    def __init__(self, store: S3Store, devices: list[Publisher], prefix: str, run: str, rate: int) -> None:
        self._store, self._devices, self._prefix, self._run, self._rate = store, devices, prefix, run, rate
        self._sent: dict[int, float] = {}  # the numbers of rows that count and are not there yet
        self._all_sent = False
        self._seen = Seen()

    async def run(self, seconds: int) -> Seen:
        """Publish for one second, then for `seconds` that count, and wait for the rows."""
        direct = self._prefix.endswith("direct")
        watching = [] if direct else [asyncio.create_task(self._list())]
        began = time.monotonic()
        for number in range(self._rate * (seconds + 1)):
            if (ahead := number / self._rate - (time.monotonic() - began)) > 0:
                await asyncio.sleep(ahead)
            device = self._devices[number % DEVICES]
            counts = number >= self._rate and (not direct or number % PROBES_EVERY == 0)
            if counts:
                self._sent[number] = time.monotonic()
            await device.publish(f"{self._prefix}/{device.clientid}", [_payload(self._run, number)])
            if counts and direct:
                watching.append(asyncio.create_task(self._probe(number)))
        self._all_sent = True
        await asyncio.wait(watching, timeout=LATE_SECONDS)
        for task in watching:
            task.cancel()
        self._seen.late = len(self._sent)
        return self._seen

    def _is_there(self, number: int) -> None:
        if (sent := self._sent.pop(number, None)) is not None:
            self._seen.seconds.append(time.monotonic() - sent)

    async def _probe(self, number: int) -> None:
        key, wait = f"{self._prefix}/{self._run}/{number}", 0.0
        while await self._store.head(sink.BUCKET, key) is None:
            wait = max(0.002, (time.monotonic() - self._sent[number]) / 10)
            await asyncio.sleep(wait)
        self._is_there(number)

    async def _list(self) -> None:
        """Read each new object, until all rows are there."""
        known = set[str]()
        while self._sent or not self._all_sent:
            for key in set((await self._store.page(sink.BUCKET, f"{self._prefix}/")).keys) - known:
                known.add(key)
                for line in (await self._store.get(sink.BUCKET, key) or b"").splitlines():
                    row = orjson.loads(line)
                    if row["run"] == self._run:
                        self._is_there(row["n"])
            await asyncio.sleep(LIST_SECONDS)


def _figures(rounds: list[Seen]) -> dict[str, Any]:
    """Median, lowest and highest of the rounds, in milliseconds."""
    shares = [quantiles(each.seconds, n=100) for each in rounds if len(each.seconds) > 1]
    found: dict[str, Any] = {"late": sum(each.late for each in rounds)}
    for name, at in (("p50", 49), ("p99", 98)):
        values = [1000 * each[at] for each in shares]
        found[name] = [round(value, 1) for value in (median(values), min(values), max(values))]
    return found


# --- By hand


class ByHand:
    """What people write in an afternoon: subscribe and produce, consume and put."""

    def __init__(self, servers: dict[str, Any]) -> None:
        from confluent_kafka import Producer

        self._servers = servers
        self._client = by_hand.client(servers["s3"], connections=PUTS_AT_ONCE)
        self._producer = Producer({"bootstrap.servers": servers["kafka"]})

    def run(self) -> None:
        """Run until killed."""
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self._servers["kafka"]})
        admin.create_topics([NewTopic("by-hand", sink.PARTITIONS, 1)])["by-hand"].result(30)
        threading.Thread(target=self._subscribe, daemon=True).start()
        self._consume()

    def _subscribe(self) -> None:
        from paho.mqtt import client as paho
        from paho.mqtt.enums import CallbackAPIVersion

        def on_message(client: Any, userdata: Any, message: Any) -> None:
            self._producer.produce("by-hand", message.payload, message.topic)
            self._producer.poll(0)

        client = paho.Client(CallbackAPIVersion.VERSION2, "by-hand", protocol=paho.MQTTv5)
        client.on_message = on_message
        host, _, port = self._servers["broker"].rpartition(":")
        client.connect(host, int(port))
        client.subscribe([(f"{prefix}/#", 1) for prefix in PATHS.values() if prefix.startswith("hand-")])
        client.loop_forever()

    def _consume(self) -> None:
        from confluent_kafka import Consumer

        consumer = Consumer(
            {"bootstrap.servers": self._servers["kafka"], "group.id": "by-hand", "auto.offset.reset": "earliest"}
        )
        consumer.subscribe(["by-hand"])
        lines, objects, begun = bytearray(), 0, 0.0
        message: Any
        with ThreadPoolExecutor(PUTS_AT_ONCE) as pool:
            while True:
                for message in consumer.consume(1_000, 0.01):
                    if message.key().startswith(b"hand-direct/"):
                        pool.submit(self._put_one, message.value())
                    else:
                        begun = begun or time.monotonic()
                        lines += message.value() + b"\n"
                if lines and time.monotonic() - begun >= 1.0:
                    self._client.put_object(Bucket=sink.BUCKET, Key=f"hand-rows/{objects}.jsonl", Body=bytes(lines))
                    lines, objects, begun = bytearray(), objects + 1, 0.0

    def _put_one(self, payload: bytes) -> None:
        fields = orjson.loads(payload)
        key = f"hand-direct/{fields['run']}/{fields['n']}"
        self._client.put_object(Bucket=sink.BUCKET, Key=key, Body=payload)


if __name__ == "__main__":
    main()
