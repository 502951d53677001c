"""The consumers of one worker get the records that each would get alone, with fewer requests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.consumer import consumer, fetcher
from aiokafka.errors import CorruptRecordException, KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from agents.stream import credentials, shared_fetches, sharing
from agents.stream.checksums import FetchedBatches
from agents.stream.fast_fetch import PartitionRecords
from agents.stream.shared_fetches import SharedFetches
from agents.stream.sharing import FetchMember, PartitionAnswer, Response, SharedBatches, SharingClient
from pipeline.record import Record
from tests.parts.record_batches import GZIP, batch, marker, of_transaction

PLACE = TopicPartition("messages", 0)
SETTINGS: tuple[Any, ...] = None, None, True, fetcher.READ_COMMITTED
UNCHECKED: tuple[Any, ...] = None, None, False, fetcher.READ_COMMITTED  # markers that tests make have a wrong checksum
BROKER = 1


class Log:
    """A Kafka with two partitions of ten records, which answers when it may, and counts the offsets that it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: Exception | None = None

    async def ask(self, request: FetchRequest) -> Response:
        """The records from each offset on."""
        wanted = [(topic, each) for topic, partitions in request.topics for each in partitions]
        self.asked += [(partition, offset) for _, (partition, offset, _) in wanted]
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        parts: list[tuple[Any, ...]] = [
            (partition, 0, 10, 10, 0, [], -1, batch(offset, range(offset, 10)) if offset < 10 else b"")
            for _, (partition, offset, _) in wanted
        ]
        return Response(11, [(PLACE.topic, parts)])


def members(count: int, *, topic_id: str = "id") -> list[FetchMember]:
    """The actions of one worker."""
    shared: SharedFetches[PartitionAnswer] = SharedFetches()
    return [FetchMember(f"action {number}", shared, lambda _: topic_id) for number in range(count)]


def request(*offsets: int) -> FetchRequest:
    """A request for the partitions from 0 on, at these offsets."""
    return FetchRequest(1500, 1, 1 << 20, 1, [(PLACE.topic, [(at, each, 1 << 20) for at, each in enumerate(offsets)])])


def offsets(response: Any) -> dict[int, list[int]]:
    """The offsets of an answer's records by partition, as a consumer reads them."""
    found = {}
    for topic, parts in response.topics:
        for number, _, _, _, _, aborted, _, content in parts:
            first = 0
            records = sharing._records_of(
                TopicPartition(topic, number), sharing._batches_of(content), aborted, first, *SETTINGS
            )
            found[number] = [record.offset for record in records.take(100).records]
    return found


async def all_join(actions: Sequence[FetchMember], log: Log) -> None:
    """Let each ask twice, for the beginning of the log: the first one was alone the first time."""
    for each in [*actions, *actions]:
        await each.answer(BROKER, request(0, 0), log.ask)
    log.asked.clear()


async def test_one_request_serves_all() -> None:
    """Five actions at one place make one request, whether they come while it is under way or afterwards."""
    log, actions = Log(), members(5)
    await all_join(actions, log)
    log.may_answer.clear()
    asking = [asyncio.create_task(each.answer(BROKER, request(4, 7), log.ask)) for each in actions[:4]]
    await asyncio.sleep(0)
    log.may_answer.set()
    answers = [*await asyncio.gather(*asking), await actions[4].answer(BROKER, request(4, 7), log.ask)]

    assert log.asked == [(0, 4), (1, 7)]
    assert [offsets(each) for each in answers] == [{0: [4, 5, 6, 7, 8, 9], 1: [7, 8, 9]}] * 5
    for each in actions:
        await each.close()


async def test_an_action_elsewhere_asks_for_itself() -> None:
    """An action that is behind the others gets its own records, and they theirs."""
    log, actions = Log(), members(2)
    await all_join(actions, log)

    ahead = await actions[0].answer(BROKER, request(8, 8), log.ask)
    behind = await actions[1].answer(BROKER, request(2, 8), log.ask)
    rest = await actions[1].answer(BROKER, request(2), log.ask)

    assert offsets(ahead) == {0: [8, 9], 1: [8, 9]}
    assert offsets(behind) == {1: [8, 9]}
    assert offsets(rest) == {0: [2, 3, 4, 5, 6, 7, 8, 9]}
    for each in actions:
        await each.close()


