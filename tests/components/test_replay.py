"""`tidegate replay` on objects of a real worker: another prefix, the same keys, kills, and lost records."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import pairwise
from typing import Any

import pyarrow.parquet as pq
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.components.pipeline_parts import Make, Pipeline, aggregated, direct, message
from tests.parts.faulty_s3 import Fault, FaultyS3, Kind
from tests.parts.part import S3Part
from tests.parts.waiting import patient, wait_until

pytestmark = pytest.mark.real

EVEN = 'SELECT payload.n AS n FROM "t/#" WHERE payload.n mod 2 = 0'
ALL = 'SELECT payload.n AS n, payload.n * 10 AS ten FROM "t/#"'

# Commands about nothing that is there, and what they say.
WRONG_RANGES = {
    "replay rows --from 0 --partition 99 --plan": "no partition 99; there are: 0, 1",
    "replay rows --from 9 --to 5": "expected --to after --from",
    "replay rows --from 2026-01-02 --to 2026-01-02": "expected --to after --from",
}


def written(make: Make, bucket: str, **parameters: Any) -> Pipeline:
    """Four hundred messages, half of them wanted, in objects of at most thirty rows. The worker has stopped."""
    pipeline = make(
        actions={"rows": aggregated(bucket, "rows/${partition}-${offset}.jsonl", rows_max=30, **parameters)},
        rules={"r": (EVEN, ["rows"])},
    )
    pipeline.prepare(bucket)
    pipeline.produce([message(f"c{number % 20}", b'{"n": %d}' % number) for number in range(400)])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("rows")
    worker.stop()
    return pipeline


def numbers(pipeline: Pipeline, bucket: str, prefix: str) -> list[int]:
    """The `n` of all rows below a prefix, sorted."""
    keys = [key for key in pipeline.keys(bucket) if key.startswith(prefix)]
    return sorted(
        json.loads(line)["n"] for content in pipeline.objects(bucket, keys).values() for line in content.splitlines()
    )


def planned(text: str) -> dict[str, int]:
    """The plan of a run with `--output jsonl`."""
    return next(each["plan"] for each in map(json.loads, text.splitlines()) if "plan" in each)


def good(found: subprocess.CompletedProcess[str]) -> str:
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def test_another_prefix_gets_what_the_rules_of_now_say(make: Make) -> None:
    """The plan's numbers hold, each row is there once, `verify --into` proves it, and old objects are unchanged."""
    pipeline = written(make, "replay-into")
    before, committed = pipeline.objects("replay-into"), pipeline.committed("rows")
    pipeline.rules["r"] = ALL, ["rows"]

    only_plan = good(
        pipeline.command("replay", "rows", "--from", "0", "--into", "again/one", "--plan", "--output=jsonl")
    )
    assert pipeline.objects("replay-into") == before
    good(pipeline.command("replay", "s3:rows", "--from", "0", "--into", "again/one", "--yes"))

    assert numbers(pipeline, "replay-into", "again/one/rows/") == list(range(400))
    new = {key for key in pipeline.keys("replay-into") if key not in before}
    counts = planned(only_plan)
    assert (counts["records"], counts["rows"]) == (400, 400)
    assert counts["objects"] == len([key for key in new if key.startswith("again/one/rows/")])
    assert counts["puts"] == len(new)
    proof = good(pipeline.command("verify", "--action", "rows", "--into", "again/one", "--deep"))
    assert "400 rows of 400 records (0 filtered, 0 dead-lettered)" in proof.splitlines()[-1]
    assert {key: content for key, content in pipeline.objects("replay-into").items() if key in before} == before
    assert pipeline.committed("rows") == committed
    good(pipeline.command("verify", "--deep"))
    assert "nothing to do" in good(pipeline.command("replay", "rows", "--from", "0", "--into", "again/one", "--yes"))
    for wrong, words in WRONG_RANGES.items():
        refused = pipeline.command(*wrong.split())
        assert (refused.returncode, words in refused.stderr) == (2, True), refused.stderr


