"""Events from mosquitto's log, which it publishes under $SYS when `log_dest topic` and `log_type notice` are set.

The lines are those of mosquitto 2.0 and 2.1. They are text, with ids that are not escaped: a device that may choose any
clientid can choose one that reads like another line. While we are away the broker drops lines after 20 seconds, so events
are best effort across longer outages. The line about a refused client has no id in it and makes no event.

The facts of "New client connected" are remembered until the client leaves, because the line about its end has only its
id.
"""

from __future__ import annotations

import re
from typing import Any, Final

from ingress.events import ClientEvent
from ingress.remembered import Remembered

CLIENTS_BYTES_MAX: Final = 48 << 20
LINE_BYTES_MAX: Final = 4096  # mosquitto cuts its lines at 1,000

# The id is matched greedily, because it may itself contain " (p4, c1, k30).", and the last one counts.
CONNECTED: Final = re.compile(
    r"(?:(\d{1,12}): )?New client connected from (\S+):(\d+) as (.*) \(p(\d), c([01]), k(\d{1,9})(?:, u'(.*)')?\)\.",
    re.DOTALL,
)
ENDED: Final = re.compile(
    r"(?:(\d{1,12}): )?Client (.*?)(?: \[\S+:\d+\])? (disconnected|closed its connection|has exceeded timeout, disconnecting"
    r"|already connected, closing old connection)(?:[:,] (.*?)| due to (.*?))?\.",
    re.DOTALL,
)
ANONYMOUS: Final = "<unknown>"

# Protocol number in the line → proto_ver; 2 is how mosquitto counts MQTT 3.1.1.
PROTOCOL_VERSIONS: Final = {"1": 3, "2": 4, "5": 5}
REASONS: Final = {
    "disconnected": "normal",
    "closed its connection": "tcp_closed",
    "has exceeded timeout, disconnecting": "keepalive_timeout",
    "already connected, closing old connection": "takenover",
}
# The text after "disconnected", unless the end was clean.
CAUSES: Final = {
    "not authorised": "not_authorized",
    "protocol error": "protocol_error",
    "malformed packet": "malformed_packet",
    "out of memory": "internal_error",
    "exceeded timeout": "keepalive_timeout",
    "session taken over": "takenover",
    "connection closed by client": "tcp_closed",
    "administrative action": "kicked",
}
REMEMBERED: Final = ("username", "peername", "proto_name", "proto_ver", "connected_at")


class MosquittoLogAdapter:
    """Reads notices and errors. Use one adapter for each broker."""

    filters: tuple[str, ...] = ("$SYS/broker/log/N", "$SYS/broker/log/E")

    def __init__(self) -> None:
        self._clients = Remembered(CLIENTS_BYTES_MAX)

    def events(self, topic: str, payload: bytes, *, retained: bool, now_ms: int) -> list[ClientEvent]:
        """One event for a line about a connect or a disconnect, and none for any other line."""
        if len(payload) > LINE_BYTES_MAX:
            return []
        line = payload.decode("utf-8", "replace")
        if found := CONNECTED.fullmatch(line):
            return [self._connected(found, now_ms)]
        if (found := ENDED.fullmatch(line)) and found[2] != ANONYMOUS:
            return [self._disconnected(found, now_ms)]
        return []

    def _connected(self, found: re.Match[str], now_ms: int) -> ClientEvent:
        stamp, host, port, clientid, protocol, clean, keepalive, username = found.groups()
        fields: dict[str, Any] = {
            "peername": f"{host}:{port}",
            "proto_name": "MQIsdp" if protocol == "1" else "MQTT",
            "proto_ver": PROTOCOL_VERSIONS.get(protocol, int(protocol)),
            "keepalive": int(keepalive),
            "clean_start": clean == "1",
            "connected_at": _milliseconds(stamp, now_ms),
        }
        if username is not None:
            fields["username"] = username
        self._clients.note((clientid,), fields, now_ms / 1000)
        return ClientEvent("client.connected", clientid, fields)

    def _disconnected(self, found: re.Match[str], now_ms: int) -> ClientEvent:
        stamp, clientid, how, after_colon, due_to = found.groups()
        cause = after_colon or due_to
        known = self._clients.take((clientid,))
        fields: dict[str, Any] = {name: known[name] for name in REMEMBERED if name in known}
        fields["reason"] = REASONS[how] if cause is None else _reason(cause)
        fields["disconnected_at"] = _milliseconds(stamp, now_ms)
        return ClientEvent("client.disconnected", clientid, fields)


def _reason(cause: str) -> str:
    """The reason for a cause. An unknown cause keeps its words, so that a rule can compare it."""
    return CAUSES.get(cause.lower(), cause.lower().replace(" ", "_"))


def _milliseconds(stamp: str | None, now_ms: int) -> int:
    """The time of a line, which has seconds. If the message arrived in that second, its arrival is used."""
    if stamp is None:
        return now_ms
    second = int(stamp) * 1000
    return now_ms if second <= now_ms < second + 1000 else second
