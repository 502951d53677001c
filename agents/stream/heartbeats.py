"""Remembers when the consumer group last answered a heartbeat. Until a session later no other worker can have the partitions.

The time is that of the request, on the monotonic clock, which goes on while a process is stopped. Half of the session is left
for the requests that a worker sends meanwhile. aiokafka itself does not tell this time.
"""

from __future__ import annotations

import math
import time

from aiokafka.consumer import consumer
from aiokafka.consumer.group_coordinator import GroupCoordinator


class HeardCoordinator(GroupCoordinator):  # type: ignore[misc]
    """aiokafka's member of a group, with the time of the last heartbeat that was answered while it had to join nothing."""

    heard_at = -math.inf

    def owns(self) -> bool:
        """Whether no other member can have the partitions."""
        session_seconds = self._session_timeout_ms / 1000
        return not self._rejoin_needed_fut.done() and time.monotonic() < self.heard_at + session_seconds / 2

    async def _do_heartbeat(self) -> bool:
        sent_at = time.monotonic()
        answered: bool = await super()._do_heartbeat()
        if answered and not self._rejoin_needed_fut.done():
            self.heard_at = sent_at
        return answered


def install() -> None:
    """Make every aiokafka consumer of this process use this class."""
    consumer.GroupCoordinator = HeardCoordinator
