"""TLS of the connections to a store: makes an ssl context from a connector's settings."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.config.tls import S3Tls
from pipeline.errors import ConfigError

_VERSIONS = {"tlsv1.2": ssl.TLSVersion.TLSv1_2, "tlsv1.3": ssl.TLSVersion.TLSv1_3}
_WHERE = "transport_options.ssl"


class _Context(ssl.SSLContext):
    """A context that can request another name than the host's."""

    name_of: Callable[[str | None], str | None] = staticmethod(lambda host: host)

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        name = self.name_of(server_hostname)  # type: ignore[arg-type]
        return super().wrap_bio(incoming, outgoing, server_side, name, session)


def context_of(tls: S3Tls) -> ssl.SSLContext | bool:
    """The ssl context, or False without TLS. Raises ConfigError, which names the setting of a bad file."""
    if not tls.enable:
        return False
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    versions = sorted(_VERSIONS[each] for each in tls.versions)
    context.minimum_version, context.maximum_version = versions[0], versions[-1]
    if tls.server_name_indication == "disable":
        context.check_hostname = False
        context.name_of = lambda host: None
    elif tls.server_name_indication:
        context.name_of = lambda host: tls.server_name_indication
    if tls.verify == "verify_none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.ciphers:
        with _naming("ciphers", ":".join(tls.ciphers)):
            context.set_ciphers(":".join(tls.ciphers))
    if tls.partial_chain:
        context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    _load(context, tls)
    return context


def _load(context: ssl.SSLContext, tls: S3Tls) -> None:
    """Load the authorities and our own certificate."""
    if tls.cacertfile is None:
        context.load_default_certs()
    else:
        with _naming("cacertfile", tls.cacertfile):
            if _is_pem(tls.cacertfile):
                context.load_verify_locations(cadata=tls.cacertfile)
            else:
                context.load_verify_locations(cafile=tls.cacertfile)
    if tls.certfile is None or tls.keyfile is None:
        return
    password = tls.password.reveal() if tls.password else ""  # never let OpenSSL ask for it at a terminal
    with TemporaryDirectory(prefix="tidegate-") as folder, _naming("certfile", tls.certfile):
        certificate, key = _file(tls.certfile, Path(folder) / "cert"), _file(tls.keyfile.reveal(), Path(folder) / "key")
        context.load_cert_chain(certificate, key, password=password)


def _is_pem(text: str) -> bool:
    return "-----BEGIN" in text


def _file(text: str, path: Path) -> str:
    """Write PEM text to a file, because ssl reads its own certificates only from files.

    The folder is private, and is removed at once.
    """
    if not _is_pem(text):
        return text
    path.write_text(text)
    return str(path)


@contextmanager
def _naming(setting: str, value: str) -> Any:
    try:
        yield
    except OSError as error:
        shown = "the PEM text" if _is_pem(value) else value
        raise ConfigError(
            f"bad_ssl_config: cannot use {shown}: {error.strerror or error}", where=f"{_WHERE}.{setting}"
        ) from None
