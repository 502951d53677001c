"""The log: one line for each event, also for lines of libraries, and no secrets."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from pipeline import log
from pipeline.hidden import hide, without_secrets
from pipeline.log import LINES_MAX, TEXT_CHARACTERS_MAX, TRACEBACK_CHARACTERS_MAX, printable


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
    for quiet in ("aiokafka", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(quiet).info("chatter")

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
    """A library's place in the source logs once a minute, and our own lines are logged each time."""
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


# --- What devices choose


@pytest.mark.parametrize(
    ("name", "expected"),
    [("pump-7 ü", "pump-7 ü"), ("a\nb\x1b[31m", "a\\nb\\x1b[31m"), ("x" * 200, "x" * 128 + "…"), ("\u202e", "\\u202e")],
)
def test_a_name_that_a_device_chose_is_harmless_in_a_line(name: str, expected: str) -> None:
    """Short, and nothing that moves a terminal's cursor."""
    assert printable(name) == expected


@pytest.mark.parametrize("colour", ["", "1"])
def test_no_text_moves_the_cursor_of_a_terminal(monkeypatch: pytest.MonkeyPatch, colour: str) -> None:
    """A text without a space, one with lines, a list, a library's text and a traceback: none has a character that acts."""
    monkeypatch.setenv("FORCE_COLOR", colour)
    written = io.StringIO()
    log.configure(json=False, stream=written)
    evil = "\x1b]0;owned\x07\x9b31m\u202e\x7f"
    structlog.get_logger("tidegate.test").warning(
        "x.y", one=evil, two=f"a b\n{evil}\r{evil}", three=[evil], four={"k": evil}
    )
    logging.getLogger("some.library").warning("%s", evil)
    try:
        raise ValueError(evil)
    except ValueError as error:
        structlog.get_logger("tidegate.test").error("x.z", exc_info=error)

    text = re.sub(r"\x1b\[[0-9;]*m", "", written.getvalue()) if colour else written.getvalue()
    assert all(each.isprintable() or each == "\n" for each in text)
    assert text.count("owned") == 7
    assert "ValueError" in text


def test_a_text_of_any_length_makes_a_short_line(stream: io.StringIO) -> None:
    """Beginning and end stay, and so does a secret hidden that would have been cut in two."""
    hide("swordfish-swordfish")
    around = "a" * (TEXT_CHARACTERS_MAX // 2 - 5)
    one = around + "swordfish-swordfish" + "b" * 5_000 + "end"
    structlog.get_logger("tidegate.test").error("x.y", one=one, two=["c" * 10**6])
    try:
        raise ValueError("d" * 100_000 + "swordfish-swordfish")
    except ValueError as error:
        structlog.get_logger("tidegate.test").error("x.z", exc_info=error)

    first, second = (json.loads(each) for each in stream.getvalue().splitlines())
    assert (first["one"][0], first["one"][-3:]) == ("a", "end")
    assert len(first["one"]) < TEXT_CHARACTERS_MAX + 50
    assert len(first["two"][0]) < TEXT_CHARACTERS_MAX + 50
    assert second["exception"].startswith("Traceback")
    assert len(second["exception"]) < TRACEBACK_CHARACTERS_MAX + 50
    assert "sword" not in stream.getvalue()


def test_one_event_does_not_fill_the_disk(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bounded number of its lines is written in a minute, for each source, and the rest is counted. Other events go on."""
    now = [1000.0]
    monkeypatch.setattr("pipeline.log.time.monotonic", lambda: now[0])
    lines = structlog.get_logger("tidegate.test")
    for number in range(LINES_MAX + 7):
        lines.info("x.flood", source="one", number=number)
    lines.info("x.flood", source="two")
    lines.info("x.other")
    for _ in range(LINES_MAX + 1):
        lines.info("config.changed")  # the audit log
    now[0] += 60
    lines.info("x.flood", source="one", number=-1)

    told = [json.loads(each) for each in stream.getvalue().splitlines()]
    assert [each["number"] for each in told[:LINES_MAX]] == list(range(LINES_MAX))
    assert [(each["event"], each.get("count"), each.get("of")) for each in told[LINES_MAX:]] == [
        ("x.flood", None, None),
        ("x.other", None, None),
        *[("config.changed", None, None)] * (LINES_MAX + 1),
        ("log.left_out", 7, "x.flood"),
        ("x.flood", None, None),
    ]