def test_a_part_of_the_time_and_of_the_partitions(make: Make) -> None:
    """A range of arrival times excludes its end, and a later run into the same prefix continues there."""
    bucket = "replay-part"
    pipeline = make(
        actions={"rows": aggregated(bucket, "x/${partition}-${offset}.jsonl")},
        rules={"r": (ALL, ["rows"])},
        partitions=2,
    )
    pipeline.prepare(bucket)
    base = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=30)
    base_ms = int(base.timestamp() * 1000)
    for number in range(100):
        pipeline.produce([message("c", b'{"n": %d}' % number, at_ms=base_ms + number * 1000)], partition=number % 2)

    def run(begin: int, end: int, zone: tzinfo) -> None:
        times = [(base + timedelta(seconds=each)).astimezone(zone).isoformat() for each in (begin, end)]
        good(
            pipeline.command(
                "replay", "rows", "--from", times[0], "--to", times[1], "--into", "p", "--partition=1", "--yes"
            )
        )

    run(10, 20, UTC)
    assert numbers(pipeline, bucket, "p/") == [11, 13, 15, 17, 19]

    run(10, 30, timezone(timedelta(hours=2)))
    assert numbers(pipeline, bucket, "p/") == list(range(11, 30, 2))
    good(pipeline.command("verify", "--action=rows", "--into=p", "--deep"))


def test_killed_in_the_middle_it_goes_on(make: Make, s3: S3Part) -> None:
    """After several SIGKILLs, the same command ends with each row once.

    The store stops answering after so many PUTs, with or without the one after them, so that the command cannot end before.
    """
    bucket = "replay-killed"
    pipeline = make(
        actions={"rows": aggregated(bucket, "rows/${clientid}-${partition}-${offset}.jsonl", rows_max=20)},
        rules={"r": ('SELECT payload.n AS n, clientid FROM "t/#"', ["rows"])},
    )
    pipeline.prepare(bucket)
    pipeline.produce([message(f"c{number % 50}", b'{"n": %d}' % number) for number in range(30_000)])
    arguments = ["replay", "rows", "--from", "0", "--into", "k", "--yes"]

    stops: list[tuple[int, Kind]] = [(1, "hang"), (100, "hang"), (200, "hang_after")]
    with FaultyS3(s3) as proxy:
        pipeline.s3 = proxy.part
        command = [sys.executable, "-m", "pipeline.cli", *arguments, "-c", str(pipeline.config())]
        for number, (puts, kind) in enumerate(stops):
            proxy.inject(Fault("delay", methods=("PUT",), times=puts, seconds=0), Fault(kind, methods=("PUT",)))
            with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
                wait_until(lambda so_far=number: _stopped(proxy) > so_far, 60, lambda: "too few PUTs")  # type: ignore[misc]
                running.kill()
    pipeline.s3 = s3
    good(pipeline.command(*arguments))

    assert numbers(pipeline, bucket, "k/rows/") == list(range(30_000))
    proof = good(pipeline.command("verify", "--action", "rows", "--into", "k", "--deep"))
    assert "30,000 rows of 30,000 records" in proof.splitlines()[-1]


def _stopped(proxy: FaultyS3) -> int:
    """How often the store has stopped answering: the first PUT of each row of those that hang."""
    hanging = [False, *(each.fault in ("hang", "hang_after") for each in proxy.seen if each.method == "PUT")]
    return sum(now and not before for before, now in pairwise(hanging))


def test_the_same_keys_are_made_again_under_the_rules_of_now(make: Make) -> None:
    """The bucket and the ledger follow the new rules, with new, changed and removed rows."""
    pipeline = written(make, "replay-same")
    pipeline.rules["r"] = 'SELECT payload.n AS n, 1 AS one FROM "t/#" WHERE payload.n < 100', ["rows"]

    good(pipeline.command("replay", "rows", "--from", "0", "--yes"))

    assert numbers(pipeline, "replay-same", "rows/") == list(range(100))
    assert all(
        b'"one":1' in line for line in b"".join(pipeline.objects("replay-same", data(pipeline)).values()).splitlines()
    )
    good(pipeline.command("verify", "--deep"))
    pipeline.produce([message("c1", b'{"n": 7}')])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("rows")
    worker.stop()
    assert numbers(pipeline, "replay-same", "rows/") == sorted([*range(100), 7])
    proof = good(pipeline.command("verify", "--deep"))
    assert "101 rows of 401 records (300 filtered" in proof.splitlines()[-1]


def data(pipeline: Pipeline) -> list[str]:
    """Keys of objects that do not belong to the ledger."""
    return [key for key in pipeline.keys("replay-same") if key.startswith("rows/")]


