"""Statuses and metrics of the cluster over the API: what processes report adds up."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.control.history import STEP_MS
from pipeline.control.status import SILENT_MS
from tests.parts.reports import INGRESS, OTHER, WORKER, part, report
from tests.parts.rest import DIRECT, Api


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api(raise_errors=True) as found:
        await found.objects()
        yield found


async def test_an_action_is_as_its_workers_say(api: Api) -> None:
    """One worker connected: connected. One that is not beside it: inconsistent, with the reason of the one that fails."""
    report(api, WORKER, actions={"s3:raw": part()})
    one = (await api.client.get("/actions/s3:raw")).json()
    report(api, OTHER, actions={"s3:raw": part("disconnected", "403 from the store")})
    two = (await api.client.get("/actions/s3:raw")).json()

    assert (one["status"], one["status_reason"]) == ("connected", "")
    assert (two["status"], two["status_reason"]) == ("inconsistent", "403 from the store")
    assert [each["node"] for each in two["node_status"]] == [WORKER, OTHER]
    assert (await api.client.get("/rules/hot")).json()["action_details"][0]["status"] == "inconsistent"


async def test_a_connector_is_as_its_actions_say(api: Api) -> None:
    """A connector with a worker is connected when one of its actions is there."""
    report(api, WORKER, actions={"s3:raw": part()})

    found = (await api.client.get("/connectors/s3:lake")).json()

    assert (found["status"], found["node_status"][0]["node"]) == ("connected", WORKER)


async def test_a_connector_without_a_worker_is_tried(api: Api) -> None:
    """Without a worker this process connects itself, and says so."""
    found = (await api.client.get("/connectors/s3:lake")).json()

    assert found["status"] == "disconnected"
    assert found["status_reason"] != ""
    assert found["node_status"][0]["node"] == "api"


async def test_an_action_without_a_rule_stands_still(api: Api) -> None:
    """No worker runs an action that no enabled rule uses. This is no failure, so it is no alarm either."""
    await api.objects(("/actions", {**DIRECT, "name": "idle"}))

    found = (await api.client.get("/actions/s3:idle")).json()
    alarms = (await api.client.get("/alarms")).json()["data"]

    assert (found["status"], found["status_reason"]) == ("stopped", "no enabled rule uses it, so no worker runs it")
    assert [each["name"] for each in alarms] == ["action/s3:raw", "source/mqtt:plant"]


async def test_a_new_action_is_connecting_until_workers_know_of_it(api: Api) -> None:
    """A worker that follows an older revision has not begun with it. One that knows of it and says nothing does not run it."""
    report(api, WORKER, revision=0)
    before = (await api.client.get("/actions/s3:raw")).json()
    report(api, WORKER, revision=api.services.log.snapshot.revision)
    after = (await api.client.get("/actions/s3:raw")).json()

    assert (before["status"], before["status_reason"]) == ("connecting", "workers are about to run it")
    assert (after["status"], after["status_reason"]) == ("disconnected", "no worker reports on it")


async def test_a_silent_process_is_gone(api: Api) -> None:
    """A process that has not reported for 30 s does not count."""
    report(api, WORKER, actions={"s3:raw": part()})
    api.clock.now_ms += SILENT_MS

    found = (await api.client.get("/actions/s3:raw")).json()

    assert (found["status"], found["status_reason"], found["node_status"]) == (
        "disconnected",
        "no worker reports on it",
        [],
    )


async def test_a_process_that_has_ended_is_gone_at_once(api: Api) -> None:
    """The deletion of a report takes the process away."""
    report(api, WORKER, actions={"s3:raw": part()})
    api.services.board.take(WORKER, api.clock.now_ms, None)

    assert (await api.client.get("/nodes/" + WORKER)).status_code == 404


async def test_counters_add_up_and_stay_whole(api: Api) -> None:
    """Counters of processes are summed as integers, rates as numbers, in EMQX's names."""
    report(api, WORKER, actions={"s3:raw": part(matched=3, success=2, rate=1.5)})
    report(api, OTHER, actions={"s3:raw": part(matched=4, failed=1, rate=0.5)})

    found = (await api.client.get("/actions/s3:raw/metrics")).json()

    assert [found["metrics"][name] for name in ("matched", "success", "failed", "rate")] == [7, 2, 1, 2.0]
    assert {type(value) for name, value in found["metrics"].items() if "rate" not in name} == {int}
    assert [each["metrics"]["matched"] for each in found["node_metrics"]] == [3, 4]


