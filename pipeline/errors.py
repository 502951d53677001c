"""Every error that Tidegate raises on purpose, in one tree.

                                 code                 whose fault  again?
    TidegateError                INTERNAL_ERROR       us           no   base; nothing raises it
    ├── ConfigError              BAD_REQUEST          operator     no   a setting, a secret or a schema cannot be used
    ├── CommandError             BAD_REQUEST          operator     no   arguments of a command or a request cannot be used
    ├── NotFoundError            NOT_FOUND            operator     no   no object has the requested name
    ├── ConflictError            CONFLICT             operator     no   another run changed or holds what this run wants to change
    │   └── StaleError           CONFLICT             operator     no   somebody else changed an object of the configuration
    ├── RequestError             BAD_REQUEST          operator     no   a request to the REST API is refused with its own code
    ├── SqlError                 BAD_REQUEST          author       no   a statement is refused before its rule runs
    ├── SchemaSyntaxError        BAD_REQUEST          author       no   the text of a schema is refused
    ├── TemplateSyntaxError      BAD_REQUEST          author       no   a template is refused before its action runs
    ├── BadValueError            BAD_REQUEST          author       no   an operator of the rule language cannot take a value
    │   ├── NotJsonError         BAD_REQUEST          author       no   a text is not JSON
    │   │   └── PayloadNotJsonError BAD_REQUEST       author       no   this text is the payload
    │   └── TimeOverError        BAD_REQUEST          author       no   a jq program took longer than it may
    ├── RecordError              BAD_REQUEST          author       no   one record cannot be handled: it becomes a dead letter
    │   ├── EvaluationError      BAD_REQUEST          author       no   a rule could not be evaluated on it
    │   ├── RenderError          BAD_REQUEST          author       no   a key, bucket or content could not be rendered
    │   └── EncodeError          BAD_REQUEST          author       no   a row does not fit the container
    ├── RecordsGoneError         NOT_FOUND            operator     no   Kafka has deleted the requested records
    ├── ConnectorError           SERVICE_UNAVAILABLE  outside      no   an outside system; one of the three below
    │   ├── RetryableError       SERVICE_UNAVAILABLE  outside      yes  the same call may succeed later
    │   │   ├── ProtocolError    SERVICE_UNAVAILABLE  outside      yes  a broker or a device sent something that is not MQTT
    │   │   └── NoAnswerError    SERVICE_UNAVAILABLE  outside      yes  a broker did not answer in time
    │   ├── OperatorError        BAD_REQUEST          operator     no   a person has to act first; the work waits meanwhile
    │   └── RefusedError         BAD_REQUEST          author       no   this row will never be accepted: it becomes a dead letter
    ├── LaneError                SERVICE_UNAVAILABLE  operator     no   a lane cannot go on; its action restarts
    │   ├── FenceLostError       CONFLICT             outside      yes  another worker has the partition
    │   ├── ForeignObjectError   CONFLICT             operator     no   an object under our key is not our own
    │   ├── LedgerError          CONFLICT             operator     no   a ledger cannot be trusted; its partition stands still
    │   ├── BeyondLogError       CONFLICT             operator     no   Kafka's log ends before what is written or committed
    │   └── TopicReplacedError   CONFLICT             outside      yes  the topic was deleted and made again
    ├── ServerError              SERVICE_UNAVAILABLE  outside      yes  a server of the demo did not start, or ended
    ├── FleetError               SERVICE_UNAVAILABLE  outside      yes  a device of the demo could not connect
    └── InternalError            INTERNAL_ERROR       us           no   should not happen; its log line has the traceback

The type gives the code (EMQX's words, so that a REST API can map them by table), whose fault the error is (the
operator's, that of the author of a rule or template, that of an outside system, ours), and whether the same call may
succeed later without a change. A message says what was found, what was expected and where. It never holds a secret.

Functions that parse one value raise ValueError, because they do not know its place; `located` adds the place. A test compares
this drawing with the classes. Classes that are not in this file are local to the file that raises them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Final, Literal, Protocol

Code = Literal["BAD_REQUEST", "NOT_FOUND", "CONFLICT", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE"]
Fault = Literal["operator", "author", "outside", "us"]
Part = Literal["bucket", "key", "headers", "content"]  # of a request that writes an object


class TidegateError(Exception):
    """Base of the tree. `str(error)` is a message that a person can act on."""

    code: ClassVar[Code] = "INTERNAL_ERROR"
    fault: ClassVar[Fault] = "us"
    retry: ClassVar[bool] = False

    def __init_subclass__(
        cls, *, code: Code | None = None, fault: Fault | None = None, retry: bool | None = None
    ) -> None:
        """Set the properties of a kind of error. Properties that its class line does not give are those of its base."""
        super().__init_subclass__()
        cls.code, cls.fault = code or cls.code, fault or cls.fault
        cls.retry = cls.retry if retry is None else retry


# --- What a person wrote


class ConfigError(TidegateError, code="BAD_REQUEST", fault="operator"):
    """The configuration cannot be used. `where` is `file:line:column` or a path of keys, or both.

    If the message names several problems, `parts` holds them one by one.
    """

    def __init__(self, message: str, *, where: str = "", parts: Sequence[ConfigError] = ()) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where
        self.parts = parts


@contextmanager
def located(where: str) -> Iterator[None]:
    """Add a place to errors about a setting: an error in the block becomes a ConfigError at `where`.

    Nested blocks add up to a path.
    """
    try:
        yield
    except ConfigError as error:
        raise ConfigError(error.message, where=f"{where}.{error.where}" if error.where else where) from error
    except (TidegateError, ValueError) as error:
        raise ConfigError(str(error), where=where) from error


class CommandError(TidegateError, code="BAD_REQUEST", fault="operator"):
    """The arguments of a command cannot be used. The message says what was expected."""


class NotFoundError(TidegateError, code="NOT_FOUND", fault="operator"):
    """No object has the requested name."""

    @classmethod
    def among(cls, kind: str, name: str | int, known: Iterable[str]) -> NotFoundError:
        """The error for a name or number that is not in `known`. The message lists the known names."""
        return cls(f"no {kind} {name!r}; there are: {', '.join(known) or 'none'}")


class ConflictError(TidegateError, code="CONFLICT", fault="operator"):
    """Another run changed or holds what this run wants to change. The message says what to do instead."""


class Changed(Protocol):
    """An object of the configuration, as much of it as a StaleError needs."""

    @property
    def revision(self) -> int:
        """Its revision."""


class StaleError(ConflictError):
    """An object of the configuration is not as whoever changes it saw it last. `found` is the object as it is now, or None."""

    def __init__(self, key: str, found: Changed | None) -> None:
        now = f"it has revision {found.revision} now" if found else "there is none now"
        super().__init__(f"{key} was changed by somebody else: {now}; look at it, and change it again")
        self.key = key
        self.found = found


class SqlError(TidegateError, code="BAD_REQUEST", fault="author"):
    """A statement is refused. `line` and `column` are 1-based. `snippet` is the line with a caret under the place."""

    def __init__(self, message: str, *, line: int, column: int, snippet: str = "") -> None:
        super().__init__(f"line {line}, column {column}: {message}" + (f"\n{snippet}" if snippet else ""))
        self.message = message
        self.line = line
        self.column = column
        self.snippet = snippet


class SchemaSyntaxError(TidegateError, code="BAD_REQUEST", fault="author"):
    """The text of a schema is refused. `line` and `column` are 1-based."""

    def __init__(self, message: str, *, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {message}")
        self.line = line
        self.column = column


class TemplateSyntaxError(TidegateError, code="BAD_REQUEST", fault="author"):
    """A template that is refused. The message quotes the template. `line` is 1-based; 0 means the whole template."""

    column: Final = 1

    def __init__(self, message: str, *, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


# --- What is wrong with one record


class RecordError(TidegateError, code="BAD_REQUEST", fault="author"):
    """One record cannot be handled, and others can. It goes as a value to the dead letter topic."""

    cause = "record"


class EvaluationError(RecordError):
    """The evaluation of a rule failed. The message names the expression, and the value that was found with its type."""

    cause = "evaluation"


class RenderError(RecordError):
    """A template cannot render a value, or a value is missing and the action's setting forbids this."""

    cause = "render"


