"""`tidegate check`: checks a configuration. Exit status 2 if it cannot be used, 1 if Kafka, a bucket or a secret is missing."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NamedTuple

import typer

from pipeline.cli.options import ConfigFile, single
from pipeline.cli.waiting import waiting
from pipeline.errors import ConfigError, TidegateError

if TYPE_CHECKING:
    from pipeline.config import Config
    from pipeline.config.text.problems import Problem

app = single()

_PLACE: Final = re.compile(r"(?P<file>.+?):(?P<line>\d+):(?P<column>\d+)(?:: (?P<path>.*))?", re.DOTALL)


@app.command()
def check(
    config: ConfigFile,
    connect: Annotated[
        bool, typer.Option("--connect", help="Also connect to Kafka and S3, and check the bucket of each action.")
    ] = False,
    output: Annotated[Literal["text", "json"], typer.Option(help="json: one JSON object.")] = "text",
) -> None:
    """Check a configuration: every setting, rule and template.

    Opens no connection unless --connect is given; objects that are in Kafka are checked then too. Exit status 2 if the
    file cannot be used. If the variable or file of a secret is missing, this is a warning, and with --connect an error.
    """
    report = _look(config, connect=connect)
    if output == "json":
        typer.echo(json.dumps(report.facts()))
    else:
        report.print(config)
    sys.exit(report.status)


class _Report(NamedTuple):
    """The result of the check. With --connect, `kafka` has the state of Kafka, and `buckets` that of each action's bucket."""

    problems: list[TidegateError]
    connect: bool
    secrets: Sequence[TidegateError] = ()
    warnings: Sequence[TidegateError] = ()
    kafka: str = ""
    buckets: Mapping[str, str] = {}

    @property
    def status(self) -> int:
        if self.problems:
            return 2
        disconnected = any(state.startswith("disconnected") for state in (self.kafka, *self.buckets.values()))
        return 1 if disconnected or (self.connect and self.secrets) else 0

    def facts(self) -> dict[str, Any]:
        """The report as one JSON object."""
        found: dict[str, Any] = {"good": not self.status}
        found["problems"] = [_facts(each) for each in (*self.problems, *(self.secrets if self.connect else ()))]
        found["warnings"] = [_facts(each) for each in (*(() if self.connect else self.secrets), *self.warnings)]
        return found | ({"kafka": self.kafka, "buckets": self.buckets} if self.connect else {})

    def print(self, file: Path) -> None:
        """The report for people: problems on the error stream, the rest on the standard output."""
        for problem in self.problems:
            typer.echo(f"error: {problem}", err=True)
        for secret in self.secrets:
            typer.echo(f"{'error' if self.connect else 'warning'}: {secret}", err=True)
        for warning in self.warnings:
            typer.echo(f"warning: {warning}", err=True)
        if self.problems or (self.connect and self.secrets):
            return
        typer.echo(f"{file}: good")
        if self.connect:
            typer.echo(f"kafka: {self.kafka}")
        for name, state in self.buckets.items():
            typer.echo(f"{name}: {state}")


def _look(file: Path, *, connect: bool) -> _Report:
    from pipeline.action import problems, warnings
    from pipeline.config import load_file
    from pipeline.config.references import unresolved_secrets
    from pipeline.control.whole import load_whole

    try:
        config = load_whole(file, waiting) if connect else load_file(file)
    except ConfigError as error:
        return _Report(list(error.parts) or [error], connect)
    if found := problems(config):
        return _Report(found, connect)
    told = _Report([], connect, _placed(config, unresolved_secrets(config)), _placed(config, warnings(config)))
    if not connect or told.secrets:
        return told
    try:
        return told._replace(kafka=_kafka(config), buckets=_buckets(config))
    except TidegateError as error:
        return told._replace(problems=[error])


def _placed(config: Config, found: Iterable[Problem]) -> list[TidegateError]:
    """Each with the place of its setting in the file, and its path."""
    return [ConfigError(each.message, where=": ".join(filter(None, _where(config, each)))) for each in found]


def _where(config: Config, problem: Problem) -> tuple[str, str]:
    """The place in the file, which objects in Kafka do not have, and the path."""
    return config.places.of(problem.path), str(problem).removesuffix(f": {problem.message}")


def _kafka(config: Config) -> str:
    from pipeline.connectors.kafka.topics import require_topics
    from pipeline.errors import ConnectorError

    try:
        with waiting(config.kafka.bootstrap_servers):
            require_topics(config.kafka)
    except ConnectorError as error:
        return f"disconnected: {error}"
    return "connected"


def _buckets(config: Config) -> dict[str, str]:
    import asyncio

    from agents import worker

    return {f"s3:{name}": state for name, state in asyncio.run(worker.connect(config)).items()}


def _facts(error: TidegateError) -> dict[str, Any]:
    """The message and place of an error. An unknown place is left out."""
    if not isinstance(error, ConfigError):
        return {"message": str(error)}
    found = _PLACE.fullmatch(error.where)
    if found is None:
        return ({"path": error.where} if error.where else {}) | {"message": error.message}
    place = {"file": found["file"], "line": int(found["line"]), "column": int(found["column"])}
    return place | ({"path": found["path"]} if found["path"] else {}) | {"message": error.message}
