"""The log: one line for each event, the libraries' lines too, and no secret in any of them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pipeline import log


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A log of its own; what pytest and structlog had before comes back."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written = io.StringIO()
    log.configure(json=True, stream=written)
    yield written
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()


def test_secrets_are_never_written(stream: io.StringIO) -> None:
    """By their name, inside dictionaries, and as credentials in an address."""
    structlog.get_logger("tidegate.test").info(
        "x.y", password="swordfish", settings={"secret_access_key": "swordfish"}, url="mqtt://u:swordfish@host:1883"
    )

    line = json.loads(stream.getvalue())
    assert "swordfish" not in stream.getvalue()
    assert (line["password"], line["url"]) == ("[redacted]", "mqtt://[redacted]@host:1883")


def test_lines_of_libraries_look_like_ours(stream: io.StringIO) -> None:
    """The standard library's loggers go through the same processors, one JSON object a line."""
    logging.getLogger("some.library").warning("cannot reach %s", "kafka://u:swordfish@host")
    logging.getLogger("aiokafka").info("chatter")

    (line,) = [json.loads(each) for each in stream.getvalue().splitlines()]
    assert (line["event"], line["level"], line["logger"]) == (
        "cannot reach kafka://[redacted]@host",
        "warning",
        "some.library",
    )
