"""Dead letters as they lie in their topic, and what it takes to send one on its way again.

A letter is the record that could not be handled, as it was. Its headers `dead_letter.*` say what happened. A worker's letter
names action, rule and the record's place in Kafka; the ingress's names the source, since Kafka never took the record. A
*mark* is a record of the same topic that says which letter was sent again. Nothing in the topic is ever changed.

A letter is sent to the topic that it came from, with its key. So Kafka puts it behind the records that its client has sent since,
and the letters of a client stay in order. Its first header says for which action and rule it is; all others have handled the
record and ignore it. Its second header says which record it repeats; a replay that reads that record ignores the letter.

Pure: reading and sending is connectors/'s.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from pipeline.errors import RecordError
from pipeline.record import EVENT, REDRIVEN_FOR, REDRIVEN_FROM, Outgoing, Record

PREFIX: Final = "dead_letter."
REDRIVEN: Final = PREFIX + "redriven"  # on marks: the letter's place
VALUE_LEFT_OUT: Final = PREFIX + "value_left_out"
SIZE: Final = PREFIX + "size"  # of the value, when it was cut


class Letter(NamedTuple):
    """A dead letter. Facts that are unknown are empty."""

    record: Record
    cause: str
    error: str
    action: str
    rule: str
    source: str  # of the ingress
    origin: tuple[str, int, int] | None  # topic, partition and offset of the record itself

    @property
    def place(self) -> str:
        """Its name in commands: partition:offset of the dead letter topic."""
        return f"{self.record.partition}:{self.record.offset}"


def read(record: Record) -> Letter | str:
    """A record of the dead letter topic, as a letter. Of a mark: the place of the letter that was sent again."""
    facts = {
        name.removeprefix(PREFIX): value.decode("utf-8", "replace")
        for name, value in record.headers
        if name.startswith(PREFIX)
    }
    if "redriven" in facts:
        return facts["redriven"]
    origin = None
    if facts.get("topic"):
        origin = facts["topic"], int(facts.get("partition", -1)), int(facts.get("offset", -1))
    cause, error, action, rule, source = (
        facts.get(name, "") for name in ("cause", "error", "action", "rule", "source")
    )
    return Letter(record, cause, error, action, rule, source, origin)


def original_headers(record: Record) -> list[tuple[str, bytes]]:
    """The headers that the record had before it became a letter."""
    ours = REDRIVEN_FOR, REDRIVEN_FROM
    return [(name, value) for name, value in record.headers if not name.startswith(PREFIX) and name not in ours]


def redriven(letter: Letter, *, messages_topic: str, events_topic: str) -> tuple[str, Outgoing]:
    """Topic and record that send a letter again. Raises RecordError if the letter does not hold all of the record."""
    record = letter.record
    names = [name for name, _ in record.headers]
    if VALUE_LEFT_OUT in names or SIZE in names:
        raise RecordError(
            f"letter {letter.place} holds only a part of the value, which was too large for it"
            + (f"; the whole is at {'/'.join(map(str, letter.origin))}, if Kafka still has it" if letter.origin else "")
        )
    headers = original_headers(record)
    if letter.action:
        wanted = f"{letter.action}/{letter.rule}" if letter.rule else letter.action
        headers.insert(0, (REDRIVEN_FOR, wanted.encode()))
        if letter.origin:
            headers.insert(1, (REDRIVEN_FROM, "/".join(map(str, letter.origin)).encode()))
    topic = letter.origin[0] if letter.origin else (events_topic if EVENT in names else messages_topic)
    return topic, Outgoing(record.key or b"", record.value or b"", headers, record.timestamp)


def mark(letter: Letter, now_ms: int) -> Outgoing:
    """The record that says that a letter was sent again."""
    return Outgoing(letter.record.key or b"", b"", [(REDRIVEN, letter.place.encode())], now_ms)
