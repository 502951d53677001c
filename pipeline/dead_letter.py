"""Dead letters as they lie in their topic, which of them count, and what it takes to send one on its way again.

A letter is the record that could not be handled, as it was. Its headers `dead_letter.*` say what happened. A worker's letter
names what failed (pipeline/redriven.py: `Failure`); the ingress's names the source, since Kafka never took the record: no action
has seen it, and all are to see it when it is sent again. Nothing in
the topic is ever changed; a *mark* is a record of the same topic that says of one letter that it needs nothing more.

A worker that is killed between a letter and its commit leaves a copy: whoever goes on writes the letter again. All letters that
tell of one failure are one. Of those that differ in nothing but the `run`, one at most counts: that of the run which wrote the
ledger's entry over the record. The others are of histories that nobody goes on from, in which the record may have been written.

A letter is sent to the topic that it came from, with its key. So Kafka puts it behind the records that its client has sent since,
and the letters of a client stay in order.

Pure: reading and sending is connectors/'s, and asking the ledger is agents/operate/redrive.py's.
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
    source: str  # of the ingress
    failure: Failure | None  # of a worker
    ledger: str  # the bucket of the ledger in which the failure's run wrote; empty for direct upload

    @property
    def place(self) -> str:
        """Its name in commands: partition:offset of the dead letter topic."""
        return f"{self.record.partition}:{self.record.offset}"

    @property
    def name(self) -> str:
        """What all letters of one run have in common that are one."""
        return self.failure.digest if self.failure else self.place

    @property
    def name_of_all_runs(self) -> str:
        """What they have in common with those of other runs."""
        return self.failure._replace(run="").digest if self.failure else self.place

    @property
    def action(self) -> str:
        """The action that failed; empty for a letter of the ingress."""
        return self.failure.action if self.failure else ""

    @property
    def rule(self) -> str:
        """The rule that failed; empty if none is to blame."""
        return self.failure.rule if self.failure else ""

    @property
    def origin(self) -> RecordPlace | None:
        """Where the record stands that failed; None for a letter of the ingress."""
        return self.failure.place if self.failure else None

    @property
    def whole(self) -> bool:
        """Whether it holds all of the record's value."""
        return not any(name in (VALUE_LEFT_OUT, SIZE) for name, _ in self.record.headers)


class Mark(NamedTuple):
    """A letter needs nothing more. `name` is the letter's."""

    name: str


def headers_of(failure: Failure, cause: str, error: str, ledger: str) -> list[tuple[str, bytes]]:
    """The headers by which a worker tells what happened; those of empty facts are left out."""
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
    """A record of the dead letter topic."""
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
    """Which letters of a topic are copies of others, and which need nothing more. Some 200 bytes for each letter.

    `runs`: letters that differ in the run are told apart.
    """

    def __init__(self, *, runs: bool) -> None:
        self._runs = runs
        self._copies: dict[str, list[int]] = {}  # by name: how many there are, and how many of these were passed
        self._settled: set[str] = set()

    def learn(self, found: Letter | Mark) -> None:
        """To be called with everything in the topic before `last_of` is."""
        if isinstance(found, Mark):
            self._settled.add(found.name)
        else:
            self._copies.setdefault(self._name(found), [0, 0])[0] += 1

    def is_settled(self, letter: Letter) -> bool:
        """Whether a mark says that it needs nothing more."""
        return letter.name in self._settled

    def last_of(self, letter: Letter) -> int:
        """To be called once for each letter: how many there are that are one with it, if it is the last of them; else 0."""
        counts = self._copies.get(self._name(letter))
        if counts is None:
            return 0  # it came while the topic was read, and so may its mark have
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
    else:  # all actions are to see it; the letter's own place stands for the one that the record never had
        topic = events_topic if any(name == EVENT for name, _ in headers) else messages_topic
        own = RecordPlace(record.topic, record.partition, record.offset)
        again = Redriven(Failure("", "", "", None, own), own)
    return topic, Outgoing(
        record.key or b"", record.value or b"", [(REDRIVEN, again.encode()), *headers], record.timestamp
    )


def mark(letter: Letter, now_ms: int) -> Outgoing:
    """The record that says that a letter needs nothing more."""
    return Outgoing(letter.record.key or b"", b"", [(MARK, letter.name.encode())], now_ms)
