"""The editor of a rule, and what belongs to it: completion, examples, live messages, deleting, and a connection that is lost."""

from __future__ import annotations

import asyncio

import pytest
from confluent_kafka import Producer
from playwright.async_api import expect

from pipeline.connectors.kafka.topics import ensure_topics
from tests.browser.person import Colleague, Person
from tests.parts.api_process import config
from tests.parts.part import KafkaPart
from tests.parts.records import published
from tests.parts.rest import CONNECTOR, DIRECT, PASSWORD, RULE

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


async def test_columns_of_the_event_are_completed_with_their_help(colleague: Colleague) -> None:
    """FROM decides: the columns of a disconnection are not those of a message. Functions say their signature."""
    page = colleague.page
    await colleague.api.objects()
    await colleague.arrive("rules/new")
    editor = page.get_by_label("SQL", exact=True)
    help_shown = page.locator(".cm-completionInfo")
    for statement, typed, named, said in (
        ('SELECT * FROM "t/#" WHERE ', "publish_r", "publish_received_at", "when the message came"),
        (
            'SELECT * FROM "$events/client/disconnected" WHERE ',
            "disconnected_",
            "disconnected_at",
            "when the client disconnected",
        ),
        ('SELECT * FROM "t/#" WHERE ', "sprin", "sprintf", ""),
    ):
        await editor.fill(statement)
        await editor.press("Control+End")
        await page.keyboard.type(typed)
        await expect(page.locator(".cm-completionLabel").filter(has_text=named).first).to_be_visible()
        await expect(help_shown).to_contain_text(said)
        await page.keyboard.press("Escape")

    await editor.fill("upper(clientid)")
    await page.locator(".cm-line").hover(position={"x": 24, "y": 8})
    await expect(page.locator(".explained")).to_contain_text("upper(")

    await editor.fill('SELECT * FROM "nowhere/#"')
    await expect(page.get_by_role("status").filter(has_text="'nowhere/#' gets nothing")).to_be_visible()
    await editor.fill('SELECT * FROM "t/#"')
    await expect(page.get_by_role("status").filter(has_text="gets nothing")).to_have_count(0)


async def test_an_example_is_read_run_and_used(colleague: Colleague) -> None:
    """Each shows its event and its result; there is one for each event; using it sets the statement and the sample."""
    page = colleague.page
    await colleague.arrive("rules/new")
    await page.get_by_role("button", name="SQL examples").click()
    dialog = page.get_by_role("dialog")
    events = (await colleague.client.get("/rule_events")).json()
    for event in events:
        await expect(dialog.get_by_text(event["title"]["en"], exact=True)).to_be_visible()
    example = dialog.locator("details").filter(has_text="A row for some elements of a list")
    await example.locator("summary").click()
    await expect(example).to_contain_text('"device": "b"')
    await example.get_by_role("button", name="Use this").click()

    await expect(page.get_by_label("SQL", exact=True)).to_contain_text("INCASE")
    await page.get_by_role("button", name="Run").click()
    await expect(page.locator("pre").filter(has_text='"device": "b"')).to_be_visible()


