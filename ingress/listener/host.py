"""What a device's connection needs of the listener that accepted it, so that neither of the two files imports the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ingress.listener import words
from ingress.listener.identity import Address, Identity
from ingress.listener.inbox import Inbox
from ingress.listener.limits.memory import Memory
from ingress.listener.limits.turnstile import Turnstile
from ingress.listener.login import Admitted
from ingress.listener.notices import Notices
from pipeline.config.listener import ListenerSource

if TYPE_CHECKING:
    from ingress.listener.connection import DeviceConnection


class Host(Protocol):
    """What a connection needs of the listener that accepted it."""

    source: ListenerSource
    inbox: Inbox
    notices: Notices
    memory: Memory
    logins: Turnstile

    def welcome(self, connection: DeviceConnection) -> bool:
        """Whether there is a place for it."""

    def gone(self, connection: DeviceConnection) -> None:
        """Its place is free again."""

    async def admit(self, connect: words.Connect, address: Address) -> Admitted:
        """May this device come in?"""

    def enter(
        self, connection: DeviceConnection, connect: words.Connect, admitted: Admitted, address: Address
    ) -> Identity:
        """It is in, and whoever had its clientid is out."""

    def left(self, connection: DeviceConnection, identity: Identity, why: str) -> None:
        """It is out: `why` is for the event client.disconnected."""
