"""One message with a long list of bad elements does not fill Kafka with copies of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agents.sinks.attempts import Attempts
from agents.sinks.dead_letter import RECORD_BYTES_MAX, RECORDS_REMEMBERED_MAX, DeadLetters, Run
from pipeline.dead_letter import Letter, read
from pipeline.record import Outgoing, Record
from pipeline.rule.batch import DeadLetter
from tests.parts.records import message

PAYLOAD = b"[" + b"{}," * 330_000 + b"{}]"  # 1 MB


class Topic:
    """A topic that keeps what it is given. `away`: it takes nothing."""

    def __init__(self) -> None:
        self.letters: list[Letter] = []
        self.size_bytes = 0
        self.away = False

    async def send(self, topic: str, records: Sequence[Outgoing]) -> None:
        if self.away:
            raise asyncio.CancelledError
        for number, (key, value, headers, timestamp) in enumerate(records):
            found = read(Record(topic, 0, number, timestamp, key, value, headers))
            assert isinstance(found, Letter)
            self.letters.append(found)
            self.size_bytes += len(value)


def rows(offset: int, count: int, begin: int = 0) -> list[DeadLetter]:
    """The dead letters of some rows of one record."""
    return [DeadLetter(message(offset, PAYLOAD), "render", "empty", "r", row) for row in range(begin, begin + count)]


def letters(topic: Topic) -> DeadLetters:
    return DeadLetters(topic, "dead", "a", Attempts("a"))


def test_letters_of_one_record_are_bounded() -> None:
    """The first ones have the whole record, and the last one says that there are more, whatever comes later."""
    topic = Topic()
    sink = letters(topic)

    async def story() -> None:
        await sink.send(rows(1, 1000))
        await sink.send(rows(1, 1000, begin=1000))

    asyncio.run(story())

    whole = [each for each in topic.letters if each.whole]
    assert topic.size_bytes <= RECORD_BYTES_MAX
    assert len(whole) == len(topic.letters) - 1 == RECORD_BYTES_MAX // (len(PAYLOAD) + 100)
    last = topic.letters[-1]
    assert last.error.startswith("all further rows of this record")
    assert last.error.endswith("This row: empty")
    assert [each.failure.row for each in topic.letters if each.failure] == list(range(len(topic.letters)))


def test_each_record_and_each_run_has_its_own_letters() -> None:
    """A new run writes them again, because those of the run before may not count."""
    topic = Topic()
    sink = letters(topic)

    async def story() -> None:
        await sink.send([*rows(1, 100), *rows(2, 100)], Run("one"))
        await sink.send(rows(1, 100), Run("two"))

    asyncio.run(story())

    assert len({(each.origin, each.failure and each.failure.run) for each in topic.letters}) == 3
    assert sum(not each.whole for each in topic.letters) == 3


def test_what_is_not_durable_does_not_count() -> None:
    """After a send that was broken off, the letters are sent again."""
    topic = Topic()
    sink = letters(topic)
    topic.away = True
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(sink.send(rows(1, 100)))
    topic.away = False

    asyncio.run(sink.send(rows(1, 100)))

    assert sum(each.whole for each in topic.letters) > 1


def test_letters_without_a_row_are_all_sent() -> None:
    """A rule that fails on a record makes one letter."""
    topic = Topic()
    failed = [DeadLetter(message(1, PAYLOAD), "evaluation", "no", f"r{number}") for number in range(40)]

    asyncio.run(letters(topic).send(failed))

    assert len(topic.letters) == 40


def test_records_that_are_remembered_are_bounded() -> None:
    """A worker that runs for months forgets the first ones."""
    sink = letters(Topic())
    failed = [
        DeadLetter(message(number, b"{}"), "render", "no", "r", 0) for number in range(RECORDS_REMEMBERED_MAX + 9)
    ]

    asyncio.run(sink.send(failed))

    assert len(sink._spent) == RECORDS_REMEMBERED_MAX
