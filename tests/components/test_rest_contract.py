"""The contract with EMQX's own clients, over HTTP: a row for each call of theirs that is built, with its answer.

The server is the real one, with the configuration in memory. The forms of answers are those of our own OpenAPI document.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx
import pytest

from pipeline.web.people.gate import PREFIX
from pipeline.web.server import WebDoor, run
from tests.parts.answers import schema_of, template_of, unfit
from tests.parts.reports import INGRESS, WORKER, part, report
from tests.parts.rest import CONNECTOR, DIRECT, PASSWORD, RULE, SOURCE, Api, basic

MESSAGE = {"event_type": "message_publish", "topic": "t/1", "payload": '{"temp": 21}'}


FILE = "file"


class Row(NamedTuple):
    """A call, and what it must give: a status, and the name of the schema of the answer.

    The name is "" if there is no content, "[X]" for a list, and FILE for content that is not JSON.
    """

    method: str
    path: str
    status: int
    answer: str = ""
    body: Any = None


AGGREGATED = {
    **DIRECT,
    "name": "hourly",
    "parameters": {
        "mode": "aggregated",
        "bucket": "iot",
        "key": "agg/${datetime.YYYY}/${action}_${node}_${datetime.unix}_${sequence}.csv",
        "container": {"type": "csv", "column_order": ["ts", "device"]},
        "aggregation": {"time_interval": "1h", "max_records": 100000},
        "min_part_size": "5mb",
        "max_part_size": "5gb",
    },
    "resource_opts": {"batch_size": 100, "batch_time": "10ms"},
}

DEBUG = {
    "name": "DEBUG_RULE_hot_1",
    "type": "ruleid",
    "ruleid": "hot",
    "payload_encode": "text",
    "formatter": "json",
    "end_at": "2099-01-01T00:00:00Z",
}

# In this order, for each row stands on those before it.
ROWS = [
    # people
    Row("POST", "/login", 200, "Login", {"username": "admin", "password": PASSWORD}),
    Row("POST", "/login", 401, "Error", {"username": "admin", "password": "wrong password"}),
    Row("GET", "/users", 200, "[User]"),
    Row("POST", "/users", 200, "User", {"username": "joe", "password": PASSWORD, "role": "viewer"}),
    Row("PUT", "/users/joe", 200, "User", {"role": "viewer", "description": "night shift"}),
    Row("POST", "/users/joe/change_pwd", 204, "", {"old_pwd": PASSWORD, "new_pwd": "another long one"}),
    Row("DELETE", "/users/joe", 204),
    Row("DELETE", "/users/joe", 404, "Error"),
    Row("POST", "/api_key", 200, "ApiKey", {"name": "new", "expired_at": "infinity", "enable": True, "desc": ""}),
    Row("GET", "/api_key", 200, "[ApiKey]"),
    Row("GET", "/api_key/new", 200, "ApiKey"),
    Row("PUT", "/api_key/new", 200, "ApiKey", {"enable": False, "expired_at": "2030-01-01T00:00:00Z"}),
    Row("DELETE", "/api_key/new", 204),
    # connectors
    Row("GET", "/connectors", 200, "[Connector]"),
    Row("POST", "/connectors", 201, "Connector", CONNECTOR),
    Row("POST", "/connectors", 400, "Error", CONNECTOR),
    Row("GET", "/connectors/s3:lake", 200, "Connector"),
    Row("GET", "/connectors/s3%3Alake", 200, "Connector"),
    Row("GET", "/connectors/s3%3Anone", 404, "Error"),
    Row("PUT", "/connectors/s3%3Alake", 200, "Connector", CONNECTOR),
    Row("PUT", "/connectors/s3%3Alake/enable/false", 204),
    Row("POST", "/connectors/s3%3Alake/start", 400, "Error"),
    Row("PUT", "/connectors/s3%3Alake/enable/true", 204),
    Row("POST", "/connectors/s3%3Alake/start", 400, "Error"),
    Row("POST", f"/nodes/{WORKER}/connectors/s3%3Alake/start", 400, "Error"),
    Row("POST", "/nodes/nobody/connectors/s3%3Alake/start", 404, "Error"),
    Row("POST", "/connectors_probe", 400, "Error", CONNECTOR),
    Row("GET", "/connector_types", 200, "Names"),
    # actions
    Row("GET", "/actions", 200, "[Action]"),
    Row("POST", "/actions", 201, "Action", DIRECT),
    Row("POST", "/actions", 201, "Action", AGGREGATED),
    Row("GET", "/actions/s3%3Ahourly", 200, "Action"),
    Row("PUT", "/actions/s3%3Ahourly", 200, "Action", AGGREGATED),
    Row("DELETE", "/actions/s3%3Ahourly", 204),
    Row("GET", "/actions_summary", 200, "[ActionSummary]"),
    Row("GET", "/action_types", 200, "Names"),
    Row("PUT", "/actions/s3%3Araw/enable/true", 204),
    Row("POST", "/actions/s3%3Araw/start", 400, "Error"),
    Row("POST", f"/nodes/{WORKER}/actions/s3%3Araw/start", 400, "Error"),
    Row("POST", "/actions_probe", 400, "Error", DIRECT),
    Row("GET", "/actions/s3:raw/metrics", 200, "Metrics"),
    Row("PUT", "/actions/s3:raw/metrics/reset", 204),
    # sources
    Row("GET", "/sources", 200, "[Source]"),
    Row("POST", "/sources", 201, "Source", SOURCE),
    Row("GET", "/sources/mqtt%3Aplant", 200, "Source"),
    Row("PUT", "/sources/mqtt%3Aplant", 200, "Source", SOURCE),
    Row("GET", "/sources_summary", 200, "[SourceSummary]"),
    Row("GET", "/source_types", 200, "Names"),
    Row("PUT", "/sources/mqtt%3Aplant/enable/false", 204),
    Row("POST", "/sources/mqtt%3Aplant/start", 400, "Error"),
    Row("PUT", "/sources/mqtt%3Aplant/enable/true", 204),
    Row("POST", f"/nodes/{INGRESS}/sources/mqtt%3Aplant/start", 400, "Error"),
    Row("POST", "/sources_probe", 400, "Error", SOURCE),
    Row("GET", "/sources/mqtt:plant/metrics", 200, "Metrics"),
    Row("PUT", "/sources/mqtt:plant/metrics/reset", 204),
    # rules
    Row("POST", "/rules", 201, "Rule", RULE),
    Row("POST", "/rules", 400, "Error", RULE),
    Row("GET", "/rules?page=1&limit=1000", 200, "Rules"),
    Row("GET", "/rules?page=1&limit=20&enable=true&from=t/%23&like_id=ho&like_from=t&match_from=t/1", 200, "Rules"),
    Row("GET", "/rules?like_description=x&action=s3:raw&action=s3:other&source=mqtt:plant", 200, "Rules"),
    Row("GET", "/rules?page=0", 400, "Error"),
    Row("GET", "/rules/hot", 200, "Rule"),
    Row("PUT", "/rules/hot", 200, "Rule", {"enable": False}),
    Row("PUT", "/rules/hot", 200, "Rule", {"enable": True}),
    Row("GET", "/rules/hot/metrics", 200, "RuleMetrics"),
    Row("PUT", "/rules/hot/metrics/reset", 204),
    Row("GET", "/rule_events", 200, "[RuleEvent]"),
    Row("POST", "/rule_test", 200, "Rows", {"sql": 'SELECT payload.temp AS t FROM "t/#"', "context": MESSAGE}),
    Row("POST", "/rule_test", 412, "Error", {"sql": 'SELECT * FROM "s/#"', "context": MESSAGE}),
    Row("POST", "/rule_test", 400, "Error", {"sql": "SELEC", "context": MESSAGE}),
    Row("POST", "/trace", 200, "Trace", DEBUG),
    Row("POST", "/trace", 400, "Error", DEBUG),
    Row(
        "POST", "/rules/hot/test", 200, "TriedRule", {"context": MESSAGE, "stop_action_after_template_rendering": False}
    ),
    Row("POST", "/rules/hot/test", 412, "Error", {"context": {**MESSAGE, "topic": "other"}}),
    Row("POST", "/rules/hot/test", 400, "Error", {"context": {"event_type": "none"}}),
    Row("POST", "/rules/none/test", 404, "Error", {"context": MESSAGE}),
    Row("GET", "/trace", 200, "[Trace]"),
    Row("GET", "/trace/DEBUG_RULE_hot_1/log_detail", 200, "[TraceSize]"),
    Row("GET", "/trace/DEBUG_RULE_hot_1/log?node=api&bytes=5000&position=0", 200, "TraceLog"),
    Row("GET", "/trace/DEBUG_RULE_hot_1/download?node=api", 200, FILE),
    Row("PUT", "/trace/DEBUG_RULE_hot_1/stop", 200, "StoppedTrace"),
    Row("DELETE", "/trace/DEBUG_RULE_hot_1", 204),
    Row("GET", "/trace/DEBUG_RULE_hot_1/log", 404, "Error"),
    Row("DELETE", "/trace", 204),
    # cluster
    Row("GET", "/nodes", 200, "[Node]"),
    Row("GET", f"/nodes/{WORKER}", 200, "Node"),
    Row("GET", "/nodes/nobody", 404, "Error"),
    Row("GET", "/cluster", 200, "Cluster"),
    Row("GET", "/monitor_current", 200, "Current"),
    Row("GET", "/monitor?latest=3600", 200, "[Step]"),
    Row("GET", f"/nodes/{WORKER}/stats", 200, "NodeStats"),
    Row("GET", "/nodes/nobody/stats", 404, "Error"),
    Row("GET", "/stats", 200, "Stats"),
    Row("GET", "/stats?aggregate=true", 200, "Stats"),
    Row("GET", "/metrics", 200, "Counters"),
    Row("GET", f"/metrics?aggregate=true&node={WORKER}", 200, "Counters"),
    Row("GET", "/metrics?node=nobody", 404, "Error"),
    Row("GET", "/alarms?activated=true&page=1&limit=10", 200, "Alarms"),
    Row("GET", "/audit?page=1&limit=10", 200, "Audit"),
    Row("POST", "/data/export", 200, "Backup"),
    Row("GET", "/data/files", 200, "Backups"),
    Row("POST", "/data/files", 400, "Error"),
    Row("GET", "/data/files/none.tar.gz", 404, "Error"),
    Row("DELETE", "/data/files/none.tar.gz", 404, "Error"),
    Row("POST", "/data/import", 404, "Error", {"filename": "none.tar.gz"}),
    Row("GET", "/configs", 200, "Configs"),
    Row("GET", "/configs?key=actions", 200, "Configs"),
    Row("GET", "/configs?key=zones", 400, "Error"),
    Row("PUT", "/configs?mode=merge", 200, "", {"actions": {"s3": {"raw": {"description": "all"}}}}),
    Row("PUT", "/configs?mode=replace&ignore_readonly=true", 200, "", {"schema_registry": {"schemas": {}}, "log": {}}),
    Row("PUT", "/configs", 400, "Error", {"log": {"console": {"level": "debug"}}}),
    Row("GET", "/rule_engine", 200, "RuleEngine"),
    Row("PUT", "/rule_engine", 200, "RuleEngine", {"jq_function_default_timeout": "1s"}),
    Row("PUT", "/rule_engine", 400, "Error", {"rules": {}}),
    # what Tidegate has none of
    Row("GET", "/bridges", 200, "None"),
    Row("GET", "/bridges/s3:lake", 404, "Error"),
    Row("GET", "/bridges/s3:lake/metrics", 404, "Error"),
    Row("POST", "/bridges", 400, "Error", CONNECTOR),
    Row("POST", "/bridges_probe", 400, "Error", CONNECTOR),
    Row("PUT", "/bridges/s3%3Alake", 404, "Error", CONNECTOR),
    Row("DELETE", "/bridges/s3%3Alake", 404, "Error"),
    Row("PUT", "/bridges/s3%3Alake/enable/true", 404, "Error"),
    Row("POST", "/bridges/s3%3Alake/start", 404, "Error"),
    Row("POST", f"/nodes/{WORKER}/bridges/s3%3Alake/start", 404, "Error"),
    Row("PUT", "/bridges/s3:lake/metrics/reset", 404, "Error"),
    Row("GET", "/exhooks", 200, "None"),
    Row("POST", "/exhooks", 400, "Error", {"name": "default", "url": "http://127.0.0.1:9000"}),
    Row("GET", "/exhooks/default", 404, "Error"),
    Row("PUT", "/exhooks/default", 404, "Error", {"name": "default", "url": "http://127.0.0.1:9000"}),
    Row("DELETE", "/exhooks/default", 404, "Error"),
    Row("GET", "/exhooks/default/hooks", 404, "Error"),
    Row("POST", "/exhooks/default/move", 404, "Error", {"position": "front"}),
    Row("GET", "/prometheus/data_integration?mode=all_nodes_unaggregated", 200, FILE),
    Row("GET", "/prometheus", 404, "Error"),
    Row("PUT", "/prometheus", 404, "Error", {"enable_basic_auth": False}),
    Row("GET", "/opentelemetry", 404, "Error"),
    Row("PUT", "/opentelemetry", 404, "Error", {"metrics": {}}),
    Row("GET", "/license", 404, "Error"),
    Row("GET", "/authentication", 200, "None"),
    Row("GET", "/authorization/sources", 200, "NoSources"),
    Row("GET", "/schemas/connectors", 200, "JsonSchemas"),
    Row("GET", "/schemas/actions", 200, "JsonSchemas"),
    Row("GET", "/schemas/hotconf", 200, "JsonSchemas"),
    # what is deleted, at the end
    Row("DELETE", "/actions/s3%3Araw", 400, "Error"),
    Row("DELETE", "/connectors/s3%3Alake", 400, "Error"),
    Row("DELETE", "/actions/s3%3Araw?also_delete_dep_actions=true", 204),
    Row("DELETE", "/connectors/s3%3Alake", 204),
    Row("DELETE", "/sources/mqtt%3Aplant?also_delete_dep_actions=true", 204),
    Row("DELETE", "/rules/hot", 204),
    Row("DELETE", "/rules/hot", 404, "Error"),
    Row("GET", "/nope", 404, "Error"),
    Row("POST", "/logout", 204, "", {"username": "admin"}),
]


class Server:
    """The API on a port of this machine, on a loop in a thread of its own."""

    def __init__(self) -> None:
        self._door = WebDoor(port=0)
        self._socket = self._door.opened()
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}{PREFIX}"
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="api")
        self._up = threading.Event()

    async def _serve(self) -> None:
        api = Api()
        await api.people()
        self.token = await api.token("admin")
        report(api, WORKER, actions={"s3:raw": part(matched=1, success=1)}, rules={"hot": part(matched=1)})
        report(api, INGRESS, sources={"mqtt:plant": part(received=1)})
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        self._up.set()
        await run(api.services, self._door, self._socket, self._stop)

    def __enter__(self) -> Server:
        self._thread.start()
        self._up.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with Server() as server, httpx.Client(base_url=server.url, timeout=30) as found:
        found.headers["authorization"] = f"Bearer {server.token}"
        yield found


def test_each_call_has_its_answer(client: httpx.Client) -> None:
    """Every row, in order: its status, the form of its answer, and errors in EMQX's form; 204 has no body at all."""
    wrong = [f"{row.method} {row.path}: {problem}" for row in ROWS if (problem := _problem(client, row))]

    assert not wrong, "\n".join(wrong)


