"""The commands that change the configuration in Kafka, as a person calls them."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from pipeline.cli.main import app
from pipeline.errors import TidegateError
from tests.parts.part import KafkaPart

pytestmark = pytest.mark.real

STORE = """\
# where everything goes
connectors:
  s3:
    lake: {host: s3.plant, access_key_id: lake, secret_access_key: "${S3_SECRET}"}
actions:
  s3:
    hot:
      connector: lake
      resource_opts: {health_check_timeout: 1500ms}
      parameters: {bucket: iot, key: "hot/${id}"}
"""
RULES = """\
rules:
  hot:
    sql: |
      SELECT payload.t AS t
      FROM "t/#"
    actions: [s3:hot]
"""
Say = Callable[..., Result]


@pytest.fixture
def say(kafka: KafkaPart, tmp_path: Path) -> Say:
    """Call a command with the file of a process that follows a topic of its own; a refusal is the result's exception."""
    own = f"pipeline: plant7\nkafka: {{bootstrap_servers: '{kafka.bootstrap_servers}', replication_factor: 1}}\n"
    (tmp_path / "own.yaml").write_text(f"{own}control: {{topic: config-{uuid.uuid4().hex[:12]}}}\n")
    (tmp_path / "objects").mkdir()
    (tmp_path / "objects" / "store.yaml").write_text(STORE)
    (tmp_path / "objects" / "rules.yml").write_text(RULES)

    def call(command: str, *arguments: str) -> Result:
        return CliRunner().invoke(app, [command, "-c", str(tmp_path / "own.yaml"), *arguments])

    return call


def test_files_become_the_configuration_and_come_back(say: Say, tmp_path: Path) -> None:
    """A dry run shows the difference and its exit status, `apply` makes it, `export` gives back what was applied."""
    folder = str(tmp_path / "objects")
    planned, done, again = (
        say("apply", "-f", folder, *more) for more in (["--dry-run"], ["--by", "anna"], ["--dry-run"])
    )

    assert (planned.exit_code, done.exit_code, again.exit_code) == (1, 0, 0), done.output
    assert "+ rule/hot\n" in planned.output
    assert "3 new; nothing is written; revision -1" in planned.output
    assert "nothing to change" in again.output
    assert yaml.safe_load(say("export").stdout) == yaml.safe_load(STORE) | yaml.safe_load(RULES)
    assert yaml.safe_load(say("get", "rule", "--output", "yaml").stdout) == yaml.safe_load(RULES)
    assert "apply by anna" in say("get", "rule/hot").output


def test_apply_changes_and_prunes_what_it_made(say: Say, tmp_path: Path) -> None:
    """A changed file changes its objects and shows the lines; `--prune` deletes what no file has any more."""
    folder = tmp_path / "objects"
    say("apply", "-f", str(folder))
    (folder / "rules.yml").write_text(RULES.replace("payload.t AS t", "payload.t AS warm").replace("hot:\n", "warm:\n"))

    kept = say("apply", "-f", str(folder))
    pruned = say("apply", "-f", str(folder / "store.yaml"), "-f", str(folder / "rules.yml"), "--prune")
    assert "1 new; revision" in kept.output
    assert "- rule/hot" in pruned.output
    assert "1 deleted; revision" in pruned.output
    (folder / "rules.yml").write_text((folder / "rules.yml").read_text().replace("warm\n", "cold\n"))
    changed = say("apply", "-f", str(folder), "--dry-run")
    assert re.search(
        r"~ rule/warm\n(.*\n)*  -  SELECT payload.t AS warm\n  \+  SELECT payload.t AS cold\n", changed.output
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rules:\n  x:\n    sql: SELECT\n", r"more\.yaml:3:\d+: rules\.x\.sql"),
        (
            "rules:\n  x: {sql: 'SELECT * FROM \"a\"', actions: [s3:none]}\n",
            r"more\.yaml:2:\d+: rules\.x\.actions\[0\]",
        ),
        ("rule:\n  x: {}\n", r"more\.yaml:1:1: rule: "),
        (
            "connectors: {s3: {b: {host: h, access_key_id: a, secret_access_key: s3same}}}\n",
            r"more\.yaml:1:\d+: .*clear one",
        ),
        (RULES, r"rules\.yml:2:3: rule/hot is in .*more\.yaml:2:3 too"),
        ("pipeline: plant8\n", "expected objects of pipeline 'plant7'"),
        ("- a\n", "expected a mapping"),
    ],
)
def test_what_is_wrong_in_a_file_is_refused_with_its_line(say: Say, tmp_path: Path, text: str, words: str) -> None:
    """A wrong setting, rule, reference or secret is refused with file and line, and nothing of any file is written."""
    (tmp_path / "objects" / "more.yaml").write_text(text)

    refused = [say("apply", "-f", str(tmp_path / "objects"), *more) for more in ([], ["--dry-run"])]
    for each in refused:
        assert isinstance(each.exception, TidegateError)
        assert re.search(words, str(each.exception))
        assert "s3same" not in str(each.exception)
    assert say("export").stdout == "{}\n"


