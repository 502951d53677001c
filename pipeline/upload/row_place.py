"""The place of a direct upload's row in its object's metadata. The fence compares it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from pipeline.upload.headers import METADATA_PREFIX
from pipeline.upload.ledger import topic_id_of, topic_id_text

ACTION: Final = "tidegate-action"
PLACE: Final = "tidegate-place"
TOPIC_ID: Final = "tidegate-topic-id"


class RowPlace(NamedTuple):
    """The place of a row. Of two rows of one partition, the later one is greater."""

    topic: str
    partition: int
    offset: int
    number: int  # number of the row in its record
    topic_id: str  # Kafka's id of the topic, or empty if the broker has none

    @property
    def headers(self) -> dict[str, str]:
        """The place as headers of an object."""
        place = f"{self.topic}/{self.partition}/{self.offset}.{self.number}"
        return {METADATA_PREFIX + PLACE: place, METADATA_PREFIX + TOPIC_ID: topic_id_text(self.topic_id)}

    def is_of_another_topic(self, other: RowPlace) -> bool:
        """Whether the topics of both have the same name and different ids."""
        ids = self.topic_id, other.topic_id
        return self.topic == other.topic and all(ids) and ids[0] != ids[1]

    def is_settled_by(self, other: RowPlace | None) -> bool:
        """Whether an object with the place `other` makes the write of this row unnecessary. One of another topic never does."""
        if other is None or self[:2] != other[:2] or self.is_of_another_topic(other):
            return False
        return (self.offset, self.number) <= (other.offset, other.number)


def place_of(metadata: Mapping[str, str]) -> RowPlace | None:
    """The place of an object's row, or None if the object is not ours."""
    topic, _, rest = metadata.get(PLACE, "").rpartition("/")
    topic, _, partition = topic.rpartition("/")
    offset, _, number = rest.partition(".")
    try:
        return RowPlace(topic, int(partition), int(offset), int(number), topic_id_of(metadata.get(TOPIC_ID, "")))
    except ValueError:
        return None
