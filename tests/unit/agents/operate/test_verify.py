"""What `tidegate verify` finds in a bucket: nothing in one that real lanes wrote, and every damage that is planted."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.operate.verify import PartitionDone, Report, Swept, Verifier
from pipeline.connectors.s3.listing import Upload
from pipeline.connectors.s3.store import Head
from pipeline.upload import ledger
from pipeline.upload.ledger_check import Finding
from tests.faults.faults import CALM
from tests.faults.simulation.aggregated import KEYS, AggregatedWorld, make_log, version
from tests.faults.simulation.bucket import Stored
from tests.faults.simulation.clock import tell

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SEED = 6  # a multiple of three: the first of the keys
SETTINGS = version(0, KEYS[0], "gzip", kinds=False).parameters


class Damaged:
    """A simulated bucket with planted damages and uploads under way."""

    def __init__(self, world: AggregatedWorld) -> None:
        self._world = world
        self.objects = world.bucket.objects
        self.get, self.page = world.bucket.get, world.bucket.page
        self.modified = NOW
        self.under_way = [
            Upload("A/x-0-8-0.jsonl", "1", NOW - timedelta(days=2)),
            Upload("A/x-0-9-0.jsonl", "2", NOW - timedelta(hours=1)),
            Upload("other/old.txt", "3", NOW - timedelta(days=2)),
        ]

    def place(self, key: str, body: bytes, metadata: dict[str, str]) -> None:
        """Put an object there, as another program would."""
        self.objects[key] = Stored(body, metadata, "planted")

    async def head(self, bucket: str, key: str) -> Head | None:
        found = await self._world.bucket.head(bucket, key)
        return replace(found, modified=self.modified) if found else None

    async def delete(self, bucket: str, key: str) -> None:
        del self.objects[key]

    async def uploads(self, bucket: str, prefix: str) -> list[Upload]:
        return [each for each in self.under_way if each.key.startswith(prefix)]

    async def abort(self, bucket: str, upload: Upload) -> None:
        self.under_way.remove(upload)

    def entries(self) -> list[str]:
        return sorted(key for key in self.objects if key.startswith("_tidegate/") and "/0/0" in key)

    def chunks(self) -> list[str]:
        return sorted(key for key in self.objects if not key.startswith("_tidegate/"))

    def change(self, key: str, **facts: Any) -> None:
        """Other facts in a ledger entry."""
        body, metadata, _ = self.objects[key]
        self.place(key, json.dumps({**json.loads(body), **facts}).encode(), dict(metadata))


def written() -> Damaged:
    """What a worker makes of a hundred and twenty records, in a dozen cuts."""
    world = AggregatedWorld(SEED, CALM, log=make_log(SEED, plain=True), compression="gzip")
    tell(SEED, world.tell())
    world.bucket.faults = replace(CALM, delay_seconds=0.0)  # the clock is the machine's from here on
    return Damaged(world)


def verified(bucket: Damaged, **options: Any) -> list[Report]:
    async def all_reports() -> list[Report]:
        verifier = Verifier("a", SETTINGS, bucket, now=lambda: NOW, **options)  # type: ignore[arg-type]
        return [report async for report in verifier.reports()]

    return asyncio.run(all_reports())


def kinds(reports: list[Report]) -> set[str]:
    return {report.kind for report in reports if isinstance(report, Finding)}


def test_what_a_worker_wrote_is_proven() -> None:
    """A worker's bucket has no findings, and each record counts as written or filtered."""
    reports = verified(written(), deep=True)

    assert kinds(reports) == set()
    (done,) = [report for report in reports if isinstance(report, PartitionDone)]
    assert (done.first, done.next, done.totals.records) == (0, 120, 120)
    assert done.totals.rows + done.totals.filtered == 120
    assert done.totals.entries > 5


def _lose_an_entry(bucket: Damaged) -> None:
    del bucket.objects[bucket.entries()[2]]


def _repeat_offsets(bucket: Damaged) -> None:
    bucket.change(bucket.entries()[2], first=0)


def _rewrite_an_entry(bucket: Damaged) -> None:
    bucket.change(bucket.entries()[2], filtered=77)


def _lose_rows(bucket: Damaged) -> None:
    bucket.change(bucket.entries()[2], rows=0)


def _spoil_an_entry(bucket: Damaged) -> None:
    bucket.place(bucket.entries()[2], b"{}", {})


