"""The S3 connector: connect, check, a few verbs, close.

Each verb makes one request and returns a value, or raises one of three errors that say what to do: RetryableError (call
again), OperatorError (a person has to correct something; call again later), RefusedError (this object will never be
accepted). The caller retries. A request that timed out may have succeeded: a later `create` then returns None, and the
caller compares the existing object with its own. All verbs may run in parallel.

Requests go through our own signer and our own HTTP/1.1 client (http/): a PUT costs a small part of aioboto3's, and aioboto3 need
not be loaded. It gives the credentials of roles and profiles. This file does not know rows, rules or Kafka.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Final

from pipeline.config import S3Connector
from pipeline.connectors.s3.http.answers import Answer
from pipeline.connectors.s3.listing import (
    FolderPage,
    KeyPage,
    Upload,
    folder_of,
    folder_query,
    keys_of,
    keys_query,
    uploads_of,
    uploads_query,
)
from pipeline.connectors.s3.multipart import create_in_parts
from pipeline.connectors.s3.wire import BUCKETS_REMEMBERED_MAX, Wire
from pipeline.errors import ConnectorError, OperatorError, RetryableError
from pipeline.log import get_logger
from pipeline.template.object_names import ROOT
from pipeline.upload.headers import METADATA_PREFIX

KEYS_AT_ONCE: Final = 1000
# Answers that mean "the condition does not hold".
_TAKEN: Final = {"PreconditionFailed", "412"}
PROBE: Final = f"{ROOT}/probe"  # our own object for trying a bucket
_GONE: Final = {"404", "NoSuchKey", "NotFound"}

NEVER: Final = datetime.fromtimestamp(0, UTC)

log = get_logger("tidegate.s3")


@dataclass(frozen=True, slots=True)
class Head:
    """The facts of a stored object without its content. `metadata` has no x-amz-meta- prefix.

    `modified` is the time of the write on the store's clock, or the earliest possible time if the store does not say.
    """

    size_bytes: int
    etag: str
    metadata: Mapping[str, str]
    modified: datetime = NEVER
    content_type: str = ""


class S3Store:
    """One S3-compatible endpoint. Use as `async with S3Store(config) as store`."""

    def __init__(self, config: S3Connector) -> None:
        self._wire = Wire(config)
        self._conditional: dict[str, bool] = {}

    async def __aenter__(self) -> S3Store:
        await self._wire.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._wire.__aexit__()

    @property
    def endpoint(self) -> str:
        """URL of the endpoint, without bucket."""
        return self._wire.endpoint

    @property
    def region(self) -> str:
        """The configured region, else the one in an AWS host name, else us-east-1."""
        return self._wire.region

    async def check(self, bucket: str) -> None:
        """Check a bucket. Returns if it can be used, even if the key may only write there.

        The answer to HEAD has no body, so a second request finds the reason of a 403 or a 404: a wrong secret, an access key that
        the store does not know, or missing rights.
        """
        try:
            await self._wire.of_bucket("HEAD", bucket)
        except OperatorError as error:
            if error.reason not in {"403", "404", "AccessDenied"}:
                raise
            with _passing("403", "AccessDenied", "AllAccessDisabled"):
                await self._wire.of_bucket("GET", bucket, keys_query("", "", 1))
            if error.reason == "404":
                raise

    async def put(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str]) -> str:
        """Write an object, and replace an existing one.

        Returns its ETag. `headers` have the form of pipeline/action/headers.py.
        """
        return _etag(await self._wire.request("PUT", bucket, key, body, headers, kind="object"))

    async def create(
        self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], *, part_bytes: int = 0
    ) -> str | None:
        """Write an object if its key does not exist. Returns its ETag, or None if it exists, perhaps from an earlier
        try of this call.

        Bodies of more than `part_bytes`, if given, are uploaded in parts of that size. A failed upload is aborted.
        """
        condition = {"if-none-match": "*"} if await self.conditional(bucket) else {}
        if not condition and await self.head(bucket, key) is not None:
            return None
        try:
            if part_bytes and len(body) > part_bytes:
                return await create_in_parts(
                    partial(self._wire.request, bucket=bucket, key=key), body, headers, condition, part_bytes
                )
            return _etag(await self._wire.request("PUT", bucket, key, body, {**headers, **condition}, kind="object"))
        except OperatorError as error:
            if error.reason in _TAKEN:
                return None
            raise

    async def replace(self, bucket: str, key: str, body: bytes, headers: Mapping[str, str], etag: str) -> str | None:
        """Write an object over the one with this ETag. Returns the new ETag, or None if another object or none is there.

        A store without conditions is asked for the ETag first, as in `create`.
        """
        condition = {"if-match": etag} if await self.conditional(bucket) else {}
        if not condition:
            head = await self.head(bucket, key)
            if head is None or head.etag != etag:
                return None
        try:
            return _etag(await self._wire.request("PUT", bucket, key, body, {**headers, **condition}, kind="object"))
        except OperatorError as error:
            if error.reason in _TAKEN or error.reason in _GONE:
                return None
            raise

    async def conditional(self, bucket: str) -> bool:
        """Whether the store refuses to create an existing object. It is tried once for each bucket, with our own object."""
        known = self._conditional.get(bucket)
        if known is None:
            known = True
            try:
                for _ in range(2):
                    await self._wire.request("PUT", bucket, PROBE, b"", {"if-none-match": "*"}, kind="object")
                known = False
            except OperatorError as error:
                # 403: the key may not write there, so this says nothing about conditions; AWS, MinIO and others have them.
                if error.reason not in _TAKEN and error.reason not in {"AccessDenied", "403"}:
                    raise
            except RetryableError as error:
                if error.reason not in {"NotImplemented", "501"}:
                    raise
                known = False
            if len(self._conditional) >= BUCKETS_REMEMBERED_MAX:  # rows may choose them
                self._conditional.clear()
            self._conditional[bucket] = known
            if not known:
                log.warning(
                    "s3.conditions_unknown",
                    bucket=bucket,
                    endpoint=self.endpoint,
                    help="the store does not have conditional writes; a frozen worker that wakes up may replace a"
                    " row by an older one",
                )
        return known

    async def head(self, bucket: str, key: str) -> Head | None:
        """The facts of an object, or None if it does not exist."""
        try:
            answer = await self._wire.request("HEAD", bucket, key, b"", {})
        except OperatorError as error:
            if error.reason in _GONE:
                return None
            raise
        metadata = {
            name.removeprefix(METADATA_PREFIX): value
            for name, value in answer.headers.items()
            if name.startswith(METADATA_PREFIX)
        }
        headers = answer.headers
        return Head(
            int(headers.get("content-length", 0)),
            headers.get("etag", ""),
            metadata,
            _modified(headers.get("last-modified")),
            headers.get("content-type", ""),
        )

    async def get(self, bucket: str, key: str) -> bytes | None:
        """The content of an object, or None if it does not exist."""
        try:
            return (await self._wire.request("GET", bucket, key, b"", {})).body
        except OperatorError as error:
            if error.reason in _GONE:
                return None
            raise

    async def part(self, bucket: str, key: str, first: int, size_bytes: int) -> bytes | None:
        """At most `size_bytes` of an object's content from `first` on, which must be within it. None: it does not exist."""
        wanted = {"range": f"bytes={first}-{first + size_bytes - 1}"}
        try:
            answer = await self._wire.request("GET", bucket, key, b"", wanted)
        except OperatorError as error:
            if error.reason in _GONE:
                return None
            raise
        return answer.body if answer.status == 206 else answer.body[first : first + size_bytes]

    async def delete(self, bucket: str, key: str) -> None:
        """Remove an object. A missing object is not an error."""
        with _passing(*_GONE):
            await self._wire.request("DELETE", bucket, key, b"", {})

    async def page(self, bucket: str, prefix: str, *, after: str = "") -> KeyPage:
        """At most a thousand keys with `prefix` that sort after `after`, in order, and whether more follow."""
        return keys_of((await self._wire.of_bucket("GET", bucket, keys_query(prefix, after, KEYS_AT_ONCE))).body)

    async def folder(self, bucket: str, prefix: str, *, token: str = "", count: int = KEYS_AT_ONCE) -> FolderPage:
        """At most `count` folders and objects directly below `prefix`, in order. `token`: that of the page before."""
        return folder_of((await self._wire.of_bucket("GET", bucket, folder_query(prefix, token, count))).body)

    async def uploads(self, bucket: str, prefix: str) -> list[Upload]:
        """Multipart uploads under way of keys with `prefix`."""
        found: list[Upload] = []
        following: dict[str, str] | None = {}
        while following is not None:
            answer = await self._wire.of_bucket("GET", bucket, uploads_query(prefix) | following)
            page, following = uploads_of(answer.body)
            found += page
        return found

    async def abort(self, bucket: str, upload: Upload) -> None:
        """Abort a multipart upload. A missing upload is not an error."""
        with _passing(*_GONE, "NoSuchUpload"):
            await self._wire.request("DELETE", bucket, upload.key, b"", {}, {"uploadId": upload.id})

    async def create_bucket(self, bucket: str) -> None:
        """Create a bucket. Our own existing bucket is not an error."""
        try:
            await self._wire.of_bucket("PUT", bucket)
        except ConnectorError as error:
            if error.reason not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise


@contextmanager
def _passing(*reasons: str) -> Iterator[None]:
    """Ignore an OperatorError with one of these reasons."""
    try:
        yield
    except OperatorError as error:
        if error.reason not in reasons:
            raise


def _modified(text: str | None) -> datetime:
    """The time of a Last-Modified header (RFC 9110)."""
    try:
        found = parsedate_to_datetime(text or "")
    except ValueError:
        return NEVER
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _etag(answer: Answer) -> str:
    return answer.headers.get("etag", "")
