"""Objects that are not stored: what would refuse them, what `check` would warn of, and what they make of an event. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pipeline.action import CompiledAction, compile_action, schemas_of, statements_of, topic_names_of, warnings
from pipeline.config import Config
from pipeline.config.text.problems import dotted
from pipeline.control.objects import Change, Snapshot, after, checked
from pipeline.errors import ConfigError, SqlError
from pipeline.rule.events import SAMPLED_MS, fields_of
from pipeline.rule.rule_set import context_with
from pipeline.rule_trial import Sample, Trial, from_vector, sample_of, to_vector, try_rule
from pipeline.sql import Context, compile_statement
from pipeline.web.answers import problem_of
from pipeline.web.objects.forms import restored, settings_of
from pipeline.web.objects.kinds import KINDS
from pipeline.web.objects.rules import settings_of_rule

CONTENT_SHOWN_MAX: Final = 64 * 1024  # bytes of an object's content
ROWS_SHOWN_MAX: Final = 100
TRIED: Final = "tried"  # the name of a draft that has none yet


class Draft:
    """One object as a body describes it: its key in the topic, its path in the configuration, its settings."""

    def __init__(
        self, key: str, path: str, settings: Mapping[str, Any], beside: Mapping[str, Any] | None = None
    ) -> None:
        self.key = key
        self.path = path
        self.settings = settings
        self._beside = beside or {}  # other objects that are not stored either

    def whole(self, snapshot: Snapshot) -> Config:
        """The configuration if this were stored. Raises ConfigError."""
        return checked(snapshot.config, after(snapshot.objects, Change({**self._beside, self.key: self.settings})))


def action_of(snapshot: Snapshot, body: Mapping[str, Any], sql: str = "") -> Draft:
    """The draft of an action. `sql` feeds it as long as no stored rule does. Raises ConfigError."""
    kind = KINDS["actions"]
    type_, name = kind.new_place(body.get("type"), body.get("name") or TRIED)
    stored = next((each for each in kind.all(snapshot.config) if (each.type, each.name) == (type_, name)), None)
    settings = restored(settings_of(body, kind.types[type_]), stored.section if stored else None)
    id = f"{type_}:{name}"
    fed = any(id in rule.actions for rule in snapshot.config.rules.values())
    beside = {f"rule/{TRIED}": {"sql": sql, "actions": [id]}} if sql and not fed else {}
    return Draft(kind.key(type_, name), kind.path(type_, name), settings, beside)


def rule_of(snapshot: Snapshot, body: Mapping[str, Any]) -> Draft:
    """The draft of a rule."""
    id = str(body.get("id") or TRIED)
    stored = snapshot.objects.get(f"rule/{id}")
    return Draft(f"rule/{id}", f"rules.{id}", {**(stored.value if stored else {}), **settings_of_rule(id, body)})


def findings(snapshot: Snapshot, draft: Draft) -> dict[str, Any]:
    """What is wrong with a draft, and what is only worth a look: a path in it, and a sentence."""
    try:
        config = draft.whole(snapshot)
    except ConfigError as error:
        return {"errors": [problem_of(each, draft.path) for each in error.parts or [error]], "warnings": []}
    found = [
        {"path": dotted(each.path).removeprefix(draft.path).removeprefix("."), "reason": each.message}
        for each in warnings(config)
        if dotted(each.path).startswith(draft.path)
    ]
    return {"errors": [], "warnings": found}


# --- A statement on an event, with its actions


def sampled(config: Config, context: Any, known: Mapping[str, Any] | None = None) -> Sample:
    """The event of a context, as a record of this pipeline; `known` replaces fields. Raises ConfigError with a path."""
    if not isinstance(context, dict):
        raise ConfigError("expected an object with event_type and the columns of the event", where="root.context")
    try:
        fields = from_vector({**fields_of(context), **(known or {}), "node": config.pipeline})
    except ValueError as error:
        raise ConfigError(str(error), where="root.context") from None
    return sample_of(fields, SAMPLED_MS, topic_names_of(config))


def tried(snapshot: Snapshot, sql: str, sample: Sample, actions: Iterable[Any]) -> dict[str, Any]:
    """What a statement and its actions make of an event. Raises ConfigError for what cannot be tried at all."""
    return _shown(trier(snapshot, sql, actions)(sample))


def trier(snapshot: Snapshot, sql: str, actions: Iterable[Any]) -> Callable[[Sample], Trial]:
    """What tries a statement and its actions on an event. Raises ConfigError for what cannot be tried at all."""
    schemas = schemas_of(snapshot.config)
    try:
        compile_statement(sql, context_with(schemas, Context()))
    except SqlError as error:
        wrong = Trial("error", error=error)
        return lambda sample: wrong
    compiled = [_compiled(snapshot, sql, each) for each in actions]
    return lambda sample: try_rule(sql, sample, actions=compiled, schemas=schemas, rendered_max=ROWS_SHOWN_MAX)


def tried_live(attempt: Callable[[Sample], Trial], sample: Sample) -> dict[str, Any] | None:
    """What an attempt makes of a record of Kafka; None if the statement's FROM selects other topics."""
    record, trial = sample.origin, attempt(sample)
    if trial.outcome == "not_matched":
        return None
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    return {"at": record.timestamp, **place, "event": to_vector(sample.fields), **_shown(trial)}


def _compiled(snapshot: Snapshot, sql: str, action: Any) -> CompiledAction:
    """A stored action by its id, or one that a body describes, fed by this statement. Raises ConfigError or SqlError."""
    config = snapshot.config
    if isinstance(action, str):
        name = KINDS["actions"].found(config, action).name
    elif isinstance(action, dict):
        draft = action_of(snapshot, action)
        config, name = draft.whole(snapshot), draft.key.rpartition("/")[2]
    else:
        raise ConfigError("expected the ids of actions, or their bodies", where="root.actions")
    return compile_action(config, name, {**statements_of(config, name), TRIED: sql})


def _shown(trial: Trial) -> dict[str, Any]:
    return {
        "outcome": trial.outcome,
        "rows": [to_vector(row) for row in trial.rows[:ROWS_SHOWN_MAX]],
        "rendered": [
            [
                {"action": id, "bucket": each.bucket, "key": each.key, "content": text_shown(each.content)}
                for id, each in row.objects.items()
            ]
            for row in trial.rendered
        ],
        "error": _error(trial),
    }


def _error(trial: Trial) -> dict[str, Any] | None:
    if trial.error is None:
        return None
    place = {"line": trial.error.line, "column": trial.error.column} if isinstance(trial.error, SqlError) else {}
    return {"message": str(trial.error), **place}


def text_shown(content: bytes) -> str:
    """The beginning of a content, for people. What is not text is only named."""
    shown = content[:CONTENT_SHOWN_MAX].decode("utf-8", "ignore")
    is_text = len(shown.encode()) >= min(len(content), CONTENT_SHOWN_MAX) - 3  # a letter may be cut at the end
    return (
        shown if is_text and all(each.isprintable() or each in "\r\n\t" for each in shown) else f"{len(content)} bytes"
    )
