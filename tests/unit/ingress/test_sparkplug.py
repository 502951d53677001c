"""Aliases of Sparkplug B: what births say, which headers later messages get, and what hostile devices cannot do."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingress.clientid import Resolver
from ingress.metrics import SourceMetrics
from ingress.route import Router
from ingress.sparkplug import aliases as aliases_module
from ingress.sparkplug.aliases import Aliases
from ingress.sparkplug.payload import METRICS_MAX, PAYLOAD_BYTES_MAX, Metric, Speaker, metrics_of, speaker_of
from ingress.sparkplug.tables import ENTRY_BYTES, NAMES_BYTES_MAX, TABLE_BYTES_MAX, BirthName, Tables
from pipeline.config import KafkaConfig
from pipeline.record import METRICS, Record
from pipeline.rule.rule_set import RuleSet
from tests.parts.sparkplug import BIRTH, DATA, payload


@pytest.fixture
def aliases() -> Aliases:
    return Aliases("mqtt:plant", KafkaConfig(bootstrap_servers="k:1"), SourceMetrics("sparkplug"))


def speaker(topic: str) -> Speaker:
    found = speaker_of(topic.encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("spBv1.0/g/NBIRTH/n", Speaker(b"g/n", True)),
        ("spBv1.0/g/DBIRTH/n/d", Speaker(b"g/n/d", True)),
        ("spBv1.0/g/NDATA/n", Speaker(b"g/n", False)),
        ("spBv1.0/g/DCMD/n/d", Speaker(b"g/n/d", False)),
        ("spBv1.0/g/DBIRTH/n", None),  # a device without a name
        ("spBv1.0/g/NBIRTH/n/d", None),  # a node's birth in the name of a device
        ("spBv1.0/g/NDEATH/n", None),
        ("spBv1.0/STATE/host", None),
        ("spBv1.0/g/NDATA/n/d/e", None),
        ("spBv1.0x/g/NDATA/n", None),
        ("t/g/NDATA/n", None),
        ("spBv1.0/" + "g" * 600 + "/NDATA/n", None),
    ],
)
def test_topics_say_who_gives_names_and_who_uses_them(topic: str, expected: Speaker | None) -> None:
    """Only births, data and commands with the right number of levels have a speaker."""
    found = speaker_of(topic.encode())

    assert found == expected


def test_data_gets_the_names_and_types_of_the_last_birth(aliases: Aliases) -> None:
    """Each alias without a name is named in the header; a device has its own table, and another birth replaces it."""
    table = aliases.table(speaker("spBv1.0/g/DBIRTH/n/d"), BIRTH, 7)
    found = aliases.headers(speaker("spBv1.0/g/DDATA/n/d"), DATA)
    of_node = aliases.headers(speaker("spBv1.0/g/NDATA/n"), DATA)
    aliases.table(speaker("spBv1.0/g/DBIRTH/n/d"), payload({"name": "new", "alias": 5}), 8)
    later = aliases.headers(speaker("spBv1.0/g/DDATA/n/d"), DATA)

    assert table is not None
    assert table.key.endswith(b"/mqtt:plant/g/n/d")
    assert orjson.loads(table.value) == [[5, "temp", 10], [6, "on", None]]
    assert found == ((METRICS, b'{"5":["temp",10],"6":["on",null]}'),)
    assert of_node == ()
    assert later == ((METRICS, b'{"5":["new",null]}'),)


def test_rules_see_names_and_a_replay_sees_them_too() -> None:
    """spb_decode() names what the header names, and leaves names and types that the message has."""
    rules = RuleSet(
        {
            "r": 'FOREACH spb_decode(payload) AS s, s.metrics AS m DO m.name AS name, m.datatype AS type FROM "spBv1.0/#"'
        },
        node="n",
    )
    headers = [("topic", b"spBv1.0/g/DDATA/n/d"), (METRICS, b'{"5":["temp",10],"6":["on",null],"7":["no",3]}')]
    record = Record("t", 0, 1, 2, b"d", DATA, headers)

    first, again = rules.evaluate([record]), rules.evaluate([record])
    bare = rules.evaluate([record._replace(headers=headers[:1])])

    assert [row["name"] for row in first.rows] == ["temp", "on", "other"]
    assert first.rows[0]["type"] == 10
    assert again.rows == first.rows
    assert [row.get("name") for row in bare.rows][:2] != ["temp", "on"]


@pytest.mark.parametrize("header", [b"", b"x", b"[]", b"null", b'{"5":"temp"}', b'{"5":[1,2]}', b'{"5":["a"]}'])
def test_a_header_that_the_ingress_does_not_write_costs_its_record_at_most(header: bytes) -> None:
    """Other programs may write to the topic; the batch goes on."""
    rules = RuleSet({"r": 'SELECT spb_decode(payload) AS m FROM "spBv1.0/#"'}, node="n")
    headers = [("topic", b"spBv1.0/g/DDATA/n/d"), (METRICS, header)]

    found = rules.evaluate([Record("t", 0, 1, 2, b"d", DATA, headers)])

    assert len(found.rows) + len(found.dead) == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_a_payload(data: bytes) -> None:
    """Nothing that a device sends raises."""
    found = list(metrics_of(data))

    assert all(0 <= each.alias < 2**64 for each in found)


def test_a_birth_of_a_million_aliases_is_bounded() -> None:
    """A table fits into a record of Kafka, and later aliases are unknown."""
    one = payload({"name": "n" * 30, "alias": 1})[:-2]
    text = b"".join(one for _ in range(PAYLOAD_BYTES_MAX // len(one)))
    many = Tables()
    learnt = many.learn(b"g/n", (Metric(n, "x" * 40, 2**32 - 1) for n in range(2**64 - 1_000_000, 2**64)))

    assert len(list(metrics_of(text))) == METRICS_MAX
    assert list(metrics_of(text + one)) == []
    assert learnt is not None
    assert len(learnt[0]) <= TABLE_BYTES_MAX
    assert many.names(b"g/n", [Metric(2**64 - 1, "", None)])[1] == 1


def test_odd_births_name_what_is_sure() -> None:
    """An alias with two names has none; the same name twice is one; a huge name and an empty one are left out."""
    tables = Tables()
    tables.learn(
        b"g/n",
        [
            Metric(1, "a", None), Metric(1, "b", None), Metric(2, "same", 3), Metric(2, "same", 4),
            Metric(3, "x" * 2000, None), Metric(4, "", None),
        ],
    )  # fmt: skip

    found, unknown = tables.names(b"g/n", [Metric(each, "", None) for each in (1, 2, 3, 4)])

    assert found == {"2": BirthName("same", 3)}
    assert unknown == 3


def test_a_small_message_cannot_ask_for_endless_names() -> None:
    """Names are counted as often as they are used, so that a rule's rows stay in proportion."""
    tables = Tables()
    tables.learn(b"g/n", [Metric(1, "x" * 1000, None)])

    found, unknown = tables.names(b"g/n", [Metric(1, "", None)] * 2_000)

    assert len(found) == 1
    assert unknown == 2_000 - NAMES_BYTES_MAX // 1000


