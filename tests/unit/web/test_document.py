"""The OpenAPI document: no schema allows anything but those that are free for a reason, and none is left over or missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.parts.answers import document

# Objects whose fields others choose. The document says so in their descriptions.
FREE = {"Row", "EventFields", "TraceFacts", "Draft", "StoredValue"}
OF_EMQX = ".fallback_actions."  # a setting without effect, whatever stands in it
SCHEMAS = document()["components"]["schemas"]


def loose(schema: Any, path: str) -> Iterator[str]:
    """The places of a schema that say nothing about what may stand there."""
    if not isinstance(schema, dict):
        return
    allowed = schema.get("additionalProperties")
    says = {"$ref", "enum", "const", "anyOf", "oneOf", "allOf", "type", "readOnly"} & schema.keys()
    if not says and "description" not in schema:
        yield path
    if schema.get("type") == "object" and not (
        {"properties", "description"} & schema.keys() or isinstance(allowed, dict)
    ):
        yield path
    if schema.get("type") == "array" and not {"items", "prefixItems", "maxItems"} & schema.keys():
        yield path
    for name, each in schema.get("properties", {}).items():
        yield from loose(each, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        yield from loose(schema.get(word), f"{path}.{word}")
    for word in ("anyOf", "oneOf", "allOf", "prefixItems"):
        for number, each in enumerate(schema.get(word, [])):
            yield from loose(each, f"{path}.{word}{number}")


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every operation with its name."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def test_no_schema_allows_anything() -> None:
    """Every field has a type, and an object has its fields. What others choose is named so, and described."""
    found = [place for name, schema in SCHEMAS.items() if name not in FREE for place in loose(schema, name)]
    found += [
        place
        for name, operation in operations()
        for part in (operation.get("requestBody", {}), *operation["responses"].values())
        for media, content in part.get("content", {}).items()
        for place in loose(content.get("schema", {}), f"{name} {media}")
    ]

    assert [place for place in found if not any(each in place for each in ("Settings.", OF_EMQX))] == []
    assert all(len(SCHEMAS[name]["description"]) > 20 for name in FREE)


def test_every_answer_that_is_one_has_a_schema() -> None:
    """An operation that answers with 200 or 201 says what the answer is; 204 has no content."""
    for name, operation in operations():
        for status, answer in operation["responses"].items():
            if status in ("200", "201"):
                assert answer.get("content") or "no body" in answer["description"], f"{name}: {status}"
            if status == "204":
                assert "content" not in answer, name


def test_every_variable_of_a_path_is_a_parameter() -> None:
    """A client that is made of the document can fill each path."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            named = {each["name"] for each in operation.get("parameters", []) if each["in"] == "path"}
            assert named == set(re.findall(r"\{(\w+)\}", path)), f"{method.upper()} {path}"


def test_every_reference_has_a_schema_and_every_schema_is_used() -> None:
    """Nothing in the document leads nowhere, and nothing in it is left over."""

    def named(value: Any) -> Iterator[str]:
        for key, each in value.items() if isinstance(value, dict) else ():
            if key == "$ref":
                yield each.removeprefix("#/components/schemas/")
            elif key == "mapping":
                yield from (target.removeprefix("#/components/schemas/") for target in each.values())
            else:
                yield from named(each)
        for each in value if isinstance(value, list) else ():
            yield from named(each)

    used, new = set[str](), set(named(document()["paths"]))
    while new:
        used |= new
        new = {each for name in new for each in named(SCHEMAS[name])} - used

    assert sorted(name for name in SCHEMAS.keys() - used if not name.startswith("Settings.")) == []
