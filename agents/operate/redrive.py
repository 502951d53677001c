"""`tidegate dead-letter redrive`: sends dead letters again, each once.

1. Find out whether a letter's row is missing. The ledger says so (pipeline/upload/claims.py). For direct upload, the
worker finds out by the fence of the objects. A letter of the ingress holds a record that Kafka never had.
2. Send the letters that count to their topic, in order.
3. When Kafka has them, mark them, and also the letters of which nothing is missing.

After a kill between 2 and 3, the next run sends some letters twice. The worker recognises them by their claims or by
the fence.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, NamedTuple, Self

from agents.lanes.lane import Partition
from agents.operate.replay import LeftOut
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.claims import Standings
from agents.sinks.dead_letter import Sender
from agents.sinks.patient_store import FewAttempts, PatientStore
from pipeline import dead_letter
from pipeline.action import AggregatedAction, CompiledAction, compile_action, statements_of
from pipeline.config import Config
from pipeline.connectors.kafka.producer import Producer
from pipeline.connectors.s3.store import S3Store
from pipeline.dead_letter import Letter
from pipeline.errors import RecordError
from pipeline.operation import Sent
from pipeline.record import Outgoing
from pipeline.redriven import Failure
from pipeline.upload.claims import Standing
from pipeline.upload.source_log import LogBounds

SENT_AT_ONCE: Final = 500


async def send_all(
    config: Config, letters: Iterator[Letter], tell: Callable[[str], None], *, unproven: bool, dry_run: bool
) -> Sent:
    """Send the letters that count. They are read in threads, some at a time. Raises a ConnectorError or NotFoundError."""

    async def next_letters() -> list[Letter]:
        return await asyncio.to_thread(lambda: list(islice(letters, SENT_AT_ONCE)))

    some = await next_letters()  # first read, then connect the producer: so an absent Kafka is reported only once
    producer = Producer(config.kafka, process="redrive", delivery_timeout_seconds=60)
    await producer.connect()
    try:
        async with Redrive(config, producer, tell, unproven=unproven, dry_run=dry_run) as job:
            while some:
                await job.send(some)
                some = await next_letters()
    finally:
        await producer.close(10.0)
    return Sent(job.tally.sent, job.tally.over, job.tally.kept)


class Sending(NamedTuple):
    """A letter that counts, and the record that sends it again."""

    letter: Letter
    topic: str
    record: Outgoing


@dataclass
class Tally:
    """Counts of letters: `over` are letters of which nothing is missing, and `kept` are letters that may count later."""

    sent: int = 0
    over: int = 0
    kept: int = 0


@dataclass
class Redrive:
    """One run, as an asynchronous context. `tell` is called for each letter that is kept.

    `unproven`: also send letters that no ledger knows. `dry_run`: send nothing.
    """

    config: Config
    sender: Sender
    tell: Callable[[str], None]
    unproven: bool = False
    dry_run: bool = False
    tally: Tally = field(default_factory=Tally)
    _standings: dict[tuple[str, str], Standings | None] = field(default_factory=dict)
    _stores: dict[str, PatientStore] = field(default_factory=dict)
    _stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def send(self, letters: Sequence[Letter]) -> None:
        """Send the letters that count, in order, and mark them. Raises a ConnectorError."""
        going: list[Sending] = []
        over: list[Letter] = []
        for letter in letters:
            try:
                if await self._counts(letter):
                    going.append(Sending(letter, *self._again(letter)))
                else:
                    over.append(letter)
            except RecordError as error:
                self.tally.kept += 1
                self.tell(f"kept: {error}")
        self.tally.sent += len(going)
        self.tally.over += len(over)
        if not self.dry_run:
            for topic in dict.fromkeys(each.topic for each in going):
                await self.sender.send(topic, [each.record for each in going if each.topic == topic])
            now_ms = time.time_ns() // 1_000_000
            marks = [dead_letter.mark(letter, now_ms) for letter in [*(each.letter for each in going), *over]]
            await self.sender.send(self.config.kafka.dead_letter_topic, marks)

    def _again(self, letter: Letter) -> tuple[str, Outgoing]:
        kafka = self.config.kafka
        return dead_letter.sent_again(letter, messages_topic=kafka.messages_topic, events_topic=kafka.events_topic)

    async def _counts(self, letter: Letter) -> bool:
        """Whether a letter's row is missing. Raises RecordError for a letter that is kept."""
        failure = letter.failure
        if failure is None:
            return True
        self._check_names(letter, failure)
        standings = await self._standings_of(failure, letter.ledger)
        if standings is None:
            standing = Standing.UNKNOWN if failure.run else Standing.COUNTS
        else:
            standing = await standings.of(failure)
        where = "/".join(map(str, failure.place[:3]))
        if standing is Standing.OPEN:
            raise RecordError(
                f"letter {letter.place}: {where} is not in the ledger of {failure.action} yet; a worker enters it when it cuts"
            )
        if standing is Standing.UNKNOWN and not self.unproven:
            raise RecordError(
                f"letter {letter.place}: no ledger of {failure.action} tells whether {where} was written since; "
                "--unproven sends it all the same"
            )
        return standing is not Standing.OVER

    def _check_names(self, letter: Letter, failure: Failure) -> None:
        """Refuse a letter for an action or a rule that does not exist, because every worker would skip its record."""
        actions = self.config.actions.s3
        if failure.action not in actions:
            raise RecordError(f"letter {letter.place}: there is no action s3:{failure.action} in the configuration")
        rules = statements_of(self.config, failure.action)
        if failure.rule not in ("", *rules) or not rules:
            raise RecordError(
                f"letter {letter.place}: no enabled rule {failure.rule} feeds s3:{failure.action} in the configuration"
            )

    async def _standings_of(self, failure: Failure, bucket: str) -> Standings | None:
        """The standings of an action's letters, or None if it writes no ledger. `bucket`: the ledger's at the failure."""
        key = failure.action, bucket
        if key not in self._standings:
            settings = self.config.actions.s3[failure.action]
            if settings.connector not in self._stores:
                store = await self._stack.enter_async_context(S3Store(self.config.connectors.s3[settings.connector]))
                self._stores[settings.connector] = PatientStore(store, FewAttempts())
            action = compile_action(self.config, failure.action)
            reader = _reader(action, self._stores[settings.connector], bucket)
            self._standings[key] = Standings(reader) if reader else None
        return self._standings[key]


def _reader(action: CompiledAction, store: PatientStore, bucket: str) -> AggregatedWriter | None:
    """A reader for a ledger in the bucket of that time. It writes nothing, so it has no dead letters and no partitions."""
    if not isinstance(action, AggregatedAction):
        return None
    if bucket:
        parameters = action.parameters.model_copy(update={"ledger_bucket": bucket})
        action = replace(action, parameters=parameters)
    return AggregatedWriter(action.name, action, store, LeftOut(), _NoLog())


class _NoLog:
    """Kafka's log for a reader of ledgers, which never asks."""

    async def bounds(self, partition: Partition, read_to: int = 0) -> LogBounds:
        raise NotImplementedError

    async def topic_id(self, topic: str) -> str:
        raise NotImplementedError

    def owns(self) -> bool:
        raise NotImplementedError
