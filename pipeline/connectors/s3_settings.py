"""What the settings of an S3 connector mean on the wire: region, TLS."""

from __future__ import annotations

import ssl

from pipeline.config import S3Connector


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
