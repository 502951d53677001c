"""One object of direct upload: how a version of the action renders it from a row, and what is known of the object there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Final, NamedTuple

from agents.sinks.suspect import RowParts
from pipeline.action import DirectAction
from pipeline.connectors.s3.store import Head
from pipeline.errors import RenderError
from pipeline.record import Record
from pipeline.redriven import first_place
from pipeline.sql import Row
from pipeline.upload import direct_object, seal
from pipeline.upload.headers import METADATA_PREFIX, metadata_problem
from pipeline.upload.row_place import ACTION, RowPlace, place_of

PUT_OVERHEAD_BYTES: Final = 1024  # memory of a rendered row besides its content, key and headers


class RowOfRule(NamedTuple):
    """The rule of a row, and the row's number among the rule's rows of this record."""

    rule: str
    row: int


class DirectVersion:
    """A version of the action. A row is rendered and written under one of them, also if the action turns meanwhile."""

    def __init__(self, action: DirectAction) -> None:
        self.action = action
        self.fenced = action.parameters.write == "fenced"
        self.decided = RowParts(action.of_rows, action.options.row_patience)
        self._own_headers = {
            METADATA_PREFIX + ACTION: action.mark,
            f"{METADATA_PREFIX}tidegate-revision": str(action.revision),
        }

    def render(self, row: Row, origin: Record, number: int, made: RowOfRule, topic_id: str) -> Put:
        """Render the object of a row from the topic with this id. Raises RenderError.

        A redriven dead letter has the place of the record that it repeats, so that an existing row of that record is found.
        """
        first = first_place(origin)
        of_topic = first.topic_id or (topic_id if first.topic == origin.topic else "")
        place = RowPlace(first.topic, first.partition, first.offset, number, of_topic)
        bucket, key, content, headers = self.action.render(row)
        marks = {**self._own_headers, **place.headers}
        headers = seal.sealed(key, {**headers, **marks, **direct_object.headers_of(content)})
        if problem := metadata_problem(headers):
            raise RenderError(problem)
        size_bytes = (
            PUT_OVERHEAD_BYTES + len(content) + len(key) + sum(map(len, headers)) + sum(map(len, headers.values()))
        )
        return Put(bucket, key, content, headers, place, origin, *made, self, size_bytes)


class Put(NamedTuple):
    """One object to write."""

    bucket: str
    key: str
    content: bytes
    headers: Mapping[str, str]
    place: RowPlace
    origin: Record
    rule: str
    row: int  # the row's number among the rows of its rule
    version: DirectVersion
    size_bytes: int  # its memory


def newest(puts: Iterable[Put]) -> Put:
    """Of rows with one key, the one whose object would stay if all were written in this order."""
    return reduce(lambda one, other: other if one.place.is_settled_by(other.place) else one, puts)


class Seen(NamedTuple):
    """The last known object of our action under a key. `place` is None if it cannot be read."""

    etag: str
    place: RowPlace | None

    def is_there(self, head: Head | None) -> bool:
        """Whether these are its facts."""
        return head is not None and (head.etag, place_of(head.metadata)) == self
