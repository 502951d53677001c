"""TLS to a store: EMQX's `ssl` of a connector, each field with its meaning here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from pipeline.config.section import ClientTls
from pipeline.config.values import Secret

_Version = Literal["tlsv1.3", "tlsv1.2"]


def _names(value: Any) -> Any:
    """A list of names, which EMQX also writes in one text."""
    return (
        [each.strip() for each in value.replace(":", ",").split(",") if each.strip()]
        if isinstance(value, str)
        else value
    )


class S3Tls(ClientTls):
    """TLS to a store. Files may also be given as PEM text."""

    enable: bool = Field(True, description="Speak TLS.")
    password: Secret | None = Field(
        None, description="Password of the private key, file:// or ${ENVIRONMENT} reference."
    )
    versions: Annotated[list[_Version], BeforeValidator(_names)] = Field(
        default_factory=lambda: list[_Version](("tlsv1.3", "tlsv1.2")),
        min_length=1,
        description="Versions that may be spoken.",
    )
    ciphers: Annotated[list[str], BeforeValidator(_names)] = Field(
        default_factory=list, description="Ciphers of TLS 1.2, by OpenSSL's names; default: OpenSSL's choice."
    )
    server_name_indication: str | None = Field(
        None,
        description="Name that is asked for and that the certificate must have; disable: none is; default: the host.",
    )
    partial_chain: bool = Field(False, description="Trust an authority in cacertfile although it is no root.")
    depth: int = Field(10, ge=0, description="Without effect: chains of certificates may be as long as OpenSSL allows.")
    secure_renegotiate: bool = Field(True, description="Without effect: OpenSSL renegotiates securely or not at all.")
    reuse_sessions: bool = Field(False, description="Without effect: connections are kept open instead.")
    user_lookup_fun: str | None = Field(None, description="Without effect: there are no pre-shared keys.")
    log_level: str = Field("notice", description="Without effect: TLS errors are the reason of a failed request.")
    hibernate_after: str | int = Field("5s", description="Without effect: connections have no process.")
    verify_peer_ext_key_usage: bool | str = Field(
        False, description="Without effect: a store's certificate must be one for servers in any case."
    )
    middlebox_comp_mode: bool = Field(True, description="Without effect: it is always on.")

    @field_validator("cacertfile", "certfile", "keyfile", "server_name_indication", mode="before")
    @classmethod
    def _blank_is_none(cls, value: Any) -> Any:
        return value or None
