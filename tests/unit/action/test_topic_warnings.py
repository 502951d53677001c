"""What `tidegate check` says of a rule whose FROM gets no record."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.action import problems, warnings
from pipeline.config import Config

MQTT: dict[str, Any] = {"server": "h:1883", "topics": ["$share/g/t/+/up", "status/#"]}
LISTENER: dict[str, Any] = {"topics": ["devices/%c/#"], "authentication": "none"}


def told(topic: str, sources: dict[str, Any]) -> list[str]:
    """The warnings for a rule FROM this topic."""
    config = Config.model_validate(
        {
            "pipeline": "p",
            "kafka": {"bootstrap_servers": "127.0.0.1:9092"},
            "sources": sources,
            "rules": {"r": {"sql": f'SELECT qos FROM "{topic}"'}},
        }
    )
    assert not problems(config)
    return [each.message for each in warnings(config) if each.path == ("rules", "r", "sql")]


@pytest.mark.parametrize(
    ("topic", "sources"),
    [
        ("t/1/up", {"mqtt": {"m": MQTT}}),
        ("#", {"mqtt": {"m": MQTT}}),
        ("status/+", {"mqtt": {"m": MQTT}}),
        ("online/d", {"mqtt": {"m": {**MQTT, "status_topic": {"topic": "online/{clientid}"}}}}),
        ("devices/d-1/temp", {"listener": {"door": LISTENER}}),
        ("x/y", {"exhook": {"e": {"messages": ["x/#"]}}}),
        ("anything", {"exhook": {"e": {}}}),
        ("anything", {}),
        ("$events/client/connected", {"listener": {"door": LISTENER}}),
        ("$events/client_connected", {"exhook": {"e": {}}}),
        ("$events/client/+", {"mqtt": {"m": {**MQTT, "status_topic": {"topic": "status/{clientid}"}}}}),
        ("$events/#", {}),
    ],
)
def test_a_rule_that_can_get_records_is_not_warned_of(topic: str, sources: dict[str, Any]) -> None:
    """A source takes such messages or makes such events, or nothing is known about the sources."""
    assert told(topic, sources) == []


@pytest.mark.parametrize(
    ("topic", "sources", "warning"),
    [
        ("t/1/down", {"mqtt": {"m": MQTT}}, "'t/1/down' gets nothing: the sources take 't/+/up', 'status/#'"),
        ("T/1/up", {"mqtt": {"m": MQTT}}, "'T/1/up' gets nothing"),
        ("devices", {"listener": {"door": LISTENER | {"topics": ["devices/%c/temp"]}}}, "take 'devices/+/temp'"),
        (
            "$events/client/conected",
            {},
            "no event is called '$events/client/conected'; did you mean '$events/client/connected'?",
        ),
        ("$events/nope/+", {"exhook": {"e": {}}}, "no event is called '$events/nope/+'"),
        ("$events/client/connected", {"mqtt": {"m": MQTT}}, "no source makes client events"),
    ],
)
def test_a_rule_that_gets_nothing_is_told(topic: str, sources: dict[str, Any], warning: str) -> None:
    """It works, and would wait for ever: mostly a slip in a topic, or a source whose events are not taken."""
    found = told(topic, sources)
    assert len(found) == 1
    assert warning in found[0]
