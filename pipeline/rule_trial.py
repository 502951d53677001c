"""Tries rules and templates without a broker: one statement on one context, or a whole file of cases.

A file of cases is JSON Lines in the form of `docs/rule-language.md`. The results are values. The command line prints them, and
reads contexts from Kafka.

    rule case      {"id", "sql", "context", "expect"?, "approx"?, "match"?: "subset" | "values", "env"?: {"TZ": …}}
    template case  {"id", "template", "context", "expect"?, "match"?: "json", "missing"?}

Values that JSON lacks are written `{"$b64": "…"}` for bytes and `{"$undefined": true}`.
"""

from __future__ import annotations

import base64
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from pipeline.action import CompiledAction, RenderedObject, TopicNames
from pipeline.errors import RecordError, TidegateError
from pipeline.record import EVENT_TOPICS, MESSAGE_EVENT, Record
from pipeline.rule.rule_set import context_with
from pipeline.sql import UNDEFINED, Bits, Context, Event, Program, Row, compile_statement
from pipeline.sql.runtime.schemas import SchemaText
from pipeline.sql.runtime.values import octets, text_of
from pipeline.template import Missing, Template
from pipeline.topics import matches

CASES_MAX = 100_000
TRIED_TOPICS: Final = TopicNames("mqtt.messages", "mqtt.events")


@dataclass(slots=True)
class Outcome:
    """The outcome of one case.

    `result` has a meaning only if `error` is empty. `passed` is None for a case without `expect`.
    """

    id: str
    result: Any = None
    error: str = ""
    missing: list[str] | None = None
    expected: Any = None
    passed: bool | None = None

    def line(self) -> str:
        """The case as one line of `--output jsonl`."""
        found: dict[str, Any] = {"id": self.id}
        found |= {"error": self.error} if self.error else {"result": to_vector(self.result)}
        if self.missing is not None and not self.error:
            found["missing"] = self.missing
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


class Sample(NamedTuple):
    """An event to try a rule on: its fields in the form for rules, and its record in Kafka."""

    fields: Mapping[str, Any]
    origin: Record


class RenderedRow(NamedTuple):
    """The results of one row: an object by the name of each action, and the text of each requested template."""

    objects: dict[str, RenderedObject]
    texts: dict[str, bytes]


@dataclass(slots=True)
class Trial:
    """The result of one statement on one event.

    `outcome`: `rows`, `no_result` (WHERE was false or FOREACH kept nothing), `not_matched` (FROM names other topics),
    or `error`. `rendered` has one item for each row that was rendered.
    """

    outcome: str
    rows: list[Row] = field(default_factory=list)
    rendered: list[RenderedRow] = field(default_factory=list)
    error: TidegateError | None = None


# --- One statement


def sample_of(context: Mapping[str, Any], now_ms: int, topic_names: TopicNames = TRIED_TOPICS) -> Sample:
    """An event that is not in Kafka, as the first record of partition 0.

    It arrived at its own `timestamp`, or at `now_ms` if it has none. `context` has the form of `from_vector`.
    """
    timestamp = context.get("timestamp")
    arrived = timestamp if type(timestamp) is int else now_ms
    of_message = context.get("event", MESSAGE_EVENT) == MESSAGE_EVENT
    topic = topic_names.messages if of_message else topic_names.events
    return Sample(context, Record(topic, 0, 0, arrived, b"", b"", ()))


def try_rule(
    statement: str,
    sample: Sample,
    *,
    actions: Iterable[CompiledAction] = (),
    templates: Mapping[str, str] | None = None,
    missing: Missing = "undefined",
    schemas: Mapping[str, SchemaText] | None = None,
    rendered_max: int = sys.maxsize,
) -> Trial:
    """Evaluate `statement` on an event, and render the objects of `actions` and the `templates` (by name) from each
    row, or from the first `rendered_max` rows.

    Pure: tables such as kv_store begin empty, and "now" is the event's arrival. The Trial holds errors.
    """
    try:
        program = compile_statement(statement, context_with(schemas or {}, Context()))
        parsed = {name: Template(text, missing=missing) for name, text in (templates or {}).items()}
        if not selects(program, sample.fields):
            return Trial("not_matched")
        rows = program.evaluate(Event(dict(sample.fields), sample.origin.timestamp, sample.origin))
        if not rows:
            return Trial("no_result")
        compiled = list(actions)
        rendered = [
            RenderedRow(
                {f"s3:{action.name}": _object_of(action, row, sample.origin) for action in compiled},
                {name: template.render(row) for name, template in parsed.items()},
            )
            for row in rows[:rendered_max]
        ]
    except TidegateError as error:
        return Trial("error", error=error)
    return Trial("rows", rows, rendered)