def test_the_oldest_tables_make_room() -> None:
    """The tables of all devices are bounded together; a device that is born again is the newest."""
    tables = Tables(3 * (2 * ENTRY_BYTES + 20))
    for owner in (b"a", b"b", b"c", b"a", b"d"):
        tables.learn(owner, [Metric(1, owner.decode() + str(len(tables)), None)])

    assert [tables.names(each, [Metric(1, "", None)])[1] for each in (b"a", b"b", b"c", b"d")] == [0, 1, 0, 0]
    assert tables.size_bytes <= 3 * (2 * ENTRY_BYTES + 20)


def test_the_table_that_is_last_in_kafka_counts() -> None:
    """While our own table is under way, those that come from Kafka are older; afterwards they are newer."""
    tables = Tables()
    _, number = tables.learn(b"g/n", [Metric(1, "ours", None)]) or (b"", 0)

    tables.told(b"g/n", b'[[1,"before",null]]', None)
    before = tables.names(b"g/n", [Metric(1, "", None)])[0]
    tables.told(b"g/n", b"", number)
    tables.told(b"g/n", b'[[1,"after",null]]', None)
    after = tables.names(b"g/n", [Metric(1, "", None)])[0]

    assert before == {"1": BirthName("ours", None)}
    assert after == {"1": BirthName("after", None)}


def test_the_same_birth_again_is_not_written_again(aliases: Aliases) -> None:
    """A device that is born often fills no topic, once Kafka has its table."""
    birth = speaker("spBv1.0/g/NBIRTH/n")
    tables = Tables()
    text, number = tables.learn(b"g/n", metrics_of(BIRTH)) or (b"", 0)

    before = tables.learn(b"g/n", metrics_of(BIRTH))
    tables.told(b"g/n", text, before[1] if before else number)
    again = tables.learn(b"g/n", metrics_of(BIRTH))

    assert before is not None
    assert again is None
    assert aliases.table(birth, BIRTH, 1) is not None


@pytest.mark.parametrize("text", [b"", b"x", b"3", b"{}x", b"[1]", b'[["a","b",1]]', b"[[1,2,3]]", b'[[1,"a"]]'])
def test_a_table_that_cannot_be_read_is_refused(text: bytes) -> None:
    """What another program writes to the topic changes nothing."""
    tables = Tables()

    with pytest.raises((ValueError, TypeError)):
        tables.told(b"g/n", text, None)

    assert len(tables) == 0


def test_an_unknown_alias_is_counted_and_told_once(aliases: Aliases, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log names a device once until it is born again."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(aliases_module.log, "warning", lambda event, **facts: told.append({"event": event, **facts}))
    data = speaker("spBv1.0/g/DDATA/n/d")

    aliases.headers(data, DATA)
    aliases.headers(data, DATA)
    aliases.table(speaker("spBv1.0/g/DBIRTH/n/d"), payload({"name": "temp", "alias": 5}), 1)
    aliases.headers(data, DATA)

    expected = {"event": "sparkplug.alias_unknown", "source": "plant", "device": "g/n/d"}
    assert told == [{**expected, "metrics": 2}, {**expected, "metrics": 1}]


@pytest.mark.parametrize(
    ("topic", "kept", "made"),
    [(b"spBv1.0/g/DBIRTH/n/d", True, True), (b"spBv1.0/g/DBIRTH/n/d", False, False), (b"t/1", True, False)],
)
def test_a_route_has_a_table_for_births_alone(aliases: Aliases, topic: bytes, kept: bool, made: bool) -> None:
    """A topic that is not Sparkplug's has no names, and a source that keeps none makes no table."""
    route = Router(["#"], [], Resolver(()), aliases=aliases if kept else None).route(topic)

    assert (route.table((topic, BIRTH, 0x30, 0, ()), 7) is not None) is made
