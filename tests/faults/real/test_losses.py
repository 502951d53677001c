"""What is lost outside: by a bucket, a consumer group or a topic of real parts. Everything is read again, or named.

The verbs are in losses.py. What a test knows of Kafka and the bucket, it asks them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from pipeline.demo.process import Server, free_port
from pipeline.record import Outgoing
from tests.components.pipeline_parts import Pipeline, lines, message
from tests.faults import checkers
from tests.faults.real import losses
from tests.faults.real.load import Load, Make
from tests.faults.real.losses import Snapshot
from tests.parts.part import KafkaPart
from tests.parts.waiting import let_pass, wait_until

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]
ACTIONS = "rows", "latest"
FETCH_SECONDS = 2.0  # a fetch that waits for records ends after 0.5


def settled(pipeline: Pipeline) -> None:
    for action in ACTIONS:
        pipeline.wait_for_no_lag(action)


def proof(pipeline: Pipeline, *options: str) -> tuple[int, list[dict[str, Any]]]:
    """Exit status and findings of `tidegate verify`."""
    done = pipeline.command("verify", "--output", "jsonl", *options)
    assert "Traceback" not in done.stderr, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    return done.returncode, [each for each in told if "finding" in each]


def doctor(pipeline: Pipeline) -> dict[str, Mapping[str, Any]]:
    """The check of each action's lag."""
    done = pipeline.command("doctor", "--output", "json")
    assert done.stdout, done.stderr
    checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    return {name: checks[f"lag of s3:{name}"] for name in ACTIONS}


def told(worker: Server, event: str) -> list[Mapping[str, Any]]:
    return [line for line in lines(worker) if line["event"] == event]


def test_whatever_the_bucket_and_the_group_say_each_row_is_there_once(make: Make) -> None:
    """The bucket is put back to an earlier day; the ledger's last entries expire; offsets are set back, and forward.

    The lane goes on at the ledger's end each time, and not at the offset that the group has committed.
    """
    pipeline = make()
    bucket = f"{pipeline.name}-rows"
    load = Load(pipeline)
    load.produce(200)
    worker = pipeline.worker()
    settled(pipeline)
    worker.stop()
    earlier = Snapshot.of(pipeline, bucket)
    worker = pipeline.worker()
    load.produce(200)
    settled(pipeline)
    worker.kill()

    earlier.put_back(pipeline)
    behind = doctor(pipeline)
    worker = pipeline.worker()
    load.produce(200)
    load.check()
    worker.kill()

    assert losses.expire_last_entries(pipeline, bucket) == pipeline.partitions
    worker = pipeline.worker()
    load.produce(200)
    load.check()
    worker.stop()

    load.produce(200)
    ends = pipeline.ends()
    losses.reset_group(pipeline, "rows", {**ends, 0: 0, 1: 0})
    losses.reset_group(pipeline, "latest", dict.fromkeys(ends, 0))
    pipeline.worker()
    load.produce(200)
    load.check()
    pipeline.stop()

    assert [behind[action]["state"] for action in ACTIONS] == ["warn", "ok"]
    assert "the group has committed" in behind["rows"]["found"]
    assert proof(pipeline, "--deep") == (0, [])


Place = tuple[int, int]  # partition and offset
Gap = tuple[int, int, int]  # partition, first, next


