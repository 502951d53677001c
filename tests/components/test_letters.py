"""`tidegate dead-letter` on letters that a worker really wrote."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.components.pipeline_parts import Make, Pipeline, aggregated, direct, message
from tests.parts.waiting import let_pass, wait_until

pytestmark = pytest.mark.real

WRONG = 'SELECT payload.n * 2 AS n, clientid FROM "t/#"'
MENDED = 'SELECT CASE WHEN is_num(payload.n) THEN payload.n * 2 ELSE 0 END AS n, clientid, payload.at AS at FROM "t/#"'


def failed(make: Make, bucket: str) -> Pipeline:
    """Of a hundred messages of five clients every other one cannot be evaluated by one of two actions."""
    pipeline = make(
        actions={"one": aggregated(bucket, "one/x.jsonl"), "two": aggregated(bucket, "two/x.jsonl")},
        rules={"wrong": (WRONG, ["one"]), "good": ('SELECT payload.at AS at FROM "t/#"', ["two"])},
    )
    pipeline.prepare(bucket)
    payloads = [{"at": number, "n": number if number % 2 else "?"} for number in range(100)]
    pipeline.produce([message(f"c{each['at'] % 5}", json.dumps(each).encode()) for each in payloads])
    worker = pipeline.worker()
    for action in ("one", "two"):
        pipeline.wait_for_no_lag(action)
    worker.stop()
    return pipeline


def test_letters_can_be_listed_counted_and_shown(make: Make) -> None:
    """With their place, their cause, and the record as it was."""
    pipeline = failed(make, "letters-listed")

    listed = pipeline.command("dead-letter", "list", "--output", "jsonl")
    summary = pipeline.command("dead-letter", "list", "--summary")
    found = [json.loads(line) for line in listed.stdout.splitlines()]
    shown = json.loads(pipeline.command("dead-letter", "show", found[0]["place"]).stdout)
    none = pipeline.command("dead-letter", "list", "--since", "2030-01-01")

    assert len(found) == 50
    assert {(each["action"], each["rule"], each["cause"]) for each in found} == {("one", "wrong", "evaluation")}
    assert "payload.n * 2" in found[0]["error"]
    assert summary.stdout.split()[:3] == ["50", "one/wrong", "evaluation"]
    assert json.loads(shown["value"])["n"] == "?"
    assert shown["headers"]["topic"] == f"t/{shown['key']}"
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "no dead letters\n")


def test_a_name_that_nothing_has_is_told(make: Make) -> None:
    """A mistyped action or rule has no dead letters. Whoever asks for them is told which there are."""
    pipeline = failed(make, "letters-names")

    for command in (["list"], ["list", "--summary"], ["redrive", "--dry-run"]):
        of_action = pipeline.command("dead-letter", *command, "--action", "onne")
        of_rule = pipeline.command("dead-letter", *command, "--rule", "good2")

        assert (of_action.returncode, of_rule.returncode) == (2, 2)
        assert "no dead letters, and no action 'onne'; there are: one, two" in of_action.stderr
        assert "no dead letters, and no rule 'good2'; there are: wrong, good" in of_rule.stderr


def test_letters_that_are_sent_again_arrive_once_where_they_were_missing(make: Make) -> None:
    """After the rule was mended: in order of each client, no second row in the action that had no trouble, and only once."""
    pipeline = failed(make, "letters-again")
    pipeline.rules["wrong"] = (MENDED, ["one"])

    dry = pipeline.command("dead-letter", "redrive", "--dry-run")
    sent = pipeline.command("dead-letter", "redrive", "--action", "one", "--cause", "evaluation")
    again = pipeline.command("dead-letter", "redrive")
    wait_until(lambda: _handles_all(pipeline, "one", "two"), 60, pipeline.tails)  # to the second one nothing arrived

    assert dry.stdout.strip() == "would send 50 dead letters again", dry.stderr
    assert sent.stdout.strip() == "sent 50 dead letters again", sent.stderr
    assert again.stdout.strip() == "sent 0 dead letters again", again.stderr
    contents = pipeline.objects("letters-again")
    rows = [json.loads(line) for key, text in contents.items() if key.startswith("one/") for line in text.splitlines()]
    others = [line for key, text in contents.items() if key.startswith("two/") for line in text.splitlines()]
    assert len(rows) == 100
    assert len(others) == 100
    late = [row for key in sorted(contents) if key.startswith("one/") for row in _late(contents[key])]
    for client in {row["clientid"] for row in late}:
        times = [row["at"] for row in late if row["clientid"] == client]
        assert times == sorted(times)
    assert pipeline.command("verify").returncode == 0


def _late(text: bytes) -> list[dict[str, object]]:
    """Rows of letters that were sent again: the first rule gave no `at`."""
    return [row for row in map(json.loads, text.splitlines()) if "at" in row]


def rows_of(pipeline: Pipeline, bucket: str, prefix: str) -> list[dict[str, Any]]:
    """All rows below a prefix; an object of direct upload is one."""
    keys = [key for key in pipeline.keys(bucket) if key.startswith(prefix)]
    return [json.loads(line) for content in pipeline.objects(bucket, keys).values() for line in content.splitlines()]


def sent_again(pipeline: Pipeline, *options: str) -> str:
    """The last line of `redrive`."""
    done = pipeline.command("dead-letter", "redrive", *options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def redrive_and_kill(pipeline: Pipeline) -> None:
    """A run that is killed as soon as the first record of it is in Kafka."""
    before = sum(pipeline.ends().values())
    command = [sys.executable, "-m", "pipeline.cli", "dead-letter", "redrive", "-c", str(pipeline.config())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as run:
        wait_until(
            lambda: run.poll() is not None or sum(pipeline.ends().values()) > before,
            60,
            lambda: "no record is sent again",
        )
        run.kill()


def test_letters_of_workers_that_were_killed_are_written_once(make: Make) -> None:
    """Two kills leave three letters of each failure. A killed redrive, two more and one `--again` later each row is there once.

    Of each record one rule fails and another does not, in an aggregated and in a direct action.
    """
    bucket = "letters-killed"
    pipeline = make(
        actions={
            "rows": aggregated(bucket, "rows/x.jsonl", seconds=600),
            "each": direct(bucket, "each/${id}-${rule}.json", content="${.}"),
        },
        rules={
            "wrong": (WRONG.replace("SELECT", "SELECT id, 'wrong' AS rule,"), ["rows", "each"]),
            "good": ("SELECT id, payload.at AS at, 'good' AS rule FROM \"t/#\"", ["rows", "each"]),
        },
        kafka_settings={"session_timeout": "10s"},  # a worker that loses its session writes its letters once more
    )
    pipeline.prepare(bucket)
    payloads = [{"at": number, "n": "?" if number % 3 == 0 else number} for number in range(120)]
    pipeline.produce([message(f"c{each['at'] % 5}", json.dumps(each).encode()) for each in payloads])
    for kills in (1, 2):
        worker = pipeline.worker()
        wait_until(lambda kills=kills: _letters_of(pipeline, "rows") >= 40 * kills, 60, pipeline.tails)  # type: ignore[misc]
        worker.kill()
    pipeline.rules["wrong"] = MENDED.replace("SELECT", "SELECT id, 'wrong' AS rule,"), ["rows", "each"]
    pipeline.worker()
    pipeline.wait_for_no_lag("each")
    wait_until(lambda: _letters_of(pipeline, "rows") >= 120, 60, pipeline.tails)
    pipeline.stop()

    listed = pipeline.command("dead-letter", "list", "--action", "rows", "--output", "jsonl")
    planned = sent_again(pipeline, "--action", "rows", "--dry-run")
    redrive_and_kill(pipeline)
    first, second, again = sent_again(pipeline), sent_again(pipeline), sent_again(pipeline, "--again")
    wait_until(lambda: _handles_all(pipeline, "each", "rows"), 60, pipeline.tails)

    assert planned == "would send 40 dead letters again, left out 80 whose rows are not missing"
    assert [json.loads(line)["copies"] for line in listed.stdout.splitlines()] == [3] * 40
    assert second == "sent 0 dead letters again", first
    assert again.startswith("sent "), again
    expected = sorted((each["at"], rule) for each in payloads for rule in ("good", "wrong"))
    for prefix in ("rows/", "each/"):
        found = rows_of(pipeline, bucket, prefix)
        assert len({row["id"] for row in found}) == 120
        assert sorted((row.get("at", row.get("n", 0) // 2), row["rule"]) for row in found) == expected
    proof = pipeline.command("verify", "--deep")
    assert proof.returncode == 0, proof.stdout + proof.stderr


def _letters_of(pipeline: Pipeline, action: str) -> int:
    """How many letters of an action are in the topic, copies counted."""
    found = [dict(letter.headers() or ()) for letter in pipeline.dead_letters()]
    return sum(headers.get("dead_letter.action") == action.encode() for headers in found)


def test_a_place_that_is_none_is_refused(make: Make) -> None:
    """One line, and exit status 2."""
    pipeline = failed(make, "letters-place")

    found = [pipeline.command("dead-letter", "show", place) for place in ("nonsense", "0:999999")]

    assert [each.returncode for each in found] == [2, 2]
    assert "expected partition:offset" in found[0].stderr
    assert "no dead letter at '0:999999'" in found[1].stderr


def _handles_all(pipeline: Pipeline, first: str, other: str) -> bool:
    """Run a worker and stop it, which ends the other action's cut. Whether nothing is left to read then.

    A worker that stops enters what it has read. The first action may be at the end before the other has read anything.
    """
    pipeline.worker()
    pipeline.wait_for_no_lag(first)
    let_pass(3, unless=lambda: pipeline.lag(other) == 0)
    pipeline.stop()
    return pipeline.lag(other) == 0
