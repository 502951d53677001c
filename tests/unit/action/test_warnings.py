"""What `tidegate check` warns of: keys in which objects meet, or which a device can choose; a clientid that nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.action import problems, warnings
from pipeline.config import Config
from pipeline.topics import matches, may_meet

ALL = 'SELECT * FROM "t/#"'
KNOWN = {"mqtt": {"m": {"server": "h:1883", "topics": ["t/#"], "clientid_from": [{"topic": "t/{clientid}"}]}}}
UNKNOWN = {"mqtt": {"m": {"server": "h:1883", "topics": ["$share/g/t/+"]}}}


def told(*actions: dict[str, Any], sql: str = ALL, sources: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    """Path and message of each warning; actions are called a, b, … and rule r feeds them all."""
    names = [chr(ord("a") + number) for number in range(len(actions))]
    config = Config.model_validate(
        {
            "pipeline": "p",
            "kafka": {"bootstrap_servers": "127.0.0.1:9092"},
            "sources": sources or {},
            "connectors": {"s3": {"store": {"host": "h"}, "again": {"host": "h"}, "other": {"host": "elsewhere"}}},
            "actions": {
                "s3": {
                    name: {"connector": action.pop("connector", "store"), "parameters": {"bucket": "lake", **action}}
                    for name, action in zip(names, map(dict, actions), strict=True)
                }
            },
            "rules": {"r": {"sql": sql, "actions": [f"s3:{name}" for name in names]}},
        }
    )
    assert not problems(config)
    return [(".".join(map(str, each.path)), each.message) for each in warnings(config)]


def direct(key: str, **parameters: Any) -> dict[str, Any]:
    return {"key": key, **parameters}


def aggregated(key: str = "rows/${partition}.jsonl", **parameters: Any) -> dict[str, Any]:
    return {"mode": "aggregated", "key": key, **parameters}


COLLIDING = [
    ("msgs/${clientid}_${timestamp}.json", ALL, "of the same time"),
    ("msgs/${timestamp}.json", ALL, "of the same time"),
    ("msgs/${publish_received_at}", ALL, "of the same time"),
    ("msgs/${timestamp | date('%Y/%m/%d', 'UTC', 'ms')}.json", ALL, "of the same time"),
    ("msgs/${day}", """SELECT timestamp / 86400000 AS day FROM "t/#" """, "of the same time"),
    ("msgs/${again}", 'SELECT timestamp AS at, at AS again FROM "t/#"', "of the same time"),
    ("msgs/latest.json", ALL, "all alike"),
    ("msgs/${topic}.json", ALL, "of one topic"),
    ("msgs/${qos}/${node}", ALL, "all alike"),
    ("msgs/${place}", 'SELECT topic() AS place FROM "t/#"', "of one topic"),
    ("msgs/${now}", 'SELECT 1 AS now FROM "t/#"', "all alike"),
    ("${id}/${clientid}", 'FOREACH payload.sensors DO item.n AS n, id, clientid FROM "t/#"', "FOREACH"),
    ("${id}", 'FOREACH payload.sensors AS s DO s.name AS name, id FROM "t/#"', "FOREACH"),
    ("${id}", 'FOREACH payload.sensors FROM "t/#"', "FOREACH"),
]


@pytest.mark.parametrize(("key", "sql", "expected"), COLLIDING)
def test_a_key_that_many_messages_have(key: str, sql: str, expected: str) -> None:
    """Of one client or of all, of one millisecond or for ever; and all rows of one message."""
    ((path, message),) = told(direct(key), sql=sql)

    assert path == "actions.s3.a.parameters.key"
    assert expected in message
    assert "FOREACH" in message or "${id}" in message


@pytest.mark.parametrize(
    ("key", "sql"),
    [
        ("msgs/${clientid}_${id}.json", ALL),
        ("msgs/${timestamp}-${id}", ALL),
        ("msgs/${name}", 'SELECT id AS name FROM "t/#"'),
        ("msgs/${name}", 'SELECT msgid() AS name FROM "t/#"'),
        ("msgs/${name}", 'SELECT uuid_v4() AS name FROM "t/#"'),
        ("msgs/${timestamp}-${payload.seq}", ALL),
        ("msgs/${seq}", 'SELECT payload.seq AS seq FROM "t/#"'),
        ("msgs/${.}", ALL),
        ("latest/${clientid}.json", ALL),
        ("events/${clientid}/${event}_${timestamp}.json", 'SELECT * FROM "$events/client/connected"'),
        ("msgs/${id}-${name}", 'FOREACH payload.sensors AS s DO s.name AS name, id FROM "t/#"'),
        ("msgs/${id}/${item.name}", 'FOREACH payload.sensors FROM "t/#"'),
    ],
)
def test_a_key_of_one_message_is_nothing_to_warn_of(key: str, sql: str) -> None:
    """Nor is one that may be, or the latest value of each client, which is meant to be replaced."""
    assert told(direct(key), sql=sql) == []


@pytest.mark.parametrize(
    ("key", "sql"), [("new/${clientid}/${id}.json", ALL), ("new/${name}", 'SELECT uuid_v4() AS name FROM "t/#"')]
)
def test_conflate_where_each_message_has_its_own_key(key: str, sql: str) -> None:
    """It leaves nothing out, and the order of a client's messages is lost."""
    ((path, message),) = told(direct(key, conflate=True), sql=sql)

    assert path == "actions.s3.a.parameters.conflate"
    assert "no row is left out" in message


