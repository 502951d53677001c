"""What a request brings: its body, the revision that it expects (If-Match), and whoever sends it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

import orjson
from fastapi import Depends, Request

from pipeline.control.objects import NESTED_MAX, is_too_deep
from pipeline.web.answers import RequestError
from pipeline.web.people.caller import Caller

BODY_BYTES_MAX: Final = 16 << 20
_ETAG: Final = re.compile(r'\s*(?:W/)?"([0-9]{1,18})"\s*')


async def read_body(request: Request, size_max: int = BODY_BYTES_MAX) -> bytes:
    """The bytes of a body. Raises RequestError if it is too long."""
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > size_max:
            raise RequestError("CONTENT_TOO_LARGE", f"expected a body of at most {size_max} bytes")
    return bytes(found)


async def _json_object(request: Request) -> dict[str, Any]:
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise RequestError("UNSUPPORTED_MEDIA_TYPE", "expected a body of type application/json")
    try:
        found = orjson.loads(await read_body(request))
    except orjson.JSONDecodeError as error:
        raise RequestError("BAD_REQUEST", f"the body is not JSON: {error}") from None
    if is_too_deep(found):
        raise RequestError("BAD_REQUEST", f"expected at most {NESTED_MAX} lists and objects in each other in the body")
    if not isinstance(found, dict):
        raise RequestError("BAD_REQUEST", f"expected a JSON object as the body, found {type(found).__name__}")
    return found


def _expected(request: Request) -> frozenset[int] | None:
    """The revisions of If-Match; None without that header. `*` is any revision, which a change of an object needs anyway."""
    text = request.headers.get("if-match")
    if text is None or text.strip() == "*":
        return None
    parts = [_ETAG.fullmatch(part) for part in text.split(",")]
    if not all(parts):
        raise RequestError("BAD_REQUEST", f'expected If-Match: "revision", as ETag has it, found {text[:40]!r}')
    return frozenset(int(part[1]) for part in parts if part)


def _caller(request: Request) -> Caller:
    found: Caller = request.state.caller
    return found


Body = Annotated[dict[str, Any], Depends(_json_object)]
IfMatch = Annotated[frozenset[int] | None, Depends(_expected)]
CallerIs = Annotated[Caller, Depends(_caller)]


def etag(revision: int) -> dict[str, str]:
    """The header of an object's revision."""
    return {"ETag": f'"{revision}"'}
