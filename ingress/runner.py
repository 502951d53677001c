"""One source of the ingress: run, and drained when it is to end.

With the configuration in Kafka, a source that cannot begin (its port is taken, a certificate is missing) is tried again, and the
other sources go on. With a file, it ends the process.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

from pipeline.errors import ConfigError, OperatorError
from pipeline.log import get_logger
from pipeline.retry import RESTART

STOP_SECONDS: Final = 20.0  # below the 30 s of Kubernetes and systemd, with time for the end of the producer

log: Final = get_logger("tidegate.ingress")


class Carrier(Protocol):
    """A source of messages or events. `run` returns after `stop`. `connected` says whether the source works now."""

    connected: bool
    connected_once: asyncio.Event

    @property
    def status_reason(self) -> str:
        """The reason why it is not connected, for people; empty if it is unknown."""

    async def run(self) -> None: ...

    def stop(self, deadline_seconds: float) -> None: ...


class SourceRunner:
    """Runs one source of the configuration until it must stop."""

    def __init__(self, id: str, open_carrier: Callable[[], Carrier], revision: int, *, again: bool) -> None:
        """`again`: try again if the source cannot begin. Raises ConfigError if it can never begin."""
        self.id = id
        self.revision = revision
        self.announced = asyncio.Event()  # it has connected once, or has ended
        self._open_carrier = open_carrier
        self._carrier = open_carrier()
        self._again = again
        self._problem = ""

    @property
    def connected(self) -> bool:
        """Whether the source works now."""
        return self._carrier.connected

    @property
    def status(self) -> str:
        """The status: connecting, connected or disconnected."""
        if self.connected:
            return "connected"
        return "disconnected" if self._carrier.connected_once.is_set() or self.status_reason else "connecting"

    @property
    def status_reason(self) -> str:
        """The reason why it is not connected, for people; empty if it is unknown."""
        return "" if self.connected else self._problem or self._carrier.status_reason

    async def run(self, stop: asyncio.Event) -> None:
        """Carry until `stop`. Raises ConfigError and OperatorError only without `again`."""
        waits = RESTART.waits(random.random)
        try:
            while not await self._carried(stop):
                wait = waits.after(None)
                log.error("source.failed", source=self.id, error=self._problem, again_in_seconds=round(wait, 1))
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait):
                        await stop.wait()
        finally:
            self.announced.set()

    async def _carried(self, stop: asyncio.Event) -> bool:
        """Whether the source has run until `stop`; otherwise it could not begin."""
        try:
            if self._problem:
                self._carrier, self._problem = self._open_carrier(), ""
            await self._carry(self._carrier, stop)
        except (ConfigError, OperatorError) as error:
            if not self._again:
                raise
            self._problem = str(error)
            return stop.is_set()
        return True

    async def _carry(self, carrier: Carrier, stop: asyncio.Event) -> None:
        tasks = [asyncio.create_task(each) for each in (carrier.run(), stop.wait(), self._announce(carrier))]
        running, stopped, _ = tasks
        try:
            await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not running.done():
                carrier.stop(STOP_SECONDS)
            await running
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.wait(tasks)

    async def _announce(self, carrier: Carrier) -> None:
        await carrier.connected_once.wait()
        self.announced.set()
