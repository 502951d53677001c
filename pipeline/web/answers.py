"""The answers of the REST API: JSON, pages of lists, and errors in EMQX's form `{"code", "message"}`.

One table gives the HTTP status of each code. The codes of `pipeline/errors.py` are in it, and those that only an HTTP server
has. `message` is always a text. For settings that are refused it is JSON in a text, as in EMQX:
`{"kind": "validation_error", "path": "root.parameters.key", "reason": "…"}`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson
from starlette.responses import Response

from pipeline.control.objects import Stored
from pipeline.errors import ConfigError, SqlError, StaleError, TidegateError
from pipeline.hidden import without_secrets
from pipeline.web.objects.forms import shown

STATUS: Final[Mapping[str, int]] = {
    "BAD_REQUEST": 400,
    "ALREADY_EXISTS": 400,
    "TEST_FAILED": 400,
    "AUTHORIZATION_HEADER_ERROR": 401,
    "BAD_API_KEY_OR_SECRET": 401,
    "BAD_USERNAME_OR_PWD": 401,
    "BAD_TOKEN": 401,
    "TOKEN_TIME_OUT": 401,
    "UNAUTHORIZED_ROLE": 403,
    "API_KEY_NOT_ALLOW": 403,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "RULE_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "CONFLICT": 409,
    "NOT_MATCH": 412,
    "PRECONDITION_FAILED": 412,
    "CONTENT_TOO_LARGE": 413,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "TOO_MANY_REQUESTS": 429,
    "INTERNAL_ERROR": 500,
    "SERVICE_UNAVAILABLE": 503,
}


class RequestError(TidegateError, code="BAD_REQUEST", fault="operator"):
    """A request is refused with a code of its own, one of `STATUS`. `fields` stand in the answer beside the message."""

    def __init__(
        self,
        word: str,
        message: str,
        *,
        fields: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.word = word
        self.fields = fields or {}
        self.headers = headers or {}


class Json(Response):
    """An answer in JSON."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The bytes of the body."""
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS)


def nothing() -> Response:
    """An answer without a body."""
    return Response(status_code=204)


# --- Errors


def refusal(error: TidegateError, *, at: str = "") -> Json:
    """The answer for an error. `at` is the path of the object of the request: paths in the message begin at it."""
    word, fields, headers = _word(error), dict(getattr(error, "fields", {})), getattr(error, "headers", {})
    if isinstance(error, StaleError) and isinstance(error.found, Stored):
        fields["current"] = {"revision": error.found.revision, "value": shown(error.key, error.found.value)}
    body = {"code": word, "message": without_secrets(_message(error, at)), **fields}
    return Json(body, status_code=STATUS[word], headers=dict(headers))


def _word(error: TidegateError) -> str:
    if isinstance(error, RequestError):
        return error.word
    return "PRECONDITION_FAILED" if isinstance(error, StaleError) else error.code


def _message(error: TidegateError, at: str) -> str:
    if not isinstance(error, ConfigError):
        return str(error)
    problems = [problem_of(each, at) for each in error.parts or [error]]
    more = {"errors": problems} if len(problems) > 1 else {}
    return orjson.dumps({**problems[0], **more}).decode()


def problem_of(error: ConfigError, at: str) -> dict[str, Any]:
    """One refused setting. A refused statement also says line and column."""
    path = f"root{error.where.removeprefix(at)}" if at and error.where.startswith(at) else error.where
    found: dict[str, Any] = {"kind": "validation_error", "path": path, "reason": error.message}
    cause = error.__cause__
    if isinstance(cause, SqlError):
        found |= {"line": cause.line, "column": cause.column}
    return found


# --- Pages of lists

LIMIT_DEFAULT: Final = 100
LIMIT_MAX: Final = 10_000


def page_of(items: Sequence[Any], page: str | None, limit: str | None) -> tuple[Sequence[Any], dict[str, Any]]:
    """The items of one page, and EMQX's `meta`. Raises RequestError if `page` or `limit` is not a number that can be."""
    number, size = _counted(page, 1, 1 << 31), _counted(limit, LIMIT_DEFAULT, LIMIT_MAX)
    begin = (number - 1) * size
    meta = {"page": number, "limit": size, "count": len(items), "hasnext": begin + size < len(items)}
    return items[begin : begin + size], meta


def _counted(text: str | None, default: int, most: int) -> int:
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text[:12]) <= most:
        raise RequestError("BAD_REQUEST", "page_limit_invalid")
    return int(text)
