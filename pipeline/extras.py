"""Libraries that come with an extra of the distribution. They are imported only if a configuration needs them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pipeline.errors import ConfigError

Extra = Literal["api", "exhook", "kerberos", "otel", "schemas"]


@contextmanager
def needed(extra: Extra, purpose: str) -> Iterator[None]:
    """Import libraries in the block. If one is not installed, raises ConfigError, which names the extra.

    `purpose` begins the message: "sources.exhook", "a schema of type avro".
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{purpose} needs the package {error.name}, which is not installed: pip install 'tidegate[{extra}]'"
        ) from error
