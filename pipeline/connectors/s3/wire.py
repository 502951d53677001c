"""Sends signed requests to an S3-compatible endpoint, and gives the meaning of failures.

It signs, sends and reads; retries a few times at once; and learns a bucket's region, the difference of the clocks, and that
credentials have expired. It knows the addresses of objects, but not their purpose. It makes no URL from an invalid bucket name,
because such a URL would lead to another host or another bucket.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from pipeline.config import S3Connector
from pipeline.config.base.secrets import SecretText, texts_of
from pipeline.connectors.s3.credentials import StoreCredentials
from pipeline.connectors.s3.errors import RENEW, advice, classify, describe, reason_of, words_of
from pipeline.connectors.s3.http.answers import Answer
from pipeline.connectors.s3.http.connection import HttpRequest
from pipeline.connectors.s3.http.pool import Pool
from pipeline.connectors.s3.meaning import EXPECTS_TLS, wants_tls
from pipeline.connectors.s3.multipart import Kind
from pipeline.connectors.s3.settings import region_of
from pipeline.connectors.s3.signer import EMPTY_SHA256, Signer, query_text, quote_key
from pipeline.connectors.s3.tls import context_of
from pipeline.errors import ConfigError, ConnectorError, OperatorError, RefusedError, RetryableError
from pipeline.retry import REQUEST, Waits
from pipeline.template.object_names import bucket_problem, shape_problem
from pipeline.upload.headers import checked, with_parts

# A larger difference is a difference of the clocks and not the time of a request. S3 allows 15 minutes.
_SKEW_SECONDS_MIN: Final = 60.0
BUCKETS_REMEMBERED_MAX: Final = 10_000  # rows may choose them
# Other requests may read keys of other programs, which may have any form.
_WRITES: Final = {"PUT", "POST"}


class BucketPlace(NamedTuple):
    """The address of a bucket: the host to connect to, the header `host`, and the beginning of the path."""

    server: str
    host: str
    path: str


class Wire:
    """Connections, credentials and learnt facts of one endpoint. Use as `async with Wire(config) as wire`."""

    def __init__(self, config: S3Connector) -> None:
        self._config = config
        self._pool: Pool
        self._credentials = StoreCredentials(config, self.endpoint)
        headers = checked(texts_of(config.transport_options.headers))
        self._headers: dict[Kind, dict[str, str]] = {"object": headers, "part": with_parts(headers), "other": {}}
        self._signers: dict[tuple[str, str, str | None, str], Signer] = {}
        self._places: dict[str, BucketPlace] = {}
        self._regions: dict[str, str] = {}  # regions of buckets, learnt from their answers
        self._skew_seconds = 0.0
        self._region = region_of(config)
        self._secrets: dict[str, str] = {}  # values of configured headers by their written texts

    async def __aenter__(self) -> Wire:
        options = self._config.transport_options
        self._pool = Pool(
            self._config.port,
            context_of(options.ssl),
            connections_max=options.pool_size,
            connect_seconds=options.connect_timeout,
            request_seconds=options.request_timeout,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._pool.close()

    @property
    def endpoint(self) -> str:
        """URL of the endpoint, without bucket."""
        return f"{'https' if self._config.transport_options.ssl.enable else 'http'}://{self._host()}"

    @property
    def region(self) -> str:
        """The configured region, else the one in an AWS host name, else us-east-1."""
        return self._region

    async def request(
        self,
        method: str,
        bucket: str,
        key: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        *,
        kind: Kind = "other",
    ) -> Answer:
        """Make one request about an object, with up to `max_retries` retries. Raises the error of its last answer.

        `kind` decides which of the connector's headers it has; `headers` take precedence. A POST is made only once, because only
        its caller knows its effect. The first failure because of expired credentials does not count as a try.
        """
        if method in _WRITES and (problem := shape_problem(key)):
            raise RefusedError(problem, reason="key", blames={"key"})
        return await self._tried(method, bucket, key, body, {**self._headers[kind], **(headers or {})}, query)

    async def of_bucket(self, method: str, bucket: str, query: Mapping[str, str] | None = None) -> Answer:
        """Make one request about a bucket, with the same retries."""
        return await self._tried(method, bucket, "", b"", {}, query)

    async def _tried(
        self,
        method: str,
        bucket: str,
        key: str,
        body: bytes,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None,
    ) -> Answer:
        place = self._places.get(bucket) or self._place_of(bucket)
        waits: Waits | None = None
        retries = self._config.transport_options.max_retries if method != "POST" else 0
        renewed = False
        while True:
            try:
                return await self._once(method, bucket, place, key, body, headers, query)
            except RetryableError as error:
                if error.reason in RENEW and not renewed:
                    renewed = True
                    continue
                if not retries or error.reason in {"NotImplemented", "501"}:
                    raise
                retries -= 1
                if error.reason != "region":
                    waits = waits or REQUEST.waits(random.random)
                    await asyncio.sleep(waits.after(error))

    async def _once(
        self,
        method: str,
        bucket: str,
        place: BucketPlace,
        key: str,
        body: bytes,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None,
    ) -> Answer:
        """Make one signed request. Raises the error of its answer."""
        path = f"{place.path}/{quote_key(key)}" if key else place.path or "/"
        text = query_text(query) if query else ""
        signer = await self._signer(bucket)
        digest = hashlib.sha256(body).hexdigest() if body else EMPTY_SHA256
        if SecretText in map(type, headers.values()):
            headers = {name: self._opened(name, value) for name, value in headers.items()}
        signed = signer.headers(time.time() + self._skew_seconds, method, place.host, path, text, headers, digest)
        head = f"{method} {path}{text and '?' + text} HTTP/1.1\n{signed}"
        if body or method in _WRITES:
            head += f"content-length:{len(body)}\n"
        request = HttpRequest(method, head.replace("\n", "\r\n").encode(), body)
        try:
            answer = await self._pool.request(place.server, request)
        except (OSError, RetryableError) as error:
            what = f"{self.endpoint}: {method} {bucket}/{key[:200]}: {words_of(error)}"
            todo = advice(error, tls=self._config.transport_options.ssl.enable)
            raise RetryableError(f"{what}; {todo}" if todo else what, reason=reason_of(error)) from error
        if answer.status < 300:
            return answer
        raise self._failure(method, bucket, key, answer)

    def _opened(self, name: str, value: str) -> str:
        """The value of a header. A secret of the settings is read when it is first sent. What rows render is sent as it is."""
        if not isinstance(value, SecretText):
            return value
        known = self._secrets.get(value)
        if known is None:
            try:
                known = self._secrets[str(value)] = checked({name: value.reveal()})[name]
            except (ConfigError, ValueError) as error:
                raise OperatorError(f"{self.endpoint}: the header {name}: {error}", reason="header") from None
        return known

    def _failure(self, method: str, bucket: str, key: str, answer: Answer) -> ConnectorError:
        """The error of an answer. A bucket's region or the store's time in the answer is used from now on."""
        code, text, region = describe(answer.body)
        region = region or answer.headers.get("x-amz-bucket-region", "")
        what = f"{self.endpoint}: {method} {bucket}/{key[:200]}"
        if answer.status == 400 and wants_tls(answer.body):
            return OperatorError(f"{what}: {EXPECTS_TLS}", reason="tls")
        error = classify(answer.status, code, text, what, bucket if not key or code == "NoSuchBucket" else "")
        if region and region != self._regions.get(bucket, self.region):
            if len(self._regions) >= BUCKETS_REMEMBERED_MAX:
                self._regions.clear()
            self._regions[bucket] = region
            return RetryableError(f"{error}; the bucket is in {region}", reason="region")
        if code in RENEW or (isinstance(error, OperatorError) and answer.status == 403):
            self._credentials.forget()
        if code == "RequestTimeTooSkewed" and "date" in answer.headers:
            skew = parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()
            self._skew_seconds = skew if abs(skew) > _SKEW_SECONDS_MIN else 0.0
        return error

    async def _signer(self, bucket: str) -> Signer:
        keys = await self._credentials.get()
        identity = (*keys, self._regions.get(bucket) or self._region)
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

    def _place_of(self, bucket: str) -> BucketPlace:
        """Where a bucket is, in the form of the connector's access method. Raises RefusedError for an invalid name."""
        if problem := bucket_problem(bucket):
            raise RefusedError(problem, reason="bucket", blames={"bucket"})
        if self._config.access_method == "vhost":
            place = BucketPlace(f"{bucket}.{self._config.host}", self._host(bucket), "")
        else:
            place = BucketPlace(self._config.host, self._host(), f"/{bucket}")
        if len(self._places) >= BUCKETS_REMEMBERED_MAX:
            self._places.clear()
        self._places[bucket] = place
        return place
