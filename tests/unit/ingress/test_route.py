"""A route prepares a topic once, and gives the same record as separate work for each message."""

from __future__ import annotations

import pytest

from ingress.clientid import Resolver
from ingress.events.status_topic import StatusTopicAdapter
from ingress.route import ROUTES_MAX, TOPIC_BYTES_REMEMBERED_MAX, Router, properties_object
from ingress.window import prepared, size_of
from pipeline.config.clientid_from import ClientidFrom
from pipeline.config.sources import StatusTopic
from pipeline.mqtt.packets import Properties
from pipeline.mqtt.properties import USER_PROPERTY
from pipeline.mqtt.subscriptions import subscriptions
from pipeline.record import Record, message_reader
from tests.parts.records import consumed


def router(*ways: ClientidFrom, filters: tuple[str, ...] = ("t/#",)) -> Router:
    adapter = StatusTopicAdapter(StatusTopic(topic="t/{clientid}/status"))
    return Router(filters, [adapter], Resolver(ways))


def test_a_topic_that_settles_everything_is_prepared() -> None:
    """Key and headers are kept for each combination of flags, and a dup keeps its header."""
    route = router(ClientidFrom(topic="t/{clientid}/up")).route(b"t/d/up")

    record = route.record((b"t/d/up", b"x", 0x3A, 1, ()), 5)

    assert record == (b"d", b"x", [("topic", b"t/d/up"), ("clientid_from", b"topic"), ("qos", b"1"), ("dup", b"1")], 5)
    assert route.prepared == {0x3A: (record.key, record.headers, size_of(record) - len(b"x"))}


def test_a_payload_that_is_asked_first_is_never_prepared() -> None:
    """A topic whose payload gives the clientid is not prepared, because the next message may have another one."""
    route = router(ClientidFrom(payload="id"), ClientidFrom(topic="t/{clientid}/up")).route(b"t/d/up")

    route.record((b"t/d/up", b'{"id":"x"}', 0x32, 1, ()), 5)

    assert route.prepared == {}


def test_without_any_way_the_topic_is_the_key() -> None:
    """The key is the topic, and the record says that the clientid is unknown."""
    record = router().route(b"t/x").record((b"t/x", b"", 0x30, 0, ()), 5)

    assert record == (b"t/x", b"", [("topic", b"t/x"), ("clientid_from", b"unknown")], 5)


def test_adapters_and_filters_are_matched_by_themselves() -> None:
    """A message of an adapter's topic is forwarded only if a filter of the source matches too."""
    ours, other = router(), router(filters=("$share/group/u/#",))

    assert (ours.route(b"t/d/status").forwarded, len(ours.route(b"t/d/status").adapters)) == (True, 1)
    assert (other.route(b"t/d/status").forwarded, len(other.route(b"t/d/status").adapters)) == (False, 1)
    assert (other.route(b"u/x").forwarded, other.route(b"u/x").adapters) == (True, ())
    assert (other.route(b"stale").forwarded, other.route(b"stale").adapters) == (False, ())


def test_the_memory_is_bounded() -> None:
    """Very many topics and very long topics are forgotten again."""
    some = router()
    for n in range(ROUTES_MAX + 10):
        some.route(b"t/%d" % n)
    some.route(b"t/" + b"x" * 2000)

    assert len(some.routes) == 10


def test_properties_are_told_as_rules_see_them() -> None:
    """The last of equal user properties counts, the pairs have all, and properties of one hop are left out."""
    decoded = [(0x26, (b"a", b"1")), (0x26, (b"a", b"2")), (0x03, b"text"), (0x0B, 9), (0x23, 1), (0x02, 60)]

    assert properties_object(decoded) == {
        "Content-Type": "text",
        "Message-Expiry-Interval": 60,
        "User-Property": {"a": "2"},
        "User-Property-Pairs": [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}],
    }


def test_a_user_property_names_the_client_of_its_message_alone() -> None:
    """The last of equal user properties gives the clientid, and nothing is kept for the next message."""
    route = router(ClientidFrom(user_property="id"), ClientidFrom(topic="t/{clientid}/up")).route(b"t/d/up")
    message = (b"t/d/up", b"x", 0x32, 1)
    pairs = ((0x26, (b"id", b"old")), (0x26, (b"id", b"truck")), (0x26, (b"other", b"no")))
    named = route.record((*message, pairs), 5)
    other = route.record((*message, ((0x03, b"text/id"), (0x09, b"id"))), 5)
    kept = dict(route.prepared)
    plain = route.record((*message, ()), 5)

    assert (named.key, dict(named.headers)["clientid_from"]) == (b"truck", b"user_property")
    assert (other.key, dict(other.headers)["clientid_from"]) == (b"d", b"topic")
    assert kept == {}
    assert route.prepared == {0x32: prepared(plain)}


