"""The configuration as a log in Kafka: a compacted topic with one partition, to which every writer adds whole changes.

A write, in order:

1. `init_transactions` under the one transactional id, which is the name of the topic. It fences whoever wrote before, and ends
   what was left half done. A writer that nobody has fenced since its last write goes on without.
2. Read to the end: all that was ever accepted is known now.
3. Compare the revisions that the change expects, and check the whole configuration that would follow.
4. Seal clear secrets (sealing.py), produce all records, and commit. If another writer has come in between, Kafka refuses: begin
   again at 1.

So the topic holds accepted changes only. Followers need no rule about who won, and compaction may take any record that a later
one replaced. The rejected alternative, an expected revision in a header that followers judge, loses an object if compaction keeps
a record that they reject.

A commit whose answer is lost may have happened. Each change has an id of its own: whoever begins again looks for it first.

This file does not know the meaning of the objects: see objects.py.
"""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka import Producer as Librdkafka

from pipeline.config import Config
from pipeline.config.base.sealed import opened_with
from pipeline.connectors.kafka.client import Link, failure
from pipeline.connectors.kafka.topics import ensure_config_topic, kept_for_ms
from pipeline.control.follower import Follower, read_all
from pipeline.control.objects import Change, Snapshot, Stored, check_expected, whole, written_values
from pipeline.control.records import Past, encode, headers_of
from pipeline.control.sealing import sealer_of
from pipeline.errors import ConfigError, NotFoundError, RetryableError
from pipeline.log import get_logger
from pipeline.retry import FENCED

log: Final = get_logger("tidegate.control")

PATIENCE_SECONDS: Final = 15.0
AWAY_SECONDS: Final = 3.0  # the patience of a change, while Kafka is known to be away
TRANSACTION_SECONDS: Final = 10.0  # what a dead writer holds up, if no other one comes
WRITES_MAX: Final = 30  # how often a writer begins again


class ConfigLog:
    """The topic of one pipeline. Use it as an async context manager, on one event loop.

    `base` is what the process's own file says, without objects; `base.control` names the topic. Entering creates the topic if it
    is missing, and returns when it is read to its end. It waits for Kafka `patience_seconds`, None: without end.

    Raises ConnectorError if Kafka is away for longer, or forbids it.
    """

    def __init__(self, base: Config, *, patience_seconds: float | None = PATIENCE_SECONDS) -> None:
        assert base.control is not None, "the configuration has no section `control`"
        self.base = base
        opened_with(base.control.secrets_key)
        self._kafka, self._topic = base.kafka, base.control.topic
        self._patience_seconds = patience_seconds
        self._writer = _Writer(base)
        self._one_writes = asyncio.Lock()
        self._moved = asyncio.Condition()
        self._snapshot: Snapshot | None = None
        self._good = base
        self._telling: set[asyncio.Task[None]] = set()
        self._leaving = False

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        give_up = time.monotonic() + (self._patience_seconds or 0)
        waits = lambda: not self._leaving and (self._patience_seconds is None or time.monotonic() < give_up)  # noqa: E731
        self._follower = Follower(self._kafka, self._topic, self._read)
        silence: RetryableError | None = None
        try:
            silence = await asyncio.to_thread(ensure_config_topic, self._kafka, self._topic, keep_trying=waits)
            self._follower.start()
            async with asyncio.timeout(None if self._patience_seconds is None else give_up - time.monotonic()):
                await self.changed(-2)
        except TimeoutError:
            await self._leave()
            raise RetryableError(
                str(silence or "")
                or self._follower.trouble
                or f"Kafka at {self._kafka.bootstrap_servers} (kafka.bootstrap_servers) does not answer",
                reason="timeout",
            ) from None
        except BaseException:
            await self._leave()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def _leave(self) -> None:
        self._leaving = True
        await asyncio.to_thread(self._follower.close)
        await asyncio.to_thread(self._writer.close)

    # --- Reading

    @property
    def snapshot(self) -> Snapshot:
        """What the topic said when it was last read to its end."""
        assert self._snapshot is not None, "enter the context first"
        return self._snapshot

    @property
    def error(self) -> str:
        """Why the topic cannot be read now; empty while it can. The snapshot stays what it was."""
        return self._follower.error

    @property
    def trouble(self) -> str:
        """The same, or why Kafka does not answer now."""
        return self._follower.trouble

    async def changed(self, after: int) -> Snapshot:
        """Wait for a snapshot whose revision is above `after`, and return it."""
        async with self._moved:
            await self._moved.wait_for(lambda: self._snapshot is not None and self._snapshot.revision > after)
            return self.snapshot

    async def history(self, key: str | None = None) -> list[Past]:
        """All records that the topic still has, oldest first; those of one object, if `key` is given. Raises ConnectorError."""
        found = await asyncio.to_thread(read_all, self._kafka, self._topic)
        return [each for each in found if key in (None, each.key)]

    async def check_history(self, superseding: Past | None) -> None:
        """Check that what the history holds before a change is whole: Kafka may have compacted what this change replaced.

        Raises NotFoundError if that may be so, and ConnectorError.
        """
        kept_ms = await asyncio.to_thread(kept_for_ms, self._kafka, self._topic)
        if superseding is not None and time.time() * 1000 - superseding.at >= kept_ms:
            raise NotFoundError(
                "the history of that time may have gaps: Kafka keeps what later changes replaced for"
                f" {kept_ms // 86_400_000} days (min.compaction.lag.ms of {self._topic})"
            )

    def _read(self, objects: dict[str, Stored], revision: int) -> None:
        """In the follower's thread."""
        if not self._leaving:
            self._loop.call_soon_threadsafe(self._take, objects, revision)

    def _take(self, objects: dict[str, Stored], revision: int) -> None:
        if self._snapshot is not None and self._snapshot.revision >= revision:
            return
        problem = ""
        try:
            self._good = whole(self.base, {key: each.value for key, each in objects.items()}, revision)
        except ConfigError as error:
            problem = f"the topic {self._topic} holds what this program cannot use: {error}"
            if self._snapshot is None or self._snapshot.problem != problem:
                log.error("config.unusable", topic=self._topic, revision=revision, error=str(error))
        self._snapshot = Snapshot(objects, revision, self._good, problem)
        task = asyncio.create_task(self._tell())
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    # --- Writing

    async def write(self, change: Change) -> Snapshot:
        """Write a change, and return what the topic says then.

        Raises StaleError if an object has another revision than expected, ConfigError if the whole would not be valid, and
        ConnectorError if Kafka does not take it. A RetryableError leaves open whether it did; a repetition is safe if it expects
        revisions. Whoever gives up waiting does not end it: the next change waits until Kafka has said what became of this one.
        """
        writing = asyncio.create_task(self._written(change))
        writing.add_done_callback(lambda done: done.cancelled() or done.exception())  # for nobody, if nobody waits
        await asyncio.shield(writing)
        return self.snapshot

    async def _written(self, change: Change) -> None:
        async with self._one_writes:
            self._take(*await asyncio.to_thread(self._writer.write, change, self._follower))


