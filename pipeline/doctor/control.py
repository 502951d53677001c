"""Checks the configuration in Kafka: its topic and that of the status, who may write, which processes are behind, and the API."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Final
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from pipeline.config import Config
from pipeline.connectors.kafka.permissions import permissions, transactions
from pipeline.connectors.kafka.topics import NOT_COMPACTED, FoundTopic, look_at_topics
from pipeline.control.board import Board
from pipeline.control.status import ProcessReport
from pipeline.control.status_topic import newest
from pipeline.doctor import Check
from pipeline.errors import ConnectorError

STATUS_SECONDS: Final = 10.0
API_SECONDS: Final = 5.0


def check(config: Config, api: str = "", *, kafka_answers: bool = True) -> Iterator[Check]:
    """All checks; without `kafka_answers`, none of the topics. `api`: the address of an API process to try, if known. Blocks."""
    if config.control is not None and kafka_answers:
        yield from _topics(config, config.control.topic, config.control.status_topic)
    if api:
        yield check_api(api)


def _topics(config: Config, topic: str, status_topic: str) -> Iterator[Check]:
    try:
        found = look_at_topics(config.kafka, [topic, status_topic])
        allowed = permissions(config.kafka, [topic, status_topic])
    except ConnectorError:
        return  # the check of the connection to Kafka has told it
    for name, look in ((topic, check_topic), (status_topic, check_status_topic)):
        if name in found:
            yield look(name, found[name])
        elif allowed[name] is None:
            advice = "nothing, if we may make it: the first process to start does"
            yield Check(f"kafka:{name} topic", "warn", "not there", "a topic", advice)
        yield from _may(name, allowed[name])
    if topic in found:
        yield check_transactions(topic, transactions(config.kafka, topic))
    if status_topic in found:
        board = Board()
        newest(config, board, STATUS_SECONDS)
        yield from check_revisions(config.revision, board.reports(time.time_ns() // 1_000_000))


def check_topic(name: str, topic: FoundTopic) -> Check:
    """The topic of the configuration has one partition, and keeps the newest record of each key for ever."""
    title = f"kafka:{name} topic"
    if topic.partitions != 1:
        advice = "choose another topic (control.topic): changes need the order of one partition"
        return Check(title, "bad", f"{topic.partitions} partitions", "1", advice)
    policy = topic.settings.get("cleanup.policy")
    if policy is None:
        return Check(title, "skipped", "Kafka does not tell cleanup.policy")
    if policy != "compact":
        return Check(title, "bad", f"cleanup.policy={policy}", "compact", NOT_COMPACTED.format(policy))
    return Check(title, "ok", "compacted, one partition")


def check_status_topic(name: str, topic: FoundTopic) -> Check:
    """The topic of the reports has one partition, and forgets them."""
    title = f"kafka:{name} topic"
    if topic.partitions != 1:
        advice = "nothing: processes use the first partition alone"
        return Check(title, "warn", f"{topic.partitions} partitions", "1", advice)
    policy = topic.settings.get("cleanup.policy")
    if policy is not None and "compact" not in policy and topic.settings.get("retention.ms") == "-1":
        advice = "set cleanup.policy=compact,delete: it grows by each report of each process"
        return Check(title, "warn", "keeps all reports for ever", "an hour of them", advice)
    return Check(title, "ok", "one partition")


def _may(name: str, allowed: frozenset[str] | None) -> Iterator[Check]:
    if allowed is None:
        return
    missing = sorted({"READ", "WRITE", "DESCRIBE"} - allowed)
    title = f"kafka:{name} permissions"
    if not missing:
        yield Check(title, "ok", "this user may read and write")
        return
    is_reader = missing == ["WRITE"]
    advice = "nothing, if another user writes" if is_reader else f"give this user an ACL for {', '.join(missing)}"
    state: Final = "warn" if is_reader else "bad"
    yield Check(title, state, f"this user lacks {', '.join(missing)}", "READ, WRITE and DESCRIBE", advice)


def check_transactions(topic: str, problem: str) -> Check:
    """Whether this user may write changes. `problem`: why not."""
    title = f"kafka:{topic} transactions"
    if not problem:
        return Check(title, "ok", "this user may write changes")
    advice = (
        f"give whoever changes the configuration an ACL for WRITE and DESCRIBE on the transactional id {topic};"
        " nothing, if this is the user of workers or ingresses alone"
    )
    return Check(title, "warn", problem, "a transaction", advice)


def check_revisions(revision: int, reports: Iterable[ProcessReport]) -> Iterator[Check]:
    """Whether each process runs the configuration as it is now."""
    processes = [each for each in reports if each.kind in ("worker", "ingress")]
    if not processes:
        yield Check("revisions", "skipped", "no worker and no ingress reports")
    for each in processes:
        title = f"revision of {each.node}"
        if each.problem:
            advice = "give the process what it lacks, or update it; it goes on with the last good configuration"
            yield Check(title, "bad", each.problem, f"revision {revision}", advice)
        elif each.revision < revision:
            advice = (
                "wait some seconds and look again; if it stays, see config.unusable and kafka.disconnected in its log"
            )
            yield Check(title, "warn", f"revision {each.revision}", f"revision {revision}", advice)
        else:
            yield Check(title, "ok", f"revision {each.revision}")


def check_api(address: str) -> Check:
    """Whether an API process answers at this address. Without a login it only says that it is there."""
    title, expected = f"api {address}", "an answer of `tidegate api`"
    try:
        with urlopen(f"{address.rstrip('/')}/api/v5/session", timeout=API_SECONDS) as answer:
            told = answer.read(1 << 16)
    except HTTPError as error:
        return Check(title, "bad", f"status {error.code}", expected, "check that the address is that of `tidegate api`")
    except (URLError, OSError, ValueError) as error:
        found = str(getattr(error, "reason", error))
        return Check(
            title, "bad", found, expected, "start `tidegate api`, and check --bind, certificates and firewalls"
        )
    if b'"first"' not in told:
        return Check(title, "bad", "something else answers", expected, "check the port")
    if b'"first":true' in told:
        return Check(title, "warn", "it answers, and has no user yet", "a user", "open the link that it has printed")
    return Check(title, "ok", "it answers")
