"""The interface that a device's connection needs of its listener, so that neither of the two files imports the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ingress.listener import words
from ingress.listener.identity import Address, Identity
from ingress.listener.inbox import ClientWindow, Inbox
from ingress.listener.limits.memory import Memory
from ingress.listener.limits.turnstile import Turnstile
from ingress.listener.login import Admitted
from ingress.listener.notices import Notices
from ingress.listener.sessions import DeviceSession
from pipeline.config.listener import ListenerSource

if TYPE_CHECKING:
    from ingress.listener.connection import DeviceConnection


class Host(Protocol):
    """The interface that a connection needs of its listener."""

    source: ListenerSource
    inbox: Inbox
    notices: Notices
    memory: Memory
    logins: Turnstile

    def welcome(self, connection: DeviceConnection) -> bool:
        """Whether one more connection is allowed."""

    def gone(self, connection: DeviceConnection) -> None:
        """Free the place of a connection that has ended."""

    async def admit(self, connect: words.Connect, address: Address) -> Admitted:
        """Whether a device may connect."""

    async def before(self, connect: words.Connect, clientid: str) -> None:
        """End an older connection of this client, and wait for what Kafka has to say about its messages."""

    def keep(self, identity: Identity, unreleased: list[int], window: ClientWindow) -> DeviceSession | None:
        """Keep the session of a device that leaves."""

    def enter(
        self, connection: DeviceConnection, connect: words.Connect, admitted: Admitted, address: Address
    ) -> tuple[Identity, DeviceSession | None]:
        """Add a device, and end another connection with its clientid."""

    def left(self, connection: DeviceConnection, identity: Identity, why: str) -> None:
        """Remove a device. `why` is for the event client.disconnected."""
