"""Objects, changes of them, and the whole that follows."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config import Config
from pipeline.config.load import load
from pipeline.control.objects import (
    Change,
    Stored,
    after,
    check_expected,
    key_at,
    objects_of,
    place_of,
    sections_of,
    whole,
    written_values,
)
from pipeline.control.records import decode, encode, headers_of
from pipeline.errors import ConfigError, StaleError

OWN: dict[str, Any] = {"pipeline": "plant7", "kafka": {"bootstrap_servers": "k:1"}, "control": {}}
OBJECTS: dict[str, Any] = {
    "connectors": {"s3": {"lake": {"host": "s3.plant"}}},
    "actions": {
        "s3": {"hot": {"connector": "lake", "resource_opts": {"health_check_timeout": "1500ms"}, "parameters": {
            "bucket": "iot", "key": "hot/${id}"}}}
    },
    "sources": {"mqtt": {"plant": {"server": "mqtt.plant:1883", "topics": ["t/#"], "password": "${MQTT}"}}},
    "rules": {"hot": {"sql": 'SELECT * FROM "t/#"', "actions": ["s3:hot"]}},
    "schemas": {"x": {"type": "json", "source": "{}"}},
}  # fmt: skip
KEYS = ["source/mqtt/plant", "connector/s3/lake", "action/s3/hot", "rule/hot", "schema/x"]


@pytest.fixture
def base() -> Config:
    """A process's own file."""
    return load(OWN)


def stored(values: dict[str, Any]) -> dict[str, Stored]:
    """Objects as the topic has them, with revisions from 10."""
    return {
        key: Stored(value, revision, "anna", 1, "apply") for revision, (key, value) in enumerate(values.items(), 10)
    }


def test_a_configuration_becomes_objects_and_a_configuration_again(base: Config) -> None:
    """The objects of a configuration have keys, and give the same configuration, with the texts that were written."""
    config = load({**OWN, **OBJECTS})

    found = objects_of(config)
    assert list(found) == KEYS
    assert sections_of(found) == OBJECTS
    assert whole(base, found) == config
    assert whole(base, found, 7).revision == 7


@pytest.mark.parametrize("key", KEYS)
def test_a_key_names_a_place(key: str) -> None:
    """A key and the path of a setting name the same object."""
    place = place_of(key)

    assert place is not None
    assert key_at((*place.path, "enable")) == key
    assert key_at(place.path) == key
    assert key_at(place.path[:-1]) is None


@pytest.mark.parametrize(
    "key", ["user/anna", "rule", "rule/", "rule/a/b", "action/hot", "action/s3/", "action/s3/a/b", "pipeline", ""]
)
def test_other_keys_are_no_part_of_the_configuration(key: str, base: Config) -> None:
    """What is stored beside the objects of the configuration does not change it."""
    assert place_of(key) is None
    assert sections_of({key: {"name": "plant7"}}) == {}


def test_a_change_is_compared_object_by_object() -> None:
    """A change is made if each object that it expects is as expected, and an object that it does not expect is not compared."""
    there = stored({"rule/a": {}, "rule/b": {}})

    check_expected(there, {"rule/a": 10, "rule/new": None})
    for expected in ({"rule/a": 11}, {"rule/a": None}, {"rule/new": 10}):
        with pytest.raises(StaleError) as found:
            check_expected(there, expected)
        assert found.value.found is there.get(found.value.key)


def test_a_put_wins_over_a_deletion_of_the_same_key() -> None:
    """What a change both deletes and puts is there afterwards."""
    change = Change(puts={"rule/a": {"n": 1}}, deletes=frozenset({"rule/a", "rule/b"}))

    assert after(stored({"rule/a": {}, "rule/b": {}, "rule/c": {}}), change) == {"rule/a": {"n": 1}, "rule/c": {}}


