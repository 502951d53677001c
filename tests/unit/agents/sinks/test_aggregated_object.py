"""What an object of aggregated upload tells of itself, and what is read from that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from agents.sinks import aggregated_object
from agents.sinks.chain import AggregatedWriter
from agents.sinks.lane import Partition
from pipeline.connectors.s3.store import Head
from pipeline.errors import ForeignObjectError, OperatorError, RefusedError
from pipeline.upload.buffer import Chunk
from tests.parts import actions

PARTITION = Partition("mqtt.messages", 3)


def chunk() -> Chunk:
    """Three rows, of the records 10, 12 and 15."""
    found = Chunk()
    found.extend([b"1\n", b"2\n", b"3\n"], [10, 12, 15])
    return found


def test_what_an_object_tells_is_what_is_read() -> None:
    """Rows, last offset and digest of the part of the chunk that it holds; its place is that of the first row."""
    writer = cast(AggregatedWriter, SimpleNamespace(name="a"))
    action = actions.aggregated(content_type="text/x-rows")
    digest = chunk().digest(2)

    headers = aggregated_object.object_headers(writer, action, PARTITION, chunk(), 2, digest, 7)
    metadata = {
        name.lower().removeprefix("x-amz-meta-"): value
        for name, value in headers.items()
        if name.lower().startswith("x-amz-meta-")
    }

    assert aggregated_object.facts(Head(4, "e", metadata), "key") == (2, 12, digest)
    assert metadata["tidegate-place"] == "mqtt.messages/3/10"
    assert (metadata["tidegate-action"], metadata["tidegate-epoch"]) == ("a", "7")
    assert metadata["tidegate-version"] == action.digest
    assert headers["content-type"] == "text/x-rows"


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"tidegate-rows": "2", "tidegate-last": "12"},
        {"tidegate-rows": "two", "tidegate-last": "12", "tidegate-digest": "d"},
    ],
)
def test_an_object_that_is_not_ours_is_told_by_its_key(metadata: dict[str, str]) -> None:
    """Somebody else wrote it, and nothing of it can be taken for granted."""
    with pytest.raises(ForeignObjectError, match="some/key is there and is not ours"):
        aggregated_object.facts(Head(4, "e", metadata), "some/key")


async def refuse(reason: str) -> Any:
    raise RefusedError("the store says no", reason=reason)


@pytest.mark.parametrize(
    ("key", "reason", "expected"),
    [
        ("x/${site}.jsonl", "KeyTooLongError", RefusedError),
        ("x/${site}.jsonl", "EntityTooLarge", OperatorError),
        ("x/${partition}.jsonl", "KeyTooLongError", OperatorError),
    ],
)
async def test_a_refusal_is_of_rows_when_their_fields_make_the_key(key: str, reason: str, expected: type) -> None:
    """Then they are dead letters and all else goes on; any other refusal waits for a person."""
    with pytest.raises(expected, match="the store says no") as caught:
        await aggregated_object.waiting_for_settings(refuse(reason), actions.aggregated(key=key))

    assert type(caught.value) is expected
    assert caught.value.reason == reason


def test_letters_of_an_object_name_the_places_of_its_records() -> None:
    """Their values are not known any more, and each says so."""
    error = RefusedError("the store says no", reason="KeyTooLongError")

    letters = aggregated_object.letters(PARTITION, [10, 12], error)

    assert [(each.record.topic, each.record.partition, each.record.offset) for each in letters] == [
        ("mqtt.messages", 3, 10),
        ("mqtt.messages", 3, 12),
    ]
    assert {(each.cause, each.error, each.record.value) for each in letters} == {
        ("KeyTooLongError", "the store says no", b"")
    }
    assert all(dict(each.record.headers)["dead_letter.value_left_out"] == b"1" for each in letters)
