"""Parts that `tidegate rule test` and `template test` share: they read an event, and run a file of cases."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pipeline import rule_trial
from pipeline.errors import CommandError


def run_cases(run: Any, path: Path, output: str) -> int:
    """Run a file of cases and print the results, or only the unexpected ones. Returns the exit status."""
    try:
        outcomes = run(path)
    except (OSError, ValueError) as error:
        raise CommandError(str(error)) from None
    if output == "jsonl":
        for outcome in outcomes:
            print(outcome.line())
        return 0
    text, status = rule_trial.summary(outcomes)
    print(text)
    return int(status)


def context_of(text: str | None) -> dict[str, Any]:
    """The fields of an event, from the command line, a file or standard input."""
    if text is None:
        raise CommandError("expected --context JSON, --context @FILE, --context - or --vectors FILE")
    try:
        if text == "-":
            text = sys.stdin.read()
        elif text.startswith("@"):
            text = Path(text[1:]).read_text(encoding="utf-8")
        found = rule_trial.from_vector(json.loads(text))
    except OSError as error:
        raise CommandError(f"cannot read the context: {error}") from None
    except ValueError as error:
        raise CommandError(f"the context is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise CommandError(f"the context must be a JSON object, found {type(found).__name__}")
    return found


def shown(content: bytes) -> str:
    """Content for people. Content that is not text, such as Parquet, is only counted; jsonl shows it as Base64."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return f"{len(content):,} bytes that are not text; --output jsonl has them in Base64"
