"""What all parts of the configuration have in common."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A part of the configuration: unknown names are refused, and nothing changes after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Tls(Section):
    """TLS of a client connection."""

    enable: bool = Field(False, description="Speak TLS.")
    verify: Literal["verify_peer", "verify_none"] = Field("verify_peer", description="Check the server's certificate.")
    cacertfile: str | None = Field(None, description="PEM file of the authorities to trust; default: the system's.")
