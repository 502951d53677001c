"""Builds the writer of a compiled action, and the lanes that share it.

A worker and a replay both use this. It does not know Kafka: the caller brings the log and the destination of dead
letters.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from agents.lanes.kafka_log import KafkaLog
from agents.lanes.lane import Lane, Partition
from agents.sinks.aggregated import AggregatedLane
from agents.sinks.aggregated_writer import AggregatedWriter
from agents.sinks.dead_letter import DeadLetterSink
from agents.sinks.direct import DirectLane, DirectWriter
from agents.sinks.patient_store import PatientStore
from pipeline.action import AggregatedAction, CompiledAction, DirectAction

OpenLane = Callable[[Partition, Callable[[], None]], Lane]


class Outside(NamedTuple):
    """The outside of an action's lanes: its store, the destination of its dead letters, and Kafka's log."""

    store: PatientStore
    dead_letters: DeadLetterSink
    kafka: KafkaLog


def writer_of(
    action: CompiledAction, outside: Outside, *, ledger: str = "", again: bool = False
) -> AggregatedWriter | DirectWriter:
    """The writer that the lanes of an action share.

    For replays: `ledger` names the ledger of aggregated upload, if it is not the action's own. `again` lets rows of direct upload
    replace the objects that they made before.
    """
    if isinstance(action, AggregatedAction):
        return AggregatedWriter(ledger or action.name, action, *outside)
    assert isinstance(action, DirectAction)
    return DirectWriter(action, outside.store, outside.dead_letters, outside.kafka, again=again)


def turn(writer: AggregatedWriter | DirectWriter, action: CompiledAction) -> None:
    """Let a writer go on under another version of its action, of the same mode."""
    if isinstance(writer, AggregatedWriter):
        assert isinstance(action, AggregatedAction)
        writer.action = action
    else:
        assert isinstance(action, DirectAction)
        writer.turn_to(action)


def lanes_of(writer: AggregatedWriter | DirectWriter) -> OpenLane:
    """A function that opens a lane for a partition."""
    if isinstance(writer, AggregatedWriter):
        return partial(AggregatedLane, writer=writer)
    return partial(DirectLane, writer=writer)