@pytest.mark.parametrize("key", ["latest/${clientid}.json", "latest/${topic}.json", "latest/${qos}.json"])
def test_a_key_of_the_latest_value_may_be_conflated(key: str) -> None:
    """Whoever asks for the newest row wants the others to be replaced."""
    assert told(direct(key, conflate=True)) == []


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (direct("${clientid}/${id}"), aggregated()),
        (direct("${topic}-${id}"), aggregated()),
        (direct("x${clientid}-${id}"), aggregated()),
        (direct("${payload.where}/${id}"), aggregated()),
        (direct("${clientid}/${id}", bucket="${payload.b}"), aggregated()),
        (direct("${clientid}/${id}", connector="again"), aggregated()),
        (direct("${clientid}/${id}", bucket="ledgers"), aggregated(ledger_bucket="ledgers")),
    ],
)
def test_a_key_without_a_fixed_folder_beside_a_ledger(own: dict[str, Any], theirs: dict[str, Any]) -> None:
    """What the device sends decides where the object lies."""
    ((path, message),) = told(own, theirs)

    assert path == "actions.s3.a.parameters.key"
    assert "ledger of s3:b" in message
    assert "fixed folder" in message


@pytest.mark.parametrize(
    ("own", "theirs"),
    [
        (direct("msgs/${clientid}/${id}"), aggregated()),
        (direct("${id}.json"), aggregated()),
        (direct("${timestamp}-${id}"), aggregated()),
        (direct("${clientid}/${id}", bucket="elsewhere"), aggregated()),
        (direct("${clientid}/${id}", connector="other"), aggregated()),
        (direct("${clientid}/${id}"), aggregated(ledger_bucket="ledgers")),
        (direct("${clientid}/${id}"), direct("msgs/${id}")),
    ],
)
def test_a_key_that_no_device_chooses_or_that_has_no_ledger_beside_it(
    own: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """A fixed folder, another bucket, another store; ids and times are the broker's."""
    assert told(own, theirs) == []


@pytest.mark.parametrize("key", ["rows/${clientid}-${id}", "rows/2026/${clientid}-${id}"])
def test_a_direct_key_among_the_objects_of_an_aggregated_action(key: str) -> None:
    """A device can take the key of an object that is yet to come."""
    ((path, message),) = told(direct(key), aggregated())

    assert path == "actions.s3.a.parameters.key"
    assert "among those of s3:b" in message


@pytest.mark.parametrize(
    ("own", "theirs", "warned"),
    [
        ("${clientid}/${partition}.jsonl", "rows/${partition}.jsonl", True),
        ("rows/${type}/x.jsonl", "rows/hot/${partition}.jsonl", True),
        ("hot/${type}/x.jsonl", "rows/${partition}.jsonl", False),
        ("${datetime.YYYY}/${clientid}.jsonl", "rows/${partition}.jsonl", False),
        ("${action}/${clientid}.jsonl", "rows/${partition}.jsonl", False),
    ],
)
def test_an_aggregated_key_that_leads_among_the_objects_of_another(own: str, theirs: str, warned: bool) -> None:
    """An aggregated action stops where it finds another's object under its key."""
    found = [path for path, message in told(aggregated(own), aggregated(theirs)) if "among those of s3:b" in message]

    assert found == (["actions.s3.a.parameters.key"] if warned else [])


def test_two_actions_with_one_key() -> None:
    """Neither replaces what the other has made: said of the second."""
    for one, other, warned in (
        (direct("x/${id}"), direct("x/${id}"), True),
        (aggregated(), aggregated(), True),
        (aggregated("${action}/${partition}"), aggregated("${action}/${partition}"), False),
        (direct("x/${id}"), direct("x/${id}", bucket="elsewhere"), False),
        (direct("x/${id}"), direct("x/${id}", connector="other"), False),
    ):
        paths = [path for path, message in told(one, other) if "has this key too" in message]
        assert paths == (["actions.s3.b.parameters.key"] if warned else [])


@pytest.mark.parametrize(
    ("key", "sql", "sources", "expected"),
    [
        ("m/${clientid}/${id}", ALL, UNKNOWN, ["actions.s3.a.parameters.key"]),
        (
            "m/${c}/${id}",
            'SELECT clientid AS c, id FROM "t/#"',
            UNKNOWN,
            ["rules.r.sql", "actions.s3.a.parameters.key"],
        ),
        ("m/${id}", "SELECT id FROM \"t/1\" WHERE clientid = 'x'", UNKNOWN, ["rules.r.sql"]),
        ("m/${id}", 'SELECT id, upper(clientid()) AS u FROM "t/1"', UNKNOWN, ["rules.r.sql"]),
        ("m/${id}", ALL, UNKNOWN, []),
        ("m/${clientid}/${id}", ALL, KNOWN, []),
        ("m/${clientid}/${id}", ALL, {}, []),
        ("m/${clientid}/${id}", 'SELECT * FROM "other/#"', UNKNOWN, []),
        ("m/${clientid}/${id}", 'SELECT * FROM "$events/client/connected"', UNKNOWN, []),
        ("m/${clientid}/${id}", 'SELECT payload.name AS clientid, id FROM "t/#"', UNKNOWN, []),
        ("m/${clientid}/${id}", ALL, {"listener": {"l": {"topics": ["t/#"], "authentication": "none"}}}, []),
    ],
)
def test_a_clientid_that_no_source_knows(key: str, sql: str, sources: dict[str, Any], expected: list[str]) -> None:
    """A subscriber is not told who published; the listener and EMQX tell."""
    found = [each for each in told(direct(key), sql=sql, sources=sources) if "gets nothing" not in each[1]]

    assert [path for path, message in found if "clientid_from" in message] == expected
    assert len(found) == len(expected)
    assert all("sources.mqtt.m" in message for _, message in found)


def test_an_aggregated_key_is_looked_at_too() -> None:
    """All devices would be in one folder called `undefined`."""
    ((path, _),) = told(aggregated("rows/${clientid}/x.jsonl"), sources=UNKNOWN)

    assert path == "actions.s3.a.parameters.key"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("t/#", "t/1", True), ("t/#", "t", True), ("t/+", "t/1", True), ("t/+/x", "t/1/+", True), ("#", "a/b", True),
        ("t/1", "t/2", False), ("t/1", "t/1/2", False), ("t/+", "t/1/2", False), ("#", "$SYS/x", False),
        ("$SYS/#", "$SYS/x", True),
    ],
)  # fmt: skip
def test_topic_filters_that_can_match_one_topic(one: str, other: str, expected: bool) -> None:
    """Whichever comes first; where one of them is a name, as `matches` has it."""
    assert may_meet(one, other) is may_meet(other, one) is expected
    if not set("+#") & set(other):
        assert matches(one, other) is expected


