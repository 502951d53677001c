"""Logs the refusals of a listener: one line a minute for each client and reason, and a counter for the rest.

The refusal of a whole fleet must be visible, and a refused client must not fill the log.
"""

from __future__ import annotations

import asyncio
from typing import Final

from ingress.listener.limits.seats import network
from ingress.listener.limits.told import Told
from pipeline.log import get_logger, printable
from pipeline.mqtt import reasons

log: Final = get_logger("tidegate.ingress")

OF_CODE: Final = {
    reasons.BAD_CREDENTIALS: "credentials",
    reasons.NOT_AUTHORIZED: "not_authorized",
    reasons.BAD_AUTHENTICATION_METHOD: "authentication_method",
    reasons.CLIENTID_NOT_VALID: "clientid",
    reasons.SERVER_BUSY: "busy",
    reasons.PACKET_TOO_LARGE: "packet_too_large",
    reasons.QUOTA_EXCEEDED: "quota",
}


def reason_of(code: int) -> str:
    """The short word for one of MQTT 5's codes."""
    return OF_CODE.get(code, "protocol_error")


class Notices:
    """The notices of one listener."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._told = Told()

    def refused(
        self,
        reason: str,
        peerhost: str,
        error: str,
        *,
        clientid: str = "",
        username: str | None = None,
        topic: bytes = b"",
    ) -> None:
        """Count and log a refused connection, login or message. `error` is its text."""
        now = asyncio.get_running_loop().time()
        if not self._told.is_new(clientid or peerhost, reason, network(peerhost), now):
            return
        facts = {"clientid": printable(clientid)} if clientid else {}
        if username is not None:
            facts["username"] = printable(username)
        if topic:
            facts["topic"] = printable(topic.decode())
        log.warning("listener.refused", source=self._source, reason=reason, peerhost=peerhost, error=error, **facts)

    def observe(self) -> None:
        """Log the number of lines that were left out, once a minute. Call it regularly."""
        if count := self._told.left_out(asyncio.get_running_loop().time()):
            log.warning("listener.refused_more", source=self._source, count=count)
