"""The engine of `tidegate rule test` and `tidegate template test`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pipeline.record import Record
from pipeline.rule_trial import (
    Sample,
    from_vector,
    read_cases,
    run_rule_case,
    run_rule_vectors,
    run_template_vectors,
    sample_of,
    summary,
    to_vector,
    try_rule,
)
from pipeline.sql import UNDEFINED, Bits
from pipeline.sql.runtime.schemas import SchemaText
from tests.parts.actions import aggregated, direct

NOW_MS = 1_767_312_000_000
MESSAGE = {"topic": "t/1", "payload": '{"x":1}'}


def written(path: Path, *cases: Any) -> Path:
    path.write_text("\n".join(json.dumps(case) for case in cases), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("statement", "outcome"),
    [
        ('SELECT payload.x AS x FROM "t/#"', "rows"),
        ('SELECT payload.x AS x FROM "t/#" WHERE payload.x = 2', "no_result"),
        ('FOREACH payload.list AS e FROM "t/#"', "no_result"),
        ('SELECT payload.x AS x FROM "u/#"', "not_matched"),
        ('SELECT upper(payload.x) AS x FROM "t/#"', "error"),
        ("SELECT", "error"),
    ],
)
def test_a_trial_says_what_happened(statement: str, outcome: str) -> None:
    """A trial gives rows, no result, another topic, or an error."""
    assert try_rule(statement, sample_of(MESSAGE, NOW_MS)).outcome == outcome


def test_a_trial_renders_templates_from_each_row() -> None:
    """A trial renders key and content of every row as the action would."""
    templates = {"key": "k/${e}.txt", "content": "${.}"}

    trial = try_rule('FOREACH [1,2] AS e DO e FROM "t/#"', sample_of(MESSAGE, NOW_MS), templates=templates)

    assert [each.texts for each in trial.rendered] == [
        {"key": b"k/1.txt", "content": b'{"e":1}'},
        {"key": b"k/2.txt", "content": b'{"e":2}'},
    ]


def test_a_trial_shows_the_object_of_each_action() -> None:
    """A given event is the first record of partition 0 and arrives at its own time."""
    key = "${clientid}/${datetime.rfc3339utc}.jsonl"
    actions = [direct("raw", key="k/${clientid}", content="${x}!"), aggregated("day", key=key)]
    context = {**MESSAGE, "clientid": "c", "timestamp": 1_767_225_600_000}

    trial = try_rule('SELECT clientid, payload.x AS x FROM "t/#"', sample_of(context, NOW_MS), actions=actions)

    (made,) = [each.objects for each in trial.rendered]
    assert made["s3:raw"][:3] == ("sink", "k/c", b"1!")
    assert made["s3:day"][:3] == ("sink", "c/2026-01-01T00_00_00Z-0-0-0.jsonl", b'{"clientid":"c","x":1}\n')


def test_a_record_of_kafka_keeps_its_place_and_time() -> None:
    """The key of a record from Kafka has its place, and "now" is its arrival."""
    sample = Sample(MESSAGE, Record("mqtt.messages", 3, 42, 1_767_225_600_000, b"c", b"", ()))

    trial = try_rule('SELECT now_timestamp() AS now FROM "t/#"', sample, actions=[aggregated(key="k.jsonl")])

    assert trial.rows == [{"now": 1_767_225_600}]
    assert trial.rendered[0].objects["s3:a"].key == "k-3-42-0.jsonl"


def test_a_row_that_an_action_cannot_render_is_an_error_that_names_it() -> None:
    """A row that an action cannot render is an error with the name of the action."""
    action = direct("raw", key="${nothing}", missing="dead_letter")

    trial = try_rule('SELECT 1 AS x FROM "t/#"', sample_of(MESSAGE, NOW_MS), actions=[action])

    assert (trial.outcome, str(trial.error).partition(": ")[0]) == ("error", "s3:raw")


def test_a_trial_knows_schemas_and_leaves_no_tables_behind() -> None:
    """A trial uses the configured schemas, and its tables do not reach other rules."""
    schemas = {"reading": SchemaText("json", '{"required": ["x"]}')}
    sample = sample_of(MESSAGE, NOW_MS)

    checked = try_rule("SELECT schema_check('reading', payload) AS ok FROM \"t/#\"", sample, schemas=schemas)
    try_rule("SELECT kv_store_put('tried', 1) FROM \"t/#\"", sample)
    found = try_rule("SELECT kv_store_get('tried', 0) AS r FROM \"t/#\"", sample)

    assert (checked.rows, found.rows) == ([{"ok": True}], [{"r": 0}])


def test_a_client_event_is_matched_by_its_topic() -> None:
    """The context's `event` decides, with both spellings and with wildcards."""
    context = {"event": "client.connected", "clientid": "c"}

    sample = sample_of(context, NOW_MS)

    assert sample.origin.topic == "mqtt.events"
    assert try_rule('SELECT clientid FROM "$events/client_connected"', sample).outcome == "rows"
    assert try_rule('SELECT clientid FROM "$events/client/+"', sample).outcome == "rows"
    assert try_rule('SELECT clientid FROM "#"', sample).outcome == "not_matched"


