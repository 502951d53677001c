"""Aggregated upload, one lane in virtual time: what a window, a full object, a restart and a failing store come to."""

from __future__ import annotations

import asyncio
import io
import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest
import structlog
from prometheus_client import REGISTRY

from agents.sinks.side_by_side import all_of
from pipeline.errors import FenceLostError, ForeignObjectError, RefusedError, RetryableError
from pipeline.record import Outgoing
from tests.faults import checkers
from tests.faults.faults import CALM
from tests.faults.simulation.bucket import Bucket
from tests.faults.simulation.clock import tell
from tests.faults.simulation.world import Letters, kafka_record
from tests.parts.bench import Bench, bucket, record, told
from tests.parts.waiting import pause


def rows(store: Bucket) -> list[list[int]]:
    """The rows of each object, in the order of keys."""
    objects = checkers.data_objects(store.contents())
    return [[row["n"] for row in checkers.rows_of(objects[key])] for key in objects]


def entries(store: Bucket) -> list[dict[str, Any]]:
    """The cuts that moved the ledger on."""
    found = [json.loads(body) for key, body in store.history if key.startswith("_tidegate/a/mqtt")]
    return [entry for entry in found if entry.get("next", 0) > entry.get("first", 0)]


def test_a_full_object_is_stored_at_once_and_is_never_fuller() -> None:
    """A full object does not wait for the interval, and its offset waits for the cut."""
    store = bucket()

    async def story() -> None:
        bench = Bench(store, aggregation={"time_interval": "1h", "max_records": 5})
        bench.offer([record(offset) for offset in range(12)])
        await asyncio.sleep(10)
        assert sorted(rows(store)) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]
        before = bench.lane.durable
        await bench.stop()
        assert not before
        assert bench.lane.durable == 12

    told(story)
    assert sorted(rows(store)) == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9], [10, 11]]


def test_many_senders_over_many_windows_are_all_there_once() -> None:
    """Objects stay within the limit, hold every row once, and keep each client's order."""
    store = bucket()

    async def story() -> None:
        bench = Bench(store, aggregation={"time_interval": "10s", "max_records": 8})
        for start in range(0, 400, 10):
            bench.offer([record(offset, client=b"c%d" % (offset * 7 % 5)) for offset in range(start, start + 10)])
            await asyncio.sleep(1.7)
        await bench.stop()

    told(story)
    found = checkers.data_objects(store.contents()).values()
    assert len(found) >= 50
    assert max(len(checkers.rows_of(each)) for each in found) == 8
    assert sorted(n for each in rows(store) for n in each) == list(range(400))
    assert all(each == sorted(each) for each in rows(store))


def test_the_interval_alone_ends_a_window() -> None:
    """A window ends at its interval without a further record, health check or stop."""
    store = bucket()

    async def story() -> None:
        bench = Bench(store, aggregation={"time_interval": "30s"})
        bench.offer([record(0), record(1)])
        await asyncio.sleep(29)
        assert rows(store) == []
        await asyncio.sleep(3)
        assert rows(store) == [[0, 1]]
        assert bench.lane.durable == 2
        await bench.kill()

    told(story)


def test_a_window_without_rows_makes_no_object() -> None:
    """If all records are filtered, the ledger says so and no object is made."""
    store = bucket()

    async def story() -> None:
        bench = Bench(store, aggregation={"time_interval": "5s"})
        bench.offer([record(offset, n=-1) for offset in range(4)])
        await asyncio.sleep(60)
        await bench.stop()

    told(story)
    assert rows(store) == []
    assert [(entry["records"], entry["filtered"], entry["objects"]) for entry in entries(store)] == [(4, 4, [])]


def test_a_kill_in_mid_window_leaves_one_object_of_all_its_rows() -> None:
    """After a kill the rows are read again, each is in one object, and Kafka's order is kept."""
    store = bucket()

    async def story() -> None:
        first = Bench(store, aggregation={"time_interval": "1h"})
        first.offer([record(offset) for offset in range(5)])
        await asyncio.sleep(5)
        await first.kill()
        second = Bench(store, aggregation={"time_interval": "1h"})
        second.offer([record(offset) for offset in range(9)])
        await second.stop()

    told(story)
    assert rows(store) == [list(range(9))]


def test_a_stop_in_mid_window_stores_the_tail_and_its_successor_goes_on_behind_it() -> None:
    """A stop stores all rows in memory, so the window has two objects and each row is in one of them."""
    store = bucket()

    async def story() -> None:
        first = Bench(store, aggregation={"time_interval": "1h"})
        first.offer([record(offset) for offset in range(5)])
        await asyncio.sleep(5)
        await first.stop()
        assert first.lane.durable == 5
        second = Bench(store, aggregation={"time_interval": "1h"})
        second.offer([record(offset) for offset in range(9)])
        await second.stop()

    told(story)
    assert sorted(rows(store)) == [[0, 1, 2, 3, 4], [5, 6, 7, 8]]


