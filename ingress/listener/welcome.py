"""What a device is told when it may come in, and what its connection says of it. Pure."""

from __future__ import annotations

from typing import Any, Final

from ingress.listener import words
from ingress.listener.identity import Address
from ingress.listener.login import Admitted, common_name
from pipeline.config.listener import ListenerSource
from pipeline.mqtt import reasons
from pipeline.mqtt.properties import SESSION_EXPIRY

KEEPALIVE_GRACE: Final = 1.5  # MQTT 5.0 section 3.1.2.10


def connack(
    source: ListenerSource, connect: words.Connect, admitted: Admitted, *, session_present: bool
) -> words.ConnAck:
    """The CONNACK for an accepted device. In MQTT 5 it names the limits that differ from the device's wishes."""
    longest = int(source.keepalive_max)
    shortened = connect.version == 5 and not 0 < connect.keepalive_seconds <= longest
    expiry = dict(connect.properties).get(SESSION_EXPIRY, 0)
    kept = min(expiry, int(source.session_expiry_max))
    return words.ConnAck(
        reasons.SUCCESS,
        assigned=None if connect.clientid else admitted.clientid,
        keepalive_seconds=longest if shortened else None,
        session_expiry_seconds=kept if kept != expiry else None,
        session_present=session_present,
    )


def silence_seconds(connect: words.Connect, answer: words.ConnAck) -> float:
    """After so long a silence a connection ends; 0: never."""
    seconds = answer.keepalive_seconds if answer.keepalive_seconds is not None else connect.keepalive_seconds
    return seconds * KEEPALIVE_GRACE


def address_of(transport: Any, peerhost: str, network: str) -> Address:
    """Both ends of a connection, and the name in the certificate of the device."""
    peer, own = (transport.get_extra_info(name) for name in ("peername", "sockname"))
    cert = transport.get_extra_info("peercert")
    return Address(peerhost, _host_port(peer), _host_port(own), common_name(cert), network)


def _host_port(address: Any) -> str:
    if not address:
        return ""
    host, port = address[0], address[1]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
