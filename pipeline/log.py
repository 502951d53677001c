"""The log of the processes: one line for each change of state, as JSON or coloured text, and never a secret.

Normal operation logs nothing. All lines go through this file, also those of libraries: these have the event `library.warned` and
the library's text in `said`, and secrets in them are replaced too. The same line of a library is written once a minute at most.
Each part takes its logger from this file, not from structlog. This file does not know any other part of Tidegate.
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
REPEAT_SECONDS: Final = 60.0  # in this time, one place in a library writes one line

# Libraries that log more than changes of state at INFO.
QUIET: Final = ("aiokafka", "faust", "mode", "kafka", "botocore", "aiobotocore", "urllib3", "asyncio", "uvicorn.access")


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of a part, named `tidegate.` and the part's name."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


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
    last: Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=_coloured(stream), exception_formatter=structlog.dev.plain_traceback)
    )
    _route(shared, last, threshold, stream)


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
    """Replace every value with the name of a secret, and credentials inside addresses, with `[redacted]`."""
    for name, value in event.items():
        if name not in _OURS:
            event[name] = REDACTED if SECRET_NAMES.search(name) else _redacted(value)
    return event


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return without_secrets(value)
    if isinstance(value, dict):
        return {key: REDACTED if SECRET_NAMES.search(str(key)) else _redacted(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(each) for each in value]
    return value


def _route(shared: list[Processor], last: Processor, threshold: int, stream: TextIO) -> None:
    """Make one handler on the root logger render every line, ours and those of libraries."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_foreign, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
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
    """Passes one line a minute from each place in a library, and all of our own lines."""

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is written."""
        if record.name.partition(".")[0] == OURS:
            return True
        place, now = (record.pathname, record.lineno), time.monotonic()
        if now - self._told.get(place, -REPEAT_SECONDS) < REPEAT_SECONDS:
            return False
        self._told[place] = now
        return True
