"""TLS and login at Kafka: the one translation of `kafka.ssl` and `kafka.authentication`.

librdkafka gets a dictionary of settings (`librdkafka`). aiokafka gets the parts of which agents/stream/credentials.py makes the
credentials of Faust: the protocol, the mechanism, an ssl context, the password and tokens. Both mean the same to Kafka.

Files can change while a process runs. A new connection has the certificate, the key and the password as they are then:
`FreshContext` and `password` look again; for librdkafka see `Link.refresh`.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.tokens import Bearer, tokens_of
from pipeline.connectors.tls import is_pem, load
from pipeline.errors import ConfigError, InternalError, OperatorError, TidegateError, located
from pipeline.log import get_logger

log: Final = get_logger("tidegate.kafka")

_MECHANISMS: Final = {
    "plain": "PLAIN",
    "scram_sha_256": "SCRAM-SHA-256",
    "scram_sha_512": "SCRAM-SHA-512",
    "oauth": "OAUTHBEARER",
    "msk_iam": "OAUTHBEARER",
    "kerberos": "GSSAPI",
}


class Security:
    """How the clients of one configuration connect. Its methods read files, and may be called from any thread."""

    def __init__(self, kafka: KafkaConfig) -> None:
        self._tls, self.login = kafka.ssl, kafka.authentication
        self._tokens = tokens_of(kafka)
        self._certificates, self._password = _Watch(), _Watch()
        self._told = ""

    @property
    def protocol(self) -> str:
        """Kafka's name: PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL."""
        return ("SASL_" if self.login else "") + ("SSL" if self._tls.enable else "PLAINTEXT")

    @property
    def mechanism(self) -> str:
        """Kafka's name of the SASL mechanism; empty without a login."""
        return _MECHANISMS[self.login.mechanism] if self.login else ""

    @property
    def login_settings(self) -> str:
        """The settings to look at when Kafka refuses the login."""
        if self.login is None or self.login.mechanism in {"kerberos", "msk_iam"}:
            return "kafka.authentication"
        names = ("token",) if self.login.token else ("username", "password")
        if self.login.client_secret is not None:
            names = ("client_id", "scope")
        return ", ".join(f"kafka.authentication.{name}" for name in names)

    def password(self) -> str:
        """The present password of plain and scram. Raises ConfigError."""
        assert self.login is not None
        assert self.login.password is not None
        with located("kafka.authentication.password"):
            return self.login.password.reveal()

    def token(self) -> Bearer:
        """A token of oauth and msk_iam. Raises ConfigError, OperatorError or RetryableError."""
        if self._tokens is None:
            raise InternalError(f"the mechanism {self.mechanism} has no tokens")
        return self._tokens.now()

    def context(self) -> ssl.SSLContext:
        """An ssl context of the files as they are now. Raises ConfigError, which names the setting of a bad file."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not self._checks_name:
            context.check_hostname = False
        if self._tls.verify == "verify_none":
            context.verify_mode = ssl.CERT_NONE
        load(context, self._tls, "kafka.ssl")
        return context

    @property
    def _checks_name(self) -> bool:
        return self._tls.verify == "verify_peer" and self._tls.server_name_indication != "disable"

    def certificates_changed(self) -> bool:
        """Whether a file of certificates or keys is another than at the last call; false at the first. Raises ConfigError."""
        return self._certificates.changed(self._tls_files)

    def password_changed(self) -> bool:
        """The same of the password's file."""
        return self._password.changed(self._password_files)

    def are_bad(self, error: TidegateError) -> None:
        """Log that the new files cannot be used, once for the same reason, and try them again at the next look."""
        self._certificates.forget()
        if self._told != str(error):
            log.warning("kafka.certificates_unusable", error=str(error))
        self._told = str(error)

    def _tls_files(self) -> list[Path]:
        tls = self._tls
        if not tls.enable:
            return []
        found = [Path(text) for text in (tls.cacertfile, tls.certfile) if text and not is_pem(text)]
        found += [file for secret in (tls.keyfile, tls.password) if secret and (file := secret.file())]
        if tls.keyfile is not None and tls.keyfile.file() is None and not is_pem(path := tls.keyfile.reveal()):
            found.append(Path(path))
        return found

    def _password_files(self) -> list[Path]:
        path = self.login.password.file() if self.login and self.login.password else None
        return [path] if path else []

    def librdkafka(self) -> dict[str, Any]:
        """The settings for a client of librdkafka. Raises OperatorError, which names the setting that cannot be used."""
        try:
            return {"security.protocol": self.protocol, **self._tls_settings(), **self._sasl_settings()}
        except ConfigError as error:
            raise OperatorError(f"cannot connect to Kafka: {error}", reason="bad_setting") from None

    def _tls_settings(self) -> dict[str, Any]:
        tls = self._tls
        if not tls.enable:
            return {}
        self.context()  # names the setting of a bad file, which librdkafka does not
        found: dict[str, Any] = {
            "enable.ssl.certificate.verification": tls.verify == "verify_peer",
            "ssl.endpoint.identification.algorithm": "https" if self._checks_name else "none",
        }
        if tls.cacertfile is not None:
            found["ssl.ca.pem" if is_pem(tls.cacertfile) else "ssl.ca.location"] = tls.cacertfile
        elif authorities := _authorities_of_system():
            found["ssl.ca.location"] = authorities
        if tls.certfile is not None and tls.keyfile is not None:
            key = tls.keyfile.reveal()
            found["ssl.certificate.pem" if is_pem(tls.certfile) else "ssl.certificate.location"] = tls.certfile
            found["ssl.key.pem" if is_pem(key) else "ssl.key.location"] = key
            if tls.password is not None:
                found["ssl.key.password"] = tls.password.reveal()
        return found

    def _sasl_settings(self) -> dict[str, Any]:
        login = self.login
        if login is None:
            return {}
        found: dict[str, Any] = {"sasl.mechanism": self.mechanism}
        if login.password is not None:
            return found | {"sasl.username": login.username, "sasl.password": self.password()}
        if self._tokens is not None:
            self.token()  # if there is none, librdkafka waits for ten seconds, and does not say why
            return found | {"oauth_cb": self._token_for_librdkafka}
        return found | {
            "sasl.kerberos.service.name": login.kerberos_service_name,
            "sasl.kerberos.principal": login.kerberos_principal,
            "sasl.kerberos.keytab": login.kerberos_keytab_file,
        }

    def _token_for_librdkafka(self, _: str) -> tuple[str, float, str, dict[str, str]]:
        """What confluent-kafka expects of its `oauth_cb`, which it calls in a thread of its own."""
        token = self.token()
        return token.text, token.expires_at, token.principal, dict(self.login.extensions) if self.login else {}


