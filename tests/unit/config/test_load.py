"""A configuration file, right and wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import AggregatedParameters, DirectParameters, load_file, parse
from pipeline.errors import ConfigError

GOOD = """\
pipeline: plant7
kafka:
  bootstrap_servers: 127.0.0.1:9092
sources:
  mqtt:
    plant: {server: "127.0.0.1:1883", topics: ["t/#"], clientid_from: [{topic: "t/{clientid}"}]}
connectors:
  s3:
    lake: {host: 127.0.0.1, port: 7070, access_key_id: key, secret_access_key: sesame}
actions:
  s3:
    raw: {connector: lake, parameters: {bucket: iot-data, key: "${clientid}.json", acl: private}}
    rows: {connector: lake, parameters: {mode: aggregated, bucket: iot-data, key: rows.jsonl, aggregation: {max_bytes: 5mb}}}
rules:
  my_rule: {sql: 'SELECT * FROM "t/#"', actions: ["s3:raw", "s3:rows"]}
"""


def refusal(wrong: str, by: str) -> str:
    """The message for the good file with one thing replaced."""
    assert wrong in GOOD
    with pytest.raises(ConfigError) as caught:
        parse(GOOD.replace(wrong, by), name="c.yaml")
    return str(caught.value)


def test_reads_a_file(tmp_path: Path) -> None:
    """Loading fills in defaults, and an upload without a mode is direct."""
    path = tmp_path / "c.yaml"
    path.write_text(GOOD)

    config = load_file(path)

    raw, rows = config.actions.s3["raw"].parameters, config.actions.s3["rows"].parameters
    assert isinstance(raw, DirectParameters)
    assert raw.content == "${.}"
    assert isinstance(rows, AggregatedParameters)
    assert (rows.aggregation.max_bytes, rows.aggregation.time_interval) == (5 << 20, 1800.0)
    assert config.kafka.messages_topic == "mqtt.messages"


@pytest.mark.parametrize(
    ("wrong", "by", "expected"),
    [
        ("acl: private", "acl: privat", ["c.yaml:12:", "actions.s3.raw.parameters.acl", "'privat'", "'private'"]),
        ("mode: aggregated", "mode: heap", ["c.yaml:13:", "actions.s3.rows.parameters", "'aggregated'", "'heap'"]),
        ("port: 7070", "prt: 7070", ["c.yaml:9:", "connectors.s3.lake.prt: unknown setting"]),
        ("port: 7070", "port: 99999", ["connectors.s3.lake.port", "65535"]),
        ("pipeline: plant7\n", "", ["pipeline: required"]),
        ("pipeline: plant7", "pipeline: _x", ["c.yaml:1:", "letter or digit", "'_x'"]),
        ("connector: lake, parameters: {bucket", "connector: sea, parameters: {bucket", ["'sea'", "there are: lake"]),
        ('"s3:rows"]', '"s3:row"]', ["rules.my_rule.actions", "'s3:row'", "s3:raw, s3:rows"]),
        ('"s3:rows"]', "{function: console}]", ["actions[1]: ", "the function 'console' of EMQX", '"type:name"']),
        ('topics: ["t/#"]', 'topics: ["t/#/x"]', ["sources.mqtt.plant.topics", "c.yaml:6:"]),
        ('server: "127.0.0.1:1883"', 'server: "nowhere"', ["c.yaml:6:", "expected host:port"]),
        ('{topic: "t/{clientid}"}', '{topic: "t/x"}', ["c.yaml:6:", "{clientid} as one whole level"]),
        ('{topic: "t/{clientid}"}', "{}", ["exactly one of user_property, topic, payload"]),
        ("max_bytes: 5mb", "max_bytes: much", ["5mb", "'much'"]),
        (
            "key: rows.jsonl",
            "key: r, min_part_size: 1mb",
            ["c.yaml:13:", "rows.parameters.min_part_size", "at least 5MB, found '1MB'"],
        ),
        ("key: rows.jsonl", "key: r, max_part_size: 100000gb", ["rows.parameters.max_part_size", "at most 5GB"]),
        (
            "key: rows.jsonl",
            "key: r, min_part_size: 9mb, max_part_size: 8mb",
            ["min_part_size: ", "at most max_part_size"],
        ),
        ("aggregated, bucket: iot-data", 'aggregated, bucket: "b-${x}"', ["rows.parameters", "ledger_bucket"]),
        (", secret_access_key: sesame", "", ["together"]),
        ("    lake: {", "    a b: {", ["c.yaml:9:5: connectors.s3.a b: expected a name of letters"]),
        ("pipeline: plant7", "pipeline: [", ["not YAML", "c.yaml:"]),
        (GOOD, "- a list", ["expected a mapping"]),
    ],
)
def test_says_what_is_wrong_and_where(wrong: str, by: str, expected: list[str]) -> None:
    """Each message has the place, what was found and what was expected."""
    message = refusal(wrong, by)

    assert [part for part in expected if part not in message] == []


def test_tells_all_problems_at_once() -> None:
    """One check reports all problems of a file."""
    message = refusal("port: 7070, access_key_id: key", "port: x, access_key: key")

    assert len(message.splitlines()) == 2 + ("together" in message)


@pytest.mark.parametrize("wrong", ["{a: sesame}", "[sesame]", "true"])
def test_a_secret_in_a_wrong_shape_is_not_shown(wrong: str) -> None:
    """The message about a secret of a wrong type names only the type."""
    message = refusal("secret_access_key: sesame", f"secret_access_key: {wrong}")

    assert "sesame" not in message
    assert "secret_access_key" in message


def test_a_secret_is_not_in_the_text_of_a_configuration() -> None:
    """Neither repr nor a dump shows a secret."""
    config = parse(GOOD)

    assert "sesame" not in repr(config) + str(config.model_dump()) + config.model_dump_json()


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """The error names a file that is missing or is not text."""
    with pytest.raises(ConfigError, match=r"gone\.yaml"):
        load_file(tmp_path / "gone.yaml")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="0xff"):
        load_file(tmp_path / "binary")


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ('{type: csv, delimiter: "[["}', "actions.s3.rows.parameters.container.delimiter: "),
        ("{type: csv, colums: [a]}", "actions.s3.rows.parameters.container.colums: unknown setting"),
        ("{type: parquet, schema: {type: avro_ref}}", "actions.s3.rows.parameters.container.schema.name: required"),
        (
            "{type: orc}",
            "actions.s3.rows.parameters.container.type: expected 'json_lines', 'raw_lines', ",
        ),
    ],
)
def test_an_error_in_a_container_names_the_path_as_it_is_in_the_file(container: str, said: str) -> None:
    """The path in the error has only names of the file, and none of the possible models."""
    message = refusal("key: rows.jsonl,", f"key: rows.jsonl, container: {container},")

    assert message.startswith("c.yaml:13:")
    assert said in message
