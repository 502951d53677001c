"""Really connects, once, and changes nothing: for the probes of the API, and for connectors that no worker reports on.

A store is asked for a bucket. If no action names one, it is asked for one that nobody has: whoever answers that there is none
has understood the request and accepted the credentials.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final

from pipeline.config import AggregatedParameters, Config, MqttSource, S3Action, S3Connector
from pipeline.config.base.section import Section
from pipeline.connectors.s3.store import S3Store
from pipeline.control.status import Part
from pipeline.doctor.visit import Visit
from pipeline.errors import CommandError, ConfigError, ConnectorError, OperatorError, RetryableError, located

PROBE_SECONDS: Final = 15.0
ANSWER_KEPT_SECONDS: Final = 15.0
START_SECONDS_MAX: Final = 5.0
CHECKS_AT_ONCE: Final = 8
NOBODYS_BUCKET: Final = "tidegate-probe-of-a-bucket-that-nobody-has"


async def probe_connector(connector: Section, buckets: Iterable[str] = ()) -> None:
    """Connect to a store. Raises ConnectorError or ConfigError with the reason why it does not work."""
    if not isinstance(connector, S3Connector):
        raise CommandError("this type of connector cannot be tried")
    asked = next((each for each in buckets if "${" not in each), None)
    with located("transport_options.headers"):
        opened = S3Store(connector)
    try:
        async with asyncio.timeout(PROBE_SECONDS), opened as store:
            try:
                await store.check(asked or NOBODYS_BUCKET)
            except OperatorError as error:
                if asked or error.reason not in {"404", "NoSuchBucket", "NotFound"}:
                    raise
    except TimeoutError:
        raise RetryableError(f"no answer within {PROBE_SECONDS:g} s", reason="timeout") from None


async def probe_action(config: Config, action: S3Action) -> None:
    """Connect to the bucket of an action. One that rows decide cannot be tried, so its store is. Raises as above."""
    connector = config.connectors.s3.get(action.connector)
    if connector is None:
        raise ConfigError(f"no S3 connector {action.connector!r}", where="root.connector")
    await probe_connector(connector, [bucket_of(action)])


def bucket_of(action: S3Action) -> str:
    """The bucket of an action; for an aggregated one, that of its ledger."""
    parameters = action.parameters
    return parameters.home if isinstance(parameters, AggregatedParameters) else parameters.bucket


async def probe_source(config: Config, source: Section) -> None:
    """Connect to a broker with a session of our own, which does not disturb the ingress. Raises as above."""
    if not isinstance(source, MqttSource):
        raise CommandError("a port of the ingress waits for others; there is nothing to connect to")
    visit = Visit(source, f"tidegate-{config.pipeline}-probe", session_expiry_seconds=0)

    def connect() -> None:
        with visit:
            pass

    await asyncio.to_thread(connect)


class ConnectorChecks:
    """The status of connectors that no worker reports on, as this process finds it. An answer is kept for some seconds."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Section, float, Part]] = {}
        self._asking: dict[str, tuple[Section, asyncio.Task[Part]]] = {}
        self._room = asyncio.Semaphore(CHECKS_AT_ONCE)

    async def of(self, name: str, connector: S3Connector, buckets: Iterable[str]) -> Part:
        """Whether this process can connect now: `connecting` if there is no answer within the connector's `start_timeout`."""
        known = self._found.get(name)
        if known and known[0] == connector and time.monotonic() < known[1] + ANSWER_KEPT_SECONDS:
            return known[2]
        asked = self._asking.get(name)
        if asked is None or asked[0] != connector or asked[1].done():
            asked = self._asking[name] = (connector, asyncio.create_task(self._ask(name, connector, list(buckets))))
        await asyncio.wait({asked[1]}, timeout=min(connector.resource_opts.start_timeout, START_SECONDS_MAX))
        return asked[1].result() if asked[1].done() else Part("connecting", "there is no answer yet")

    async def _ask(self, name: str, connector: S3Connector, buckets: Iterable[str]) -> Part:
        async with self._room:
            try:
                await probe_connector(connector, buckets)
                part = Part("connected")
            except (ConnectorError, ConfigError, CommandError) as error:
                part = Part("disconnected", str(error))
        self._found[name] = (connector, time.monotonic(), part)
        return part

    def keep(self, names: Iterable[str]) -> None:
        """Forget all but these."""
        kept = set(names)
        for name in self._found.keys() - kept:
            del self._found[name]
        for name in self._asking.keys() - kept:
            self._asking.pop(name)[1].cancel()
