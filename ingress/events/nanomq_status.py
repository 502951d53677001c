"""Events from NanoMQ's topic $SYS/brokers/client_status/<clientid>, and from the two topics of releases before 0.24.1.

The address has no port. The messages are retained: a new subscriber gets the last state of each client at once. This is
not an event, and is skipped.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from ingress.events import ClientEvent

OLD_TOPICS: Final = {"$SYS/brokers/connected": "online", "$SYS/brokers/disconnected": "offline"}
CONNECTED: Final = ("proto_name", "proto_ver", "keepalive")
NO_USERNAME: Final = (None, "(null)", "undefined")

# MQTT 5.0 section 3.14.2.1; the payload has them in hexadecimal.
REASONS: Final = {
    0x00: "normal",
    0x04: "normal",
    0x82: "protocol_error",
    0x87: "not_authorized",
    0x8D: "keepalive_timeout",
    0x8E: "takenover",
    0x98: "kicked",
}


class NanomqStatusAdapter:
    """Reads the status of clients of one NanoMQ."""

    filters: tuple[str, ...] = ("$SYS/brokers/client_status/#", *OLD_TOPICS)

    def events(self, topic: str, payload: bytes, *, retained: bool, now_ms: int) -> list[ClientEvent]:
        """One event for a connect or a disconnect, and none for a refused connection."""
        try:
            told = orjson.loads(payload)
        except orjson.JSONDecodeError:
            return []
        if retained or not isinstance(told, dict) or not isinstance(told.get("client_id"), str):
            return []
        status = told.get("status") or OLD_TOPICS.get(topic)
        fields: dict[str, Any] = {}
        if told.get("username") not in NO_USERNAME:
            fields["username"] = told["username"]
        if isinstance(told.get("IPv4"), str):
            fields["peerhost"] = fields["peername"] = told["IPv4"]
        at = told.get("ts", now_ms)
        if status == "online" and told.get("return_code", "0") == "0":
            fields |= {name: told[name] for name in CONNECTED if name in told}
            fields |= {"clean_start": told.get("clean_start") == 1, "connected_at": at}
            return [ClientEvent("client.connected", told["client_id"], fields)]
        if status == "offline":
            fields |= {"reason": _reason(str(told.get("reason_code", "0"))), "disconnected_at": at}
            return [ClientEvent("client.disconnected", told["client_id"], fields)]
        return []


def _reason(code: str) -> str:
    """The reason for a code. An unknown code stays unchanged."""
    try:
        return REASONS.get(int(code, 16), code)
    except ValueError:
        return code
