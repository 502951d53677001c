"""The actions of a worker are told with whom they share."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from agents.supervisor import ActionSupervisor
from pipeline.config import Config
from pipeline.connectors.kafka.producer import Producer
from pipeline.demo.process import free_port
from pipeline.rule.lines import LineRules


def config(**statements: str) -> Config:
    """A worker with an action for each statement."""
    nowhere = free_port()
    store = {"host": "127.0.0.1", "port": nowhere, "access_key_id": "a", "secret_access_key": "b"}
    parameters = {"mode": "aggregated", "bucket": "sink"}
    return Config.model_validate(
        {
            "pipeline": "test",
            "kafka": {"bootstrap_servers": f"127.0.0.1:{nowhere}"},
            "connectors": {"s3": {"store": store}},
            "actions": {
                "s3": {
                    name: {"connector": "store", "parameters": {**parameters, "key": f"{name}/${{offset}}.jsonl"}}
                    for name in statements
                }
            },
            "rules": {name: {"sql": sql, "actions": [f"s3:{name}"]} for name, sql in statements.items()},
        }
    )


async def test_actions_share_what_they_read_while_they_run_side_by_side() -> None:
    """Two actions of one FROM share from the start; the one that is left shares with nobody."""
    one, two = 'SELECT payload.n AS n FROM "t/#"', 'SELECT payload.text AS text FROM "t/#"'
    both = config(one=one, two=two, other='SELECT payload.n AS n FROM "u/#"')
    async with asyncio.TaskGroup() as group:
        supervisor = ActionSupervisor(both, cast(Producer, None), group)

        def readings() -> dict[str, Any]:
            found = {name: runner.evaluator for name, runner in supervisor.runners.items()}
            return {name: each.reading for name, each in found.items() if isinstance(each, LineRules)}

        await supervisor.become(both)
        together = readings()
        await supervisor.become(config(one=one))
        alone = readings()
        await supervisor.__aexit__(None, None, None)

    assert together["one"] is together["two"] is not None
    assert together["other"] is None
    assert alone == {"one": None}
