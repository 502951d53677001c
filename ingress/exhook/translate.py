"""The records of ExHook's calls: messages with their true publisher, and events with EMQX's own field names.

ExHook gives neither clean_start nor whether a message was retained, so records do not have these. The fields of
`client.connected` come from two calls. client.connect has the protocol, the keep-alive and the properties, but comes before the
client has proved its name. So its fields are remembered under the client's address too, and used only when client.connected
comes from that address.

Pure, except for this bounded memory. This file does not know gRPC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson

from ingress.events import ClientEvent
from pipeline.record import ID, PEERHOST, PROPERTIES, USERNAME, Outgoing, message_record

CLIENTS_MAX: Final = 100_000
FROM_EXHOOK: Final = b"exhook"

# Properties are texts in ExHook. These are numbers in MQTT (5.0 table 2-4), and in the events of rules.
NUMBERS: Final = frozenset(
    {
        "Payload-Format-Indicator",
        "Message-Expiry-Interval",
        "Session-Expiry-Interval",
        "Receive-Maximum",
        "Maximum-Packet-Size",
        "Topic-Alias-Maximum",
        "Request-Response-Information",
        "Request-Problem-Information",
        "Server-Keep-Alive",
        "Maximum-QoS",
        "Retain-Available",
        "Wildcard-Subscription-Available",
        "Subscription-Identifier-Available",
        "Shared-Subscription-Available",
    }
)
HOP_PROPERTIES: Final = frozenset({"Subscription-Identifier", "Topic-Alias"})
KEPT_TO_THE_END: Final = ("proto_name", "proto_ver", "connected_at")


def publish_record(request: Any, now_ms: int) -> Outgoing:
    """The record of a MessagePublishRequest. Its publisher is the client from whose connection EMQX has read it."""
    message = request.message
    headers = _headers(message)
    extra = [(ID, message.id.encode())] if message.id else []
    for name, key in ((USERNAME, "username"), (PEERHOST, "peerhost")):
        if headers.get(key):
            extra.append((name, headers[key].encode()))
    properties = properties_object(request.props, request.user_props)
    if properties:
        extra.append((PROPERTIES, orjson.dumps(properties)))
    sender = getattr(message, "from")
    return message_record(
        topic=message.topic.encode(),
        payload=message.payload,
        qos=message.qos,
        retain=False,
        dup=False,
        clientid=sender.encode() or None,
        clientid_from=FROM_EXHOOK if sender else b"unknown",
        timestamp_ms=now_ms,
        extra=extra,
    )


def properties_object(props: Iterable[Any], user_props: Iterable[Any]) -> dict[str, Any]:
    """MQTT 5 properties in the form for rules. Of equal user properties the last one counts."""
    told: dict[str, Any] = {
        each.name: int(each.value) if each.name in NUMBERS and each.value.isdecimal() else each.value
        for each in props
        if each.name not in HOP_PROPERTIES
    }
    pairs = [{"key": each.name, "value": each.value} for each in user_props]
    if pairs:
        told["User-Property"] = {pair["key"]: pair["value"] for pair in pairs}
        told["User-Property-Pairs"] = pairs
    return told


class EventReader:
    """Makes events from requests. Use one for each server. Calls of one client come in order, and so do its events."""

    def __init__(self) -> None:
        self._connecting: dict[tuple[str, ...], dict[str, Any]] = {}
        self._connected: dict[tuple[str, str], dict[str, Any]] = {}

    def note_connect(self, request: Any) -> None:
        """Remember the fields of client.connect that client.connected will lack."""
        info = request.conninfo
        properties = properties_object(request.props, request.user_props)
        fields = _protocol(info) | {"conn_props": {"User-Property": {}} | properties}
        for name, key in (("receive_maximum", "Receive-Maximum"), ("expiry_interval", "Session-Expiry-Interval")):
            if isinstance(properties.get(key), int):
                fields[name] = properties[key]
        _remember(self._connecting, _address(info), fields)

    def event(self, hook: str, request: Any, now_ms: int) -> ClientEvent:
        """The event of one call. The clientid is that of the client concerned: the receiver for delivered and acked."""
        if hook == "client.connack":
            return _connack(request)
        if hook == "message.dropped":
            fields = _message(request.message) | {"reason": request.reason}
            fields |= _given(username=_headers(request.message).get("username"))
            return ClientEvent(hook, getattr(request.message, "from"), fields)
        info = request.clientinfo
        fields = _client(info)
        if hook in ("message.delivered", "message.acked"):
            sender = {"from_clientid": getattr(request.message, "from")}
            sender |= _given(from_username=_headers(request.message).get("username"))
            return ClientEvent(hook, info.clientid, _message(request.message) | sender | fields)
        if hook == "client.connected":
            fields |= self._connecting.pop(_address(info), {}) | {"connected_at": now_ms}
            _remember(self._connected, (info.node, info.clientid), {name: fields.get(name) for name in KEPT_TO_THE_END})
        elif hook == "client.disconnected":
            known = self._connected.pop((info.node, info.clientid), {})
            fields |= _given(**known) | {"reason": request.reason, "disconnected_at": now_ms}
        elif hook in ("session.subscribed", "session.unsubscribed"):
            fields["topic"] = request.topic
            if hook == "session.subscribed":
                fields["qos"] = request.subopts.qos
        elif hook == "session.terminated":
            fields["reason"] = request.reason
        return ClientEvent(hook, info.clientid, fields)


def _remember(memory: dict[Any, dict[str, Any]], key: tuple[str, ...], fields: dict[str, Any]) -> None:
    memory.pop(key, None)
    if len(memory) >= CLIENTS_MAX:
        memory.pop(next(iter(memory)))
    memory[key] = fields


def _address(info: Any) -> tuple[str, ...]:
    return info.node, info.clientid, info.peerhost, str(info.peerport)


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}


def _peer(info: Any) -> dict[str, Any]:
    """The fields of an address. `peername` is ip:port in rules; EMQX before 5.9 does not give the port."""
    host = f"[{info.peerhost}]" if ":" in info.peerhost else info.peerhost
    peername = f"{host}:{info.peerport}" if info.peerhost and info.peerport else info.peerhost
    return _given(node=info.node, username=info.username, peerhost=info.peerhost, peername=peername)


def _client(info: Any) -> dict[str, Any]:
    """Fields of a client, named one by one, so that no other field leaves this process."""
    protocol = "MQTT" if info.protocol == "mqtt" else info.protocol
    return _peer(info) | _given(mountpoint=info.mountpoint, cn=info.cn, dn=info.dn, proto_name=protocol)


def _protocol(info: Any) -> dict[str, Any]:
    version = int(info.proto_ver) if info.proto_ver.isdecimal() else info.proto_ver
    return _given(proto_name=info.proto_name, proto_ver=version) | {"keepalive": info.keepalive}


def _connack(request: Any) -> ClientEvent:
    info = request.conninfo
    properties = {"User-Property": {}} | properties_object(request.props, request.user_props)
    fields = _peer(info) | _protocol(info) | {"reason_code": request.result_code, "conn_props": properties}
    return ClientEvent("client.connack", info.clientid, fields)


def _headers(message: Any) -> Mapping[str, str]:
    return {each.key: each.value for each in message.headers}


def _message(message: Any) -> dict[str, Any]:
    """Fields of a message. An event is JSON, so bytes of the payload that are not UTF-8 are replaced."""
    return {
        "id": message.id,
        "topic": message.topic,
        "qos": message.qos,
        "payload": message.payload.decode("utf-8", "replace"),
        "publish_received_at": message.timestamp,
    } | _given(node=message.node, peerhost=_headers(message).get("peerhost"))
