"""Runs a process until it is stopped: the form of its log, and its event loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

import typer

LogFormat = Annotated[
    Literal["auto", "text", "json"], typer.Option("--log", help="Form of the log lines. auto: text on a terminal.")
]


def run(start: Callable[[], Coroutine[Any, Any, None]], log_format: str) -> None:
    """Run a process, under uvloop if it is installed. The garbage collector ignores all objects that are loaded by now."""
    import gc

    from pipeline import log

    log.configure(json=None if log_format == "auto" else log_format == "json")
    gc.freeze()

    try:
        import uvloop
    except ImportError:
        import asyncio

        asyncio.run(start())
    else:
        uvloop.run(start())
