"""Odd values in ExHook's calls: whatever a device writes there, the call is taken, and memory stays bounded."""

from __future__ import annotations

import random
from typing import Any

import orjson
import pytest
from google.protobuf.message import DecodeError

from ingress.exhook import wire
from ingress.exhook.translate import (
    CONNECTING_BYTES_MAX,
    CONNECTING_SECONDS_MAX,
    NUMBERS,
    EventReader,
    LeftOut,
    publish_record,
)
from ingress.remembered import Remembered
from pipeline.record import event_record
from tests.parts import exhook_bytes as sent

NOW = 1_742_000_000_500


def publish(props: list[sent.Field]) -> bytes:
    return sent.message([(1, sent.mqtt_message("d1", "t/1", b"x")), (2, sent.META), *props])


@pytest.mark.parametrize("name", sorted(NUMBERS))
@pytest.mark.parametrize("value", ["9" * 5000, "9" * 30, "4294967296", "-1", "", "x", "1.5", "²", "٣", " 1"])
def test_a_number_that_mqtt_does_not_know_is_left_out(name: str, value: str) -> None:
    """And counted; the message is taken with its other properties."""
    request, _ = wire.decoded(
        wire.CALLS["message.publish"].request,
        publish([(3, [(1, name), (2, value)]), (3, [(1, "Content-Type"), (2, "a/b")])]),
    )
    left_out = LeftOut()

    record = publish_record(request, NOW, left_out)

    assert orjson.loads(dict(record.headers)["pub_props"]) == {"Content-Type": "a/b"}
    assert (left_out.take(), left_out.take()) == (1, 0)


def test_a_text_that_is_not_utf_8_loses_no_message() -> None:
    """A property with one is left out; elsewhere U+FFFD stands in its place. The payload is untouched."""
    odd: list[sent.Field] = [(4, [(1, b"\xff"), (2, "v")]), (4, [(1, "k"), (2, b"\xc3")]), (4, [(1, "good"), (2, "v")])]
    body = publish(odd).replace(b"anna", b"an\xfea")

    request, left_out = wire.decoded(wire.CALLS["message.publish"].request, body)
    record = publish_record(request, NOW)

    headers = dict(record.headers)
    assert (record.key, record.value) == (b"d1", b"x")
    assert headers["username"] == "an\ufffda".encode()
    assert orjson.loads(headers["pub_props"])["User-Property"] == {"good": "v"}
    assert left_out == 3


def test_what_a_client_tells_before_its_login_takes_bounded_memory() -> None:
    """In bytes, for a minute, and one with much does not push out usual ones."""
    reader, call = EventReader(), wire.CALLS["client.connect"].request
    reader.forget(NOW)

    def connect(clientid: str, size: int = 0) -> None:
        request = call.FromString(sent.connect(clientid))
        request.user_props.add(name="k", value="v" * size)
        reader.note_connect(request)

    connect("usual")
    for number in range(200):
        connect(f"large{number}", 60_000)
    usual, large = reader._connecting
    connected = wire.CALLS["client.connected"].request.FromString(sent.client("usual"))

    assert max(usual.size_bytes, large.size_bytes) <= CONNECTING_BYTES_MAX
    assert reader.event("client.connected", connected, NOW).fields["keepalive"] == 60
    reader.forget(NOW + int(CONNECTING_SECONDS_MAX * 1000))
    assert len(usual) == len(large) == 0


def test_what_is_remembered_is_bounded_in_bytes() -> None:
    """The oldest goes first, a newer value replaces the old one, and one that has no room at all is not kept."""
    memory = Remembered(2000)
    for name in ("a", "b", "a", "c"):
        memory.note((name,), {"x": "y" * 400}, 0.0)
    memory.note(("huge",), {"x": "y" * 2000}, 0.0)

    assert (memory.take(("b",)), memory.take(("huge",))) == ({}, {})
    assert memory.take(("a",)) == memory.take(("c",)) == {"x": "y" * 400}
    assert memory.size_bytes == len(memory) == 0


CALLS = [
    ("message.publish", sent.publish("d1", "t/1", b"x")),
    ("client.connect", sent.connect("d1")),
    ("client.connack", sent.connack("d1")),
    ("client.connected", sent.client("d1")),
    ("client.disconnected", sent.ended("d1", "normal")),
    ("session.subscribed", sent.subscribed("d1", "a/#", 1)),
    ("message.delivered", sent.delivered("d1", "d2", "t/1", b"x")),
    ("message.dropped", sent.dropped("d1", "t/1", b"x", "no_subscribers")),
]


@pytest.mark.parametrize(("hook", "whole"), CALLS)
def test_no_mutated_call_does_harm(hook: str, whole: bytes) -> None:
    """A call is a message or it is not; if it is, it becomes a record."""
    chance, reader = random.Random(14), EventReader()
    taken = 0
    for _ in range(1500):
        body = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(body))
            how = chance.randrange(3)
            if how == 0:
                body[at] = chance.randrange(256)
            elif how == 1:
                del body[at : at + chance.randint(1, 3)]
            else:
                body[at:at] = chance.randbytes(chance.randint(1, 3))
        try:
            request, _ = wire.decoded(wire.CALLS[hook].request, bytes(body))
        except DecodeError:
            continue
        record: Any
        if hook == "client.connect":
            reader.note_connect(request)
        elif hook == "message.publish":
            record = publish_record(request, NOW, reader.left_out)
        else:
            event = reader.event(hook, request, NOW)
            record = event_record(event.name, event.fields, clientid=event.clientid, timestamp_ms=NOW)
            assert orjson.loads(record.value)["clientid"] == event.clientid
        taken += 1

    assert taken > 100
