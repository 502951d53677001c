"""Sources and connectors, as a person makes, switches and deletes them."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pytest
from playwright.async_api import expect

from tests.browser.person import Colleague
from tests.browser.places import furnish
from tests.parts.reports import INGRESS, OTHER, WORKER, part, report
from tests.parts.rest import CONNECTOR, DIRECT, RULE

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


async def test_a_source_is_made_changed_and_deleted(colleague: Colleague) -> None:
    """The type comes first, the form has the settings of this type, and a secret that is stored is not shown."""
    page, api = colleague.page, colleague.api
    await colleague.arrive("sources")
    await expect(page.get_by_text("There is no source yet.")).to_be_visible()
    await page.get_by_role("link", name="Create source").click()
    await page.get_by_role("link", name="MQTT broker").click()
    await page.get_by_label("Name (required)").fill("plant")
    await page.get_by_label("Server (required)").fill("127.0.0.1:1")
    await page.get_by_label("Topics (required)").fill("t/#\nu/+")
    await page.get_by_label("Password", exact=True).fill("file:///run/secrets/plant")
    await page.get_by_role("button", name="Test connectivity").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    await page.get_by_role("button", name="Create").click()
    report(api, INGRESS, sources={"mqtt:plant": part("disconnected", "nobody listens there", received=7)})
    await expect(page.get_by_role("link", name="plant", exact=True)).to_be_visible()
    await page.reload()
    await expect(page.get_by_title("nobody listens there")).to_have_text("Disconnected")

    await page.get_by_role("link", name="plant", exact=True).click()
    await expect(page.get_by_label("Password", exact=True)).to_have_value("file:///run/secrets/plant")
    await page.get_by_label("Server (required)").fill("127.0.0.1:2")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_text("127.0.0.1:2")).to_be_visible()
    stored = api.log.snapshot.config.sources.mqtt["plant"]
    assert (str(stored.server), stored.topics) == ("127.0.0.1:2", ["t/#", "u/+"])

    more, reconnect = page.get_by_role("button", name="More for plant"), page.get_by_role("button", name="Reconnect")
    await more.click()
    await expect(reconnect).to_be_visible()
    await page.keyboard.press("Escape")
    report(api, INGRESS, sources={"mqtt:plant": part(received=8)})
    await page.reload()
    await more.click()
    await expect(page.get_by_role("button", name="Delete")).to_be_visible()
    await expect(reconnect).to_have_count(0)
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("There is no source yet.")).to_be_visible()


@pytest.mark.parametrize(
    ("name", "type_", "bind"), [("EMQX ExHook", "exhook", "9000"), ("Listener", "listener", "1883")]
)
async def test_a_port_for_others_is_made(colleague: Colleague, name: str, type_: str, bind: str) -> None:
    """A port has nothing to connect to, so no test is offered; lists are lines; a label has the setting's name beside it."""
    page = colleague.page
    await colleague.arrive("sources/new")
    await page.get_by_role("link", name=name).click()
    await page.get_by_label("Name (required)").fill("port")
    await page.get_by_label("Bind").fill(f"127.0.0.1:{bind}")
    if type_ == "listener":
        await page.get_by_label("Topics (required)").fill("t/%c/#")
        file = page.get_by_label("Password File")
        await file.fill("/run/secrets/devices")
        await expect(page.locator(".field").filter(has=file)).to_contain_text("password_file")
    else:
        await page.get_by_label("Events").fill("client.connected\nclient.disconnected")
    await expect(page.get_by_role("button", name="Test connectivity")).to_have_count(0)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("link", name="port", exact=True)).to_be_visible()

    answer = (await colleague.client.get(f"/sources/{type_}:port")).json()
    assert answer["bind"] == f"127.0.0.1:{bind}"
    assert type_ == "listener" or answer["events"] == ["client.connected", "client.disconnected"]


async def test_what_is_in_use_is_switched_off_after_a_question(colleague: Colleague) -> None:
    """The question names what stops with it; a switch that nobody depends on asks nothing."""
    page, api = colleague.page, colleague.api
    await furnish(api)
    await colleague.arrive("connectors")
    switch, dialog = page.get_by_role("switch", name="Enable lake"), page.get_by_role("dialog")
    await switch.click()
    await expect(dialog).to_contain_text("raw")
    await dialog.get_by_role("button", name="Cancel").click()
    await expect(switch).to_be_checked()
    assert api.log.snapshot.config.connectors.s3["lake"].enable

    await switch.click()
    await dialog.get_by_role("button", name="Disable").click()
    stopped = page.get_by_role("gridcell").get_by_text("Stopped")
    await expect(stopped).to_be_visible()
    assert not api.log.snapshot.config.connectors.s3["lake"].enable
    await colleague.go("connectors/s3%3Alake/statistics")
    await expect(page.locator(".main")).to_contain_text("The action or its connector is switched off")
    await colleague.go("connectors")
    await switch.click()
    await expect(stopped).to_have_count(0)
    assert api.log.snapshot.config.connectors.s3["lake"].enable

    await colleague.go("actions")
    await page.get_by_role("switch", name="Enable raw").click()
    await expect(dialog).to_contain_text("hot")
    await dialog.get_by_role("button", name="Disable").click()
    await expect(page.get_by_role("switch", name="Enable raw")).not_to_be_checked()
    await colleague.go("rules")
    await page.get_by_role("switch", name="Enable hot").click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("switch", name="Enable hot")).not_to_be_checked()


