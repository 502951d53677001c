"""Events from AWS IoT Core's topics $aws/events/presence/(connected|disconnected)/<clientid>.

AWS may deliver them twice and out of order. `version` (its versionNumber) is the same for a connection and its end, and
rises from one pair to the next, so a rule can put them in order. `session_id` and `principal` are passed on too. AWS
makes no events of clients whose id contains # or +.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from ingress.events import ClientEvent

# AWS's name → ours, where it has no counterpart in EMQX's events.
OWN: Final = {"sessionIdentifier": "session_id", "principalIdentifier": "principal", "versionNumber": "version"}
REASONS: Final = {
    "CLIENT_INITIATED_DISCONNECT": "normal",
    "CONNECTION_LOST": "tcp_closed",
    "MQTT_KEEP_ALIVE_TIMEOUT": "keepalive_timeout",
    "DUPLICATE_CLIENTID": "takenover",
    "AUTH_ERROR": "not_authorized",
    "FORBIDDEN_ACCESS": "not_authorized",
    "SERVER_INITIATED_DISCONNECT": "kicked",
    "SERVER_ERROR": "internal_error",
}


class AwsPresenceAdapter:
    """Reads the lifecycle events of one AWS IoT Core endpoint."""

    filters: tuple[str, ...] = ("$aws/events/presence/connected/#", "$aws/events/presence/disconnected/#")

    def events(self, topic: str, payload: bytes, *, retained: bool, now_ms: int) -> list[ClientEvent]:
        """One event for a client that connected or disconnected."""
        try:
            told = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return []
        if not isinstance(told, dict) or not isinstance(told.get("clientId"), str):
            return []
        fields: dict[str, Any] = {ours: told[name] for name, ours in OWN.items() if name in told}
        if isinstance(told.get("ipAddress"), str):
            fields["peerhost"] = fields["peername"] = told["ipAddress"]
        at = told.get("timestamp", now_ms)
        if told.get("eventType") == "connected":
            return [ClientEvent("client.connected", told["clientId"], fields | {"connected_at": at})]
        if told.get("eventType") == "disconnected":
            fields |= {"reason": _reason(told), "disconnected_at": at}
            return [ClientEvent("client.disconnected", told["clientId"], fields)]
        return []


def _reason(told: dict[str, Any]) -> str:
    """EMQX's word for the reason. Messages of the oldest version only say whether the client wanted to leave."""
    reason = told.get("disconnectReason")
    if isinstance(reason, str):
        return REASONS.get(reason, reason.lower())
    return "normal" if told.get("clientInitiatedDisconnect") in (True, "true") else "tcp_closed"
