"""`tidegate rule test`: rules tried before they run, by people and by their CI.

A statement, or a rule of a configuration file, is evaluated on a context: given as JSON, read from a file or standard input, or
taken from live records in Kafka. Shown are the rows and what the actions' templates make of them, or the error with its place.
With a file of cases, each is compared with what it expects. What a case is: docs/rule-language.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli.options import Output, Vectors, group
from pipeline.errors import CommandError, NotFoundError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.rule_trial import Trial

app = group("Try a rule on an event before it runs.")


@app.command("test")
def try_rule(
    sql: Annotated[str | None, typer.Option(help="The statement.", show_default=False)] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Configuration file.", show_default=False)
    ] = None,
    rule: Annotated[str | None, typer.Option(help="A rule of the configuration.", show_default=False)] = None,
    context: Annotated[
        str | None, typer.Option(help="Fields of the event as JSON; @FILE; - for standard input.", show_default=False)
    ] = None,
    from_kafka: Annotated[int, typer.Option(min=0, max=10_000, help="Try the newest so many records instead.")] = 0,
    key: Annotated[str | None, typer.Option(help="Key template to render from each row.", show_default=False)] = None,
    content: Annotated[str | None, typer.Option(help="Content template likewise.", show_default=False)] = None,
    vectors: Vectors = None,
    output: Output = "text",
) -> None:
    """Evaluate a statement on a context, on live records, or on a file of cases.

    Exit status 1 if anything failed.
    """
    from pipeline import rule_trial
    from pipeline.cli.trying import context_of, run_cases
    from pipeline.config import load_file

    if vectors is not None:
        sys.exit(run_cases(rule_trial.run_rule_vectors, vectors, output))
    settings = load_file(config) if config else None
    statement, templates = _what(sql, rule, settings)
    templates |= {name: text for name, text in (("key", key), ("content", content)) if text is not None}
    if from_kafka:
        if settings is None:
            raise CommandError("--from-kafka needs --config, which says where Kafka is")
        contexts = _sample(settings, from_kafka)
    else:
        contexts = iter([context_of(context)])
    sys.exit(max([_try(statement, each, templates, output) for each in contexts], default=0))


def _what(sql: str | None, rule: str | None, config: Config | None) -> tuple[str, dict[str, str]]:
    """The statement, and the templates of the actions that get its rows."""
    if (sql is None) == (rule is None):
        raise CommandError("expected either --sql STATEMENT, or --config FILE with --rule NAME")
    if sql is not None:
        return sql, {}
    if config is None:
        raise CommandError("--rule needs --config")
    if rule not in config.rules:
        raise NotFoundError.among("rule", str(rule), config.rules)
    from pipeline.config import AggregatedParameters, DirectParameters

    templates: dict[str, str] = {}
    for reference in config.rules[rule].actions:
        action = config.actions.s3[reference.removeprefix("s3:")].parameters
        if isinstance(action, DirectParameters):
            templates |= {f"{reference} key": action.key, f"{reference} content": action.content}
        elif isinstance(action, AggregatedParameters):
            templates[f"{reference} key"] = action.key
    return config.rules[rule].sql, templates


def _try(statement: str, context: Mapping[str, Any], templates: Mapping[str, str], output: str) -> int:
    from pipeline import rule_trial

    trial = rule_trial.try_rule(statement, context, templates=templates)
    if output == "jsonl":
        print(_line(trial))
    elif trial.outcome == "error":
        print(f"error: {trial.error}")
    elif trial.outcome == "rows":
        for row, rendered in zip(trial.rows, trial.rendered, strict=True):
            print(json.dumps(rule_trial.to_vector(row), ensure_ascii=False, indent=2))
            for name, content in rendered.items():
                print(f"{name}: {content.decode('utf-8', 'backslashreplace')}")
    else:
        print(
            {"no_result": "no result: WHERE was false", "not_matched": "not matched: FROM is about other topics"}[
                trial.outcome
            ]
        )
    return 1 if trial.outcome == "error" else 0


def _line(trial: Trial) -> str:
    from pipeline import rule_trial
    from pipeline.sql.runtime.values import text_of

    if trial.outcome == "error":
        return json.dumps({"error": str(trial.error)}, ensure_ascii=False)
    rows = [rule_trial.to_vector(row) for row in trial.rows] if trial.outcome == "rows" else None
    found: dict[str, Any] = {"outcome": trial.outcome, "result": rows}
    if trial.outcome == "rows":
        found["rendered"] = [
            {name: rule_trial.to_vector(text_of(content)) for name, content in each.items()} for each in trial.rendered
        ]
    return json.dumps(found, ensure_ascii=False)


def _sample(config: Config, count: int) -> Iterator[dict[str, Any]]:
    """The newest records of the messages topic and the events topic, as rules see them."""
    from pipeline.connectors.kafka.reader import newest
    from pipeline.record import event_columns, is_message, message_reader

    read = message_reader(None, config.pipeline)
    for record in newest(config.kafka, count):
        yield read(record) if is_message(record) else event_columns(record, config.pipeline)
