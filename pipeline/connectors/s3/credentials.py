"""The credentials of an S3 connector, and their renewal while the worker runs.

They are the connector's own keys, whose secret may be a file that is read again, or else come from AWS's chain of places
(aws_chain.py). Credentials of a role are renewed before they expire, and at once if the store says that they have expired.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from pipeline.config import S3Connector
from pipeline.errors import ConfigError, OperatorError

if TYPE_CHECKING:
    from pipeline.connectors.s3.aws_chain import AwsChain

# The longest time between two reads of a secret's file. It is also read at once after the store refuses the secret.
FILE_SECONDS: Final = 1.0


class Keys(NamedTuple):
    """The keys that sign a request. `token` comes with the keys of a role. Never printed."""

    access_key: str
    secret_key: str
    token: str | None


class StoreCredentials:
    """Gives credentials to the signer before each request."""

    def __init__(self, config: S3Connector, endpoint: str) -> None:
        self._config = config
        self._endpoint = endpoint
        self._chain: AwsChain | None = None
        self._own: Keys | None = None
        self._own_until = 0.0

    async def get(self) -> Keys:
        """The present credentials. Raises RetryableError or OperatorError without credentials."""
        if self._config.access_key_id is not None:
            return self._of_connector()
        if self._chain is None:
            from pipeline.connectors.s3.aws_chain import AwsChain

            self._chain = AwsChain(self._endpoint)
        return Keys(*await self._chain.get())

    def forget(self) -> None:
        """Get new credentials before the next request, because the store has refused these."""
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
