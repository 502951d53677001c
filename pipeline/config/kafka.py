"""Settings of Kafka: addresses, TLS, login and topics. Every client of Kafka uses them, of both libraries.

Names inside `authentication` are EMQX's where EMQX has them.
"""

from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, PrivateAttr, model_validator

from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import Section, setting
from pipeline.config.base.values import Bytes, Seconds, host_and_port
from pipeline.config.tls import PemTls

Mechanism = Literal["plain", "scram_sha_256", "scram_sha_512", "oauth", "msk_iam", "kerberos"]

# What each mechanism needs, and what it can have besides.
_NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "plain": ("username", "password"),
    "scram_sha_256": ("username", "password"),
    "scram_sha_512": ("username", "password"),
    "oauth": (),
    "msk_iam": (),
    "kerberos": ("kerberos_principal", "kerberos_keytab_file"),
}
_CLIENT: Final = ("endpoint_uri", "client_id", "client_secret")
_POSSIBLE: Final[dict[str, tuple[str, ...]]] = {
    "oauth": (*_CLIENT, "scope", "cacertfile", "token", "extensions"),
    "msk_iam": ("region",),
    "kerberos": ("kerberos_service_name",),
}


def _servers(value: str) -> str:
    for each in value.split(","):
        try:
            host_and_port(each.strip() if ":" in each else f"{each.strip()}:9092")
        except ValueError:
            raise ValueError("expected host:port of each broker, without scheme, user or password") from None
    return value


class KafkaTls(PemTls):
    """TLS to Kafka. A setting for a file also takes PEM text. Files are read again when they change."""

    cacertfile: str | None = setting(
        None,
        advanced=False,
        description="PEM file of the trusted certificate authorities. Default: those of the system.",
    )
    server_name_indication: Literal["disable"] | None = setting(
        None,
        advanced=True,
        description="`disable`: do not compare the name in the certificate with the broker's host. Another name than the"
        " host's cannot be set, since each broker has its own.",
    )


class KafkaLogin(Section):
    """Login at Kafka by SASL. A client certificate (`kafka.ssl.certfile`) needs no login beside it."""

    mechanism: Mechanism = setting(advanced=False, description="How to log in.")
    username: str | None = setting(None, advanced=False, description="User name, for plain and scram.")
    password: Secret | None = setting(
        None, advanced=False, description="Password, for plain and scram: text, ${NAME} or file:///path."
    )
    endpoint_uri: str | None = setting(
        None,
        advanced=False,
        description="oauth: address of the token endpoint of an OIDC server, which gives tokens for client credentials.",
        pattern="^https?://[^/@]+",
    )
    client_id: str | None = setting(None, advanced=False, description="oauth: client id at the token endpoint.")
    client_secret: Secret | None = setting(
        None, advanced=False, description="oauth: client secret: text, ${NAME} or file:///path."
    )
    scope: str | None = setting(None, advanced=True, description="oauth: scope of the token.")
    cacertfile: str | None = setting(
        None,
        advanced=True,
        description="oauth: PEM file of the certificate authorities of the token endpoint. Default: those of the system.",
    )
    token: Secret | None = setting(
        None,
        advanced=True,
        description="oauth: a JWT instead of client credentials, usually file:///path. The file is read again for each"
        " login.",
    )
    extensions: dict[str, str] = setting(
        default_factory=dict,
        advanced=True,
        description="oauth: SASL extensions, such as logicalCluster and identityPoolId of Confluent Cloud.",
    )
    region: str | None = setting(
        None, advanced=True, description="msk_iam: AWS region of the cluster. Default: the one in the host names."
    )
    kerberos_principal: str | None = setting(
        None, advanced=False, description="kerberos: our principal, such as tidegate/host@REALM."
    )
    kerberos_keytab_file: str | None = setting(None, advanced=False, description="kerberos: the principal's keytab.")
    kerberos_service_name: str = setting("kafka", advanced=True, description="kerberos: name of the brokers' service.")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        needed = list(_NEEDED[self.mechanism])
        if self.mechanism == "oauth" and self.token is None:
            needed += _CLIENT
        if missing := [name for name in needed if getattr(self, name) is None]:
            other = " (or token)" if self.mechanism == "oauth" else ""
            raise ValueError(f"expected {' and '.join(missing)}{other} with {self.mechanism}")
        possible = {"mechanism", *needed, *_POSSIBLE.get(self.mechanism, ())}
        if self.token is not None:
            possible -= {*_CLIENT, "scope", "cacertfile"}
        if odd := sorted(name for name in self.model_fields_set - possible if getattr(self, name)):
            with_ = "oauth with a token" if self.token is not None and self.mechanism == "oauth" else self.mechanism
            raise ValueError(f"expected no {' and no '.join(odd)} with {with_}")
        return self