def _object_of(action: CompiledAction, row: Row, origin: Record) -> RenderedObject:
    try:
        return action.object_of(row, origin)
    except RecordError as error:
        raise type(error)(f"s3:{action.name}: {error}") from error


def _event_of(context: Mapping[str, Any], number: int) -> Event:
    """The event of a case; it arrives at the present time."""
    return Event(dict(context), time.time_ns() // 1_000_000, ("rule-test", 0, number))


def selects(program: Program, context: Mapping[str, Any]) -> bool:
    """Whether FROM names the topic of a message, or one of the topics of a client event."""
    event = str(context.get("event", MESSAGE_EVENT))
    message = (str(context.get("topic", "")),)
    topics = message if event == MESSAGE_EVENT else EVENT_TOPICS.get(event, (event,))
    return any(_selects(source, topic) for source in program.topics for topic in topics)


def _selects(source: str, topic: str) -> bool:
    if source.startswith("$bridges/") and source.endswith(":*"):
        return topic.startswith(source[:-1])
    return matches(source, topic)


# --- Files of cases


def read_cases(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The cases of a JSON Lines file. If a line is not a case, raises ValueError with its number."""
    cases: list[dict[str, Any]] = []
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").split("\n"), 1):
        if not line.strip():
            continue
        try:
            case = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}:{number}: not JSON: {error}") from None
        if not isinstance(case, dict):
            raise ValueError(f"{path}:{number}: expected an object")
        cases.append({"id": f"line {number}", **case})
        if len(cases) > CASES_MAX:
            raise ValueError(f"{path}: more than {CASES_MAX} cases")
    return cases


def run_rule_vectors(path: str | os.PathLike[str]) -> list[Outcome]:
    """The outcome of each rule case of a file, in order."""
    return [run_rule_case(case, number) for number, case in enumerate(read_cases(path))]


def run_template_vectors(path: str | os.PathLike[str]) -> list[Outcome]:
    """The outcome of each template case of a file, in order."""
    return [run_template_case(case) for case in read_cases(path)]


def run_rule_case(case: Mapping[str, Any], number: int = 0) -> Outcome:
    """Run one rule case. It has its own tables of keys, so cases do not affect each other."""

    def result(outcome: Outcome) -> None:
        context = _context_of(case)
        # A case tests the language itself: as in EMQX, a filter that can never match selects nothing.
        program = compile_statement(_text_of_case(case, "sql"), Context(), any_source=True)
        if selects(program, context):
            outcome.result = program.evaluate(_event_of(context, number))

    return _run(case, result, _rule_passed)


def run_template_case(case: Mapping[str, Any]) -> Outcome:
    """Run one template case."""

    def result(outcome: Outcome) -> None:
        template = Template(_text_of_case(case, "template"))
        text, outcome.missing = template.render_checked(_context_of(case))
        outcome.result = text_of(text)

    return _run(case, result, _template_passed)


def _run(
    case: Mapping[str, Any],
    result: Callable[[Outcome], None],
    passed: Callable[[Mapping[str, Any], Outcome], bool],
) -> Outcome:
    """The outcome of a case. What is wrong with it, with its result or with what it expects is its own error."""
    outcome = Outcome(printable(str(case["id"])), expected=case.get("expect"))
    try:
        with _zone(_zone_of(case)):
            result(outcome)
        outcome.line().encode()
    except (TidegateError, ValueError, ArithmeticError, RecursionError) as error:
        # Not JSON: half a surrogate pair, an integer of very many digits, or lists that nest very deeply.
        outcome.result, outcome.error = None, printable(str(error) or type(error).__name__)
    if "expect" in case:
        try:
            outcome.passed = passed(case, outcome)
        except (ValueError, ArithmeticError, RecursionError) as error:
            outcome.passed, outcome.error = False, printable(f"what the case expects cannot be compared: {error}")
    return outcome


def _text_of_case(case: Mapping[str, Any], name: str) -> str:
    found = case.get(name)
    if not isinstance(found, str):
        raise ValueError(
            f"expected the field {name} with text, found {'nothing' if found is None else repr(found)[:80]}"
        )
    return found


def _context_of(case: Mapping[str, Any]) -> dict[str, Any]:
    found = from_vector(case.get("context", {}))
    if not isinstance(found, dict):
        raise ValueError(f"expected an object as the context, found {found!r:.80}")
    return found


def _zone_of(case: Mapping[str, Any]) -> str | None:
    env = case.get("env") or {}
    zone = env.get("TZ") if isinstance(env, dict) else env
    if zone is not None and (not isinstance(zone, str) or "\0" in zone):
        raise ValueError(f'expected env {{"TZ": "the name of a time zone"}}, found {case["env"]!r}')
    return zone


def summary(outcomes: Iterable[Outcome]) -> tuple[str, int]:
    """The differences, with a last line of counts, and the exit code, which is 1 if any case differs."""
    lines, total, failed = [], 0, 0
    for outcome in outcomes:
        total += 1
        if outcome.passed is False:
            failed += 1
            found = {"error": outcome.error} if outcome.error else to_vector(outcome.result)
            lines.append(f"{outcome.id}\n  expected {_json(outcome.expected)}\n  found    {_json(found)}")
            if outcome.missing:
                lines.append(f"  missing  {_json(outcome.missing)}")
    lines.append(f"{total - failed} of {total} cases as expected")
    return "\n".join(lines), 1 if failed else 0


@contextmanager
def _zone(name: str | None) -> Iterator[None]:
    """Set the time zone of the process while a case runs."""
    before = os.environ.get("TZ")
    if name is not None:
        _set_zone(name)
    try:
        yield
    finally:
        if name is not None:
            _set_zone(before)


def _set_zone(name: str | None) -> None:
    if name is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = name
    time.tzset()


# --- Comparing


def _rule_passed(case: Mapping[str, Any], outcome: Outcome) -> bool:
    expected = case["expect"]
    if isinstance(expected, dict) and expected.get("error"):
        return bool(outcome.error)
    if outcome.error or expected is None or outcome.result is None:
        return not outcome.error and expected is outcome.result
    rows = from_vector(expected)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"expected a list of rows, found {rows!r:.80}")
    found, wanted = _as_matched(outcome.result, rows, case.get("match"))
    return alike(found, wanted, approx=bool(case.get("approx")))


def _as_matched(found: list[Row], wanted: list[Row], match: str | None) -> tuple[list[Any], list[Any]]:
    """The parts of rows to compare: all, their values in order, or only the expected keys."""
    if match == "values":
        return [list(row.values()) for row in found], [list(row.values()) for row in wanted]
    if match == "subset" and len(wanted) == len(found):
        pairs = zip(found, wanted, strict=True)
        return [{key: row[key] for key in part if key in row} for row, part in pairs], wanted
    return found, wanted


def _template_passed(case: Mapping[str, Any], outcome: Outcome) -> bool:
    expected = case["expect"]
    if isinstance(expected, dict) and expected.get("error"):
        return bool(outcome.error)
    if outcome.error or outcome.missing != case.get("missing", outcome.missing):
        return False
    if case.get("match") == "json":
        return alike(json.loads(octets(outcome.result)), json.loads(expected) if type(expected) is str else expected)
    return alike(outcome.result, from_vector(expected))


def alike(found: Any, wanted: Any, *, approx: bool = False) -> bool:
    """Whether two values have the same type and value. With `approx`, floats may differ by 1e-9."""
    if type(found) is not type(wanted):
        return False
    if isinstance(wanted, dict):
        return found.keys() == wanted.keys() and all(alike(found[k], wanted[k], approx=approx) for k in wanted)
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(alike(f, w, approx=approx) for f, w in zip(found, wanted, strict=True))
    if approx and isinstance(wanted, float):
        return math.isclose(found, wanted, rel_tol=1e-9)
    return bool(found == wanted)


# --- Values that JSON lacks


def from_vector(value: Any) -> Any:
    """A value from a file of cases as a value of the language.

    Raises ValueError for broken Base64, and for what Python reads as JSON and the language does not have: NaN, infinities, and
    halves of surrogate pairs.
    """
    if isinstance(value, dict):
        if value.keys() == {"$b64"}:
            return text_of(base64.b64decode(str(value["$b64"]), validate=True))
        if value == {"$undefined": True}:
            return UNDEFINED
        return {from_vector(key): from_vector(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [from_vector(inner) for inner in value]
    if isinstance(value, str):
        value.encode()  # raises for half a surrogate pair
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"expected a finite number, found {value}")
    return value


def to_vector(value: Any) -> Any:
    """The reverse of `from_vector`, for printing."""
    if isinstance(value, dict):
        return {key: to_vector(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [to_vector(inner) for inner in value]
    if isinstance(value, bytes):
        return {"$b64": base64.b64encode(value).decode()}
    if value is UNDEFINED:
        return {"$undefined": True}
    if isinstance(value, Bits):
        return {"$bits": f"{value.value:0{value.size}b}"}
    return value


def printable(text: str) -> str:
    """A text with halves of surrogate pairs escaped, which no terminal takes."""
    return text.encode(errors="backslashreplace").decode()


def _json(value: Any) -> str:
    return printable(json.dumps(value, ensure_ascii=False))
