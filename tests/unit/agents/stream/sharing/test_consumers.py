"""The consumers of one worker get the records that each would get alone, with fewer requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.structs import TopicPartition

from agents.stream.sharing import consumers, fetches
from agents.stream.sharing.consumers import FetchMember, Response, WorkerFetches
from agents.stream.sharing.fetches import CLAIM_SECONDS
from tests.parts.record_batches import batch

PLACE = TopicPartition("messages", 0)
SETTINGS: tuple[Any, ...] = None, None, True, fetcher.READ_COMMITTED


class Log:
    """A Kafka with two partitions of ten records, which answers when it may, and counts the offsets that it is asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[int, int]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.error: Exception | None = None
        self.end = 10

    async def ask(self, request: FetchRequest) -> Response:
        """The records from each offset on."""
        wanted = [(topic, each) for topic, partitions in request.topics for each in partitions]
        self.asked += [(partition, offset) for _, (partition, offset, _) in wanted]
        await self.may_answer.wait()
        if self.error is not None:
            raise self.error
        parts: list[tuple[Any, ...]] = [
            (partition, 0, 10, 10, 0, [], -1, batch(offset, range(offset, self.end)) if offset < self.end else b"")
            for _, (partition, offset, _) in wanted
        ]
        return Response(11, [(PLACE.topic, parts)])


def members(count: int, *, topic_id: str = "id") -> list[FetchMember]:
    """The actions of one worker."""
    shared = WorkerFetches()
    return [FetchMember(f"action {number}", shared, lambda _: topic_id) for number in range(count)]


def request(*offsets: int, wait_ms: int = 1500) -> FetchRequest:
    """A request for the partitions from 0 on, at these offsets."""
    return FetchRequest(
        wait_ms, 1, 1 << 20, 1, [(PLACE.topic, [(at, each, 1 << 20) for at, each in enumerate(offsets)])]
    )


def offsets(response: Any, first: int = 0) -> dict[int, list[int]]:
    """The offsets of an answer's records by partition, as a consumer reads them from offset `first` on."""
    found = {}
    for topic, parts in response.topics:
        for number, _, _, _, _, aborted, _, content in parts:
            records = consumers._records_of(
                TopicPartition(topic, number), consumers._batches_of(content), aborted, first, *SETTINGS
            )
            found[number] = [record.offset for record in records.take(100).records]
    return found


async def got(action: FetchMember, wanted: FetchRequest, log: Log) -> Any:
    """The first answer with records. aiokafka too asks again after an empty one."""
    while not (answer := await action.answer(wanted, log.ask)).topics:
        pass
    return answer


async def all_join(actions: Sequence[FetchMember], log: Log) -> None:
    """Let each ask twice, for the beginning of the log: the first one was alone the first time."""
    log.end = 1
    for each in [*actions, *actions]:
        await each.answer(request(0, 0), log.ask)
    log.end = 10
    log.asked.clear()


async def test_an_action_shares_while_there_are_others() -> None:
    """Not before it has asked, and not when the others are gone."""
    log, (one, two) = Log(), members(2)
    assert not one.shares
    await all_join([one, two], log)
    assert one.shares
    assert two.shares
    two.leave()
    assert not one.shares


async def test_one_request_serves_all() -> None:
    """Five actions at one place make one request, whether they come while it is under way or afterwards."""
    log, actions = Log(), members(5)
    await all_join(actions, log)
    log.may_answer.clear()
    asking = [asyncio.create_task(each.answer(request(4, 7), log.ask)) for each in actions[:4]]
    await asyncio.sleep(0)
    log.may_answer.set()
    answers = [*await asyncio.gather(*asking), await actions[4].answer(request(4, 7), log.ask)]

    assert log.asked == [(0, 4), (1, 7)]
    assert [offsets(each) for each in answers] == [{0: [4, 5, 6, 7, 8, 9], 1: [7, 8, 9]}] * 5


async def test_an_action_elsewhere_asks_for_itself() -> None:
    """An action that is behind the others gets its own records, and they theirs."""
    log, actions = Log(), members(2)
    await all_join(actions, log)

    ahead = await actions[0].answer(request(8, 8), log.ask)
    behind = await actions[1].answer(request(2, 8), log.ask)
    rest = await actions[1].answer(request(2), log.ask)

    assert offsets(ahead) == {0: [8, 9], 1: [8, 9]}
    assert offsets(behind) == {1: [8, 9]}
    assert offsets(rest) == {0: [2, 3, 4, 5, 6, 7, 8, 9]}


