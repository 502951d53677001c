"""The publisher of a message: ways are tried in order, and the record names the way that gave the clientid."""

from __future__ import annotations

import orjson
import pytest

from ingress.clientid import CLIENTID_BYTES_MAX, Found, Resolver
from pipeline.config.clientid_from import ClientidFrom


def resolve(
    ways: list[dict[str, str]], topic: bytes, payload: bytes = b"", users: dict[bytes, bytes] | None = None
) -> Found:
    resolver = Resolver([ClientidFrom.model_validate(way) for way in ways])
    return resolver.steps(topic).resolve(payload, users or {})


@pytest.mark.parametrize(
    ("template", "topic", "clientid"),
    [
        ("t/{clientid}", b"t/dev1", b"dev1"),
        ("t/{clientid}", b"t/dev1/up", None),
        ("t/{clientid}/up", b"t/dev1/up", b"dev1"),
        ("t/{clientid}/#", b"t/dev1/a/b", b"dev1"),
        ("t/{clientid}/#", b"t/dev1", b"dev1"),
        ("+/{clientid}/up", b"site/dev1/up", b"dev1"),
        ("{clientid}/up", "π/up".encode(), "π".encode()),
        ("t/{clientid}", b"t/", None),
        ("t/{clientid}", b"x/dev1", None),
        ("t/{clientid}", b"t/\xff", b"\xff"),
    ],
)
def test_a_topic_template_takes_one_whole_level(template: str, topic: bytes, clientid: bytes | None) -> None:
    """Literal levels must match, `+` is any level, `#` the rest, and an empty level is no clientid."""
    found = resolve([{"topic": template}], topic)

    assert found == (clientid, b"topic" if clientid else b"unknown")


def test_the_first_way_that_answers_counts() -> None:
    """Ways are tried in the configured order, and a way without a clientid is skipped."""
    ways = [{"user_property": "id"}, {"topic": "t/{clientid}"}, {"payload": "device.id"}]

    assert resolve(ways, b"t/a", b'{"device":{"id":"c"}}', {b"id": b"u"}) == (b"u", b"user_property")
    assert resolve(ways, b"t/a", b'{"device":{"id":"c"}}') == (b"a", b"topic")
    assert resolve(ways, b"other", b'{"device":{"id":"c"}}') == (b"c", b"payload")
    assert resolve(ways, b"other", b"not JSON") == (None, b"unknown")


def test_a_payload_before_a_topic_wins_over_it() -> None:
    """The configured order counts, even if a less trustworthy way comes first."""
    ways = [{"payload": "id"}, {"topic": "t/{clientid}"}]

    assert resolve(ways, b"t/a", b'{"id":7}') == (b"7", b"payload")
    assert resolve(ways, b"t/a", b"[]") == (b"a", b"topic")


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[1]", b'{"id":null}', b'{"id":true}', b'{"id":1.5}', b'{"id":{}}', b'{"id":""}']
)
def test_only_texts_and_whole_numbers_in_a_payload_are_ids(payload: bytes) -> None:
    """Other values in a payload leave the clientid unknown, and the topic becomes the key."""
    assert resolve([{"payload": "id"}], b"t", payload) == (None, b"unknown")


def test_an_id_in_a_payload_is_as_long_as_mqtt_allows() -> None:
    """A text of MQTT has at most 65,535 bytes of UTF-8 [MQTT-1.5.4]; a longer one is a mistake of the device."""
    longest = "é" * (CLIENTID_BYTES_MAX // 2) + "x"

    found = [resolve([{"payload": "id"}], b"t", orjson.dumps({"id": each})) for each in (longest, longest + "x")]

    assert found == [(longest.encode(), b"payload"), (None, b"unknown")]


@pytest.mark.parametrize(
    ("ways", "expected"),
    [([], True), ([{"user_property": "id"}], True), ([{"payload": "id"}], False), ([{"topic": "t/{clientid}"}], True)],
)
def test_only_a_payload_can_change_the_answer_for_a_topic(ways: list[dict[str, str]], expected: bool) -> None:
    """Without user properties, messages of a topic have the same answer unless their payload is asked."""
    plan = Resolver([ClientidFrom.model_validate(way) for way in ways]).steps(b"t/dev1")

    assert plan.is_fixed_without_properties is expected
