"""Whatever a device puts into a key, a bucket, metadata or a tag stops nobody and touches nothing that is not its own.

One client sends hostile and good rows in turn, through one partition, to a real store: each hostile row would hold up all that
come after it.
"""

from __future__ import annotations

import json
import time
from typing import Any, Final

import pytest

from tests.components.pipeline_parts import Make, Pipeline, aggregated, direct, lines, message
from tests.faults import checkers
from tests.parts.waiting import patient

pytestmark = pytest.mark.real
HOSTILE_KEYS: Final = [
    "dir/", "e/", "a/" * 200, "", ".", "..", "../x", "../../other/x", "./x", "x/..", "x/./y", "a\x00b", "\x00", "a\nb", "a\x7fb",
    "a\x85b", "a\u2028b", "a\ufffeb", "_tidegate", "_tidegate/rows/start.json", "/_tidegate/x", "//_tidegate//x", "_TIDEGATE/x",
    "%2e%2e/x", "_tidegate%2fx", "..\\x", "x" * 1025, "y" * 300, "good-0/below", "good-0",
]  # fmt: skip
HOSTILE_BUCKETS: Final = [
    "BUCKET", "..", ".", "", "a", "u@host/", "evil.example/", "{bucket}/sub", "{bucket}/_tidegate/rows", "x?policy", "x#y",
    "127.0.0.1", "no-such-bucket-anywhere", "a" * 64,
]  # fmt: skip
HOSTILE_METADATA: Final = ["x" * 20_000, "x" * 4_000, "\u00e4" * 1_500]
HOSTILE_TAGS: Final = ["x" * 300, "<script>", "a\x00b"]


def rows(bucket: str) -> list[dict[str, str]]:
    """Hostile rows, each with a good one behind it. `n` tells them apart."""
    good = {"k": "", "b": bucket, "m": "m", "t": "t"}
    hostile: list[dict[str, str]] = []
    hostile += [good | {"k": key} for key in HOSTILE_KEYS]
    hostile += [good | {"k": "in-bucket", "b": name.format(bucket=bucket)} for name in HOSTILE_BUCKETS]
    hostile += [good | {"k": "metadata", "m": value} for value in HOSTILE_METADATA]
    hostile += [good | {"k": "tag", "t": value} for value in HOSTILE_TAGS]
    both = [good | {"k": "good-0", "n": "good"}]
    for number, row in enumerate(hostile):
        both += [row | {"n": "hostile"}, good | {"k": f"good-{number + 1}", "n": "good"}]
    return both


def told(pipeline: Pipeline) -> list[int]:
    """The places of the rows that became dead letters, in order."""
    letters = [dict(letter.headers() or ()) for letter in pipeline.dead_letters()]
    assert all(each["dead_letter.cause"] and each["dead_letter.error"] for each in letters)
    return sorted(int(each["dead_letter.offset"]) for each in letters)


def stopped_in_order(pipeline: Pipeline) -> None:
    """The action was never away, and SIGTERM ends the worker at once."""
    (worker,) = pipeline.workers
    began = time.monotonic()
    worker.stop()
    assert time.monotonic() - began < patient(10)
    events = [line["event"] for line in lines(worker)]
    assert "action.failed" not in events
    assert "action.disconnected" not in events


def test_a_hostile_row_of_direct_upload_is_a_dead_letter_and_the_next_one_is_written(make: Make) -> None:
    """Keys, buckets, metadata and tags; the ledger of another action in the bucket stays as it is."""
    bucket = "hostile-direct"
    parameters: dict[str, Any] = {"content": "${n}", "metadata": {"m": "${m}"}, "tags": {"t": "${t}"}}
    pipeline = make(
        actions={"raw": direct("${b}", "${k}", **parameters)},
        rules={
            "r": (
                'SELECT payload.k AS k, payload.b AS b, payload.m AS m, payload.t AS t, payload.n AS n FROM "t/#"',
                ["raw"],
            )
        },
        partitions=1,
    )
    pipeline.prepare(bucket)
    ledger = "_tidegate/rows/start.json"
    pipeline.store.put_object(Bucket=bucket, Key=ledger, Body=b"theirs")
    pipeline.store.put_object(Bucket=bucket, Key="foreign", Body=b"theirs")
    sent = [*rows(bucket), {"k": "foreign", "b": bucket, "m": "m", "t": "t", "n": "hostile"}]
    pipeline.produce([message("c", json.dumps(row).encode(), topic="t/1") for row in sent])
    pipeline.worker()
    pipeline.wait_for_no_lag("raw", seconds=90)

    stored = pipeline.objects(bucket)
    overwritten = [place for place, row in enumerate(sent) if row["n"] == "hostile" and row["k"] == "good-0"]
    assert told(pipeline) == [
        place for place, row in enumerate(sent) if row["n"] == "hostile" and place not in overwritten
    ]
    assert (stored[ledger], stored.pop("foreign")) == (b"theirs", b"theirs")
    expected = {row["k"]: b"good" for row in sent if row["n"] == "good"} | {"good-0": b"hostile"}
    assert checkers.data_objects(stored) == expected
    stopped_in_order(pipeline)


