"""Client events: the exact lines and payloads that brokers send become events with EMQX's field names."""

from __future__ import annotations

import orjson
import pytest

from ingress.events import ClientEvent
from ingress.events.aws_presence import AwsPresenceAdapter
from ingress.events.emqx_sys import EmqxSysAdapter
from ingress.events.mosquitto_log import MosquittoLogAdapter
from ingress.events.nanomq_status import NanomqStatusAdapter
from ingress.events.status_topic import StatusTopicAdapter
from pipeline.config.sources import StatusTopic

NOW = 1_795_383_642_250
LOG = "$SYS/broker/log/N"


def told(*lines: str) -> list[ClientEvent]:
    adapter = MosquittoLogAdapter()
    return [each for line in lines for each in adapter.events(LOG, line.encode(), retained=False, now_ms=NOW)]


def test_a_connection_line_of_mosquitto() -> None:
    """Address, protocol, clean start, keep-alive and user name, with the arrival as its time within that second."""
    line = "1795383642: New client connected from 127.0.0.1:56373 as dev-42 (p5, c1, k30, u'alice')."

    assert told(line) == [
        ClientEvent(
            "client.connected",
            "dev-42",
            {
                "peername": "127.0.0.1:56373",
                "proto_name": "MQTT",
                "proto_ver": 5,
                "keepalive": 30,
                "clean_start": True,
                "connected_at": NOW,
                "username": "alice",
            },
        )
    ]


@pytest.mark.parametrize(("protocol", "version"), [("p1", 3), ("p2", 4), ("p5", 5)])
def test_mosquitto_counts_protocols_in_its_own_way(protocol: str, version: int) -> None:
    """p2 is MQTT 3.1.1, which the protocol itself and EMQX call 4; an anonymous client has no user name."""
    (event,) = told(f"1795383642: New client connected from ::1:5 as d ({protocol}, c0, k60).")

    assert (event.fields["proto_ver"], event.fields["clean_start"]) == (version, False)
    assert "username" not in event.fields


@pytest.mark.parametrize(
    ("line", "clientid", "reason"),
    [
        ("1795383644: Client dev-42 disconnected.", "dev-42", "normal"),
        ("1795383645: Client dev-43 closed its connection.", "dev-43", "tcp_closed"),
        ("1795383653: Client dev-47 has exceeded timeout, disconnecting.", "dev-47", "keepalive_timeout"),
        ("1795383647: Client dev-45 already connected, closing old connection.", "dev-45", "takenover"),
        ("1795383647: Client dev-9 disconnected, not authorised.", "dev-9", "not_authorized"),
        ("1795383654: Client dev-9 disconnected due to protocol error.", "dev-9", "protocol_error"),
        ("1795383654: Client a b [10.0.0.7:512] disconnected: session taken over.", "a b", "takenover"),
        ("Client no-stamp disconnected.", "no-stamp", "normal"),
    ],
)
def test_the_lines_of_mosquitto_for_an_end(line: str, clientid: str, reason: str) -> None:
    """Each kind of end has its line, and EMQX's reason for it."""
    (event,) = told(line)

    assert (event.name, event.clientid, event.fields["reason"]) == ("client.disconnected", clientid, reason)
    assert event.fields["disconnected_at"] in (NOW, int(line[:10]) * 1000 if line[0] == "1" else NOW)


def test_what_was_told_at_the_connection_is_known_at_its_end() -> None:
    """Mosquitto's end line has only the clientid, and the other fields come from the connect line."""
    coming = "1795383642: New client connected from 10.0.0.1:99 as d (p5, c1, k30, u'alice')."
    going = "1795383644: Client d disconnected."

    _, first, second = told(coming, going, going)

    assert first.fields["username"] == "alice"
    assert first.fields["peername"] == "10.0.0.1:99"
    assert first.fields["connected_at"] == NOW
    assert first.fields["disconnected_at"] == 1_795_383_644_000
    assert "username" not in second.fields