async def test_an_action_in_the_midst_of_an_answer_gets_the_rest_of_it() -> None:
    """Actions whose answers began at other offsets make one request from then on."""
    log, actions = Log(), members(2)
    await all_join(actions, log)

    whole = await actions[0].answer(request(2), log.ask)
    rest = await actions[1].answer(request(5), log.ask)

    assert log.asked == [(0, 2)]
    assert offsets(whole) == {0: [2, 3, 4, 5, 6, 7, 8, 9]}
    assert offsets(rest, first=5) == {0: [5, 6, 7, 8, 9]}


async def test_a_kafka_that_does_not_answer_one_answers_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request of one action that hangs delays the others by no more than the time of a claim."""
    monkeypatch.setattr(fetches, "CLAIM_SECONDS", 0.01)
    log, stuck, actions = Log(), Log(), members(2)
    await all_join(actions, log)
    stuck.may_answer.clear()
    waiting = asyncio.create_task(actions[0].answer(request(4), stuck.ask))
    await asyncio.sleep(0)

    answer = await got(actions[1], request(4), log)

    assert offsets(answer) == {0: [4, 5, 6, 7, 8, 9]}
    assert not waiting.done()
    stuck.may_answer.set()
    assert offsets(await waiting) == offsets(answer)


async def test_an_answer_is_empty_when_kafka_would_have_had_nothing_new() -> None:
    """aiokafka asks for no other partition before it has an answer. So it has one after the time that its request gives Kafka."""
    log, silent, actions = Log(), Log(), members(2)
    await all_join(actions, log)
    silent.may_answer.clear()
    asking = asyncio.create_task(actions[0].answer(request(10), silent.ask))
    await asyncio.sleep(0)

    assert offsets(await actions[1].answer(request(10, wait_ms=1), log.ask)) == {}
    assert offsets(await actions[1].answer(request(10, 3), log.ask)) == {0: [], 1: [3, 4, 5, 6, 7, 8, 9]}
    silent.may_answer.set()
    await asking


async def test_an_answer_comes_in_time_although_others_ask_again_and_again() -> None:
    """Whoever waits for others has an empty answer in time, also if they ask for its places again before it looks."""
    log, actions = Log(), members(2)
    await all_join(actions, log)
    shared, places = actions[0]._shared, actions[0]._wanted(request(10))
    assert places is not None
    waiting = asyncio.create_task(actions[1].answer(request(10, wait_ms=20), log.ask))
    async with asyncio.timeout(CLAIM_SECONDS / 2):
        while not waiting.done():
            shared.settle(actions[0], places.values(), {}, time.monotonic())
            shared.take(actions[0], places.values(), time.monotonic())
            await asyncio.sleep(0)

    assert offsets(await waiting) == {}


async def test_an_error_of_kafka_is_that_of_the_action_that_asked() -> None:
    """The action that asked gets the error; the others ask for themselves."""
    log, broken, actions = Log(), Log(), members(2)
    await all_join(actions, log)
    broken.error = KafkaConnectionError("gone")
    broken.may_answer.clear()
    failing = asyncio.create_task(actions[0].answer(request(4), broken.ask))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(got(actions[1], request(4), log))
    await asyncio.sleep(0)
    broken.may_answer.set()

    with pytest.raises(KafkaConnectionError):
        await failing
    assert offsets(await waiting) == {0: [4, 5, 6, 7, 8, 9]}


async def test_whoever_ends_holds_up_nobody() -> None:
    """When the action that asks is closed, another one asks."""
    log, stuck, actions = Log(), Log(), members(2)
    await all_join(actions, log)
    stuck.may_answer.clear()
    ending = asyncio.create_task(actions[0].answer(request(4), stuck.ask))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(got(actions[1], request(4), log))
    await asyncio.sleep(0)
    ending.cancel()
    actions[0].leave()

    assert offsets(await waiting) == {0: [4, 5, 6, 7, 8, 9]}
    actions[1].leave()


async def test_nothing_is_shared_before_the_topic_is_known() -> None:
    """Without the id of a topic each action asks for itself, because the topic may be another one of this name."""
    log, actions = Log(), members(2, topic_id="")

    answers = [await each.answer(request(4), log.ask) for each in actions]

    assert log.asked == [(0, 4), (0, 4)]
    assert offsets(answers[0]) == offsets(answers[1]) == {0: [4, 5, 6, 7, 8, 9]}