def _lose_the_beginning(bucket: Damaged) -> None:
    del bucket.objects["_tidegate/a/mqtt.messages/topic-0/0/start.json"]


def _lose_an_object(bucket: Damaged) -> None:
    del bucket.objects[bucket.chunks()[3]]


def _replace_an_object(bucket: Damaged) -> None:
    bucket.place(bucket.chunks()[3], b"", {})


def _lose_the_rules(bucket: Damaged) -> None:
    (key,) = (key for key in bucket.objects if "/rules/" in key)
    del bucket.objects[key]


def _leave_an_orphan(bucket: Damaged) -> None:
    body, metadata, _ = bucket.objects[bucket.chunks()[3]]
    bucket.place("A/x-0-1-99.jsonl", body, dict(metadata))


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (_lose_an_entry, "gap"),
        (_lose_an_entry, "broken_chain"),
        (_repeat_offsets, "overlap"),
        (_rewrite_an_entry, "broken_chain"),
        (_lose_rows, "wrong_count"),
        (_spoil_an_entry, "unreadable"),
        (_lose_the_beginning, "missing"),
        (_lose_an_object, "missing"),
        (_replace_an_object, "different"),
        (_lose_the_rules, "unknown_version"),
        (_leave_an_orphan, "orphan"),
    ],
)
def test_every_damage_is_found(damage: Callable[[Damaged], None], kind: str) -> None:
    """Whatever was lost, changed or added, the ledger and the objects' metadata tell."""
    bucket = written()
    damage(bucket)

    assert kind in kinds(verified(bucket))


def _other_rows(content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content).replace(b'"n":', b'"m":'))


def _fewer_rows(content: bytes) -> bytes:
    return gzip.compress(gzip.decompress(content).split(b"\n", 1)[1])


def _no_gzip(content: bytes) -> bytes:
    return b"x" + content[1:]


@pytest.mark.parametrize("change", [_other_rows, _fewer_rows, _no_gzip])
def test_changed_content_is_found_by_reading_it(change: Callable[[bytes], bytes]) -> None:
    """Metadata that was left as it was does not hide it: the size or the ETag are others."""
    bucket = written()
    key = bucket.chunks()[3]
    body, metadata, _ = bucket.objects[key]
    bucket.place(key, change(body), dict(metadata))

    assert kinds(verified(bucket)) == {"different"}
    assert kinds(verified(bucket, deep=True)) == {"different"}


def test_sweeping_removes_orphans_and_abandoned_uploads_and_nothing_else() -> None:
    """Uploads of today may be under way, and those of other keys are somebody else's."""
    bucket = written()
    before = set(bucket.objects)
    _leave_an_orphan(bucket)

    reports = verified(bucket, sweep=True)

    assert [report.key for report in reports if isinstance(report, Swept)] == ["A/x-0-1-99.jsonl", "A/x-0-8-0.jsonl"]
    assert kinds(reports) == set()
    assert set(bucket.objects) == before
    assert [each.id for each in bucket.under_way] == ["2", "3"]


def test_the_cut_under_way_is_no_orphan() -> None:
    """Objects beyond the ledger's end belong to the entry that a worker is about to write, while they are young."""
    bucket = written()
    last = bucket.entries()[-1]
    while not json.loads(bucket.objects[last][0])["objects"]:  # the entry that says that the writer stopped
        del bucket.objects[last]
        last = bucket.entries()[-1]
    del bucket.objects[last]
    assert kinds(verified(bucket)) == {"missing"}  # the beginning tells of an orderly end
    start = next(key for key in bucket.objects if key.endswith("start.json"))
    bucket.place(start, replace(ledger.decode_start(bucket.objects[start].body), ended="").encode(), {})

    assert kinds(verified(bucket)) == set()
    bucket.modified = NOW - timedelta(hours=1)
    assert kinds(verified(bucket)) == {"unfinished"}


def test_objects_of_others_are_none_of_its_business() -> None:
    """The bucket may hold anything else, also under keys that look like ours."""
    bucket = written()
    bucket.place("A/x-read-me-please.jsonl", b"x", {})
    facts = {"tidegate-action": "another", "tidegate-place": "mqtt.messages/0/1", "tidegate-epoch": "0"}
    bucket.place("A/x-0-9999-0.jsonl", b"x", facts)

    assert kinds(verified(bucket)) == set()
