"""The command line: its outputs and exit statuses."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest
import yaml

from tests.parts.commands import CONFIG, tidegate

MESSAGE = json.dumps({"topic": "t/1", "clientid": "c", "payload": '{"t": 31}'})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_check_says_that_a_configuration_is_good(config: Path) -> None:
    """`check` accepts a configuration without opening a connection."""
    done = tidegate("check", "-c", str(config))

    assert (done.returncode, done.stdout) == (0, f"{config}: good\n")


@pytest.mark.parametrize(
    ("wrong", "by", "expected"),
    [
        ("WHERE payload.t > 20", "WHERE", ["rules.hot.sql", "line 1", "^"]),
        ("SELECT clientid", "SELECT lenght(clientid)", ["lenght", "length"]),
        ("${datetime.YYYY}", "${datetime.YY}", ["actions.s3.rows.parameters.key: ", "${datetime.YY}", "YYYY"]),
        ("a/${clientid}.json", "a/${clientid|upcase}", ["actions.s3.raw.parameters.key: ", "upcase"]),
        (
            '.jsonl"',
            '", container: {type: parquet, schema: {type: avro_ref, name: gone}}',
            ["actions.s3.rows.parameters.container: ", "parquet_schema_not_found", "'gone'"],
        ),
        ('bucket: sink, key: "a/', 'bukket: b, key: "a/', ["c.yaml:6:", "bukket: unknown setting"]),
        ("pipeline: p", "pipeline: [", ["not YAML", "c.yaml:"]),
    ],
)
@pytest.mark.parametrize("command", ["check", "worker"])
def test_a_wrong_configuration_is_one_message(
    config: Path, command: str, wrong: str, by: str, expected: list[str]
) -> None:
    """A wrong configuration gives exit status 2 and a message with the place, without a traceback or a secret."""
    config.write_text(CONFIG.replace(wrong, by))

    done = tidegate(command, "-c", str(config))

    assert done.returncode == 2
    assert [part for part in expected if part not in done.stderr] == []
    assert "Traceback" not in done.stderr
    assert "sesame" not in done.stdout + done.stderr


def test_a_rule_of_a_file_is_tried_with_its_actions_templates(config: Path) -> None:
    """A trial shows the row, the key and the content as they would be stored."""
    done = tidegate("rule", "test", "-c", str(config), "--rule", "hot", "--context", MESSAGE)

    assert done.returncode == 0
    assert '"clientid": "c"' in done.stdout
    assert "s3:raw key: a/c.json" in done.stdout
    assert 's3:raw content: {"t": 31}' in done.stdout


def test_a_rule_of_a_file_knows_its_schemas_and_shows_real_keys_of_aggregated_actions(config: Path) -> None:
    """A key has the window of the event's timestamp, partition 0 and offset 0, and binary content is Base64 in jsonl."""
    settings = yaml.safe_load(CONFIG)
    settings["actions"]["s3"]["day"] = {
        "connector": next(iter(settings["connectors"]["s3"])),
        "parameters": {
            "mode": "aggregated",
            "bucket": "sink",
            "key": "day=${datetime.YYYY}-${datetime.MM}-${datetime.DD}/rows.jsonl.gz",
            "compression": "gzip",
        },
    }
    statement = "SELECT schema_check('reading', payload) AS ok FROM \"t/#\""
    settings["rules"]["checked"] = {"sql": statement, "actions": ["s3:day"]}
    settings["schemas"] = {"reading": {"type": "json", "source": '{"required": ["t"]}'}}
    config.write_text(yaml.safe_dump(settings))
    context = json.dumps({"topic": "t/1", "payload": '{"t": 1}', "timestamp": 1_767_225_600_000})
    command = ("rule", "test", "-c", str(config), "--rule", "checked", "--context", context)

    shown, printed = tidegate(*command), tidegate(*command, "--output", "jsonl")

    assert "s3:day key: day=2026-01-01/rows-0-0-0.jsonl.gz" in shown.stdout, shown.stderr
    assert "bytes that are not text" in shown.stdout
    made = json.loads(printed.stdout)["objects"][0]["s3:day"]
    assert made["headers"]["content-encoding"] == "gzip"
    assert gzip.decompress(base64.b64decode(made["content"]["$b64"])) == b'{"ok":true}\n'


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        ({"topic": "t/1", "payload": '{"t": 1}'}, "no result: WHERE was false"),
        ({"topic": "other", "payload": "{}"}, "not matched: FROM does not select the topic other"),
        ({"event": "client.connected"}, "not matched: FROM does not select the event client.connected"),
        (
            {"payload": "{}"},
            "not matched: FROM selects by topic or by event, and this one has no `topic` and no `event`",
        ),
    ],
)
def test_no_row_has_its_reason(config: Path, context: dict[str, str], expected: str) -> None:
    """A trial without rows says that WHERE was false, or what FROM does not select."""
    done = tidegate("rule", "test", "-c", str(config), "--rule", "hot", "--context", "-", given=json.dumps(context))

    assert (done.returncode, expected in done.stdout) == (0, True)


def test_an_evaluation_error_is_shown_and_fails(config: Path) -> None:
    """An error shows the expression and the value that was found."""
    context = json.dumps({"topic": "t/1", "payload": "not json"})

    done = tidegate("rule", "test", "-c", str(config), "--rule", "hot", "--context", context)

    assert (done.returncode, "payload" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--sql", "SELECT 1"], "--context"),
        (["--context", "{}"], "--sql"),
        (["--sql", "x", "--context", "{"], "not JSON"),
        (["--sql", "x", "--context", "[]"], "must be a JSON object"),
        (["--sql", "x", "--context", "@/nowhere"], "/nowhere"),
        (["--sql", "x", "--from-kafka", "3"], "--config"),
        (["--vectors", "/nowhere"], "/nowhere"),
    ],
)
def test_wrong_use_is_one_message(arguments: list[str], expected: str) -> None:
    """Wrong arguments give exit status 2 and say what was expected."""
    done = tidegate("rule", "test", *arguments)

    assert (done.returncode, expected in done.stderr, "Traceback" in done.stderr) == (2, True, False)


def test_a_file_of_cases_is_compared_and_printed(tmp_path: Path) -> None:
    """An unexpected case fails the run, and jsonl prints one line for each case."""
    good = {"id": "a", "sql": 'SELECT 1 AS x FROM "t"', "context": {"topic": "t"}, "expect": [{"x": 1}]}
    path = tmp_path / "cases.jsonl"
    path.write_text(json.dumps(good) + "\n" + json.dumps({**good, "id": "b", "expect": [{"x": 2}]}) + "\n")

    compared = tidegate("rule", "test", "--vectors", str(path))
    printed = tidegate("rule", "test", "--vectors", str(path), "--output", "jsonl")

    assert (compared.returncode, "1 of 2" in compared.stdout, "b" in compared.stdout) == (1, True, True)
    assert [json.loads(line) for line in printed.stdout.splitlines()] == [
        {"id": "a", "result": [{"x": 1}]},
        {"id": "b", "result": [{"x": 1}]},
    ]


def test_a_template_is_tried(tmp_path: Path) -> None:
    """A trial prints the text of a template and its missing values."""
    done = tidegate("template", "test", "x/${a.b}/${c}", "--context", '{"a": {"b": 1}}')

    assert (done.returncode, done.stdout) == (0, "x/1/undefined\nmissing: c\n")
