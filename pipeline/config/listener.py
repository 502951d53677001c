"""Settings of the ingress's own MQTT listener: who may connect, what they may publish to, and the limits on them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from pipeline.config.base.section import Section, setting
from pipeline.config.base.values import Address, Bytes, Seconds, TopicFilter
from pipeline.config.tls import ServerTls


class ListenerSource(Section):
    """A port for devices that speak MQTT 5 or 3.1.1 and publish; nobody can subscribe here."""

    bind: Address = setting("127.0.0.1:1883", advanced=False, description="host:port to listen on.")
    topics: list[TopicFilter] = setting(
        min_length=1,
        advanced=False,
        description="Topic filters that a client may publish to. %c stands for its clientid, %u for its user name, when"
        " these hold none of / + #.",
    )
    authentication: Literal["password", "certificate", "none"] = setting(
        "password",
        advanced=False,
        description="password: a user of `password_file`. certificate: the common name of the client's certificate is its"
        " user name; needs ssl.cacertfile. none: everybody, and a user name is what the client claims.",
    )
    password_file: str | None = setting(
        None,
        description="Lines of user:hash, made by `tidegate password`. Read again when it changes.",
        advanced=False,
    )
    clientid_is_username: bool = setting(
        False,
        description="Refuse clients whose clientid is not their user name, so that nobody can pose as another.",
        advanced=True,
    )
    max_connections: int = setting(
        10_000, advanced=True, ge=1, description="Connections at the same time; further ones are closed."
    )
    connect_timeout: Seconds = setting(
        10.0,
        gt=0,
        description="How long a connection may take to log in, TLS and passwords included.",
        advanced=True,
    )
    max_packet_size: Bytes = setting(
        1 << 20, advanced=True, ge=1024, le=268_435_455, description="Largest packet of a client."
    )
    window: int = setting(
        1000,
        advanced=True,
        ge=1,
        le=65535,
        description="Messages of one client not yet acknowledged, at most; MQTT 5's receive maximum.",
    )
    keepalive_max: Seconds = setting(
        3600.0,
        ge=1,
        le=65535,
        description="Longest keep-alive; MQTT 5 clients that ask for more or none get this one.",
        advanced=True,
    )
    will_delay_max: Seconds = setting(
        300.0,
        ge=0,
        le=86400,
        description="Longest time for which the will of a client that is gone is held back.",
        advanced=True,
    )
    buffer_records: int = setting(
        100_000,
        ge=1,
        description="Records of all clients that wait for Kafka, at most; then reading pauses.",
        advanced=True,
    )
    buffer_bytes: Bytes = setting(
        64 << 20, advanced=True, ge=1, description="The same in bytes; what was read already may exceed it."
    )
    ssl: ServerTls = setting(advanced=False, default_factory=ServerTls, description="TLS of this port.")

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
