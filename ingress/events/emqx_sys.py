"""Events from EMQX's own topics $SYS/brokers/<node>/clients/<clientid>/connected and /disconnected.

EMQX publishes them by default, but its access rules let only local clients read $SYS, so the ingress needs its own
rule. `+` does not match a clientid with a slash, so the adapter reads everything under `clients` and takes the clientid
from the payload.

Two things differ from the rule engine's events. expiry_interval is in milliseconds in the payload, and in seconds in the event.
The address has no port. If a client reconnects quickly, the two events may come in any order; connected_at pairs them.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from ingress.events import ClientEvent

# The same name and unit in both.
COPIED: Final = ("username", "proto_name", "proto_ver", "connected_at", "client_attrs")
CONNECTED: Final = ("keepalive", "clean_start", "receive_maximum", "is_bridge", "conn_props")
DISCONNECTED: Final = ("reason", "disconnected_at", "disconn_props")


class EmqxSysAdapter:
    """Reads the messages of every node of an EMQX cluster about its clients."""

    filters: tuple[str, ...] = ("$SYS/brokers/+/clients/#",)

    def events(self, topic: str, payload: bytes, *, retained: bool, now_ms: int) -> list[ClientEvent]:
        """One event for `connected` and `disconnected`. The topics for subscriptions make no event."""
        what = topic.rpartition("/")[2]
        if what not in ("connected", "disconnected"):
            return []
        try:
            told = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return []
        if not isinstance(told, dict) or not isinstance(told.get("clientid"), str):
            return []
        fields = _fields(told, what)
        fields["node"] = topic.split("/")[2]
        return [ClientEvent(f"client.{what}", told["clientid"], fields)]


def _fields(told: dict[str, Any], what: str) -> dict[str, Any]:
    names = COPIED + (CONNECTED if what == "connected" else DISCONNECTED)
    fields = {name: told[name] for name in names if told.get(name) not in (None, "undefined")}
    if isinstance(told.get("ipaddress"), str):
        fields["peerhost"] = fields["peername"] = told["ipaddress"]
    if isinstance(told.get("expiry_interval"), int):
        fields["expiry_interval"] = told["expiry_interval"] // 1000
    return fields
