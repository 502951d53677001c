"""`tidegate api` on a real Kafka and a real port: two processes are one API."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest
from confluent_kafka import Producer

from agents.operate.operations import Operations
from pipeline.config.dump import dump
from pipeline.config.load import load
from pipeline.connectors.kafka.producer import ensure_topics
from pipeline.control.reporter import reported
from pipeline.errors import CommandError, ConfigError
from pipeline.record import message_record
from pipeline.web.server import WebDoor, serve
from tests.parts.api_process import config, found, running, sign_in_first
from tests.parts.part import KafkaPart
from tests.parts.rest import CONNECTOR, DIRECT, PASSWORD, RULE
from tests.parts.waiting import patient, pause

pytestmark = pytest.mark.real


async def test_two_processes_are_one_api(kafka: KafkaPart) -> None:
    """The first user comes by the link of one process; the session, the objects and the revisions are those of both."""
    settings = config(kafka)
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(running(settings)) for _ in range(2)]
        link = one.said[0].rpartition(" ")[2]
        form = {"token": link.rpartition("token=")[2], "username": "root", "password": PASSWORD}
        assert (await one.client.get(link)).status_code == 200
        assert (await one.client.post("/first_user", data=form)).headers["location"] == "/"
        token = (await one.client.post("/login", json={"username": "root", "password": PASSWORD})).json()["token"]
        for each in (one, two):
            each.client.headers["authorization"] = f"Bearer {token}"

        for path, body in (("/connectors", CONNECTOR), ("/actions", DIRECT), ("/rules", RULE)):
            assert (await one.client.post(path, json=body)).status_code == 201
        await found(two.client, "/rules/hot")
        before, after = await one.client.get("/rules/hot"), await two.client.get("/rules/hot")
        assert before.json() == after.json()
        assert before.headers["etag"] == after.headers["etag"]


async def test_changes_through_two_processes_do_not_mix(kafka: KafkaPart) -> None:
    """Whoever changes different fields of one rule through different processes at the same time loses nothing."""
    settings = config(kafka)
    async with AsyncExitStack() as stack:
        one, two = [await stack.enter_async_context(running(settings)) for _ in range(2)]
        token = one.said[0].rpartition("token=")[2]
        await one.client.post("/first_user", data={"token": token, "username": "root", "password": PASSWORD})
        session = (await one.client.post("/login", json={"username": "root", "password": PASSWORD})).json()["token"]
        for each in (one, two):
            each.client.headers["authorization"] = f"Bearer {session}"
        await one.client.post("/rules", json={**RULE, "actions": []})
        await found(two.client, "/rules/hot")
        answers = await asyncio.gather(
            *(one.client.put("/rules/hot", json={"description": f"number {number}"}) for number in range(3)),
            two.client.put("/rules/hot", json={"enable": False}),
        )

        async with asyncio.timeout(patient(20)):  # until it has read what was written through the other one
            while (rule := (await one.client.get("/rules/hot")).json())["enable"]:
                await pause(0.05)
        assert {each.status_code for each in answers} == {200}
        assert rule["description"].startswith("number ")  # the three were sent at the same time


async def test_a_process_that_reports_is_seen_and_its_end_too(kafka: KafkaPart) -> None:
    """An API process shows what a worker reports through Kafka, with its counters, until the worker has ended."""
    settings = config(kafka)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(running(settings))
        await sign_in_first(api)
        for path, body in (("/connectors", CONNECTOR), ("/actions", DIRECT), ("/rules", RULE)):
            await api.client.post(path, json=body)

        said = {"actions": {"s3:raw": {"status": "connected", "status_reason": "", "consumer_group": "g"}}}
        async with reported("worker", settings, lambda: said, lambda: settings, dict):
            await shown(api.client, "connected")
            nodes = (await api.client.get("/actions/s3:raw/metrics")).json()["node_metrics"]
            assert [each["node"].partition("@")[0] for each in nodes] == ["worker"]
            assert (await api.client.get("/connectors/s3:lake")).json()["status"] == "connected"
        await shown(api.client, "disconnected")


async def test_the_lag_of_an_action_is_shown(kafka: KafkaPart) -> None:
    """Each partition that an action reads has the lag that Kafka knows; before the first commit that is everything."""
    settings = config(kafka)
    topics = {"messages_topic": f"{settings.pipeline}.m", "events_topic": f"{settings.pipeline}.e", "partitions": 2}
    settings = load({**dump(settings), "kafka": {**dump(settings.kafka), **topics}})
    ensure_topics(settings.kafka)
    async with running(settings) as api:
        await sign_in_first(api)
        for path, body in (("/connectors", CONNECTOR), ("/actions", DIRECT), ("/rules", RULE)):
            await api.client.post(path, json=body)
        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
        for number in range(3):
            producer.produce(topics["messages_topic"], b"{}", b"c1", partition=number % 2)
        assert producer.flush(30) == 0

        found = (await api.client.get("/actions/s3:raw/partitions")).json()

        assert [(each["partition"], each["end"], each["committed"], each["lag"]) for each in found] == [
            (0, 2, None, 2),
            (1, 1, None, 1),
        ]


async def shown(client: httpx.AsyncClient, status: str) -> None:
    """Wait until the action has this status."""
    async with asyncio.timeout(patient(20)):
        while (await client.get("/actions/s3:raw")).json()["status"] != status:
            await pause(0.05)


async def test_a_process_that_cannot_serve_says_why(kafka: KafkaPart) -> None:
    """Without the section `control`, or beyond this machine without a user, nothing is opened."""
    settings = config(kafka)
    without = load({"pipeline": "p", "kafka": {"bootstrap_servers": kafka.bootstrap_servers}})

    with pytest.raises(ConfigError, match="control"):
        await serve(without, WebDoor(port=0), Operations(), say=print)
    with pytest.raises(CommandError, match="no user yet"):
        await serve(settings, WebDoor("0.0.0.0", 0), Operations(), say=print)


async def test_a_trace_sees_live_records(kafka: KafkaPart) -> None:
    """Records that come while a trace runs are in its log, with the object that each would become."""
    settings = config(kafka)
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(running(settings))
        await sign_in_first(api)
        for path, body in (("/connectors", CONNECTOR), ("/actions", DIRECT), ("/rules", RULE)):
            await api.client.post(path, json=body)
        await asyncio.to_thread(ensure_topics, settings.kafka)
        await api.client.post("/trace", json={"name": "live", "type": "ruleid", "ruleid": "hot"})
        producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
        record = {"topic": b"t/1", "payload": b"x", "clientid": b"c1", "clientid_from": b"session"}
        made = message_record(**record, qos=0, retain=False, dup=False, timestamp_ms=1)  # type: ignore[arg-type]

        async with asyncio.timeout(patient(30)):
            items = ""
            while "action_template_rendered" not in items:
                producer.produce(settings.kafka.messages_topic, made.value, made.key, headers=made.headers)
                producer.flush(1)
                await pause(0.2)
                items = (await api.client.get("/trace/live/log?bytes=100000")).json()["items"]
        assert "raw/c1/" in items
