"""`tidegate rule test`: tries a rule before it runs, for people and for their CI.

The command evaluates a statement, or a rule of a configuration file, on a context. The context is JSON on the command line, in a
file or on standard input, or comes from live records in Kafka. The command shows the rows and the objects that the actions make
from them, or the error with its place. With a file of cases, it compares each result with the expected one. docs/rule-language.md
describes a case.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import Output, Vectors, group, only_one
from pipeline.cli.waiting import waiting
from pipeline.errors import CommandError, NotFoundError

if TYPE_CHECKING:
    from pipeline.action import CompiledAction, RenderedObject
    from pipeline.config import Config
    from pipeline.rule_trial import Sample, Trial

app = group("Try a rule on an event before it runs.")


@app.command("test")
def try_rule(
    sql: Annotated[str | None, typer.Option(help="SQL statement.", show_default=False)] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Configuration file.", show_default=False)
    ] = None,
    rule: Annotated[str | None, typer.Option(help="Name of a rule in the configuration.", show_default=False)] = None,
    context: Annotated[
        str | None,
        typer.Option(help="Fields of the event as JSON, @FILE, or - for standard input.", show_default=False),
    ] = None,
    from_kafka: Annotated[
        int, typer.Option(min=0, max=10_000, help="Use this many of the newest records instead.")
    ] = 0,
    key: Annotated[str | None, typer.Option(help="Key template to render from each row.", show_default=False)] = None,
    content: Annotated[
        str | None, typer.Option(help="Content template to render from each row.", show_default=False)
    ] = None,
    vectors: Vectors = None,
    output: Output = "text",
) -> None:
    """Try a statement on a context, on live records, or on cases.

    With --rule, the command also shows the object that each action makes from each row alone. An event from --context
    counts as the first record of partition 0, which arrived at its `timestamp`. So keys of aggregated actions name
    partition 0, offset 0 and the window of that time. Schemas are those of the file. Exit status 1 if anything failed.
    """
    from pipeline import rule_trial
    from pipeline.action import schemas_of
    from pipeline.cli.trying import run_cases
    from pipeline.control.whole import load_whole

    only_one({"--vectors": vectors, "--sql": sql, "--rule": rule})
    only_one({"--vectors": vectors, "--context": context, "--from-kafka": from_kafka or None})
    if vectors is not None:
        sys.exit(run_cases(rule_trial.run_rule_vectors, vectors, output))
    settings = load_whole(config, waiting) if config else None
    statement, actions = _what(sql, rule, settings)
    templates = {name: text for name, text in (("key", key), ("content", content)) if text is not None}
    schemas = schemas_of(settings) if settings else None
    statuses = [0]
    for sample in _samples(settings, rule, context, from_kafka):
        trial = rule_trial.try_rule(statement, sample, actions=actions, templates=templates, schemas=schemas)
        statuses.append(_print(trial, sample.fields, output))
    sys.exit(max(statuses))


def _what(sql: str | None, rule: str | None, config: Config | None) -> tuple[str, list[CompiledAction]]:
    """The statement, and the compiled actions that get its rows. Raises ConfigError, which names the rule or setting."""
    from pipeline.action import compile_action, statements_of

    if (sql is None) == (rule is None):
        raise CommandError("expected either --sql STATEMENT, or --config FILE with --rule NAME")
    if sql is not None:
        return sql, []
    if config is None:
        raise CommandError("--rule needs --config")
    if rule not in config.rules:
        raise NotFoundError.among("rule", str(rule), config.rules)
    statement = config.rules[rule].sql
    names = [reference.removeprefix("s3:") for reference in config.rules[rule].actions]
    return statement, [compile_action(config, name, {**statements_of(config, name), rule: statement}) for name in names]


def _samples(config: Config | None, rule: str | None, context: str | None, from_kafka: int) -> Iterator[Sample]:
    """The given event, or the newest records, in the form in which a rule of this name gets them."""
    from pipeline import rule_trial
    from pipeline.action import topic_names_of
    from pipeline.cli.trying import context_of

    known = {"metadata": {"rule_id": rule}} if rule else {}
    if from_kafka:
        if config is None:
            raise CommandError("--from-kafka needs --config, which has the address of Kafka")
        for sample in _newest(config, from_kafka):
            yield sample._replace(fields={**sample.fields, **known})
        return
    names = topic_names_of(config) if config else rule_trial.TRIED_TOPICS
    yield rule_trial.sample_of({**known, **context_of(context)}, time.time_ns() // 1_000_000, names)


def _newest(config: Config, count: int) -> Iterator[Sample]:
    """The newest records of the topics of messages and of events."""
    from pipeline.connectors.kafka.reader import newest
    from pipeline.record import event_columns, is_message, message_reader
    from pipeline.rule_trial import Sample

    read = message_reader(None, config.pipeline)
    with waiting(config.kafka.bootstrap_servers):
        records = newest(config.kafka, count)
    for record in records:
        yield Sample(read(record) if is_message(record) else event_columns(record, config.pipeline), record)


def _print(trial: Trial, fields: Mapping[str, Any], output: str) -> int:
    """Print a trial, and return the exit status."""
    from pipeline.cli.trying import shown
    from pipeline.rule_trial import to_vector

    if output == "jsonl":
        print(_line(trial))
    elif trial.outcome == "error":
        print(f"error: {trial.error}")
    elif trial.outcome == "no_result":
        print("no result: WHERE was false")
    elif trial.outcome == "not_matched":
        print(f"not matched: {_not_matched(fields)}")
    for row, rendered in zip(trial.rows, trial.rendered, strict=True) if output == "text" else ():
        print(json.dumps(to_vector(row), ensure_ascii=False, indent=2))
        for name, made in rendered.objects.items():
            _print_object(name, made)
        for name, text in rendered.texts.items():
            print(f"{name}: {shown(text)}")
    return 1 if trial.outcome == "error" else 0


def _not_matched(fields: Mapping[str, Any]) -> str:
    """Why FROM does not select an event with these fields."""
    from pipeline.record import MESSAGE_EVENT

    if (event := fields.get("event", MESSAGE_EVENT)) != MESSAGE_EVENT:
        return f"FROM does not select the event {event}"
    if "topic" not in fields:
        return "FROM selects by topic or by event, and this one has no `topic` and no `event`"
    return f"FROM does not select the topic {fields['topic']}"


def _print_object(action: str, made: RenderedObject) -> None:
    from pipeline.cli.trying import shown

    print(f"{action} bucket: {made.bucket}")
    print(f"{action} key: {made.key}")
    for header, value in _headers(made).items():
        print(f"{action} {header}: {value}")
    print(f"{action} content: {shown(made.content)}")


def _headers(made: RenderedObject) -> dict[str, str]:
    """The headers without what is secret in the settings."""
    from pipeline.config.base.secrets import SecretText

    return {name: each.shown if isinstance(each, SecretText) else each for name, each in made.headers.items()}


def _line(trial: Trial) -> str:
    from pipeline.rule_trial import to_vector
    from pipeline.sql.runtime.values import text_of

    if trial.outcome == "error":
        return json.dumps({"error": str(trial.error)}, ensure_ascii=False)
    found: dict[str, Any] = {"outcome": trial.outcome, "result": None}
    if trial.outcome == "rows":
        found["result"] = [to_vector(row) for row in trial.rows]
        found["objects"] = [
            {
                name: {**made._asdict(), "content": to_vector(text_of(made.content)), "headers": _headers(made)}
                for name, made in each.objects.items()
            }
            for each in trial.rendered
        ]
        found["rendered"] = [
            {name: to_vector(text_of(text)) for name, text in each.texts.items()} for each in trial.rendered
        ]
    return json.dumps(found, ensure_ascii=False)
