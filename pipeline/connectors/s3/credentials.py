"""Where an S3 connector's credentials come from, and how they are renewed while the worker runs.

In this order: the connector's own keys, whose secret may be a file that is read again; else AWS's chain of places (aws_chain.py).
Those of a role are renewed before they end, and at once when the store says that they have ended.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.config import S3Connector
from pipeline.errors import ConfigError, OperatorError

if TYPE_CHECKING:
    from pipeline.connectors.s3.aws_chain import AwsChain

# A secret's file is read at most so often, and at once when the store refuses what it held.
FILE_SECONDS: Final = 1.0


class Keys(NamedTuple):
    """What signs a request. `token` comes with a role's keys. Never printed."""

    access_key: str
    secret_key: str
    token: str | None


class StoreCredentials:
    """Credentials as the signer asks for them, before each request."""

    def __init__(self, config: S3Connector, endpoint: str) -> None:
        self._config = config
        self._endpoint = endpoint
        self._chain: AwsChain | None = None
        self._own: Keys | None = None
        self._own_until = 0.0

    async def get(self) -> Keys:
        """Credentials that are good now. Raises RetryableError or OperatorError if there are none."""
        if self._config.access_key_id is not None:
            return self._of_connector()
        if self._chain is None:
            from pipeline.connectors.s3.aws_chain import AwsChain

            self._chain = AwsChain(self._endpoint)
        return Keys(*await self._chain.get())

    def forget(self) -> None:
        """The store refused them: ask for new ones before the next request."""
        self._own = None
        if self._chain is not None:
            self._chain.forget()

    def _of_connector(self) -> Keys:
        now = time.monotonic()
        if self._own is None or now > self._own_until:
            secret = self._config.secret_access_key
            assert self._config.access_key_id is not None
            assert secret is not None
            try:
                self._own = Keys(self._config.access_key_id, secret.reveal(), None)
            except ConfigError as error:
                raise OperatorError(f"{self._endpoint}: no credentials: {error}", reason="no_credentials") from error
            self._own_until = now + FILE_SECONDS
        return self._own
