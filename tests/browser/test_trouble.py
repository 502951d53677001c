"""What goes wrong, as a person meets it: an object that is gone, a form that is left."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from pipeline.errors import RetryableError
from tests.browser.person import Colleague
from tests.browser.places import PLACES, furnish, opened
from tests.parts.rest import CONNECTOR, DIRECT, RULE

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


@pytest.mark.parametrize("place", ["rules/gone", "actions/s3:gone", "connectors/s3:gone", "sources/mqtt:gone"])
async def test_the_page_of_a_deleted_object_says_so(colleague: Colleague, place: str) -> None:
    """An old link to something that is gone leads to its name and a sentence, and the lists are one click away."""
    page = colleague.page
    await furnish(colleague.api)
    await colleague.arrive(place)

    await expect(page.get_by_role("main").get_by_role("alert")).to_contain_text("gone")
    await page.get_by_role("link", name="Rules").click()
    await expect(page.get_by_role("link", name="hot", exact=True)).to_be_visible()


async def test_a_conflict_speaks_as_the_form_does(colleague: Colleague) -> None:
    """Two people edit one action: each setting that differs has its label, and a choice its words. The choice is saved."""
    page, client = colleague.page, colleague.client
    await furnish(colleague.api)
    await colleague.arrive("actions/s3:raw")
    await page.get_by_label("Bucket (required)").fill("mine")
    theirs = {**DIRECT, "parameters": {**DIRECT["parameters"], "missing": "dead_letter"}}
    assert (await client.put("/actions/s3:raw", json={k: theirs[k] for k in ("connector", "parameters")})).is_success
    await page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog")
    bucket = dialog.locator("section").filter(has=page.get_by_role("heading", name="Parameters › Bucket"))
    await expect(bucket.locator("pre")).to_have_text(["iot", "mine"])
    missing = dialog.locator("section").filter(has=page.get_by_role("heading", name="Parameters › Missing"))
    await expect(missing.locator("pre")).to_have_text(["Dead Letter", "Undefined"])

    await dialog.get_by_role("button", name="Save mine over it").click()
    await expect(dialog).to_have_count(0)
    await expect(page.get_by_role("heading", name="Actions (Sink)")).to_be_visible()
    assert colleague.api.log.snapshot.objects["action/s3/raw"].value["parameters"]["bucket"] == "mine"


async def test_short_forms_ask_before_they_are_left(colleague: Colleague) -> None:
    """Users, keys and the password: what is typed stays after "Stay", and goes after "Leave"."""
    page = colleague.page
    stay, leave = page.get_by_role("button", name="Stay"), page.get_by_role("button", name="Leave")
    await colleague.arrive()
    for place, opener in (("users", "Create user"), ("keys", "Create API key")):
        await colleague.go(place)
        await page.get_by_role("button", name=opener).click()
        name = page.get_by_role("dialog").get_by_label("Name")
        await name.fill("typed")
        await page.keyboard.press("Escape")
        await stay.click()
        await expect(name).to_have_value("typed")
        await page.keyboard.press("Escape")
        await leave.click()
        await expect(page.get_by_role("dialog")).to_have_count(0)

    await colleague.go("account")
    password = page.get_by_label("Present password")
    await password.fill("typed")
    await page.get_by_role("link", name="Rules").click()
    await stay.click()
    await expect(password).to_have_value("typed")
    await page.get_by_role("link", name="Rules").click()
    await leave.click()
    await expect(page.get_by_role("heading", name="Rules")).to_be_visible()


async def test_kafka_that_is_away_is_told_on_every_page(colleague: Colleague) -> None:
    """Why, and what it means for the user; a save that fails says so and keeps what is typed; it is stored when Kafka is back."""
    page, log = colleague.page, colleague.api.log
    await furnish(colleague.api)
    await colleague.arrive("rules/hot")
    await expect(page.get_by_label("Note")).to_be_visible()
    why = "cannot read plant.config: Kafka at 127.0.0.1:1 (kafka.bootstrap_servers) does not answer: nothing listens there"
    log.error, log.away = why, RetryableError(why, reason="transport")
    banner = page.locator(".banner")
    await expect(banner).to_contain_text("nothing can be stored until it is back")
    await page.get_by_label("Note").fill("typed")
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text(why)
    await expect(page.get_by_label("Note")).to_have_value("typed")
    log.error, log.away = "", None
    await expect(banner).to_have_count(0)
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="Rules")).to_be_visible()
    assert log.snapshot.objects["rule/hot"].value["description"] == "typed"

    log.error, log.away = why, RetryableError(why, reason="transport")
    for place in PLACES:
        await opened(page, colleague.address, place)
        await expect(banner).to_contain_text(why)


async def test_what_was_away_is_asked_again(colleague: Colleague) -> None:
    """A page that shows why Kafka does not answer shows what it was asked for when Kafka is back; nobody reloads it."""
    page = colleague.page
    away = {"code": "SERVICE_UNAVAILABLE", "message": "Kafka at kafka:9092 (kafka.bootstrap_servers) does not answer"}
    await page.route("**/dead_letters?*", lambda route: route.fulfill(status=503, json=away))
    await colleague.arrive("letters")
    await expect(page.get_by_role("alert")).to_have_text(away["message"])
    found = {"data": [], "groups": [], "meta": {"page": 1, "limit": 20, "count": 0, "hasnext": False}}
    await page.unroute("**/dead_letters?*")
    await page.route("**/dead_letters?*", lambda route: route.fulfill(json=found))

    await expect(page.get_by_text("There are no dead letters.")).to_be_visible(timeout=30_000)
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_store_that_is_away_is_told_where_it_matters(
    colleague: Colleague, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects, a test of the connection and a verification say that nothing listens there, and which settings to look at."""
    page = colleague.page
    monkeypatch.setenv("SECRET_OF_A_STORE", "secret")
    await colleague.api.objects(
        ("/connectors", {**CONNECTOR, "secret_access_key": "${SECRET_OF_A_STORE}"}),
        ("/actions", DIRECT),
        ("/rules", RULE),
    )
    said = "Connection refused; check `host` and `port` of the connector, and whether the store is up"
    await colleague.arrive("objects/s3:raw")
    await expect(page.get_by_role("alert")).to_contain_text(said)
    await colleague.go("connectors/s3:lake")
    await page.get_by_role("button", name="Test connectivity").click()
    await expect(page.get_by_role("alert")).to_contain_text(said)
    await colleague.go("overview")
    await expect(page.get_by_label("Needs attention")).to_contain_text(said)
    await colleague.go("connectors/s3:lake/statistics")
    await expect(page.get_by_label("By process")).to_contain_text(said)


async def test_a_server_that_starts_again_is_waited_for(colleague: Colleague) -> None:
    """While nobody answers every page says so; what is typed stays, and numbers and saves go on afterwards."""
    page = colleague.page
    await furnish(colleague.api)
    await colleague.arrive("rules/hot")
    await page.get_by_label("Note").fill("typed")
    await colleague.server.stop()
    await expect(page.locator(".banner")).to_contain_text("The page tries again; what you typed stays")
    await colleague.server.start()
    await expect(page.locator(".banner")).to_have_count(0)
    await page.get_by_role("button", name="Save", exact=True).click()
    await expect(page.get_by_role("heading", name="Rules")).to_be_visible()
    assert colleague.api.log.snapshot.objects["rule/hot"].value["description"] == "typed"
