"""Runs a process until it is stopped: the form of its log, and its event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal, TypeVar

import typer

Result = TypeVar("Result")
LogFormat = Annotated[
    Literal["auto", "text", "json"], typer.Option("--log", help="Form of the log lines. auto: text on a terminal.")
]


def run(start: Callable[[], Coroutine[Any, Any, Result]], log_format: str) -> Result:
    """Run a process, under uvloop if it is installed, and return its result.

    The garbage collector ignores all objects that are loaded by now.
    """
    from pipeline import log
    from pipeline.process import collector, several

    number = several.own_number()
    log.configure(json=None if log_format == "auto" else log_format == "json", process=number)
    if number:
        several.stop_with_parent()
    collector.loaded()

    try:
        import uvloop
    except ImportError:
        import asyncio

        return asyncio.run(start())
    return uvloop.run(start())
