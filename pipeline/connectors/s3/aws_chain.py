"""Credentials from the places that every AWS tool knows, by aioboto3.

Environment, web identity (AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN), profile with AssumeRole or SSO, container, the machine's
role. aioboto3 renews those of a role before they end. This file is loaded when a connector has no keys of its own: the library
takes longer to load than everything else of the store's client together.
"""

from __future__ import annotations

from typing import Any

import aioboto3
import botocore.exceptions

from pipeline.connectors.s3.errors import classify
from pipeline.errors import ConnectorError, OperatorError, RetryableError


class AwsChain:
    """The first place that has credentials, asked again before each request."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._found: Any = None

    async def get(self) -> tuple[str, str, str | None]:
        """Access key, secret key and token that are good now. Raises RetryableError or OperatorError if there are none."""
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
            f"{self._endpoint}: no credentials: neither in the connector, nor in the environment, nor from the machine's role",
            reason="no_credentials",
        )

    def forget(self) -> None:
        """Look for a place anew before the next request."""
        self._found = None

    def _refused(self, error: Any) -> ConnectorError:
        """What the token service said."""
        details = error.response.get("Error", {})
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        what = f"{self._endpoint}: cannot get or renew credentials"
        return classify(status, str(details.get("Code", "")), str(details.get("Message", "")), what)