async def test_a_connector_in_use_is_not_deleted(colleague: Colleague) -> None:
    """The refusal names what uses it, and offers nothing that would fail; afterwards the list is as it was."""
    page = colleague.page
    await furnish(colleague.api)
    await colleague.arrive("connectors")
    await page.get_by_role("button", name="More for lake").click()
    await page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(dialog.get_by_role("heading", name="lake is in use")).to_be_visible()
    await expect(dialog.get_by_role("listitem")).to_have_text(["raw"])
    await expect(dialog.get_by_role("button", name="Delete")).to_have_count(0)
    await dialog.get_by_role("button", name="Close").click()

    await expect(page.get_by_role("link", name="lake", exact=True)).to_be_visible()


async def test_one_object_is_switched_off_and_deleted_on_its_own_page(colleague: Colleague) -> None:
    """Off is stored with the form; whoever deletes a rule is asked about the actions that only it uses, and sees the list."""
    page, log = colleague.page, colleague.api.log
    await furnish(colleague.api)
    for place in ("connectors/s3%3Alake", "actions/s3%3Araw", "sources/mqtt%3Aplant", "rules/hot"):
        await (colleague.go(place) if place != "connectors/s3%3Alake" else colleague.arrive(place))
        await page.get_by_role("switch", name="Enabled").click()
        await page.get_by_role("button", name="Save", exact=True).click()
        await expect(page.get_by_role("link", name="Create")).to_be_visible()
    config = log.snapshot.config
    assert not config.connectors.s3["lake"].enable
    assert not config.actions.s3["raw"].enable
    assert not config.sources.mqtt["plant"].enable
    assert not config.rules["hot"].enable

    await colleague.go("rules/hot")
    await page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("listitem")).to_have_text(["s3:raw"])
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("There is no rule yet")).to_be_visible()
    assert not log.snapshot.config.actions.s3
    assert not log.snapshot.config.rules


async def test_an_action_is_previewed_on_the_statement_and_a_sample_of_its_user(colleague: Colleague) -> None:
    """The statement keeps its lines; where it selects nothing of the usual sample, the sample can be changed."""
    page = colleague.page
    sql = 'SELECT\n  clientid\nFROM\n  "t/#"\nWHERE\n  payload.temp > 30'
    await colleague.api.objects(("/connectors", CONNECTOR), ("/actions", DIRECT), ("/rules", {**RULE, "sql": sql}))
    await colleague.arrive("actions/s3%3Araw")
    await expect(page.get_by_label("SQL", exact=True)).to_have_value(sql)
    await expect(page.get_by_text("The statement does not match this event")).to_be_visible()
    await page.get_by_text("Sample event").click()
    sample = {"event_type": "message_publish", "topic": "t/1", "clientid": "warm", "payload": '{"temp": 31}'}
    await page.get_by_label("Sample event").fill(json.dumps(sample))
    await expect(page.locator(".object")).to_contain_text("iot/raw/warm/")


async def test_rules_are_found_by_topic_and_by_what_is_enabled(colleague: Colleague) -> None:
    """A topic finds the rules whose filters take it, contain it or are it; if no rule is left, one click shows all."""
    page = colleague.page
    await furnish(colleague.api)
    await colleague.store("/rules", {**RULE, "id": "cold", "sql": 'SELECT * FROM "u/+/x"', "enable": False})
    await colleague.arrive("rules")
    hot, cold = page.get_by_role("link", name="hot", exact=True), page.get_by_role("link", name="cold", exact=True)
    topic = page.get_by_label("Only rules with this topic")
    await topic.fill("u/a/x")
    await expect(cold).to_be_visible()
    await expect(hot).to_have_count(0)
    how = page.get_by_label("How the topic is looked for")
    for word, text, seen in (
        ("is", "u/+/x", cold),
        ("is", "t/#", hot),
        ("contains", "/#", hot),
        ("contains", "U/", cold),
    ):
        await how.select_option(f"Topic {word}")
        await topic.fill(text)
        await expect(page.get_by_text("1 of 2")).to_be_visible()
        await expect(seen).to_be_visible()
    await page.get_by_label("Enabled", exact=True).select_option("Enabled")
    await expect(page.get_by_text("Nothing here fits.")).to_be_visible()
    await page.get_by_role("button", name="Show all").click()

    await expect(hot).to_be_visible()
    await expect(cold).to_be_visible()


