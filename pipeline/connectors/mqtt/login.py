"""Connects a paho client to a source's broker: credentials, TLS, WebSocket, and the errors of a failed login.

The ingress and `tidegate doctor` both use this file, so the doctor finds what the ingress will find.

This file does not subscribe and runs no loop.
"""

from __future__ import annotations

import ssl
from typing import Final

from paho.mqtt import client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from pipeline.config.sources import MqttSource
from pipeline.config.tls import ClientTls
from pipeline.errors import ConfigError, ConnectorError, OperatorError, RetryableError

CONNECT_SECONDS: Final = 5.0

# The words of codes of CONNACK and DISCONNECT whose cause a person can correct (MQTT 5.0 table 2-6, MQTT 3.1.1 section
# 3.2.2.3). A broker that does not have what a filter needs may disconnect instead of refusing the subscription.
OPERATOR_REASONS: Final = frozenset(
    {
        "Bad user name or password",
        "Bad username or password",
        "Not authorized",
        "Client identifier not valid",
        "Banned",
        "Bad authentication method",
        "Unsupported protocol version",
        "QoS not supported",
        "Shared subscription not supported",
        "Subscription identifiers not supported",
        "Wildcard subscription not supported",
        "Topic filter invalid",
    }
)


def prepare(client: paho.Client, source: MqttSource) -> None:
    """Give `client` its credentials and TLS settings. It was made with `source.transport`.

    Raises OperatorError if a password or a file for TLS cannot be read.
    """
    client.connect_timeout = CONNECT_SECONDS
    client.suppress_exceptions = False
    if source.username is not None:
        client.username_pw_set(source.username, _password(source))
    if source.ssl.enable:
        client.tls_set_context(_tls_context(source))
    if source.transport == "websockets":
        client.ws_set_options(source.websocket_path)


def dial(client: paho.Client, source: MqttSource, *, clean: bool, session_expiry_seconds: float) -> None:
    """Connect and send CONNECT. Blocks, because paho resolves, connects and does the TLS handshake in blocking calls.

    `clean` and `session_expiry_seconds` are for MQTT 5; a client of 3.1.1 was made with its `clean_session`. Raises
    OperatorError for a certificate, RetryableError for everything else. `on_connect` gets the broker's answer.
    """
    host, _, port = source.server.rpartition(":")
    host, keepalive = host.strip("[]"), max(1, round(source.keepalive))
    try:
        if source.protocol != "5":
            client.connect(host, int(port), keepalive)
            return
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = min(0xFFFFFFFF, round(session_expiry_seconds))
        properties.ReceiveMaximum = source.window
        client.connect(host, int(port), keepalive, clean_start=clean, properties=properties)
    except ssl.SSLCertVerificationError as error:
        advice = "check ssl.cacertfile and the name in `server`"
        raise OperatorError(
            f"TLS to {source.server}: its certificate is not accepted: {error.verify_message}; {advice}",
            reason="certificate",
        ) from None
    except ssl.SSLError as error:
        told = (error.reason or str(error)).lower().replace("_", " ")
        advice = "it may speak no TLS there (`ssl.enable` of the source)"
        raise RetryableError(f"cannot reach {source.server} by TLS: {told}; {advice}", reason="unreachable") from None
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise RetryableError(f"cannot reach {source.server}: {words}", reason="unreachable") from None


def silence(source: MqttSource) -> str:
    """What a person can do about a port that takes a connection and gives no CONNACK, to be added to a message."""
    setting = "`ssl.enable` of the source"
    return "" if source.ssl.enable else f"; it may expect TLS ({setting}), or be no MQTT broker's"


def refusal(source: MqttSource, words: str) -> ConnectorError:
    """The error for a CONNACK with a failure. `words` are paho's words for its code."""
    who = f" as {source.username!r}" if source.username is not None else ""
    return _told(f"{source.server} refused the connection{who}: {words}", words)


def disconnected(source: MqttSource, words: str) -> ConnectorError:
    """The error for a DISCONNECT of the broker. `words` are paho's words for its code."""
    return _told(f"{source.server} disconnected us: {words}", words)


def _told(message: str, words: str) -> ConnectorError:
    reason = words.lower().replace(" ", "_")
    return (
        OperatorError(message, reason=reason) if words in OPERATOR_REASONS else RetryableError(message, reason=reason)
    )


def _password(source: MqttSource) -> str | None:
    """The clear password, which only this function reads. Raises OperatorError, which names the missing variable or file."""
    try:
        return source.password.reveal() if source.password else None
    except ConfigError as error:
        raise OperatorError(f"{source.server}: no password: {error}", reason="no_credentials") from None


def _tls_context(source: MqttSource) -> ssl.SSLContext:
    tls: ClientTls = source.ssl
    try:
        context = ssl.create_default_context(cafile=tls.cacertfile)
    except OSError as error:
        raise _unusable(source, f"{tls.cacertfile}", error) from None
    if tls.verify == "verify_none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certfile is not None:
        try:
            context.load_cert_chain(tls.certfile, tls.keyfile)
        except OSError as error:
            raise _unusable(source, f"{tls.certfile} with {tls.keyfile}", error) from None
    return context


def _unusable(source: MqttSource, what: str, error: OSError) -> OperatorError:
    return OperatorError(f"TLS to {source.server}: cannot use {what}: {error.strerror or error}", reason="certificate")
