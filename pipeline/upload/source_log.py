"""The offset at which reading goes on: compares the ledger or the consumer group with Kafka's log.

For aggregated upload the ledger's chain is the truth, whatever the group's offset is: the offset may be ahead (a bucket
was restored, a ledger object expired, somebody reset the group) or behind. Direct upload has only the group's offset.
In both cases Kafka may have deleted the next offsets: this is reported, and never skipped in silence. Or Kafka never
had them: then the topic is another one, or Kafka lost its tail, and going on would skip records. A commit names the id
of its topic, so that a topic that was deleted and created again is recognised.

Pure: no I/O. agents/stream asks Kafka, and the lanes act on the answer.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.errors import BeyondLogError
from pipeline.upload.ledger import Missing

RESET: Final = (
    "Stop the workers of this action, set the offset with kafka-consumer-groups --reset-offsets, and start them: nothing is read "
    "until then"
)
ANEW: Final = (
    "New records would get offsets that are in the ledger already, so nothing is read until that is mended: delete the topic and "
    "let it be made again, or give the action another name"
)


class LogBounds(NamedTuple):
    """The log of one partition: records from `start` up to `end`, which is not included.

    `topic_id` is empty if the broker has no ids. `committed_topic_id` is empty if the commit does not name its topic.
    """

    topic_id: str
    start: int
    end: int
    committed: int | None = None
    committed_topic_id: str = ""

    @property
    def commit_is_of_another_topic(self) -> bool:
        """Whether the group's offset belongs to an earlier topic with this name."""
        return bool(self.topic_id and self.committed_topic_id and self.topic_id != self.committed_topic_id)


class ReadingPlace(NamedTuple):
    """Reading goes on at offset `at`. `missing`: offsets before it that Kafka no longer has."""

    at: int
    missing: Missing | None = None


def going_on(wanted: int, bounds: LogBounds, *, what: str, remedy: str) -> ReadingPlace:
    """The place to go on if offset `wanted` of the same topic is next. `what` describes the offset in errors.

    Raises BeyondLogError, whose text ends with `remedy`, if Kafka's log ends before it.
    """
    if wanted > bounds.end:
        raise BeyondLogError(
            f"{what} is {wanted}, and Kafka's log ends at {bounds.end}: Kafka lost records, or it is another log. {remedy}"
        )
    return ReadingPlace(wanted) if wanted >= bounds.start else ReadingPlace(bounds.start, Missing(wanted, bounds.start))


def of_group(bounds: LogBounds, where: str) -> ReadingPlace:
    """The place for a consumer group without a ledger. `where` names the partition. Raises BeyondLogError."""
    if bounds.committed is None or bounds.commit_is_of_another_topic:
        return ReadingPlace(bounds.start)
    return going_on(bounds.committed, bounds, what=f"the committed offset of {where}", remedy=RESET)


def of_chain(end: int | None, bounds: LogBounds, where: str) -> ReadingPlace:
    """The place for a chain that ends at `end`. Without a chain it is the log's start. Raises BeyondLogError."""
    if end is None:
        return ReadingPlace(bounds.start)
    place = going_on(end, bounds, what=f"the end of the ledger of {where}", remedy=ANEW)
    if bounds.committed is not None and not bounds.commit_is_of_another_topic:
        going_on(bounds.committed, bounds, what=f"the committed offset of {where}", remedy=RESET)
    return place