class Numbered:
    """Records with a number each, and where they are."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.numbers: dict[Place, int] = {}

    def produce(self, partition: int, count: int) -> None:
        """Records of two clients in turn."""
        first = len(self.numbers)
        records = [self._message(partition, number) for number in range(first, first + count)]
        for each in self.pipeline.produce(records, partition=partition):
            self.numbers[each.partition, each.offset] = json.loads(each.value)["n"]

    def produce_in_transactions(self, partition: int, count: int) -> None:
        """A marker, an aborted copy and its marker follow each of them."""
        first, end = len(self.numbers), self.pipeline.ends()[partition]
        records = [self._message(partition, number) for number in range(first, first + count)]
        losses.produce_in_transactions(self.pipeline, records, partition)
        self.numbers |= {(partition, end + 4 * each): first + each for each in range(count)}

    def _message(self, partition: int, number: int) -> Outgoing:
        return message(f"p{partition}-{number % 2}", b'{"n": %d, "keep": true}' % number)


def test_what_kafka_does_not_have_any_more_is_named(make: Make) -> None:
    """Records that Kafka deletes while the worker is frozen, while it is away, and while an entry of the ledger is gone, too.

    The ledger, the log, a counter, `verify` and `doctor` say which. Offsets that never show a record count as such: those of
    transactions that were aborted, the markers of all, and those of records that compaction removed.
    """
    pipeline = make()
    bucket, there = f"{pipeline.name}-rows", Numbered(pipeline)
    pipeline.metrics_port = free_port()
    pipeline.kafka_settings = {"session_timeout": "10s"}  # the frozen worker stays a member, and counts once
    for partition in range(4):
        there.produce(partition, 20)
    worker = pipeline.worker()
    settled(pipeline)
    worker.pause()  # at work, while records come and go
    there.produce(0, 1)
    let_pass(FETCH_SECONDS)  # Kafka answers a fetch that waits, with this record or with none; nobody sends another
    there.produce(0, 29)
    losses.delete_records(pipeline, {0: 40})
    worker.resume()
    there.produce_in_transactions(1, 3)
    settled(pipeline)
    counted = pipeline.counted("tidegate_worker_missing_total")
    worker.kill()

    assert losses.expire_entries(pipeline, bucket, 1, 20)
    there.produce(2, 30)
    losses.delete_records(pipeline, {1: 21, 2: 45})
    there.produce(3, 30)
    losses.compact(pipeline, lambda: there.produce(3, 1))
    wait_until(lambda: len(losses.offsets_with_records(pipeline, 3)) < 10, 20, lambda: "Kafka compacts nothing")
    before = doctor(pipeline)
    away = pipeline.worker()
    settled(pipeline)
    away.stop()

    frozen = [_said(worker, action) for action in ACTIONS]
    assert all(each in ({(0, 20, 40)}, {(0, 21, 40)}) for each in frozen)
    assert counted == sum(following - first for each in frozen for _, first, following in each)
    # The group of the other action had committed more of partition 1 than this ledger has left.
    assert [_said(away, action) for action in ACTIONS] == [{(1, 20, 21), (2, 20, 45)}, {(2, 20, 45)}]
    gaps = _said(worker, "rows") | _said(away, "rows")
    assert _accounted(there, gaps) == []
    assert {each["state"] for each in before.values()} == {"bad"}
    assert all("records are gone" in each["found"] for each in before.values())
    _is_proven_but_for(pipeline, gaps)


def _accounted(there: Numbered, gaps: set[Gap]) -> list[str]:
    """What is wrong with the ledger, if exactly these offsets were deleted, and with the rows that it names."""
    pipeline = there.pipeline
    bucket = pipeline.objects(f"{pipeline.name}-rows")
    cuts = checkers.cuts(bucket)
    missing = {(cut.partition[2], *each) for cut in cuts for each in cut.fields["missing"]}
    absent = {number: sum(cut.fields["absent"] for cut in cuts if cut.partition[2] == number) for number in range(4)}
    shown = set(losses.offsets_with_records(pipeline, 3))
    compacted = set(range(20, pipeline.ends()[3])) - shown  # by the time that a worker came
    gone = {(number, offset) for number, first, following in gaps for offset in range(first, following)}
    gone |= {(3, offset) for offset in compacted}
    expected = sorted(n for place, n in there.numbers.items() if place not in gone)
    rows = sorted(row["n"] for key in checkers.named_objects(bucket) for row in checkers.rows_of(bucket[key]))
    wrong = [] if missing == gaps else [f"missing: {missing}, expected {gaps}"]
    wrong += [] if absent == {0: 0, 1: 9, 2: 0, 3: len(compacted)} else [f"absent: {absent}, compacted {compacted}"]
    return wrong + ([] if rows == expected else [f"rows {rows}, expected {expected}"])


def _said(worker: Server, action: str) -> set[Gap]:
    """What an action calls missing in its log."""
    found = [line for line in told(worker, "records.missing") if line["action"] == action]
    assert {line["level"] for line in found} == {"error"}
    return {(line["partition"], line["first"], line["next"]) for line in found}


def _is_proven_but_for(pipeline: Pipeline, gaps: set[Gap]) -> None:
    """`verify` names what is gone. It removes no object that may be the only copy of such a row."""
    status, found = proof(pipeline, "--sweep", "--action", "rows")
    bucket = pipeline.objects(f"{pipeline.name}-rows")
    orphans = [each["key"] for each in found if each["finding"] == "orphan"]

    assert status == 1
    assert [each["finding"] for each in found if each["key"] not in orphans] == ["gone"] * len(gaps)
    assert {f"offsets {first} to {following - 1}" for _, first, following in gaps} == {
        each["text"].partition(":")[0] for each in found if each["finding"] == "gone"
    }
    assert set(orphans) == checkers.data_objects(bucket).keys() - checkers.named_objects(bucket).keys()
    assert orphans, "what was written before the entry went is the only copy of some rows, and stays"


def test_a_topic_of_the_name_is_another_topic(make: Make, kafka: KafkaPart) -> None:
    """Deleted and made again under a worker: all of its records arrive. A log that lost its end stops both actions.

    The error says what to do; when it is done, both go on.
    """
    pipeline = make()
    load = Load(pipeline)
    load.produce(200)
    worker = pipeline.worker()
    settled(pipeline)

    losses.make_topic_again(pipeline)
    load.produce(200)
    _wait_for(load)
    replaced = told(worker, "topic.replaced")

    losses.lose_the_log(pipeline)
    pipeline.produce([message("c1", b"new records at old offsets")], partition=0)
    wait_until(lambda: len(_beyond(worker)) >= 2, 40, pipeline.tails)
    errors, standing = _beyond(worker), doctor(pipeline)
    losses.make_topic_again(pipeline)
    load.produce(200)
    _wait_for(load)
    pipeline.stop()

    assert {line["action"] for line in replaced} == set(ACTIONS)
    assert {line["partition"] for line in replaced if line["action"] == "rows"} == set(range(pipeline.partitions))
    assert "delete the topic and let it be made again" in errors["rows"]
    assert "kafka-consumer-groups --reset-offsets" in errors["latest"]
    assert {each["state"] for each in standing.values()} == {"bad"}
    assert all("Kafka's log ends at" in each["found"] for each in standing.values())
    assert proof(pipeline, "--deep") == (0, [])


def _beyond(worker: Server) -> dict[str, str]:
    """What each action says of an end beyond the log's."""
    return {line["action"]: line["error"] for line in told(worker, "action.failed") if "log ends at" in line["error"]}


