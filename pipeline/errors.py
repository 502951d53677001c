"""Every error that Tidegate raises on purpose, in one tree.

    TidegateError
    ├── ConfigError            the operator's: a file, a setting or a secret is wrong
    ├── SqlError               the rule author's: the statement is refused when the rule is made
    ├── TemplateSyntaxError    the action author's: the template is refused when the action is made
    ├── RecordError            this one record's: it goes to the dead letter topic with its cause
    │   ├── EvaluationError    the rule could not be evaluated on it
    │   ├── RenderError        a key, bucket or content could not be rendered from the row
    │   └── EncodeError        the row does not fit the container
    └── ConnectorError         the outside system's
        ├── RetryableError     the same call may succeed later: back off and call again
        ├── OperatorError      it will not succeed before a person acts; retried slowly, shown in status
        └── RefusedError       this row will never be accepted: it goes to the dead letter topic

The type is the answer to "retry or not, and whose fault". A message says what was found, what was expected and where.
It never holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TidegateError(Exception):
    """Base of the tree. `str(error)` is one line that a person can act on."""


class ConfigError(TidegateError):
    """Configuration that cannot be used. `where` is `file:line:column` or a path of keys, or both."""

    def __init__(self, message: str, *, where: str = "") -> None:
        super().__init__(f"{where}: {message}" if where else message)
        self.message = message
        self.where = where


@contextmanager
def located(where: str) -> Iterator[None]:
    """Give what is wrong with a setting its place: errors in here become ConfigErrors of `where`, and nested ones of a path."""
    try:
        yield
    except ConfigError as error:
        raise ConfigError(error.message, where=f"{where}.{error.where}" if error.where else where) from error
    except (TidegateError, ValueError) as error:
        raise ConfigError(str(error), where=where) from error


class SqlError(TidegateError):
    """A statement that is refused. `line` and `column` are 1-based; `snippet` is the line with a caret under the place."""

    def __init__(self, message: str, *, line: int, column: int, snippet: str = "") -> None:
        super().__init__(f"line {line}, column {column}: {message}" + (f"\n{snippet}" if snippet else ""))
        self.message = message
        self.line = line
        self.column = column
        self.snippet = snippet


class TemplateSyntaxError(TidegateError):
    """A template that is refused; the message quotes the template and names the place."""


class RecordError(TidegateError):
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


class RecordsGoneError(TidegateError):
    """Kafka deleted records that were asked for: its retention is over, or somebody deleted them."""


class ConnectorError(TidegateError):
    """An outside system answered with an error, or not at all. `reason` is a short stable word for metrics."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class RetryableError(ConnectorError):
    """Time-outs, cut connections, 5xx, throttling: the outcome may be unknown, the same call is safe to repeat."""


class OperatorError(ConnectorError):
    """Wrong credentials, missing bucket, forbidden: nothing is dropped, the work waits until a person mends it."""


class RefusedError(ConnectorError):
    """The store will never take this one row, for example a key of more than 1,024 bytes."""
