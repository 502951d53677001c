"""A listener's TLS: its certificate, which may be replaced under the running process, and whose certificates it trusts.

A new pair of files is tried on its own first: a pair that does not fit, because only one of the two was written yet, must not
spoil the one in use. Connections that are open keep what they began with.

This file does not know who connects.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

import structlog

from pipeline.config.tls import ServerTls
from pipeline.errors import ConfigError

log: Final = structlog.get_logger("tidegate.ingress")


class Certificate:
    """Of one listener. `context` is None without TLS. Raises ConfigError when the files cannot be used at the start."""

    def __init__(self, name: str, settings: ServerTls) -> None:
        self._name = name
        self._settings = settings
        self._told = ""
        self._seen = self._state()
        self.context: ssl.SSLContext | None = None
        if settings.enable:
            try:
                self.context = self._new()
            except OSError as error:  # ssl.SSLError is one
                where = f"sources.listener.{name}.ssl"
                raise ConfigError(f"cannot use the certificate: {error}", where=where) from None

    def refresh(self) -> None:
        """Use a certificate that has changed, from the next connection on. One that cannot be used is told once."""
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
        """What tells a changed file from the same one."""
        found: list[tuple[int, int] | None] = []
        for each in (self._settings.certfile, self._settings.keyfile, self._settings.cacertfile):
            try:
                stat = Path(each).stat() if each else None
            except OSError:
                stat = None
            found.append((stat.st_mtime_ns, stat.st_size) if stat else None)
        return found