@pytest.mark.parametrize(
    ("listener", "said"),
    [
        ({"topics": ["devices/%c/#"], "authentication": "none"}, "authentication: none"),
        ({"topics": ["devices/%u/#"], "authentication": "none"}, "authentication: none"),
        (
            {"topics": ["devices/%c/#"], "authentication": "password", "password_file": "p"},
            "without clientid_is_username",
        ),
        (
            {
                "topics": ["devices/%c/#"],
                "authentication": "password",
                "password_file": "p",
                "clientid_is_username": True,
            },
            None,
        ),
        ({"topics": ["devices/%u/#"], "authentication": "password", "password_file": "p"}, None),
        ({"topics": ["devices/#"], "authentication": "none"}, None),
    ],
)
def test_a_name_in_topics_that_any_device_may_claim_is_told(listener: dict[str, Any], said: str | None) -> None:
    """`%c` and `%u` look as if they kept devices apart; without a proof of the name they do not."""
    found = told(aggregated(), sql='SELECT * FROM "#"', sources={"listener": {"door": listener}})

    assert [path for path, _ in found] == (["sources.listener.door.topics"] if said else [])
    assert all(said in message for _, message in found if said)


NESTED = """{"type": "record", "name": "R", "fields": [{"name": "a", "type": ["null", {"type": "array", "items":
    {"type": "record", "name": "S", "fields": [{"name": "Temp", "type": "int"}, {"name": "temp", "type": "int"}]}}]}]}"""


