"""Parts that several commands share: declarations, the configuration file, times, and the form of the output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.errors import CommandError

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="Configuration file (YAML).", show_default=False)]
Output = Annotated[Literal["text", "jsonl"], typer.Option(help="jsonl: one JSON object a line.")]
Vectors = Annotated[Path | None, typer.Option(help="File of cases, JSON Lines.", show_default=False)]


def single() -> typer.Typer:
    """The app of a file with one command. Help is plain text, as in main.py."""
    return typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


def group(line: str) -> typer.Typer:
    """The app of a file with a group of commands, such as `rule test`. `line` is the help of the group."""
    app = typer.Typer(
        help=line, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None
    )
    app.callback()(lambda: None)  # keeps the group a group if it has a single command
    return app


def parse_time(text: str) -> int:
    """Milliseconds since 1970 from ISO 8601 (UTC unless it names a zone) or a number of milliseconds."""
    if text.isdecimal():
        return int(text)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"expected a time such as 2026-01-31T08:00 or milliseconds since 1970, found {text!r}"
        ) from None
    return int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def show_time(milliseconds: int) -> str:
    """The time as ISO 8601 text in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def only_one(given: Mapping[str, object]) -> None:
    """Refuse a second one of these options, which would do nothing. Raises CommandError."""
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1:
        raise CommandError(f"expected only one of {' and '.join(named)}")


def tell(line: str, *, err: bool = False) -> None:
    """Print a line with texts that devices chose: no character in it moves the cursor of a terminal. JSON stays JSON."""
    typer.echo(
        "".join([each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in line]), err=err
    )
