"""The S3 connector: connect, check, a few verbs, close.

A narrow face over aioboto3. Each verb makes one request and answers with a value, or raises one of three errors that say what
to do: RetryableError (call again), OperatorError (a person has to mend something; call again later), RefusedError (this object
will never be accepted). Retrying is the caller's. A request that timed out may have been carried out: `create` answers False
when the key exists, and the caller compares what is there with what it wanted.

Nothing here knows rows, rules or Kafka.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

import aioboto3
import botocore.exceptions
from aiobotocore.config import AioConfig
from botocore import handlers

from pipeline.config import S3Connector
from pipeline.errors import ConnectorError, OperatorError, RefusedError, RetryableError

KEY_BYTES_MAX: Final = 1024

# Error codes of S3 by what helps. What is in no set is judged by its HTTP status.
_RETRY = {
    "InternalError", "OperationAborted", "ConditionalRequestConflict", "RequestTimeout", "ServiceUnavailable", "SlowDown",
    "Throttling", "ThrottlingException", "RequestTimeTooSkewed", "ExpiredToken", "TokenRefreshRequired", "BadDigest",
    "IncompleteBody", "503", "500", "502", "504",
}  # fmt: skip
_REFUSED = {"KeyTooLongError", "EntityTooLarge", "InvalidURI", "XMinioInvalidObjectName", "KeyTooLong", "InvalidTag"}
_SETTINGS = {  # headers that put_object takes by name; every other header becomes metadata or is refused
    "content-type": "ContentType",
    "content-encoding": "ContentEncoding",
    "content-disposition": "ContentDisposition",
    "content-language": "ContentLanguage",
    "cache-control": "CacheControl",
    "expires": "Expires",
    "x-amz-storage-class": "StorageClass",
    "x-amz-tagging": "Tagging",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
}
_METADATA_PREFIX = "x-amz-meta-"


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a stored object without its content. `metadata` without the x-amz-meta- prefix."""

    size_bytes: int
    etag: str
    metadata: Mapping[str, str]


def put_settings(headers: Mapping[str, str], acl: str | None) -> dict[str, Any]:
    """Arguments of put_object for configured headers. Raises ValueError for a header that S3 does not store."""
    settings: dict[str, Any] = {}
    metadata = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower.startswith(_METADATA_PREFIX):
            metadata[lower.removeprefix(_METADATA_PREFIX)] = value
        elif lower in _SETTINGS:
            settings[_SETTINGS[lower]] = value
        else:
            raise ValueError(f"header {name!r} is not stored by S3; known: {', '.join(_SETTINGS)}, {_METADATA_PREFIX}*")
    if metadata:
        settings["Metadata"] = metadata
    if acl:
        settings["ACL"] = acl.replace("_", "-")
    return settings


