"""Measures CPU per MQTT message in one run: unchanged paho, a bare loop, and the ingress, with the same broker and
load.

    python -m benchmarks.ingress [--messages 100000] [--broker HOST:PORT] [--kafka HOST:PORT] [--profile]

Without addresses it starts mosquitto and Apache Kafka as the tests do. The publisher and each contestant are separate
processes. The benchmark reports the contestant's CPU time (user and system, all threads) from before the first message
to after the last, divided by the number of messages. Contestants take turns, and the best round counts, because other
work on the machine only adds time.

- paho: `loop_forever`; `on_message` counts; automatic acknowledgements; produces nothing. Most programs do this.
- bare: only the ingress's connection: parse, count, acknowledge.
- ingress: everything; acknowledges after Kafka (acks=all); takes the clientid from the topic; three headers at QoS 1.

The publisher's latency from PUBLISH to PUBACK depends on the broker only. So this benchmark measures the lag of the
ingress: from the arrival of a message (the broker's PUBLISH) to its PUBACK, at 1,000 and 10,000 messages a second.

`--profile` shows instead where the ingress spends its time under full load. Python's profiler doubles this time.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import os
import pstats
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

DEVICES = 8
PAYLOAD_BYTES = 105
CONTESTANTS = ("paho", "bare", "ingress")


def cpu_seconds() -> float:
    """User and system time of this process, all threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


@contextmanager
def profiled(wanted: bool) -> Iterator[None]:
    """If `wanted`, print to the error stream where this thread spent its time."""
    if not wanted:
        yield
        return
    with cProfile.Profile() as profile:
        yield
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)


class Meter:
    """Counts messages. The clock runs from the first message to the last."""

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.count = 0
        self._cpu = self._began = 0.0
        self.result: dict[str, float] = {}

    def add(self, count: int) -> bool:
        """Count messages, and return whether the last one has come."""
        if not self.count:
            self._cpu, self._began = cpu_seconds(), time.monotonic()
        self.count += count
        return self.count >= self.expected

    def stop(self) -> None:
        seconds = time.monotonic() - self._began
        cpu = cpu_seconds() - self._cpu
        self.result = {"us": cpu / self.count * 1e6, "per_second": self.count / seconds}


# --- The contestants, each in a process of its own


def run_paho(broker: str, qos: int, expected: int, ready: Any) -> dict[str, float]:
    from paho.mqtt import client as paho
    from paho.mqtt.enums import CallbackAPIVersion

    meter = Meter(expected)
    client = paho.Client(CallbackAPIVersion.VERSION2, "bench-paho", protocol=paho.MQTTv5)

    def on_message(client: Any, userdata: Any, message: Any) -> None:
        if meter.add(1):
            meter.stop()
            client.disconnect()

    client.on_message = on_message
    client.on_subscribe = lambda *args: ready()
    host, _, port = broker.rpartition(":")
    client.connect(host, int(port))
    client.subscribe("bench/#", qos)
    client.loop_forever()
    return meter.result


async def run_bare(broker: str, qos: int, expected: int, ready: Any) -> dict[str, float]:
    from pipeline.config.sources import MqttSource
    from pipeline.connectors.mqtt.connection import Connection
    from pipeline.mqtt.subscriptions import subscriptions

    meter, done = Meter(expected), asyncio.Event()

    def on_batch(batch: Sequence[Any]) -> None:
        connection.acknowledge([message[3] for message in batch if message[3]])
        if meter.add(len(batch)):
            meter.stop()
            done.set()

    source = MqttSource(server=broker, topics=["bench/#"], qos=1 if qos else 0, window=65535, session_expiry=0)
    connection = Connection(source, f"bench-bare-{os.getpid()}", on_batch)
    await connection.open(subscriptions(source.topics))
    ready()
    await done.wait()
    await connection.close()
    return meter.result


