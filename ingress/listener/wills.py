"""The wills of clients, which are published after their client has been gone for the will's delay.

The session expiry bounds the delay too (MQTT 5.0 section 3.1.3.2.2). If a client reconnects in time, its will is not published,
unless it starts a new session. A delayed will is lost if the process is killed.

Delayed wills count in the shared memory. A will that has to give up its memory is published earlier.

This file does not know connections. Its clock is the event loop's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

from ingress.listener.identity import Identity
from ingress.listener.limits.memory import Memory
from pipeline.mqtt.properties import SESSION_EXPIRY
from pipeline.record import Outgoing

PENDING_BYTES: Final = 2000  # memory of a will besides the texts of its client's CONNECT


class Pending:
    """A delayed will, which `timer` will publish."""

    def __init__(self, wills: Wills, timer: asyncio.TimerHandle, identity: Identity) -> None:
        self._wills = wills
        self.timer = timer
        self.identity = identity

    def give_up(self) -> None:
        """Publish the will now."""
        self._wills.came(self.identity.clientid, afresh=True)


class Wills:
    """Delayed wills. `publish` gets the record of each will when it is due."""

    def __init__(self, delay_seconds_max: float, publish: Callable[[Outgoing], None], memory: Memory) -> None:
        self._delay_seconds_max = delay_seconds_max
        self._publish = publish
        self._memory = memory
        self._pending: dict[str, Pending] = {}

    def came(self, clientid: str, *, afresh: bool) -> None:
        """Note that a client is connected again. If it starts a new session, the will of the old one is due."""
        pending = self._pending.pop(clientid, None)
        if pending is not None:
            pending.timer.cancel()
            self._memory.hold(pending, "", 0)
            if afresh:
                self._send(pending.identity)

    def left(self, identity: Identity) -> None:
        """Note that a client is gone."""
        will = identity.connect.will
        if will is None or identity.will_is_void:
            return
        expiry = dict(identity.connect.properties).get(SESSION_EXPIRY, 0)
        delay = min(will.delay_seconds, expiry, self._delay_seconds_max)
        if delay <= 0:
            self._send(identity)
            return
        timer = asyncio.get_running_loop().call_later(delay, self._due, identity.clientid)
        pending = self._pending[identity.clientid] = Pending(self, timer, identity)
        self._memory.hold(pending, identity.address.network, identity.connect.size_bytes + PENDING_BYTES)

    def send_all(self) -> None:
        """Publish all delayed wills, because we stop."""
        for clientid in list(self._pending):
            self.came(clientid, afresh=True)

    def _due(self, clientid: str) -> None:
        self.came(clientid, afresh=True)

    def _send(self, identity: Identity) -> None:
        will = identity.connect.will
        assert will is not None
        self._publish(identity.will(will, int(time.time() * 1000)))
