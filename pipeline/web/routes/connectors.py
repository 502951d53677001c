"""Connectors."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.config import Config
from pipeline.control.objects import Snapshot
from pipeline.web.answers import RequestError
from pipeline.web.objects.kinds import KINDS, NamedObject
from pipeline.web.objects.writing import Edit
from pipeline.web.probes import bucket_of, probe_connector
from pipeline.web.routes.resources import Family, router_of
from pipeline.web.standing import of_connectors


def _users(config: Config, named: NamedObject) -> Mapping[str, list[str]]:
    return {
        "actions": [name for name, each in config.actions.s3.items() if each.connector == named.name],
        "sources": [],
    }


async def _probe(config: Config, named: NamedObject) -> None:
    used = [each for each in config.actions.s3.values() if each.connector == named.name]
    await probe_connector(named.section, map(bucket_of, used))


def _removal(snapshot: Snapshot, named: NamedObject, also: bool) -> Edit:
    users = _users(snapshot.config, named)["actions"]
    if users:
        raise RequestError(
            "BAD_REQUEST",
            f"the connector {named.id} is used by the actions {', '.join(users)}; delete these first",
            fields={"actions": users},
        )
    return Edit(deletes=frozenset([KINDS["connectors"].key(named.type, named.name)]))


router = router_of(Family(KINDS["connectors"], "Connector", of_connectors, _users, _probe, _removal))
