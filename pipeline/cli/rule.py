"""`tidegate rule test` and `tidegate template test`: rules tried before they run, by people and by their CI.

A statement, or a rule of a configuration file, is evaluated on a context: given as JSON, read from a file or standard input, or
taken from live records in Kafka. Shown are the rows and what the actions' templates make of them, or the error with its place.
With a file of cases, each is compared with what it expects. What a case is: docs/rule-language.md.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipeline import rule_trial
from pipeline.config import AggregatedParameters, Config, DirectParameters, load_file
from pipeline.errors import ConfigError
from pipeline.sql.runtime.values import text_of

rule_app = typer.Typer(help="Try rules.", no_args_is_help=True)
template_app = typer.Typer(help="Try templates.", no_args_is_help=True)

Output = Annotated[Literal["text", "jsonl"], typer.Option(help="jsonl: one line of JSON per case or record.")]
Vectors = Annotated[Path | None, typer.Option(help="File of cases, JSON Lines.", show_default=False)]


@rule_app.command("test")
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
    """Evaluate a statement on a context, on live records, or on a file of cases. Exit status 1 if anything failed."""
    if vectors is not None:
        sys.exit(_run_cases(rule_trial.run_rule_vectors, vectors, output))
    settings = load_file(config) if config else None
    statement, templates = _what(sql, rule, settings)
    templates |= {name: text for name, text in (("key", key), ("content", content)) if text is not None}
    if from_kafka:
        if settings is None:
            raise ConfigError("--from-kafka needs --config, which says where Kafka is")
        contexts = _sample(settings, from_kafka)
    else:
        contexts = iter([_context(context)])
    sys.exit(max([_try(statement, each, templates, output) for each in contexts], default=0))


@template_app.command("test")
def try_template(
    template: Annotated[str | None, typer.Argument(help="The template.", show_default=False)] = None,
    context: Annotated[str | None, typer.Option(help="The row as JSON; @FILE; - for standard input.")] = None,
    vectors: Vectors = None,
    output: Output = "text",
) -> None:
    """Render a template from a row, or run a file of cases. Exit status 1 if anything failed."""
    if vectors is not None:
        sys.exit(_run_cases(rule_trial.run_template_vectors, vectors, output))
    if template is None:
        raise ConfigError("expected a template, or --vectors FILE")
    case = {"id": "template", "template": template, "context": _context(context)}
    sys.exit(_print_outcome(rule_trial.run_template_case(case), output))


def _run_cases(run: Any, path: Path, output: str) -> int:
    try:
        outcomes = run(path)
    except (OSError, ValueError) as error:
        raise ConfigError(str(error)) from None
    if output == "jsonl":
        for outcome in outcomes:
            print(outcome.line())
        return 0
    text, status = rule_trial.summary(outcomes)
    print(text)
    return int(status)


def _print_outcome(outcome: rule_trial.Outcome, output: str) -> int:
    if output == "jsonl":
        print(outcome.line())
    elif outcome.error:
        print(f"error: {outcome.error}")
    else:
        print(outcome.result)
        for name in outcome.missing or ():
            print(f"missing: {name}")
    return 1 if outcome.error else 0


def _what(sql: str | None, rule: str | None, config: Config | None) -> tuple[str, dict[str, str]]:
    """The statement, and the templates of the actions that get its rows."""
    if (sql is None) == (rule is None):
        raise ConfigError("expected either --sql STATEMENT, or --config FILE with --rule NAME")
    if sql is not None:
        return sql, {}
    if config is None:
        raise ConfigError("--rule needs --config")
    if rule not in config.rules:
        raise ConfigError(f"no rule {rule!r}; there are: {', '.join(config.rules) or 'none'}")
    templates: dict[str, str] = {}
    for reference in config.rules[rule].actions:
        action = config.actions.s3[reference.removeprefix("s3:")].parameters
        if isinstance(action, DirectParameters):
            templates |= {f"{reference} key": action.key, f"{reference} content": action.content}
        elif isinstance(action, AggregatedParameters):
            templates[f"{reference} key"] = action.key
    return config.rules[rule].sql, templates


def _context(text: str | None) -> dict[str, Any]:
    """The fields of an event, from the command line, a file or standard input."""
    if text is None:
        raise ConfigError("expected --context JSON, --context @FILE, --context - or --vectors FILE")
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        found = rule_trial.from_vector(json.loads(text))
    except OSError as error:
        raise ConfigError(f"cannot read the context: {error}") from None
    except ValueError as error:
        raise ConfigError(f"the context is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise ConfigError(f"the context must be a JSON object, found {type(found).__name__}")
    return found


def _try(statement: str, context: Mapping[str, Any], templates: Mapping[str, str], output: str) -> int:
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


def _line(trial: rule_trial.Trial) -> str:
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
