"""The S3 connector: connect, check, a few verbs, close.

Each verb makes one request and answers with a value, or raises one of three errors that say what to do: RetryableError (call
again), OperatorError (a person has to mend something; call again later), RefusedError (this object will never be accepted).
Retrying is the caller's. A request that timed out may have been carried out: a later `create` then answers None, and the caller
compares what is there with what it wanted. All verbs may run in parallel.

Writing goes through aiohttp with a signer of our own, an eighth of what aioboto3's put_object costs; credentials, listing and
administration are aioboto3's. Nothing here knows rows, rules or Kafka.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Final, NamedTuple

import aioboto3
import aiohttp
import botocore.exceptions
from aiobotocore.config import AioConfig
from yarl import URL

from pipeline.config import S3Connector
from pipeline.connectors.s3_errors import classify, describe
from pipeline.connectors.s3_multipart import Answer, create_in_parts
from pipeline.connectors.s3_settings import region_of, tls_context, verification
from pipeline.connectors.s3_signer import EMPTY_SHA256, Signer, query_text, quote_key
from pipeline.errors import ConnectorError, OperatorError, RefusedError, RetryableError

KEY_BYTES_MAX: Final = 1024
METADATA_PREFIX: Final = "x-amz-meta-"
# Answers that say "the condition does not hold".
_TAKEN: Final = {"PreconditionFailed", "412"}
_GONE: Final = {"404", "NoSuchKey", "NotFound"}
# Clocks that differ by more than this are told apart from the time a request takes. S3 allows 15 minutes.
_SKEW_SECONDS_MIN: Final = 60.0


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of a stored object without its content. `metadata` without the x-amz-meta- prefix."""

    size_bytes: int
    etag: str
    metadata: Mapping[str, str]


class Upload(NamedTuple):
    """A multipart upload under way."""

    key: str
    id: str
    begun: datetime


