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
from ingress.remembered import Remembered
from pipeline.mqtt import traceparent
from pipeline.record import ID, PEERHOST, PROPERTIES, TRACEPARENT, USERNAME, Outgoing, message_record

CONNECTING_BYTES_MAX: Final = 2 << 20  # clients of usual size, and as many bytes for all others
USUAL_BYTES_MAX: Final = 4096
CONNECTING_SECONDS_MAX: Final = 60.0  # time between client.connect and client.connected
CONNECTED_BYTES_MAX: Final = 48 << 20
NUMBER_MAX: Final = 0xFFFFFFFF
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


class LeftOut:
    """Counts values that MQTT does not allow."""

    def __init__(self) -> None:
        self.count = 0

    def take(self) -> int:
        """The number since the last call."""
        count, self.count = self.count, 0
        return count


def publish_record(request: Any, now_ms: int, left_out: LeftOut | None = None) -> Outgoing:
    """The record of a MessagePublishRequest. Its publisher is the client from whose connection EMQX has read it."""
    message = request.message
    headers = _headers(message)
    extra = [(ID, message.id.encode())] if message.id else []
    for name, key in ((USERNAME, "username"), (PEERHOST, "peerhost")):
        if headers.get(key):
            extra.append((name, headers[key].encode()))
    properties = properties_object(request.props, request.user_props, left_out or LeftOut())
    if properties:
        extra.append((PROPERTIES, orjson.dumps(properties)))
    if traced := traceparent.checked(str(properties.get("User-Property", {}).get(TRACEPARENT, "")).encode()):
        extra.append((TRACEPARENT, traced))
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


def properties_object(props: Iterable[Any], user_props: Iterable[Any], left_out: LeftOut) -> dict[str, Any]:
    """MQTT 5 properties in the form for rules. Of equal user properties the last one counts."""
    told: dict[str, Any] = {}
    for each in props:
        if each.name in HOP_PROPERTIES:
            continue
        value = _number(each.value) if each.name in NUMBERS else each.value
        if value is None:
            left_out.count += 1
        else:
            told[each.name] = value
    pairs = [{"key": each.name, "value": each.value} for each in user_props]
    if pairs:
        told["User-Property"] = {pair["key"]: pair["value"] for pair in pairs}
        told["User-Property-Pairs"] = pairs
    return told


def _number(text: str) -> int | None:
    """A number of MQTT: of digits, and at most four bytes."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 10):
        return None
    value = int(text)
    return value if value <= NUMBER_MAX else None


class EventReader:
    """Makes events from requests. Use one for each server. Calls of one client come in order, and so do its events."""

    def __init__(self) -> None:
        self._connecting = [Remembered(CONNECTING_BYTES_MAX, CONNECTING_SECONDS_MAX) for _ in ("usual", "large")]
        self._connected = Remembered(CONNECTED_BYTES_MAX)
        self._now = 0.0  # time of the last call of `forget`
        self.left_out = LeftOut()

    def note_connect(self, request: Any) -> None:
        """Remember the fields of client.connect that client.connected will lack."""
        info = request.conninfo
        properties = properties_object(request.props, request.user_props, self.left_out)
        fields = _protocol(info) | {"conn_props": {"User-Property": {}} | properties}
        for name, key in (("receive_maximum", "Receive-Maximum"), ("expiry_interval", "Session-Expiry-Interval")):
            if key in properties:
                fields[name] = properties[key]
        usual, large = self._connecting
        memory = usual if request.ByteSize() <= USUAL_BYTES_MAX else large
        memory.note(_address(info), fields, self._now)

    def forget(self, now_ms: int) -> None:
        """Forget clients that have not logged in for a minute. Call it regularly."""
        self._now = now_ms / 1000
        for memory in self._connecting:
            memory.forget(self._now)

    def _told_before(self, info: Any) -> dict[str, Any]:
        usual, large = (memory.take(_address(info)) for memory in self._connecting)
        return usual or large

    def event(self, hook: str, request: Any, now_ms: int) -> ClientEvent:
        """The event of one call. The clientid is that of the client concerned: the receiver for delivered and acked."""
        if hook == "client.connack":
            return _connack(request, self.left_out)
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
            fields |= self._told_before(info) | {"connected_at": now_ms}
            kept = {name: fields.get(name) for name in KEPT_TO_THE_END}
            self._connected.note((info.node, info.clientid), kept, now_ms / 1000)
        elif hook == "client.disconnected":
            known = self._connected.take((info.node, info.clientid))
            fields |= _given(**known) | {"reason": request.reason, "disconnected_at": now_ms}
        elif hook in ("session.subscribed", "session.unsubscribed"):
            fields["topic"] = request.topic
            if hook == "session.subscribed":
                fields["qos"] = request.subopts.qos
        elif hook == "session.terminated":
            fields["reason"] = request.reason
        return ClientEvent(hook, info.clientid, fields)


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
    version: Any = _number(info.proto_ver)
    if version is None:
        version = info.proto_ver
    return _given(proto_name=info.proto_name, proto_ver=version) | {"keepalive": info.keepalive}


def _connack(request: Any, left_out: LeftOut) -> ClientEvent:
    info = request.conninfo
    properties = {"User-Property": {}} | properties_object(request.props, request.user_props, left_out)
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
