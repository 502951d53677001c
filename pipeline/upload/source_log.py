"""Where reading a partition goes on: what the ledger or the consumer group says, held against what Kafka's log really has.

The ledger's chain is the truth for aggregated upload, whatever the group's offset says: it may be ahead (a bucket was restored, a
ledger object expired, somebody reset the group) or behind. Direct upload has no chain; there the group's offset is all there is.
In both cases Kafka may have deleted what comes next, which is told and never passed over. And it may never have had it: then the
topic is another one, or Kafka lost its tail, and going on would skip records. A commit names the id of the topic that it is of,
so that a topic which was deleted and made again is told from the one before.

Pure: no I/O. Asking Kafka is agents/stream's, acting on the answer the lanes'.
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
    """One partition as Kafka tells it: records from `start` up to but not including `end`.

    `topic_id` is empty where the broker has no ids, and `committed_topic_id` where the commit does not say of which topic it is.
    """

    topic_id: str
    start: int
    end: int
    committed: int | None = None
    committed_topic_id: str = ""

    @property
    def commit_is_of_another_topic(self) -> bool:
        """Whether the group's offset is of a topic that had this name before."""
        return bool(self.topic_id and self.committed_topic_id and self.topic_id != self.committed_topic_id)


class ReadingPlace(NamedTuple):
    """Reading goes on at offset `at`. `missing`: what should have come before, and Kafka does not have it any more."""

    at: int
    missing: Missing | None = None


def going_on(wanted: int, bounds: LogBounds, *, what: str, remedy: str) -> ReadingPlace:
    """Where reading goes on if offset `wanted` of the same topic comes next. `what` says whose offset it is.

    Raises BeyondLogError, which ends with the `remedy`, if Kafka's log ends before it.
    """
    if wanted > bounds.end:
        raise BeyondLogError(
            f"{what} is {wanted}, and Kafka's log ends at {bounds.end}: Kafka lost records, or it is another log. {remedy}"
        )
    return ReadingPlace(wanted) if wanted >= bounds.start else ReadingPlace(bounds.start, Missing(wanted, bounds.start))


def of_group(bounds: LogBounds, where: str) -> ReadingPlace:
    """Where a consumer group without other books goes on. `where` names the partition. Raises BeyondLogError."""
    if bounds.committed is None or bounds.commit_is_of_another_topic:
        return ReadingPlace(bounds.start)
    return going_on(bounds.committed, bounds, what=f"the committed offset of {where}", remedy=RESET)


def of_chain(end: int | None, bounds: LogBounds, where: str) -> ReadingPlace:
    """Where a chain that ends at `end` goes on; one that has not begun does at the log's start. Raises BeyondLogError."""
    if end is None:
        return ReadingPlace(bounds.start)
    if bounds.committed is not None and not bounds.commit_is_of_another_topic:
        going_on(bounds.committed, bounds, what=f"the committed offset of {where}", remedy=RESET)
    return going_on(end, bounds, what=f"the end of the ledger of {where}", remedy=ANEW)
