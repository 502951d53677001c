"""What several commands take: the configuration file, times, and the form of the output."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="Configuration file (YAML).", show_default=False)]
Output = Annotated[Literal["text", "jsonl"], typer.Option(help="jsonl: one JSON object a line.")]


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
    """The same for people."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
