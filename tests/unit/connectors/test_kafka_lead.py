"""Stand-bys: a process that cannot become the leader says so, and does not count as connected."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from confluent_kafka import KafkaError

from ingress.source import Source
from pipeline.config import KafkaConfig, MqttSource
from pipeline.connectors.kafka.lead import Lead
from tests.parts.played_kafka import PlayedKafka
from tests.parts.waiting import until

NOWHERE = KafkaConfig(bootstrap_servers="127.0.0.1:1")
DENIED = KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED)


class Candidate(Lead):
    """A candidate that hears from the test alone."""

    def stand(self) -> None:
        pass


class Told:
    """A message of the consumer that is an error."""

    def __init__(self, error: KafkaError) -> None:
        self._error = error

    def error(self) -> KafkaError:
        return self._error


async def heard(lead: Lead, *errors: KafkaError) -> list[Any]:
    """What is logged when the thread hears these errors, one after the other."""
    with structlog.testing.capture_logs() as logged:
        for error in errors:
            await asyncio.to_thread(lead.heard, Told(error))
        await asyncio.sleep(0)
    return logged


async def test_a_missing_permission_is_told_once() -> None:
    """An error of the consumer group is one line, however often Kafka repeats it; a lost connection is not told here."""
    lead = Candidate(NOWHERE, group="p.ingress.plant")
    lead.open()
    try:
        logged = await heard(lead, DENIED, DENIED, KafkaError(KafkaError._ALL_BROKERS_DOWN))
        told = [line for line in logged if line["event"] == "lead.unavailable"]

        assert [(line["log_level"], line["reason"]) for line in told] == [("error", "group_authorization_failed")]
        assert "consumer group p.ingress.plant" in lead.problem
    finally:
        await lead.close()


@pytest.mark.parametrize("error", [DENIED, KafkaError(KafkaError._MAX_POLL_EXCEEDED)])
async def test_a_stand_by_that_cannot_lead_is_not_connected(error: KafkaError) -> None:
    """It counts as connected while it could take over, and not after its consumer group refused it."""
    lead = Candidate(NOWHERE, group="p.ingress.plant")
    mqtt = MqttSource(server="127.0.0.1:1", topics=["t/#"], standby=True)
    source = Source("plant", mqtt, pipeline="p", kafka=NOWHERE, producer=PlayedKafka(), lead=lead)  # type: ignore[arg-type]
    running = asyncio.create_task(source.run())
    await until(lambda: source.connected)
    await heard(lead, error)
    await until(lambda: not source.connected)
    reason = source.status_reason
    source.stop(0.0)
    await running

    assert error.name().lstrip("_") in reason
