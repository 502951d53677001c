"""The ledger's entry over an offset: `tidegate api` shows it beside an object. Nothing is written."""

from __future__ import annotations

import asyncio
from typing import Any

from agents.lanes.lane import Partition
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.chain import Chain
from agents.sinks.patient_store import FewAttempts, PatientStore
from pipeline.action import AggregatedAction, compile_action
from pipeline.config import Config
from pipeline.connectors.s3.store import S3Store
from pipeline.upload.ledger import Entry
from pipeline.upload.object_check import ObjectMarks


async def entry_over(config: Config, name: str, store: S3Store, written: ObjectMarks) -> Entry | None:
    """The entry that covers the first row of an object, or None. Raises LaneError or a ConnectorError."""
    action = await asyncio.to_thread(compile_action, config, name)
    if not isinstance(action, AggregatedAction):
        return None
    nobody: Any = None  # a reader of chains writes no dead letters and does not ask Kafka
    place = written.chain
    writer = AggregatedWriter(place.action, action, PatientStore(store, FewAttempts()), nobody, nobody)
    return await Chain(writer, Partition(place.topic, place.partition), place.topic_id).over(written.first)
