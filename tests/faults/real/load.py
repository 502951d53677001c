"""A pipeline with one action of each kind, and a load of numbered records that knows the expected content of the bucket."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.components.pipeline_parts import Pipeline, aggregated, direct, message
from tests.faults import checkers
from tests.faults.faults import seed
from tests.parts.part import KafkaPart, S3Part

GIVEN = os.environ.get("TIDEGATE_FAULT_SEED", "1")
SEED = seed(GIVEN)
SESSION_SECONDS = 2.0
CLIENTS = 40
Make = Callable[..., Pipeline]
AGAIN = f"again: TIDEGATE_FAULT_SEED={GIVEN} make test TEST_ARGS='-n 0 {{}}'"
RULE = 'SELECT clientid, payload.n AS n FROM "t/#" WHERE payload.keep = true'
LATEST = 'SELECT clientid, payload FROM "t/#"'


@pytest.fixture
def make(kafka: KafkaPart, s3: S3Part, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Make]:
    """A pipeline with an aggregated and a direct action, named after the test; its workers end with the test."""
    made: list[Pipeline] = []
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:40].strip("-").replace("_", "-")

    def pipeline(seen_through: S3Part | None = None) -> Pipeline:
        found = Pipeline(
            name,
            tmp_path,
            kafka,
            s3,
            actions={
                "rows": aggregated(f"{name}-rows", "x/${partition}-${offset}.jsonl.gz", seconds=1, compression="gzip"),
                "latest": direct(f"{name}-latest", "${clientid}/latest", content="${payload}"),
            },
            rules={"r": (RULE, ["rows"]), "l": (LATEST, ["latest"])},
            kafka_settings={"session_timeout": f"{SESSION_SECONDS}s"},
        )
        found.prepare(f"{name}-rows", f"{name}-latest")
        found.s3 = seen_through or s3  # what the test looks at, it sees as it is
        made.append(found)
        return found

    yield pipeline
    for server in (server for each in made for server in each.workers):
        server.kill()  # a failed test may leave S3 broken, and then an orderly stop takes its whole time


class Load:
    """The produced records: numbered records of forty clients. The aggregated rule filters every third."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self.count = 0
        self.latest: dict[str, bytes] = {}
        self.places: dict[tuple[int, int], int] = {}  # partition and offset of each number

    def produce(self, count: int) -> None:
        records = []
        for number in range(self.count, self.count + count):
            client = f"c{number % CLIENTS}"
            payload = json.dumps({"n": number, "keep": number % 3 != 0}).encode()
            self.latest[client] = payload
            records.append(message(client, payload))
        for each in self.pipeline.produce(records):
            self.places[each.partition, each.offset] = json.loads(each.value)["n"]
        self.count += count

    def check(self, *, new_rules: bool = False) -> None:
        """Everything arrived, once, whole, the last value of each client is there, and every commit is covered.

        Beside the ledger lies nothing; with `new_rules` at most what was written under one that has ended.
        """
        pipeline = self.pipeline
        pipeline.wait_for_no_lag("rows", 60)
        pipeline.wait_for_no_lag("latest", 60)
        bucket = pipeline.objects(f"{pipeline.name}-rows")
        orphans = checkers.no_orphans(bucket)
        if new_rules:
            orphans = [each for number in pipeline.ends() for each in _orphans(bucket, pipeline.topic, number)]
            named = checkers.named_objects(bucket)
            bucket = {key: body for key, body in bucket.items() if key in named or key.startswith("_tidegate/")}
        wrong = [
            *checkers.exactly_once(bucket, [n for n in range(self.count) if n % 3], "n"),
            *checkers.conservation(bucket),
            *checkers.whole_objects(bucket),
            *orphans,
        ]
        for number, end in pipeline.ends().items():
            wrong += checkers.unbroken_chain(bucket, ("rows", pipeline.topic, number), 0, end)
        assert wrong[:20] == [], f"seed {SEED}\n{pipeline.tails()}"
        stored = checkers.data_objects(pipeline.objects(f"{pipeline.name}-latest"))
        assert stored == {f"{client}/latest": payload for client, payload in self.latest.items()}, f"seed {SEED}"

    def check_commits(self) -> None:
        """No committed offset is beyond the ledger in the bucket."""
        pipeline = self.pipeline
        committed = pipeline.committed("rows")  # asked first: the ledger may only be ahead of it
        keys = [key for key in pipeline.keys(f"{pipeline.name}-rows") if key.startswith("_tidegate/rows/")]
        entries = checkers.cuts(pipeline.objects(f"{pipeline.name}-rows", keys))
        covered: dict[int, int] = {}
        for entry in entries:
            covered[entry.partition[2]] = max(covered.get(entry.partition[2], 0), entry.fields["next"])
        beyond = {number: offset for number, offset in committed.items() if offset > covered.get(number, 0)}
        assert beyond == {}, f"seed {SEED}: committed {committed}, covered {covered}"


def _orphans(bucket: dict[str, bytes], topic: str, partition: int) -> list[str]:
    """Objects of a partition that the ledger does not name, without those of an ended rule."""
    ours = {key: body for key, body in bucket.items() if key.startswith(("_tidegate/", f"x/{partition}-"))}
    place = ("rows", topic, partition)
    return checkers.orphans_only_of_ended_epochs(ours, place, lambda key: int(key.partition(".")[0].rpartition("-")[2]))
