"""What `tidegate check` warns of in sources: filters and sources that bring a message more than once."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.action import warnings
from pipeline.config import Config


def told(**sources: dict[str, Any]) -> list[str]:
    """Each warning as path and message."""
    mqtt = {name: {"server": "h:1883", **source} for name, source in sources.items()}
    config = {"pipeline": "p", "kafka": {"bootstrap_servers": "k:9092"}, "sources": {"mqtt": mqtt}}
    return [str(each) for each in warnings(Config.model_validate(config))]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            {"topics": ["a/+", "+/b"], "protocol": "3.1.1"},
            "'a/+' and '+/b' match the same messages, which the broker may send",
        ),
        (
            {"topics": ["$share/g/t/#", "t/a"]},
            "'$share/g/t/#' and 't/a' match the same messages: each of them also goes",
        ),
        (
            {"topics": ["t/#", "$share/g/t/#"]},
            "'t/#' and '$share/g/t/#' match the same messages: each of them also goes",
        ),
        ({"topics": ["$share/g/t/#", "$share/h/t/#"]}, "each shared subscription gets one"),
    ],
)
def test_copies_that_cannot_be_told_apart(source: dict[str, Any], expected: str) -> None:
    """One warning, at the filters of the source."""
    (message,) = told(m=source)

    assert message.startswith("sources.mqtt.m.topics: ")
    assert expected in message


@pytest.mark.parametrize(
    "source",
    [
        {"topics": ["a/+", "+/b"]},
        {"topics": ["t/#", "t/+", "t/a"], "protocol": "3.1.1"},
        {"topics": ["t/#"], "protocol": "3.1.1", "status_topic": {"topic": "t/{clientid}"}},
        {"topics": ["a/#", "b/#", "$share/g/c/#"], "protocol": "3.1.1"},
    ],
)
def test_copies_that_the_ingress_tells_apart_are_nothing_to_warn_of(source: dict[str, Any]) -> None:
    """Nor are filters of which one covers the other."""
    assert told(m=source) == []


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"topics": ["t/#"]}, {"topics": ["t/a"]}, "'t/a' matches messages of 't/#', which sources.mqtt.m takes"),
        ({"topics": ["t/#"]}, {"topics": ["$share/g/t/a"]}, "they are in Kafka twice"),
        ({"topics": ["$share/g/t/#"]}, {"topics": ["$share/h/t/#"]}, "they are in Kafka twice"),
        ({"topics": ["t/#"]}, {"topics": ["t/a"], "server": "H:8883"}, "if both ports are of one broker"),
        ({"topics": ["t"], "events": ["emqx_sys"]}, {"topics": ["u"], "events": ["emqx_sys"]}, "events of emqx_sys"),
    ],
)
def test_two_sources_of_one_broker_that_overlap(one: dict[str, Any], other: dict[str, Any], expected: str) -> None:
    """The second of them names the first."""
    (message,) = told(m=one, n=other)

    assert message.startswith("sources.mqtt.n.topics: ")
    assert expected in message


def test_sources_that_share_or_divide_the_messages_are_nothing_to_warn_of() -> None:
    """Two members of a group, disjoint filters, and two brokers."""
    assert told(m={"topics": ["$share/g/t/#"]}, n={"topics": ["$share/g/t/#"]}) == []
    assert told(m={"topics": ["a/#"]}, n={"topics": ["b/#"]}) == []
    assert told(m={"topics": ["t/#"]}, n={"topics": ["t/#"], "server": "elsewhere:1883"}) == []


def test_names_of_sparkplug_need_births() -> None:
    """Aliases of a source whose topics hold no birth stay unknown; a filter of all messages has births."""
    births = [told(m={"topics": [each], "sparkplug_aliases": True}) for each in ("spBv1.0/+/DDATA/#", "spBv1.0/#")]

    assert births == [
        [
            "sources.mqtt.m.sparkplug_aliases: no filter in topics matches births, such as 'spBv1.0/+/NBIRTH/+'",
        ],
        [],
    ]