async def test_a_statement_is_tried_on_live_messages(person: Person, kafka: KafkaPart) -> None:
    """Before it is saved: what FROM selects is shown with its rows and objects, or the error; what it does not is left out.

    If the statement changes meanwhile, the page says that the list shows the old one.
    """
    page = person.page
    await person.arrive()
    await person.program()
    await person.store("/connectors", CONNECTOR)
    await person.store("/actions", DIRECT)
    await asyncio.to_thread(ensure_topics, config(kafka).kafka)
    await person.go("rules/new?action=s3:raw")
    await page.get_by_role("button", name="On live messages").click()
    await page.get_by_role("button", name="Enable Debug").click()
    await expect(page.get_by_text("Waiting for messages that FROM selects")).to_be_visible()
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    hostile = "<img src=x onerror=alert(1)>"

    trials = page.locator(".trials details")
    while not await trials.count():  # the stream begins at the end of the topic, whenever it gets there
        for topic, clientid in (("t/1", hostile), ("other", "nobody")):
            record = published(topic=topic.encode(), clientid=clientid.encode(), payload=b'{"temp": 21}')
            producer.produce("mqtt.messages", record.value, record.key, headers=list(record.headers))
        await asyncio.to_thread(producer.flush, 20)
        await page.wait_for_timeout(300)
        await expect(page.get_by_role("alert")).to_have_count(0)  # it would say why nothing comes
    await expect(trials.first).to_contain_text(hostile)
    await trials.first.locator("summary").click()
    await expect(trials.first.locator(".object")).to_contain_text("iot/raw/<img src=x onerror=alert(1)>/")
    await expect(trials.first.locator("pre").last).to_contain_text(r'"{\"temp\": 21}"')
    await expect(page.get_by_text("The list stands still while a message is open.")).to_be_visible()
    await page.get_by_label("Payloads").select_option("hex")
    await expect(trials.first.locator("pre").last).to_contain_text("7b 22 74 65 6d 70 22 3a 20 32 31 7d")
    await expect(trials.filter(has_text="nobody")).to_have_count(0)
    text = page.get_by_role("textbox", name="SQL")
    await text.fill('SELECT * FROM "none/#"')
    await page.get_by_role("button", name="Try it as it is now").click()
    await expect(page.get_by_text("Waiting for messages that FROM selects")).to_be_visible()
    await expect(page.get_by_text("You have changed the rule meanwhile.")).to_have_count(0)
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("button", name="Enable Debug")).to_be_visible()


async def test_a_rule_goes_with_the_actions_that_nobody_else_uses(colleague: Colleague) -> None:
    """An action of another rule stays. A copy begins with what the rule has."""
    page, client = colleague.page, colleague.client
    shared = {**DIRECT, "name": "shared"}
    rule = {**RULE, "actions": ["s3:raw", "s3:shared"]}
    other = {**RULE, "id": "other", "actions": ["s3:shared"]}
    await colleague.api.objects(
        ("/connectors", CONNECTOR), ("/actions", DIRECT), ("/actions", shared), ("/rules", rule), ("/rules", other)
    )
    await colleague.arrive("rules")
    await page.get_by_role("button", name="More for hot").click()
    await page.get_by_role("link", name="Duplicate").click()
    await page.get_by_label("Rule ID").fill("copy")
    await page.get_by_label("Take s3:raw away").click()
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("link", name="copy", exact=True)).to_be_visible()
    assert (await client.get("/rules/copy")).json()["actions"] == ["s3:shared"]

    await page.get_by_role("button", name="More for hot").click()
    await page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("listitem")).to_have_text(["s3:raw"])
    await dialog.get_by_role("button", name="Delete").click()
    await expect(dialog).to_have_count(0)
    assert [each["name"] for each in (await client.get("/actions")).json()] == ["shared"]


async def test_an_action_and_its_connector_are_made_inside_a_rule(colleague: Colleague) -> None:
    """A dialog over a dialog: each is stored when it is created, and chosen where it was missing; the rule stays open."""
    page, api = colleague.page, colleague.api
    await colleague.arrive("rules/new")
    await page.get_by_label("Rule ID").fill("inside")
    await page.get_by_role("button", name="New action").click()
    action, connector = page.get_by_role("dialog").first, page.get_by_role("dialog").last
    await action.get_by_label("Name (required)").fill("raw")
    await action.get_by_role("button", name="New connector").click()
    await connector.get_by_role("button", name="MinIO").click()
    await connector.get_by_label("Name (required)").fill("lake")
    await connector.get_by_label("Host (required)").fill("127.0.0.1")
    await connector.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("dialog")).to_have_count(1)
    await expect(action.get_by_label("Connector")).to_have_value("lake")
    await action.get_by_label("Mode", exact=True).select_option("direct")
    await action.get_by_label("Bucket (required)").fill("iot")
    await action.get_by_label("Key (required)").fill("${id}")
    await action.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("link", name="inside")).to_be_visible()

    assert {"connector/s3/lake", "action/s3/raw"} <= api.log.snapshot.objects.keys()
    assert api.log.snapshot.objects["rule/inside"].value["actions"] == ["s3:raw"]


