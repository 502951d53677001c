"""The Faust wiring: one action is one consumer group is one Faust app, and a worker runs as many as it is told to.

    record batch ── rule agent (rules: records to rows) ──▶ sink agent (rows to lanes) ──▶ lanes write to S3

Both agents are Faust stream processors over an app of their own, so that a bucket that is down stalls nobody else, and each
action has its own offsets, lag and replay. Neither ever waits for S3: see transport.py and lane.py.
"""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple, cast

import faust
from faust.types import TP

from agents.lanes.lanes import Lanes
from agents.metrics import count_batch
from agents.sinks.writers import OpenLane
from agents.stream import chatter
from agents.stream.transport import MAX_POLL_INTERVAL_SECONDS, BatchSchema, Transport
from pipeline.action import CompiledAction
from pipeline.config import KafkaConfig
from pipeline.log import get_logger
from pipeline.rule import RowBatch, RuleSet

RECORDS_PER_FETCH_MAX: Final = 10_000

log = get_logger("tidegate.app")


class FetchedRows(NamedTuple):
    """What the rule agent sends to the sink agent: a partition's rows, and under which assignment they were fetched.

    Where rows are many the batch has those of its first records; the lane makes the others when there is room for them.
    """

    partition: TP
    generation: int
    end_offset: int
    batch: RowBatch


class ActionApp(faust.App):
    """A Faust app with lanes, which its transport asks for room and for progress.

    Three things it does without Faust's search through what is installed or loaded, which would cost more than the rest of its
    start: it has no fixups (there is one, for Django), its transport is known, and its agents are not listed for Faust's own
    command line, which we do not use.
    """

    lanes: Lanes

    def _init_fixups(self) -> list[Any]:
        return []

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def add_agent(self, name: str, channel: Any, work: Callable[[Any], Awaitable[None]]) -> None:
        """What the decorator `agent` does, up to where it lists the agent for a search through all modules."""
        agent = cast(Any, self.conf).Agent(
            work, name=name, app=self, channel=channel, on_error=self._on_agent_error, help=work.__doc__
        )
        self.agents[agent.name] = agent
        self.topics.beacon.add(agent)


def build(group: str, action: CompiledAction, kafka: KafkaConfig, open_lane: OpenLane) -> ActionApp:
    """The app of one action, not started. `group` is its consumer group."""
    chatter.mute()
    app = ActionApp(
        group,
        broker=[f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")],
        store="memory://",
        datadir=tempfile.gettempdir(),
        web_enabled=False,
        broker_commit_interval=kafka.commit_interval,
        broker_session_timeout=kafka.session_timeout,
        broker_heartbeat_interval=kafka.session_timeout / 6,
        broker_rebalance_timeout=max(60.0, kafka.session_timeout),
        broker_request_timeout=max(90.0, kafka.session_timeout),
        broker_max_poll_interval=MAX_POLL_INTERVAL_SECONDS,
        broker_max_poll_records=RECORDS_PER_FETCH_MAX,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
        stream_buffer_maxsize=16,
        topic_allow_declare=False,
        topic_disable_leader=True,
    )
    app.lanes = Lanes(action.name, open_lane, action.options.max_buffer_bytes, partial(count_batch, action.name))
    source = app.topic(*action.topics, schema=BatchSchema(), allow_empty=True)
    rows = app.channel(maxsize=16)
    _add_agents(app, action.rules, source, rows)
    return app


def _add_agents(app: ActionApp, rules: RuleSet, source: Any, rows: Any) -> None:
    async def evaluate(stream: Any) -> None:
        """Rules: a record batch becomes a row batch."""
        async for event in stream.noack().events():
            message = event.message
            if message.generation_id != app.consumer_generation_id:
                continue  # fetched before a rebalance: whoever has the partition now reads it again
            fetched = message.value
            with app.lanes.failing():
                batch = app.lanes.rows(rules, fetched.records)
            await rows.send(value=FetchedRows(message.tp, message.generation_id, fetched.end_offset, batch))

    async def write(stream: Any) -> None:
        """Sink: the rows of a partition go to its lane, which writes them to S3 in its own time."""
        async for fetched in stream:
            if fetched.generation == app.consumer_generation_id:
                with app.lanes.failing():
                    app.lanes.offer(fetched.partition, fetched.batch, fetched.end_offset)

    app.add_agent(f"{app.conf.id}.rules", source, evaluate)
    app.add_agent(f"{app.conf.id}.sink", rows, write)