def test_a_file_of_cases_is_compared_and_printed(tmp_path: Path) -> None:
    """Each case has its outcome; the summary counts, shows differences and gives the exit code."""
    path = written(
        tmp_path / "cases.jsonl",
        {"id": "good", "sql": 'SELECT 1 AS a FROM "t/#"', "context": MESSAGE, "expect": [{"a": 1}]},
        {"id": "float", "sql": 'SELECT 1.0 AS a FROM "t/#"', "context": MESSAGE, "expect": [{"a": 1}]},
        {"id": "none", "sql": 'SELECT 1 AS a FROM "u"', "context": MESSAGE, "expect": None},
        {"id": "error", "sql": "SELECT", "context": MESSAGE, "expect": {"error": True}},
        {"id": "open", "sql": 'SELECT missing FROM "t/#"', "context": MESSAGE},
    )

    outcomes = run_rule_vectors(path)

    assert [outcome.passed for outcome in outcomes] == [True, False, True, True, None]
    text, code = summary(outcomes)
    assert text.endswith("4 of 5 cases as expected")
    assert 'float\n  expected [{"a": 1}]' in text
    assert code == 1
    lines = [json.loads(outcome.line()) for outcome in outcomes]
    assert lines[0] == {"id": "good", "result": [{"a": 1}]}
    assert lines[2] == {"id": "none", "result": None}
    assert lines[3]["error"].startswith("line 1, column 7")
    assert lines[4]["result"] == [{"missing": {"$undefined": True}}]


def test_a_file_of_templates_is_compared_and_printed(tmp_path: Path) -> None:
    """Templates print their text and what was missing."""
    case = {"id": "t", "template": "${a}${b}", "context": {"a": 1}, "expect": "1undefined", "missing": ["b"]}

    outcomes = run_template_vectors(written(tmp_path / "cases.jsonl", case, {**case, "missing": []}))

    assert [outcome.passed for outcome in outcomes] == [True, False]
    assert json.loads(outcomes[0].line()) == {"id": "t", "result": "1undefined", "missing": ["b"]}


@pytest.mark.parametrize("text", ["no json", "[1]"])
def test_what_is_no_case_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    """The error names the file and the line."""
    path = tmp_path / "cases.jsonl"
    path.write_text(f"\n{text}\n", encoding="utf-8")

    with pytest.raises(ValueError, match=r"cases\.jsonl:2"):
        read_cases(path)


