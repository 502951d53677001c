"""The cluster in numbers and words: counts, counters, alarms and the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.parts.reports import INGRESS, WORKER, part, report
from tests.parts.rest import Api


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api() as found:
        await found.objects()
        report(found, WORKER, actions={"s3:raw": part(success=3, dead_letters=1)})
        report(found, INGRESS, sources={"mqtt:plant": part(received=5, connections=2)})
        yield found


async def test_counts_are_of_all_and_counters_are_summed(api: Api) -> None:
    """Objects are counted once for the cluster; connections and messages are summed over the processes."""
    stats = (await api.client.get("/stats?aggregate=true")).json()
    metrics = (await api.client.get("/metrics?aggregate=true")).json()

    assert (stats["rules.count"], stats["actions.count"], stats["connections.count"]) == (1, 1, 2)
    assert (metrics["messages.received"], metrics["messages.sent"], metrics["messages.dropped"]) == (5, 3, 1)
    assert {each["node"] for each in (await api.client.get("/metrics")).json()} == {WORKER, INGRESS, "api"}


async def test_what_does_not_work_is_an_alarm(api: Api) -> None:
    """An action that is disconnected, and a process that cannot use the configuration, are alarms with their reasons."""
    assert (await api.client.get("/alarms")).json()["data"] == []
    report(api, WORKER, actions={"s3:raw": part("disconnected", "no bucket")})

    (found,) = (await api.client.get("/alarms")).json()["data"]
    assert (found["name"], found["node"], found["message"]) == ("action/s3:raw", WORKER, "disconnected: no bucket")
    assert (await api.client.get("/alarms?activated=false")).json()["data"] == []


async def test_the_audit_log_says_who_and_never_what(api: Api) -> None:
    """Each change has an author, a time and an object, the newest first, and no value."""
    found = (await api.client.get("/audit?limit=1")).json()

    (entry,) = found["data"]
    assert (entry["source"], entry["from"], entry["operation_type"]) == ("admin", "rest_api", "source")
    assert entry["operation_name"] == "put mqtt/plant"
    assert found["meta"]["hasnext"]
