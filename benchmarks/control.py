"""Measures the control plane: how soon a change of a rule is in force, and how long the API takes for large answers.

    python -m benchmarks.control [--changes 20] [--calls 50] [--output json]

On a real Kafka and a real S3 server, with `tidegate api` and a worker as processes of their own:

- *change*: from the moment that a PUT of a rule's statement is sent to its answer, and to the first object under the new
  statement. The action is direct, and a record comes every 5 ms. Once with this rule alone, and once with 5,000 others that feed
  the same action.
- *lists* of 500 rules and of their action, while no process reports.
- *status* of 20 processes, which report 500 rules each every 2 s: all processes, all objects, and the counters of one rule.
  Another process plays them.

Each figure is a median with the lowest and the highest, in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, Final

import httpx

from benchmarks import by_hand, sink
from pipeline import log
from pipeline.config import Config
from pipeline.config.load import load
from pipeline.demo.process import HOST, free_port
from pipeline.web.people.gate import PREFIX

RULES: Final = 500
RULES_OF_ACTION: Final = 5000
PROCESSES: Final = 20
PATIENCE_SECONDS: Final = 60.0
LOOK_SECONDS: Final = 0.002
RECORD_SECONDS: Final = 0.005
PASSWORD: Final = "a long password"
SECRET: Final = "BENCHMARK_SECRET"
STATEMENT: Final = 'SELECT id, payload, {version} AS version FROM "t/#"'
LISTS: Final = ("/rules?page=1&limit=1000", "/actions_summary", "/actions")
STATUS: Final = ("/nodes", "/rules?page=1&limit=1000", "/actions_summary", "/rules/r1/metrics", "/monitor_current")

Figures = dict[str, list[float]]


def main() -> None:
    """Measure, and print the table or JSON."""
    arguments = _arguments()
    if arguments.play:
        asyncio.run(_play(load(json.loads(arguments.play))))
        return
    log.configure(level="warning")
    with sink.start_servers() as servers:
        figures = _measure(servers, arguments)
    found = {
        name: {"median": round(median(each), 1), "lowest": round(min(each), 1), "highest": round(max(each), 1)}
        for name, each in figures.items()
    }
    if arguments.output == "json":
        print(json.dumps(found))
        return
    print(f"{'milliseconds':48}{'median':>10}{'lowest':>10}{'highest':>10}")
    for name, each in found.items():
        print(f"{name:48}" + "".join(f"{value:>10,.1f}" for value in each.values()))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=20, help="changes of the rule")
    parser.add_argument("--calls", type=int, default=50, help="calls of each path")
    parser.add_argument("--output", choices=["text", "json"], default="text")
    parser.add_argument("--play", help=argparse.SUPPRESS)
    return parser.parse_args()


def _measure(servers: dict[str, Any], arguments: argparse.Namespace) -> Figures:
    settings = {
        "pipeline": "control",
        "kafka": {"bootstrap_servers": servers["kafka"], "replication_factor": 1, "partitions": 4},
        "control": {"topic": "control.config"},
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "tidegate.yaml")
        file.write_text(json.dumps(settings))
        with _api(file) as client:
            _put(client, _objects(servers["s3"]))
            with _process(["pipeline.cli", "worker", "-c", str(file)], file.with_name("worker.log"), servers):
                with _records(load(settings)):
                    figures = _changes(client, servers, "change", range(1, arguments.changes + 1))
                    _put(client, {"rule_engine": {"rules": {"hot": _rule(arguments.changes)} | _others()}})
                    versions = range(arguments.changes + 1, 2 * arguments.changes + 1)
                    figures |= _changes(client, servers, f"change among {RULES_OF_ACTION:,} rules", versions)
            rules = {f"r{number}": _rule(0) for number in range(RULES)}
            _put(client, {"rule_engine": {"rules": rules}})
            figures |= _calls(client, LISTS, f"{RULES} rules", arguments.calls)
            with _process(["benchmarks.control", "--play", json.dumps(settings)], file.with_name("play.log")):
                _until(lambda: _processes(client))
                figures |= _calls(client, STATUS, f"{PROCESSES} processes", arguments.calls)
    return figures


@contextmanager
def _process(command: list[str], output: Path, servers: dict[str, Any] | None = None) -> Iterator[None]:
    """A module of ours as a process, until the block ends."""
    environment = os.environ | ({SECRET: servers["s3"]["secret"]} if servers else {})
    with (
        output.open("wb") as file,
        subprocess.Popen([sys.executable, "-m", *command], stdout=file, stderr=file, env=environment) as process,
    ):
        try:
            yield
        except BaseException:
            print(output.read_text()[-3000:], file=sys.stderr)
            raise
        finally:
            process.terminate()


@contextmanager
def _api(file: Path) -> Iterator[httpx.Client]:
    """The API, and a client whose user has logged in."""
    port, output = free_port(), file.with_name("api.log")
    with _process(["pipeline.cli", "api", "-c", str(file), "--port", str(port)], output):
        with httpx.Client(base_url=f"http://{HOST}:{port}{PREFIX}", timeout=30) as client:
            _until(lambda: "first_user?token=" in output.read_text())
            link = re.search(r"first_user\?token=(\S+)", output.read_text())
            assert link is not None
            person = {"username": "root", "password": PASSWORD}
            client.post("/first_user", data={"token": link[1], **person})
            token = client.post("/login", json=person).raise_for_status().json()["token"]
            client.headers["authorization"] = f"Bearer {token}"
            yield client


def _processes(client: httpx.Client) -> bool:
    return len(client.get("/nodes").json()) >= PROCESSES


def _until(true: Callable[[], bool]) -> None:
    """Ask until it is true."""
    last = time.monotonic() + PATIENCE_SECONDS
    while not true():
        if time.monotonic() > last:
            raise TimeoutError(f"waited {PATIENCE_SECONDS:.0f} s in vain")
        time.sleep(LOOK_SECONDS)


def _put(client: httpx.Client, document: dict[str, Any]) -> None:
    answer = client.put("/configs", json=document)
    if answer.is_error:
        raise SystemExit(answer.text)


def _objects(access: dict[str, Any]) -> dict[str, Any]:
    connector = {
        **{"host": access["host"], "port": access["port"], "access_key_id": access["key"]},
        **{"secret_access_key": f"${{{SECRET}}}", "transport_options": {"ssl": {"enable": False}}},
    }
    parameters = {"mode": "direct", "bucket": sink.BUCKET, "key": "v${version}/${id}", "content": "${payload}"}
    return {
        "connectors": {"s3": {"store": connector}},
        "actions": {"s3": {"bench": {"connector": "store", "parameters": parameters}}},
        "rule_engine": {"rules": {"hot": _rule(0)}},
    }


def _others() -> dict[str, Any]:
    """Rules that differ, of the same action, for topics to which nothing comes."""
    statement = 'SELECT payload.t + {number} AS t, clientid FROM "other/{number}/#" WHERE payload.t > {number}'
    actions = ["s3:bench"]
    return {
        f"other{number}": {"sql": statement.format(number=number), "actions": actions}
        for number in range(RULES_OF_ACTION)
    }


def _rule(version: int) -> dict[str, Any]:
    return {"sql": STATEMENT.format(version=version), "actions": ["s3:bench"]}


# --- From a PUT to the first row


def _changes(client: httpx.Client, servers: dict[str, Any], name: str, versions: range) -> Figures:
    store, chance = by_hand.client(servers["s3"]), random.Random(1)

    def written(version: int) -> bool:
        return bool(store.list_objects_v2(Bucket=sink.BUCKET, Prefix=f"v{version}/", MaxKeys=1)["KeyCount"])

    figures: Figures = {f"{name}: PUT to answer": [], f"{name}: PUT to first object": []}
    answered, first = figures.values()
    _until(lambda: written(versions.start - 1))
    for version in versions:
        time.sleep(chance.uniform(1, 2))  # at no fixed moment of the second in which a worker collects changes
        began = time.perf_counter()
        answer = client.put("/rules/hot", json={"sql": STATEMENT.format(version=version)})
        answered.append((time.perf_counter() - began) * 1000)
        answer.raise_for_status()
        _until(partial(written, version))
        first.append((time.perf_counter() - began) * 1000)
    return figures


@contextmanager
def _records(config: Config) -> Iterator[None]:
    """In the block, a record comes every few milliseconds."""
    from pipeline.connectors.kafka.topics import ensure_topics

    ensure_topics(config.kafka)
    stop = threading.Event()
    thread = threading.Thread(target=_produce, args=(config, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _produce(config: Config, stop: threading.Event) -> None:
    from confluent_kafka import Producer

    from pipeline.record import message_record

    producer = Producer({"bootstrap.servers": config.kafka.bootstrap_servers, "linger.ms": 0})
    number = 0
    while not stop.wait(RECORD_SECONDS):
        made = message_record(
            topic=b"t/1",
            payload=b'{"n": %d}' % number,
            qos=1,
            retain=False,
            dup=False,
            clientid=b"c%d" % (number % 100),
            clientid_from=b"topic",
            timestamp_ms=int(time.time() * 1000),
        )
        producer.produce(config.kafka.messages_topic, made.value, made.key, headers=made.headers)
        producer.poll(0)
        number += 1
    producer.flush(10)


# --- Large answers


def _calls(client: httpx.Client, paths: tuple[str, ...], beside: str, count: int) -> Figures:
    figures: Figures = {}
    for path in paths:
        client.get(path).raise_for_status()  # the first one compiles what is new
        taken = figures.setdefault(f"{beside}: GET {path}", [])
        for _ in range(count):
            began = time.perf_counter()
            client.get(path).raise_for_status()
            taken.append((time.perf_counter() - began) * 1000)
    return figures


async def _play(config: Config) -> None:
    """Report as many processes do, until terminated."""
    from pipeline.control.status_topic import reporting

    async with AsyncExitStack() as stack:
        for number in range(PROCESSES):
            node = f"worker@played-{number}"
            await stack.enter_async_context(reporting(config, node, partial(_report, node)))
        await asyncio.Event().wait()


def _report(node: str) -> Any:
    from pipeline.control.status import Part, ProcessReport

    now = int(time.time() * 1000)
    counters = dict.fromkeys(("matched", "passed", "failed", "actions.total", "actions.success"), now % 1_000_000)
    part = Part("connected", "", counters, {"rate": 1.5, "rate_last5m": 1.0, "rate_max": 2.0})
    rules = {"hot": part} | {f"r{number}": part for number in range(RULES)}
    parts: Any = {"connectors": {"s3:store": part}, "actions": {"s3:bench": part}, "rules": rules}
    return ProcessReport(node, "worker", now, "1.0", 7, started_at=now - 60_000, rss_bytes=1 << 26, parts=parts)


if __name__ == "__main__":
    main()
