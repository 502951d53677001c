"""Every place of the page, and a pipeline that has something to show at each."""

from __future__ import annotations

import json
from typing import Final

from playwright.async_api import Page, expect

from tests.parts.reports import INGRESS, WORKER, part, report
from tests.parts.rest import CONNECTOR, DIRECT, RULE, SOURCE, Api

# Every place, and a text that is there when it is complete.
PLACES: Final = {
    "overview": "Processes",
    "alarms": "action/s3:raw",
    "sources": "plant",
    "sources/new": "MQTT broker",
    "sources/new?type=mqtt": "Advanced settings",
    "sources/new?type=listener": "Advanced settings",
    "sources/mqtt%3Aplant": "Advanced settings",
    "sources/mqtt%3Aplant/statistics": "By process",
    "rules": "hot",
    "rules/new": "Actions of this rule",
    "rules/hot": "Actions of this rule",
    "rules/hot/statistics": "By process",
    "actions": "raw",
    "actions/new": "Preview on a sample",
    "actions/s3%3Araw": "Preview on a sample",
    "actions/s3%3Araw/statistics": "By process",
    "connectors": "lake",
    "connectors/new": "Advanced settings",
    "connectors/s3%3Alake": "Advanced settings",
    "connectors/s3%3Alake/statistics": "By process",
    "schema_registry": "reading",
    "schema_registry/new": "In a rule",
    "schema_registry/reading": "In a rule",
    "flow": "Bucket",
    "flow/new": "Draw a flow",
    "flow/hot": "Sink",
    "objects": "Objects",
    "letters": "Dead letters",
    "verify": "Verify",
    "replay": "Replay",
    "users": "administrator",
    "keys": "grafana",
    "history": "rule/hot",
    "backup": ".tar.gz",
    "prometheus": "scrape_configs",
    "traces": "followed",
    "account": "Change the password",
    "nowhere": "There is no such page",
}
HOSTILE: Final = "<img src=x onerror=alert(1)></script>{{7*7}}${7*7}\u202egnp.exe"


async def furnish(api: Api, text: str = "a note") -> None:
    """One object of each kind, two processes, and a text that somebody else wrote wherever one can be."""
    topic = f"t/{text}/#".replace("#", "").rstrip("/") if text == HOSTILE else "t"
    sql = f"SELECT clientid, '{text}' AS said FROM \"{topic}/#\""
    await api.objects(
        ("/connectors", {**CONNECTOR, "description": text}),
        ("/actions", {**DIRECT, "description": text}),
        ("/rules", {**RULE, "sql": sql, "description": text}),
        ("/sources", SOURCE),
        (
            "/schema_registry",
            {"name": "reading", "type": "avro", "source": json.dumps({"type": "string", "doc": text})},
        ),
    )
    await api.client.put("/users/eve", json={"description": text})
    await api.client.put("/api_key/ci", json={"desc": text})
    await api.client.post("/data/export")
    await api.client.post("/trace", json={"name": "followed", "type": "clientid", "clientid": text})
    counts = part("disconnected", text, matched=12, success=3, failed=1, queuing=5)
    report(api, WORKER, actions={"s3:raw": counts}, rules={"hot": part(matched=9, passed=8, failed__no_result=1)})
    report(api, INGRESS, sources={"mqtt:plant": part(received=5)})


async def opened(page: Page, address: str, place: str) -> None:
    """Go to a place, and wait until it is complete."""
    await page.goto(f"{address}#/{place}")
    await expect(page.get_by_role("main").get_by_text(PLACES[place]).first).to_be_visible()
