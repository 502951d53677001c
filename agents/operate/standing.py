"""The progress of each action, and whether Kafka has the rest: `tidegate doctor` compares the ledger with Kafka.

An aggregated action is at the end of its ledger, in the chain of the present topic. A direct action is at the committed
offset of its consumer group. pipeline/doctor/lag.py explains the result. Nothing is written.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, NamedTuple

from agents.lanes.lane import Partition
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.chain import Chain
from agents.sinks.patient_store import FewAttempts, PatientStore
from pipeline.action import AggregatedAction, CompiledAction, compile_action, statements_of
from pipeline.config import Config, KafkaConfig
from pipeline.connectors.kafka.logs import FoundLog, look_at_logs
from pipeline.connectors.kafka.reader import goes_to
from pipeline.connectors.kafka.topic_ids import TopicIds
from pipeline.connectors.kafka.topics import look_at_topics
from pipeline.connectors.s3.store import S3Store
from pipeline.doctor import Check
from pipeline.doctor.lag import Standing, check, young_since_ms
from pipeline.errors import ConnectorError, LaneError, OperatorError, TidegateError
from pipeline.upload.source_log import LogBounds

LEDGER: Final = "the ledger"
GROUP: Final = "the committed offset"
PARTITIONS_AT_ONCE_MAX: Final = 32


async def checks(config: Config) -> AsyncIterator[Check]:
    """A check of each action that runs, and one more if another pipeline writes to its ledger."""
    try:
        settings = {
            name: topic.settings for name, topic in (await asyncio.to_thread(look_at_topics, config.kafka)).items()
        }
    except ConnectorError:
        return  # the check of the connection reports this
    for name, action in config.actions.s3.items():
        title = f"lag of s3:{name}"
        connector = config.connectors.s3[action.connector]
        if not (action.enable and connector.enable and statements_of(config, name)):
            continue  # this action reads nothing
        try:
            compiled = compile_action(config, name)
            async with S3Store(connector) as store:
                for each in await _checks(title, config, compiled, store, settings):
                    yield each
        except LaneError as error:
            yield Check(
                title, "bad", str(error), "a ledger that can be read", "run `tidegate verify`, and mend what it finds"
            )
        except OperatorError as error:
            # The checks of permissions tell that a group is denied.
            denied = error.reason == "topic_authorization_failed"
            advice = "let this user READ the topics of the action" if denied else ""
            yield Check(title, "bad" if denied else "skipped", str(error), "an answer" if denied else "", advice)
        except TidegateError as error:
            yield Check(title, "skipped", str(error))


async def _checks(
    title: str, config: Config, action: CompiledAction, store: S3Store, settings: Mapping[str, Mapping[str, str]]
) -> list[Check]:
    now_ms = time.time_ns() // 1_000_000
    since = {topic: young_since_ms(settings.get(topic, {}), now_ms) for topic in action.topics}
    logs = await asyncio.to_thread(look_at_logs, config.kafka, f"{config.pipeline}.{action.name}", since)
    if not logs:
        return [Check(title, "skipped", "Kafka has no topic yet that it reads")]
    ids = await asyncio.to_thread(TopicIds(config.kafka, "doctor").of, action.topics)
    commits = {Partition(each.topic, each.partition): _commit_of(each, ids) for each in logs}
    ends, whose, others = commits, GROUP, set[str]()
    if isinstance(action, AggregatedAction):
        found = await _ledger_ends(action, store, ids, list(commits))
        ends, whose = {place: each.first for place, each in found.items()}, LEDGER
        others = {each.other for each in found.values() if each.other}
    logs = await asyncio.gather(*[read_to(each, ends, config.kafka) for each in logs])
    standings = [
        Standing(
            each.topic,
            each.partition,
            ends[Partition(each.topic, each.partition)],
            whose,
            each.start,
            each.end,
            each.young,
            settings.get(each.topic, {}).get("retention.bytes", "-1") != "-1",
            commits[Partition(each.topic, each.partition)],
        )
        for each in logs
    ]
    shared = [_shared(action.name, config.pipeline, other) for other in sorted(others)]
    return [check(title, standings), *shared]


async def read_to(log: FoundLog, ends: Mapping[Partition, int | None], kafka: KafkaConfig) -> FoundLog:
    """The log with an end that is not before what was read of it, as a worker sees it."""
    at = ends[Partition(log.topic, log.partition)]
    if at is not None and at > log.end and await asyncio.to_thread(goes_to, kafka, log.topic, log.partition, at):
        return log._replace(end=at)
    return log


def _shared(action: str, pipeline: str, other: str) -> Check:
    return Check(
        f"ledger of s3:{action}",
        "warn",
        f"its last entry is of the pipeline {other}",
        f"entries of {pipeline} alone",
        "nothing, if the pipeline was renamed; if both run, each takes records from the other one: give one of them another "
        "action name or another bucket",
    )


def _commit_of(found: FoundLog, topic_ids: Mapping[str, str]) -> int | None:
    """The group's offset, unless it is of a topic that had this name before."""
    bounds = LogBounds(topic_ids.get(found.topic, ""), found.start, found.end, found.committed, found.metadata)
    return None if bounds.commit_is_of_another_topic else found.committed


class LedgerEnd(NamedTuple):
    """The end of a partition's chain (None: it has not begun), and the other pipeline that wrote it, if any."""

    first: int | None
    other: str = ""


async def _ledger_ends(
    action: AggregatedAction, store: S3Store, topic_ids: Mapping[str, str], partitions: list[Partition]
) -> dict[Partition, LedgerEnd]:
    """The end of each partition's chain. Raises LaneError for a chain that cannot be read."""
    nobody: Any = None  # a reader of chains writes no dead letters and does not ask Kafka
    writer = AggregatedWriter(action.name, action, PatientStore(store, FewAttempts()), nobody, nobody)
    gate = asyncio.Semaphore(PARTITIONS_AT_ONCE_MAX)

    async def end(partition: Partition) -> LedgerEnd:
        chain = Chain(writer, partition)
        for topic_id in dict.fromkeys((topic_ids.get(partition.topic, ""), "")):
            chain.place = chain.place._replace(topic_id=topic_id)
            async with gate:
                found = await chain.end()
                if found is not None:
                    return LedgerEnd(found.first, await chain.pipeline(found.version))
        return LedgerEnd(None)

    return dict(zip(partitions, await asyncio.gather(*[end(each) for each in partitions]), strict=True))