class S3Store:
    """One S3-compatible endpoint. Use as `async with S3Store(config) as store`; all verbs may run in parallel."""

    def __init__(self, config: S3Connector) -> None:
        self._config = config
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def __aenter__(self) -> S3Store:
        options = self._config.transport_options
        client = aioboto3.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self._config.access_key_id,
            aws_secret_access_key=self._config.secret_access_key and self._config.secret_access_key.get_secret_value(),
            verify=_verify(self._config),
            config=AioConfig(
                connect_timeout=options.connect_timeout,
                read_timeout=options.request_timeout,
                max_pool_connections=options.pool_size,
                # Retries are ours: botocore's would hide how long a store has been away and whose fault it is.
                retries={"total_max_attempts": 1, "mode": "standard"},
                s3={"addressing_style": "virtual" if self._config.access_method == "vhost" else "path"},
                request_checksum_calculation="when_required",
                response_checksum_validation="when_required",
                parameter_validation=False,
            ),
        )
        self._client = await self._stack.enter_async_context(client)
        # A body of bytes makes botocore ask for `100 Continue`: a round trip for each small object.
        self._client.meta.events.unregister("before-call.s3", handlers.add_expect_header)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def endpoint(self) -> str:
        """URL of the endpoint, without bucket."""
        scheme = "https" if self._config.transport_options.ssl.enable else "http"
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        default = 443 if scheme == "https" else 80
        return f"{scheme}://{host}" + ("" if self._config.port == default else f":{self._config.port}")

    @property
    def region(self) -> str:
        """The configured region, else the one in an AWS host name, else us-east-1."""
        if self._config.region:
            return self._config.region
        labels = self._config.host.split(".")
        if "amazonaws" in labels and len(labels) >= 4 and labels[-1] in {"com", "cn"}:
            return labels[labels.index("amazonaws") - 1]
        return "us-east-1"

    async def check(self, bucket: str) -> None:
        """Ask for the bucket. Returns if it can be used; 403 passes, since a key may be allowed to write and no more."""
        try:
            await self._call("head_bucket", Bucket=bucket)
        except OperatorError as error:
            if error.reason != "403":
                raise

    async def put(self, bucket: str, key: str, body: bytes, settings: Mapping[str, Any]) -> None:
        """Write an object, replacing what is there. `settings` as `put_settings` gives them."""
        _check_key(key)
        await self._call("put_object", Bucket=bucket, Key=key, Body=body, **settings)

    async def create(self, bucket: str, key: str, body: bytes, settings: Mapping[str, Any]) -> bool:
        """Write an object if its key is free. False: something is there, perhaps by an earlier try of this very call."""
        _check_key(key)
        try:
            await self._call("put_object", Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", **settings)
        except OperatorError as error:
            if error.reason in {"PreconditionFailed", "412"}:
                return False
            raise
        return True

    async def head(self, bucket: str, key: str) -> Head | None:
        """What is known of an object; None if there is none."""
        try:
            answer = await self._call("head_object", Bucket=bucket, Key=key)
        except OperatorError as error:
            if error.reason in {"404", "NoSuchKey", "NotFound"}:
                return None
            raise
        return Head(answer["ContentLength"], answer["ETag"], answer.get("Metadata") or {})

    async def get(self, bucket: str, key: str) -> bytes | None:
        """An object's content; None if there is none."""
        try:
            answer = await self._call("get_object", Bucket=bucket, Key=key)
            async with answer["Body"] as stream:
                content: bytes = await stream.read()
        except OperatorError as error:
            if error.reason in {"404", "NoSuchKey"}:
                return None
            raise
        except (TimeoutError, OSError, botocore.exceptions.HTTPClientError) as error:
            raise RetryableError(f"reading {bucket}/{key}: {error}", reason="connection") from error
        return content

    async def keys(self, bucket: str, prefix: str, *, after: str = "") -> AsyncIterator[str]:
        """Keys with `prefix` that sort after `after`, in order."""
        while True:
            page = await self._call("list_objects_v2", Bucket=bucket, Prefix=prefix, StartAfter=after)
            for each in page.get("Contents", ()):
                after = each["Key"]
                yield after
            if not page.get("IsTruncated"):
                return

    async def create_bucket(self, bucket: str) -> None:
        """Create a bucket; one that exists and is ours is fine."""
        try:
            await self._call("create_bucket", Bucket=bucket)
        except ConnectorError as error:
            if error.reason not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise

    async def _call(self, verb: str, **arguments: Any) -> Any:
        try:
            return await getattr(self._client, verb)(**arguments)
        except botocore.exceptions.ClientError as error:
            raise _classify(error, verb, arguments, self.endpoint) from error
        except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
            raise OperatorError(f"{self.endpoint}: no credentials: {error}", reason="no_credentials") from error
        except (botocore.exceptions.BotoCoreError, TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            raise RetryableError(f"{self.endpoint}: {verb}: {_plain(error)}", reason="connection") from error


def _check_key(key: str) -> None:
    size = len(key.encode())
    if not 0 < size <= KEY_BYTES_MAX:
        raise RefusedError(
            f"an object key has 1 to {KEY_BYTES_MAX} bytes, found {size}: {key[:80]!r}…", reason="key_length"
        )


def _classify(error: Any, verb: str, arguments: Mapping[str, Any], endpoint: str) -> ConnectorError:
    """Who has to act on an answer of S3."""
    answer = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    place = "/".join(str(arguments[name]) for name in ("Bucket", "Key") if name in arguments)
    message = f"{endpoint}: {verb} {place}: {status} {code}: {answer.get('Error', {}).get('Message', '')}".rstrip(": ")
    reason = code or str(status)
    if code in _RETRY or status >= 500 or status in {408, 429}:
        return RetryableError(message, reason=reason)
    if code in _REFUSED or (status == 400 and verb == "put_object" and code in {"InvalidArgument", "InvalidRequest"}):
        return RefusedError(message, reason=reason)
    return OperatorError(message, reason=reason)


def _plain(error: BaseException) -> str:
    return str(error) or type(error).__name__


def _verify(config: S3Connector) -> Any:
    tls = config.transport_options.ssl
    if tls.verify == "verify_none":
        return False
    if tls.cacertfile:
        ssl.create_default_context(cafile=tls.cacertfile)  # a bad file is an error now, not at the first request
        return tls.cacertfile
    return None