class S3Store:
    """One S3-compatible endpoint. Use as `async with S3Store(config) as store`."""

    def __init__(self, config: S3Connector) -> None:
        self._config = config
        self._stack = AsyncExitStack()
        self._client: Any = None
        self._session: aiohttp.ClientSession
        self._credentials: Any = None
        self._signers: dict[tuple[str, str, str | None, str], Signer] = {}
        self._regions: dict[str, str] = {}  # of buckets that told us theirs
        self._skew_seconds = 0.0
        self._conditional: dict[str, bool] = {}

    async def __aenter__(self) -> S3Store:
        options = self._config.transport_options
        session = aioboto3.Session(
            aws_access_key_id=self._config.access_key_id,
            aws_secret_access_key=self._config.secret_access_key and self._config.secret_access_key.get_secret_value(),
        )
        self._credentials = await session.get_credentials()
        self._client = await self._stack.enter_async_context(
            session.client(
                "s3",
                endpoint_url=self.endpoint,
                region_name=self.region,
                verify=verification(self._config),
                config=AioConfig(
                    connect_timeout=options.connect_timeout,
                    read_timeout=options.request_timeout,
                    # Retries are ours: botocore's would hide how long a store has been away and whose fault it is.
                    retries={"total_max_attempts": 1, "mode": "standard"},
                    s3={"addressing_style": "virtual" if self._config.access_method == "vhost" else "path"},
                    request_checksum_calculation="when_required",
                    response_checksum_validation="when_required",
                ),
            )
        )
        self._session = await self._stack.enter_async_context(
            aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=options.pool_size, ssl=tls_context(self._config)),
                timeout=aiohttp.ClientTimeout(total=options.request_timeout, sock_connect=options.connect_timeout),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                skip_auto_headers=("Accept", "Accept-Encoding", "User-Agent", "Content-Type"),
            )
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def endpoint(self) -> str:
        """URL of the endpoint, without bucket."""
        return f"{'https' if self._config.transport_options.ssl.enable else 'http'}://{self._host()}"

    @property
    def region(self) -> str:
        """The configured region, else the one in an AWS host name, else us-east-1."""
        return region_of(self._config)

    async def check(self, bucket: str) -> None:
        """Ask for the bucket. Returns if it can be used; 403 passes, since a key may be allowed to write and no more."""
        with _passing("403"):
            await self._call("head_bucket", Bucket=bucket)

    async def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Write an object, replacing what is there; its ETag. `headers` as `put_headers` gives them."""
        return _etag(await self._request("PUT", bucket, key, body, headers))

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, part_bytes: int = 0
    ) -> str | None:
        """Write an object if its key is free; its ETag. None: something is there, perhaps by an earlier try of this call.

        Bodies of more than `part_bytes`, if given, go up in parts of that size; an upload that fails is aborted.
        """
        condition = {"if-none-match": "*"} if await self.conditional(bucket) else {}
        if not condition and await self.head(bucket, key) is not None:
            return None
        try:
            if part_bytes and len(body) > part_bytes:
                return await create_in_parts(
                    partial(self._request, bucket=bucket, key=key), body, headers, condition, part_bytes
                )
            return _etag(await self._request("PUT", bucket, key, body, {**headers, **condition}))
        except OperatorError as error:
            if error.reason in _TAKEN:
                return None
            raise

    async def replace(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], etag: str) -> str | None:
        """Write an object over the one with this ETag; the new ETag. None: another one is there, or none."""
        try:
            return _etag(await self._request("PUT", bucket, key, body, {**headers, "if-match": etag}))
        except OperatorError as error:
            if error.reason in _TAKEN or error.reason in _GONE:
                return None
            raise

    async def conditional(self, bucket: str) -> bool:
        """Whether the store refuses to create what exists. Tried once for each bucket, on an object of our own."""
        known = self._conditional.get(bucket)
        if known is None:
            known = True
            try:
                for _ in range(2):
                    await self._request("PUT", bucket, "_tidegate/probe", b"", {"if-none-match": "*"})
                known = False
            except OperatorError as error:
                # 403: a key that may not write there says nothing about conditions, and AWS, MinIO and others have them.
                if error.reason not in _TAKEN and error.reason not in {"AccessDenied", "403"}:
                    raise
            except RetryableError as error:
                if error.reason not in {"NotImplemented", "501"}:
                    raise
                known = False
            self._conditional[bucket] = known
        return known

    async def head(self, bucket: str, key: str) -> Head | None:
        """What is known of an object; None if there is none."""
        try:
            answer = await self._request("HEAD", bucket, key, b"", {})
        except OperatorError as error:
            if error.reason in _GONE:
                return None
            raise
        metadata = {
            name.lower().removeprefix(METADATA_PREFIX): value
            for name, value in answer.headers.items()
            if name.lower().startswith(METADATA_PREFIX)
        }
        return Head(int(answer.headers.get("Content-Length", 0)), answer.headers.get("ETag", ""), metadata)

    async def get(self, bucket: str, key: str) -> bytes | None:
        """An object's content; None if there is none."""
        try:
            return (await self._request("GET", bucket, key, b"", {})).body
        except OperatorError as error:
            if error.reason in _GONE:
                return None
            raise

    async def delete(self, bucket: str, key: str) -> None:
        """Remove an object; one that is not there is fine."""
        with _passing(*_GONE):
            await self._request("DELETE", bucket, key, b"", {})

    async def keys(self, bucket: str, prefix: str, *, after: str = "") -> AsyncIterator[str]:
        """Keys with `prefix` that sort after `after`, in order."""
        while True:
            page = await self._call("list_objects_v2", Bucket=bucket, Prefix=prefix, StartAfter=after)
            for each in page.get("Contents", ()):
                after = each["Key"]
                yield after
            if not page.get("IsTruncated"):
                return

    async def uploads(self, bucket: str, prefix: str) -> list[Upload]:
        """Multipart uploads under way of keys with `prefix`."""
        found: list[Upload] = []
        after: dict[str, str] = {}
        while True:
            page = await self._call("list_multipart_uploads", Bucket=bucket, Prefix=prefix, **after)
            found += [Upload(each["Key"], each["UploadId"], each["Initiated"]) for each in page.get("Uploads", ())]
            if not page.get("IsTruncated"):
                return found
            after = {"KeyMarker": page["NextKeyMarker"], "UploadIdMarker": page["NextUploadIdMarker"]}

    async def abort(self, bucket: str, upload: Upload) -> None:
        """Forget a multipart upload and its parts; one that is not there is fine."""
        with _passing(*_GONE, "NoSuchUpload"):
            await self._request("DELETE", bucket, upload.key, b"", {}, {"uploadId": upload.id})

    async def create_bucket(self, bucket: str) -> None:
        """Create a bucket; one that exists and is ours is fine."""
        try:
            await self._call("create_bucket", Bucket=bucket)
        except ConnectorError as error:
            if error.reason not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise

    async def _request(
        self,
        method: str,
        bucket: str,
        key: str,
        body: bytes,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One signed request. Raises the error that its answer means."""
        _check_key(key)
        host, path = self._address(bucket, quote_key(key))
        text = query_text(query) if query else ""
        signer = await self._signer(bucket)
        digest = hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
        signed = signer.headers(time.time() + self._skew_seconds, method, host, path, text, headers, digest)
        scheme = "https" if self._config.transport_options.ssl.enable else "http"
        url = URL(f"{scheme}://{host}{path}{'?' + text if text else ''}", encoded=True)
        try:
            async with self._session.request(
                method, url, data=body or None, headers=signed, allow_redirects=False
            ) as answer:
                content = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            reason = "timeout" if isinstance(error, TimeoutError) else "connection"
            raise RetryableError(f"{self.endpoint}: {method} {bucket}/{key}: {_plain(error)}", reason=reason) from error
        if answer.status < 300:
            return Answer(answer.status, answer.headers, content)
        raise self._failure(method, bucket, key, answer, content)

    def _failure(
        self, method: str, bucket: str, key: str, answer: aiohttp.ClientResponse, body: bytes
    ) -> ConnectorError:
        """The error of an answer. What it teaches, a bucket's region or the store's clock, is used from now on."""
        code, text, region = describe(answer.status, body.decode("utf-8", "replace"))
        region = region or answer.headers.get("x-amz-bucket-region", "")
        error = classify(answer.status, code, text, f"{self.endpoint}: {method} {bucket}/{key[:200]}")
        if region and region != self._regions.get(bucket, self.region):
            self._regions[bucket] = region
            return RetryableError(f"{error}; the bucket is in {region}", reason="region")
        if code == "RequestTimeTooSkewed" and "Date" in answer.headers:
            skew = parsedate_to_datetime(answer.headers["Date"]).timestamp() - time.time()
            self._skew_seconds = skew if abs(skew) > _SKEW_SECONDS_MIN else 0.0
        return error

    async def _signer(self, bucket: str) -> Signer:
        if self._credentials is None:
            raise OperatorError(
                f"{self.endpoint}: no credentials: neither in the connector, nor in the environment, nor from the machine's role",
                reason="no_credentials",
            )
        try:
            frozen = await self._credentials.get_frozen_credentials()
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, OSError, TimeoutError) as error:
            raise RetryableError(
                f"{self.endpoint}: cannot renew credentials: {_plain(error)}", reason="credentials"
            ) from error
        region = self._regions.get(bucket) or self.region
        identity = (frozen.access_key, frozen.secret_key, frozen.token, region)
        signer = self._signers.get(identity)
        if signer is None:
            if len(self._signers) >= 100:
                self._signers.clear()
            signer = self._signers[identity] = Signer(*identity)
        return signer

    def _host(self, bucket: str = "") -> str:
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        default = 443 if self._config.transport_options.ssl.enable else 80
        return (bucket and f"{bucket}.") + host + ("" if self._config.port == default else f":{self._config.port}")

    def _address(self, bucket: str, path: str) -> tuple[str, str]:
        """Host and path of an object, as the connector's access method has it."""
        if self._config.access_method == "vhost":
            return self._host(bucket), f"/{path}"
        return self._host(), f"/{bucket}/{path}"

    async def _call(self, verb: str, **arguments: Any) -> Any:
        """One request through aioboto3."""
        what = f"{self.endpoint}: {verb} {arguments.get('Bucket', '')}"
        try:
            return await getattr(self._client, verb)(**arguments)
        except botocore.exceptions.ClientError as error:
            answer = error.response
            code = str(answer.get("Error", {}).get("Code", ""))
            status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
            raise classify(status, code, str(answer.get("Error", {}).get("Message", "")), what) from error
        except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
            raise OperatorError(f"{what}: no credentials: {error}", reason="no_credentials") from error
        except (botocore.exceptions.BotoCoreError, TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            raise RetryableError(f"{what}: {_plain(error)}", reason="connection") from error


@contextmanager
def _passing(*reasons: str) -> Iterator[None]:
    """Let an OperatorError with one of these reasons pass."""
    try:
        yield
    except OperatorError as error:
        if error.reason not in reasons:
            raise


def _check_key(key: str) -> None:
    size = len(key.encode())
    if not 0 < size <= KEY_BYTES_MAX:
        raise RefusedError(
            f"an object key has 1 to {KEY_BYTES_MAX} bytes, found {size}: {key[:80]!r}…", reason="key_length"
        )


def _etag(answer: Answer) -> str:
    return answer.headers.get("ETag", "")


def _plain(error: BaseException) -> str:
    return str(error) or type(error).__name__
