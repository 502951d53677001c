"""Dead letters in their topic: their form, which of them count, and how to send one again.

A letter is the unchanged record that could not be handled. Its headers `dead_letter.*` say what happened. A worker's
letter names the failure (pipeline/redriven.py: `Failure`). A letter of the ingress names the source, because Kafka
never had the record: no action has seen it, so all actions get it when it is sent again. Nothing in the topic ever
changes. A *mark* is a record of the same topic which says that a letter is settled.

A worker that is killed between a letter and its commit leaves a copy, because the next owner writes the letter again.
All letters of one failure count as one. Of letters that differ only in the `run`, at most one counts: that of the run
which wrote the ledger's entry over the record. The other runs were abandoned, and the record may have been written
meanwhile.

A letter is sent to its original topic with its key. So it comes after the records that its client has sent since, and
the letters of a client stay in order.

Pure: connectors/ reads and sends, and agents/operate/redrive.py asks the ledger.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.errors import RecordError
from pipeline.hidden import without_secrets
from pipeline.record import EVENT, Outgoing, Record
from pipeline.redriven import REDRIVEN, Failure, RecordPlace, Redriven, redriven, without

PREFIX: Final = "dead_letter."
MARK: Final = PREFIX + "settled"  # on marks: the digest of the failure, or the letter's place
VALUE_LEFT_OUT: Final = PREFIX + "value_left_out"
SIZE: Final = PREFIX + "size"  # size of the value before it was cut


class Letter(NamedTuple):
    """A dead letter. Unknown facts are empty."""

    record: Record
    cause: str
    error: str
    source: str  # for a letter of the ingress
    failure: Failure | None  # for a letter of a worker
    ledger: str  # the bucket of the ledger of the failure's run; empty for direct upload

    @property
    def place(self) -> str:
        """Its name in commands: partition:offset of the dead letter topic."""
        return f"{self.record.partition}:{self.record.offset}"

    @property
    def name(self) -> str:
        """The same name for all letters of one failure in one run."""
        return self.failure.digest if self.failure else self.place

    @property
    def name_of_all_runs(self) -> str:
        """The same name for all letters of one failure in all runs."""
        return self.failure._replace(run="").digest if self.failure else self.place

    @property
    def action(self) -> str:
        """The action that failed, or empty for a letter of the ingress."""
        return self.failure.action if self.failure else ""

    @property
    def rule(self) -> str:
        """The rule that failed, or empty if no rule is the cause."""
        return self.failure.rule if self.failure else ""

    @property
    def origin(self) -> RecordPlace | None:
        """The place of the failed record, or None for a letter of the ingress."""
        return self.failure.place if self.failure else None

    @property
    def whole(self) -> bool:
        """Whether the letter holds the whole value of the record."""
        return not any(name in (VALUE_LEFT_OUT, SIZE) for name, _ in self.record.headers)


class Mark(NamedTuple):
    """Says that a letter is settled. `name` is the letter's name."""

    name: str


def headers_of(failure: Failure, cause: str, error: str, ledger: str) -> list[tuple[str, bytes]]:
    """The headers with a worker's facts. Empty facts get no headers."""
    topic, partition, offset, topic_id = failure.place
    facts = {
        "cause": cause,
        "error": without_secrets(error),
        "rule": failure.rule,
        "row": "" if failure.row is None else str(failure.row),
        "action": failure.action,
        "pipeline": failure.pipeline,
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
        "topic_id": topic_id,
        "run": failure.run,
        "ledger": ledger,
    }
    return [(PREFIX + name, value.encode("utf-8", "replace")) for name, value in facts.items() if value]


def read(record: Record) -> Letter | Mark:
    """Decode a record of the dead letter topic."""
    facts = {
        name.removeprefix(PREFIX): value.decode("utf-8", "replace")
        for name, value in record.headers
        if name.startswith(PREFIX)
    }
    if "settled" in facts:
        return Mark(facts["settled"])
    failure = None
    if facts.get("topic"):
        place = RecordPlace(
            facts["topic"], _number(facts, "partition"), _number(facts, "offset"), facts.get("topic_id", "")
        )
        pipeline, action, rule, run = (facts.get(name, "") for name in ("pipeline", "action", "rule", "run"))
        failure = Failure(pipeline, action, rule, _number(facts, "row") if "row" in facts else None, place, run)
    cause, error, source, ledger = (facts.get(name, "") for name in ("cause", "error", "source", "ledger"))
    return Letter(record, cause, error, source, failure, ledger)


def _number(facts: dict[str, str], name: str) -> int:
    text = facts.get(name, "")
    return int(text) if text.isdecimal() else -1


class Folding:
    """Finds out which letters of a topic are copies, and which are settled. Takes some 200 bytes for each letter.

    `runs`: letters with different runs are different.
    """

    def __init__(self, *, runs: bool) -> None:
        self._runs = runs
        self._copies: dict[
            str, list[int]
        ] = {}  # by name: the number of letters, and the number of those that `last_of` has seen
        self._settled: set[str] = set()

    def learn(self, found: Letter | Mark) -> None:
        """Learn a letter or mark. Call it for everything in the topic before `last_of`."""
        if isinstance(found, Mark):
            self._settled.add(found.name)
        else:
            self._copies.setdefault(self._name(found), [0, 0])[0] += 1

    def is_settled(self, letter: Letter) -> bool:
        """Whether a mark says that this letter is settled."""
        return letter.name in self._settled

    def last_of(self, letter: Letter) -> int:
        """Call it once for each letter. Returns the number of equal letters if this is the last of them, otherwise 0."""
        counts = self._copies.get(self._name(letter))
        if counts is None:
            return 0  # it came during the reading of the topic, and so may its mark
        counts[1] += 1
        return counts[0] if counts[1] == counts[0] else 0

    def _name(self, letter: Letter) -> str:
        return letter.name if self._runs else letter.name_of_all_runs


def original_headers(record: Record) -> list[tuple[str, bytes]]:
    """The headers that the record had before it became a letter."""
    return [(name, value) for name, value in without(record.headers) if not name.startswith(PREFIX)]


def sent_again(letter: Letter, *, messages_topic: str, events_topic: str) -> tuple[str, Outgoing]:
    """The topic and record to send a letter again. Raises RecordError if the letter holds only a part of the record."""
    record, failure = letter.record, letter.failure
    if not letter.whole:
        raise RecordError(
            f"letter {letter.place} holds only a part of the value, which was too large for it"
            + (f"; Kafka may have all of it at {'/'.join(map(str, failure.place[:3]))}" if failure else "")
        )
    headers = original_headers(record)
    if failure:
        topic, before = failure.place.topic, redriven(record)
        again = Redriven(failure, before.first if before else failure.place)
    else:  # for all actions; the letter's own place replaces the place that the record never had
        topic = events_topic if any(name == EVENT for name, _ in headers) else messages_topic
        own = RecordPlace(record.topic, record.partition, record.offset)
        again = Redriven(Failure("", "", "", None, own), own)
    return topic, Outgoing(
        record.key or b"", record.value or b"", [(REDRIVEN, again.encode()), *headers], record.timestamp
    )


def mark(letter: Letter, now_ms: int) -> Outgoing:
    """The record that marks a letter as settled."""
    return Outgoing(letter.record.key or b"", b"", [(MARK, letter.name.encode())], now_ms)
