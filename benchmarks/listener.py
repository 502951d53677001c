"""Measures CPU per MQTT message of the ingress's own listener and of a bare one, in one run with the same load.

    python -m benchmarks.listener [--messages 100000] [--kafka HOST:PORT] [--profile]

Without an address it starts Apache Kafka as the tests do. The publishers are one process, and each contestant is
another. The benchmark reports the contestant's CPU time (user and system, all threads) from before the first message to
after the last, divided by the number of messages. Contestants take turns, and the best round counts,
because other work on the machine only adds time.

- bare: only the core of the protocol on asyncio: parse, count, acknowledge.
- listener: everything; acknowledges after Kafka (acks=all), with clientid and address, four headers at QoS 1.

A few devices that publish as fast as they can fill every read. Many slow devices have a read, a write and a wake-up for each
message, which is most of their cost. Latency is the device's time from PUBLISH to PUBACK. `--profile` shows instead where the
listener spends its time under the first of these loads. Python's profiler doubles this time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.ingress import PAYLOAD_BYTES, Meter, profiled  # noqa: E402

CONTESTANTS = ("bare", "listener")
PAYLOAD = b'{"temperature": 21.5}'.ljust(PAYLOAD_BYTES)


# --- The contestants, each in a process of its own


async def run_bare(port: int, expected: int, ready: Callable[[], None]) -> dict[str, float]:
    from ingress.listener import words
    from ingress.listener.protocol import ServerProtocol
    from pipeline.mqtt import reasons

    meter, done = Meter(expected), asyncio.Event()

    topics = {f"bench/{number}/up".encode() for number in range(500)}

    class Bare(asyncio.Protocol):
        def connection_made(self, transport: Any) -> None:
            self.transport = transport
            self.core = ServerProtocol(packet_bytes_max=1 << 20, receive_max=1000)
            self.core.usual_topics(topics)

        def data_received(self, data: bytes) -> None:
            for word in self.core.receive_data(data):
                if isinstance(word, list):
                    if acks := [message[3] for message in word if message[3]]:
                        self.transport.write(self.core.send(words.Acks(acks)))
                    if meter.add(len(word)) and not meter.result:
                        meter.stop()
                        done.set()
                elif isinstance(word, words.Connect):
                    self.transport.write(self.core.send(words.ConnAck(reasons.SUCCESS)))
            if self.core.has_more:
                self.data_received(b"")

    await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", port, backlog=1024)
    ready()
    await done.wait()
    await asyncio.sleep(1)  # the publishers fetch their last acknowledgements
    return meter.result


async def run_listener(port: int, expected: int, ready: Callable[[], None], kafka: str) -> dict[str, float]:
    from ingress import service
    from ingress.listener.inbox import Inbox
    from pipeline.config.model import Config

    meter = Meter(expected)
    take, sweep = Inbox.take, Inbox.sweep

    def counted_take(self: Any, window: Any, identity: Any, run: Any) -> bool:
        meter.add(len(run))
        return take(self, window, identity, run)

    def counted_sweep(self: Any) -> None:
        sweep(self)
        if meter.count >= expected and not len(self) and not meter.result:
            meter.stop()
            asyncio.get_running_loop().call_later(1, os.kill, os.getpid(), signal.SIGTERM)

    Inbox.take, Inbox.sweep = counted_take, counted_sweep  # type: ignore[method-assign]
    listener = {"bind": f"127.0.0.1:{port}", "authentication": "none", "topics": ["bench/#"]}
    config = Config.model_validate(
        {
            "pipeline": f"bench{time.time_ns()}",
            "kafka": {"bootstrap_servers": kafka, "messages_topic": "bench", "events_topic": "bench.events"},
            "sources": {"listener": {"devices": listener}},
        }
    )
    await service.run(config, ready=ready)
    return meter.result


async def run_publishers(port: int, qos: int, expected: int, devices: int, rate: float) -> dict[str, float]:
    """Run the publishers. With a `rate`, each device waits for its PUBACK before it sends again, which gives the latency."""
    from tests.components.mqtt_publisher import Publisher

    each = expected // devices
    everybody = [await Publisher.connect("127.0.0.1", port, f"device-{n}") for n in range(devices)]

    async def device(number: int, publisher: Publisher) -> None:
        period = devices / rate if rate else 0
        await asyncio.sleep(period * number / devices)
        if not period:
            await publisher.publish(f"bench/{number}/up", (PAYLOAD for _ in range(each)), qos=qos)
        else:
            began = time.monotonic()
            for count in range(1, each + 1):
                sent = time.monotonic()
                await publisher.publish(f"bench/{number}/up", [PAYLOAD], qos=qos)
                while qos and publisher.acknowledged < count:
                    publisher._room.clear()
                    await publisher._room.wait()
                latencies.append(time.monotonic() - sent)
                await asyncio.sleep(max(0.0, began + count * period - time.monotonic()))
        await publisher.finish()

    latencies: list[float] = []
    await asyncio.gather(*(device(number, publisher) for number, publisher in enumerate(everybody)))
    latencies.sort()
    if not latencies:
        return {}
    return {f"p{part}_ms": latencies[len(latencies) * part // 100] * 1e3 for part in (50, 99)}


# --- The run


def one_round(
    name: str, kafka: str, *, qos: int, messages: int, devices: int, rate: float = 0, profile: bool = False
) -> dict[str, float]:
    """Measure one contestant under one load. The publishers start when it listens."""
    from pipeline.demo.process import free_port

    command = [sys.executable, __file__, "--kafka", kafka, "--qos", str(qos), "--messages", str(messages)]
    command += ["--port", str(free_port()), "--devices", str(devices), "--rate", str(rate)]
    command += ["--profile"] * profile
    with tempfile.TemporaryFile("w+") as log:
        contestant = subprocess.Popen([*command, "--child", name], stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert contestant.stdout is not None
            if contestant.stdout.readline().strip() != "ready":
                log.seek(0)
                raise SystemExit(f"{name} did not start:\n{log.read()}")
            publishers = [*command, "--child", "publishers"]
            heard = subprocess.run(publishers, check=True, timeout=300, stdout=subprocess.PIPE, text=True)
            told, _ = contestant.communicate(timeout=120)
            if profile:
                log.seek(0)
                print(log.read())
        finally:
            contestant.kill()
    return {**json.loads(told.splitlines()[-1]), **json.loads(heard.stdout.splitlines()[-1])}


def child(args: argparse.Namespace) -> None:
    """Run the child process of `one_round`."""
    import uvloop

    from pipeline import log
    from pipeline.process.collector import loaded

    log.configure(level="warning")
    loaded()  # as each command of ours says

    def ready() -> None:
        print("ready", flush=True)

    if args.child == "publishers":
        result = uvloop.run(run_publishers(args.port, args.qos, args.messages, args.devices, args.rate))
    elif args.child == "bare":
        result = uvloop.run(run_bare(args.port, args.messages, ready))
    else:
        with profiled(args.profile):
            result = uvloop.run(run_listener(args.port, args.messages, ready, args.kafka))
    print(json.dumps(result), flush=True)


def report(args: argparse.Namespace) -> None:
    if args.profile:
        for qos in (0, 1):
            print(f"QoS {qos}")
            one_round("listener", args.kafka, qos=qos, messages=args.messages, devices=8, profile=True)
        return
    for qos in (0, 1):
        best: dict[str, dict[str, float]] = {}
        for _ in range(args.rounds):
            for name in CONTESTANTS:
                found = one_round(name, args.kafka, qos=qos, messages=args.messages, devices=8)
                if name not in best or found["us"] < best[name]["us"]:
                    best[name] = found
        for name, found in best.items():
            ratio = found["us"] / best["bare"]["us"]
            rate = f"{found['per_second']:8.0f}/s"
            print(f"QoS {qos}  {name:8} {found['us']:6.1f} us CPU/message  {rate}  this/bare = {ratio:.1f}", flush=True)
    for devices, per_second in ((500, 1000), (500, 5000), (8, 1000), (80, 10_000)):
        for name in CONTESTANTS:
            found = one_round(name, args.kafka, qos=1, messages=per_second * 5, devices=devices, rate=per_second)
            print(
                f"{devices} devices, {per_second}/s together, QoS 1  {name:8} {found['us']:6.1f} us CPU/message, "
                f"PUBACK p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms",
                flush=True,
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="show where the listener's time goes")
    parser.add_argument("--kafka", default="")
    for name in ("--qos", "--port", "--devices"):
        parser.add_argument(name, type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        child(args)
        return
    from tests.parts import apache_kafka

    with tempfile.TemporaryDirectory() as folder:
        part = None if args.kafka else apache_kafka.start(Path(folder))
        args.kafka = args.kafka or part.bootstrap_servers  # type: ignore[union-attr]
        try:
            print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {sys.version.split()[0]}", flush=True)
            report(args)
        finally:
            if part is not None:
                part.stop()


if __name__ == "__main__":
    main()
