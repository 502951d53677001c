"""Whether an answer of the API is what its OpenAPI document says: no field is missing, of another type, or not in the document.

client = httpx.AsyncClient(..., event_hooks={"response": [documented]})    # every answer of a test is looked at
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import httpx
import jsonschema_rs

from pipeline.web.app import routed

JSON: Final = "application/json"
_ERROR: Final = {"$ref": "#/components/schemas/Error"}
ANYWHERE: Final = {
    400,
    401,
    403,
    404,
    405,
    413,
    415,
}  # answers before any route, and of paths and methods that are none


async def documented(response: httpx.Response) -> None:
    """Fail for an answer that is not as the document says."""
    if response.headers.get("content-type", "").startswith(JSON):
        await response.aread()
        found = unfit(response)
        assert not found, f"{response.request.method} {response.request.url.path}: {found}"


def unfit(response: httpx.Response) -> list[str]:
    """What is wrong with an answer in JSON that was read."""
    path = response.request.url.raw_path.decode().partition("?")[0]
    status = response.status_code
    schema = schema_of(response.request.method, path, status)
    if schema is None and status not in ANYWHERE and not path.endswith("/openapi.json"):
        return [f"the document has no answer {status} with content"]
    validator = _validator(json.dumps(schema or (_ERROR if status in ANYWHERE else {})))
    return [
        f"{'/'.join(map(str, each.instance_path))}: {each.message}" for each in validator.iter_errors(response.json())
    ]


@lru_cache(maxsize=1)
def document() -> Mapping[str, Any]:
    """The document of the API."""
    return routed().openapi()


def schema_of(method: str, path: str, status: int) -> Mapping[str, Any] | None:
    """The schema of an answer, or None if the document has none."""
    if (template := template_of(method, path)) is None:
        return None
    answers = document()["paths"][template][method.lower()]["responses"]
    found: Mapping[str, Any] | None = answers.get(str(status), {}).get("content", {}).get(JSON, {}).get("schema")
    return found


def template_of(method: str, path: str) -> str | None:
    """The path of the document to which a call belongs. With variables only if there is none without."""
    fits = [each for each, pattern in _patterns().items() if pattern.fullmatch(path)]
    called = (each for each in fits if method.lower() in document()["paths"][each])
    return min(called, key=lambda each: each.count("{"), default=None)


@lru_cache(maxsize=1)
def _patterns() -> Mapping[str, re.Pattern[str]]:
    paths = document()["paths"]
    return {each: re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(each))) for each in paths}


@lru_cache(maxsize=200)
def _validator(schema: str) -> Any:
    return jsonschema_rs.validator_for({**json.loads(schema), "components": _closed(document()["components"])})


def _closed(schema: Any) -> Any:
    """A schema that allows no field but those that it names, unless it says that it does."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: each if name in ("enum", "default", "examples") else _closed(each) for name, each in schema.items()}
    if schema.get("type") == "object" and "properties" in schema:
        found.setdefault("additionalProperties", False)
    return found
