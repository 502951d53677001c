"""How the worker's consumers connect: Faust's credentials, made of pipeline/connectors/kafka/security.py.

aiokafka takes a password once, for all connections of its life. `install` puts a client in its place that asks for the password
at each connection, so that one that was replaced in its file is used from then on. Certificates and tokens are asked for anyway.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import Any

from aiokafka import admin, client, consumer, producer
from aiokafka.abc import AbstractTokenProvider
from faust import auth

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.security import FreshContext, Security
from pipeline.errors import ConfigError, TidegateError
from pipeline.extras import needed


def credentials(kafka: KafkaConfig) -> auth.Credentials | None:
    """Faust's credentials; None if Kafka wants none. Raises ConfigError if something for them is missing."""
    security = Security(kafka)
    context = FreshContext.of(security) if kafka.ssl.enable else None
    if kafka.authentication is None:
        return auth.SSLCredentials(context) if context else None
    if security.mechanism == "OAUTHBEARER":
        return auth.OAuthCredentials(oauth_cb=_TokenProvider(security), ssl_context=context)
    if security.mechanism == "GSSAPI":
        return _kerberos(kafka, context)
    install()
    security.password()  # a missing one is told now, and not by a connection that fails
    return auth.SASLCredentials(
        username=kafka.authentication.username,
        password=_Password(security),  # type: ignore[arg-type]  # FreshClient knows it
        ssl_context=context,
        mechanism=security.mechanism,
    )


def _kerberos(kafka: KafkaConfig, context: Any) -> auth.Credentials:
    assert kafka.authentication is not None
    with needed("kerberos", "kafka.authentication.mechanism: kerberos"):
        importlib.import_module("gssapi")
    # The library logs in with the keytab that its environment names.
    os.environ["KRB5_CLIENT_KTNAME"] = kafka.authentication.kerberos_keytab_file or ""
    return auth.GSSAPICredentials(
        kerberos_service_name=kafka.authentication.kerberos_service_name, ssl_context=context, mechanism="GSSAPI"
    )


class _TokenProvider(AbstractTokenProvider):  # type: ignore[misc]
    """Tokens for aiokafka. To a connection, a token that cannot be had is a connection that failed."""

    def __init__(self, security: Security) -> None:
        self._security = security

    async def token(self) -> str:
        try:
            return (await asyncio.to_thread(self._security.token)).text
        except TidegateError as error:
            raise ConnectionError(str(error)) from error

    def extensions(self) -> dict[str, str]:
        login = self._security.login
        return dict(login.extensions) if login else {}


class _Password:
    """The password of a Security, as it is when a connection is made."""

    def __init__(self, security: Security) -> None:
        self._security = security

    def now(self) -> str:
        try:
            return self._security.password()
        except ConfigError as error:
            raise ConnectionError(str(error)) from error


class FreshClient(client.AIOKafkaClient):  # type: ignore[misc]
    """aiokafka's client, which reads its password for each connection."""

    @property
    def _sasl_plain_password(self) -> Any:
        given = self.__dict__["_sasl_plain_password"]
        return given.now() if isinstance(given, _Password) else given

    @_sasl_plain_password.setter
    def _sasl_plain_password(self, given: Any) -> None:
        self.__dict__["_sasl_plain_password"] = given


def install() -> None:
    """Let every client of aiokafka in this process connect this way. aiokafka has no hook; it looks the class up by name."""
    consumer.consumer.AIOKafkaClient = producer.producer.AIOKafkaClient = admin.client.AIOKafkaClient = FreshClient
