"""The rules of an action on batches of records."""

from __future__ import annotations

import orjson
import pytest

from pipeline.errors import ConfigError, SqlError
from pipeline.record import event_record
from pipeline.rule.rule_set import RuleSet
from pipeline.sql.runtime.schemas import SchemaText
from tests.parts.records import consumed, message


def test_rows_come_with_the_records_they_came_from() -> None:
    """Rows come in order with their records, and a record that no rule matches leaves no trace."""
    rules = RuleSet({"hot": 'SELECT payload.t AS t FROM "t/#" WHERE t > 20'}, node="n")
    batch = [
        message(1, b'{"t":30}'),
        message(2, b'{"t":10}'),
        message(3, b'{"t":40}'),
        message(4, b"x", topic=b"other"),
    ]

    result = rules.evaluate(batch)

    assert result.rows == [{"t": 30}, {"t": 40}]
    assert [origin.offset for origin in result.origins] == [1, 3]
    assert (result.dead, result.next_offset, result.rules) == ([], 5, rules.digest)


def test_a_record_that_cannot_be_evaluated_is_a_dead_letter_and_the_others_go_on() -> None:
    """The dead letter names the rule and the reason."""
    rules = RuleSet({"r": 'SELECT payload.t + 1 AS t FROM "t/#"'}, node="n")

    result = rules.evaluate([message(1, b"not json"), message(2, b'{"t":1}')])

    assert result.rows == [{"t": 2}]
    assert [(letter.record.offset, letter.rule, letter.cause) for letter in result.dead] == [(1, "r", "evaluation")]
    assert result.dead[0].error


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ([("topic", None)], "found topic: null"),
        ([("topic", b"t/1"), ("qos", b"high"), ("trace", b"\xff")], "found topic: 't/1', qos: 'high'"),
        ([("topic", b"t/1"), ("pub_props", b"{" * 200)], "found topic: 't/1', pub_props: '" + "{" * 100 + "...'"),
    ],
)
def test_headers_of_another_producer_are_told_as_they_are(headers: list[tuple[str, bytes]], found: str) -> None:
    """The dead letter says which headers are read as what, and what this record has: not what Python thinks of it."""
    result = RuleSet({"r": 'SELECT topic, qos, pub_props FROM "#"'}, node="n").evaluate(
        [message(1, b"{}")._replace(headers=headers)]
    )

    (letter,) = result.dead
    assert letter.cause == "record"
    assert letter.error.endswith(f"expected `topic` as text, `qos` as a number, `pub_props` as a JSON object, {found}")


def test_two_rules_may_make_rows_of_one_record() -> None:
    """Each rule sees its own id in metadata."""
    statement = 'SELECT metadata.rule_id AS id FROM "t/#"'

    result = RuleSet({"a": statement, "b": statement}, node="n").evaluate([message(7, b"{}")])

    assert [row["id"] for row in result.rows] == ["a", "b"]


def test_events_are_matched_by_their_topic() -> None:
    """An event matches a rule once, even if the rule names both spellings."""
    rules = RuleSet(
        {"r": 'SELECT clientid, event FROM "$events/client_connected", "$events/client/connected"'}, node="n"
    )
    connected = consumed(event_record("client.connected", {}, clientid="dev", timestamp_ms=1))

    assert rules.evaluate([connected, message(1, b"{}")]).rows == [{"clientid": "dev", "event": "client.connected"}]
    assert (rules.reads_events, rules.reads_messages) == (True, False)


def test_a_wildcard_does_not_match_events() -> None:
    """`#` matches only messages."""
    rules = RuleSet({"r": 'SELECT * FROM "#"'}, node="n")
    connected = consumed(event_record("client.connected", {}, clientid="dev", timestamp_ms=1))

    assert rules.evaluate([connected]).rows == []


def test_the_digest_changes_with_the_statement() -> None:
    """Another statement gives another digest, and so another version of the ledger."""
    assert (
        RuleSet({"r": 'SELECT * FROM "t/#"'}, node="n").digest != RuleSet({"r": 'SELECT * FROM "t/+"'}, node="n").digest
    )


def test_a_statement_that_does_not_parse_is_refused() -> None:
    """The error names the rule and the place in its statement."""
    with pytest.raises(ConfigError, match=r"rules\.two\.sql: line 1") as refused:
        RuleSet({"one": 'SELECT * FROM "t/#"', "two": "SELECT FROM"}, node="n")

    assert isinstance(refused.value.__cause__, SqlError)


def test_a_schema_that_is_none_is_refused_by_its_name() -> None:
    """The error about a broken schema names the schema and not a rule."""
    schemas = {"good": SchemaText("json", "{}"), "bad": SchemaText("avro", "{")}
    with pytest.raises(ConfigError, match=r"^schemas\.bad\.source: "):
        RuleSet({"r": 'SELECT * FROM "t/#"'}, node="n", schemas=schemas)


def test_schemas_of_the_configuration_are_known_to_rules_and_part_of_the_digest() -> None:
    """Rules can use the configured schemas, and a changed schema changes the digest."""
    statement = {"r": "SELECT schema_check('reading', payload) AS ok FROM \"t/#\""}
    number = {"reading": SchemaText("json", '{"properties": {"t": {"type": "number"}}}')}
    text = {"reading": SchemaText("json", '{"properties": {"t": {"type": "string"}}}')}

    rules = RuleSet(statement, node="n", schemas=number)

    assert rules.evaluate([message(1, b'{"t": 1}'), message(2, b'{"t": "x"}')]).rows == [{"ok": True}, {"ok": False}]
    assert rules.digest != RuleSet(statement, node="n", schemas=text).digest


@pytest.mark.parametrize("do", ["s AS x, payload.p AS p", "*, s AS x", "payload AS p"])
def test_a_record_whose_rows_would_be_too_long_is_a_dead_letter(do: str) -> None:
    """Rows share what they hold of the payload until they are written; a lane would write it a thousand times."""
    rules = RuleSet({"r": f'FOREACH payload.a AS s DO {do} FROM "t/#"'}, node="n")
    hostile = orjson.dumps({"a": [0] * 5000, "p": "x" * 100_000})
    usual = orjson.dumps({"a": [0] * 1000, "p": "x" * 100_000})

    result = rules.evaluate([message(1, hostile), message(2, usual)])

    assert [(letter.record.offset, letter.error) for letter in result.dead] == [
        (1, "the rules make rows of more than 134217728 bytes of this record")
    ]
    assert len(result.rows) == 1000


def test_a_large_record_with_short_rows_is_taken() -> None:
    """The estimate counts whole payloads; where it is too high, the rows themselves are counted."""
    rules = RuleSet({"r": 'FOREACH payload.a AS s DO payload.id AS id, s AS x FROM "t/#"'}, node="n")

    result = rules.evaluate([message(1, orjson.dumps({"a": ["y" * 100] * 20_000, "id": 7}))])

    assert (len(result.rows), result.dead) == (20_000, [])
    assert result.size_bytes < 20_000 * 500
