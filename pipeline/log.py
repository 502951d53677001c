"""The log of the processes: one line for each change of state, as JSON or coloured text, and never a secret.

Normal operation logs nothing. All lines go through this file, also those of libraries: these have the event `library.warned` and
the library's text in `said`, and secrets in them are replaced too. The same line of a library is written once a minute at most.
Each part takes its logger from this file, not from structlog. This file does not know any other part of Tidegate.

Devices choose parts of some texts, and how often some lines come. So a text is bounded, and so is the number of lines of one
event in a minute. On a terminal, nothing in a line can move the cursor or change a colour.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any, Final, TextIO

# structlog loads rich for coloured tracebacks, which we do not write. This would be a sixth of everything that a
# process loads. structlog works without rich if rich is not installed, so rich is hidden while structlog loads.
if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment] # how Python marks what cannot be imported
    import structlog

    del sys.modules["rich"]
else:
    import structlog
from structlog.typing import Processor

from pipeline.hidden import REDACTED, without_secrets

# Values with these names are never written, anywhere in a line.
SECRET_NAMES: Final = re.compile(
    r"pass(word|wd|phrase)?$|secret|token|credential|private_?key|authorization", re.IGNORECASE
)
_OURS: Final = frozenset({"logger", "level", "timestamp"})  # told by us, and never a secret

OURS: Final = "tidegate"  # the names of our loggers begin with this
MINUTE_SECONDS: Final = 60.0  # in this time, one place in a library writes one line
LINES_MAX: Final = 1_000  # of one event of ours, and one source or action, in a minute
TEXT_CHARACTERS_MAX: Final = 4_096  # of one text in a line, without the characters that tell how many are left out
TRACEBACK_CHARACTERS_MAX: Final = 16_384
SEARCHED_CHARACTERS_MAX: Final = 65_536  # of a text, for secrets; no later part of it is written
NAME_CHARACTERS_MAX: Final = 128
_AUDIT: Final = "config.changed"  # each of these lines is written
_TRACEBACKS: Final = frozenset({"exception", "stack"})

# Libraries that log more than changes of state at INFO.
QUIET: Final = ("aiokafka", "faust", "mode", "kafka", "botocore", "aiobotocore", "urllib3", "asyncio", "uvicorn")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a part, named `tidegate.` and the part's name."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def printable(name: str) -> str:
    """A device's name in a form for log lines: short, and without control characters."""
    return _visible(name[:NAME_CHARACTERS_MAX] + "…" * (len(name) > NAME_CHARACTERS_MAX))


def configure(*, json: bool | None = None, level: str = "info", stream: TextIO | None = None, process: int = 0) -> None:
    """Configure the log of this process. By default, `json` is true unless `stream` (standard error) is a terminal.

    `process` is its number among several of one command, which each line then names.

    Text on a terminal has colours. NO_COLOR and FORCE_COLOR in the environment override this (no-color.org).
    """
    stream = stream or sys.stderr
    as_json = not stream.isatty() if json is None else json
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redact,
        *([_of_process(process)] if process else []),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    console = structlog.dev.ConsoleRenderer(colors=_coloured(stream), exception_formatter=structlog.dev.plain_traceback)
    _route(shared, [structlog.processors.JSONRenderer()] if as_json else [_for_terminals, console], threshold, stream)


def _coloured(stream: TextIO) -> bool:
    """Whether text has colours. An empty variable has no effect."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def _of_process(number: int) -> Processor:
    def named(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = number
        return event

    return named


def redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace every value with the name of a secret, and credentials inside addresses, with `[redacted]`. Bound texts."""
    for name, value in event.items():
        if name not in _OURS:
            limit = TRACEBACK_CHARACTERS_MAX if name in _TRACEBACKS else TEXT_CHARACTERS_MAX
            event[name] = REDACTED if SECRET_NAMES.search(name) else _redacted(value, limit)
    return event


def _redacted(value: Any, limit: int) -> Any:
    if isinstance(value, str):
        return _bounded(value, limit)
    if isinstance(value, dict):
        return {
            key: REDACTED if SECRET_NAMES.search(str(key)) else _redacted(each, limit) for key, each in value.items()
        }
    if isinstance(value, list | tuple):
        return [_redacted(each, limit) for each in value]
    return value


def _bounded(text: str, limit: int) -> str:
    """A text without secrets, and without its middle if it is long: the end of a traceback is the error."""
    found = without_secrets(text[:SEARCHED_CHARACTERS_MAX])
    if len(text) > SEARCHED_CHARACTERS_MAX:
        return f"{found[:limit]} … and {len(text) - limit} more characters"
    if len(found) <= limit:
        return found
    half = limit // 2
    return f"{found[:half]} … {len(found) - 2 * half} more characters … {found[-half:]}"


def _for_terminals(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape characters that a terminal obeys, in all texts. The renderer escapes lines itself, except in tracebacks."""
    for name, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[name] = "\n".join([_visible(line) for line in value.split("\n")])
    return event


def _visible(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def _route(shared: list[Processor], last: list[Processor], threshold: int, stream: TextIO) -> None:
    """Make one handler on the root logger render every line, ours and those of libraries."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_foreign, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    handler.addFilter(_Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


def _foreign(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A line of a library in our form."""
    return {**event, "said": event.get("event"), "event": "library.warned"}


class _Repeats(logging.Filter):
    """Passes one line a minute from each place in a library, and a bounded number of our own lines, for each event."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, int], float] = {}
        self._lines: dict[tuple[str, str], _Lines] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is written."""
        now = time.monotonic()
        if record.name.partition(".")[0] == OURS:
            return self._has_room(record, now)
        place = (record.pathname, record.lineno)
        if now - self._told.get(place, -MINUTE_SECONDS) < MINUTE_SECONDS:
            return False
        self._told[place] = now
        return True

    def _has_room(self, record: logging.LogRecord, now: float) -> bool:
        facts: dict[str, Any] = record.msg if isinstance(record.msg, dict) else {"event": record.msg}
        event = str(facts["event"])
        lines = self._lines.setdefault((event, str(facts.get("source") or facts.get("action") or "")), _Lines(now))
        left_out = lines.begin_again(now) if now - lines.since >= MINUTE_SECONDS else 0
        if left_out:
            log = get_logger("tidegate.log")
            log.warning("log.left_out", of=event, count=left_out)
        lines.count += 1
        return lines.count <= LINES_MAX or event == _AUDIT


class _Lines:
    """The lines of one event since the beginning of a minute."""

    __slots__ = ("count", "since")

    def __init__(self, now: float) -> None:
        self.since = now
        self.count = 0

    def begin_again(self, now: float) -> int:
        """Begin another minute. Returns the number of lines that the last one has left out."""
        left_out = max(0, self.count - LINES_MAX)
        self.since, self.count = now, 0
        return left_out
