"""Ways to configure the real Kafka behind TLS and logins: each right way, and what can be wrong with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aiokafka
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from agents.stream.credentials import credentials
from pipeline.config import KafkaConfig
from pipeline.config.load import load
from tests.parts.authority import Authority
from tests.parts.secure_kafka import PASSWORD, SecureKafka

TOPIC = "secured"


def settings(secure: SecureKafka, way: str) -> dict[str, Any]:
    """The section `kafka` of a configuration for one way to connect."""
    tls: dict[str, Any] = {"enable": True, "cacertfile": str(secure.folder / "ca.pem")}
    login: dict[str, Any] | None = None
    listener = way if way in secure.ports else "sasl"
    if way.startswith("mtls"):
        listener = "mtls"
        tls |= {"certfile": str(secure.folder / "client.pem"), "keyfile": f"file://{secure.folder}/client.key"}
    if way == "mtls as text":
        intermediate = Authority("below the authority of the tests", secure.authority)
        certificate, key = intermediate.sign("tidegate", password="of the key")
        tls |= {"cacertfile": secure.authority.pem, "certfile": certificate, "keyfile": key, "password": "of the key"}
    elif way == "any name":
        listener = "other"
        tls["server_name_indication"] = "disable"
    elif way == "oauth":
        client = {"client_id": "tidegate", "client_secret": secure.tokens.client_secret, "scope": "kafka"}
        login = {"mechanism": "oauth", "endpoint_uri": secure.tokens.endpoint_uri, **client}
    elif way == "oauth token":
        (secure.folder / "token").write_text(secure.tokens.jwt())
        login = {"mechanism": "oauth", "token": f"file://{secure.folder}/token"}
    elif listener == "sasl":
        login = {"mechanism": way, "username": "tidegate", "password": PASSWORD}
    topics = {"messages_topic": TOPIC, "events_topic": TOPIC, "dead_letter_topic": TOPIC}
    found = {"bootstrap_servers": secure.at(listener), "ssl": tls, **topics}
    return found | ({"authentication": login} if login else {})


def kafka_of(found: dict[str, Any]) -> KafkaConfig:
    kafka = KafkaConfig.model_validate(found)
    kafka.belongs_to("secured")
    return kafka


def reading(kafka: KafkaConfig) -> aiokafka.AIOKafkaConsumer:
    """aiokafka's consumer, as Faust makes it."""
    servers, login = kafka.bootstrap_servers, credentials_to_aiokafka_auth(credentials(kafka))
    # The module is asked, as Faust and aiokafka do, so that the client is the one that is installed.
    return aiokafka.AIOKafkaConsumer(
        TOPIC, bootstrap_servers=servers, auto_offset_reset="earliest", metadata_max_age_ms=1000, **login
    )


def wrong(secure: SecureKafka) -> dict[str, tuple[dict[str, Any], str]]:
    """Settings that cannot work, and the setting that the error names."""
    tls, plain, oauth = settings(secure, "tls"), settings(secure, "plain"), settings(secure, "oauth")
    scram = settings(secure, "scram_sha_512")
    without = {name: value for name, value in tls.items() if name != "ssl"}
    login = {"authentication": plain["authentication"]}
    closed = {"bootstrap_servers": secure.at("mtls")}
    return {
        "password of plain": (
            plain | {"authentication": plain["authentication"] | {"password": "wrong password"}},
            "kafka.authentication.password",
        ),
        "password of scram": (
            scram | {"authentication": scram["authentication"] | {"password": "wrong password"}},
            "kafka.authentication.password",
        ),
        "client secret": (
            oauth | {"authentication": oauth["authentication"] | {"client_secret": "wrong secret"}},
            "kafka.authentication.client_secret",
        ),
        "no token": (
            oauth | {"authentication": {"mechanism": "oauth", "token": "no token at all"}},
            "kafka.authentication.token",
        ),
        "no server of tokens": (
            oauth | {"authentication": oauth["authentication"] | {"endpoint_uri": "http://127.0.0.1:1/token"}},
            "kafka.authentication.endpoint_uri",
        ),
        "untrusted": (tls | {"ssl": {"enable": True}}, "kafka.ssl.cacertfile"),
        "other name": (tls | {"bootstrap_servers": secure.at("other")}, "kafka.ssl.server_name_indication"),
        "no certificate": (tls | closed, "kafka.ssl.certfile"),
        "TLS to a plain listener": (tls | {"bootstrap_servers": secure.bootstrap_servers}, "kafka.ssl.enable"),
        "plain to a TLS listener": (without, "kafka.ssl.enable"),
        "a login without TLS": (without | login | {"bootstrap_servers": secure.at("sasl")}, "kafka.ssl.enable"),
        "no login": (tls | {"bootstrap_servers": secure.at("sasl")}, "(kafka.authentication)"),
        "a login where none is": (tls | login, "kafka.authentication.mechanism"),
        "no such file": (tls | {"ssl": {"enable": True, "cacertfile": "/nowhere.pem"}}, "kafka.ssl.cacertfile"),
        "no such variable": (
            plain | {"authentication": plain["authentication"] | {"password": "${TIDEGATE_TESTS_NOPE}"}},
            "kafka.authentication.password",
        ),
        "kerberos": (
            plain
            | {
                "authentication": {
                    "mechanism": "kerberos",
                    "kerberos_principal": "tidegate",
                    "kerberos_keytab_file": "/nowhere",
                }
            },
            "kafka.authentication.mechanism",
        ),
    }