def test_lost_objects_are_made_again_to_the_byte(make: Make) -> None:
    """With unchanged rules, only missing objects are written, and the ledger is unchanged."""
    pipeline = written(make, "replay-lost", compression="gzip")
    before = pipeline.objects("replay-lost")
    lost = [key for key in before if key.startswith("rows/")][1:3]
    for key in lost:
        pipeline.store.delete_object(Bucket="replay-lost", Key=key)

    said = good(pipeline.command("replay", "rows", "--from", "0", "--yes"))

    assert pipeline.objects("replay-lost") == before
    assert "2 objects written, 0 removed" in said


def types(pipeline: Pipeline, bucket: str, prefix: str) -> list[dict[str, str]]:
    """The columns of each Parquet object below a prefix, in the order of offsets."""
    keys = sorted(key for key in pipeline.keys(bucket) if key.startswith(prefix))
    schemas = [pq.read_schema(io.BytesIO(content)) for content in pipeline.objects(bucket, keys).values()]
    return [{field.name: str(field.type) for field in schema} for schema in schemas]


def test_columns_are_kept_over_workers_and_replays(make: Make) -> None:
    """A worker that takes over keeps the columns of a killed one, a lost object has the same bytes again, and a replay under
    another rule keeps the columns of that rule.
    """
    bucket, select = "replay-columns", 'SELECT payload.t AS t, payload.ok AS ok{} FROM "t/#"'
    pipeline = make(
        actions={"rows": aggregated(bucket, "rows/${offset}.parquet", seconds=1, container={"type": "parquet"})},
        rules={"r": (select.format(""), ["rows"])},
        partitions=1,
    )
    pipeline.prepare(bucket)
    for payloads in ((b'{"t": 21}', b'{"ok": true}'), (b'{"t": "high"}', b'{"t": null}')):
        worker = pipeline.worker()
        for payload in payloads:
            pipeline.produce([message("c", payload)])
            pipeline.wait_for_no_lag("rows")
        worker.kill()
    before = pipeline.objects(bucket)
    kept = {"t": "double", "ok": "bool"}
    rescued = {"_rescued_data": "string"}
    assert types(pipeline, bucket, "rows/") == [{"t": "double"}, kept, kept | rescued, kept | rescued]

    for key in before:
        if key.startswith("rows/"):
            pipeline.store.delete_object(Bucket=bucket, Key=key)
    said = good(pipeline.command("replay", "rows", "--from", "0", "--yes"))
    assert pipeline.objects(bucket) == before
    assert "4 objects written, 0 removed" in said

    good(pipeline.command("replay", "rows", "--from", "0", "--into", "again", "--yes"))
    good(pipeline.command("verify", "--action", "rows", "--into", "again", "--deep"))
    assert types(pipeline, bucket, "again/") == [{"t": "string", "ok": "bool"}]

    pipeline.rules["r"] = select.format(", 1 AS one"), ["rows"]
    good(pipeline.command("replay", "rows", "--from", "0", "--yes"))
    another = {"t": "double", "one": "double"}
    kept = another | {"ok": "bool"}
    assert types(pipeline, bucket, "rows/") == [another, kept, kept | rescued, kept | rescued]
    assert "0 objects written" in good(pipeline.command("replay", "rows", "--from", "0", "--yes"))
    good(pipeline.command("verify", "--deep"))


