"""The whole configuration for a command that runs once: from the file alone, or from the file and the topic."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from pipeline.config import Config, load_file, parse
from pipeline.config.load import file_text, load
from pipeline.control.objects import own_settings
from pipeline.errors import ConfigError


def load_whole(path: Path | str, waiting: Callable[[str], AbstractContextManager[None]] | None = None) -> Config:
    """The configuration as it is now. Blocks while it reads the topic: in `waiting`, which is given the addresses of Kafka.

    Raises ConfigError or ConnectorError.
    """
    base = load_file(path)
    if base.control is None:
        return base
    with waiting(base.kafka.bootstrap_servers) if waiting else nullcontext():
        return asyncio.run(_now(base))


def load_own(path: Path | str) -> Config:
    """What a process's own file says, for commands that work on the topic: objects in it are left out.

    Raises ConfigError if the file has no `control`.
    """
    config = parse(file_text(path), name=str(path))
    if config.control is None:
        raise ConfigError(
            "expected `control: {topic: …}`: without it, this file alone is the configuration, and there is no topic",
            where=str(path),
        )
    return load(own_settings(config))


async def _now(base: Config) -> Config:
    from pipeline.control.config_log import ConfigLog  # the Kafka library takes long to import, and files need none

    async with ConfigLog(base) as log:
        if log.snapshot.problem:
            raise ConfigError(log.snapshot.problem)
        return log.snapshot.config
