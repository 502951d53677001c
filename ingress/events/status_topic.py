"""Events from birth messages and last wills, which work with any broker.

A device publishes `online` to its status topic when it has connected, and leaves `offline` there as its last will.
These messages have neither the reason of an end nor the address of the client, so `reason` and `peername` are left out.

With a retained message the broker repeats a state to a new subscriber. It is not an event, and is skipped.
"""

from __future__ import annotations

from ingress.events import ClientEvent
from pipeline.config.sources import StatusTopic


class StatusTopicAdapter:
    """Reads one status topic template."""

    def __init__(self, convention: StatusTopic) -> None:
        levels = convention.topic.split("/")
        self._place = levels.index("{clientid}")
        self._online = convention.online.encode()
        self._offline = convention.offline.encode()
        self.filters: tuple[str, ...] = (convention.topic.replace("{clientid}", "+"),)

    def events(self, topic: str, payload: bytes, *, retained: bool, now_ms: int) -> list[ClientEvent]:
        """client.connected for a birth message, client.disconnected for a last will or a goodbye message."""
        clientid = topic.split("/")[self._place]
        if retained or not clientid:
            return []
        if payload == self._online:
            return [ClientEvent("client.connected", clientid, {"connected_at": now_ms})]
        if payload == self._offline:
            return [ClientEvent("client.disconnected", clientid, {"disconnected_at": now_ms})]
        return []