@pytest.mark.parametrize(
    "line",
    [
        "1795383642: New connection from 127.0.0.1:56373 on port 21888.",
        "1795383645: Client <unknown> disconnected, not authorised.",
        "1795383654: Client <unknown> disconnected due to protocol error.",
        "1795383705: Expiring client dev-42 due to timeout.",
        "1795383643: dev-42 1 a/b",
        "",
        "mosquitto version 2.0.11 running",
    ],
)
def test_other_lines_of_mosquitto_are_no_events(line: str) -> None:
    """A refused client has no clientid, and an expired session is not a disconnect."""
    assert told(line) == []


def test_a_clientid_that_reads_like_a_line_is_taken_whole() -> None:
    """A clientid may contain text that looks like the end of the line; the last occurrence counts."""
    clientid = "x (p5, c1, k1, u'root')."
    (event,) = told(f"1795383642: New client connected from 10.0.0.1:9 as {clientid} (p2, c1, k30).")

    assert event.clientid == clientid
    assert "username" not in event.fields


def test_emqx_tells_a_connection() -> None:
    """The expiry is in milliseconds in EMQX 5's payload, and in seconds in the event."""
    payload = {
        "clientid": "a/b",
        "username": "undefined",
        "ipaddress": "10.0.0.7",
        "sockport": 1883,
        "protocol": "mqtt",
        "proto_name": "MQTT",
        "proto_ver": 5,
        "keepalive": 60,
        "clean_start": False,
        "expiry_interval": 7_200_000,
        "receive_maximum": 32,
        "conn_props": {"User-Property": {}},
        "connected_at": 1_795_383_642_001,
        "ts": 1_795_383_642_002,
    }
    topic = "$SYS/brokers/emqx@10.0.0.1/clients/a/b/connected"

    (event,) = EmqxSysAdapter().events(topic, orjson.dumps(payload), retained=False, now_ms=NOW)

    assert (event.name, event.clientid) == ("client.connected", "a/b")
    assert event.fields == {
        "proto_name": "MQTT",
        "proto_ver": 5,
        "connected_at": 1_795_383_642_001,
        "keepalive": 60,
        "clean_start": False,
        "receive_maximum": 32,
        "conn_props": {"User-Property": {}},
        "peername": "10.0.0.7",
        "peerhost": "10.0.0.7",
        "expiry_interval": 7200,
        "node": "emqx@10.0.0.1",
    }


def test_emqx_tells_an_end() -> None:
    """The event has the reason, both times, and the user name if there is one."""
    payload = (
        b'{"username":"u","ts":3,"sockport":1883,"reason":"tcp_closed","protocol":"mqtt","proto_ver":4,"proto_name":"MQTT",'
        b'"ipaddress":"127.0.0.1","disconnected_at":2,"connected_at":1,"clientid":"c"}'
    )

    (event,) = EmqxSysAdapter().events("$SYS/brokers/n/clients/c/disconnected", payload, retained=False, now_ms=NOW)

    assert event.name == "client.disconnected"
    assert {event.fields[name] for name in ("reason", "connected_at", "disconnected_at", "username")} == {
        "tcp_closed",
        1,
        2,
        "u",
    }


@pytest.mark.parametrize(
    ("what", "payload"),
    [("subscribed", b'{"clientid":"c"}'), ("connected", b"{"), ("connected", b"[]"), ("connected", b'{"clientid":1}')],
)
def test_other_payloads_of_emqx_are_no_events(what: str, payload: bytes) -> None:
    """Subscriptions make no event, and a payload without a clientid is skipped."""
    assert EmqxSysAdapter().events(f"$SYS/brokers/n/clients/c/{what}", payload, retained=False, now_ms=NOW) == []


def test_birth_and_will() -> None:
    """The two payloads of the convention, and no event for any other, nor for a retained one."""
    adapter = StatusTopicAdapter(StatusTopic(topic="site/{clientid}/status", online="1", offline="0"))

    def event(payload: bytes, *, retained: bool = False) -> list[ClientEvent]:
        return adapter.events("site/d/status", payload, retained=retained, now_ms=NOW)

    assert adapter.filters == ("site/+/status",)
    assert event(b"1") == [ClientEvent("client.connected", "d", {"connected_at": NOW})]
    assert event(b"0") == [ClientEvent("client.disconnected", "d", {"disconnected_at": NOW})]
    assert event(b"x") == event(b"") == event(b"1", retained=True) == []