class _Writer:
    """Writes changes, one at a time. Blocks; keeps its producer as long as no other writer has come."""

    def __init__(self, base: Config) -> None:
        assert base.control is not None
        self.base, self._topic = base, base.control.topic
        self._link = Link(base.kafka, silent=True)
        self._producer: Librdkafka | None = None

    def close(self) -> None:
        """Forget the producer."""
        self._producer = None

    def write(self, change: Change, follower: Follower) -> tuple[dict[str, Stored], int]:
        """Write a change; the objects and the revision after it."""
        number = uuid.uuid4().hex
        # Only what Kafka said: an error that is kept holds this call, and so each producer that was fenced, with its threads and
        # connections, until a collection of garbage.
        problem: KafkaError | None = None
        waits = FENCED.waits(random.random)
        if follower.trouble:
            follower.catch_up(AWAY_SECONDS)  # raises as long as it is so, and nothing is written
        for _ in range(WRITES_MAX):
            try:
                producer = self._opened()
                objects, revision = follower.catch_up(PATIENCE_SECONDS)
                if follower.has_seen(number):
                    return objects, revision
                if not self._commit(producer, number, change, objects):
                    return objects, revision
                return follower.until_seen(number, PATIENCE_SECONDS)
            except KafkaException as error:
                self._producer = None
                problem = error.args[0]
                if not self._may_succeed(error):
                    break
                time.sleep(waits.after(error))
        assert problem is not None
        raise self._link.why(None, problem, f"cannot write to {self._topic}") from None

    def _opened(self) -> Librdkafka:
        """The producer that nobody has fenced yet as far as we know, or a new one that fences all others."""
        if self._producer is None or self._link.refresh(self._producer):
            settings = {
                "transactional.id": self._topic,
                "transaction.timeout.ms": int(TRANSACTION_SECONDS * 1000),
                "linger.ms": 0,
                "log_level": 0,  # it is normal to be fenced
            }
            producer = self._link.producer("config", settings)
            # Connect first: without a connection, librdkafka looks for the coordinator again after half a second.
            producer.list_topics(self._topic, timeout=PATIENCE_SECONDS)
            producer.init_transactions(PATIENCE_SECONDS)
            self._producer = producer
        return self._producer

    def _may_succeed(self, error: KafkaException) -> bool:
        """Whether a new producer may succeed: this one was fenced, its transaction was ended, or Kafka asks for another try."""
        found = error.args[0]
        again = found.fatal() or found.retriable() or found.txn_requires_abort()
        return bool(again) and isinstance(failure(found, ""), RetryableError)

    def _commit(self, producer: Librdkafka, number: str, change: Change, objects: dict[str, Stored]) -> bool:
        """Compare, check, and write all records. False if there is nothing to write."""
        check_expected(objects, change.expected)
        values = written_values(self.base, objects, change, sealer_of(objects))
        if not values:
            return False
        producer.begin_transaction()
        now_ms = time.time_ns() // 1_000_000
        for key, value in values.items():
            source, before = change.sources.get(key, change.source), objects.get(key)
            created = before.created if before else now_ms
            headers = headers_of(by=change.by, at=now_ms, source=source, change=number, created=created)
            producer.produce(self._topic, encode(value), key.encode(), partition=0, headers=headers, timestamp=now_ms)
        _until_certain(lambda: producer.commit_transaction(PATIENCE_SECONDS))
        return True


def _until_certain(commit: Callable[[], None]) -> None:
    """Commit, again while Kafka only asks for another try."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            commit()
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > give_up:
                raise
        else:
            return
