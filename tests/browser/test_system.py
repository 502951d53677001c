"""The overview, and what an administrator does beside the pipeline: users, keys, passwords, and what was changed."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import urlsplit

import pytest
from playwright.async_api import expect

from pipeline.control.history import OBJECT_STEP_MS, STEP_MS
from tests.browser.person import Colleague
from tests.parts.reports import INGRESS, OTHER, WORKER, part, report
from tests.parts.rest import CONNECTOR, DIRECT, PASSWORD, RULE, basic

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


async def test_the_overview_shows_the_pipeline_as_it_runs(colleague: Colleague) -> None:
    """Rates, lag and failures of the last hour, what does not work and why, and every process with its revision."""
    api, page = colleague.api, colleague.page
    await api.objects()
    for step in (0, 1, 2):
        counts = {
            "success": 50 * step,
            "objects": 10 * step,
            "object_bytes": 20_000 * step,
            "dead_letters": step,
            "queuing": 1234,
            "latency__count": 10 * step,
            "latency__sum_ms": 25_000 * step,
        }
        failing = part("disconnected", "403 from the store", **counts)
        report(api, WORKER, actions={"s3:raw": failing})
        report(api, INGRESS, sources={"mqtt:plant": part(received=100 * step, connections=3)})
        api.services.history.sample(api.clock.now_ms, api.services.board.reports(api.clock.now_ms))
        api.clock.now_ms += STEP_MS
    await colleague.arrive()

    shown = {
        "Messages in": "10/s",
        "End to end": "2.5 s",
        "Rows written": "5.0/s",
        "Records waiting": "1,234",
        "Objects": "20",
    }
    for name, value in {**shown, "Dead letters": "2", "Bytes": "40 kB"}.items():
        tile = page.locator(".tile").filter(has_text=name)
        await expect(tile).to_contain_text(value)
    await expect(page.get_by_label("Needs attention")).to_contain_text("403 from the store")
    processes = page.get_by_role("table")
    for words in (WORKER, INGRESS, "api"):
        await expect(processes).to_contain_text(words)
    await expect(page.locator("canvas")).to_have_count(6)


async def test_a_latency_that_nobody_measured_is_not_zero(colleague: Colleague) -> None:
    """While nothing gets to the store, the tile and the chart say so."""
    api, page = colleague.api, colleague.page
    await api.objects()
    for written in (0, 10, 10):
        counts = {"latency__count": written, "latency__sum_ms": 2_500 * written}
        report(api, WORKER, actions={"s3:raw": part("connected", **counts)})
        api.services.history.sample(api.clock.now_ms, api.services.board.reports(api.clock.now_ms))
        api.clock.now_ms += STEP_MS
    await colleague.arrive()

    await expect(page.locator(".tile").filter(has_text="End to end")).to_contain_text("–")
    await expect(page.get_by_role("figure").filter(has_text="End to end")).to_contain_text("Mean –")


async def test_the_overview_says_what_to_do_first(colleague: Colleague) -> None:
    """Without anything there, it leads to a connector; with one, to an action."""
    page = colleague.page
    await colleague.arrive()
    begin = page.get_by_label("Begin here")
    await expect(begin.get_by_role("link", name="Create connector")).to_be_visible()
    await colleague.store("/connectors", CONNECTOR)
    await page.reload()

    await expect(begin.get_by_role("link", name="Create action")).to_be_visible()


async def test_users_and_keys_are_made_and_taken_away(colleague: Colleague) -> None:
    """A refusal stays open with its reason. The secret of a key is shown once, and it works."""
    page = colleague.page
    await colleague.arrive("users")
    await page.get_by_role("button", name="Create user").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("eve")
    await dialog.get_by_label("Password").fill(PASSWORD)
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("there is already a user eve")
    await dialog.get_by_label("Name").fill("bob")
    await dialog.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("gridcell", name="bob", exact=True)).to_be_visible()
    await page.get_by_role("button", name="More for admin").click()
    await page.get_by_role("button", name="Delete").click()
    await dialog.get_by_role("button", name="Delete").click()
    await expect(dialog).to_contain_text("admin is the last administrator")
    await dialog.get_by_role("button", name="Close").click()

    await page.get_by_role("link", name="API keys").click()
    await page.get_by_role("button", name="Create API key").click()
    await dialog.get_by_label("Name").fill("scraper")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog).to_contain_text("the only time that the secret is shown")
    key, secret = await dialog.locator("dd code").all_inner_texts()
    header = {"authorization": f"Basic {b64encode(f'{key}:{secret}'.encode()).decode()}"}
    assert (await colleague.client.get("/rules", headers=header)).status_code == 200
    await dialog.get_by_role("button", name="Close").click()
    await page.get_by_label("Enable scraper").click()
    await expect(page.get_by_label("Enable scraper")).not_to_be_checked()
    assert (await colleague.client.get("/rules", headers=header)).status_code == 401


async def test_a_viewer_changes_only_the_own_password(colleague: Colleague) -> None:
    """The present password is asked for; the new one is valid at once. Nothing else of the people can be changed."""
    page = colleague.page
    await colleague.arrive("account", "eve")
    for old, said in (("not this one", "the old password is wrong"), (PASSWORD, "The password is changed")):
        await page.get_by_label("Present password").fill(old)
        await page.get_by_label("New password", exact=True).fill("another long one")
        await page.get_by_label("New password again").fill("another long one")
        await page.get_by_role("button", name="Change the password").click()
        await expect(page.locator(".notice")).to_contain_text(said)
    for place, name in (("users", "eve"), ("keys", "grafana"), ("history", "user/eve")):
        await colleague.go(place)
        await expect(
            page.get_by_role("gridcell", name=name).or_(page.get_by_role("button", name=name)).first
        ).to_be_visible()
        await expect(page.get_by_role("button", name="Create")).to_have_count(0)
        await expect(page.get_by_role("button", name=f"More for {name}")).to_have_count(0)

    login = {"username": "eve", "password": "another long one"}
    assert (await colleague.client.post("/login", json=login)).status_code == 200


async def test_the_history_shows_what_changed_and_brings_it_back(colleague: Colleague) -> None:
    """A change is shown side by side with what was before. A state comes back as a new change, also of what was deleted."""
    page, client = colleague.page, colleague.client
    await colleague.api.objects(
        ("/connectors", CONNECTOR), ("/actions", DIRECT), ("/rules", {**RULE, "description": "the first"})
    )
    await client.put("/rules/hot", json={"description": "<b>the second</b>"})
    await client.delete("/rules/hot")
    await colleague.arrive("history")
    changes = page.get_by_role("button", name="rule/hot")
    await changes.nth(1).click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("the first")
    await expect(dialog).to_contain_text("<b>the second</b>")
    await dialog.get_by_role("button", name="Bring this state back").click()
    await expect(dialog).to_contain_text("This state is stored again")

    assert (await client.get("/rules/hot")).json()["description"] == "<b>the second</b>"
    await dialog.get_by_role("button", name="Close").click()
    await expect(changes).to_have_count(4)


async def test_the_statistics_of_a_rule_and_an_action_are_shown_and_reset(colleague: Colleague) -> None:
    """All processes or one of them; what became of the messages; after a reset everything is 0. A connector names its users."""
    api, page = colleague.api, colleague.page
    await api.objects()
    report(
        api,
        WORKER,
        rules={
            "hot": part(matched=10, passed=7, failed__no_result=2, failed__exception=1, actions__success=6, rate=2.5)
        },
    )
    latency = {"latency__count": 10, "latency__sum_ms": 25_000, "latency__le.1": 4, "latency__le.5": 10}
    action = part(matched=9, success=8, conflated=3, rate=4.5, **latency)
    report(api, OTHER, rules={"hot": part(matched=1_000, passed=1_000)}, actions={"s3:raw": action})
    await colleague.arrive("rules/hot/statistics")
    outcome = page.get_by_label("What became of the messages")
    await expect(outcome).to_contain_text("Matched 1,010")
    await page.get_by_label("Process", exact=True).select_option(WORKER)
    await expect(outcome).to_contain_text("Matched 10")
    for line in ("Passed7", "No result2", "Failed1"):
        await expect(outcome.locator(".legend > div").filter(has_text=line)).to_have_count(1)
    await expect(page.locator(".tile").filter(has_text="Written by actions")).to_contain_text("6")
    await page.get_by_role("button", name="Reset").click()
    await expect(outcome).to_contain_text("Matched 0")

    await colleague.go("actions/s3:raw/statistics")
    await expect(outcome).to_contain_text("Matched 9")
    tiles = {"Replaced by newer rows": "3", "End to end, mean": "2.5 s", "Half within": "5.0 s"}
    for name, value in tiles.items():
        await expect(page.locator(".tile").filter(has_text=name)).to_contain_text(value)
    trend = page.get_by_role("figure").filter(has_text="Messages a second in the last hour")
    await expect(trend).to_contain_text("Now 4.5/s")
    await expect(trend.locator("canvas")).to_be_visible()
    await colleague.go("connectors/s3:lake/statistics")
    await expect(trend).to_contain_text("Now 4.5/s")
    await expect(page.get_by_label("By process")).to_contain_text(OTHER)
    await expect(page.get_by_label("Used by").get_by_role("link", name="raw")).to_be_visible()


async def test_a_page_that_is_opened_late_shows_what_was_before(colleague: Colleague) -> None:
    """The chart of a rule, an action, a source and a connector begins an hour ago, as the server knows it."""
    api, page = colleague.api, colleague.page
    await api.objects()
    for step in range(5):
        count = min(step, 2) * 3_000  # busy in the first two steps, and silent since then
        report(api, WORKER, actions={"s3:raw": part(matched=count)}, rules={"hot": part(matched=count)})
        report(api, INGRESS, sources={"mqtt:plant": part(received=count)})
        api.services.history.sample(api.clock.now_ms, api.services.board.reports(api.clock.now_ms))
        api.clock.now_ms += OBJECT_STEP_MS
    await colleague.arrive()

    for place in ("rules/hot", "actions/s3:raw", "sources/mqtt:plant", "connectors/s3:lake"):
        async with page.expect_response(lambda answer: answer.url.endswith("/monitor")):
            await colleague.go(f"{place}/statistics")
        chart = page.get_by_role("figure").filter(has_text="Messages a second in the last hour")
        await expect(chart).to_contain_text("Now 0/s")
        await expect(chart).to_contain_text("Highest 100/s")


async def test_a_rule_is_traced(colleague: Colleague) -> None:
    """A trace is made, read while it grows, stopped and deleted; a name that does not do is refused, and the form stays."""
    page, api = colleague.page, colleague.api
    await api.objects()
    await colleague.arrive("traces")
    await expect(page.get_by_text("There is no trace yet.")).to_be_visible()
    await page.get_by_role("button", name="Create trace").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("no/name")
    await dialog.get_by_label("Of", exact=True).select_option("Rule")
    await dialog.get_by_label("ID, clientid, topic filter or address").fill("hot")
    await dialog.get_by_role("button", name="Create").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("name")
    await dialog.get_by_label("Name").fill("debug")
    await dialog.get_by_role("button", name="Create").click()
    await page.get_by_role("button", name="debug", exact=True).click()
    await expect(dialog).to_contain_text("No message has come yet.")
    event = {"event_type": "message_publish", "topic": "t/1", "clientid": "<img src=x>", "payload": "{}"}
    await colleague.client.post("/rules/hot/test", json={"context": event})
    await expect(dialog.locator("pre")).to_contain_text("SQL_yielded_result")
    await expect(dialog.locator("pre")).to_contain_text("<img src=x>")
    async with page.expect_download() as download:
        await dialog.get_by_role("link", name="Download").click()
    assert (await download.value).suggested_filename == "debug.zip"
    await dialog.get_by_role("button", name="Close").click()

    more = page.get_by_role("button", name="More for debug")
    await more.click()
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("gridcell", name="Stopped")).to_be_visible()
    await more.click()
    await page.get_by_role("button", name="Delete").click()
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("There is no trace yet.")).to_be_visible()


async def test_alarms_and_counters_for_prometheus(colleague: Colleague) -> None:
    """What does not work, each with the way to it, or a sentence that all does; a key of a viewer reads what the page says."""
    api, page = colleague.api, colleague.page
    await api.objects()
    report(api, WORKER, actions={"s3:raw": part()})
    report(api, INGRESS, sources={"mqtt:plant": part("disconnected", "nobody listens there")})
    await colleague.arrive("alarms")
    await expect(page.get_by_role("row").filter(has_text="nobody listens there")).to_contain_text(INGRESS)
    await page.get_by_role("link", name="source/mqtt:plant").click()
    await expect(page.get_by_role("heading", name="mqtt:plant")).to_be_visible()
    report(api, INGRESS, sources={"mqtt:plant": part()})
    await colleague.go("alarms")
    await expect(page.get_by_text("Nothing is wrong")).to_be_visible()

    await colleague.go("prometheus")
    await page.get_by_label("Lines").select_option("One for each process")
    await expect(page.locator("pre")).to_contain_text(f'targets: ["{urlsplit(colleague.address).netloc}"]')
    await expect(page.locator("pre")).to_contain_text("mode: [all_nodes_unaggregated]")
    address = await page.get_by_role("link", name="Look at the counters").get_attribute("href")
    assert address is not None
    counters = await colleague.client.get(f"/{address.removeprefix('api/v5/')}", headers=basic("grafana"))
    assert f'node="{WORKER}"' in counters.text


async def test_the_configuration_is_archived_and_brought_back(colleague: Colleague) -> None:
    """An archive is made, downloaded, uploaded again and imported; a file that is none is refused in words."""
    page, api = colleague.page, colleague.api
    await api.objects()
    await colleague.arrive("backup")
    await expect(page.get_by_text("There is no archive yet.")).to_be_visible()
    await page.get_by_role("button", name="Make an archive").click()
    archive = page.get_by_role("link", name="tidegate-export-")
    async with page.expect_download() as download:
        await archive.click()
    path = await (await download.value).path()
    name = (await download.value).suggested_filename
    await page.get_by_role("button", name=f"More for {name}").click()
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    await expect(archive).to_have_count(0)

    chosen = page.locator("input[type=file]")
    await chosen.set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no archive"})
    await expect(page.get_by_role("alert")).to_contain_text("ends in .tar.gz")
    await chosen.set_input_files({"name": name, "mimeType": "application/gzip", "buffer": path.read_bytes()})
    await expect(archive).to_be_visible()
    await colleague.client.put("/rules/hot", json={"description": "changed since"})
    await page.get_by_role("button", name=f"More for {name}").click()
    await page.get_by_role("button", name="Import").click()
    await page.get_by_role("dialog").get_by_role("button", name="Import").click()
    await expect(page.get_by_text("Every object of the archive is stored now.")).to_be_visible()
    assert api.log.snapshot.objects["rule/hot"].value.get("description", "") == ""
