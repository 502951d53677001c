"""Measures the cost of rules and of the same logic written by hand in Python with orjson, in one run.

    python benchmarks/rules.py [--seconds 0.4]

Each line is one rule on a payload of about 150 bytes. "rule" builds an Event and evaluates the program. "hand" is a
function that does the same with the same bytes. Compare the ratios, because the times depend on the machine.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pipeline.process.collector import slow_down
from pipeline.record import Record, message_record
from pipeline.rule.rule_set import RuleSet
from pipeline.sql import Event, compile_statement
from pipeline.topics import TopicIndex, matches

TOPIC = "plant/7/up"
NOW_MS = 1_708_671_600_123
PAYLOAD = orjson.dumps(
    {
        "temp": 23.5, "humidity": 40, "id": "dev-17", "ts": 1_708_671_600, "status": "ok", "level": 3,
        "place": {"lat": 48.1, "lon": 11.5}, "note": "spare text that no rule here reads",
    }
)  # fmt: skip
LIST_PAYLOAD = orjson.dumps({"sensors": [{"name": f"s{i}", "value": i * 1.5} for i in range(10)]})
SEED = ("mqtt.messages", 0, 1)


def columns(payload: bytes) -> dict[str, Any]:
    """The fields of a message, in the worker's form."""
    return {
        "event": "message.publish", "topic": TOPIC, "clientid": "dev-17", "qos": 1, "payload": payload,
        "timestamp": NOW_MS, "publish_received_at": NOW_MS, "flags": {"retain": False, "dup": False},
    }  # fmt: skip


Hand = Callable[[dict[str, Any]], Any]


def pass_through(message: dict[str, Any]) -> Any:
    return [{**message, "payload": message["payload"].decode()}]


def rejecting(message: dict[str, Any]) -> Any:
    document = orjson.loads(message["payload"])
    if document.get("temp", 0) > 100:
        return [{"temp": document.get("temp"), "id": document.get("id")}]
    return None


def five_fields(message: dict[str, Any]) -> Any:
    document = orjson.loads(message["payload"])
    if not document.get("temp", 0) > 20:
        return None
    place = document.get("place") or {}
    return [
        {
            "temp": document.get("temp"),
            "id": document.get("id"),
            "lat": place.get("lat"),
            "client": message["clientid"],
            "at": message["timestamp"],
        }
    ]


def foreach(message: dict[str, Any]) -> Any:
    document = orjson.loads(message["payload"])
    sensors = document.get("sensors")
    return [
        {"name": sensor.get("name"), "value": sensor.get("value"), "client": message["clientid"]}
        for sensor in (sensors if isinstance(sensors, list) else ())
        if sensor.get("value", 0) > 3
    ]


def case(message: dict[str, Any]) -> Any:
    document = orjson.loads(message["payload"])
    level = document.get("level", 0)
    word = "low" if level < 2 else "middle" if level < 5 else "high"
    return [{"level": word, "id": document.get("id")}]


def date(message: dict[str, Any]) -> Any:
    document = orjson.loads(message["payload"])
    return [
        {"day": datetime.fromtimestamp(document["ts"], UTC).strftime("%Y-%m-%d %H:%M:%S"), "id": document.get("id")}
    ]


SIMPLE = [
    ("pass through", 'SELECT * FROM "plant/#"', PAYLOAD, pass_through),
    ("filter that rejects", 'SELECT payload.temp AS temp, payload.id AS id FROM "plant/#" WHERE payload.temp > 100',
     PAYLOAD, rejecting),
    ("filter and five fields",
     'SELECT payload.temp AS temp, payload.id AS id, payload.place.lat AS lat, clientid AS client, timestamp AS at '
     'FROM "plant/#" WHERE payload.temp > 20', PAYLOAD, five_fields),
    ("FOREACH over ten",
     'FOREACH payload.sensors AS s DO s.name AS name, s.value AS value, clientid AS client INCASE s.value > 3 '
     'FROM "plant/#"', LIST_PAYLOAD, foreach),
    ("CASE",
     "SELECT CASE WHEN payload.level < 2 THEN 'low' WHEN payload.level < 5 THEN 'middle' ELSE 'high' END AS level, "
     'payload.id AS id FROM "plant/#"', PAYLOAD, case),
    ("date formatting",
     "SELECT format_date('second', 'Z', '%Y-%m-%d %H:%M:%S', payload.ts) AS day, payload.id AS id FROM \"plant/#\"",
     PAYLOAD, date),
]  # fmt: skip


