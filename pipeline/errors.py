"""Every error that Tidegate raises on purpose, in one tree.

                                 code                 whose fault  again?
    TidegateError                INTERNAL_ERROR       us           no   base; nothing raises it
    ├── ConfigError              BAD_REQUEST          operator     no   a setting, a secret or a schema cannot be used
    ├── CommandError             BAD_REQUEST          operator     no   the words of a command or a request
    ├── NotFoundError            NOT_FOUND            operator     no   nothing has the name that was asked for
    ├── ConflictError            CONFLICT             operator     no   another run changed, or holds, what this one would change
    ├── SqlError                 BAD_REQUEST          author       no   a statement that is refused when its rule is made
    ├── TemplateSyntaxError      BAD_REQUEST          author       no   a template that is refused when its action is made
    ├── BadValueError            BAD_REQUEST          author       no   a value that an operator of the rule language cannot take
    │   └── NotJsonError         BAD_REQUEST          author       no   a text that was to be JSON
    │       └── PayloadNotJsonError BAD_REQUEST       author       no   that text is the payload
    ├── RecordError              BAD_REQUEST          author       no   one record cannot be handled: it becomes a dead letter
    │   ├── EvaluationError      BAD_REQUEST          author       no   a rule could not be evaluated on it
    │   ├── RenderError          BAD_REQUEST          author       no   a key, bucket or content could not be rendered
    │   └── EncodeError          BAD_REQUEST          author       no   a row does not fit the container
    ├── RecordsGoneError         NOT_FOUND            operator     no   Kafka deleted records that were asked for
    ├── ConnectorError           SERVICE_UNAVAILABLE  outside      no   an outside system; one of the three below
    │   ├── RetryableError       SERVICE_UNAVAILABLE  outside      yes  the same call may succeed later
    │   │   ├── ProtocolError    SERVICE_UNAVAILABLE  outside      yes  a broker or a device sent what is not MQTT
    │   │   └── NoAnswerError    SERVICE_UNAVAILABLE  outside      yes  a broker said nothing in the time it was given
    │   ├── OperatorError        BAD_REQUEST          operator     no   a person has to act first; the work waits meanwhile
    │   └── RefusedError         BAD_REQUEST          author       no   this row will never be taken: it becomes a dead letter
    ├── LaneError                SERVICE_UNAVAILABLE  operator     no   a lane lacks what it stands on; its action starts afresh
    │   ├── FenceLostError       CONFLICT             outside      yes  another worker has the partition
    │   └── ForeignObjectError   CONFLICT             operator     no   an object under our key is not ours
    ├── ServerError              SERVICE_UNAVAILABLE  outside      yes  a server of the demo did not start, or ended
    ├── FleetError               SERVICE_UNAVAILABLE  outside      yes  a device of the demo could not connect
    └── InternalError            INTERNAL_ERROR       us           no   what should not happen; its log line has the traceback

The type answers: which code (EMQX's words, so that a REST API maps them by table), whose fault (the operator's, the author's of
a rule or template, an outside system's, ours), and whether the same call may succeed later although nobody acts. A message says
what was found, what was expected and where. It never holds a secret.

Functions that parse one value raise ValueError, since they cannot know where it stands; `located` gives it its place. A test
compares this drawing with the classes. Those that are not in this file are local to the file that raises them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar, Literal

Code = Literal["BAD_REQUEST", "NOT_FOUND", "CONFLICT", "INTERNAL_ERROR", "SERVICE_UNAVAILABLE"]
Fault = Literal["operator", "author", "outside", "us"]


class TidegateError(Exception):
    """Base of the tree. `str(error)` is a message that a person can act on."""

    code: ClassVar[Code] = "INTERNAL_ERROR"
    fault: ClassVar[Fault] = "us"
    retry: ClassVar[bool] = False

    def __init_subclass__(
        cls, *, code: Code | None = None, fault: Fault | None = None, retry: bool | None = None
    ) -> None:
        """A kind of error says in its class line what differs from its base."""
        super().__init_subclass__()
        cls.code, cls.fault = code or cls.code, fault or cls.fault
        cls.retry = cls.retry if retry is None else retry


# --- What a person wrote


class ConfigError(TidegateError, code="BAD_REQUEST", fault="operator"):
    """Configuration that cannot be used. `where` is `file:line:column` or a path of keys, or both.

    `parts` are the problems one by one, when the message is of several.
    """

    def __init__(self, message: str, *, where: str = "", parts: Sequence[ConfigError] = ()) -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where
        self.parts = parts


@contextmanager
def located(where: str) -> Iterator[None]:
    """Give what is wrong with a setting its place: errors in here become ConfigErrors of `where`, and nested ones of a path."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(error.message, where=f"{where}.{error.where}" if error.where else where) from error
    except (TidegateError, ValueError) as error:
        raise ConfigError(str(error), where=where) from error


