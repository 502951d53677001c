"""TLS settings: to a broker, of our own ports, and to a store. Those of a store are EMQX's `ssl`."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, field_validator, model_validator

from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import Section, setting
from pipeline.config.base.values import Seconds


class Tls(Section):
    """TLS of a client connection."""

    enable: bool = setting(False, advanced=False, description="Use TLS.")
    verify: Literal["verify_peer", "verify_none"] = setting(
        "verify_peer", advanced=True, description="Check the server's certificate."
    )
    cacertfile: str | None = setting(
        None,
        advanced=True,
        description="PEM file of the trusted certificate authorities. Default: those of the system.",
    )


def _path(value: str | None) -> str | None:
    """Refuse a key itself, which would then be stored with the settings."""
    if value is not None and ("\n" in value or "PRIVATE KEY" in value):
        raise ValueError("expected the path of a PEM file, found the text of one")
    return value


_KeyPath = Annotated[str | None, AfterValidator(_path)]


class ClientTls(Tls):
    """TLS of a client connection that may show its own certificate."""

    certfile: str | None = setting(
        None, advanced=True, description="PEM file of our own certificate and of the certificates of its issuers."
    )
    keyfile: _KeyPath = setting(None, advanced=True, private=True, description="PEM file of the private key.")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.certfile is None) != (self.keyfile is None):
            raise ValueError("expected certfile and keyfile together, found only one of them")
        return self


class ServerTls(Section):
    """TLS of a port that others connect to."""

    enable: bool = setting(False, advanced=False, description="Use TLS.")
    certfile: str | None = setting(
        None, advanced=False, description="PEM file of our own certificate and of the certificates of its issuers."
    )
    keyfile: _KeyPath = setting(None, advanced=False, private=True, description="PEM file of the private key.")
    cacertfile: str | None = setting(
        None,
        advanced=True,
        description="PEM file of certificate authorities. If it is set, a client must show a certificate from one of"
        " them.",
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enable and not (self.certfile and self.keyfile):
            raise ValueError("expected certfile and keyfile when enable is true")
        return self


class PemTls(Tls):
    """TLS of a client connection that may show its own certificate. A setting for a file also takes PEM text."""

    certfile: str | None = setting(
        None, advanced=True, description="PEM file of our own certificate and of the certificates of its issuers."
    )
    keyfile: Secret | None = setting(
        None, advanced=True, description="PEM file of the private key, or its text, ${NAME} or file:///path."
    )
    password: Secret | None = setting(
        None, advanced=True, description="Password of the private key: text, ${NAME} or file:///path."
    )

    @field_validator("cacertfile", "certfile", "keyfile", mode="before")
    @classmethod
    def _blank_is_none(cls, value: Any) -> Any:
        return value or None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.certfile is None) != (self.keyfile is None):
            raise ValueError("expected certfile and keyfile together, found only one of them")
        return self


_Version = Literal["tlsv1.3", "tlsv1.2"]


def _names(value: Any) -> Any:
    """A list of names. EMQX also writes such a list as one text."""
    return (
        [each.strip() for each in value.replace(":", ",").split(",") if each.strip()]
        if isinstance(value, str)
        else value
    )


class S3Tls(PemTls):
    """TLS to a store. A setting for a file also takes PEM text."""

    enable: bool = setting(True, advanced=True, description="Use TLS.")
    versions: Annotated[list[_Version], BeforeValidator(_names)] = setting(
        default_factory=lambda: list[_Version](("tlsv1.3", "tlsv1.2")),
        advanced=True,
        min_length=1,
        description="Allowed versions of TLS.",
    )
    ciphers: Annotated[list[str], BeforeValidator(_names)] = setting(
        default_factory=list,
        description="Ciphers of TLS 1.2, with OpenSSL's names. Default: OpenSSL's choice.",
        advanced=True,
    )
    server_name_indication: str | None = setting(
        None,
        advanced=True,
        description="Server name for SNI and for the check of the certificate. Default: the host. `disable`: no SNI"
        " and no check of the name.",
    )
    partial_chain: bool = setting(
        False, advanced=True, description="Trust an authority in cacertfile even if it is not a root."
    )
    depth: int = setting(
        10,
        advanced=True,
        ge=0,
        le=255,
        description="Without effect: a chain of certificates may be as long as OpenSSL allows.",
    )
    secure_renegotiate: bool = setting(
        True, advanced=True, description="Without effect: OpenSSL renegotiates securely or not at all."
    )
    reuse_sessions: bool = setting(
        False, advanced=True, description="Without effect: connections are kept open instead."
    )
    user_lookup_fun: str | None = setting(
        None, advanced=True, description="Without effect: pre-shared keys are not supported."
    )
    log_level: str = setting(
        "notice", advanced=True, description="Without effect: a TLS error is the reason of a failed request."
    )
    hibernate_after: Seconds = setting(
        5.0, advanced=True, description="Without effect: connections have no processes of their own."
    )
    verify_peer_ext_key_usage: bool | str = setting(
        False,
        description="Without effect: the certificate of a store must always be a server certificate.",
        advanced=True,
    )
    middlebox_comp_mode: bool = setting(True, advanced=True, description="Without effect: this mode is always on.")

    @field_validator("server_name_indication", mode="before")
    @classmethod
    def _blank_name_is_none(cls, value: Any) -> Any:
        return value or None
