"""Why a connection to Kafka fails, where librdkafka says no more than that it failed.

It asks the first broker that takes a connection, as a client would: TLS, then the versions it knows, then its topics. It sends no
secret. Or Kafka answers, and sends its clients to addresses that only others can reach.

Sources: Kafka's protocol guide (ApiVersions, Metadata), RFC 8446 section 5.1 (a TLS record).
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from pipeline.config import KafkaConfig
from pipeline.connectors.kafka.security import Security
from pipeline.errors import ConfigError

SECONDS_MAX: Final = 3.0
PORT: Final = 9092  # of a server that names none
_HOST_NAME: Final = frozenset({62, 64})  # OpenSSL's X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH
_API_VERSIONS: Final = struct.pack(">hhih", 18, 0, 1, -1)  # key, version, number, no client id
_METADATA: Final = struct.pack(">hhihi", 3, 1, 2, -1, 0)  # the same, and no topics
_TLS_RECORD: Final = b"\x15\x03"  # an alert
_SILENT: Final = "it takes connections and says nothing: it hangs, or has too much to do"


class Diagnosis(NamedTuple):
    """What a broker's answers say about our settings; empty if they say nothing."""

    told: str
    operator: bool = False  # a person has to act
    is_reached: bool = True  # a broker takes our connection


def why_not(kafka: KafkaConfig) -> Diagnosis:
    """Ask the first broker that takes a connection. Blocks."""
    security = Security(kafka)
    for server in kafka.bootstrap_servers.split(","):
        host, port = _host_and_port(server.strip())
        with suppress(OSError), socket.create_connection((host, port), SECONDS_MAX) as plain:
            return Diagnosis(*_ask(plain, host, kafka, security))
    return Diagnosis("", is_reached=False)


def _host_and_port(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return (host.strip("[]"), int(port)) if port.isdecimal() else (server.strip("[]"), PORT)


def unreachable(brokers: Iterable[tuple[str, int]]) -> str:
    """What is wrong with the addresses that Kafka gives to its clients; empty if each of them takes a connection. Blocks."""
    for host, port in brokers:
        try:
            socket.create_connection((host, port), SECONDS_MAX).close()
        except OSError as error:
            words = error.strerror or str(error)
            return f"it sends clients to {host}:{port}, which cannot be reached: {words} (its advertised.listeners)"
    return ""


def _ask(plain: socket.socket, host: str, kafka: KafkaConfig, security: Security) -> tuple[str, bool]:
    try:
        if not kafka.ssl.enable:
            return _without_tls(plain, kafka), False
        with security.context().wrap_socket(plain, server_hostname=host) as wrapped:
            answer = _request(wrapped, _API_VERSIONS)
            if not answer:
                return "it closes the connection after TLS", False
            return _expects_login(wrapped, kafka), False
    except ConfigError as error:
        return str(error), True
    except ssl.SSLCertVerificationError as error:
        return _not_accepted(error), True
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):
            words = (error.reason or "").lower().replace("_", " ")
            return f"it does not accept our certificate: {words} (kafka.ssl.certfile)", True
        return "it does not speak TLS there (kafka.ssl.enable)", False
    except TimeoutError:
        return _SILENT, False
    except ConnectionError:
        return "it closes the connection during TLS: it may not speak TLS there (kafka.ssl.enable)", False


def _not_accepted(error: ssl.SSLCertVerificationError) -> str:
    what = f"its certificate is not accepted: {error.verify_message}"
    if error.verify_code in _HOST_NAME:
        return f"{what} (the host in kafka.bootstrap_servers, or kafka.ssl.server_name_indication: disable)"
    return f"{what} (kafka.ssl.cacertfile)"


def _without_tls(plain: socket.socket, kafka: KafkaConfig) -> str:
    answer = _request(plain, _API_VERSIONS)
    if answer.startswith(_TLS_RECORD) or not answer:
        return "it closes the connection, as where it expects TLS (kafka.ssl.enable)"
    return _expects_login(plain, kafka)


def _expects_login(connection: socket.socket, kafka: KafkaConfig) -> str:
    """Whether a broker that speaks with us closes the connection when it is asked something."""
    if kafka.authentication is None and not _request(connection, _METADATA):
        return "it closes the connection, as where it expects a login (kafka.authentication)"
    return ""


def _request(connection: socket.socket, request: bytes) -> bytes:
    """The beginning of the answer; empty if the connection is closed instead. Raises TimeoutError."""
    connection.settimeout(SECONDS_MAX)
    try:
        connection.sendall(struct.pack(">i", len(request)) + request)
        return connection.recv(4096)
    except (ssl.SSLError, TimeoutError):
        raise
    except OSError:
        return b""
