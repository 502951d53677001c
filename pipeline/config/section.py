"""What all parts of the configuration have in common."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A part of the configuration: unknown names are refused, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tls(Section):
    """TLS of a client connection."""

    enable: bool = Field(False, description="Speak TLS.")
    verify: Literal["verify_peer", "verify_none"] = Field("verify_peer", description="Check the server's certificate.")
    cacertfile: str | None = Field(None, description="PEM file of the authorities to trust; default: the system's.")


class ClientTls(Tls):
    """TLS of a client connection that may show a certificate of its own."""

    certfile: str | None = Field(None, description="PEM file of our certificate, with those of its issuers.")
    keyfile: str | None = Field(None, description="PEM file of its private key.")

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.certfile is None) != (self.keyfile is None):
            raise ValueError("expected certfile and keyfile together, found only one of them")
        return self


class ServerTls(Section):
    """TLS of a port that others connect to."""

    enable: bool = Field(False, description="Speak TLS.")
    certfile: str | None = Field(None, description="PEM file of our certificate, with those of its issuers.")
    keyfile: str | None = Field(None, description="PEM file of its private key.")
    cacertfile: str | None = Field(
        None, description="PEM file of authorities; with it, who connects must show a certificate of one of them."
    )

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.enable and not (self.certfile and self.keyfile):
            raise ValueError("expected certfile and keyfile when enable is true")
        return self
