"""Settings of the ingress's own MQTT listener: who may connect, what they may publish to, and the limits on them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from pipeline.config.section import Section, ServerTls
from pipeline.config.values import Bytes, Seconds, host_and_port
from pipeline.topics import validate_filter


class ListenerSource(Section):
    """A port for devices that speak MQTT 5 or 3.1.1 and publish; nobody can subscribe here."""

    bind: str = Field("127.0.0.1:1883", description="host:port to listen on.")
    topics: list[str] = Field(
        min_length=1,
        description="Topic filters that a client may publish to. %c stands for its clientid, %u for its user name, when"
        " these hold none of / + #.",
    )
    authentication: Literal["password", "certificate", "none"] = Field(
        "password",
        description="password: a user of `password_file`. certificate: the common name of the client's certificate is its"
        " user name; needs ssl.cacertfile. none: everybody, and a user name is what the client claims.",
    )
    password_file: str | None = Field(
        None, description="Lines of user:hash, made by `tidegate password`. Read again when it changes."
    )
    clientid_is_username: bool = Field(
        False, description="Refuse clients whose clientid is not their user name, so that nobody can pose as another."
    )
    max_connections: int = Field(10_000, ge=1, description="Connections at the same time; further ones are closed.")
    connect_timeout: Seconds = Field(
        10.0, gt=0, description="How long a connection may take to log in, TLS and passwords included."
    )
    max_packet_size: Bytes = Field(1 << 20, ge=1024, le=268_435_455, description="Largest packet of a client.")
    window: int = Field(
        1000,
        ge=1,
        le=65535,
        description="Messages of one client not yet acknowledged, at most; MQTT 5's receive maximum.",
    )
    keepalive_max: Seconds = Field(
        3600.0, ge=1, le=65535, description="Longest keep-alive; MQTT 5 clients that ask for more or none get this one."
    )
    will_delay_max: Seconds = Field(
        300.0, ge=0, le=86400, description="Longest time for which the will of a client that is gone is held back."
    )
    buffer_records: int = Field(
        100_000, ge=1, description="Records of all clients that wait for Kafka, at most; then reading pauses."
    )
    buffer_bytes: Bytes = Field(64 << 20, ge=1, description="The same in bytes; what was read already may exceed it.")
    ssl: ServerTls = Field(default_factory=ServerTls, description="TLS of this port.")

    @model_validator(mode="after")
    def _provable(self) -> Self:
        """Whoever must prove something must be able to."""
        if self.authentication == "password" and not self.password_file:
            raise ValueError("expected password_file with authentication: password")
        if self.authentication != "password" and self.password_file:
            raise ValueError(f"password_file has no effect with authentication: {self.authentication}")
        if self.authentication == "certificate" and not (self.ssl.enable and self.ssl.cacertfile):
            raise ValueError("expected ssl.enable and ssl.cacertfile with authentication: certificate")
        return self

    @field_validator("topics")
    @classmethod
    def _filters(cls, value: list[str]) -> list[str]:
        for topic_filter in value:
            validate_filter(topic_filter)
        return value

    @field_validator("bind")
    @classmethod
    def _bind(cls, value: str) -> str:
        return host_and_port(value)