@pytest.mark.parametrize(
    ("container", "sql", "names"),
    [
        ({}, 'SELECT payload.a AS Temp, payload.b AS temp FROM "t/#"', "Temp and temp"),
        ({}, 'SELECT *, 1 AS Topic FROM "t/#"', "Topic and topic"),
        ({}, 'FOREACH payload.l AS l DO l.a AS a, l.b AS A FROM "t/#"', "A and a"),
        ({"schema": {"type": "avro_inline", "def": NESTED}}, ALL, "Temp and temp"),
    ],
)
def test_columns_that_differ_only_in_case(container: dict[str, Any], sql: str, names: str) -> None:
    """Most readers take them for one column: the warning has the names."""
    ((path, message),) = told(aggregated(container={"type": "parquet", **container}), sql=sql)

    assert (path, message.split(" differ")[0]) == ("actions.s3.a.parameters.container", f"the columns {names}")


@pytest.mark.parametrize(
    ("container", "sql"),
    [
        ({"type": "parquet"}, 'SELECT payload.a AS temp, payload.b AS temperature, 1 AS temp FROM "t/#"'),
        ({"type": "parquet", "except": ["Topic"]}, 'SELECT *, 1 AS Topic FROM "t/#"'),
        ({"type": "json_lines"}, 'SELECT *, 1 AS Topic FROM "t/#"'),
    ],
)
def test_other_columns_are_not_warned_of(container: dict[str, Any], sql: str) -> None:
    """One column twice, a column that is left out, and formats whose readers know case."""
    assert told(aggregated(container=container), sql=sql) == []


def test_a_placeholder_in_metadata_of_aggregated_upload_is_told() -> None:
    """Metadata is a template in direct mode alone."""
    metadata = {"who": "${clientid}"}

    found = [
        path
        for path, text in told(aggregated(metadata=metadata), direct("k/${id}", metadata=metadata))
        if "template" in text
    ]

    assert found == ["actions.s3.a.parameters.metadata"]