def _wait_for(load: Load) -> None:
    """Everything that was produced is there, once, whatever the topic was called; offsets of two topics cannot be compared."""
    pipeline = load.pipeline
    expected = [n for n in range(load.count) if n % 3]

    def wrong() -> list[str]:
        latest = pipeline.objects(f"{pipeline.name}-latest")
        return [
            *checkers.exactly_once(pipeline.objects(f"{pipeline.name}-rows"), expected, "n"),
            *checkers.final_state(latest, {f"{client}/latest": value for client, value in load.latest.items()}),
        ]

    wait_until(lambda: not wrong(), 60, lambda: f"{wrong()[:10]}\n{pipeline.tails()}")


def test_an_outdated_configuration_waits_and_turns_nothing_back(make: Make) -> None:
    """A worker that does not have the latest revision yet gets the partitions of one that has it: it waits, until one comes.

    Each partition's rule changes once, and no revision falls.
    """
    pipeline = make()
    load = Load(pipeline)
    load.produce(200)
    outdated = pipeline.worker(revision=1)
    settled(pipeline)
    pipeline.rules["r"] = 'SELECT clientid, payload.n AS n, 2 AS rule FROM "t/#" WHERE payload.keep = true', ["rows"]
    current = pipeline.worker(revision=2)
    # Before it is at work the other one may do all of it, also that of the partitions which this one gets.
    wait_until(lambda: any(each[-1]["revision"] == 2 for each in _entries(pipeline).values()), 30, pipeline.tails)
    load.produce(200)
    pipeline.wait_for_no_lag("rows")
    current.kill()
    load.produce(200)
    wait_until(lambda: told(outdated, "revision.waiting"), 30, pipeline.tails)
    let_pass(2)  # two cuts of those partitions that may go on

    waiting = {line["partition"] for line in told(outdated, "revision.waiting")}
    ends = pipeline.ends()
    assert all(pipeline.committed("rows").get(number, 0) < ends[number] for number in waiting)
    pipeline.worker(revision=2)
    outdated.stop()
    load.check(new_rules=True)
    # A partition without further records turns, too, when the new worker comes to it.
    wait_until(lambda: all(each[-1]["revision"] == 2 for each in _entries(pipeline).values()), 30, pipeline.tails)
    pipeline.stop()

    of_partition = _entries(pipeline)
    assert of_partition.keys() == set(range(pipeline.partitions))
    for entries in of_partition.values():
        revisions = [fields["revision"] for fields in entries]
        assert revisions == sorted(revisions)
        assert set(revisions) == {1, 2}
        assert len({fields["version"] for fields in entries}) == 2
        assert sum(fields["next_version"] != fields["version"] for fields in entries) == 1
    assert {line["action"] for line in told(outdated, "revision.waiting")} == {"rows"}
    assert proof(pipeline, "--deep") == (0, [])


def _entries(pipeline: Pipeline) -> dict[int, list[Mapping[str, Any]]]:
    """The fields of each partition's entries, in order."""
    found: dict[int, list[Mapping[str, Any]]] = {}
    for cut in checkers.cuts(pipeline.objects(f"{pipeline.name}-rows")):
        found.setdefault(cut.partition[2], []).append(cut.fields)
    return found
