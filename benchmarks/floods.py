"""Measures how much one client of a listener can delay another: the PUBACKs of one while the other sends as fast as it
can.

    python -m benchmarks.floods [--seconds 6] [--kafka HOST:PORT] [FLOOD …]

Without an address it starts Apache Kafka as the tests do. The listener is a separate process, and so is each flood: it
sends one block of bytes again and again, and ignores the answers. If the listener ends the connection of a flood, the
flood reconnects at once. An honest client publishes 20 messages a second at QoS 1. The benchmark reports how long its
PUBACKs took. A PUBACK that had not come at the end counts with its waiting time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline.mqtt.fields import written_text as text  # noqa: E402
from pipeline.mqtt.packets import packet  # noqa: E402

BLOCK_BYTES: Final = 256 << 10
RATE: Final = 20.0
WAIT_SECONDS_MAX: Final = 40.0  # for PUBACKs after the flood


def connect(clientid: str, version: int = 5) -> bytes:
    """CONNECT, with a keep-alive of a minute."""
    properties = b"\0" if version == 5 else b""
    return packet(0x10, b"\x00\x04MQTT" + bytes([version]) + b"\x02\x00\x3c" + properties + text(clientid.encode()))


def _publish(topic: bytes, *, qos: int = 0, mid: int = 1, properties: bytes = b"\0") -> bytes:
    return packet(0x30 | qos << 1, text(topic) + (mid.to_bytes(2, "big") if qos else b"") + properties + b"x")


def _user_properties(count: int) -> bytes:
    body = (b"\x26" + text(b"k") + text(b"v")) * count
    return bytes([len(body) & 127 | 128, len(body) >> 7]) + body


# The bytes that a flood repeats after CONNECT. `churn` has no bytes: it only connects.
FLOODS: Final[dict[str, Callable[[], bytes]]] = {
    "nothing": lambda: b"",
    "PINGREQ": lambda: b"\xc0\x00" * (BLOCK_BYTES // 2),
    "PUBREL": lambda: packet(0x62, b"\x00\x07") * (BLOCK_BYTES // 4),
    "SUBSCRIBE": lambda: packet(0x82, b"\x00\x01\x00" + text(b"a/#") + b"\x01") * (BLOCK_BYTES // 13),
    "SUBSCRIBE to 1000 filters": lambda: packet(0x82, b"\x00\x01\x00" + (text(b"") + b"\x01") * 1000) * 80,
    "QoS 0": lambda: _publish(b"bench/flood/up") * (BLOCK_BYTES // 20),
    "QoS 0, empty": lambda: packet(0x30, text(b"bench/flood/up") + b"\0") * (BLOCK_BYTES // 19),
    "QoS 0, 100 user properties": lambda: _publish(b"bench/flood/up", properties=_user_properties(100)) * 350,
    "QoS 0, new topics": lambda: b"".join(_publish(b"bench/flood/%d" % n) for n in range(20_000)),
    "QoS 0, refused topics": lambda: _publish(b"forbidden/flood") * (BLOCK_BYTES // 20),
    "QoS 0, new refused topics": lambda: b"".join(_publish(b"forbidden/%d" % n) for n in range(20_000)),
    "QoS 1, refused topics": lambda: _publish(b"forbidden/flood", qos=1) * (BLOCK_BYTES // 22),
    "QoS 1, one identifier": lambda: _publish(b"bench/flood/up", qos=1) * (BLOCK_BYTES // 22),
    "churn": lambda: b"",
}


async def honest(port: int, seconds: float) -> list[float]:
    """Seconds from each PUBLISH to its PUBACK."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(connect("honest", 4) + _publish(b"bench/honest/up", qos=1, properties=b""))
    await reader.readexactly(8)  # Kafka's client is awake
    sent: list[float] = []
    took: list[float] = []

    async def listen() -> None:
        while time.monotonic() < end or len(took) < len(sent):
            await reader.readexactly(4)
            took.append(time.monotonic() - sent[len(took)])

    end = time.monotonic() + seconds
    listening = asyncio.create_task(listen())
    while time.monotonic() < end:
        sent.append(time.monotonic())
        writer.write(_publish(b"bench/honest/up", qos=1, mid=len(sent), properties=b""))
        await asyncio.sleep(1 / RATE)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(listening, WAIT_SECONDS_MAX)
    writer.close()
    return took + [time.monotonic() - at for at in sent[len(took) :]]