async def test_a_kafka_that_does_not_answer_one_answers_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of one action that hangs delays the others by no more than the time of a claim."""
    monkeypatch.setattr(shared_fetches, "CLAIM_SECONDS", 0.01)
    log, stuck, actions = Log(), Log(), members(2)
    await all_join(actions, log)
    stuck.may_answer.clear()
    waiting = asyncio.create_task(actions[0].answer(BROKER, request(4), stuck.ask))
    await asyncio.sleep(0)

    answer = await actions[1].answer(BROKER, request(4), log.ask)

    assert offsets(answer) == {0: [4, 5, 6, 7, 8, 9]}
    assert offsets(await waiting) == offsets(answer)
    for each in actions:
        await each.close()


async def test_an_error_of_kafka_is_that_of_the_action_that_asked() -> None:
    """The action that asked gets the error; the others ask for themselves."""
    log, broken, actions = Log(), Log(), members(2)
    await all_join(actions, log)
    broken.error = KafkaConnectionError("gone")
    broken.may_answer.clear()
    failing = asyncio.create_task(actions[0].answer(BROKER, request(4), broken.ask))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(actions[1].answer(BROKER, request(4), log.ask))
    await asyncio.sleep(0)
    broken.may_answer.set()

    with pytest.raises(KafkaConnectionError):
        await failing
    assert offsets(await waiting) == {0: [4, 5, 6, 7, 8, 9]}
    for each in actions:
        await each.close()


async def test_whoever_ends_holds_up_nobody() -> None:
    """When the action that asks is closed, another one asks."""
    log, stuck, actions = Log(), Log(), members(2)
    await all_join(actions, log)
    stuck.may_answer.clear()
    ending = asyncio.create_task(actions[0].answer(BROKER, request(4), stuck.ask))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(actions[1].answer(BROKER, request(4), log.ask))
    await asyncio.sleep(0)
    ending.cancel()
    await actions[0].close()

    assert offsets(await waiting) == {0: [4, 5, 6, 7, 8, 9]}
    await actions[1].close()


async def test_nothing_is_shared_before_the_topic_is_known() -> None:
    """Without the id of a topic each action asks for itself, because the topic may be another one of this name."""
    log, actions = Log(), members(2, topic_id="")

    answers = [await each.answer(BROKER, request(4), log.ask) for each in actions]

    assert log.asked == [(0, 4), (0, 4)]
    assert offsets(answers[0]) == offsets(answers[1]) == {0: [4, 5, 6, 7, 8, 9]}
    for each in actions:
        await each.close()


CONTENTS = {
    "plain": (batch(0, range(5)) + batch(5, range(5, 9)), []),
    "compressed": (batch(0, [0, 1, 4, 5], compression=GZIP) + batch(6, [7], compression=GZIP), []),
    "aborted": (of_transaction(0, 3, 7) + marker(3, 7, abort=True) + batch(4, [4, 5]), [(7, 0)]),
    "markers alone": (of_transaction(0, 3, 7) + marker(3, 7, abort=True), [(7, 0)]),
}


@pytest.mark.parametrize("step", [1, 2, 100])
@pytest.mark.parametrize("name", CONTENTS)
def test_shared_records_are_those_of_a_reader_alone(name: str, step: int) -> None:
    """However many records each reader takes at a time, all readers see the same records and offsets as one alone."""
    content, aborted = CONTENTS[name]
    alone = PartitionRecords(PLACE, FetchedBatches(content), aborted, 0, *UNCHECKED)
    expected = list(alone.take(100).records)
    batches = SharedBatches(content)
    assert batches.has_next() == FetchedBatches(content).has_next()

    for reader in [batches.read_from(PLACE, aborted, 0, *UNCHECKED) for _ in range(3)]:
        seen: list[Record] = []
        more = True
        while more:
            found = reader.take(step)
            assert len(found.records) <= step
            seen += found.records
            assert not seen or reader.next_fetch_offset > seen[-1].offset
            more = found.more
        assert seen == expected
        assert reader.next_fetch_offset == alone.next_fetch_offset


def test_a_damaged_answer_is_not_given_to_others() -> None:
    """Whoever finds a wrong checksum gets the error, and nobody gets this answer afterwards."""
    content = bytearray(batch(0, range(5)))
    content[-1] ^= 1
    batches = SharedBatches(bytes(content))

    with pytest.raises(CorruptRecordException):
        batches.read_from(PLACE, [], 0, *SETTINGS).take(10)
    assert not batches.is_whole


def test_a_client_that_shares_reads_its_password_for_each_connection() -> None:
    """Whichever is installed last: a consumer has the one client, and it does both."""
    for install in (sharing.install, credentials.install, sharing.install):
        install()
        assert consumer.AIOKafkaClient is SharingClient

    assert issubclass(SharingClient, credentials.FreshClient)
