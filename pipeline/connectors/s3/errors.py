"""The meaning of S3's answers for the caller: try again, wait for a person, or give this object up.

It is a table of codes. If a code is not in the table, the HTTP status decides. If an answer is about a part of the request, the
error names the part; the caller knows who decided it. This file does not know a client library.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
from typing import Final, NamedTuple, get_args

from pipeline.connectors.s3.documents import read
from pipeline.connectors.s3.meaning import UNANSWERED, meaning
from pipeline.errors import ConnectorError, OperatorError, Part, RefusedError, RetryableError

# Expired credentials of a role: get new ones, and repeat the request at once.
RENEW: Final = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
# May succeed later. NoSuchUpload: the upload was aborted or completed meanwhile; it begins again, and finds out.
_RETRY: Final = RENEW | {
    "BadDigest", "ConditionalRequestConflict", "IncompleteBody", "InternalError", "NoSuchUpload", "OperationAborted",
    "RequestTimeTooSkewed", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException",
    "TooManyRequestsException", "XMinioServerNotInitialized",
}  # fmt: skip
# No request with this part will ever be accepted. Some stores keep keys as paths, so `a` and `a/b` exclude each other.
_REFUSED: Final[dict[str, Part]] = {
    **dict.fromkeys((
        "DirectoryObjectContainsData", "ExistingObjectIsDirectory", "InvalidObjectName", "InvalidURI", "KeyTooLong",
        "KeyTooLongError", "ObjectExistsAsDirectory", "ObjectParentIsFile", "XMinioInvalidObjectName",
        "XMinioInvalidResourceName", "XMinioObjectExistsAsDirectory", "XMinioParentIsObject",
    ), "key"),
    "InvalidBucketName": "bucket",
    **dict.fromkeys(("InvalidTag", "MetadataTooLarge", "RequestHeaderSectionTooLarge"), "headers"),
    "EntityTooLarge": "content",
}  # fmt: skip
_REFUSED_STATUSES: Final[dict[int, Part]] = {413: "content", 414: "key", 431: "headers"}
# A person has to correct something, whatever the request is.
_PERSONS: Final = {
    "AccountProblem", "InsufficientCapacity", "InvalidAccessKeyId", "InvalidStorageClass", "QuotaExceeded",
    "SignatureDoesNotMatch", "XMinioAdminBucketQuotaExceeded", "XMinioStorageFull",
}  # fmt: skip
_OF_BUCKETS: Final = {"AccessDenied", "AllAccessDisabled", "NoSuchBucket"}
# Answers that are never a row's fault: the store is busy, the clocks differ, the credentials have expired.
NEVER_A_ROWS: Final = RENEW | {
    "429", "503", "ConditionalRequestConflict", "OperationAborted", "RequestTimeTooSkewed", "ServiceUnavailable", "SlowDown",
    "Throttling", "ThrottlingException", "TooManyRequestsException", "XMinioServerNotInitialized",
    "credentials", "no_credentials", "region",
}  # fmt: skip
# What Python puts around the words of the resolver and of OpenSSL.
_NOISE: Final = re.compile(r"^\[(?:Errno -?\d+|SSL: \w+|SSL)\] | \(_ssl\.c:\d+\)$")
_REDIRECT: Final = {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}


class Described(NamedTuple):
    """The facts of an error document. Missing facts are empty."""

    code: str
    message: str
    region: str


def describe(document: bytes) -> Described:
    """The facts of an error in the body of an answer. They are empty if the body is not an error document."""
    found = read(document)
    return Described(*(found.text(name, around="Error").strip() for name in ("Code", "Message", "Region")))


def reason_of(error: BaseException) -> str:
    """A short, stable word for the reason of a request without an answer."""
    if isinstance(error, RetryableError):
        return error.reason
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return "tls"
        if isinstance(seen, socket.gaierror):
            return "dns"
        if isinstance(seen, ConnectionRefusedError):
            return "refused"
        seen = seen.__cause__ or seen.__context__
    return "timeout" if isinstance(error, TimeoutError) else "connection"


def words_of(error: BaseException) -> str:
    """What the system says about a request without an answer, without numbers that nobody needs."""
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) and (error.errno or 0) > 0:
        return os.strerror(error.errno or 0)
    return _NOISE.sub("", str(error)) or type(error).__name__


def advice(error: BaseException, *, tls: bool) -> str:
    """What a person can do about a request without an answer, if anything."""
    reason = reason_of(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = "certificate"
    elif reason == "connection" and isinstance(error, RetryableError) and not tls:
        reason = "ended"
    return UNANSWERED.get(reason, "")


def classify(status: int, code: str, text: str, what: str, bucket: str = "") -> ConnectorError:
    """The error to raise. `what` names the request and its place, `bucket` the bucket if the request was about itself."""
    named = f"{status} {code}" if code not in ("", str(status)) else str(status)
    answer = f"{named}: {text}" if text not in ("", code) else named
    known = meaning(status, code, bucket)
    message = f"{what}: {known} ({answer})" if known else f"{what}: {answer}"
    reason = code or str(status)
    if (refused := _REFUSED.get(code) or _REFUSED_STATUSES.get(status)) is not None:
        return RefusedError(message, reason=reason, blames={refused})
    if code in _RETRY or code in _REDIRECT or status >= 500 or status in {408, 429}:
        return RetryableError(message, reason=reason)
    return OperatorError(message, reason=reason, blames=_blamed(status, code))


def _blamed(status: int, code: str) -> frozenset[Part]:
    """The parts of the request that a 4xx may be about: all parts if it does not say."""
    if code in _OF_BUCKETS or (status in {403, 404} and code in ("", str(status))):
        return frozenset({"bucket"})
    told = code in _PERSONS or status in {401, 403, 404, 407} or not 400 <= status < 500
    return frozenset() if told else frozenset(get_args(Part)) - {"content"}