class Failing(Bucket):
    """A store that takes no data object for a while."""

    failures = 0

    async def create(self, bucket: str, key: str, *args: Any, **options: Any) -> str | None:
        if self.failures and not key.startswith("_tidegate/"):
            self.failures -= 1
            raise RetryableError("503 SlowDown", reason="SlowDown")
        return await super().create(bucket, key, *args, **options)


def test_an_upload_that_fails_is_told_once_counted_each_time_and_made_again() -> None:
    """A failed upload is repeated without a restart, logged once, and new rows are accepted meanwhile."""
    store = Failing(random.Random(1), CALM)
    store.failures = 6
    seen = []

    async def story() -> None:
        bench = Bench(store, action="failing-upload", aggregation={"time_interval": "1s", "max_records": 3})
        bench.offer([record(offset) for offset in range(4)])
        while store.failures:
            seen.append((bench.attempts.status, bench.attempts.status_reason))
            await asyncio.sleep(0.5)
        bench.offer([record(offset) for offset in range(4, 6)])
        await bench.stop()
        seen.append((bench.attempts.status, bench.attempts.status_reason))

    with structlog.testing.capture_logs() as lines:
        tell(1, story())

    assert ("disconnected", "503 SlowDown") in seen
    assert seen[-1] == ("connected", "")
    assert [line["event"] for line in lines] == ["action.disconnected", "action.connected"]
    labels = {"action": "failing-upload", "reason": "SlowDown"}
    assert REGISTRY.get_sample_value("tidegate_worker_action_failures_total", labels) == 6
    assert sorted(n for each in rows(store) for n in each) == list(range(6))


class Abortable(Bucket):
    """A store whose uploads never end, and take a second to be aborted."""

    aborted = 0

    async def create(self, bucket: str, key: str, *args: Any, **options: Any) -> str | None:
        if key.startswith("_tidegate/"):
            return await super().create(bucket, key, *args, **options)
        try:
            await asyncio.sleep(1e6)
        except asyncio.CancelledError:
            await asyncio.sleep(1)
            self.aborted += 1
            raise
        return None


@pytest.mark.parametrize("interval", ["1h", "1s"])
def test_a_worker_that_stops_sees_its_uploads_aborted(interval: str) -> None:
    """When a lane has ended, none of its uploads is under way."""
    store = Abortable(random.Random(1), CALM)

    async def story() -> None:
        bench = Bench(store, aggregation={"time_interval": interval, "max_records": 3})
        bench.offer([record(offset) for offset in range(2 if interval == "1s" else 4)])
        await asyncio.sleep(5)
        await bench.kill()
        assert store.aborted == 1

    told(story)


COLUMNS = {"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}]}


def test_what_a_column_cannot_hold_is_a_dead_letter_and_the_object_is_whole() -> None:
    """A row that does not fit its Parquet column is a dead letter, and the other rows are a valid file."""
    store = bucket()
    container = {"type": "parquet", "schema": {"type": "avro_inline", "def": json.dumps(COLUMNS)}}
    statement = {"r": 'SELECT payload.n AS n, payload.more AS more FROM "t/#"'}
    found: list[Letters] = []

    async def story() -> None:
        bench = Bench(store, rules=statement, key="x.parquet", container=container)
        values = (1, None, "two", 3)
        bench.offer([kafka_record(at, b"c", json.dumps({"n": n, "more": "x"}).encode()) for at, n in enumerate(values)])
        await bench.stop()
        found.append(bench.letters)

    told(story)
    (content,) = checkers.data_objects(store.contents()).values()
    assert pq.read_table(io.BytesIO(content)).to_pylist() == [{"n": 1}, {"n": 3}]
    assert found[0].offsets == {1, 2}
    assert [dict(each.headers)["dead_letter.cause"] for each in found[0].records] == [b"encode", b"encode"]
    assert [(each["rows"], each["dead_lettered"]) for each in entries(store)] == [(2, 2)]


class Picky(Bucket):
    """A store that takes no key with a long name between its slashes, as those that keep objects as files."""

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], **options: Any
    ) -> str | None:
        if max(map(len, key.split("/"))) > 255:
            raise RefusedError(f"{bucket}/{key}: 400 KeyTooLong", reason="KeyTooLong", blames={"key"})
        return await super().create(bucket, key, body, headers, **options)


def test_an_object_that_the_store_will_never_take_holds_nobody_up() -> None:
    """The records of a refused object are dead letters with their places, and all other rows are stored."""

    async def story() -> None:
        store = Picky(random.Random(1), CALM)
        bench = Bench(store, key="${clientid}/x.jsonl", aggregation={"max_records": 4})
        bench.offer([record(offset, client=(b"c" if offset % 2 else b"d" * 256)) for offset in range(10)])
        bench.offer([record(10, client=b"e" * 1100)])
        await bench.stop()

        assert sorted(n for each in rows(store) for n in each) == [1, 3, 5, 7, 9]
        assert bench.lane.durable == 11
        (entry,) = [each for each in entries(store) if each["records"]]
        assert (entry["records"], entry["rows"], entry["dead_lettered"]) == (11, 5, 6)
        facts = [dict(letter.headers) for letter in bench.letters.records]
        places = [(int(each["dead_letter.offset"]), each["dead_letter.cause"]) for each in facts]
        assert sorted(places) == [*((offset, b"KeyTooLong") for offset in range(0, 10, 2)), (10, b"render")]

    told(story)