async def test_what_does_not_work_is_found_and_connected_again(colleague: Colleague) -> None:
    """The list of actions by status; each process's own reason for whoever points at it; one process is told to try again."""
    page, api = colleague.page, colleague.api
    await page.route("**/partitions", lambda route: route.fulfill(json=[]))  # there is no Kafka here
    await furnish(api)
    await colleague.store("/actions", {**DIRECT, "name": "cold"})
    for node, status, reason in ((WORKER, "disconnected", "403 from the store"), (OTHER, "connected", "")):
        report(api, node, actions={"s3:raw": part(status, reason), "s3:cold": part()})
    await colleague.arrive("actions")
    raw, cold = page.get_by_role("link", name="raw", exact=True), page.get_by_role("link", name="cold", exact=True)
    await page.get_by_label("Status", exact=True).select_option("Inconsistent")
    await expect(raw).to_be_visible()
    await expect(cold).to_have_count(0)
    reasons = page.get_by_role("gridcell").get_by_title(f"{WORKER}: Disconnected 403 from the store")
    await expect(reasons).to_have_attribute("title", re.compile(f"{OTHER}: Connected"))
    await page.get_by_label("Status", exact=True).select_option("Stopped")
    await expect(page.get_by_text("Nothing here fits.")).to_be_visible()

    await colleague.go("actions/s3:raw/statistics")
    processes = page.get_by_label("By process").get_by_role("row")
    await expect(processes.filter(has_text=WORKER)).to_contain_text("403 from the store")
    await expect(page.get_by_role("button", name=f"Reconnect on {OTHER}")).to_have_count(0)
    async with page.expect_request(f"**/nodes/{quote(WORKER)}/actions/s3%3Araw/start"):
        await page.get_by_role("button", name=f"Reconnect on {WORKER}").click()


async def test_a_flow_says_what_it_counts_and_is_tried_before_it_is_saved(colleague: Colleague) -> None:
    """Pointing at a rule shows how it stands in numbers; a drawn flow has a note, and runs on a sample."""
    page = colleague.page
    await page.route("**/partitions", lambda route: route.fulfill(json=[]))  # there is no Kafka here
    await furnish(colleague.api)
    await colleague.store("/rules", {**RULE, "id": "plain"})
    await colleague.arrive("flow")
    await page.get_by_label("Rule hot", exact=True).hover()
    for line in ("Matched9", "Passed8", "No result1", "Failed0"):
        await expect(page.locator(".counts > div").filter(has_text=line)).to_be_visible()
    await page.get_by_label("Action s3:raw", exact=True).hover()
    await expect(page.locator(".counts")).to_contain_text("StatusDisconnected")

    await colleague.go("flow/plain")
    await page.get_by_label("Note").fill("drawn with care")
    await page.get_by_role("button", name="Try it out").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Run").click()
    await expect(dialog.locator(".object")).to_contain_text("iot/raw/c_emqx/")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_label("Rule plain")).to_be_visible()

    assert colleague.api.log.snapshot.objects["rule/plain"].value["description"] == "drawn with care"


async def test_a_filter_of_a_flow_is_picked_or_written(colleague: Colleague) -> None:
    """Operators come from a menu, rows are joined by AND or OR; what is more than comparisons stays as text."""
    page = colleague.page
    await page.route("**/partitions", lambda route: route.fulfill(json=[]))  # there is no Kafka here
    await furnish(colleague.api)
    await colleague.store("/rules", {**RULE, "id": "picked", "sql": 'SELECT * FROM "t/#" WHERE qos > 0'})
    await colleague.arrive("flow/picked")
    await page.get_by_label("Filter qos > 0").click()
    panel = page.locator(".panel")
    await panel.get_by_label("Operator").select_option("<=")
    await panel.get_by_role("button", name="Add").click()
    await panel.get_by_label("Field or expression").last.fill("topic")
    await panel.get_by_label("Operator").last.select_option("=~")
    await panel.get_by_label("Compared with").last.fill("'t/1'")
    await panel.get_by_label("A message goes on when").select_option("one of them holds")
    await expect(page.get_by_label("Filter qos <= 0 OR topic =~ 't/1'")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(panel.get_by_label("A message goes on when")).to_have_value("AND")
    await page.get_by_role("button", name="Redo").click()
    await panel.get_by_role("button", name="Remove qos <= 0").click()
    await panel.get_by_role("button", name="Expression").click()
    text = panel.get_by_label("Condition (WHERE)").and_(panel.get_by_role("textbox"))
    await expect(text).to_have_value("topic =~ 't/1'")
    await text.fill("NOT topic =~ 't/1'")
    await expect(panel.get_by_role("button", name="Comparisons")).to_be_disabled()
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_label("Rule picked")).to_be_visible()

    sql = colleague.api.log.snapshot.objects["rule/picked"].value["sql"]
    assert sql.split("WHERE")[1].strip() == "NOT topic =~ 't/1'"