def test_nanomq_tells_both() -> None:
    """Payloads of NanoMQ 0.24 make connect and disconnect events, without its placeholder for a missing user name."""
    adapter = NanomqStatusAdapter()
    topic = "$SYS/brokers/client_status/mqttui-3a97c5cc"
    online = (
        b'{"status":"online", "username":"(null)", "ts":1787636726019,"proto_name":"MQTT","keepalive":60,'
        b'"return_code":"0","proto_ver":4,"client_id":"mqttui-3a97c5cc","clean_start":1, "IPv4":"127.0.0.1"}'
    )
    offline = (
        b'{"status":"offline", "username":"anna","ts":1787636727000,"reason_code":"8d",'
        b'"client_id":"mqttui-3a97c5cc","IPv4":"127.0.0.1"}'
    )

    (came,) = adapter.events(topic, online, retained=False, now_ms=NOW)
    (went,) = adapter.events(topic, offline, retained=False, now_ms=NOW)

    address = {"peername": "127.0.0.1", "peerhost": "127.0.0.1"}
    came_fields = {"proto_name": "MQTT", "proto_ver": 4, "keepalive": 60, "clean_start": True}
    assert came == (
        "client.connected",
        "mqttui-3a97c5cc",
        {**address, **came_fields, "connected_at": 1787636726019},
    )
    assert went == (
        "client.disconnected",
        "mqttui-3a97c5cc",
        {**address, "username": "anna", "reason": "keepalive_timeout", "disconnected_at": 1787636727000},
    )
    assert adapter.events(topic, online, retained=True, now_ms=NOW) == []
    assert adapter.events(topic, online.replace(b'"0"', b'"5"'), retained=False, now_ms=NOW) == []


def test_an_older_nanomq_has_a_topic_for_each() -> None:
    """Before NanoMQ 0.24.1 the topic gives the kind of the event."""
    payload = b'{"username":"undefined","ts":1650536832226,"reason_code":"0","client_id":"c"}'

    (event,) = NanomqStatusAdapter().events("$SYS/brokers/disconnected", payload, retained=False, now_ms=NOW)

    assert event == ("client.disconnected", "c", {"reason": "normal", "disconnected_at": 1650536832226})


def test_aws_tells_both() -> None:
    """AWS IoT Core's lifecycle events keep the number that orders them."""
    adapter = AwsPresenceAdapter()
    common = (
        b'"clientId":"186b5","sessionIdentifier":"a4666d2a","principalIdentifier":"12345","ipAddress":"192.0.2.0",'
        b'"versionNumber":0,'
    )
    connected = b"{" + common + b'"timestamp":1573002230757,"eventType":"connected"}'
    disconnected = (
        b"{" + common + b'"timestamp":1573002340451,"eventType":"disconnected","clientInitiatedDisconnect":true,'
        b'"disconnectReason":"CLIENT_INITIATED_DISCONNECT"}'
    )

    (came,) = adapter.events("$aws/events/presence/connected/186b5", connected, retained=False, now_ms=NOW)
    (went,) = adapter.events("$aws/events/presence/disconnected/186b5", disconnected, retained=False, now_ms=NOW)

    told = {"session_id": "a4666d2a", "principal": "12345", "version": 0, "peername": "192.0.2.0"}
    told["peerhost"] = "192.0.2.0"
    assert came == ("client.connected", "186b5", {**told, "connected_at": 1573002230757})
    assert went == ("client.disconnected", "186b5", {**told, "reason": "normal", "disconnected_at": 1573002340451})


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ('"disconnectReason":"DUPLICATE_CLIENTID"', "takenover"),
        ('"disconnectReason":"WEBSOCKET_TTL_EXPIRATION"', "websocket_ttl_expiration"),
        ('"clientInitiatedDisconnect":false', "tcp_closed"),
    ],
)
def test_reasons_of_aws(told: str, reason: str) -> None:
    """The reason is EMQX's word, or AWS's own in lower case."""
    payload = f'{{"clientId":"c","eventType":"disconnected",{told}}}'.encode()

    (event,) = AwsPresenceAdapter().events("$aws/events/presence/disconnected/c", payload, retained=False, now_ms=NOW)

    assert event.fields["reason"] == reason
