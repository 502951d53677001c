"""The metadata of an aggregated object, and what the writer reads from it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.lanes.lane import Partition
from agents.sinks.aggregated_writer import AggregatedWriter, ObjectFacts, dead_letters_of, facts_of
from agents.sinks.attempts import Attempts
from agents.sinks.patient_store import FewAttempts, PatientStore
from pipeline.action import AggregatedAction
from pipeline.connectors.s3.errors import classify
from pipeline.connectors.s3.store import Head
from pipeline.errors import ForeignObjectError, RefusedError
from pipeline.upload.buffer import Chunk
from pipeline.upload.ledger import ChainPlace
from tests.faults.simulation.clock import tell
from tests.parts import actions
from tests.parts.lines import chunk_of

PARTITION = Partition("mqtt.messages", 3)
PLACE = ChainPlace("a", "mqtt.messages", "id", 3)


class Refusing:
    """A store that refuses every object as a store would with this code."""

    def __init__(self, code: str) -> None:
        self.code = code

    async def put(self, *_: object) -> str:
        raise classify(400, self.code, "the store says no", "PUT b/k")

    async def create(self, *_: object, part_bytes: int) -> str:
        raise classify(400, self.code, "the store says no", "PUT b/k")


def writing(action: AggregatedAction, store: Any = None) -> AggregatedWriter:
    """A writer whose store is asked a few times; it sends no dead letters and asks for no offsets."""
    unused: Any = None
    return AggregatedWriter("a", action, PatientStore(store or Refusing(""), FewAttempts()), unused, unused)


def chunk() -> Chunk:
    """Three rows, of the records 10, 12 and 15."""
    return chunk_of([(b"1\n", 10), (b"2\n", 12), (b"3\n", 15)])


def test_what_an_object_tells_is_what_is_read() -> None:
    """The metadata gives rows, last offset and digest of the part of the chunk in the object."""
    action = actions.aggregated(content_type="text/x-rows")
    digest = chunk().digest(2)

    facts = ObjectFacts(2, 12, digest, "of the bytes", 4)
    headers = writing(action).object_headers(action, PLACE, chunk().first, facts, 7)
    metadata = {
        name.lower().removeprefix("x-amz-meta-"): value
        for name, value in headers.items()
        if name.lower().startswith("x-amz-meta-")
    }

    assert facts_of(Head(4, "e", metadata), "key") == facts._replace(etag="e")
    assert metadata["tidegate-place"] == "mqtt.messages/3/10"
    assert (metadata["tidegate-action"], metadata["tidegate-epoch"]) == ("a", "7")
    assert metadata["tidegate-topic-id"] == "id"
    assert metadata["tidegate-version"] == action.digest
    assert headers["content-type"] == "text/x-rows"


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"tidegate-rows": "2", "tidegate-last": "12"},
        {"tidegate-rows": "two", "tidegate-last": "12", "tidegate-digest": "d", "tidegate-sha256": "s"},
        {"tidegate-rows": "2", "tidegate-last": "12", "tidegate-digest": "d"},
    ],
)
def test_an_object_that_is_not_ours_is_told_by_its_key(metadata: dict[str, str]) -> None:
    """The error about a foreign object names its key."""
    with pytest.raises(ForeignObjectError, match="some/key exists and is not ours"):
        facts_of(Head(4, "e", metadata), "some/key")


@pytest.mark.parametrize(
    ("settings", "code", "waits"),
    [
        ({"key": "x/${site}.jsonl"}, "KeyTooLongError", False),
        ({"key": "x/${site}.jsonl"}, "EntityTooLarge", True),
        ({"key": "x/${site}.jsonl"}, "InvalidBucketName", True),
        ({"key": "x/${site}.jsonl"}, "MetadataTooLarge", True),
        ({"key": "x/${partition}.jsonl"}, "KeyTooLongError", True),
        ({"key": "x.jsonl", "bucket": "iot-${site}", "ledger_bucket": "iot"}, "InvalidBucketName", False),
        ({"key": "x.jsonl", "bucket": "iot-${site}", "ledger_bucket": "iot"}, "KeyTooLongError", True),
    ],
)
def test_a_refusal_is_of_rows_when_their_fields_make_what_it_is_about(
    settings: dict[str, str], code: str, waits: bool
) -> None:
    """Then they are dead letters and all else goes on; any other refusal waits for a person."""
    action = actions.aggregated(**settings)
    attempts = Attempts("judged")
    unused: Any = None
    store: Any = Refusing(code)
    writer = AggregatedWriter("a", action, PatientStore(store, attempts), unused, unused)

    async def story() -> None:
        for write in (writer.put, writer.create):
            with pytest.raises(TimeoutError if waits else RefusedError):
                async with asyncio.timeout(3600):
                    await write(action, "bucket", "k", b"", {})
            assert attempts.reason == (code if waits else "")

    tell(1, story())


def test_letters_of_an_object_name_the_places_of_its_records() -> None:
    """Dead letters of an object name the places of its records and say that the values are unknown."""
    error = RefusedError("the store says no", reason="KeyTooLongError")

    letters = dead_letters_of(PARTITION, [10, 12], error)

    assert [(each.record.topic, each.record.partition, each.record.offset) for each in letters] == [
        ("mqtt.messages", 3, 10),
        ("mqtt.messages", 3, 12),
    ]
    assert {(each.cause, each.error, each.record.value) for each in letters} == {
        ("KeyTooLongError", "the store says no", b"")
    }
    assert all(dict(each.record.headers)["dead_letter.value_left_out"] == b"1" for each in letters)
