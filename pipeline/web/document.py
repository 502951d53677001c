"""The OpenAPI document of the REST API, and the words with which routes describe themselves.

The schemas of settings come from the model of the configuration, those of answers from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from pipeline.config.base.secrets import MASK
from pipeline.config.schema import schema as schema_of_configuration
from pipeline.web.evidence.shapes.schemas import schemas as evidence_schemas
from pipeline.web.objects.forms import ADDED, READ_ONLY
from pipeline.web.objects.kinds import KINDS
from pipeline.web.shapes import ANSWERS, RESOURCES, by_name, fields, ref

JSON: Final = "application/json"
_TEXT: Final = {"type": "string"}
_MEANINGS: Final = {
    400: "The request cannot be used. `message` says where and why.",
    401: "Not logged in: no token or key, a wrong one, or a session that is over.",
    403: "The role, or the kind of login, does not allow it.",
    404: "There is no such object.",
    409: "Others change the same object all the time.",
    412: "The object has another revision than If-Match expects, or no row is made.",
    413: "The body is too long.",
    415: "The body is not JSON.",
    429: "Too many failures; Retry-After says when to try again.",
    503: "Kafka, or another system that is needed for the answer, does not answer.",
}
# The prefix of names in the schema of the configuration, so that they differ from those of answers.
_SETTINGS: Final = "Settings."


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that are errors."""
    return {each: _answer(_MEANINGS[each], ref("Error")) for each in sorted({*statuses, 401, 403})}


def told(status: int, name: str, *, many: bool = False) -> dict[int | str, dict[str, Any]]:
    """The answer of a route: one of the schemas below, or a list of it."""
    schema: dict[str, Any] = {"type": "array", "items": ref(name)} if many else ref(name)
    return {status: _answer("The answer.", schema)}


def raw(media: str, description: str) -> dict[int | str, dict[str, Any]]:
    """The answer of a route that is not JSON."""
    return {200: {"description": description, "content": {media: {"schema": _TEXT}}}}


def body_of(name: str) -> dict[str, Any]:
    """A body with this schema."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": ref(name)}}}}


def json_body(fields: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    """A body with these fields: a type by name, or a whole schema. All are required but the optional ones."""
    properties = {name: {"type": each} if isinstance(each, str) else each for name, each in fields.items()}
    required = [name for name in fields if name not in optional]
    schema: dict[str, Any] = {"type": "object", "properties": properties, "required": required}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def document(app: FastAPI) -> dict[str, Any]:
    """The whole document. FastAPI asks for it once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    found = get_openapi(
        title="Tidegate",
        version=version("tidegate"),
        openapi_version="3.1.0",
        description="The REST API of Tidegate. Paths, fields and errors are those of EMQX 5 where it has them.",
        routes=app.routes,
    )
    for operations in found["paths"].values():
        for operation in operations.values():
            operation["responses"] = _own(operation["responses"])
    components = found.setdefault("components", {})
    settings = _settings()
    evidence = evidence_schemas(ref_template="#/components/schemas/{model}")
    components["schemas"] = {**settings, **_bodies(settings), **_answers(settings), **evidence, **ANSWERS}
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "The token of /login."},
        "basic": {"type": "http", "scheme": "basic", "description": "An API key and its secret."},
    }
    found["security"] = [{"bearer": []}, {"basic": []}]
    app.openapi_schema = found
    return found


def _own(answers: Mapping[str, Any]) -> dict[str, Any]:
    """The answers of an operation without what FastAPI adds: errors that this API never gives, and JSON of any kind."""
    found = {}
    for status, answer in answers.items():
        content = {media: each for media, each in answer.get("content", {}).items() if each != {"schema": {}}}
        if status != "422" and (content or answer["description"] != "Successful Response" or status == "204"):
            found[status] = {**answer, "content": content} if content else {"description": answer["description"]}
    return found


def _settings() -> dict[str, Any]:
    """The schemas of all sections of the configuration."""
    found: dict[str, Any] = schema_of_configuration()["$defs"]
    return {f"{_SETTINGS}{name}": _moved(each) for name, each in found.items()}


def _bodies(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas of bodies: the settings of an object, and the fields that are its id."""
    found: dict[str, Any] = {}
    for kind in KINDS.values():
        choices = [_body(settings[f"{_SETTINGS}{model.__name__}"], type_) for type_, model in kind.types.items()]
        found[f"New{kind.word.capitalize()}"] = choices[0] if len(choices) == 1 else {"oneOf": choices}
    rule, schema = settings[f"{_SETTINGS}Rule"], settings[f"{_SETTINGS}Schema"]
    found["NewRule"] = _with(rule, {**_SENT_BACK, "id": _TEXT})
    found["ChangedRule"] = {**_with(rule, _SENT_BACK), "required": []}
    found["NewSchema"] = _with(schema, {**_SENT_BACK, "name": _TEXT}, "name")
    return found


# What answers have beside the settings: clients send it back, and nobody reads it.
_SENT_BACK: Final = {name: {"readOnly": True} for name in sorted(READ_ONLY)}


def _body(settings: Mapping[str, Any], type_: str) -> dict[str, Any]:
    fields = {**_added(settings), **_SENT_BACK, "type": {"const": type_}, "name": _TEXT}
    return _with(settings, fields, "type", "name")


def _answers(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The schemas of answers about objects: their settings with what the API adds, and without, by type and name."""
    found: dict[str, Any] = {}
    for kind in KINDS.values():
        name = kind.word.capitalize()
        choices, of_type = [], {}
        for type_, model in kind.types.items():
            section = _shown(settings[f"{_SETTINGS}{model.__name__}"])
            of_type[type_] = by_name(section)
            choices.append(_with(section, {**RESOURCES[name], "type": {"const": type_}}, *RESOURCES[name]))
        found[name] = choices[0] if len(choices) == 1 else {"oneOf": choices}
        found[f"{name}Settings"] = fields(of_type, *of_type)
    return found


def _shown(section: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a section as answers show it: without older names, and with ****** in the place of what is private."""
    now = {key: each for key, each in section["properties"].items() if not each.get("deprecated")}
    shown = {key: {"anyOf": [each, {"const": MASK}]} if each.get("x-private") else each for key, each in now.items()}
    return _with({**section, "properties": shown}, _added(section))


def _added(section: Mapping[str, Any]) -> dict[str, Any]:
    """Settings that every object has in EMQX, with the only value that they have here, if this kind has none."""
    return {name: {"const": value} for name, value in ADDED.items() if name not in section["properties"]}


def _with(settings: Mapping[str, Any], fields: Mapping[str, Any], *required: str) -> dict[str, Any]:
    """The schema of a section with more fields. A setting of the same name stays what it is."""
    found = {name: value for name, value in settings.items() if name != "title"}
    return {
        **found,
        "properties": {**fields, **settings["properties"]},
        "required": list(dict.fromkeys([*required, *settings.get("required", [])])),
    }


def _moved(value: Any) -> Any:
    """A schema whose references lead to the place that it has in this document."""
    if isinstance(value, dict):
        return {
            key: f"#/components/schemas/{_SETTINGS}{each.removeprefix('#/$defs/')}"
            if key == "$ref" and isinstance(each, str)
            else _moved(each)
            for key, each in value.items()
        }
    return [_moved(each) for each in value] if isinstance(value, list) else value