class EncodeError(RecordError):
    """A row does not fit the container, for example bytes that are not UTF-8 in JSON Lines."""

    cause = "encode"


# --- What is wrong outside


class RecordsGoneError(TidegateError, code="NOT_FOUND", fault="operator"):
    """Kafka has deleted the requested records: their retention has ended, or somebody deleted them."""


class ConnectorError(TidegateError, code="SERVICE_UNAVAILABLE", fault="outside"):
    """An outside system answered with an error or did not answer. `reason` is a short, stable word for metrics.

    `blames` are the parts of the request that the answer can be about; none if it does not tell.
    """

    def __init__(self, message: str, *, reason: str, blames: Collection[Part] = ()) -> None:
        super().__init__(message)
        self.reason = reason
        self.blames = frozenset(blames)


class RetryableError(ConnectorError, retry=True):
    """Time-outs, cut connections, 5xx, throttling. The result may be unknown. The same call is safe to repeat."""


class OperatorError(ConnectorError, code="BAD_REQUEST", fault="operator"):
    """Wrong credentials, missing bucket, forbidden.

    Nothing is dropped, and the work waits until a person corrects the cause.
    """


class RefusedError(ConnectorError, code="BAD_REQUEST", fault="author"):
    """The store will never accept this row, for example because its key has more than 1,024 bytes."""


# --- What ends a lane of the worker


class LaneError(TidegateError, code="SERVICE_UNAVAILABLE", fault="operator"):
    """A lane cannot go on, because something that it needs is missing or unusable. Its action restarts."""


class FenceLostError(LaneError, code="CONFLICT", fault="outside", retry=True):
    """Another worker has written the ledger entry that this worker wanted to write, so the partition belongs to that
    worker now.
    """


class ForeignObjectError(LaneError, code="CONFLICT"):
    """An object under our key holds other rows: two actions share a key, or somebody changed the bucket."""


class LedgerError(LaneError, code="CONFLICT"):
    """An object of a partition's ledger cannot be read, or does not follow from the one before. Only this partition stops."""


class BeyondLogError(LaneError, code="CONFLICT"):
    """Kafka's log ends before the place where reading would go on: it lost records, or is another log. Says what to do."""


class TopicReplacedError(LaneError, code="CONFLICT", fault="outside", retry=True):
    """The topic that a lane reads was replaced by a new one of its name: the action starts again and reads that one."""


# --- What is our own fault


class InternalError(TidegateError):
    """Something that should not happen, for example Faust stopped by itself. Its log line also has the traceback."""
