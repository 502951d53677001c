"""Errors of compiling name the line of the file: of the statement's own line where it can be known."""

from __future__ import annotations

import pytest

from pipeline.action import compile_action, problems
from pipeline.config import Config, parse
from pipeline.config.dump import dump
from pipeline.config.load import load
from pipeline.errors import ConfigError

GOOD = """\
pipeline: p
kafka: {bootstrap_servers: "k:9092"}
connectors: {s3: {lake: {host: h}}}
actions:
  s3:
    raw:
      connector: lake
      parameters:
        bucket: sink
        key: ${clientid}.json
rules:
  hot:
    sql: |
      SELECT clientid
        FROM "t/#"
       WHERE payload.t > 20
    actions: ["s3:raw"]
"""


@pytest.mark.parametrize(
    ("good", "bad", "where"),
    [
        ("payload.t > 20", "payload.t > > 20", "c.yaml:16:26: rules.hot.sql: line 3, column 20"),
        ("SELECT clientid", "SELECT lenght(clientid)", "c.yaml:14:14: rules.hot.sql: line 1, column 8"),
        ("${clientid}.json", "${clientid|gone}", "c.yaml:10:14: actions.s3.raw.parameters.key: "),
        ("bucket: sink", "bucket: sink\n        metadata: {'a b': c}", "c.yaml:8:7: actions.s3.raw.parameters: "),
    ],
)
def test_statements_and_templates(good: str, bad: str, where: str) -> None:
    """`check` and the start of a worker both name the line of a wrong statement or template."""
    config = parse(GOOD.replace(good, bad), name="c.yaml")

    with pytest.raises(ConfigError) as caught:
        compile_action(config, "raw")
    assert str(caught.value).startswith(where)
    assert [str(each) for each in problems(config)] == [str(caught.value)]


@pytest.mark.parametrize(
    ("schema", "where"),
    [
        ('{type: protobuf, source: "syntax = \\"proto3\\"; mesage A {}"}', "19:53: schemas.s.source: the protobuf schema is"),
        ("{type: protobuf, source: 'message A {'}", "19:43: schemas.s.source: the protobuf schema is refused: line 1, column 12"),
        ("\n    type: avro\n    source: |\n      {\n      \"type\": nope}", "23:15: schemas.s.source: the avro schema is"),
        ("\n    type: json\n    source: |\n      {\n      \"type\": nope}", "23:15: schemas.s.source: the json schema is"),
        ("{type: avro, source: '5'}", "19:19: schemas.s.source: the avro schema is refused: expected an object"),
        ("{type: json, source: '5'}", "19:19: schemas.s.source: the json schema is refused"),
    ],
)  # fmt: skip
def test_a_schema_that_is_refused_names_its_line(schema: str, where: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A wrong schema is refused with the line of the file, and no library prints anything about it."""
    config = parse(f"{GOOD}schemas:\n  s: {schema}\n", name="c.yaml")

    with pytest.raises(ConfigError) as caught:
        compile_action(config, "raw")
    assert str(caught.value).startswith(f"c.yaml:{where}")
    assert capfd.readouterr().err == ""


def test_without_a_file_the_path_is_told() -> None:
    """An error in a configuration without a file names the path of the setting."""
    config: Config = load(dump(parse(GOOD.replace("> 20", "> > 20"))))

    with pytest.raises(ConfigError, match=r"^rules\.hot\.sql: line 3"):
        compile_action(config, "raw")