HOSTILE_CASES: dict[str, dict[str, Any]] = {
    "half a surrogate pair": {"context": {"topic": "t", "p": "\ud800"}},
    "no Base64": {"context": {"topic": "t", "p": {"$b64": "!"}}},
    "not a number": {"context": {"topic": "t", "p": float("nan")}},
    "very many digits": {"context": {"topic": "t", "p": -1, "n": 1}, "template": "${(99 ** 99) ** 99 | string}"},
    "no text": {"template": 5, "sql": 5},
    "nothing": {"template": None, "sql": None},
    "no zone": {"env": {"TZ": 5}},
    "an expectation that is not Base64": {"expect": {"$b64": "!"}},
    "an expectation that is not JSON": {"match": "json", "expect": "{"},
    "a number for Base64": {"context": {"topic": "t", "p": {"$b64": 5}}},
    "bytes for a context": {"context": {"$b64": "AA=="}},
    "a list for a context": {"context": []},
    "a map for an event": {"context": {"topic": "t", "event": {}}, "expect": 5},
    "a number for rows": {"expect": 5},
    "numbers for rows": {"expect": [5], "match": "subset"},
    "null for a row": {"expect": [None], "match": "values"},
}


# Cases that can be shown, by templates at least, and fail by what they expect.
SHOWN = {
    "very many digits",
    "an expectation that is not JSON",
    "a map for an event",
    *(each for each in HOSTILE_CASES if "row" in each),
}


@pytest.mark.parametrize("name", HOSTILE_CASES)
@pytest.mark.parametrize("kind", ["template", "sql"])
def test_a_case_that_cannot_be_run_or_shown_is_its_own_error(name: str, kind: str, tmp_path: Path) -> None:
    """The cases before and after it are run, and all of them can be printed."""
    statement = {"template": "${p}", "sql": 'SELECT p FROM "t"'}
    good = {
        kind: statement[kind],
        "context": {"topic": "t", "p": 1},
        "expect": "1" if kind == "template" else [{"p": 1}],
    }
    found = {**good, **HOSTILE_CASES[name], "id": "\ud800"}
    path = written(tmp_path / "cases.jsonl", {**good, "id": "a"}, found, {**good, "id": "z"})

    outcomes = (run_template_vectors if kind == "template" else run_rule_vectors)(path)

    assert [outcome.passed for outcome in outcomes] in ([True, False, True], [True, True, True])
    assert outcomes[1].error or name in SHOWN
    assert all(outcome.line().encode() for outcome in outcomes)
    assert summary(outcomes)[0].encode()


def test_a_case_does_not_leave_its_time_zone_behind() -> None:
    """`env.TZ` holds for one case."""
    before = os.environ.get("TZ")
    case = {
        "id": "zone",
        "sql": 'SELECT unix_ts_to_rfc3339(0) AS r FROM "t/#"',
        "context": MESSAGE,
        "env": {"TZ": "Asia/Tokyo"},
        "expect": [{"r": "1970-01-01T09:00:00+09:00"}],
    }

    assert run_rule_case(case).passed
    assert os.environ.get("TZ") == before


def test_cases_do_not_share_tables() -> None:
    """A value that one case stores is not visible in the next."""
    store = {
        "id": "1",
        "sql": "SELECT kv_store_put('k', 1) AS r FROM \"t/#\"",
        "context": MESSAGE,
        "expect": [{"r": True}],
    }
    read = {**store, "sql": "SELECT kv_store_get('k', 0) AS r FROM \"t/#\"", "expect": [{"r": 0}]}

    assert run_rule_case(store).passed
    assert run_rule_case(read).passed


@pytest.mark.parametrize("value", [b"\xff", UNDEFINED, {"a": [b"\xfe", 1.0, None]}, "text"])
def test_values_that_json_lacks_survive(value: Any) -> None:
    """Bytes and undefined have a form in files of cases."""
    assert from_vector(json.loads(json.dumps(to_vector(value)))) == value


def test_bits_can_be_shown() -> None:
    """A bit sequence that does not fill bytes is printed as digits."""
    assert to_vector(Bits(5, 4)) == {"$bits": "0101"}
