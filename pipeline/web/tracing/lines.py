"""What a trace says of one record: each rule that selects it, its result or its error, and the object that each action renders.

The lines have EMQX's words. Nothing is written, so the last line of an action says that it stopped after rendering. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from pipeline.action import CompiledAction, compile_action, schemas_of, statements_of
from pipeline.config import Config
from pipeline.errors import EvaluationError, RecordError, RenderError, TidegateError
from pipeline.record import Record, event_columns, is_message, message_reader
from pipeline.rule_trial import RenderedRow, Sample, Trial, to_vector, try_rule
from pipeline.sql.runtime.values import text_of
from pipeline.web.objects.drafts import TRIED, text_shown

Line = dict[str, Any]
ROWS_MAX: Final = 20  # of one record
STOPPED: Final = "action_stopped_after_template_rendering"


def sample_of_record(config: Config, record: Record) -> Sample | None:
    """The event of a record; None if it cannot be read as one."""
    try:
        read = message_reader(None, config.pipeline) if is_message(record) else None
        return Sample(read(record) if read else event_columns(record, config.pipeline), record)
    except RecordError:
        return None


def lines_of_rule(config: Config, id: str, sample: Sample) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Level, message and facts of each line about one rule. None if the rule does not select the event."""
    rule = config.rules[id]
    try:
        actions = [_compiled(config, reference.partition(":")[2], rule.sql) for reference in rule.actions]
    except TidegateError as error:
        yield "error", "apply_rule_failed", {"rule_id": id, "reason": str(error)}
        return
    trial = try_rule(rule.sql, sample, actions=actions, schemas=schemas_of(config), rendered_max=ROWS_MAX)
    if trial.outcome == "not_matched":
        return
    about = {"rule_id": id, "rule_trigger_ts": [sample.origin.timestamp], "clientid": to_vector(_clientid(sample))}
    yield "debug", "rule_activated", {**about, "input": _plain(sample.fields)}
    yield from _lines_of_trial(config, trial, about)


def _lines_of_trial(
    config: Config, trial: Trial, about: Mapping[str, Any]
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    if trial.error is not None:
        word = "action_failed" if isinstance(trial.error, RenderError) else "apply_rule_failed"
        word = "SELECT_clause_exception" if isinstance(trial.error, EvaluationError) else word
        yield "error", word, {**about, "reason": str(trial.error)}
        return
    if not trial.rows:
        yield "debug", "SQL_yielded_no_result", about
        return
    yield "debug", "SQL_yielded_result", {**about, "result": [_plain(row) for row in trial.rows[:ROWS_MAX]]}
    for rendered in trial.rendered:
        yield from _lines_of_row(config, rendered, about)


def _lines_of_row(
    config: Config, rendered: RenderedRow, about: Mapping[str, Any]
) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for id, each in rendered.objects.items():
        type_, _, name = id.partition(":")
        facts = {**about, "action_info": {"type": type_, "name": name}}
        if not config.actions.s3[name].enable:
            yield "warning", "out_of_service", {**facts, "reason": "the action is disabled"}
            continue
        made = {"bucket": each.bucket, "key": each.key, "content": text_shown(each.content)}
        yield "debug", "action_template_rendered", {**facts, "result": made}
        yield "debug", STOPPED, {**facts, "reason": "a trace writes nothing"}


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields as JSON. Bytes that are text are shown as text."""
    return {str(name): to_vector(text_of(each) if isinstance(each, bytes) else each) for name, each in fields.items()}


def _clientid(sample: Sample) -> Any:
    return sample.fields.get("clientid", "")


@lru_cache(maxsize=200)
def _compiled_once(key: tuple[int, str, str], config: _Held) -> CompiledAction:
    _, name, sql = key
    return compile_action(config.it, name, {**statements_of(config.it, name), TRIED: sql})


class _Held:
    """A configuration as an argument of a cache: all with the same revision are equal."""

    def __init__(self, config: Config) -> None:
        self.it = config

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and other.it.revision == self.it.revision and other.it is self.it

    def __hash__(self) -> int:
        return self.it.revision


def _compiled(config: Config, name: str, sql: str) -> CompiledAction:
    return _compiled_once((config.revision, name, sql), _Held(config))
