"""TLS and login at Kafka: the two libraries are told the same, and files are read again when they change."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from faust import auth

from agents.stream.credentials import FreshClient, credentials
from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.security import FreshContext, Security
from pipeline.errors import ConfigError, OperatorError
from tests.parts.authority import Authority

PLAIN = {"mechanism": "plain", "username": "anna", "password": "open sesame"}


def kafka(tls: dict[str, Any] | None = None, login: dict[str, Any] | None = None) -> KafkaConfig:
    given = {"authentication": login} if login else {}
    return KafkaConfig.model_validate({"bootstrap_servers": "k:9093", "ssl": tls or {}, **given})


@pytest.mark.parametrize(
    ("tls", "login", "protocol", "faust"),
    [
        (False, None, "PLAINTEXT", None),
        (True, None, "SSL", auth.SSLCredentials),
        (False, PLAIN, "SASL_PLAINTEXT", auth.SASLCredentials),
        (True, PLAIN, "SASL_SSL", auth.SASLCredentials),
        (True, {"mechanism": "oauth", "token": "t"}, "SASL_SSL", auth.OAuthCredentials),
    ],
)
def test_both_libraries_are_told_the_same(tls: bool, login: Any, protocol: str, faust: Any) -> None:
    """Protocol and mechanism are the same for librdkafka and for Faust."""
    config = kafka({"enable": tls}, login)

    told, made = Security(config).librdkafka(), credentials(config)

    assert told["security.protocol"] == protocol
    assert (type(made) if made else None) is faust
    if made is not None:
        assert made.protocol.value == protocol
    if login:
        assert told["sasl.mechanism"] == made.mechanism.value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("tls", "verified", "named"),
    [
        ({}, True, "https"),
        ({"verify": "verify_none"}, False, "none"),
        ({"server_name_indication": "disable"}, True, "none"),
    ],
)
def test_the_check_of_the_certificate(tls: dict[str, Any], verified: bool, named: str) -> None:
    """What is checked of a broker's certificate is the same for both libraries."""
    security = Security(kafka({"enable": True, **tls}))

    told, context = security.librdkafka(), security.context()

    assert told["enable.ssl.certificate.verification"] is verified
    assert told["ssl.endpoint.identification.algorithm"] == named
    assert (context.verify_mode == ssl.CERT_REQUIRED) is verified
    assert context.check_hostname is (named == "https")


def test_files_are_paths_and_texts_are_texts(tmp_path: Path) -> None:
    """librdkafka gets the path of a file, and PEM text as such; a key from a secret's file is text."""
    authority = Authority("tests")
    authority.write(tmp_path, "anna", "own")
    certificate, key = authority.sign("anna")
    files = {"certfile": str(tmp_path / "own.pem"), "keyfile": f"file://{tmp_path}/own.key"}

    by_file = Security(kafka({"enable": True, **files})).librdkafka()
    by_text = Security(kafka({"enable": True, "certfile": certificate, "keyfile": key})).librdkafka()

    assert by_file["ssl.certificate.location"] == files["certfile"]
    assert by_file["ssl.key.pem"].startswith("-----BEGIN PRIVATE KEY")
    assert (by_text["ssl.certificate.pem"], by_text["ssl.key.pem"]) == (certificate, key)


@pytest.mark.parametrize(
    ("tls", "login", "said"),
    [
        ({"cacertfile": "/nowhere.pem"}, None, "kafka.ssl.cacertfile: .*cannot use /nowhere.pem"),
        ({"certfile": "/no.pem", "keyfile": "/no.key"}, None, "kafka.ssl.certfile: .*cannot use /no.pem"),
        ({"certfile": "/no.pem", "keyfile": "${TIDEGATE_NOPE}"}, None, "kafka.ssl.keyfile: .*TIDEGATE_NOPE is not set"),
        ({}, PLAIN | {"password": "file:///no/secret"}, "kafka.authentication.password: cannot read .*/no/secret"),
    ],
)
def test_what_cannot_be_read_is_named(tls: dict[str, Any], login: Any, said: str) -> None:
    """The error has the setting, and is one for a person."""
    with pytest.raises(OperatorError, match=said):
        Security(kafka({"enable": True, **tls}, login)).librdkafka()


def test_the_next_connection_has_the_files_of_then(tmp_path: Path) -> None:
    """A context takes other files when they have changed, and stays with the last good ones while they are bad."""
    authority = Authority("tests")
    authority.write(tmp_path, "first", "own")
    files = {"certfile": str(tmp_path / "own.pem"), "keyfile": str(tmp_path / "own.key")}
    context = FreshContext.of(Security(kafka({"enable": True, **files})))

    def used() -> ssl.SSLContext:
        context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="k")
        return context._present

    first = used()
    assert used() is first
    (tmp_path / "own.pem").write_text("half of it")
    assert used() is first
    authority.write(tmp_path, "second", "own")
    second = used()
    assert second is not first
    assert used() is second


def test_the_next_connection_has_the_password_of_then(tmp_path: Path) -> None:
    """aiokafka's client asks for the password at each connection; one that cannot be read is a connection that failed."""
    secret = tmp_path / "password"
    secret.write_text("first")
    made: Any = credentials(kafka({}, PLAIN | {"password": f"file://{secret}"}))
    client: Any = FreshClient.__new__(FreshClient)
    client._sasl_plain_password = made.password

    assert client._sasl_plain_password == "first"
    secret.write_text("second")
    assert client._sasl_plain_password == "second"
    secret.unlink()
    with pytest.raises(ConnectionError, match=r"kafka\.authentication\.password"):
        _ = client._sasl_plain_password
    assert "second" not in repr(made)


def test_kerberos_names_what_is_missing() -> None:
    """Without the library, the error has the package and the extra."""
    login = {"mechanism": "kerberos", "kerberos_principal": "anna@PLANT", "kerberos_keytab_file": "/anna.keytab"}
    config = kafka({}, login)

    told = Security(config).librdkafka()

    assert {name: value for name, value in told.items() if name.startswith(("sasl.", "security."))} == {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "GSSAPI",
        "sasl.kerberos.service.name": "kafka",
        "sasl.kerberos.principal": "anna@PLANT",
        "sasl.kerberos.keytab": "/anna.keytab",
    }
    with pytest.raises(ConfigError, match=r"kerberos needs the package gssapi.*tidegate\[kerberos\]"):
        credentials(config)
