"""What an answer of S3 means for the caller: try again, wait for a person, or give this object up.

A table of codes; what is in none of its rows is judged by its HTTP status. Knows no client library.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final, NamedTuple

from pipeline.connectors.s3.documents import texts
from pipeline.connectors.s3.meaning import meaning
from pipeline.errors import ConnectorError, OperatorError, RefusedError, RetryableError

# Credentials of a role that have ended: new ones, and the same request at once.
RENEW: Final = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
# May succeed by itself. NoSuchUpload: parts that were aborted or completed meanwhile; the upload begins again, and finds out.
_RETRY: Final = RENEW | {
    "BadDigest", "ConditionalRequestConflict", "IncompleteBody", "InternalError", "NoSuchUpload", "OperationAborted",
    "RequestTimeTooSkewed", "RequestTimeout", "ServiceUnavailable", "SlowDown", "Throttling", "ThrottlingException",
    "TooManyRequestsException", "XMinioServerNotInitialized",
}  # fmt: skip
# No key of this kind will ever be accepted, whoever asks. versitygw keeps keys as paths: `a` and `a/b` exclude each other.
REFUSED_KEYS: Final = {
    "ExistingObjectIsDirectory", "InvalidObjectName", "InvalidURI", "KeyTooLong", "KeyTooLongError",
    "ObjectExistsAsDirectory", "ObjectParentIsFile", "XMinioInvalidObjectName",
}  # fmt: skip
_REFUSED: Final = REFUSED_KEYS | {"EntityTooLarge", "InvalidTag", "MetadataTooLarge"}
_REDIRECT: Final = {"AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException"}


class Described(NamedTuple):
    """What an error document names; empty where it does not."""

    code: str
    message: str
    region: str


def describe(document: bytes) -> Described:
    """What the body of an answer says of an error: nothing, when it is not an error document."""
    found: dict[str, str] = {}
    for around, name, text in texts(document):
        if around == "Error":
            found.setdefault(name, text)
    return Described(found.get("Code", ""), found.get("Message", ""), found.get("Region", ""))


def reason_of(error: BaseException) -> str:
    """A short stable word for a request that got no answer."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return "tls"
        if isinstance(seen, socket.gaierror):
            return "dns"
        if isinstance(seen, ConnectionRefusedError):
            return "refused"
        seen = seen.__cause__ or seen.__context__
    return "timeout" if isinstance(error, TimeoutError) or "Timeout" in type(error).__name__ else "connection"


def classify(status: int, code: str, text: str, what: str) -> ConnectorError:
    """The error to raise. `what` says which request to which place failed."""
    named = f"{status} {code}" if code not in ("", str(status)) else str(status)
    answer = f"{named}: {text}" if text not in ("", code) else named
    known = meaning(status, code)
    message = f"{what}: {known} ({answer})" if known else f"{what}: {answer}"
    reason = code or str(status)
    if code in _REFUSED or status == 413:
        return RefusedError(message, reason=reason)
    if code in _RETRY or code in _REDIRECT or status >= 500 or status in {408, 429}:
        return RetryableError(message, reason=reason)
    return OperatorError(message, reason=reason)
