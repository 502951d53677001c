"""The meaning of S3's errors in words, and what a person can do: a table of codes, and a table of statuses without a
code.

Codes are those of AWS, and those of MinIO, versitygw, Ceph and others if they have their own. This file does not know requests.
"""

from __future__ import annotations

from typing import Final

_REGION: Final = "the bucket is in another region; set `region` of the connector"
_ENDED: Final = "the credentials have ended; new ones are asked for, or set new ones in the connector"
_BUSY: Final = "the store asks for fewer requests; they are made again after a wait"
_AWAY: Final = "the store cannot answer now; the request is made again"
_AGAIN: Final = "the request did not arrive whole; it is made again"
_CLOCK: Final = "the clocks of this machine and of the store differ by more than 15 minutes; set this machine's clock"
_LENGTH: Final = "a key has 1,024 bytes at most; shorten the action's `key`"
_NAME: Final = "the store takes no key like this; change the action's `key`"
_PATH: Final = "this store keeps keys as paths, and one key is a folder of the other; change the action's `key`"
_LARGE: Final = "the object is larger than the store takes; lower `aggregation.max_records`, or the size of messages"
_HEADERS: Final = (
    "metadata has 2 KB and all headers 8 KB at most; shorten `metadata`, `tags` or `headers` of the action"
)
_FULL: Final = "the store is full, or the quota of the bucket is used up; make room"
_FORBIDDEN: Final = "the credentials may not do this; allow it in the policy of the key or of the bucket"
_ACCESS_KEY: Final = "the store does not know this access key; check `access_key_id` of the connector"
_UNKNOWN_REQUEST: Final = "the store does not know this kind of request; see docs/stores.md"

CODES: Final[dict[str, str]] = {
    # A person has to correct something
    "AccessDenied": _FORBIDDEN,
    "AllAccessDisabled": _FORBIDDEN,
    "AccountProblem": "the account has a problem; ask the store's support",
    "InvalidAccessKeyId": _ACCESS_KEY,
    "XAdminUserNotFound": _ACCESS_KEY,  # versitygw's word for it, with 404
    "SignatureDoesNotMatch": "the secret is not that of the access key, or a proxy changes requests; check `secret_access_key`",
    "InvalidBucketName": "no bucket can have this name; check `bucket` of the action",
    "NoSuchBucket": "there is no bucket of this name; create it, or check `bucket` of the action and `host` of the connector",
    "InvalidObjectState": "the object is archived; restore it, and keep _tidegate/ out of that lifecycle rule",
    "InvalidStorageClass": "the store has no storage class of this name; check `storage_class` of the action",
    "EntityTooSmall": "a part is smaller than the store takes; raise `min_part_size` of the action",
    "QuotaExceeded": _FULL,
    "InsufficientCapacity": _FULL,
    "XMinioStorageFull": _FULL,
    "XMinioAdminBucketQuotaExceeded": _FULL,
    "NotImplemented": _UNKNOWN_REQUEST,
    "MethodNotAllowed": _UNKNOWN_REQUEST,
    # May pass by itself
    "AuthorizationHeaderMalformed": _REGION,
    "PermanentRedirect": _REGION,
    "IllegalLocationConstraintException": _REGION,
    "ExpiredToken": _ENDED,
    "ExpiredTokenException": _ENDED,
    "RequestExpired": _ENDED,
    "TokenRefreshRequired": _ENDED,
    "RequestTimeTooSkewed": _CLOCK,
    "SlowDown": _BUSY,
    "Throttling": _BUSY,
    "ThrottlingException": _BUSY,
    "TooManyRequestsException": _BUSY,
    "InternalError": _AWAY,
    "ServiceUnavailable": _AWAY,
    "XMinioServerNotInitialized": _AWAY,
    "BadDigest": _AGAIN,
    "IncompleteBody": _AGAIN,
    "RequestTimeout": _AGAIN,
    "ConditionalRequestConflict": "another request writes the same key; the request is made again",
    "OperationAborted": "another request changes the same thing; the request is made again",
    "NoSuchUpload": "the upload in parts was ended by somebody else; it begins again",
    # The store will never accept this
    "KeyTooLong": _LENGTH,
    "KeyTooLongError": _LENGTH,
    "InvalidObjectName": _NAME,
    "InvalidURI": _NAME,
    "XMinioInvalidObjectName": _NAME,
    "DirectoryObjectContainsData": _NAME,
    "ExistingObjectIsDirectory": _PATH,
    "ObjectExistsAsDirectory": _PATH,
    "ObjectParentIsFile": _PATH,
    "EntityTooLarge": _LARGE,
    "XMinioInvalidResourceName": _NAME,
    "XMinioObjectExistsAsDirectory": _PATH,
    "XMinioParentIsObject": _PATH,
    "InvalidTag": "the store refuses a tag; check `tags` of the action",
    "MetadataTooLarge": _HEADERS,
    "RequestHeaderSectionTooLarge": _HEADERS,
}

STATUSES: Final[dict[int, str]] = {
    401: "the store wants credentials; set `access_key_id` and `secret_access_key` of the connector",
    403: _FORBIDDEN,
    404: "there is no such bucket, or nothing under this key; check `bucket` of the action and `host` of the connector",
    405: _UNKNOWN_REQUEST,
    408: _AGAIN,
    413: _LARGE,
    414: _LENGTH,
    429: _BUSY,
    431: _HEADERS,
    500: _AWAY,
    501: _UNKNOWN_REQUEST,
    502: _AWAY,
    503: _AWAY,
    504: _AWAY,
    507: _FULL,
}

# For a request without an answer, by its reason (errors.py): what a person can do, after the system's own words.
UNANSWERED: Final[dict[str, str]] = {
    "dns": "check `host` of the connector",
    "refused": "check `host` and `port` of the connector, and whether the store is up",
    "timeout": "check `host` and `port` of the connector, and firewalls in between",
    "tls": "the port may speak no TLS; check `port` of the connector and `transport_options.ssl.enable`",
    "certificate": "check `transport_options.ssl.cacertfile` and `host` of the connector",
    "ended": "the port may expect TLS, or be no store's; check `port` of the connector and `transport_options.ssl.enable`",
}
EXPECTS_TLS: Final = "the port expects TLS; set `transport_options.ssl.enable` of the connector"
# What servers in Go, nginx and Apache answer in clear text where they expect TLS.
_WANT_TLS: Final = (b"HTTP request to an HTTPS server", b"sent to HTTPS port", b"plain HTTP to an SSL-enabled")


def meaning(status: int, code: str, bucket: str = "") -> str:
    """A sentence for a person, or an empty text if the store's own words say everything.

    `bucket` is named if the request was about the bucket itself.
    """
    if bucket and (code == "NoSuchBucket" or (status == 404 and code in ("", "404"))):
        return (
            f"there is no bucket {bucket}; make it (`aws s3 mb s3://{bucket}`), or check `bucket` of the action"
            " and `host` of the connector"
        )
    return CODES.get(code) or STATUSES.get(status, "")


def wants_tls(body: bytes) -> bool:
    """Whether an answer in clear text says that the port expects TLS."""
    return any(words in body for words in _WANT_TLS)
