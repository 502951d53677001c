"""Kept columns along a ledger: whoever makes an object, and however often, it has the same columns and bytes."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import RetryableError
from pipeline.formats.kept import COLUMNS_MAX
from pipeline.record import Record
from pipeline.upload import ledger
from pipeline.upload.buffer import Chunk
from pipeline.upload.ledger import Entry
from tests.faults import checkers
from tests.faults.simulation.bucket import Bucket
from tests.faults.simulation.clock import tell
from tests.faults.simulation.world import kafka_record
from tests.parts.actions import aggregated
from tests.parts.bench import Bench, bucket, told

SELECT = {"r": 'SELECT payload.a AS a, payload.b AS b, payload.c AS c FROM "t/#"'}
LATER = {"r": SELECT["r"].replace("payload.b AS", "str(payload.b) AS")}
SETTINGS: dict[str, Any] = {
    "key": "x-${partition}-${offset}-e${epoch}.parquet",
    "container": {"type": "parquet", "default_compression": "none"},
    "aggregation": {"time_interval": "1s", "max_records": 2},
}
Batch = Sequence[Mapping[str, Any]]
# How a worker ends after a batch, or does not.
GOES_ON, KILLED, STOPPED, KILLED_BEFORE_THE_ENTRY = "goes on", "killed", "stopped", "killed before the entry"


def records(first: int, batch: Batch) -> list[Record]:
    return [kafka_record(first + at, b"c", json.dumps(payload).encode()) for at, payload in enumerate(batch)]


async def opened(store: Bucket, first: int, rules: Mapping[str, str] = SELECT) -> Bench:
    """A worker that has found the end of the ledger, which is the end of the log."""
    bench = Bench(store, rules=rules, **SETTINGS)
    bench.kafka.end = first
    await asyncio.sleep(1)
    return bench


def refuse_entries(key: str, body: bytes) -> RetryableError | None:
    is_entry = ledger.place_of(key) is not None and not key.endswith(ledger.START)
    return RetryableError("later", reason="busy") if is_entry else None


async def life(store: Bucket, batches: Sequence[Batch], ends: Sequence[str]) -> None:
    """One cut for each batch. After each of them, the worker ends in its way, and another one goes on."""
    first = 0
    bench = await opened(store, first)
    for batch, end in zip(batches, ends, strict=True):
        if end == KILLED_BEFORE_THE_ENTRY:
            store.refusal = refuse_entries
            bench.offer(records(first, batch))
            await asyncio.sleep(5)
            await bench.kill()
            store.refusal = lambda key, body: None
            bench = await opened(store, first)
        bench.offer(records(first, batch))
        await asyncio.sleep(5)
        first += len(batch)
        if end in (KILLED, STOPPED):
            await (bench.kill() if end == KILLED else bench.stop())
            bench = await opened(store, first)
    await bench.stop()


def after(batches: Sequence[Batch], ends: Sequence[str]) -> Bucket:
    """The bucket after such a life."""
    store = bucket()
    told(lambda: life(store, batches, ends))
    return store


def entries(store: Bucket) -> list[Entry]:
    found = [key for key in sorted(store.objects) if ledger.place_of(key) and not key.endswith(ledger.START)]
    return [ledger.decode_entry(store.objects[key].body) for key in found]


def types(store: Bucket) -> list[dict[str, str]]:
    """The columns of each object, in the order of offsets."""
    objects = [store.objects[each.key] for entry in entries(store) for each in entry.objects]
    schemas = [pq.read_schema(io.BytesIO(stored.body)) for stored in objects]
    return [{field.name: str(field.type) for field in schema} for schema in schemas]


def made_again(entry: Entry, log: Sequence[Record]) -> list[str]:
    """The SHA-256 of each object of an entry, made from nothing but the entry and the records."""
    action = aggregated("a", SELECT, **SETTINGS)
    inference = action.container.inference
    assert inference is not None
    found = []
    for each in entry.objects:
        chunk = Chunk()
        some = log[each.first : each.last + 1]
        for lines in action.lines.arrived(action.lines.evaluate(some), each.first).groups.values():
            chunk.add(lines)
        columns = inference.columns(bytes(chunk.data), entry.columns[: each.columns])
        found.append(hashlib.sha256(inference.encode(bytes(chunk.data), columns)).hexdigest())
    return found


BATCHES: list[Batch] = [[{"a": 1}], [{"b": True}], [{"a": "high"}], [{"c": "x", "a": None}], [{"a": 2.5}]]


def test_objects_have_the_columns_of_those_before() -> None:
    """Missing ones too, with the type that came first, though one row had a text there."""
    a_and_b, rescued = {"a": "double", "b": "bool"}, {"_rescued_data": "string"}

    assert types(after(BATCHES, [GOES_ON] * 5)) == [
        {"a": "double"},
        a_and_b,
        a_and_b | rescued,
        a_and_b | rescued | {"c": "string"},
        a_and_b | rescued | {"c": "string"},
    ]


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["x", 1.5, [1]]))
BATCH = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys("abc", VALUES)), min_size=1, max_size=5)
END = st.sampled_from([GOES_ON, KILLED, STOPPED, KILLED_BEFORE_THE_ENTRY])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(BATCH, END), min_size=1, max_size=5))
def test_bytes_are_the_same_wherever_workers_end(story: list[tuple[Batch, str]]) -> None:
    """One worker's objects are those of many that were killed, stopped, or killed between objects and entry.

    Each object can be made again from its entry and its records.
    """
    batches, ends = [batch for batch, _ in story], [end for _, end in story]
    log = records(0, [payload for batch in batches for payload in batch])
    one, many = after(batches, [GOES_ON] * len(batches)), after(batches, ends)

    assert checkers.data_objects(many.contents()) == checkers.data_objects(one.contents())
    for entry in entries(many):
        assert made_again(entry, log) == [each.sha256 for each in entry.objects]


def test_a_worker_adopts_an_object_with_the_columns_that_it_was_made_with() -> None:
    """A worker that lost its partition wrote it before the last entry, whose columns it does not have."""
    store = bucket()
    payloads: Batch = [{"a": 1, "b": True}, *({"a": number} for number in range(4))]

    async def story() -> None:
        slow = await opened(store, 0)
        quick = await opened(store, 0)
        store.refusal = refuse_entries
        slow.offer(records(0, payloads))
        await asyncio.sleep(5)
        await slow.kill()
        store.refusal = lambda key, body: None
        quick.offer(records(0, payloads[:2]))
        await asyncio.sleep(5)
        quick.offer(records(2, payloads[2:]))
        await quick.stop()

    told(story)
    log, cuts = records(0, payloads), [entry for entry in entries(store) if entry.objects]
    assert types(store) == [{"a": "double", "b": "bool"}, {"a": "double"}, {"a": "double"}]
    assert [[each.columns for each in entry.objects] for entry in cuts] == [[0], [0, 0]]
    assert [len(entry.columns) for entry in cuts] == [2, 2]
    assert [made_again(entry, log) for entry in cuts] == [[each.sha256 for each in entry.objects] for entry in cuts]


def test_another_rule_begins_anew() -> None:
    """Whoever changes the type of a column in the rule gets it, from the next cut on, also after an orderly stop."""
    store = bucket()

    async def story() -> None:
        for first, (rules, value) in enumerate([(SELECT, 1), (SELECT, 2), (LATER, 3), (LATER, 4)]):
            bench = await opened(store, first, rules)
            bench.offer(records(first, [{"b": value}]))
            await bench.stop()

    told(story)
    assert types(store) == [{"b": "double"}, {"b": "double"}, {"b": "string"}, {"b": "string"}]
    assert [len(entry.columns) for entry in entries(store) if entry.objects] == [1, 1, 1, 1]


def test_a_ledger_of_an_earlier_version_goes_on() -> None:
    """Its entries name no columns, so types are unknown until the next object has values."""
    store = bucket()

    async def story() -> None:
        before = await opened(store, 0)
        before.offer(records(0, BATCHES[0]))
        await asyncio.sleep(5)
        await before.kill()
        for key, stored in store.objects.items():
            if ledger.place_of(key) and not key.endswith(ledger.START):
                earlier = replace(ledger.decode_entry(stored.body), columns=())
                store.objects[key] = stored._replace(body=earlier.encode())
        bench = await opened(store, 1)
        bench.offer(records(1, [{"a": None, "b": True}]))
        await bench.stop()

    told(story)
    assert types(store) == [{"a": "double"}, {"b": "bool"}]


def test_what_is_not_kept_is_told_once() -> None:
    """The ledger keeps so many columns; the others are in objects whose rows have them, and nobody is told a second time."""
    store = bucket()
    names = [f"c{number}" for number in range(COLUMNS_MAX + 2)]
    rules = {"r": "SELECT " + ", ".join(f"payload.{name} AS {name}" for name in names) + ' FROM "t/#"'}

    async def story() -> None:
        bench = await opened(store, 0, rules)
        for first in range(3):
            bench.offer(records(first, [dict.fromkeys(names, first)]))
            await asyncio.sleep(5)
        bench.offer(records(3, [{"c0": 1}]))
        await bench.stop()

    with structlog.testing.capture_logs() as lines:
        tell(1, story())
    (told_once,) = [line for line in lines if line["event"] == "columns.too_many"]
    assert (told_once["column"], told_once["kept"]) == (names[COLUMNS_MAX], COLUMNS_MAX)
    assert [len(each) for each in types(store)] == [len(names), len(names), len(names), COLUMNS_MAX]
    assert {len(entry.columns) for entry in entries(store)} == {COLUMNS_MAX}