def test_a_key_of_the_settings_alone_waits_for_a_person() -> None:
    """If the store refuses a key that depends on settings alone, the action waits, says why, and commits nothing."""

    async def story() -> None:
        store = Picky(random.Random(1), CALM)
        bench = Bench(store, key="d" * 256 + "/x.jsonl", aggregation={"max_records": 4})
        bench.offer([record(offset) for offset in range(10)])
        await asyncio.sleep(30)

        assert (bench.attempts.status, bench.attempts.reason) == ("disconnected", "KeyTooLong")
        assert bench.letters.records == []
        assert bench.lane.durable == 0
        await bench.kill()

    told(story)


class Waiting(Letters):
    """A dead letter topic that answers when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        await self.let.wait()
        await super().send(topic, records)


def test_rows_that_arrive_while_others_are_given_up_are_not_forgotten() -> None:
    """Rows that arrive while dead letters of their key are sent are kept."""

    async def story() -> None:
        store = Picky(random.Random(1), CALM)
        records = [record(offset, client=(b"c" if offset % 2 else b"d" * 256)) for offset in range(20)]
        killed, bench = (Bench(store, key="${clientid}/x.jsonl", letters=Waiting()) for _ in range(2))
        killed.offer(records)
        await asyncio.sleep(1)
        killed.lane.relieve()
        await asyncio.sleep(5)
        await killed.kill()
        assert [len(each) for each in rows(store)] == [10]

        bench.offer(records[:10])
        await asyncio.sleep(1)
        bench.lane.relieve()
        await asyncio.sleep(5)
        bench.offer(records[10:])
        await asyncio.sleep(5)
        bench.letters.let.set()
        await bench.stop()

        lettered = sorted(int(dict(letter.headers)["dead_letter.offset"]) for letter in bench.letters.records)
        assert lettered == list(range(0, 20, 2))
        assert [sorted(each) for each in rows(store)] == [list(range(1, 20, 2))]

    told(story)


def test_an_object_of_a_later_revision_is_adopted_and_no_older_rule_follows() -> None:
    """An outdated worker writes the entry, with that revision and under the rule of the cut. Then it starts again, and waits."""
    store, window = bucket(), {"time_interval": "1h", "max_records": 3}

    async def at_revision(revision: int, reads: int, end: int) -> Bench:
        bench = Bench(store, rules={"r": f'SELECT payload.n AS n, {revision} AS at FROM "t/#"'}, aggregation=window)
        bench.writer.action = replace(bench.writer.action, revision=revision)
        bench.offer([record(offset) for offset in range(reads)])
        bench.kafka.end = end
        await asyncio.sleep(10)
        await bench.kill()
        return bench

    async def story() -> None:
        await at_revision(0, reads=3, end=9)  # begins the chain
        await at_revision(2, reads=4, end=9)  # stores the object
        outdated = await at_revision(1, reads=3, end=3)
        assert isinstance(outdated.task.exception(), FenceLostError)

    told(story)
    (entry,) = entries(store)
    assert (entry["next"], entry["revision"], entry["next_version"] == entry["version"]) == (3, 2, True)


def test_what_is_settled_ends_where_the_first_row_waits() -> None:
    """The settled offset passes records without rows, and stops at the first row that is not in an object."""
    store = bucket()
    seen: list[int | None] = []

    async def story() -> None:
        bench = Bench(store, aggregation={"time_interval": "10s"})
        await asyncio.sleep(1)
        seen.append(bench.lane.settled)
        for records in ([record(0, -1), record(1, -1)], [record(2), record(3)], [record(4, -1)]):
            bench.offer(records)
            await asyncio.sleep(1)
            seen.append(bench.lane.settled)
        bench.lane.end_offset = 9
        seen.append(bench.lane.lag())
        await asyncio.sleep(20)
        seen.extend((bench.lane.settled, bench.lane.lag()))
        await bench.kill()

    told(story)

    assert seen == [None, 2, 2, 2, 7, 5, 4]


async def test_an_error_of_one_store_is_the_error_of_all() -> None:
    """A failed cut raises the first store's error and not a group of errors."""
    begun: list[int] = []

    async def store(number: int) -> None:
        begun.append(number)
        if number == 20:
            raise ForeignObjectError("not ours")
        await pause(0)

    with pytest.raises(ForeignObjectError, match="not ours"):
        await all_of(store(number) for number in range(1000))

    assert len(begun) < 100