def controlled(folder: Path, kafka: dict[str, Any]) -> Path:
    """A file with this section, whose configuration is in Kafka."""
    path = folder / "controlled.yaml"
    found = {"pipeline": "secured", "kafka": kafka, "control": {"topic": "secured.configuration"}}
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


class Turning:
    """A pipeline with its configuration in Kafka, whose password or certificate is replaced while it runs."""

    def __init__(self, secure: SecureKafka, folder: Path, way: str) -> None:
        self._secure, self._folder, self._way = secure, folder, way
        self.replace(1)
        found = settings(secure, way)
        login = {"mechanism": way, "username": "turning", "password": f"file://{folder}/password"}
        tls = {"certfile": str(folder / "own.pem"), "keyfile": str(folder / "own.key")}
        own = {"ssl": found["ssl"] | tls} if way == "mtls" else {"authentication": login}
        control = {"topic": f"secured.{way}", "status_topic": f"secured.{way}.status"}
        self.config = load({"pipeline": "secured", "kafka": found | own, "control": control})

    def replace(self, number: int) -> None:
        """Give the user, and the file, another password; or the file another certificate."""
        if self._way == "mtls":
            self._secure.authority.write(self._folder, "tidegate" if number == 1 else "tidegate again", "own")
            return
        self._secure.set_scram_password("turning", f"password {number}")
        (self._folder / "password").write_text(f"password {number}\n")

    def break_(self) -> None:
        """Put something into the file that Kafka does not accept: a proof that it is used."""
        if self._way == "mtls":
            self._secure.authority.write(self._folder, "outsider", "own")
        else:
            (self._folder / "password").write_text("wrong\n")


def config_of(folder: Path, kafka: dict[str, Any]) -> Path:
    """A configuration file with this section."""
    path = folder / "secured.yaml"
    lake = {"host": "127.0.0.1", "port": 1, "access_key_id": "k", "secret_access_key": "the secret of the lake"}
    found = {
        "pipeline": "secured",
        "kafka": kafka,
        "sources": {"mqtt": {"plant": {"server": "127.0.0.1:1", "topics": ["t/#"]}}},
        "connectors": {"s3": {"lake": lake | {"transport_options": {"connect_timeout": "1s", "max_retries": 0}}}},
        "actions": {"s3": {"raw": {"connector": "lake", "parameters": {"bucket": "sink", "key": "a/${id}.json"}}}},
        "rules": {"hot": {"sql": 'SELECT * FROM "t/#"', "actions": ["s3:raw"]}},
    }
    path.write_text(json.dumps(found), encoding="utf-8")
    return path


COMMANDS = {
    "worker": ("worker", "--log", "json"),
    "ingress": ("ingress", "--log", "json"),
    "doctor": ("doctor",),
    "check": ("check", "--connect"),
    "replay": ("replay", "raw", "--from", "0", "--plan"),
    "list": ("dead-letter", "list"),
    "redrive": ("dead-letter", "redrive"),
    "rule": ("rule", "test", "--rule", "hot", "--from-kafka", "3"),
}
# They read and change the configuration in Kafka.
CONTROL_COMMANDS = {
    "get": ("get",),
    "export": ("export",),
    "history": ("history",),
    "apply": ("apply", "-f", "OBJECTS"),
    "delete": ("delete", "rule/hot"),
    "api": ("api", "--port", "0", "--log", "json"),
    "worker with control": ("worker", "--log", "json"),
    "ingress with control": ("ingress", "--log", "json"),
}
