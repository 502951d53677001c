"""A real Apache Kafka with a listener for each way to connect: TLS, client certificates, and every SASL mechanism.

The authorizer knows super users (`tidegate` by each mechanism, and whoever comes without TLS), and users that may do nothing
(`outsider`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from pipeline.demo.process import HOST, free_port
from tests.parts import apache_kafka
from tests.parts.authority import Authority
from tests.parts.part import KafkaPart
from tests.parts.token_server import AUDIENCE, ISSUER, TokenServer

PASSWORD = "the password of tidegate"
OUTSIDER = "the password of outsider"
SESSION_MS = 4000  # a login by SCRAM-SHA-512 or with a token is good for so long, then it is asked for again
LISTENERS = ("tls", "mtls", "sasl", "other")  # `other` has a certificate for another address

_LOGINS = "org.apache.kafka.common.security"
_PROPERTIES = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:tidegate;User:turning;User:CN=tidegate;User:CN=tidegate again
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.both
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
listener.name.mtls.ssl.client.auth=required
listener.name.other.ssl.keystore.type=PEM
listener.name.other.ssl.keystore.location={folder}/other.both
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl.plain.sasl.jaas.config={logins}.plain.PlainLoginModule required \\
  user_tidegate="{password}" user_outsider="{outsider}";
listener.name.sasl.scram-sha-256.sasl.jaas.config={logins}.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.sasl.jaas.config={logins}.scram.ScramLoginModule required;
listener.name.sasl.scram-sha-512.connections.max.reauth.ms={session_ms}
listener.name.sasl.oauthbearer.connections.max.reauth.ms={session_ms}
listener.name.sasl.oauthbearer.sasl.jaas.config={logins}.oauthbearer.OAuthBearerLoginModule required;
listener.name.sasl.oauthbearer.sasl.server.callback.handler.class={logins}.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.sasl.oauthbearer.sasl.oauthbearer.jwks.endpoint.url=file://{folder}/keys.json
listener.name.sasl.oauthbearer.sasl.oauthbearer.expected.audience={audience}
listener.name.sasl.oauthbearer.sasl.oauthbearer.expected.issuer={issuer}
"""


@dataclass
class SecureKafka(KafkaPart):
    """`port` is without TLS. `folder` has the certificates: ca.pem, client.pem and client.key."""

    folder: Path
    authority: Authority
    tokens: TokenServer
    ports: dict[str, int]

    def at(self, listener: str) -> str:
        """The address of a listener."""
        return f"{HOST}:{self.ports[listener]}"

    def set_scram_password(self, user: str, password: str) -> None:
        """Give a user another password, for logins by SCRAM."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(user, info, password.encode())
        for future in admin.alter_user_scram_credentials([change]).values():
            future.result(timeout=30)

    def allow(self, user: str, topic: str, *, group: str = "") -> None:
        """Let a user do everything with a topic and a consumer group, and nothing else."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        rights = [_right(user, topic)] + ([_right(user, group, ResourceType.GROUP)] if group else [])
        for future in admin.create_acls([AclBinding(*each) for each in rights]).values():
            future.result(timeout=30)

    def allow_named(self, user: str, kind: str, name: str, pattern: str, operations: Iterable[str]) -> None:
        """Let a user do these operations, in the words of Strimzi's KafkaUser: `transactionalId`, `prefix`, `DescribeConfigs`."""
        resource = {
            "topic": ResourceType.TOPIC,
            "group": ResourceType.GROUP,
            "transactionalId": ResourceType.TRANSACTIONAL_ID,
        }
        how = {"prefix": ResourcePatternType.PREFIXED, "literal": ResourcePatternType.LITERAL}[pattern]
        rights = [
            AclBinding(resource[kind], name, how, f"User:{user}", "*", _operation(each), AclPermissionType.ALLOW)
            for each in operations
        ]
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        for future in admin.create_acls(rights).values():
            future.result(timeout=30)

    def forbid(self, user: str, topic: str) -> None:
        """Take away the topic that `allow` gave."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers})
        for future in admin.delete_acls([AclBindingFilter(*_right(user, topic))]).values():
            future.result(timeout=30)


def _operation(name: str) -> AclOperation:
    return AclOperation[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()]


def _right(user: str, name: str, resource: ResourceType = ResourceType.TOPIC) -> tuple[Any, ...]:
    kind, allow = ResourcePatternType.LITERAL, AclPermissionType.ALLOW
    return resource, name, kind, f"User:{user}", "*", AclOperation.ALL, allow


def start(folder: Path, tokens: TokenServer) -> SecureKafka:
    """A fresh, empty Kafka whose files are in `folder`. `tokens` must be what gives the tokens."""
    authority = Authority("authority of the tests")
    (folder / "ca.pem").write_text(authority.pem, encoding="utf-8")
    authority.write(folder, "tidegate", "client")
    for name, address in (("server", HOST), ("other", "10.0.0.1")):
        certificate, key = authority.sign(name, address=address)
        (folder / f"{name}.both").write_text(key + certificate, encoding="utf-8")
    (folder / "keys.json").write_text(tokens.keys(), encoding="utf-8")
    ports = {name: free_port() for name in LISTENERS}
    protocols = dict.fromkeys(LISTENERS, "SSL") | {"sasl": "SASL_SSL"}
    more = _PROPERTIES.format(
        session_ms=SESSION_MS,
        folder=folder,
        password=PASSWORD,
        outsider=OUTSIDER,
        logins=_LOGINS,
        audience=AUDIENCE,
        issuer=ISSUER,
    )
    part = apache_kafka.start(
        folder,
        listeners={name: (port, protocols[name]) for name, port in ports.items()},
        more=more,
        formatting=[
            f"--add-scram={kind}=[name=tidegate,password={PASSWORD}]" for kind in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        ],
        java=[*apache_kafka.BRIEF, f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://{folder}/keys.json"],
    )
    return SecureKafka(part.server, True, part.port, folder, authority, tokens, ports)