def test_a_hostile_row_of_aggregated_upload_is_a_dead_letter_and_the_chain_goes_on(make: Make) -> None:
    """All rows of a group whose key or bucket cannot be; the ledger's counts add up, and verify finds nothing."""
    bucket = "hostile-rows"
    pipeline = make(
        actions={"rows": aggregated("${b}", "${k}/x.jsonl", ledger_bucket=bucket, seconds=1)},
        rules={"r": ('SELECT payload.k AS k, payload.b AS b, payload.n AS n, offset AS at FROM "t/#"', ["rows"])},
        partitions=1,
    )
    pipeline.prepare(bucket)
    sent = [
        row
        for row in rows(bucket)
        if row["k"] not in {"metadata", "tag", "good-0/below", "good-0", "dir/", "e/", "a/" * 200, ""}
    ]
    sent = [*sent, *sent]  # twice: a group has several rows
    pipeline.produce([message("c", json.dumps(row).encode(), topic="t/1") for row in sent])
    pipeline.worker()
    pipeline.wait_for_no_lag("rows", seconds=90)

    assert told(pipeline) == [place for place, row in enumerate(sent) if row["n"] == "hostile"]
    stopped_in_order(pipeline)
    found = checkers.data_objects(pipeline.objects(bucket))
    written = [row["k"] for content in found.values() for row in checkers.rows_of(content)]
    assert sorted(written) == sorted(row["k"] for row in sent if row["n"] == "good")
    done = pipeline.command("verify", "--deep")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_clientid_reaches_neither_the_ledger_nor_the_objects_of_another_action(make: Make) -> None:
    """A direct key that begins with the clientid, in the bucket of an aggregated action: before its objects, and after them."""
    bucket = "hostile-names"
    pipeline = make(
        actions={
            "raw": direct(bucket, "${clientid}", content="${payload}"),
            "hot": aggregated(bucket, "hot/${partition}-${offset}-${epoch}.jsonl", seconds=1),
        },
        rules={"r": ('SELECT * FROM "t/#"', ["raw", "hot"])},
        partitions=1,
    )
    pipeline.prepare(bucket)
    before = ["_tidegate", "hot", "hot/0-0-0.jsonl", "hot/0-4-0.jsonl", "../hot/0-0-0.jsonl", "//hot/0-0-0.jsonl"]
    pipeline.produce([message(name, b"OWNED", topic="t/1") for name in [*before, "good-1"]])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("raw")
    pipeline.wait_for_no_lag("hot")
    after = [key for key in pipeline.keys(bucket) if key not in {"good-1", "_tidegate/probe"}]
    pipeline.produce([message(name, b'{"rows": 999}', topic="t/1") for name in [*after, "good-2"]])
    pipeline.wait_for_no_lag("raw")
    pipeline.wait_for_no_lag("hot")

    stored = pipeline.objects(bucket)
    assert len(told(pipeline)) == len(before) + len(after)
    assert (stored["good-1"], stored["good-2"]) == (b"OWNED", b'{"rows": 999}')
    assert not [key for key, content in stored.items() if content in {b"OWNED", b'{"rows": 999}'} and "good" not in key]
    assert "action.failed" not in [line["event"] for line in lines(worker)]
    done = pipeline.command("verify", "--action", "hot", "--deep")
    assert done.returncode == 0, done.stdout + done.stderr
    checked = pipeline.command("check")
    assert "ledger of s3:hot" in checked.stderr
