"""The Faust wiring: each action has one consumer group and one Faust app, and a worker runs several apps.

    record batch ── rule agent (rules: records to rows) ──▶ sink agent (rows to lanes) ──▶ lanes write to S3

Both agents are Faust stream processors in the app of their action. So a bucket that is down delays no other action, and
each action has its own offsets, lag and replay. The agents never wait for S3: see transport.py and lane.py.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, NamedTuple, cast

import faust.app
from faust.types import TP

from agents.lanes.lanes import Lanes
from agents.metrics import count_batch
from agents.sinks.writers import OpenLane
from agents.stream import chatter
from agents.stream.credentials import credentials
from agents.stream.sharing.consumers import FetchMember, WorkerFetches
from agents.stream.stop import is_done_before
from agents.stream.transport import MAX_POLL_INTERVAL_SECONDS, BatchSchema, Transport
from pipeline.action import CompiledAction
from pipeline.config import KafkaConfig
from pipeline.log import get_logger
from pipeline.rule.batch import Evaluator, RowBatch

RECORDS_PER_FETCH_MAX: Final = 10_000
# How long a topic may have more partitions, or be another one of its name, before the group shares its partitions again. Without
# it a worker that had met no topic had no partitions for five minutes.
METADATA_SECONDS_MAX: Final = 10

log = get_logger("tidegate.app")


class FetchedRows(NamedTuple):
    """Rows of a partition, from the rule agent to the sink agent, with the assignment under which they were fetched.

    If rows are many, the batch has only the rows of its first records. The lane makes the others when there is room.
    """

    partition: TP
    generation: int
    end_offset: int
    batch: RowBatch


# The classes of parts of Faust that an action does not use. Their defaults would be imported.
_UNUSED: Final[dict[str, Any]] = dict.fromkeys(("HttpClient", "SetGlobalTable", "SetTable", "Worker"), object)


class ActionApp(faust.App):
    """A Faust app with lanes. Its transport asks the lanes for room and for progress.

    It avoids three searches of Faust through installed or loaded modules, which would cost more than the rest of its start.
    It has no fixups (the only one is for Django). Its transport is fixed. Its agents are not listed for Faust's own command
    line, which we do not use.
    """

    lanes: Lanes
    fetches: FetchMember  # what it shares with other actions of the worker
    rules: Evaluator  # under which rows are made first; a lane of another version makes them again

    def _init_fixups(self) -> list[Any]:
        return []

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    def add_agent(self, name: str, channel: Any, work: Callable[[Any], Awaitable[None]]) -> None:
        """Do what the decorator `agent` does, without listing the agent, which would search all modules."""
        agent = cast(Any, self.conf).Agent(
            work, name=name, app=self, channel=channel, on_error=self._on_agent_error, help=work.__doc__
        )
        self.agents[agent.name] = agent
        self.topics.beacon.add(agent)


def build(
    group: str,
    action: CompiledAction,
    kafka: KafkaConfig,
    open_lane: OpenLane,
    fetches: WorkerFetches | None = None,
) -> ActionApp:
    """Build the app of one action, without starting it. `group` is its consumer group; `fetches` are those of its worker."""
    chatter.mute()
    app = ActionApp(
        group,
        broker=[f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")],
        broker_client_id=kafka.client_id("worker", action.name),
        broker_credentials=credentials(kafka),
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
        consumer_metadata_max_age_ms=METADATA_SECONDS_MAX * 1000,
        stream_wait_empty=False,
        stream_buffer_maxsize=16,
        topic_allow_declare=False,
        topic_disable_leader=True,
        **_UNUSED,
    )
    app.lanes = Lanes(action.name, open_lane, action.options.max_buffer_bytes, partial(count_batch, action.name))
    app.fetches = FetchMember(action.name, fetches or WorkerFetches(), app.lanes.topic_id)
    source = app.topic(*action.topics, schema=BatchSchema(), allow_empty=True)
    rows = app.channel(maxsize=16)
    app.rules = action.evaluator
    _add_agents(app, source, rows)
    return app


@asynccontextmanager
async def running(app: ActionApp, stop: asyncio.Event) -> AsyncIterator[bool]:
    """Start an app, and stop it in the end. Yields False if `stop` came before it had started.

    One that cannot start is stopped too, or its producer and tasks would stay.
    """
    app.finalize()
    try:
        yield await is_done_before(stop, app.start())
    finally:
        await app.stop()
        app.fetches.leave()  # a consumer that could not be closed in time is still in it
        await app.lanes.close()


def _add_agents(app: ActionApp, source: Any, rows: Any) -> None:
    async def evaluate(stream: Any) -> None:
        """The rule agent: makes a row batch from each record batch."""
        async for event in stream.noack().events():
            message = event.message
            if message.generation_id != app.consumer_generation_id:
                continue  # fetched before a rebalance: the present owner of the partition reads it again
            fetched = message.value
            with app.lanes.failing():
                batch = app.lanes.rows(app.rules, fetched.records)
            await rows.put(FetchedRows(message.tp, message.generation_id, fetched.end_offset, batch))

    async def write(stream: Any) -> None:
        """The sink agent: gives the rows of a partition to its lane, which writes them to S3 in its own task."""
        async for fetched in stream:
            if fetched.generation == app.consumer_generation_id:
                with app.lanes.failing():
                    app.lanes.offer(fetched.partition, fetched.batch, fetched.end_offset)

    app.add_agent(f"{app.conf.id}.rules", source, evaluate)
    app.add_agent(f"{app.conf.id}.sink", rows, write)
