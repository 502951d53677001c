"""Settings of the ingress's own MQTT listener: which clients may connect, where they may publish, and their limits."""

from typing import Literal, Self

from pydantic import model_validator

from pipeline.config.base.section import setting
from pipeline.config.base.source import SourceSection
from pipeline.config.base.values import RECORDS_MAX, Address, Bytes, Seconds, TopicFilter
from pipeline.config.clientid_from import ClientidFrom
from pipeline.config.tls import ServerTls


class ListenerSource(SourceSection):
    """A port on which devices publish with MQTT 5, 3.1.1 or 3.1. Clients cannot subscribe here."""

    bind: Address = setting("127.0.0.1:1883", advanced=False, description="host:port to listen on.")
    transport: Literal["tcp", "websockets"] = setting(
        "tcp", advanced=True, description="Transport of MQTT on this port. With ssl, WebSocket is wss."
    )
    websocket_path: str = setting("/mqtt", advanced=True, pattern="^/", description="Path of the WebSocket.")
    topics: list[TopicFilter] = setting(
        min_length=1,
        advanced=False,
        description="Topic filters that a client may publish to. %c stands for its clientid and %u for its user"
        " name, if these do not contain / + #.",
    )
    authentication: Literal["password", "certificate", "none"] = setting(
        "password",
        advanced=False,
        description="password: users of `password_file`. certificate: the user name is the common name of the"
        " client's certificate; needs ssl.cacertfile. none: every client may connect, and its user name is not"
        " checked.",
    )
    password_file: str | None = setting(
        None,
        description="File with lines of user:hash, from `tidegate password` or mosquitto_passwd or with bcrypt, or a bootstrap"
        " file of EMQX's built-in database (CSV or JSON). It is read again when it changes.",
        advanced=False,
    )
    clientid_is_username: bool = setting(
        False,
        description="Refuse clients whose clientid is not their user name, so that no client can use the clientid of another."
        " Without it, %c in `topics` protects nothing, and `tidegate check` warns.",
        advanced=True,
    )
    clientid_from: list[ClientidFrom] = setting(
        default_factory=list,
        description="Ways to find the publisher of a message from a gateway or bridge, tried in this order. If none gives a"
        " clientid, it is that of the connection.",
        advanced=True,
    )
    gateways: list[str] = setting(
        default_factory=list,
        description="Clients whose messages `clientid_from` looks into: their user names, or with authentication: none their"
        " clientids. Without any, it looks into the messages of each client.",
        advanced=True,
    )
    max_connections: int = setting(
        10_000,
        advanced=True,
        ge=1,
        le=1_000_000,
        description="The most connections at the same time. Further connections are closed.",
    )
    max_connections_per_address: int | None = setting(
        None,
        advanced=True,
        ge=1,
        le=1_000_000,
        description="The most connections of one IPv4 address, or of one /64 network of IPv6. Not limited by default, because a"
        " load balancer or NAT has one address for many clients.",
    )
    connect_timeout: Seconds = setting(
        10.0,
        gt=0,
        description="How long a login may take, with TLS and the check of the password.",
        advanced=True,
    )
    max_packet_size: Bytes = setting(
        1 << 20, advanced=True, ge=1024, le=268_435_455, description="The largest packet of a client."
    )
    window: int = setting(
        1000,
        advanced=True,
        ge=1,
        le=65535,
        description="The most unacknowledged messages of one client: the receive maximum of MQTT 5.",
    )
    control_packets_per_second: int = setting(
        100,
        advanced=True,
        ge=1,
        le=1_000_000,
        description="The most packets of one client in a second that bring no message, such as PINGREQ, and messages to topics"
        " that are not allowed. Ten times as many may come at once. The listener does not read from a client beyond it, and"
        " ends the connection after 30 s of that.",
    )
    keepalive_max: Seconds = setting(
        3600.0,
        ge=1,
        le=65535,
        description="The longest keep-alive. MQTT 5 clients that ask for a longer one, or for none, get this one.",
        advanced=True,
    )
    session_expiry_max: Seconds = setting(
        7200.0,
        ge=0,
        le=4294967294,
        description="How long the listener remembers, at most, which messages of QoS 2 a client without a connection has sent, so"
        " that none is taken twice. MQTT 5 clients may ask for less; a client with a clean session is not remembered.",
        advanced=True,
    )
    will_delay_max: Seconds = setting(
        300.0,
        ge=0,
        le=86400,
        description="The longest delay of a will after its client is gone.",
        advanced=True,
    )
    buffer_records: int = setting(
        100_000,
        ge=1,
        le=RECORDS_MAX,
        description="The most records of all clients that wait for Kafka. When they are reached, the listener stops"
        " reading.",
        advanced=True,
    )
    buffer_bytes: Bytes = setting(
        64 << 20,
        advanced=True,
        ge=1,
        description="The most bytes of all clients that wait for Kafka. Messages that were already read may exceed"
        " this.",
    )
    held_bytes: Bytes = setting(
        64 << 20,
        advanced=True,
        ge=1,
        description="The most bytes of unfinished packets, wills and topic aliases of all clients together. Beyond it, the client"
        " that holds most is disconnected. There is always room for two packets of max_packet_size.",
    )
    sparkplug_aliases: bool = setting(
        False,
        advanced=True,
        description="Keep the names that metrics of Sparkplug B get in births, so that spb_decode() can give them to metrics"
        " that come with an alias only.",
    )
    ssl: ServerTls = setting(advanced=False, default_factory=ServerTls, description="TLS of this port.")

    @property
    def unproven(self) -> str:
        """What is wrong when `topics` trust a name that any client may claim; empty when nothing is."""
        if any("%u" in each for each in self.topics) and self.authentication == "none":
            return "%u protects nothing with authentication: none, because a client may claim any user name"
        if self.clientid_from and not self.gateways and not self._names_are_rights:
            return "clientid_from without gateways lets each client publish as another one"
        if not any("%c" in each for each in self.topics):
            return ""
        if self.authentication == "none":
            return "%c protects nothing with authentication: none, because a client may claim any clientid"
        if not self.clientid_is_username:
            return (
                "%c protects nothing without clientid_is_username, because a client may claim the clientid of another"
            )
        return ""

    @property
    def _names_are_rights(self) -> bool:
        """Whether a client finds its own clientid only, because its topics hold it."""
        return all("%c" in each for each in self.topics) and all(way.topic is not None for way in self.clientid_from)

    @model_validator(mode="after")
    def _used(self) -> Self:
        if self.gateways and not self.clientid_from:
            raise ValueError("gateways has no effect without clientid_from")
        return self

    @model_validator(mode="after")
    def _provable(self) -> Self:
        """A way to log in needs the file that it checks against."""
        if self.authentication == "password" and not self.password_file:
            raise ValueError("expected password_file with authentication: password")
        if self.authentication != "password" and self.password_file:
            raise ValueError(f"password_file has no effect with authentication: {self.authentication}")
        if self.authentication == "certificate" and not (self.ssl.enable and self.ssl.cacertfile):
            raise ValueError("expected ssl.enable and ssl.cacertfile with authentication: certificate")
        return self