def _problem(client: httpx.Client, row: Row) -> str:
    answer = client.request(row.method, row.path, json=row.body)
    if answer.status_code != row.status:
        return f"{answer.status_code} {answer.text[:300]}"
    if row.answer == FILE:
        return "" if answer.content and "json" not in answer.headers["content-type"] else "expected a file"
    if not row.answer:
        return "" if answer.content == b"" else f"expected no body, found {answer.text[:100]}"
    return "; ".join(_another_schema(row) + unfit(answer))


def _another_schema(row: Row) -> list[str]:
    """What the document says of the answer, if it is not the schema of the row."""
    one = {"$ref": f"#/components/schemas/{row.answer.strip('[]')}"}
    expected = {"type": "array", "items": one} if row.answer.startswith("[") else one
    said = schema_of(row.method, _path(row), row.status)
    return [] if said == expected or (said is None and row.status >= 400) else [f"the document says {said}"]


def test_every_path_of_the_document_has_a_row(client: httpx.Client) -> None:
    """No operation of the OpenAPI document is without a row, but those that are our own."""
    called = {(row.method, template_of(row.method, _path(row))) for row in ROWS}
    operations = {
        (method.upper(), path): f"{method.upper()} {path.removeprefix(PREFIX)}"
        for path, found in client.get("/openapi.json").json()["paths"].items()
        for method in found
    }

    missing = sorted(name for operation, name in operations.items() if operation not in called)
    assert [each for each in missing if not each.partition(" ")[2].startswith(OURS)] == []