async def flood(port: int, name: str, seconds: float) -> None:
    """Run one client that does not stop sending."""
    block, end = FLOODS[name](), time.monotonic() + seconds
    number = 0

    async def churn() -> None:
        nonlocal number
        while time.monotonic() < end:
            number += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(connect(f"flood{number % 1000}"))
            await reader.read(1)
            writer.close()

    async def stream() -> None:
        while time.monotonic() < end:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            swallowing = asyncio.create_task(_swallow(reader))
            try:
                async with asyncio.timeout_at(asyncio.get_running_loop().time() + end - time.monotonic()):
                    writer.write(connect("flood"))
                    while not swallowing.done():
                        writer.write(block)
                        await writer.drain()
            except (OSError, TimeoutError):
                pass
            finally:
                swallowing.cancel()
                writer.transport.abort()
            await asyncio.sleep(0.05)

    if name == "churn":
        await asyncio.gather(*(churn() for _ in range(50)))
    elif name == "nothing":
        await asyncio.sleep(seconds)
    else:
        await stream()


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(1 << 16):
        pass


async def serve(port: int, kafka: str) -> None:
    from ingress import service
    from pipeline import log
    from pipeline.config.model import Config

    log.configure(level="warning")
    listener = {"bind": f"127.0.0.1:{port}", "authentication": "none", "topics": ["bench/#"]}
    config = Config.model_validate(
        {
            "pipeline": f"floods{time.time_ns()}",
            "kafka": {"bootstrap_servers": kafka, "messages_topic": "floods", "events_topic": "floods.events"},
            "sources": {"listener": {"devices": listener}},
        }
    )
    await service.run(config, ready=lambda: print("ready", flush=True))


def measure(name: str, kafka: str, seconds: float) -> None:
    """Measure one flood with its own listener."""
    import uvloop

    from pipeline.demo.process import free_port

    port = free_port()
    command = [sys.executable, __file__, "--kafka", kafka, "--port", str(port), "--seconds", str(seconds)]
    server = subprocess.Popen([*command, "--child", "serve"], stdout=subprocess.PIPE, text=True)
    attacker = None
    try:
        assert server.stdout is not None
        server.stdout.readline()
        if name != "nothing":
            attacker = subprocess.Popen([*command, "--child", "flood", name])
        took = sorted(uvloop.run(honest(port, seconds)))
    finally:
        for each in (attacker, server):
            if each is not None:
                each.kill()
                each.wait()
    p50, p99 = (took[len(took) * part // 100] for part in (50, 99))
    print(
        f"{name:28} PUBACK p50 {p50 * 1e3:8.1f} ms, p99 {p99 * 1e3:8.1f} ms, longest {took[-1] * 1e3:8.1f} ms",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("floods", nargs="*", default=[], metavar="FLOOD", help=", ".join(FLOODS))
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--kafka", default="")
    parser.add_argument("--port", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--child", default="", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        import uvloop

        uvloop.run(
            serve(args.port, args.kafka) if args.child == "serve" else flood(args.port, args.floods[0], args.seconds)
        )
        return
    from tests.parts import apache_kafka

    with tempfile.TemporaryDirectory() as folder:
        part = None if args.kafka else apache_kafka.start(Path(folder))
        kafka = args.kafka or part.bootstrap_servers  # type: ignore[union-attr]
        try:
            print(f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores, Python {sys.version.split()[0]}", flush=True)
            for name in args.floods or FLOODS:
                measure(name, kafka, args.seconds)
        finally:
            if part is not None:
                part.stop()


if __name__ == "__main__":
    main()