async def run_ingress(broker: str, qos: int, expected: int, ready: Any, kafka: str, window: int) -> dict[str, float]:
    from ingress import bridge, service
    from pipeline.config.model import Config

    meter, lags = Meter(expected), []
    receive, sweep = bridge.Bridge.on_batch, bridge.Bridge.sweep
    state: dict[str, Any] = {"settled": 0}

    def on_batch(self: Any, batch: Sequence[Any]) -> None:
        meter.add(len(batch))
        receive(self, batch)

    def counted_sweep(self: Any) -> None:
        oldest, before = self.window.oldest, len(self.window)
        sweep(self)
        if before > len(self.window) and oldest is not None:
            lags.append(time.time() - oldest.record.timestamp_ms / 1000)
        if meter.count >= expected and not self.window and not meter.result:
            meter.stop()
            os.kill(os.getpid(), 15)

    bridge.Bridge.on_batch, bridge.Bridge.sweep = on_batch, counted_sweep  # type: ignore[method-assign]
    state["config"] = Config.model_validate(
        {
            "pipeline": f"bench{time.time_ns()}",
            "kafka": {"bootstrap_servers": kafka, "messages_topic": "bench", "events_topic": "bench.events"},
            "sources": {
                "mqtt": {
                    "plant": {
                        "server": broker,
                        "topics": ["bench/#"],
                        "qos": qos,
                        "window": window,
                        "session_expiry": 0,
                        "clientid_from": [{"topic": "bench/{clientid}/up"}],
                    }
                }
            },
        }
    )
    await service.run(state["config"], ready=ready)
    lags.sort()
    return {**meter.result, "lag_p50_ms": lags[len(lags) // 2] * 1e3, "lag_p99_ms": lags[len(lags) * 99 // 100] * 1e3}


async def run_publisher(broker: str, qos: int, expected: int, rate: float) -> None:
    from tests.components.mqtt_publisher import Publisher

    host, _, port = broker.rpartition(":")
    payload = b'{"temperature": 21.5}'.ljust(PAYLOAD_BYTES)

    async def device(name: str) -> None:
        publisher = await Publisher.connect(host, int(port), name)
        each = expected // DEVICES
        await publisher.publish(f"bench/{name}/up", (payload for _ in range(each)), qos=qos, rate=rate / DEVICES)
        await publisher.finish()

    await asyncio.gather(*(device(f"device-{n}") for n in range(DEVICES)))


# --- The run


def one_round(name: str, args: argparse.Namespace, qos: int, expected: int, rate: float) -> dict[str, float]:
    """Measure one contestant under one load. The publisher starts after the contestant has subscribed."""
    common = ["--broker", args.broker, "--kafka", args.kafka, "--qos", str(qos), "--messages", str(expected)]
    command = [sys.executable, __file__, *common, "--window", str(args.window), *["--profile"] * args.profile]
    with tempfile.TemporaryFile("w+") as log:
        contestant = subprocess.Popen([*command, "--child", name], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert contestant.stdout is not None
            if contestant.stdout.readline().strip() != "ready":
                log.seek(0)
                raise SystemExit(f"{name} did not start:\n{log.read()}")
            subprocess.run([*command, "--child", "publisher", "--rate", str(rate)], check=True, timeout=300)
            told, _ = contestant.communicate(timeout=120)
            if args.profile:
                log.seek(0)
                print(log.read())
        finally:
            contestant.kill()
    found: dict[str, float] = json.loads(told.splitlines()[-1])
    return found


def child(args: argparse.Namespace) -> None:
    """Run the child process of `one_round`."""
    import uvloop

    from pipeline import log
    from pipeline.process.collector import loaded

    log.configure(level="warning")

    def ready() -> None:
        print("ready", flush=True)

    if args.child == "publisher":
        asyncio.run(run_publisher(args.broker, args.qos, args.messages, args.rate))
        return
    if args.child != "paho":
        loaded()  # as each command of ours says
    if args.child == "paho":
        result = run_paho(args.broker, args.qos, args.messages, ready)
    elif args.child == "bare":
        result = uvloop.run(run_bare(args.broker, args.qos, args.messages, ready))
    else:
        with profiled(args.profile):
            result = uvloop.run(run_ingress(args.broker, args.qos, args.messages, ready, args.kafka, args.window))
    print(json.dumps(result), flush=True)


def report(args: argparse.Namespace) -> None:
    if args.profile:
        for qos in (0, 1):
            print(f"QoS {qos}")
            one_round("ingress", args, qos, args.messages, 0 if qos else args.qos0_rate)
        return
    for qos in (0, 1):
        best: dict[str, dict[str, float]] = {}
        for _ in range(args.rounds):
            for name in CONTESTANTS:
                # At QoS 0 only the publisher's rate limits the load, because the broker drops messages that are not
                # read in time.
                found = one_round(name, args, qos, args.messages, 0 if qos else args.qos0_rate)
                if name not in best or found["us"] < best[name]["us"]:
                    best[name] = found
        for name, found in best.items():
            ratio = best["paho"]["us"] / found["us"]
            print(
                f"QoS {qos}  {name:8} {found['us']:6.1f} us CPU/message  {found['per_second']:8.0f}/s  paho/this ="
                f" {ratio:.1f}"
            )
    for rate in (1000, 10_000):
        found = one_round("ingress", args, 1, rate * 5, rate)
        print(
            f"at {rate:6}/s QoS 1: {found['us']:.1f} us CPU/message, lag of acknowledgement "
            f"p50 {found['lag_p50_ms']:.1f} ms, p99 {found['lag_p99_ms']:.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--window", type=int, default=10_000)
    parser.add_argument("--qos0-rate", type=float, default=30_000)
    parser.add_argument("--profile", action="store_true", help="show where the ingress's time goes")
    parser.add_argument("--broker", default="")
    parser.add_argument("--kafka", default="")
    parser.add_argument("--qos", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args)
        return
    with tempfile.TemporaryDirectory() as folder:
        parts = _start_parts(args, Path(folder))
        try:
            print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {sys.version.split()[0]}", flush=True)
            report(args)
        finally:
            for part in parts:
                part.stop()


def _start_parts(args: argparse.Namespace, folder: Path) -> list[Any]:
    from tests.parts import apache_kafka, mosquitto

    parts: list[Any] = []
    if not args.broker:
        (folder / "mqtt").mkdir()
        broker = mosquitto.start(folder / "mqtt")
        parts.append(broker)
        args.broker = broker.server_address
    if not args.kafka:
        (folder / "kafka").mkdir()
        kafka = apache_kafka.start(folder / "kafka")
        parts.append(kafka)
        args.kafka = kafka.bootstrap_servers
    return parts


if __name__ == "__main__":
    main()
