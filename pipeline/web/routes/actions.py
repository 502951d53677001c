"""Actions, and their light list."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import Response

from pipeline.config import Config, S3Action
from pipeline.control.objects import Snapshot
from pipeline.control.status import Together
from pipeline.web.answers import Json, RequestError
from pipeline.web.desk import Desk, Services
from pipeline.web.document import errors, told
from pipeline.web.objects.kinds import KINDS, NamedObject
from pipeline.web.objects.writing import Edit
from pipeline.web.probes import probe_action
from pipeline.web.routes.resources import Family, router_of
from pipeline.web.standing import of_action

KIND = KINDS["actions"]


def _users(config: Config, named: NamedObject) -> Mapping[str, list[str]]:
    return {"rules": [id for id, rule in config.rules.items() if named.id in rule.actions]}


async def _statuses(services: Services, config: Config, actions: list[NamedObject]) -> Mapping[str, Together]:
    reports = services.board.reports(services.now_ms())
    return {each.id: of_action(config, reports, each) for each in actions}


async def _probe(config: Config, named: NamedObject) -> None:
    assert isinstance(named.section, S3Action)
    await probe_action(config, named.section)


def _removal(snapshot: Snapshot, named: NamedObject, also: bool) -> Edit:
    rules = _users(snapshot.config, named)["rules"]
    if rules and not also:
        raise RequestError(
            "BAD_REQUEST",
            f"the action {named.id} is used by the rules {', '.join(rules)}; delete these first, or send"
            " also_delete_dep_actions=true to take it out of them",
            fields={"rules": rules},
        )
    stored = {f"rule/{id}": snapshot.objects[f"rule/{id}"] for id in rules}
    puts = {
        key: {**each.value, "actions": [id for id in each.value["actions"] if id != named.id]}
        for key, each in stored.items()
    }
    expected = {key: each.revision for key, each in stored.items()}
    return Edit(puts, frozenset([KIND.key(named.type, named.name)]), expected)


FAMILY = Family(KIND, "Action", _statuses, _users, _probe, _removal, "worker")
router = router_of(FAMILY)


@router.get("/actions_summary", responses=told(200, "ActionSummary", many=True) | errors())
async def summary(desk: Desk) -> Response:
    """All actions with status and rules, without their settings."""
    config = desk.log.snapshot.config
    actions = sorted(KIND.all(config), key=lambda each: each.name)
    statuses = await _statuses(desk, config, actions)
    return Json([_line(config, each, statuses[each.id]) for each in actions])


def _line(config: Config, named: NamedObject, status: Together) -> dict[str, object]:
    action = named.section
    assert isinstance(action, S3Action)
    return {
        "type": named.type,
        "name": named.name,
        "connector": action.connector,
        "enable": action.enable,
        "description": action.description,
        "tags": list(action.tags),
        "status": status.status,
        "status_reason": status.status_reason,
        "node_status": status.node_status(),
        **_users(config, named),
    }
