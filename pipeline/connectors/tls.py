"""Certificates and keys of a client connection: from files or PEM text into an ssl context. S3 and Kafka share it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from pipeline.config.base.secrets import Secret
from pipeline.errors import ConfigError, located


class Certificates(Protocol):
    """The settings of a section that name files, or hold their text."""

    @property
    def cacertfile(self) -> str | None: ...
    @property
    def certfile(self) -> str | None: ...
    @property
    def keyfile(self) -> Secret | None: ...
    @property
    def password(self) -> Secret | None: ...


def load(context: ssl.SSLContext, tls: Certificates, where: str) -> None:
    """Load the authorities and our own certificate. Raises ConfigError, which names the setting below `where`."""
    if tls.cacertfile is None:
        context.load_default_certs()
    else:
        with naming(f"{where}.cacertfile", tls.cacertfile):
            if is_pem(tls.cacertfile):
                context.load_verify_locations(cadata=tls.cacertfile)
            else:
                context.load_verify_locations(cafile=tls.cacertfile)
    if tls.certfile is None or tls.keyfile is None:
        return
    with located(f"{where}.password"):
        password = tls.password.reveal() if tls.password else ""  # never let OpenSSL ask for it at a terminal
    with located(f"{where}.keyfile"):
        key_text = tls.keyfile.reveal()
    with TemporaryDirectory(prefix="tidegate-") as folder, naming(f"{where}.certfile", tls.certfile):
        certificate, key = _file(tls.certfile, Path(folder) / "cert"), _file(key_text, Path(folder) / "key")
        context.load_cert_chain(certificate, key, password=password)


def is_pem(text: str) -> bool:
    """Whether a setting holds the text itself, and not the path of a file."""
    return "-----BEGIN" in text


@contextmanager
def naming(setting: str, value: str) -> Iterator[None]:
    """Make a ConfigError of what OpenSSL says about the value of a setting."""
    try:
        yield
    except OSError as error:
        shown = "the PEM text" if is_pem(value) else value
        raise ConfigError(f"bad_ssl_config: cannot use {shown}: {error.strerror or error}", where=setting) from None


def _file(text: str, path: Path) -> str:
    """Write PEM text to a file, because ssl reads its own certificates only from files.

    The folder is private, and is removed at once.
    """
    if not is_pem(text):
        return text
    path.write_text(text)
    return str(path)