def test_a_retained_message_is_never_prepared() -> None:
    """The decision about a retained message is made for each one."""
    route = router(ClientidFrom(topic="t/{clientid}/up")).route(b"t/d/up")

    record = route.record((b"t/d/up", b"x", 0x33, 1, ()), 5)

    assert dict(record.headers)["retain"] == b"1"
    assert route.prepared == {}


def test_a_topic_of_two_subscriptions_is_never_prepared() -> None:
    """Each message has to be looked at, because the broker may send it once for each of them."""
    subscribed = subscriptions(["t/#", "+/d/up"])
    route = Router(subscribed.filters, [], Resolver([]), subscribed).route(b"t/d/up")

    route.record((b"t/d/up", b"x", 0x32, 1, ()), 5)

    assert route.copies is not None
    assert route.prepared == {}


def test_a_topic_that_an_adapter_wants_is_never_prepared() -> None:
    """A topic that an adapter wants is not prepared, because each message may be an event."""
    route = router(ClientidFrom(topic="t/{clientid}/status")).route(b"t/d/status")

    route.record((b"t/d/status", b"x", 0x32, 1, ()), 5)

    assert route.prepared == {}


def test_a_topic_is_remembered_up_to_its_bound() -> None:
    """A topic beyond the length limit is not remembered."""
    some = router()
    for size in (TOPIC_BYTES_REMEMBERED_MAX, TOPIC_BYTES_REMEMBERED_MAX + 1):
        some.route(b"t" * size)

    assert [len(topic) for topic in some.routes] == [TOPIC_BYTES_REMEMBERED_MAX]


@pytest.mark.parametrize("value", [b"\x00\xff\xfe", b"\xc3\x28", b"plain", "ü".encode(), b""])
def test_correlation_data_reaches_rules_byte_for_byte(value: bytes) -> None:
    """Text stays text in `pub_props`, and other bytes are the bytes themselves."""
    outgoing = router().route(b"t/x").record((b"t/x", b"", 0x32, 1, ((0x09, value), (0x26, (b"k", b"v")))), 5)
    record = Record("m", 0, 0, 5, outgoing.key, outgoing.value, outgoing.headers)

    told = message_reader(None, "n")(record)["pub_props"]
    data = told["Correlation-Data"]
    assert (data.encode() if isinstance(data, str) else data) == value
    assert isinstance(data, bytes) is (value in (b"\x00\xff\xfe", b"\xc3\x28"))
    assert told["User-Property"] == {"k": "v"}


def test_correlation_data_alone_reaches_rules_too() -> None:
    """The user properties are an empty map then."""
    outgoing = router().route(b"t/x").record((b"t/x", b"", 0x32, 1, ((0x09, b"\xff"),)), 5)
    record = Record("m", 0, 0, 5, outgoing.key, outgoing.value, outgoing.headers)

    assert message_reader(None, "n")(record)["pub_props"] == {"User-Property": {}, "Correlation-Data": b"\xff"}


TRACE = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("properties", "header"),
    [
        (((USER_PROPERTY, (b"traceparent", TRACE)),), TRACE),
        (((USER_PROPERTY, (b"traceparent", b"wrong")), (USER_PROPERTY, (b"traceparent", TRACE))), TRACE),
        (((USER_PROPERTY, (b"traceparent", b"wrong")),), None),
        (((USER_PROPERTY, (b"Traceparent", TRACE)),), None),
        (((USER_PROPERTY, (b"other", TRACE)),), None),
        ((), None),
    ],
)
def test_a_valid_trace_has_a_header(properties: Properties, header: bytes | None) -> None:
    """The header is that of OpenTelemetry at Kafka, and a rule reads it; a wrong one is only among the user properties."""
    outgoing = router().route(b"t/x").record((b"t/x", b"", 0x30, 0, properties), 5)

    assert dict(outgoing.headers).get("traceparent") == header
    columns = message_reader(frozenset({"traceparent"}), "n")(consumed(outgoing))
    assert columns == ({"traceparent": header.decode()} if header else {})
