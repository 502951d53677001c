"""The ingress's connection to brokers that grant less than it asks for, on a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from pipeline.config import MqttSource
from pipeline.connectors.mqtt.client import OnBatch
from pipeline.connectors.mqtt.connection import FILTERS_MAX, Connection
from pipeline.errors import OperatorError
from pipeline.mqtt import packets
from pipeline.mqtt.fields import ProtocolError
from pipeline.mqtt.packets import packet
from pipeline.mqtt.properties import SESSION_EXPIRY, written_properties
from pipeline.mqtt.reasons import NOT_AUTHORIZED, PACKET_IDENTIFIER_IN_USE
from pipeline.mqtt.subscriptions import subscriptions
from tests.parts.device_bytes import publish
from tests.parts.played_broker import PlayedBroker, played
from tests.parts.waiting import patient, until

SECONDS = patient(10)
MESSAGE = publish(b"t/1", b"x", mid=1, qos=1, properties=b"")
SESSION_PRESENT = b"\x01\x00\x00"


@asynccontextmanager
async def opened(
    broker: PlayedBroker, *topics: str, on_batch: OnBatch = lambda batch: None, **settings: Any
) -> AsyncIterator[Connection]:
    """A connection to this broker which has subscribed."""
    async with played(broker):
        source = MqttSource.model_validate(
            {"server": f"127.0.0.1:{broker.port}", "topics": list(topics or ["t/#"]), **settings}
        )
        connection = Connection(source, "ingress", on_batch)
        try:
            await connection.open(subscriptions(source.topics))
            yield connection
        finally:
            await connection.close()


async def test_a_subscribe_has_no_more_filters_than_any_broker_takes() -> None:
    """Twenty filters are three packets, in their order."""
    broker = PlayedBroker()
    filters = [f"devices/{number}/#" for number in range(20)]

    async with opened(broker, *filters):
        pass

    assert [len(each) for each in broker.subscribed] == [8, 8, 4]
    assert [each for some in broker.subscribed for each in some] == filters
    assert FILTERS_MAX == 8


async def test_filters_that_overlap_are_asked_again_with_their_identifiers() -> None:
    """A broker that takes our packet identifier for one of its own is asked with another one, as often as it needs."""
    broker = PlayedBroker(answers=lambda number, filters: [PACKET_IDENTIFIER_IN_USE if number < 4 else 1])

    async with opened(broker, "a/+", "+/b"):
        pass

    assert broker.subscribed == [["a/+"], ["+/b"], ["a/+"], ["+/b"], ["a/+"]]
    assert len(set(broker.identifiers)) == len(broker.identifiers)


async def test_a_broker_that_never_has_a_packet_identifier_is_told_so() -> None:
    """The ingress does not ask for ever."""
    broker = PlayedBroker(answers=lambda number, filters: [PACKET_IDENTIFIER_IN_USE] * len(filters))

    with pytest.raises(OperatorError, match=r"refused the subscription to 't/#': Packet identifier in use"):
        async with opened(broker):
            pass


async def test_what_a_broker_grants_less_is_known() -> None:
    """A lower QoS of one filter, and a shorter session."""
    broker = PlayedBroker(
        connack=b"\x00\x00" + written_properties({SESSION_EXPIRY: 60}), answers=lambda number, filters: [1, 0]
    )

    async with opened(broker, "a/#", "b/#") as connection:
        assert connection.lowered == {"b/#": 0}
        assert connection.session_seconds == 60


@pytest.mark.parametrize(
    ("codes", "told"),
    [
        ([1, NOT_AUTHORIZED], "refused the subscription to '$share/g/b': Not authorized"),
        (None, "disconnected us: Shared subscription not supported"),
    ],
)
async def test_a_filter_that_a_broker_does_not_take_is_for_a_person(codes: list[int] | None, told: str) -> None:
    """Whether the broker refuses this filter alone, or disconnects, the error is an operator's, in the broker's words."""
    with pytest.raises(OperatorError) as raised:
        async with opened(PlayedBroker(answers=lambda number, filters: codes), "a/#", "$share/g/b"):
            pass

    assert told in str(raised.value)


async def test_a_kept_session_is_not_asked_to_end_what_it_may_not_have() -> None:
    """A filter that another one covers is ended, but not one below ours: HiveMQ would end ours."""
    broker = PlayedBroker(connack=SESSION_PRESENT)

    async with opened(broker, "t/+/#", "t/+/a/#", "t/x"):
        await until(lambda: broker.unsubscribed, 5)

    assert broker.subscribed == [["t/+/#"]]
    assert broker.unsubscribed == [["t/x"]]


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (packet(packets.UNSUBACK, b"\x00\x07\x00\x7a"), "0xB0 is malformed: 122"),
        (packet(packets.DISCONNECT, b"\x7a"), "0xE0 is malformed: 122"),
        (packet(packets.PUBREL, b""), "0x62 is malformed: wrong size of packet"),
        (packet(packets.CONNECT, b""), "0x10 cannot come here"),
        (packet(packets.PINGRESP, b"x"), "0xD0 cannot come here"),
    ],
    ids=["code", "disconnect", "empty", "connect", "pingresp"],
)
async def test_a_packet_that_no_broker_may_send_ends_the_connection(wrong: bytes, problem: str) -> None:
    """What follows in the same read is lost with it, so nothing that comes later may overtake it: the broker sends all again."""
    broker = PlayedBroker(then=wrong + MESSAGE)
    batches: list[Any] = []

    async with opened(broker, on_batch=batches.append) as connection:
        await asyncio.wait_for(connection.ended.wait(), SECONDS)

    assert isinstance(connection.error, ProtocolError)
    assert str(connection.error) == f"not MQTT: a packet that begins with {problem}"
    assert batches == []