def _path(row: Row) -> str:
    return f"{PREFIX}{row.path.partition('?')[0]}"


OURS = (
    "/schema_registry",
    "/trace/{name}/download",
    "/history",
    "/actions/{id}/partitions",
    *(f"/{kind}/{{id}}/monitor" for kind in ("rules", "actions", "sources", "connectors")),
    "/rule_functions",
    "/objects",
    "/dead_letters",
    "/jobs",
    "/ledger",
    "/rule_trial",
    "/rule_live",
    "/session",
    "/schemas/{setting}",
    "/{setting}_check",
    "/prometheus",
    "/nodes/{node}/actions",
    "/nodes/{node}/sources",
)


def test_the_exporter_of_emqx_finds_integers(client: httpx.Client) -> None:
    """A client that decodes strictly gets whole numbers as counters."""
    client.headers.update(basic("ci"))  # the session of the rows has ended with them
    client.post("/connectors", json=CONNECTOR)
    client.post("/actions", json=DIRECT)
    found = json.loads(client.get("/actions/s3:raw/metrics").text)

    for node in found["node_metrics"]:
        assert {type(value) for name, value in node["metrics"].items() if not name.startswith("rate")} == {int}


@pytest.mark.parametrize(
    ("path", "body"), [("/connectors", CONNECTOR), ("/actions", DIRECT), ("/sources", SOURCE), ("/rules", RULE)]
)
def test_what_a_client_reads_it_may_send_back(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """A client that changes one field sends all others as it got them: statuses, times and masks are no change."""
    client.headers.update(basic("ci"))
    id = body.get("id") or f"{body['type']}:{body['name']}"
    client.post(path, json=body)
    read = client.get(f"{path}/{id}").json()
    answer = client.put(f"{path}/{id}", json={**read, "description": "by day"})
    again = client.get(f"{path}/{id}").json()

    changing = {"description", "last_modified_at"}
    assert answer.status_code == 200, answer.text
    assert again["description"] == "by day"
    assert {name: value for name, value in again.items() if name not in changing} == {
        name: value for name, value in read.items() if name not in changing
    }