async def test_what_is_on_the_screen_is_saved_as_a_copy(colleague: Colleague) -> None:
    """The copy has what is typed, and the old object stays; a name that is taken is refused, and nothing is lost."""
    page, client = colleague.page, colleague.client
    await colleague.api.objects()
    await colleague.arrive("rules/hot")
    await page.get_by_label("Note").fill("typed")
    await page.get_by_role("button", name="Save as copy").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Rule ID").fill("hot")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("hot")
    await dialog.get_by_label("Rule ID").fill("hotter")
    await dialog.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name="hotter")).to_be_visible()
    await expect(page.get_by_label("Note")).to_have_value("typed")
    await expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()
    notes = [(await client.get(f"/rules/{each}")).json()["description"] for each in ("hot", "hotter")]
    assert notes == ["", "typed"]

    for place in ("actions/s3:raw", "connectors/s3:lake", "sources/mqtt:plant"):
        await colleague.go(place)
        await page.get_by_label("Description").fill("typed")
        await page.get_by_role("button", name="Save as copy").click()
        await dialog.get_by_role("button", name="Create").click()
        await expect(page.get_by_role("heading", name="_copy")).to_be_visible()
        await expect(page.get_by_label("Description")).to_have_value("typed")
        notes = [(await client.get(f"/{place}{end}")).json()["description"] for end in ("", "_copy")]
        assert notes == ["", "typed"]


async def test_a_lost_connection_loses_nothing_that_is_typed(colleague: Colleague) -> None:
    """The page says that the server is away; what was typed meanwhile is there, and is saved when it is back."""
    page = colleague.page
    await colleague.api.objects()
    await colleague.arrive("rules/hot")
    note, editor = page.get_by_label("Note"), page.get_by_label("SQL", exact=True)
    await note.fill("before")
    await page.route("**/api/**", lambda route: route.abort())
    await note.fill("typed while away")
    await editor.press("Control+End")
    await page.keyboard.type(" WHERE qos = 1")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("the server cannot be reached")
    await expect(note).to_have_value("typed while away")
    await page.unroute("**/api/**")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="Rules")).to_be_visible()

    rule = (await colleague.client.get("/rules/hot")).json()
    assert (rule["description"], rule["sql"]) == ("typed while away", f"{RULE['sql']} WHERE qos = 1")


async def test_a_session_that_ends_loses_nothing_that_is_typed(colleague: Colleague) -> None:
    """The user signs in over the page, and goes on."""
    page, services = colleague.page, colleague.api.services
    await colleague.api.objects()
    await colleague.arrive("rules/hot")
    await page.get_by_label("Note").fill("typed before")
    await page.context.clear_cookies()
    # Not `click`: the question may be over the button already, because the page asks for more than this.
    await page.get_by_role("button", name="Save", exact=True).dispatch_event("click")
    await expect(page.get_by_text("Your session has ended")).to_be_visible()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="Rules")).to_be_visible()

    assert services.log.snapshot.objects["rule/hot"].value["description"] == "typed before"


async def test_live_numbers_go_on_after_a_session_ended(colleague: Colleague) -> None:
    """The stream of a session that ends is refused; after a new sign-in over the page it tells news again, and nobody reloads."""
    page, log = colleague.page, colleague.api.log
    await colleague.api.objects()
    await colleague.arrive("rules/hot")
    await page.get_by_label("Note").fill("typed")
    await page.context.clear_cookies()
    await colleague.server.stop()  # the stream that is open asks nobody; the next one has no session
    await colleague.server.start()
    await expect(page.get_by_text("Your session has ended")).to_be_visible()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    log.error = "cannot read plant.config"

    await expect(page.locator(".banner")).to_contain_text(log.error)
    await expect(page.get_by_label("Note")).to_have_value("typed")
