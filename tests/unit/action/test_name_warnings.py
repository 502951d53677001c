"""What `tidegate check` says of names without a value: columns that no record has, placeholders that no rule selects."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.action import problems, warnings
from pipeline.config import Config

MESSAGES = '"t/#"'
EVENTS = '"$events/client/connected"'


def told(sql: str, **action: Any) -> dict[str, str]:
    """The warnings by setting, without those about keys that objects share."""
    parameters = {"bucket": "lake", "key": "o/${id}", **action}
    config = Config.model_validate(
        {
            "pipeline": "p",
            "kafka": {"bootstrap_servers": "127.0.0.1:9092"},
            "connectors": {"s3": {"store": {"host": "h"}}},
            "actions": {"s3": {"a": {"connector": "store", "parameters": parameters}}},
            "rules": {"r": {"sql": sql, "actions": ["s3:a"]}},
        }
    )
    assert not problems(config)
    at = "actions.s3.a.parameters."
    found = [each for each in warnings(config) if each.message.startswith("no ")]
    return {".".join(map(str, each.path)).removeprefix(at): each.message for each in found}


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (f"SELECT clientd, id FROM {MESSAGES}", "no message has a column 'clientd'; did you mean clientid?"),
        (f"SELECT temp AS t, id FROM {MESSAGES}", "no message has a column 'temp'; did you mean payload.temp?"),
        (f"SELECT id FROM {MESSAGES} WHERE temp > 20", "no message has a column 'temp'; did you mean payload.temp?"),
        (f"SELECT upper(Topic) AS t, id FROM {MESSAGES}", "no message has a column 'Topic'; did you mean topic?"),
        (f"FOREACH list AS s DO s.a AS a, id FROM {MESSAGES}", "no message has a column 'list'; did you mean payload.list?"),
        (f"FOREACH payload.s DO itm.a AS a, id FROM {MESSAGES}", "no message has a column 'itm'; did you mean payload.itm?"),
        (f"SELECT reason, id FROM {MESSAGES}", "no message has a column 'reason'; did you mean payload.reason?"),
        (f"SELECT clientid AS id, conected_at FROM {EVENTS}", "no record has a column 'conected_at'; did you mean connected_at?"),
        (f"SELECT id, user_name FROM {MESSAGES}, {EVENTS}", "no record has a column 'user_name'; did you mean username?"),
    ],
)  # fmt: skip
def test_a_column_that_no_record_has(sql: str, message: str) -> None:
    """It is a field of the payload, mistyped, or of another event."""
    assert told(sql) == {"rules.r.sql": message}


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT * FROM {MESSAGES} WHERE topic =~ 't/1'",
        f"SELECT id, payload.a AS a, a + 1 AS b FROM {MESSAGES} WHERE b > 1",
        f"SELECT payload AS p, p.x AS x, metadata.rule_id AS r, event, node, id FROM {MESSAGES}",
        f"FOREACH payload.s DO item.a AS a, id FROM {MESSAGES}",
        f"FOREACH payload.s AS s DO s.a AS a, id INCASE s.a > 1 FROM {MESSAGES}",
        f"FOREACH payload.b AS b, b.list AS c DO b.a AS a, c.d AS d, id FROM {MESSAGES}",
        f"SELECT clientid AS id, connected_at, proto_ver FROM {EVENTS}",
        f"SELECT clientid AS id, what_only_another_broker_says FROM {EVENTS}",
        f"SELECT id, connected_at, flags.retain AS retain FROM {MESSAGES}, {EVENTS}",
        'SELECT clientid AS id, reason FROM "$events/#"',
    ],
)
def test_columns_that_some_record_has(sql: str) -> None:
    """Own names of the statement, columns of its records, and what another broker's event may have."""
    assert told(sql) == {}


ROWS = f"SELECT id, payload.temp AS temp FROM {MESSAGES}"


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ({"key": "o/${id}/${tmp}"}, {"key": "no rule of this action selects a field 'tmp'; did you mean ${temp}?"}),
        ({"content": "${clientid}"}, {"content": "no rule of this action selects a field 'clientid'"}),
        ({"metadata": {"m": "${temp}", "n": "${qos}"}}, {"metadata.n": "no rule of this action selects a field 'qos'"}),
        ({"tags": {"m": "${topic}"}}, {"tags.m": "no rule of this action selects a field 'topic'"}),
        ({"bucket": "b-${topic}"}, {"bucket": "no rule of this action selects a field 'topic'"}),
        ({"key": "o/${id}", "content": "{% for i in temp %}${i}{% endfor %}${.}"}, {}),
        ({"key": "o/${partition}/${id}"}, {"key": "no rule of this action selects a field 'partition'"}),
    ],
)
def test_placeholders_of_direct_upload(action: dict[str, Any], expected: dict[str, str]) -> None:
    """Each of its templates sees the fields of the row."""
    assert told(ROWS, **action) == expected


def test_placeholders_of_aggregated_upload() -> None:
    """Keys also have facts of the window and the chunk."""
    facts = (
        "${action}/${node}/${datetime.YYYY}/${datetime_until.DD}/${temp}/${partition}-${offset}-${sequence}-${epoch}"
    )

    assert told(ROWS, mode="aggregated", key=f"o/{facts}") == {}
    assert told(ROWS, mode="aggregated", key="o/${ofset}") == {
        "key": "no rule of this action selects a field 'ofset'; did you mean ${offset}?"
    }


def test_rows_that_may_have_other_fields() -> None:
    """`*` over a message has its columns; nobody knows what an event of another broker has."""
    assert told(f"SELECT * FROM {MESSAGES}", key="o/${reason}") == {
        "key": "no rule of this action selects a field 'reason'"
    }
    assert told(f"SELECT * FROM {EVENTS}", key="o/${strange}") == {}
    assert told(f"FOREACH payload.s FROM {EVENTS}", key="o/${strange}") == {}


def test_rows_of_foreach_without_do() -> None:
    """They have all columns and the element."""
    assert told(f"FOREACH payload.s FROM {MESSAGES}", key="o/${id}/${item.n}", content="${payload}") == {}
    assert told(f"FOREACH payload.s AS s FROM {MESSAGES}", key="o/${id}/${s.n}") == {}
    assert told(f"FOREACH payload.s FROM {MESSAGES}", key="o/${id}/${n}") == {
        "key": "no rule of this action selects a field 'n'"
    }
