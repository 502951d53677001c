"""ExHook's bytes become records and events. The bytes are those of EMQX's protocol and not made with our own classes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from ingress.exhook import wire
from ingress.exhook.server import hooks
from ingress.exhook.translate import EventReader, publish_record
from pipeline.config.sources import ExHookSource
from pipeline.record import event_record
from tests.parts import exhook_bytes as sent

NOW = 1_742_000_000_500
PEER = {
    "node": "emqx@10.0.0.1",
    "username": "anna",
    "peerhost": "192.0.2.7",
    "peername": "192.0.2.7:50123",
}
CLIENT = PEER | {"mountpoint": "mount/", "cn": "device.example", "dn": "CN=device.example", "proto_name": "MQTT"}
MESSAGE = {
    "id": "000630A4F4C3F0B1F445000003E80000",
    "topic": "t/1",
    "qos": 1,
    "publish_received_at": 1_742_000_000_123,
    "node": "emqx@10.0.0.1",
    "peerhost": "192.0.2.7",
}


def decoded(hook: str, request: bytes) -> Any:
    assert wire.CALLS[hook].is_read
    return wire.CALLS[hook].request.FromString(request)


def test_a_message_has_its_true_publisher() -> None:
    """Key, payload and headers have what EMQX knows about the publisher."""
    record = publish_record(decoded("message.publish", sent.publish("d1", "t/1", b"\x00\xff")), NOW)

    headers = dict(record.headers)
    assert (record.key, record.value, record.timestamp_ms) == (b"d1", b"\x00\xff", NOW)
    assert orjson.loads(headers.pop("pub_props")) == {
        "Content-Type": "text/csv",
        "Payload-Format-Indicator": 1,
        "User-Property": {"site": "north"},
        "User-Property-Pairs": [{"key": "site", "value": "north"}],
    }
    assert headers == {
        "topic": b"t/1",
        "clientid_from": b"exhook",
        "qos": b"1",
        "id": b"000630A4F4C3F0B1F445000003E80000",
        "username": b"anna",
        "peerhost": b"192.0.2.7",
    }


def test_a_message_of_the_older_protocol_has_no_properties() -> None:
    """Version 2 sends neither properties nor user properties, and the record then has no header for them."""
    record = publish_record(decoded("message.publish", sent.publish("d1", "t/1", b"x", props=False)), NOW)

    assert "pub_props" not in dict(record.headers)


@pytest.mark.parametrize("flags", ["01", "zz"])
def test_a_message_keeps_its_trace(flags: str) -> None:
    """A valid `traceparent` has a header of its own; a wrong one has none."""
    trace = f"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"
    sent_bytes = sent.publish("d1", "t/1", b"", traceparent=trace)

    headers = dict(publish_record(decoded("message.publish", sent_bytes), NOW).headers)

    assert headers.get("traceparent") == (trace.encode() if flags == "01" else None)


def test_connected_has_what_connect_told() -> None:
    """The connected event has the protocol and properties of client.connect, and the disconnected event repeats them."""
    reader = EventReader()
    reader.note_connect(decoded("client.connect", sent.connect("d1")))

    connected = reader.event("client.connected", decoded("client.connected", sent.client("d1")), NOW)
    gone = reader.event(
        "client.disconnected", decoded("client.disconnected", sent.ended("d1", "keepalive_timeout")), NOW + 9
    )

    assert (connected.clientid, connected.fields) == (
        "d1",
        CLIENT
        | {
            "proto_ver": 5,
            "keepalive": 60,
            "receive_maximum": 20,
            "expiry_interval": 7200,
            "connected_at": NOW,
            "conn_props": {
                "Receive-Maximum": 20,
                "Session-Expiry-Interval": 7200,
                "User-Property": {"fw": "1.2"},
                "User-Property-Pairs": [{"key": "fw", "value": "1.2"}],
            },
        },
    )
    assert gone.fields == CLIENT | {
        "proto_ver": 5,
        "connected_at": NOW,
        "disconnected_at": NOW + 9,
        "reason": "keepalive_timeout",
    }


def test_a_connect_from_another_address_says_nothing_about_the_one_who_got_in() -> None:
    """A client.connect from another address does not affect the event of the true client."""
    reader = EventReader()
    reader.note_connect(decoded("client.connect", sent.connect("d1")))

    connected = reader.event("client.connected", decoded("client.connected", sent.client("d1", peerport=7)), NOW)

    assert connected.fields == CLIENT | {"peername": "192.0.2.7:7", "connected_at": NOW}


@pytest.mark.parametrize(
    ("hook", "request_bytes", "clientid", "fields"),
    [
        (
            "client.connack",
            sent.connack("d1"),
            "d1",
            PEER
            | {"proto_name": "MQTT", "proto_ver": 5, "keepalive": 60, "reason_code": "success"}
            | {"conn_props": {"User-Property": {}}},
        ),
        ("session.created", sent.client("d1"), "d1", CLIENT),
        ("session.resumed", sent.client("d1"), "d1", CLIENT),
        ("session.discarded", sent.client("d1"), "d1", CLIENT),
        ("session.takenover", sent.client("d1"), "d1", CLIENT),
        ("session.terminated", sent.ended("d1", "expired"), "d1", CLIENT | {"reason": "expired"}),
        ("session.subscribed", sent.subscribed("d1", "a/#", 2), "d1", CLIENT | {"topic": "a/#", "qos": 2}),
        ("session.unsubscribed", sent.unsubscribed("d1", "a/#"), "d1", CLIENT | {"topic": "a/#"}),
        (
            "message.delivered",
            sent.delivered("d1", "d2", "t/1", b"hi"),
            "d1",
            MESSAGE | CLIENT | {"payload": "hi", "from_clientid": "d2", "from_username": "anna"},
        ),
        (
            "message.acked",
            sent.delivered("d1", "d2", "t/1", b"hi"),
            "d1",
            MESSAGE | CLIENT | {"payload": "hi", "from_clientid": "d2", "from_username": "anna"},
        ),
        (
            "message.dropped",
            sent.dropped("d2", "t/1", b"hi", "no_subscribers"),
            "d2",
            MESSAGE | {"payload": "hi", "username": "anna", "reason": "no_subscribers"},
        ),
    ],
)
def test_each_hook_becomes_its_event(hook: str, request_bytes: bytes, clientid: str, fields: dict[str, Any]) -> None:
    """Each hook becomes an event with its name, clientid and all fields."""
    event = EventReader().event(hook, decoded(hook, request_bytes), NOW)

    assert (event.name, event.clientid, event.fields) == (hook, clientid, fields)
    value = event_record(event.name, event.fields, clientid=event.clientid, timestamp_ms=NOW).value
    assert sent.PASSWORD.encode() not in value


def test_every_call_of_the_protocol_has_its_name() -> None:
    """Each of EMQX's 19 hooks and two provider calls has an answer of the right kind."""
    names = {call.rpc for call in wire.CALLS.values()}
    valued = {hook for hook, call in wire.CALLS.items() if call.answer}

    assert len(names) == 19
    assert {"OnClientConnack", "OnSessionTakenover", "OnMessagePublish", "OnClientAuthorize"} <= names
    assert valued == {"client.authenticate", "client.authorize", "message.publish"}
    assert {wire.CALLS[hook].answer for hook in valued} == {b"\x08\x01"}  # ValuedResponse{type = IGNORE}


def test_calls_that_decide_or_carry_a_password_are_not_looked_into() -> None:
    """Calls that carry a password are not decoded, and the password field is not even declared."""
    unread = {hook for hook, call in wire.CALLS.items() if not call.is_read}
    client = wire.CALLS["client.connected"].request.DESCRIPTOR.fields_by_name["clientinfo"].message_type

    assert unread == {"client.authenticate", "client.authorize", "client.subscribe", "client.unsubscribe"}
    assert 4 not in client.fields_by_number
    assert "password" not in client.fields_by_name


def test_emqx_is_asked_only_for_what_is_wanted() -> None:
    """The ingress registers message hooks only with filters, and never a hook that carries a password or decides."""
    by_default = hooks(ExHookSource())
    with_messages = hooks(ExHookSource(events=["message.dropped"], messages=["t/#"]))

    assert "message.publish" not in by_default
    assert not {"client.authenticate", "client.authorize"} & by_default.keys()
    assert with_messages == {"message.dropped": [], "message.publish": ["t/#"]}
