"""What each object did in the last hour, as the API tells it, and what it takes to remember that."""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator

import pytest
from msgspec.structs import replace

from pipeline.control import history
from pipeline.control.history import OBJECT_KEPT, OBJECT_STEP_MS, STEP_MS, History, ObjectHistory
from pipeline.control.status import ProcessReport
from tests.parts.memory import traced
from tests.parts.reports import INGRESS, OTHER, WORKER, part, report
from tests.parts.rest import BEGAN_MS, DIRECT, Api

PLACES = ("rules/hot", "actions/s3:raw", "sources/mqtt:plant", "connectors/s3:lake")


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    async with Api(raise_errors=True) as found:
        await found.objects()
        yield found


def sampled(api: Api, count: int, other: int = 0) -> None:
    """Let a step pass, at whose end the processes have counted so much."""
    api.clock.now_ms += OBJECT_STEP_MS
    of_worker = {"actions": {"s3:raw": part(matched=count)}, "rules": {"hot": part(matched=count)}}
    report(api, WORKER, **of_worker)
    report(api, INGRESS, sources={"mqtt:plant": part(received=count)})
    if other:
        report(api, OTHER, actions={"s3:more": part(matched=other)})
    api.services.history.sample(api.clock.now_ms, api.services.board.reports(api.clock.now_ms))


async def told(api: Api, place: str, query: str = "") -> list[tuple[int, float]]:
    """Messages and messages a second, as the API says them."""
    answer = await api.client.get(f"/{place}/monitor{query}")
    return [(each["count"], each["rate"]) for each in answer.json()]


async def test_each_object_has_its_own_steps(api: Api) -> None:
    """A rule, an action, a source and a connector: what was counted in each step, the newest last, as many as were asked for."""
    for count in (100, 130, 130, 190):
        sampled(api, count)

    for place in PLACES:
        assert await told(api, place) == [(30, 1.0), (0, 0.0), (60, 2.0)]
        assert await told(api, place, "?latest=31") == [(0, 0.0), (60, 2.0)]
    times = [each["time_stamp"] for each in (await api.client.get("/rules/hot/monitor")).json()]
    assert times == [BEGAN_MS + each * OBJECT_STEP_MS for each in (2, 3, 4)]


async def test_a_connector_is_all_of_its_actions(api: Api) -> None:
    """The steps of its actions are added, in whichever process they run."""
    await api.objects(("/actions", {**DIRECT, "name": "more"}))
    for count in (0, 30, 60):
        sampled(api, count, other=count + 1)

    assert await told(api, "connectors/s3:lake") == [(60, 2.0), (60, 2.0)]


async def test_what_does_not_exist_has_no_steps(api: Api) -> None:
    """404 for each kind; 400 for no time at all."""
    for place in ("rules/no", "actions/s3:no", "sources/mqtt:no", "connectors/s3:no"):
        assert (await api.client.get(f"/{place}/monitor")).status_code == 404
    assert (await api.client.get("/rules/hot/monitor?latest=0")).status_code == 400


def worker(at: int, rules: dict[str, int], *, node: str = "worker@a", started_at: int = 0) -> ProcessReport:
    """A report with counts of rules."""
    parts = {id: part(matched=count) for id, count in rules.items()}
    return ProcessReport(node, "worker", at, started_at=started_at, parts={"rules": parts})


def test_steps_are_of_the_last_hour_and_gaps_are_nothing() -> None:
    """After more than an hour of silence, old counts are gone and the steps between are 0."""
    kept = ObjectHistory()
    counts = [0, 7, *[7] * (OBJECT_KEPT + 5), 9, 9]
    for number, count in enumerate(counts):
        kept.sample(number * OBJECT_STEP_MS, [worker(0, {"hot": count})])

    found = [each.count for each in kept.since(-1, "rules", ["hot"])]

    assert found == [*[0] * (OBJECT_KEPT - 2), 2, 0]


def test_only_what_was_seen_to_happen_counts() -> None:
    """A process that begins counts from 0, one that was silent from where it is, one that counts less counts nothing."""
    kept = ObjectHistory()
    seen = [
        [worker(0, {"hot": 50})],
        [worker(0, {"hot": 50}), worker(0, {"hot": 5}, node="worker@new", started_at=OBJECT_STEP_MS)],
        [worker(0, {"hot": 40}), worker(0, {"hot": 900}, node="worker@silent")],
        [worker(0, {"hot": 41, "cold": 3}), worker(0, {"hot": 902}, node="worker@silent")],
    ]
    for number, reports in enumerate(seen):
        kept.sample((number + 1) * OBJECT_STEP_MS, reports)

    assert [each.count for each in kept.since(0, "rules", ["hot"])] == [5, 0, 3]
    assert [each.count for each in kept.since(0, "rules", ["cold"])] == [0, 0, 3]


def test_what_was_counted_before_this_process_began_is_no_step() -> None:
    """Reports come some seconds after a start. What they have counted so far was not counted in the step in which they come."""
    kept = History()
    old, new = worker(0, {}), worker(0, {}, node="worker@new", started_at=STEP_MS + 1)
    for number, counts in enumerate(((), (9_000, 4), (9_050, 6))):
        processes = [] if not counts else zip((old, new), counts, strict=True)
        reports = [replace(each, parts={"actions": {"s3:raw": part(success=count)}}) for each, count in processes]
        kept.sample((number + 1) * STEP_MS, reports)

    assert [each.counts["sent"] for each in kept.since(0)] == [4, 52]


def test_a_step_of_which_nobody_knows_is_left_out() -> None:
    """If all reports are new, of processes that ran before, a step of nothing is untrue. Without processes it is true."""
    kept = History()
    for number, reports in enumerate(([], [], [worker(0, {})], [worker(0, {})])):
        kept.sample((number + 1) * STEP_MS, reports)

    assert [each.at for each in kept.since(0)] == [2 * STEP_MS, 4 * STEP_MS]


def test_the_longest_silent_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit of objects, those go whose last message is the oldest."""
    monkeypatch.setattr(history, "OBJECTS_MAX", 2)
    kept = ObjectHistory()
    for number, (a, b, c) in enumerate([(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0), (2, 1, 1)]):
        kept.sample(number * OBJECT_STEP_MS, [worker(0, {"a": a, "b": b, "c": c})])

    found = {id: sum(each.count for each in kept.since(-1, "rules", [id])) for id in "abc"}

    assert found == {"a": 2, "b": 0, "c": 1}


def test_thousands_of_rules_take_some_megabytes() -> None:
    """An hour of 5,000 busy rules takes less than 10 MB."""
    kept = ObjectHistory()
    names = [f"rule-{number}" for number in range(5_000)]
    reports = [[worker(0, dict.fromkeys(names, count))] for count in range(3)]
    with traced():
        before = tracemalloc.get_traced_memory()[0]
        for number, each in enumerate(reports):
            kept.sample(number * OBJECT_STEP_MS, each)
        took = tracemalloc.get_traced_memory()[0] - before

    assert len(kept.since(-1, "rules", names)) == 2
    assert took < 10_000_000
