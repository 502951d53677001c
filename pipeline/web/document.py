"""The OpenAPI document of the REST API, and the words with which routes describe themselves.

The schemas of settings come from the model of the configuration, those of answers from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from pipeline.config.schema import schema as schema_of_configuration
from pipeline.control.history import COUNTED
from pipeline.web.evidence.shapes.schemas import schemas as evidence_schemas
from pipeline.web.objects.kinds import KINDS

JSON: Final = "application/json"
_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_WHOLE: Final = {"type": "integer"}
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
    return {each: _answer(_MEANINGS[each], _ref("Error")) for each in sorted({*statuses, 401, 403})}


def told(status: int, name: str, *, many: bool = False) -> dict[int | str, dict[str, Any]]:
    """The answer of a route: one of the schemas below, or a list of it."""
    schema: dict[str, Any] = {"type": "array", "items": _ref(name)} if many else _ref(name)
    return {status: _answer("The answer.", schema)}


def body_of(name: str) -> dict[str, Any]:
    """A body with this schema."""
    return {"requestBody": {"required": True, "content": {JSON: {"schema": _ref(name)}}}}


def json_body(fields: Mapping[str, Any], required: bool = True) -> dict[str, Any]:
    """A body with these fields: a type by name, or a whole schema."""
    properties = {name: {"type": each} if isinstance(each, str) else each for name, each in fields.items()}
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(fields)
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema}}}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _object(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
    }


_STATUS: Final = {"enum": ["connected", "connecting", "disconnected", "stopped", "inconsistent"]}
_NODE_STATUS: Final = {
    "type": "array",
    "items": _object({"node": _TEXT, "status": {"type": "string"}, "status_reason": _TEXT}),
}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_TIME: Final = {"type": "string", "format": "date-time"}
_FREE: Final = {"type": "object", "additionalProperties": True}
_TRACED: Final = ("ruleid", "clientid", "topic", "ip_address")  # one of them, by the type of the trace
_WORDS: Final = _object({"en": _TEXT})
_PLACE: Final = {"line": _WHOLE, "column": _WHOLE}
_PROBLEMS: Final = {
    "type": "array",
    "items": _object({"kind": _TEXT, "path": _TEXT, "reason": _TEXT, **_PLACE}, "kind", *_PLACE),
}
_RENDERED: Final = _object({"action": _TEXT, "bucket": _TEXT, "key": _TEXT, "content": _TEXT})
_SESSION: Final = _object({"username": _TEXT, "role": {"enum": ["administrator", "viewer"]}, "version": _TEXT})


def _resource(*lists: str) -> dict[str, Any]:
    """An answer about a connector, action or source: its settings, and these fields."""
    known = {"type": _TEXT, "name": _TEXT, "enable": {"type": "boolean"}, "status": _STATUS, "status_reason": _TEXT}
    fields = {
        **known,
        "node_status": _NODE_STATUS,
        "resource_opts": _FREE,
        "created_at": _WHOLE,
        "last_modified_at": _WHOLE,
    }
    return _object({**fields, **dict.fromkeys(lists, _TEXTS)}) | {"additionalProperties": True}


_METRICS: Final = _object(
    {
        "metrics": {"type": "object", "additionalProperties": _NUMBER},
        "node_metrics": {
            "type": "array",
            "items": _object({"node": _TEXT, "metrics": {"type": "object", "additionalProperties": _NUMBER}}),
        },
        "latency": _FREE,
    },
    "latency",
)
_RULE: Final = _object(
    {
        "id": _TEXT,
        "name": _TEXT,
        "sql": _TEXT,
        "from": _TEXTS,
        "actions": _TEXTS,
        "action_details": {"type": "array", "items": _object({"type": _TEXT, "name": _TEXT, "status": _TEXT})},
        "enable": {"type": "boolean"},
        "description": _TEXT,
        "created_at": _TIME,
        "last_modified_at": _TIME,
    }
)
_META: Final = _object({"page": _WHOLE, "limit": _WHOLE, "count": _WHOLE, "hasnext": {"type": "boolean"}})
ANSWERS: Final[Mapping[str, dict[str, Any]]] = {
    "Error": _object(
        {
            **{"code": _TEXT, "message": _TEXT, "rules": _TEXTS, "actions": _TEXTS},
            "current": _object({"revision": _WHOLE, "value": {"oneOf": [_FREE, {"type": "null"}]}}),
        },
        *("rules", "actions", "current"),
    ),
    "Login": _object({"token": _TEXT, "role": _TEXT, "version": _TEXT, "license": _FREE}),
    "Connector": _resource("actions", "sources"),
    "Action": _resource("rules"),
    "Source": _resource("rules"),
    "Names": _TEXTS,
    "Metrics": _METRICS,
    "RuleMetrics": {**_METRICS, "properties": {"id": _TEXT, **_METRICS["properties"]}},
    "Rule": _RULE,
    "Rules": _object({"data": {"type": "array", "items": _ref("Rule")}, "meta": _META}),
    "Schema": _object({"name": _TEXT, "type": _TEXT, "source": _TEXT, "last_modified_at": _WHOLE}),
    "User": _object({"username": _TEXT, "role": _TEXT, "description": _TEXT, "backend": _TEXT}),
    "ApiKey": _object(
        {
            **{"name": _TEXT, "api_key": _TEXT, "api_secret": _TEXT, "role": _TEXT, "desc": _TEXT},
            **{"enable": {"type": "boolean"}, "expired": {"type": "boolean"}, "expired_at": _TEXT, "created_at": _TEXT},
        },
        "api_secret",
    ),
    "Node": _object(
        {
            **{"node": _TEXT, "node_status": _TEXT, "role": _TEXT, "kind": _TEXT, "version": _TEXT, "edition": _TEXT},
            **{"uptime": _WHOLE, "revision": _WHOLE, "problem": _TEXT, "memory_used": _WHOLE},
        },
        "memory_used",
    ),
    "Cluster": _object({"name": _TEXT, "nodes": _TEXTS, "self": _TEXT}),
    "Current": {"type": "object", "additionalProperties": _NUMBER},
    "Step": _object(dict.fromkeys(("time_stamp", *COUNTED, "connections", "lag"), _WHOLE)),
    "Changes": _object({"data": {"type": "array", "items": _ref("ConfigChange")}, "meta": _META}),
    "ConfigChange": _object(
        {
            **{"key": _TEXT, "revision": _WHOLE, "by": _TEXT, "at": _WHOLE, "source": _TEXT, "change": _TEXT},
            "value": {"oneOf": [_FREE, {"type": "null"}]},
        }
    ),
    "Partitions": {
        "type": "array",
        "items": _object(
            {
                **{"topic": _TEXT, "partition": _WHOLE, "start": _WHOLE, "end": _WHOLE, "lag": _WHOLE},
                "committed": {"type": ["integer", "null"]},
            }
        ),
    },
    "RuleEvent": _object(
        {
            **{"event": _TEXT, "topics": _TEXTS, "event_type": _TEXT, "title": _WORDS, "description": _WORDS},
            **{"columns": _TEXTS, "test_columns": _FREE, "sql_example": _TEXT},
        }
    ),
    "Function": _object(
        {
            **{"name": _TEXT, "theme": _TEXT, "signatures": _TEXTS, "description": _TEXT},
            "examples": {"type": "array", "items": _object({"call": _TEXT, "result": _TEXT})},
        }
    ),
    "Checked": _object({"errors": _PROBLEMS, "warnings": _PROBLEMS}),
    "Trial": _object(
        {
            "outcome": {"enum": ["rows", "no_result", "not_matched", "error"]},
            "rows": {"type": "array", "items": {}},
            "rendered": {"type": "array", "items": {"type": "array", "items": _RENDERED}},
            "error": {"oneOf": [_object({"message": _TEXT, **_PLACE}, *_PLACE), {"type": "null"}]},
        }
    ),
    "Session": _object({"session": {"oneOf": [_SESSION, {"type": "null"}]}, "first": {"type": "boolean"}}),
    "Rows": {"oneOf": [_FREE, {"type": "array", "items": _FREE}]},
    "Trace": _object(
        {
            **{"name": _TEXT, "type": _TEXT, "start_at": _WHOLE, "end_at": _WHOLE},
            **{"status": _TEXT, "log_size": _FREE, "payload_encode": _TEXT, "formatter": _TEXT},
            **dict.fromkeys(_TRACED, _TEXT),
        },
        *_TRACED,
    ),
    "Backup": _object(
        {"filename": _TEXT, "node": _TEXT, "created_at": _TEXT, "created_at_sec": _WHOLE, "size": _WHOLE}
    ),
    "RuleEngine": _object(
        {"ignore_sys_message": {"type": "boolean"}, "jq_function_default_timeout": _TEXT},
        *("ignore_sys_message", "jq_function_default_timeout"),
    ),
    "TraceLog": _object({"items": _TEXT, "meta": _object({"position": _WHOLE, "bytes": _WHOLE})}),
    "Free": _FREE,
    "Numbers": {"oneOf": [_FREE, {"type": "array", "items": _FREE}]},
    "Page": _object({"data": {"type": "array", "items": _FREE}, "meta": _META}),
    "Things": {"type": "array", "items": _FREE},
}


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
            operation["responses"].pop("422", None)  # FastAPI's own answer, which this API never gives
    components = found.setdefault("components", {})
    settings = _settings()
    evidence = evidence_schemas(ref_template="#/components/schemas/{model}")
    components["schemas"] = {**settings, **_bodies(settings), **evidence, **ANSWERS}
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "description": "The token of /login."},
        "basic": {"type": "http", "scheme": "basic", "description": "An API key and its secret."},
    }
    found["security"] = [{"bearer": []}, {"basic": []}]
    app.openapi_schema = found
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
    found["NewRule"] = _with(rule, {"id": _TEXT})
    found["ChangedRule"] = {**_with(rule, {}), "required": []}
    found["NewSchema"] = _with(schema, {"name": _TEXT}, "name")
    return found


def _body(settings: Mapping[str, Any], type_: str) -> dict[str, Any]:
    return _with(settings, {"type": {"const": type_}, "name": _TEXT}, "type", "name")


def _with(settings: Mapping[str, Any], fields: Mapping[str, Any], *required: str) -> dict[str, Any]:
    """The schema of a section with more fields. It allows others, since clients send back what only answers have."""
    found = {name: value for name, value in settings.items() if name not in {"additionalProperties", "title"}}
    return {
        **found,
        "properties": {**settings["properties"], **fields},
        "required": [*required, *settings.get("required", [])],
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