async def test_a_reset_begins_at_nothing(api: Api) -> None:
    """After a reset only what came later counts, also of a process that has started meanwhile."""
    report(api, WORKER, rules={"hot": part(matched=10, passed=9, failed__no_result=1)})
    assert (await api.client.put("/rules/hot/metrics/reset")).status_code == 204
    zero = (await api.client.get("/rules/hot/metrics")).json()["metrics"]
    report(api, WORKER, rules={"hot": part(matched=12, passed=11)})
    report(api, OTHER, rules={"hot": part(matched=5)})

    found = (await api.client.get("/rules/hot/metrics")).json()

    assert (zero["matched"], zero["passed"], zero["failed.no_result"]) == (0, 0, 0)
    assert (found["id"], found["metrics"]["matched"], found["metrics"]["passed"]) == ("hot", 7, 2)


async def test_a_source_counts_from_its_reset_too(api: Api) -> None:
    """What came in before the reset is not shown, and a deleted source leaves no reset."""
    report(api, INGRESS, sources={"mqtt:plant": part(received=10, success=10)})
    assert (await api.client.put("/sources/mqtt:plant/metrics/reset")).status_code == 204
    report(api, INGRESS, sources={"mqtt:plant": part(received=12, success=11)})

    found = (await api.client.get("/sources/mqtt:plant/metrics")).json()["metrics"]
    await api.client.delete("/sources/mqtt:plant")

    assert (found["received"], found["success"]) == (2, 1)
    assert not [key for key in api.log.snapshot.objects if key.startswith("reset/")]


async def test_a_deleted_rule_leaves_no_reset(api: Api) -> None:
    """A rule that is created again under the same id begins at its own counts."""
    report(api, WORKER, rules={"hot": part(matched=10)})
    await api.client.put("/rules/hot/metrics/reset")
    await api.client.delete("/rules/hot")

    assert not [key for key in api.log.snapshot.objects if key.startswith("reset/")]


async def test_every_process_is_a_node(api: Api) -> None:
    """Workers, ingresses and this process are listed, with version, uptime and revision."""
    report(api, WORKER)
    report(api, INGRESS)

    nodes = (await api.client.get("/nodes")).json()

    assert [each["kind"] for each in nodes] == ["api", "ingress", "worker"]
    assert {each["node_status"] for each in nodes} == {"running"}
    assert (nodes[2]["uptime"], nodes[2]["revision"]) == (5_000, 7)
    assert (await api.client.get(f"/nodes/{INGRESS}")).json()["node"] == INGRESS


async def test_the_monitor_shows_what_each_step_brought(api: Api) -> None:
    """A sample has what was counted since the one before; a process that is new counts from its first report."""
    for received, success in ((5, 1), (25, 11), (25, 11)):
        report(api, INGRESS, sources={"mqtt:plant": part(received=received, connections=2)})
        report(api, WORKER, actions={"s3:raw": part(success=success, objects=success // 2, queuing=received - success)})
        api.services.history.sample(api.clock.now_ms, api.services.board.reports(api.clock.now_ms))
        api.clock.now_ms += STEP_MS

    samples = (await api.client.get("/monitor?latest=60")).json()
    now = (await api.client.get("/monitor_current")).json()

    assert [(each["received"], each["sent"], each["objects"]) for each in samples] == [(20, 10, 5), (0, 0, 0)]
    assert [each["lag"] for each in samples] == [14, 14]
    assert (now["received_msg_rate"], now["objects_rate"], now["connections"], now["lag"]) == (0.0, 0.0, 2, 14)


@pytest.mark.parametrize("mode", ["node", "all_nodes_aggregated", "all_nodes_unaggregated"])
async def test_prometheus_can_read_it(api: Api, mode: str) -> None:
    """The page is valid for Prometheus, in EMQX's names; unaggregated lines name the process."""
    report(api, WORKER, actions={"s3:raw": part(success=3)}, rules={"hot": part(matched=4, failed__no_result=1)})

    answer = await api.client.get("/prometheus/data_integration", params={"mode": mode})

    samples = [each for family in text_string_to_metric_families(answer.text) for each in family.samples]
    values = {each.name.removesuffix("_total"): (each.labels, each.value) for each in samples}
    node = {"node": WORKER} if mode == "all_nodes_unaggregated" else {}
    assert values["emqx_rules_count"] == ({}, 1)
    assert values["emqx_action_success"] == ({"id": "s3:raw", **node}, 3)
    assert values["emqx_rule_failed_no_result"] == ({"id": "hot", **node}, 1)
    assert values["emqx_connector_status"] == ({"id": "s3:lake"}, 1)