class FreshContext(ssl.SSLContext):
    """An ssl context that uses the files of a Security as they are at each connection.

    While files cannot be used, as a key that was replaced before its certificate was, the last good ones go on.
    """

    _security: Security
    _present: ssl.SSLContext

    @classmethod
    def of(cls, security: Security) -> FreshContext:
        """Raises ConfigError if the files cannot be used now."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        security.certificates_changed()
        context._security, context._present = security, security.context()
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Called for each connection, by asyncio and by uvloop."""
        try:
            if self._security.certificates_changed():
                self._present = self._security.context()
        except ConfigError as error:
            self._security.are_bad(error)
        return self._present.wrap_bio(incoming, outgoing, server_side, server_hostname, session)


class _Watch:
    """Notices that files were replaced."""

    def __init__(self) -> None:
        self._seen: list[tuple[int, int, int] | None] | None = None

    def changed(self, files: Callable[[], Sequence[Path]]) -> bool:
        """Whether one is another than at the last call."""
        seen = [_state(path) for path in files()]
        before, self._seen = self._seen, seen
        return before is not None and before != seen

    def forget(self) -> None:
        """Look at them again at the next call, as if they had changed."""
        self._seen = []


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _authorities_of_system() -> str | None:
    """What Python's ssl trusts by default, so that both libraries trust the same. None: librdkafka looks for it itself."""
    paths = ssl.get_default_verify_paths()
    return paths.cafile or paths.capath
