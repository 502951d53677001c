"""The worker as a process between a real Kafka and a real S3 server."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from pipeline.demo.process import free_port
from tests.components.pipeline_parts import Make, aggregated, direct, lines, message
from tests.faults import checkers
from tests.parts.waiting import patient, wait_until

pytestmark = pytest.mark.real
ALL = 'SELECT * FROM "t/#"'


ODD_PAYLOADS = [
    b"",
    bytes(range(256)),
    b"x" * (1 << 20),
    b"{not json",
    b"\xff\xfe",
    b"null",
    '{"ü": "\U0001f600"}'.encode(),
]


def test_every_payload_becomes_an_object_of_the_same_bytes(make: Make) -> None:
    """Direct upload keeps an empty, binary, large or non-JSON payload byte for byte."""
    pipeline = make(
        actions={"raw": direct("odd-payloads", "${clientid}", content="${payload}")}, rules={"r": (ALL, ["raw"])}
    )
    pipeline.prepare("odd-payloads")
    pipeline.produce([message(f"c{number}", payload) for number, payload in enumerate(ODD_PAYLOADS)])
    pipeline.worker()
    pipeline.wait_for_no_lag("raw")

    assert checkers.data_objects(pipeline.objects("odd-payloads")) == {
        f"c{number}": payload for number, payload in enumerate(ODD_PAYLOADS)
    }
    assert pipeline.dead_letters() == []


def test_batches_of_every_compression_are_read(make: Make) -> None:
    """A topic holds what its producers and its own setting made of a batch: zstd, lz4, Snappy, gzip or nothing."""
    pipeline = make(
        actions={"raw": direct("compressions", "${clientid}", content="${payload}")}, rules={"r": (ALL, ["raw"])}
    )
    pipeline.prepare("compressions")
    payloads = {name: name.encode() * 500 for name in ("none", "gzip", "snappy", "lz4", "zstd")}
    for name, payload in payloads.items():
        pipeline.connect(name)
        pipeline.produce([message(name, payload)])
    pipeline.worker()
    pipeline.wait_for_no_lag("raw")

    assert checkers.data_objects(pipeline.objects("compressions")) == payloads


ODD_CLIENTS = ["a/b", "../x", "é☃ \U0001f600", "+#$", " ", "x" * 300, "y" * 65_535]


def test_every_client_is_stored_or_has_a_dead_letter_that_says_why(make: Make) -> None:
    """For any clientid, a message is stored or is a dead letter, and nothing stops."""
    pipeline = make(
        actions={"raw": direct("odd-clients", "k/${clientid}.json", content="${payload}")}, rules={"r": (ALL, ["raw"])}
    )
    pipeline.prepare("odd-clients")
    pipeline.produce(
        [message(name, b"%d" % number, topic="t/1") for number, name in enumerate([*ODD_CLIENTS, "plain"])]
    )
    pipeline.worker()
    pipeline.wait_for_no_lag("raw")

    stored = checkers.data_objects(pipeline.objects("odd-clients")).values()
    letters = pipeline.dead_letters()
    dead = [letter.value() for letter in letters]
    assert all(dict(letter.headers() or ())["dead_letter.cause"] for letter in letters)
    assert sorted([*stored, *dead]) == sorted(b"%d" % number for number in range(len(ODD_CLIENTS) + 1))
    assert b"7" in stored


def test_an_action_whose_bucket_is_missing_stalls_nobody_else(make: Make) -> None:
    """The action waits with the reason in the log, and goes on when the bucket exists."""
    pipeline = make(
        actions={"good": direct("good-bucket", "${id}"), "late": direct("late-bucket", "${id}")},
        rules={"r": (ALL, ["good", "late"])},
    )
    pipeline.prepare("good-bucket")
    pipeline.produce([message(f"c{number}", b"{}") for number in range(50)])
    worker = pipeline.worker()
    pipeline.wait_for_no_lag("good")

    assert pipeline.lag("late") == 50
    wait_until(
        lambda: any("NoSuchBucket" in str(line) for line in lines(worker)), 30, lambda: "no line with the reason"
    )

    pipeline.store.create_bucket(Bucket="late-bucket")
    pipeline.wait_for_no_lag("late", seconds=60)

    assert len([key for key in pipeline.keys("late-bucket") if not key.startswith("_tidegate/")]) == 50


def test_a_graceful_stop_leaves_nothing_to_read_again(make: Make) -> None:
    """Open chunks are stored and committed, and the next worker makes no further object."""
    pipeline = make(
        actions={"rows": aggregated("drain", "x/${partition}-${offset}.jsonl", seconds=600)},
        rules={"r": (ALL, ["rows"])},
        metrics_port=free_port(),
    )
    pipeline.prepare("drain")
    pipeline.produce([message(f"c{number % 7}", b'{"n": %d}' % number) for number in range(700)])
    worker = pipeline.worker()
    wait_until(lambda: pipeline.counted("tidegate_worker_rows_total") >= 700, 30, pipeline.tails)
    worker.stop()

    assert pipeline.lag("rows") == 0
    before = checkers.data_objects(pipeline.objects("drain"))

    pipeline.worker().stop()

    after = pipeline.objects("drain")
    assert checkers.data_objects(after) == before
    assert checkers.whole_objects(after) == checkers.no_orphans(after) == []


def test_a_changed_rule_takes_effect_at_once_and_doubles_nothing(make: Make) -> None:
    """Records before the restart have the old form, later ones the new form, each once."""
    pipeline = make(
        actions={"rows": aggregated("changed", "x/${partition}-${offset}.jsonl", seconds=1)},
        rules={"r": ('SELECT payload.n AS n, 1 AS version FROM "t/#"', ["rows"])},
    )
    pipeline.prepare("changed")
    pipeline.produce([message(f"c{number % 7}", b'{"n": %d}' % number) for number in range(200)])
    first = pipeline.worker()
    pipeline.wait_for_no_lag("rows")
    first.stop()
    pipeline.rules = {"r": ('SELECT payload.n AS n, 2 AS version FROM "t/#"', ["rows"])}
    pipeline.worker()
    pipeline.produce([message(f"c{number % 7}", b'{"n": %d}' % number) for number in range(200, 400)])
    pipeline.wait_for_no_lag("rows")

    bucket = pipeline.objects("changed")
    rows = [row for content in checkers.data_objects(bucket).values() for row in checkers.rows_of(content)]
    assert sorted((row["n"], row["version"]) for row in rows) == [(n, 1 if n < 200 else 2) for n in range(400)]
    assert checkers.no_orphans(bucket) == []


def test_secrets_are_in_no_log(make: Make) -> None:
    """No log line has a secret, even if the store refuses it."""
    pipeline = make(actions={"raw": direct("secrets", "${id}")}, rules={"r": (ALL, ["raw"])})
    pipeline.prepare("secrets")
    pipeline.s3 = dataclasses.replace(pipeline.s3, secret_access_key="open-sesame")
    pipeline.produce([message("c", b"{}")])
    worker = pipeline.worker()
    wait_until(lambda: "SignatureDoesNotMatch" in worker.log.read_text(), 30, pipeline.tails)

    assert "sesame" not in worker.log.read_text()


def test_a_rule_is_tried_on_live_records(make: Make) -> None:
    """A trial reads the newest records without a consumer group and without a worker."""
    pipeline = make(actions={"raw": direct("sample", "${clientid}")}, rules={"hot": (ALL, ["raw"])})
    pipeline.prepare()
    pipeline.produce([message("c1", b'{"n": %d}' % number) for number in range(5)])
    config = pipeline.settings() | {"kafka": pipeline.settings()["kafka"] | {"events_topic": pipeline.topic}}
    path = pipeline.folder / "sample.yaml"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "pipeline.cli", "rule", "test", "-c", str(path), "--output", "jsonl"]
    statement = 'SELECT payload.n AS n, clientid FROM "t/#" WHERE n > 3'

    done = subprocess.run(
        [*command, "--sql", statement, "--from-kafka", "2"], capture_output=True, text=True, timeout=patient(60)
    )

    lines_shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["outcome"] for line in lines_shown] == ["no_result", "rows"], done.stderr
    assert lines_shown[1]["result"] == [{"n": 4, "clientid": "c1"}]