def test_cuts_whose_records_are_gone_stay_as_they_are(make: Make) -> None:
    """If Kafka has deleted records of a cut, the replay says so, exits with 1, and leaves the cut unchanged."""
    pipeline = written(make, "replay-gone")
    before = pipeline.objects("replay-gone")
    ends = pipeline.ends()
    partition = max(ends, key=lambda number: ends[number])
    admin = AdminClient({"bootstrap.servers": pipeline.kafka.bootstrap_servers})
    for future in admin.delete_records([TopicPartition(pipeline.topic, partition, ends[partition] // 2)]).values():
        future.result(patient(20))
    pipeline.rules["r"] = ALL, ["rows"]

    found = pipeline.command("replay", "rows", "--from", "0", "--yes", "--partition", str(partition))

    assert found.returncode == 1, found.stdout + found.stderr
    assert f"Kafka no longer has all of {pipeline.topic}/{partition} offsets 0 to" in found.stdout
    assert (
        f"{pipeline.topic}/{partition}: Kafka no longer has records before offset {ends[partition] // 2}"
        in found.stdout
    )
    assert {key: content for key, content in pipeline.objects("replay-gone").items() if "rules" not in key} == {
        key: content for key, content in before.items() if "rules" not in key
    }


def test_direct_uploads_replace_what_they_made_and_nothing_later(make: Make) -> None:
    """A key of a later record keeps its value, and other keys get the new rule's value."""
    bucket = "replay-direct"
    pipeline = make(
        actions={"latest": direct(bucket, "latest/${clientid}", content="${n}")},
        rules={"r": ('SELECT payload.n AS n, clientid FROM "t/#"', ["latest"])},
        partitions=1,
    )
    pipeline.prepare(bucket)
    pipeline.produce([message(f"c{number % 10}", b'{"n": %d}' % number) for number in range(30)])
    pipeline.produce([message("c3", b'{"n": 99}')])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("latest")
    worker.stop()
    pipeline.rules["r"] = 'SELECT payload.n + 1000 AS n, clientid FROM "t/#"', ["latest"]

    good(pipeline.command("replay", "latest", "--from", "0", "--to", "30", "--yes"))

    found = {key: content for key, content in pipeline.objects(bucket).items() if key.startswith("latest/")}
    expected = {f"latest/c{number}": b"%d" % (1020 + number) for number in range(10)}
    assert found == {**expected, "latest/c3": b"99"}

    good(pipeline.command("replay", "latest", "--from", "0", "--into", "old", "--to", "10", "--yes"))
    below = {key: content for key, content in pipeline.objects(bucket).items() if key.startswith("old/")}
    assert below == {f"old/latest/c{number}": b"%d" % (1000 + number) for number in range(10)}


def test_a_letter_that_was_sent_again_is_not_replayed_twice(make: Make) -> None:
    """A replay that covers a record and its redriven copy has the record once."""
    bucket = "replay-letter"
    pipeline = make(
        actions={"rows": aggregated(bucket, "x/${partition}-${offset}.jsonl")},
        rules={"r": ('SELECT payload.n + 1 AS n FROM "t/#"', ["rows"])},
        partitions=1,
    )
    pipeline.prepare(bucket)
    pipeline.produce([message("c", b'{"n": 1}'), message("c", b'{"n": {}}'), message("c", b'{"n": 3}')])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("rows")
    worker.stop()
    pipeline.rules["r"] = 'SELECT CASE WHEN is_map(payload.n) THEN 2 ELSE payload.n + 1 END AS n FROM "t/#"', ["rows"]
    good(pipeline.command("dead-letter", "redrive"))

    said = good(pipeline.command("replay", "rows", "--from", "0", "--into", "all", "--yes"))

    assert "4 records give 3 rows" in said
    assert numbers(pipeline, bucket, "all/") == [2, 2, 4]
    good(pipeline.command("verify", "--action=rows", "--into=all", "--deep"))


def test_what_cannot_be_handled_is_told_and_not_sent(make: Make) -> None:
    """A replay counts records that fail, with their cause, and writes no dead letter."""
    pipeline = written(make, "replay-refused")
    pipeline.rules["r"] = "SELECT payload.n * 'x' AS n FROM 't/#'", ["rows"]

    said = good(pipeline.command("replay", "rows", "--from", "0", "--into", "no", "--yes"))

    assert "would be left out: 400 times r evaluation, first at" in said
    assert "\nleft out: 400 times r evaluation" in said
    assert pipeline.dead_letters() == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nothing", "--from=0"], "no action 'nothing'; there are: rows"),
        (["rows", "--from=0", "--into=a~b"], "expected a prefix such as"),
        (["rows", "--from=yesterday"], "expected a time such as"),
        (["rows", "--from=10", "--into=again"], "offsets 20 to"),
    ],
)
def test_what_cannot_be_done_is_said(make: Make, arguments: list[str], expected: str) -> None:
    """An impossible replay gives exit status 2 and one message."""
    bucket = f"replay-bad-{len(expected)}"
    pipeline = make(
        actions={"rows": aggregated(bucket, "x/${partition}-${offset}.jsonl")},
        rules={"r": (ALL, ["rows"])},
        partitions=1,
    )
    pipeline.prepare(bucket)
    pipeline.produce([message("c", b'{"n": 1}') for _ in range(30)])
    if "--into=again" in arguments:
        good(pipeline.command("replay", "rows", "--from=20", "--into=again", "--yes"))

    found = pipeline.command("replay", *arguments, "--yes")

    assert found.returncode == 2, found.stdout + found.stderr
    assert expected in " ".join(found.stderr.split()), found.stderr
    assert "Traceback" not in found.stderr
