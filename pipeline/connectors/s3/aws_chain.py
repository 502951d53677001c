"""Credentials from the places that every AWS tool knows, found by aioboto3.

The places are the environment, web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN), a profile with AssumeRole or SSO,
the container, and the machine's role. aioboto3 renews credentials of a role before they expire. This file is loaded only if a
connector has no keys, because the library takes longer to load than the rest of the store's client together.
"""

from __future__ import annotations

from typing import Any

import aioboto3
import botocore.exceptions

from pipeline.connectors.s3.errors import classify
from pipeline.errors import ConnectorError, OperatorError, RetryableError


class AwsChain:
    """Credentials from the first place that has some. They are requested again before each request."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._found: Any = None

    async def get(self) -> tuple[str, str, str | None]:
        """The present access key, secret key and token. Raises RetryableError or OperatorError without credentials."""
        try:
            if self._found is None:
                self._found = await aioboto3.Session().get_credentials()
            if self._found is not None:
                frozen = await self._found.get_frozen_credentials()
                return frozen.access_key or "", frozen.secret_key or "", frozen.token
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
            f"{self._endpoint}: no credentials: neither in the connector, nor in the environment, nor from the"
            " machine's role",
            reason="no_credentials",
        )

    def forget(self) -> None:
        """Search the places again before the next request."""
        self._found = None

    def _refused(self, error: Any) -> ConnectorError:
        """The error for a refusal of the token service."""
        details = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        what = f"{self._endpoint}: cannot get or renew credentials"
        return classify(status, str(details.get("Code", "")), str(details.get("Message", "")), what)