def test_what_is_written_is_what_a_configuration_reads_back(base: Config) -> None:
    """Other names of settings become the usual ones, spellings stay, deletions of nothing are left out."""
    values = objects_of(load({**OWN, **OBJECTS}))
    change = Change(puts=values, deletes=frozenset({"rule/none"}))

    assert written_values(base, {}, change) == {**values, "pipeline": {"name": "plant7"}}
    assert written_values(base, stored(values), Change(deletes=frozenset({"rule/hot"}))) == {
        "rule/hot": None,
        "pipeline": {"name": "plant7"},
    }
    assert written_values(base, {}, Change(puts={"user/a": {}})) == {"user/a": {}}


@pytest.mark.parametrize(
    ("puts", "words"),
    [
        ({"rule/hot": {"sql": 'SELECT * FROM "t/#"', "actions": ["s3:none"]}}, r"rules\.hot\.actions\[0\]: no action"),
        ({"rule/hot": {"sql": "SELECT"}}, r"rules\.hot\.sql"),
        ({"rule/hot": {"sql": 'SELECT * FROM "t/#"', "sqll": 1}}, r"rules\.hot\.sqll"),
        ({"action/s3/hot": {"connector": "lake", "parameters": {"bucket": "B!", "key": "x"}}}, r"actions\.s3\.hot"),
        ({"source/mqtt/p": {"server": "a:1", "topics": ["#"], "password": "s3same"}}, r"sources\.mqtt\.p\.password"),
        ({"connector/kafka/x": {}}, r"connectors\.kafka"),
        ({"rule/a b": {"sql": 'SELECT * FROM "t/#"'}}, "a b"),
    ],
)
def test_a_whole_that_is_wrong_is_refused_with_its_path(base: Config, puts: dict[str, Any], words: str) -> None:
    """A change is refused if the whole would be wrong; the error names the setting, and never a secret."""
    values = objects_of(load({**OWN, **OBJECTS}))

    with pytest.raises(ConfigError, match=words) as found:
        written_values(base, stored(values), Change(puts=puts))
    assert "s3same" not in str(found.value)


def test_the_objects_of_another_pipeline_are_refused(base: Config) -> None:
    """The first change says whose topic it is, and a process of another pipeline does not use it."""
    with pytest.raises(
        ConfigError, match=r"control\.topic: expected the topic of pipeline 'plant7', found that of 'b'"
    ):
        whole(base, {"pipeline": {"name": "b"}})


def test_a_record_says_what_was_written() -> None:
    """An object and its record are the same, and a record without a value is a deletion."""
    said: Any = headers_of(by="Änne", at=5, source="rest", change="c1", created=3)

    found = decode(b"rule/hot", encode({"sql": "ü", "n": 1 << 70}), said, 9, 7)
    assert found.stored == Stored({"sql": "ü", "n": 1 << 70}, 9, "Änne", 5, "rest", 3)
    assert (found.key, found.revision, found.by, found.at, found.source, found.change) == (
        "rule/hot", 9, "Änne", 5, "rest", "c1",
    )  # fmt: skip
    assert decode(b"rule/hot", encode(None), said, 9, 7).stored is None
    wrongs = {b"[]": "an object in JSON", b"{": "property name", b"\xff": "codec"}
    wrongs |= {b'{"a":' + b"[" * depth + b"]" * depth + b"}": "in each other|deeply" for depth in (200, 900, 90_000)}
    for wrong, words in wrongs.items():
        with pytest.raises(ValueError, match=words):
            decode(b"rule/hot", wrong, said, 9, 7)


def test_who_sets_no_headers_is_unknown_and_the_time_is_the_records() -> None:
    """A record that a person wrote with a client of Kafka has a place in the history like others."""
    found = decode(b"rule/hot", encode({"sql": "x"}), [], 9, 1_700_000_000_000)

    assert found.stored is not None
    assert (found.by, found.source, found.at) == ("unknown", "kafka", 1_700_000_000_000)
    assert (found.stored.by, found.stored.created) == ("unknown", 1_700_000_000_000)
