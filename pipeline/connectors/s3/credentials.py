"""Where an S3 connector's credentials come from, and how they are renewed while the worker runs.

In this order: the connector's own keys, whose secret may be a file that is read again; else aiobotocore's chain, as with every
AWS tool: environment, web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN), profile with AssumeRole, container, instance
role. Those of a role are renewed before they end, and at once when the store says that they have ended.
"""

from __future__ import annotations

import time
from typing import Any, Final

import aioboto3
import botocore.exceptions
from aiobotocore.credentials import AioCredentials
from botocore.credentials import ReadOnlyCredentials

from pipeline.config import S3Connector
from pipeline.connectors.s3.errors import classify
from pipeline.errors import ConfigError, ConnectorError, OperatorError, RetryableError

# A secret's file is read at most so often, and at once when the store refuses what it held.
FILE_SECONDS: Final = 1.0


class StoreCredentials(AioCredentials):  # type: ignore[misc]
    """Credentials as aiobotocore's clients and our own signer ask for them, before each request."""

    def __init__(self, config: S3Connector, endpoint: str) -> None:
        super().__init__("", "")
        self.method = "tidegate"
        self._config = config
        self._endpoint = endpoint
        self._chain: Any = None
        self._own: ReadOnlyCredentials | None = None
        self._own_until = 0.0

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Credentials that are good now. Raises RetryableError or OperatorError if there are none."""
        if self._config.access_key_id is not None:
            return self._of_connector()
        try:
            if self._chain is None:
                self._chain = await aioboto3.Session().get_credentials()
            if self._chain is not None:
                found: ReadOnlyCredentials = await self._chain.get_frozen_credentials()
                return found
        except botocore.exceptions.ClientError as error:
            raise self._refused(error) from error
        except (botocore.exceptions.PartialCredentialsError, botocore.exceptions.ProfileNotFound) as error:
            raise OperatorError(f"{self._endpoint}: no credentials: {error}", reason="no_credentials") from error
        except (botocore.exceptions.BotoCoreError, OSError, TimeoutError) as error:
            raise RetryableError(
                f"{self._endpoint}: cannot get or renew credentials: {str(error) or type(error).__name__}",
                reason="credentials",
            ) from error
        raise OperatorError(
            f"{self._endpoint}: no credentials: neither in the connector, nor in the environment, nor from the machine's role",
            reason="no_credentials",
        )

    def forget(self) -> None:
        """The store refused them: ask for new ones before the next request."""
        self._chain = self._own = None

    def _of_connector(self) -> ReadOnlyCredentials:
        now = time.monotonic()
        if self._own is None or now > self._own_until:
            secret = self._config.secret_access_key
            assert self._config.access_key_id is not None
            assert secret is not None
            try:
                self._own = ReadOnlyCredentials(self._config.access_key_id, secret.reveal(), None)
            except ConfigError as error:
                raise OperatorError(f"{self._endpoint}: no credentials: {error}", reason="no_credentials") from error
            self._own_until = now + FILE_SECONDS
        return self._own

    def _refused(self, error: Any) -> ConnectorError:
        """What the token service said."""
        details = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        what = f"{self._endpoint}: cannot get or renew credentials"
        return classify(status, str(details.get("Code", "")), str(details.get("Message", "")), what)
