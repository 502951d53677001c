"""`tidegate check`: what it says to programs, and that it loads no more than a configuration needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.parts.commands import CONFIG, LARGE, packages_of, tidegate


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG)
    return path


def test_check_loads_nothing_that_the_configuration_does_not_use(config: Path) -> None:
    """`check` loads no client of Kafka, S3 or MQTT, and no library of unused features."""
    unused = LARGE | {"boto3", "fastavro", "google", "jq", "jsonschema_rs", "paho", "argon2", "cryptography", "uvloop"}

    assert packages_of("check", "-c", str(config)) & unused == set()


def test_a_good_configuration_is_an_object_that_says_so(config: Path) -> None:
    """The JSON output lists references that could not be resolved as warnings."""
    config.write_text(CONFIG.replace("open-sesame", "'${TIDEGATE_TEST_UNSET}'"))
    done = tidegate("check", "-c", str(config), "--output", "json")

    found = json.loads(done.stdout)
    (warning,) = found.pop("warnings")
    assert (done.returncode, found) == (0, {"good": True, "problems": []})
    assert (warning["file"], warning["line"]) == (str(config), 3)
    assert warning["path"] == "connectors.s3.lake.secret_access_key"
    assert "TIDEGATE_TEST_UNSET" in warning["message"]


def test_what_is_hardly_meant_is_a_warning_with_its_place(config: Path) -> None:
    """Told to people and to programs alike; the configuration is good all the same."""
    text = CONFIG.replace("a/${clientid}.json", "${clientid}_${timestamp}.json")
    config.write_text(text.replace("SELECT clientid, payload", "SELECT *"))
    as_json, as_text = (tidegate("check", "-c", str(config), "--output", form) for form in ("json", "text"))

    found = json.loads(as_json.stdout)
    assert (as_json.returncode, as_text.returncode, found["good"]) == (0, 0, True)
    assert [(each["line"], each["path"]) for each in found["warnings"]] == [(6, "actions.s3.raw.parameters.key")] * 2
    assert "ledger of s3:rows" in found["warnings"][0]["message"]
    assert "${id}" in found["warnings"][1]["message"]
    assert as_text.stderr.count(f"warning: {config}:6:") == 2


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {'bucket: sink, key: "a/': 'bukket: b, key: "a/'},
            [(6, "actions.s3.raw.parameters.bucket"), (6, "actions.s3.raw.parameters.bukket")],
        ),
        ({"WHERE payload.t > 20": "WHERE"}, [(9, "rules.hot.sql")]),
        (
            {"WHERE payload.t > 20": "WHERE", "${datetime.YYYY}": "${datetime.YY}"},
            [(9, "rules.hot.sql"), (7, "actions.s3.rows.parameters.key")],
        ),
        ({"pipeline: p": "pipeline: ["}, [(3, None)]),
    ],
    ids=["settings", "statement", "statement and template", "YAML"],
)
def test_each_problem_has_its_file_line_and_path(
    config: Path, changes: dict[str, str], expected: list[tuple[int, str | None]]
) -> None:
    """The JSON output has all problems at once and the exit status of the text output, and shows no secret."""
    text = CONFIG
    for wrong, by in changes.items():
        text = text.replace(wrong, by)
    config.write_text(text)
    done = tidegate("check", "-c", str(config), "--output", "json")

    found = json.loads(done.stdout)
    assert (done.returncode, found["good"], found["warnings"]) == (2, False, [])
    assert [(each["line"], each.get("path")) for each in found["problems"]] == expected
    assert all(each["file"] == str(config) and each["message"] for each in found["problems"])
    assert "sesame" not in done.stdout + done.stderr


def test_a_template_of_several_lines_is_refused_at_its_line(config: Path) -> None:
    """The error names the line inside the template, not that of the setting."""
    block = """raw:
      connector: lake
      parameters:
        bucket: sink
        key: a/x.json
        content: |
          ${% for each in payload.items %}
          ${each.name}
          ${% enfor %}"""
    inline = next(line for line in CONFIG.splitlines() if line.strip().startswith("raw:")).strip()
    config.write_text(CONFIG.replace(inline, block))
    done = tidegate("check", "-c", str(config), "--output", "json")

    (problem,) = json.loads(done.stdout)["problems"]
    lines = config.read_text().splitlines()
    assert (problem["line"], problem["path"]) == (14, "actions.s3.raw.parameters.content"), problem
    assert "enfor" in lines[problem["line"] - 1]
