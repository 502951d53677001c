"""The same damages on a real S3 server: its own listings, ETags, clocks and refusals, and nothing that ends `verify` half-way."""

from __future__ import annotations

import asyncio
import random
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agents.operate.verify import Report, Verifier
from pipeline.connectors.s3.store import S3Store
from pipeline.upload.ledger_check import Finding
from tests.faults.damages.entries import LEDGER
from tests.faults.damages.knowing import KNOWING
from tests.faults.damages.made import FORMATS, PARTITIONS, aggregated_action, log, write_chain
from tests.faults.damages.objects import OBJECTS
from tests.faults.damages.scene import Damage, Scene, Thing
from tests.parts.part import S3Part
from tests.parts.stores import connector

pytestmark = pytest.mark.real


@dataclass
class Lake:
    """A bucket of the server with what the product wrote of each format, and AWS's own client of it."""

    s3: S3Part
    bucket: str
    client: Any
    things: dict[str, Thing]

    def change(self, before: dict[str, Thing], after: dict[str, Thing]) -> None:
        """From one state to another."""
        for key in before.keys() - after.keys():
            self.client.delete_object(Bucket=self.bucket, Key=key)
        for key, thing in after.items():
            if before.get(key) != thing:
                self.client.put_object(Bucket=self.bucket, Key=key, Body=thing.body, Metadata=thing.metadata)

    def verified(self, action: str, *, deep: bool) -> list[Report]:
        """What `verify` says a day later."""

        async def all_reports() -> list[Report]:
            parameters = aggregated_action(action, 0, self.bucket).parameters
            tomorrow = datetime.now(UTC) + timedelta(days=1)
            async with S3Store(connector(self.s3)) as store:
                verifier = Verifier(action, parameters, store, deep=deep, now=lambda: tomorrow)
                return [report async for report in verifier.reports()]

        return asyncio.run(all_reports())


@pytest.fixture(scope="module")
def lake(s3: S3Part) -> Lake:
    """Written once; each damage is undone."""
    bucket, client = f"damages-{uuid.uuid4().hex[:8]}", s3.client()
    client.create_bucket(Bucket=bucket)

    async def write() -> None:
        async with S3Store(connector(s3)) as store:
            for name in FORMATS:
                for partition in PARTITIONS:
                    await write_chain(store, name, partition, log(1, partition), bucket)

    asyncio.run(write())
    things = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for each in page["Contents"]:
            found = client.get_object(Bucket=bucket, Key=each["Key"])
            things[each["Key"]] = Thing(found["Body"].read(), found["Metadata"])
    return Lake(s3, bucket, client, things)


def findings(reports: list[Report]) -> list[Finding]:
    return [report for report in reports if isinstance(report, Finding)]


def test_what_the_product_wrote_is_whole(lake: Lake) -> None:
    """No finding in any format, a day later, with and without reading the objects."""
    assert [findings(lake.verified(name, deep=deep)) for name in FORMATS for deep in (False, True)] == [[]] * 8


def every_damage() -> list[tuple[str, Damage]]:
    """Those of objects in one format each, in turn; those of the ledger in the first."""
    names = list(FORMATS)
    objects = [(names[number % len(names)], damage) for number, damage in enumerate(OBJECTS)]
    # What the store itself can make of keys and bytes is told by these; the rest is arithmetic.
    chosen = ("gone", "emptied", "utf", "foreign", "bucket", "name", "deep", "moved", "swapped")
    return objects + [(names[0], each) for each in [*LEDGER, *KNOWING] if any(word in each.name for word in chosen)]


@pytest.mark.parametrize(("name", "damage"), every_damage(), ids=lambda each: getattr(each, "name", each))
def test_a_damage_is_found(lake: Lake, name: str, damage: Damage) -> None:
    """By both runs; and when it is undone, nothing is found."""
    scene = Scene(dict(lake.things), name, len(damage.name) % 2, random.Random(damage.name))
    damage.do(scene)
    lake.change(lake.things, scene.objects)
    try:
        found = [findings(lake.verified(name, deep=deep)) for deep in (False, True)]
    finally:
        lake.change(scene.objects, lake.things)

    assert all(found), scene.hit


def test_afterwards_all_is_as_it_was(lake: Lake) -> None:
    """Undoing a damage changes times and nothing else."""
    assert [findings(lake.verified(name, deep=True)) for name in FORMATS] == [[]] * 4
