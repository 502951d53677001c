"""The log: one line for each event, also for lines of libraries, and no secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from pipeline import log
from pipeline.hidden import hide, without_secrets


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """A separate log; the log of pytest and structlog is restored after it."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    written = io.StringIO()
    log.configure(json=True, stream=written)
    yield written
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()


def test_secrets_are_never_written(stream: io.StringIO) -> None:
    """Secrets are replaced by name, inside dictionaries, and in addresses."""
    structlog.get_logger("tidegate.test").info(
        "x.y", password="swordfish", settings={"secret_access_key": "swordfish"}, url="mqtt://u:swordfish@host:1883"
    )

    line = json.loads(stream.getvalue())
    assert "swordfish" not in stream.getvalue()
    assert (line["password"], line["url"]) == ("[redacted]", "mqtt://[redacted]@host:1883")


def test_lines_of_libraries_look_like_ours(stream: io.StringIO) -> None:
    """Lines of the standard library's loggers have the same form, one JSON object a line."""
    logging.getLogger("some.library").warning("cannot reach %s", "kafka://u:swordfish@host")
    logging.getLogger("aiokafka").info("chatter")

    (line,) = [json.loads(each) for each in stream.getvalue().splitlines()]
    assert (line["event"], line["said"], line["level"], line["logger"]) == (
        "library.warned",
        "cannot reach kafka://[redacted]@host",
        "warning",
        "some.library",
    )


def test_a_library_that_repeats_itself_is_told_once_a_minute(
    stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library's place in the source logs once a minute, and our own lines are always logged."""
    now = [1000.0]
    monkeypatch.setattr("pipeline.log.time.monotonic", lambda: now[0])
    for number in range(3):
        logging.getLogger("some.library").warning("try %d", number)
        structlog.get_logger("tidegate.test").info("x.y")
        now[0] += 25
    logging.getLogger("some.library").warning("another place")

    told = [json.loads(each).get("said") for each in stream.getvalue().splitlines()]
    assert told == ["try 0", None, None, None, "another place"]


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (False, {"FORCE_COLOR": "1"}, True),
        (True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
    ],
)
@pytest.mark.usefixtures("stream")
def test_colours_follow_the_terminal_and_the_environment(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    """NO_COLOR turns colours off, FORCE_COLOR turns them on, and an empty variable has no effect."""
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    written = io.StringIO()
    monkeypatch.setattr(written, "isatty", lambda: terminal)
    log.configure(json=False, stream=written)

    structlog.get_logger("tidegate.test").info("x.y")

    assert ("\x1b[" in written.getvalue()) == coloured


@pytest.mark.parametrize("turn", [1, 2])
def test_what_a_test_hides_is_hidden_in_that_test_only(turn: int) -> None:
    """A made-up secret may be a word of another test: a generated one was `root.from`, which an error's path is."""
    assert without_secrets("at root.from") == "at root.from"
    hide("root.from")
    assert without_secrets("at root.from") == "at [redacted]"
