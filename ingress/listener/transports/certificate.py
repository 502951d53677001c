"""A listener's TLS: its certificate, which may be replaced while the process runs, and the authorities that it trusts.

A new pair of files is first tried separately. While only one of the two files is replaced, the pair does not fit, and must not
affect the certificate in use. Open connections keep their certificate.

This file does not know connections.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from pipeline.config.tls import ServerTls
from pipeline.errors import ConfigError
from pipeline.log import get_logger

log: Final = get_logger("tidegate.ingress")


class Certificate:
    """The certificate of one listener.

    `context` is None without TLS. Raises ConfigError if the files cannot be used at the start.
    """

    def __init__(self, name: str, settings: ServerTls) -> None:
        self._name = name
        self._settings = settings
        self._told = ""
        self._seen = self._state()
        self.context: ssl.SSLContext | None = None
        if settings.enable:
            try:
                self.context = self._new()
            except OSError as error:  # ssl.SSLError is an OSError
                where = f"sources.listener.{name}.ssl"
                raise ConfigError(f"cannot use the certificate: {error}", where=where) from None

    def refresh(self) -> None:
        """Use a changed certificate for new connections. If it cannot be used, log this once."""
        if self.context is None or (state := self._state()) == self._seen:
            return
        try:
            self._new()
            self._load(self.context)
        except OSError as error:
            if str(error) != self._told:
                self._told = str(error)
                log.error("listener.certificate_refused", source=self._name, error=self._told)
            return
        self._seen, self._told = state, ""
        log.info("listener.certificate_replaced", source=self._name)

    def _new(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._load(context)
        return context

    def _load(self, context: ssl.SSLContext) -> None:
        context.load_cert_chain(self._settings.certfile or "", self._settings.keyfile)
        if self._settings.cacertfile:
            context.load_verify_locations(self._settings.cacertfile)
            context.verify_mode = ssl.CERT_REQUIRED

    def _state(self) -> list[tuple[int, int] | None]:
        """Times and sizes of the files, which change with the files."""
        found: list[tuple[int, int] | None] = []
        for each in (self._settings.certfile, self._settings.keyfile, self._settings.cacertfile):
            try:
                stat = Path(each).stat() if each else None
            except OSError:
                stat = None
            found.append((stat.st_mtime_ns, stat.st_size) if stat else None)
        return found