class KafkaConfig(Section):
    """Addresses of Kafka and names of the topics."""

    bootstrap_servers: Annotated[str, AfterValidator(_servers)] = setting(
        advanced=False, description="host:port of the brokers, separated by commas."
    )
    ssl: KafkaTls = setting(advanced=False, default_factory=KafkaTls)
    authentication: KafkaLogin | None = setting(None, advanced=False)
    messages_topic: str = setting("mqtt.messages", advanced=False, description="Topic of the MQTT messages.")
    events_topic: str = setting(
        "mqtt.events", advanced=False, description="Topic of the client events. It may be the topic of the messages."
    )
    dead_letter_topic: str = setting(
        "tidegate.dead-letter", advanced=True, description="Topic of records that could not be handled."
    )
    aliases_topic: str = setting(
        "tidegate.aliases",
        advanced=True,
        description="Topic of the names that metrics of Sparkplug B have: see sparkplug_aliases of the sources.",
    )
    partitions: int = setting(
        8, advanced=False, ge=1, le=10_000, description="Number of partitions of topics that Tidegate creates."
    )
    replication_factor: int = setting(
        -1,
        ge=-1,
        le=32767,
        description="Number of replicas of topics that Tidegate creates. -1: the broker's default.",
        advanced=True,
    )
    max_message_bytes: Bytes = setting(
        16 << 20,
        advanced=True,
        ge=1024,
        description="The largest record of the ingress's producer and of topics that Tidegate creates.",
    )
    session_timeout: Seconds = setting(
        30.0,
        ge=1,
        description="If a worker is silent for this time, it loses its partitions.",
        advanced=True,
    )
    commit_interval: Seconds = setting(1.0, advanced=True, gt=0, description="How often durable offsets are committed.")

    _pipeline: str = PrivateAttr(default="")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        login = self.authentication
        if login is None or login.mechanism != "msk_iam":
            return self
        if not self.ssl.enable:
            raise ValueError("ssl.enable: expected true with the mechanism msk_iam")
        if not self.region:
            raise ValueError("authentication.region: expected a region, since the names of the brokers have none")
        return self

    def belongs_to(self, pipeline: str) -> None:
        """Remember the pipeline. For Config only."""
        self._pipeline = pipeline

    @property
    def pipeline(self) -> str:
        """The name of the pipeline."""
        return self._pipeline

    def client_id(self, process: str, action: str = "") -> str:
        """The `client.id` of a client: "tidegate-plant-worker-raw". Kafka's logs, metrics and quotas show it."""
        return "-".join(filter(None, ("tidegate", self._pipeline, process, action)))

    @property
    def region(self) -> str:
        """The AWS region of the cluster: as set, or as in the first broker's name; empty if neither says it."""
        if self.authentication is not None and self.authentication.region:
            return self.authentication.region
        labels = self.bootstrap_servers.split(",")[0].partition(":")[0].split(".")
        return labels[labels.index("amazonaws") - 1] if "amazonaws" in labels[1:] else ""
