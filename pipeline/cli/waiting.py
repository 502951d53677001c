"""Says that a command waits for Kafka. Without it, a command is silent for the ten seconds after which it gives up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Timer
from typing import Final

import typer

SILENT_SECONDS: Final = 3.0  # how long a command waits before it says so


@contextmanager
def waiting(servers: str) -> Iterator[None]:
    """In the block, the command waits for Kafka at these addresses. If it takes long, standard error has a line."""
    telling = Timer(SILENT_SECONDS, typer.echo, [f"waiting for Kafka at {servers}"], {"err": True})
    telling.daemon = True
    telling.start()
    try:
        yield
    finally:
        telling.cancel()