class CommandError(TidegateError, code="BAD_REQUEST", fault="operator"):
    """Words of a command that cannot be used. The message says what was expected."""


class NotFoundError(TidegateError, code="NOT_FOUND", fault="operator"):
    """Nothing has the name that was asked for."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str]) -> NotFoundError:
        """The error for a name that is not one of `known`, which it lists."""
        return cls(f"no {kind} {name!r}; there are: {', '.join(known) or 'none'}")


class ConflictError(TidegateError, code="CONFLICT", fault="operator"):
    """Another run changed what this one would change, or has its place. The message says what to do instead."""


class SqlError(TidegateError, code="BAD_REQUEST", fault="author"):
    """A statement that is refused. `line` and `column` are 1-based; `snippet` is the line with a caret under the place."""

    def __init__(self, message: str, *, line: int, column: int, snippet: str = "") -> None:
        super().__init__(f"line {line}, column {column}: {message}" + (f"\n{snippet}" if snippet else ""))
        self.message = message
        self.line = line
        self.column = column
        self.snippet = snippet


class TemplateSyntaxError(TidegateError, code="BAD_REQUEST", fault="author"):
    """A template that is refused; the message quotes the template and names the place."""


# --- What is wrong with one record


class RecordError(TidegateError, code="BAD_REQUEST", fault="author"):
    """One record cannot be handled; the others can. Carried as a value to the dead letter topic."""

    cause = "record"


class EvaluationError(RecordError):
    """Evaluating a rule raised. The message names the expression and the value found with its type."""

    cause = "evaluation"


class RenderError(RecordError):
    """A template met a value that it cannot render, or a missing one where the policy forbids it."""

    cause = "render"


class EncodeError(RecordError):
    """A row does not fit the container, for example bytes that are not UTF-8 in JSON Lines."""

    cause = "encode"


# --- What is wrong outside


class RecordsGoneError(TidegateError, code="NOT_FOUND", fault="operator"):
    """Kafka deleted records that were asked for: its retention is over, or somebody deleted them."""


class ConnectorError(TidegateError, code="SERVICE_UNAVAILABLE", fault="outside"):
    """An outside system answered with an error, or not at all. `reason` is a short stable word for metrics."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class RetryableError(ConnectorError, retry=True):
    """Time-outs, cut connections, 5xx, throttling: the outcome may be unknown, the same call is safe to repeat."""


class OperatorError(ConnectorError, code="BAD_REQUEST", fault="operator"):
    """Wrong credentials, missing bucket, forbidden: nothing is dropped, the work waits until a person mends it."""


class RefusedError(ConnectorError, code="BAD_REQUEST", fault="author"):
    """The store will never take this one row, for example a key of more than 1,024 bytes."""


# --- What ends a lane of the worker


class LaneError(TidegateError, code="SERVICE_UNAVAILABLE", fault="operator"):
    """A lane cannot go on, because something that it needs is missing or unusable. Its action is started afresh."""


class FenceLostError(LaneError, code="CONFLICT", fault="outside", retry=True):
    """Another worker wrote the ledger entry that was ours to write: the partition is its own now."""


class ForeignObjectError(LaneError, code="CONFLICT"):
    """An object under our key holds other rows: two actions share a key, or somebody changed the bucket."""


# --- What is our own fault


class InternalError(TidegateError):
    """Something that should not happen, for example Faust stopped by itself. Whoever logs it logs its traceback too."""