async def test_a_rule_is_found_in_a_large_flow(colleague: Colleague) -> None:
    """Words leave the rules that have them in name or topic, with what they feed; the rest comes back without them."""
    page = colleague.page
    await page.route("**/partitions", lambda route: route.fulfill(json=[]))  # there is no Kafka here
    await furnish(colleague.api)
    for n in range(50):
        await colleague.store("/rules", {**RULE, "id": f"line_{n}", "sql": f'SELECT * FROM "plant/{n}/#"'})
    await colleague.arrive("flow")
    parts = page.locator(".react-flow__node")
    await expect(page.get_by_label("Rule line_49", exact=True)).to_be_visible()
    whole = await parts.count()
    await page.get_by_label("Find rules by name or topic").fill("plant/17/")
    await expect(page.get_by_label("Rule line_17", exact=True)).to_be_visible()
    await expect(page.get_by_label("Action s3:raw", exact=True)).to_be_visible()
    await expect(page.get_by_label("Rule line_49", exact=True)).to_have_count(0)
    await page.get_by_label("Find rules by name or topic").fill("")
    await expect(parts).to_have_count(whole)


async def test_schemas_are_made_changed_and_taken_away(colleague: Colleague) -> None:
    """A schema of each language; a text that is none is refused at its place; one that a rule uses stays, with the reason."""
    page, client = colleague.page, colleague.client
    await colleague.arrive("schema_registry")
    await page.get_by_role("link", name="Create schema").click()
    source, language = page.get_by_label("Schema", exact=True), page.get_by_label("Language")
    for name, type_name in (("a", "JSON Schema"), ("b", "Avro"), ("c", "Protobuf")):
        await colleague.go("schema_registry/new")
        await page.get_by_label("Name").fill(name)
        await language.select_option(type_name)
        await page.get_by_role("button", name="Create").click()
        await expect(page.get_by_role("link", name=name, exact=True)).to_be_visible()
    found = (await client.get("/schema_registry")).json()
    assert [(each["name"], each["type"]) for each in found] == [("a", "json"), ("b", "avro"), ("c", "protobuf")]

    sql = "SELECT schema_decode('b', payload) AS read FROM \"t/#\""
    assert (await client.post("/rules", json={"id": "reader", "sql": sql, "actions": []})).status_code == 201
    await page.get_by_role("link", name="b", exact=True).click()
    await source.fill('{"type": "no such type"}')
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("the avro schema is refused")
    await source.fill('"long"')
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="Schemas")).to_be_visible()
    assert (await client.get("/schema_registry/b")).json()["source"] == '"long"'
    await page.get_by_role("button", name="More for b").click()
    await page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_role("button", name="Delete").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("used by the rules reader")
    await dialog.get_by_role("button", name="Close").click()
    await page.get_by_role("button", name="More for c").click()
    await page.get_by_role("button", name="Delete").click()
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("link", name="c", exact=True)).to_have_count(0)


async def test_a_list_of_objects_is_a_form(colleague: Colleague) -> None:
    """Ways to a clientid are added, wrong ones are told at their place until they are changed; nobody writes JSON."""
    page = colleague.page
    await colleague.arrive("sources/new?type=mqtt")
    await page.get_by_label("Name (required)").fill("plant")
    await page.get_by_label("Server (required)").fill("127.0.0.1:1")
    await page.get_by_label("Topics", exact=False).first.fill("t/#")
    ways = page.get_by_role("group", name="Client ID From")
    for _ in range(2):
        await ways.get_by_role("button", name="Add", exact=True).click()
    await ways.get_by_role("group", name="1").get_by_label("Topic").fill("t/%c/up")
    await ways.get_by_role("group", name="2").get_by_label("Payload").fill("device.id")
    await page.get_by_role("button", name="Create").click()
    await expect(ways.get_by_role("alert")).to_contain_text("expected {clientid}")
    await ways.get_by_role("group", name="1").get_by_label("Topic").fill("t/{clientid}/up")
    await expect(ways.get_by_role("alert")).to_have_count(0)
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("link", name="plant", exact=True).click()
    await expect(ways.get_by_role("group", name="2").get_by_label("Payload")).to_have_value("device.id")
    await ways.get_by_role("button", name="Remove 2").click()
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="Sources")).to_be_visible()

    stored = colleague.api.log.snapshot.objects["source/mqtt/plant"].value
    assert stored["clientid_from"] == [{"topic": "t/{clientid}/up"}]
