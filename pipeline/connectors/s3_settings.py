"""What the settings of an S3 connector and its actions mean on the wire: headers, region, TLS."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Final

from pipeline.config import S3Connector

# Headers that belong to the request itself.
_OWN: Final = {"host", "authorization", "content-length", "x-amz-date", "x-amz-content-sha256"}


def put_headers(headers: Mapping[str, str], acl: str | None) -> dict[str, str]:
    """Headers of a PUT from the configured ones. Raises ValueError for one that would break the request."""
    found = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in _OWN:
            raise ValueError(f"header {name!r} is the request's own and cannot be set")
        if not lower.isascii() or not value.isprintable() or not all(each.isalnum() or each in "-_" for each in lower):
            raise ValueError(f"header {name!r} or its value has characters that HTTP does not allow")
        found[lower] = value
    if acl:
        found["x-amz-acl"] = acl.replace("_", "-")
    return found


def region_of(config: S3Connector) -> str:
    """The configured region, else the one in an AWS host name, else us-east-1."""
    if config.region:
        return config.region
    labels = config.host.split(".")
    if "amazonaws" in labels and len(labels) >= 4 and labels[-1] in {"com", "cn"}:
        return labels[labels.index("amazonaws") - 1]
    return "us-east-1"


def verification(config: S3Connector) -> bool | str | None:
    """What aioboto3 calls `verify`."""
    tls = config.transport_options.ssl
    return False if tls.verify == "verify_none" else tls.cacertfile


def tls_context(config: S3Connector) -> ssl.SSLContext | bool:
    """TLS of the writing connections. Raises OSError for an authority's file that cannot be used."""
    tls = config.transport_options.ssl
    if not tls.enable:
        return False
    if tls.verify == "verify_none":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    return ssl.create_default_context(cafile=tls.cacertfile)