def test_a_revision_comes_back_and_the_history_says_who_did_what(say: Say, tmp_path: Path) -> None:
    """`delete` refuses what others need, and deletes what nobody needs; `history` lists changes and rolls back to one."""
    say("apply", "-f", str(tmp_path / "objects"), "--by", "anna")
    first = int(say("history").stdout.split()[0])
    needed = say("delete", "action/s3/hot")
    say("delete", "rule/hot", "--by", "bert")

    shown = say("history", "rule/hot", "--show").output
    assert "rules.hot.actions" in str(needed.exception)
    assert len(shown.split("apply by anna  +rule/hot")) == len(shown.split("apply by bert  -rule/hot")) == 2
    assert say("history", "--roll-back", str(first), "--dry-run").exit_code == 1
    assert "1 new" in say("history", "--roll-back", str(first), "--by", "carl").output
    assert yaml.safe_load(say("export").stdout) == yaml.safe_load(STORE) | yaml.safe_load(RULES)
    assert "apply by carl  +rule/hot" in say("history").output
    assert say("history", "--roll-back", str(first)).output.startswith("nothing to change")
    assert "no change of 'rule/hott'; there are: " in str(say("history", "rule/hott").exception)
    assert "no revision 99" in str(say("history", "--roll-back=99").exception)
    assert "no revision -5" in str(say("history", "--roll-back=-5").exception)


def test_a_file_moves_to_the_topic(say: Say, tmp_path: Path) -> None:
    """A file with objects and `control` is refused with the command that moves them, and that command moves them."""
    own = tmp_path / "own.yaml"
    own.write_text(own.read_text() + STORE + RULES)

    refused = CliRunner().invoke(app, ["verify", "-c", str(own)])
    moved = say("apply", "-f", str(own))
    assert f"`tidegate apply -c {own} -f {own}`" in str(refused.exception)
    assert "3 new" in moved.output
    assert "3 new" not in say("apply", "-f", str(own), "--dry-run").output


def test_the_configuration_of_an_emqx_is_taken_over(say: Say, tmp_path: Path) -> None:
    """`import` reports, writes what can be taken as one change, and changes nothing when it is run again."""
    source = tmp_path / "cluster.hocon"
    source.write_text(
        'connectors.s3.lake { host = h, access_key_id = a, secret_access_key = "s3same-s3same" }\n'
        'actions.s3.raw { connector = lake, parameters { mode = direct, bucket = iot, key = "${id}" } }\n'
        'rule_engine.rules.hot { sql = "SELECT * FROM \\"t/#\\"", actions = ["s3:raw", "kafka:x"] }\n'
    )
    dry = say("import", str(source), "--dry-run")
    told = say("import", str(source))

    assert dry.exit_code == 1
    assert re.search(r"3 new; revision \d+\n", told.stdout.replace(", nothing is written", ""))
    assert "without its action kafka:x" in told.stdout
    assert "actions:\n    - s3:raw\n" in say("export").stdout
    assert "nothing to change" in say("import", str(source)).stdout
    assert "s3same" not in told.output + dry.output + say("export").output
