"""Measures the CPU seconds of starting: commands, the worker until its first record, the ingress until it is ready.

    python -m benchmarks.start                                     this checkout
    python -m benchmarks.start --beside ../before/.venv/bin/python another checkout too, in turn

Kafka, MQTT and S3 are the embedded servers. CPU is the user and system time of the process and its children, which
other load on the machine hardly changes. Each figure is the median of several runs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from confluent_kafka import Producer

from pipeline.demo import embedded
from pipeline.demo.process import HOST, free_port

RUNS = 5
PATIENCE_SECONDS = 60.0
UNCHECKED = "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
CONFIG = """\
pipeline: start-{run}
kafka: {{bootstrap_servers: "{kafka}", partitions: 4}}
sources: {{mqtt: {{plant: {{server: "{mqtt}", topics: ["t/#"]}}}}}}
connectors:
  s3:
    lake: {{host: {host}, port: {s3}, access_key_id: k, secret_access_key: s, transport_options: {{ssl: {{enable: false}}}}}}
actions:
  s3:
    raw: {{connector: lake, parameters: {{bucket: b-start, key: "{run}/${{clientid}}.json", content: "${{payload}}"}}}}
rules: {{all: {{sql: 'SELECT * FROM "t/#"', actions: ["s3:raw"]}}}}
metrics: {{ingress_port: {ingress_port}, worker_port: {worker_port}}}
"""


def main() -> None:
    """Measure, and print a line for each figure."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument(
        "--beside", help="the Python of another checkout's environment, measured in turn with this one"
    )
    options.add_argument("--runs", type=int, default=RUNS)
    options.add_argument("--output", choices=["text", "json"], default="text")
    given = options.parse_args()
    pythons = {"this": sys.executable} | ({"other": given.beside} if given.beside else {})
    found: dict[str, dict[str, list[float]]] = {}
    with servers() as stack:
        for _ in range(given.runs):
            for name, measure in figures(stack).items():
                for which, python in pythons.items():
                    found.setdefault(name, {}).setdefault(which, []).append(measure(python))
    for name, each in found.items():
        show(name, {which: median(values) for which, values in each.items()}, given.output)


def show(name: str, medians: dict[str, float], output: str) -> None:
    """Print one figure, with the ratio to another checkout if there is one."""
    ratio = medians["this"] / medians["other"] if "other" in medians else None
    if output == "json":
        print(json.dumps({"figure": name, "cpu_seconds": medians, "ratio": ratio}))
    else:
        beside = f"   other {medians['other']:5.2f} s   ratio {ratio:.2f}" if ratio is not None else ""
        print(f"{name:<36} {medians['this']:5.2f} s CPU{beside}")


class Stack:
    """The servers' addresses, and configurations that use them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kafka, self.mqtt, self.s3 = free_port(), free_port(), free_port()
        self.written = 0

    def config(self) -> tuple[Path, int, int]:
        """A new configuration with new ports: the file, the port of the ingress's page, the port of the worker's page."""
        self.written += 1
        ports = free_port(), free_port()
        path = self.folder / f"{self.written}.yaml"
        values = {"kafka": f"{HOST}:{self.kafka}", "mqtt": f"{HOST}:{self.mqtt}", "host": HOST, "s3": self.s3}
        path.write_text(CONFIG.format(**values, run=self.written, ingress_port=ports[0], worker_port=ports[1]))
        return path, *ports


@contextlib.contextmanager
def servers() -> Iterator[Stack]:
    """The embedded servers, and one record in Kafka."""
    with tempfile.TemporaryDirectory(prefix="tidegate-start-") as folder:
        stack = Stack(Path(folder))
        running = [
            embedded.kafka(stack.kafka, stack.folder),
            embedded.s3(stack.s3, stack.folder, "b-start"),
            embedded.mqtt(stack.mqtt, free_port(), stack.folder),
        ]
        try:
            for server in running:
                server.start()
            yield stack
        finally:
            for server in running:
                server.stop()


def figures(stack: Stack) -> dict[str, Callable[[str], float]]:
    """The measurements, each as a function of a Python."""
    return {
        "tidegate --help": lambda python: of_command(python, "--help"),
        "tidegate check": lambda python: of_command(python, "check", "-c", str(stack.config()[0])),
        "ingress until it is ready": lambda python: of_ingress(python, stack),
        "worker until its first record": lambda python: of_worker(python, stack),
    }


def alone() -> dict[str, str]:
    """The environment without PYTHONPATH, so that each Python runs the code that is installed in it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def of_command(python: str, *arguments: str) -> float:
    """CPU seconds of a command that ends by itself."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [python, "-m", "pipeline.cli", *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/", env=alone()
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def of_ingress(python: str, stack: Stack) -> float:
    """CPU seconds until its page says that it receives."""
    config, port, _ = stack.config()
    return until(python, ["ingress", "-c", str(config)], lambda: is_ready(port))


def of_worker(python: str, stack: Stack) -> float:
    """CPU seconds until a record is in S3. Asks the store, because a request to the worker's page would cost the worker CPU."""
    config, _, _ = stack.config()
    producer = Producer({"bootstrap.servers": f"{HOST}:{stack.kafka}"})
    producer.produce("mqtt.messages", b"1", key=b"c", headers=[("topic", b"t/1"), ("clientid_from", b"broker")])
    producer.flush(10)
    written = f"/b-start/{stack.written}/c.json"
    return until(python, ["worker", "-c", str(config)], lambda: is_stored(stack.s3, written))


def is_stored(port: int, path: str) -> bool:
    """Whether the S3 server has an object. It requires a signature but does not check it."""
    asking = urllib.request.Request(f"http://{HOST}:{port}{path}", method="HEAD", headers={"Authorization": UNCHECKED})
    try:
        with urllib.request.urlopen(asking, timeout=10):
            return True
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        return False


def is_ready(port: int) -> bool:
    """Whether an ingress receives. Older versions say this at /healthz."""
    try:
        return bool(page(port, "/readyz"))
    except urllib.error.HTTPError as error:
        if error.code != 404:
            return False
    with contextlib.suppress(urllib.error.HTTPError):
        return bool(page(port, "/healthz"))
    return False


def page(port: int, path: str = "/metrics") -> str:
    """A page of a process, or "" while it does not answer. Raises HTTPError if the process refuses the request."""
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=2) as answer:
            return str(answer.read().decode())
    except urllib.error.HTTPError:
        raise
    except OSError:
        return ""


def until(python: str, arguments: list[str], done: Callable[[], bool]) -> float:
    """CPU seconds of a process from its start until `done`. The process is stopped then."""
    process = subprocess.Popen(
        [python, "-m", "pipeline.cli", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=alone(),
    )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not done():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{' '.join(arguments)}: ended, or not done after {PATIENCE_SECONDS:g} s")
            time.sleep(0.05)
        return cpu_of(process.pid)
    finally:
        process.terminate()
        process.wait()


def cpu_of(pid: int) -> float:
    """User and system time of a process, as counted by Linux."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