ROUNDS = 9


def timed(call: Callable[[], Any], count: int) -> float:
    """Seconds of the processor for `count` calls."""
    start = time.process_time()
    for _ in range(count):
        call()
    return time.process_time() - start


def compare(name: str, rule: Callable[[], Any], hand: Callable[[], Any], seconds: float, records: int = 1) -> None:
    """Compare the best of several rounds, for one of so many records. The two take turns, so that other work on the machine
    affects both."""
    if rule() != hand():
        raise SystemExit(f"{name}: the two disagree:\n{rule()}\n{hand()}")
    count = 1
    while timed(hand, count) < seconds / ROUNDS / 2:
        count *= 2
    rounds = [(timed(rule, count), timed(hand, count)) for _ in range(ROUNDS)]
    ours, theirs = (min(times) / count / records * 1e6 for times in zip(*rounds, strict=True))
    print(f"{name:28} {ours:8.2f} µs {theirs:8.2f} µs {ours / theirs:7.2f}")


def one_rule(statement: str, payload: bytes, hand: Hand) -> tuple[Callable[[], Any], Callable[[], Any]]:
    program = compile_statement(statement)
    message = columns(payload)
    return lambda: program.evaluate(Event(message, NOW_MS, SEED)), lambda: hand(message)


def hundred_rules() -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A hundred rules with a hundred filters. Three of the filters match the message."""
    filters = [f"site/{i}/+" for i in range(97)] + ["plant/7/+", "plant/+/up", "plant/#"]
    index: TopicIndex[Any] = TopicIndex()
    for topic_filter in filters:
        index.add(
            topic_filter, compile_statement(f'SELECT payload.temp AS t FROM "{topic_filter}" WHERE payload.temp > 0')
        )
    message = columns(PAYLOAD)

    def rules() -> Any:
        event = Event(message, NOW_MS, SEED)
        return [row for program in index.match(TOPIC) for row in program.evaluate(event) or ()]

    def hand() -> Any:
        rows = []
        document = None
        for topic_filter in filters:
            if matches(topic_filter, TOPIC):
                document = document if document is not None else orjson.loads(PAYLOAD)
                if document.get("temp", 0) > 0:
                    rows.append({"t": document.get("temp")})
        return rows

    return rules, hand


BATCH: Final = 1000
MATCHING: Final = 'SELECT payload.temp AS t, clientid FROM "plant/#" WHERE payload.temp > 20'


def batch(rules_count: int) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """A batch of records as Kafka gives them, and so many rules that all match. Rows and the bytes that they take are kept."""
    key, value, headers, now_ms = message_record(
        topic=TOPIC.encode(), payload=PAYLOAD, qos=1, retain=False, dup=False, clientid=b"dev-17", clientid_from=b"topic",
        timestamp_ms=NOW_MS,
    )  # fmt: skip
    records = [Record("messages", 0, offset, now_ms, key, value, tuple(headers)) for offset in range(BATCH)]
    rule_set = RuleSet({f"r{number}": MATCHING for number in range(rules_count)}, node="benchmark")

    def hand() -> Any:
        rows = []
        for record in records:
            assert record.value is not None
            document = orjson.loads(record.value)
            rows += [
                {"t": document.get("temp"), "clientid": (record.key or b"").decode()}
                for _ in range(rules_count)
                if document.get("temp", 0) > 20
            ]
        return rows

    return lambda: rule_set.evaluate(records).rows, hand


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=0.4, help="time for each measurement")
    seconds = arguments.parse_args().seconds
    slow_down()  # as every command does
    print(f"Python {platform.python_version()}, {platform.machine()}, payload of {len(PAYLOAD)} bytes")
    print(f"{'':28} {'rule':>11} {'hand':>11} {'ratio':>7}")
    for name, statement, payload, hand in SIMPLE:
        compare(name, *one_rule(statement, payload, hand), seconds)
    compare("100 rules, 3 match", *hundred_rules(), seconds)
    for count in (1, 20):
        compare(f"a batch, {count} rule{'s' * (count > 1)}, a record", *batch(count), seconds, BATCH)


if __name__ == "__main__":
    main()
