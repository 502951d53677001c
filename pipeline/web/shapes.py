"""The schemas of what the REST API answers and takes, beside the settings of objects and the evidence.

What is free is named so, with the reason: rows of rules, the fields of an event, values of other programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pipeline.control.history import COUNTED
from pipeline.web.objects.kinds import KINDS

_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "number"}
_WHOLE: Final = {"type": "integer"}
_BOOLEAN: Final = {"type": "boolean"}


def ref(name: str) -> dict[str, str]:
    """A reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def fields(properties: Mapping[str, Any], *optional: str) -> dict[str, Any]:
    """An object with these fields and no others, all of them there but the optional ones."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": [name for name in properties if name not in optional],
    }


_STATUS: Final = {"enum": ["connected", "connecting", "disconnected", "stopped", "inconsistent"]}
_NODE_STATUS: Final = {
    "type": "array",
    "items": fields({"node": _TEXT, "status": _TEXT, "status_reason": _TEXT}),
}
_TEXTS: Final = {"type": "array", "items": _TEXT}
_TIME: Final = {"type": "string", "format": "date-time"}
_TRACED: Final = ("ruleid", "clientid", "topic", "ip_address")  # one of them, by the type of the trace
_EXAMPLE: Final = {"type": "array", "prefixItems": [{"description": "Any value."}, _TEXT], "minItems": 2, "maxItems": 2}
_WORDS: Final = fields({"en": _TEXT})
_PLACE: Final = {"line": _WHOLE, "column": _WHOLE}
_PROBLEMS: Final = {
    "type": "array",
    "items": fields({"kind": _TEXT, "path": _TEXT, "reason": _TEXT, **_PLACE}, "kind", *_PLACE),
}
_RENDERED: Final = fields({"action": _TEXT, "bucket": _TEXT, "key": _TEXT, "content": _TEXT})
_SESSION: Final = fields({"username": _TEXT, "role": {"enum": ["administrator", "viewer"]}, "version": _TEXT})


def many(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A list of it."""
    return {"type": "array", "items": schema}


def by_name(schema: Mapping[str, Any], description: str = "") -> dict[str, Any]:
    """An object with any names, each with a value of this schema."""
    return {"type": "object", "additionalProperties": schema} | ({"description": description} if description else {})


def or_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """It, or null."""
    return {"oneOf": [schema, {"type": "null"}]}


def _free(description: str) -> dict[str, Any]:
    """An object that can have any fields, and why."""
    return {"type": "object", "additionalProperties": True, "description": description}


_STANDING: Final = {"type": _TEXT, "name": _TEXT, "enable": _BOOLEAN, "status": _STATUS, "status_reason": _TEXT}
_SUMMARY: Final = {**_STANDING, "description": _TEXT, "node_status": _NODE_STATUS, "rules": _TEXTS}
# What an answer about a connector, action or source has beside its settings, and the names of what uses it.
_OF_RESOURCES: Final = {**_STANDING, "node_status": _NODE_STATUS, "created_at": _WHOLE, "last_modified_at": _WHOLE}
RESOURCES: Final[Mapping[str, dict[str, Any]]] = {
    "Connector": {**_OF_RESOURCES, "actions": _TEXTS, "sources": _TEXTS},
    "Action": {**_OF_RESOURCES, "rules": _TEXTS},
    "Source": {**_OF_RESOURCES, "rules": _TEXTS},
}
_LATENCY: Final = fields(
    {
        "count": _WHOLE,
        **dict.fromkeys(("mean_seconds", "p50_seconds", "p95_seconds", "p99_seconds"), or_null(_NUMBER)),
        "buckets": by_name(_WHOLE, "How many took at most so many seconds, by the seconds; the last is +Inf."),
    }
)
_COUNTED: Final = by_name(_NUMBER, "Counters and rates by their names in EMQX.")


_METRICS: Final = fields(
    {
        "metrics": _COUNTED,
        "node_metrics": many(fields({"node": _TEXT, "metrics": _COUNTED})),
        "latency": _LATENCY,
    },
    "latency",
)
_RULE: Final = fields(
    {
        "id": _TEXT,
        "name": _TEXT,
        "sql": _TEXT,
        "from": _TEXTS,
        "actions": _TEXTS,
        "action_details": {"type": "array", "items": fields({"type": _TEXT, "name": _TEXT, "status": _TEXT})},
        "enable": _BOOLEAN,
        "description": _TEXT,
        "created_at": _TIME,
        "last_modified_at": _TIME,
    }
)
_ENGINE: Final = {"ignore_sys_message": _BOOLEAN, "jq_function_default_timeout": _TEXT}
_IMPORTED: Final = {**dict.fromkeys(("what", "key", "outcome"), _TEXT), "notes": _TEXTS}
_META: Final = fields({"page": _WHOLE, "limit": _WHOLE, "count": _WHOLE, "hasnext": _BOOLEAN})
_COUNTS: Final = dict.fromkeys(
    (*(f"{kind}.count" for kind in (*KINDS, "rules", "schemas")), "connections.count"), _WHOLE
)
_MESSAGES: Final = dict.fromkeys(
    ("messages.received", "messages.sent", "messages.dropped", "bytes.received", "bytes.sent"), _WHOLE
)
_CLUSTER: Final = {
    "NodeStats": fields({"node": _TEXT, **_COUNTS}),
    "Stats": {"oneOf": [many(ref("NodeStats")), fields(_COUNTS)]},
    "NodeCounters": fields({"node": _TEXT, **_MESSAGES}),
    "Counters": {"oneOf": [many(ref("NodeCounters")), fields(_MESSAGES)]},
    "Alarm": fields({"node": _TEXT, "name": _TEXT, "message": _TEXT, "details": fields({}), "deactivate_at": _TEXT}),
    "Alarms": fields({"data": many(ref("Alarm")), "meta": _META}),
    "AuditEntry": fields(
        {
            "created_at": _TIME,
            **dict.fromkeys(("from", "source", "operation_id", "operation_type", "operation_name"), _TEXT),
            "operation_result": {"const": "success"},
            "revision": _WHOLE,
        }
    ),
    "Audit": fields({"data": many(ref("AuditEntry")), "meta": _META}),
    "Configs": fields(
        {
            **{kind: ref(f"{each.word.capitalize()}Settings") for kind, each in KINDS.items()},
            "rule_engine": fields({**_ENGINE, "rules": by_name(ref("Settings.Rule"))}, *_ENGINE, "rules"),
            "schema_registry": fields({"schemas": by_name(ref("Settings.Schema"))}, "schemas"),
        },
        *(*KINDS, "rule_engine", "schema_registry"),
    ),
    "Backups": fields({"data": many(ref("Backup")), "meta": _META}),
    "Imported": fields({"objects": many(fields(_IMPORTED))}),
    "NewTrace": fields(
        {
            **{"name": _TEXT, "type": {"enum": list(_TRACED)}, **dict.fromkeys(_TRACED, _TEXT)},
            **{name: {"type": ["string", "integer"]} for name in ("start_at", "end_at")},
            **{"payload_encode": {"enum": ["text", "hex", "hidden"]}, "formatter": {"enum": ["json", "text"]}},
        },
        *(*_TRACED, "start_at", "end_at", "payload_encode", "formatter"),
    ),
    "StoppedTrace": fields({"name": _TEXT, "enable": {"const": False}}),
    "TraceSize": fields({"node": _TEXT, "size": _WHOLE, "mtime": _WHOLE}),
    "TriedRule": fields({"lines": many(fields({"level": _TEXT, "msg": _TEXT, "meta": ref("TraceFacts")}))}),
    # EMQX has such things and Tidegate has none: the lists are empty.
    "None": {"type": "array", "maxItems": 0},
    "NoSources": fields({"sources": {"type": "array", "maxItems": 0}}),
}
_FREE: Final = {
    "Row": _free("A row of a rule: its columns are those of the statement."),
    "EventFields": _free("The fields of an event, `event_type` among them: what a rule can read."),
    "TraceFacts": _free("What a line of a trace tells: rule, action, input, result or reason."),
    "Draft": _free("The settings of an action or of a rule, as a form has them now: complete or not."),
    "StoredValue": _free("The settings of any kind of object, as they were written; secrets are masked."),
    "JsonSchemas": fields(
        {
            "types": by_name(_TEXT, "The name of the schema of each type."),
            "components": fields({"schemas": by_name({"type": "object", "description": "A JSON Schema."})}),
        }
    ),
}
ANSWERS: Final[Mapping[str, dict[str, Any]]] = {
    "Error": fields(
        {
            **{"code": _TEXT, "message": _TEXT, "rules": _TEXTS, "actions": _TEXTS},
            "current": fields({"revision": _WHOLE, "value": ref("StoredValue")}),
        },
        *("rules", "actions", "current"),
    ),
    "Login": fields({"token": _TEXT, "role": _TEXT, "version": _TEXT, "license": fields({"edition": _TEXT})}),
    "ActionSummary": fields({**_SUMMARY, "connector": _TEXT, "tags": _TEXTS}),
    "SourceSummary": fields(_SUMMARY),
    "Names": _TEXTS,
    "Metrics": _METRICS,
    "RuleMetrics": {**_METRICS, "properties": {"id": _TEXT, **_METRICS["properties"]}},
    "Rule": _RULE,
    "Rules": fields({"data": {"type": "array", "items": ref("Rule")}, "meta": _META}),
    "Schema": fields({"name": _TEXT, "type": _TEXT, "source": _TEXT, "last_modified_at": _WHOLE}),
    "User": fields({"username": _TEXT, "role": _TEXT, "description": _TEXT, "backend": _TEXT}),
    "ApiKey": fields(
        {
            **{"name": _TEXT, "api_key": _TEXT, "api_secret": _TEXT, "role": _TEXT, "desc": _TEXT},
            **{"enable": _BOOLEAN, "expired": _BOOLEAN, "expired_at": _TEXT, "created_at": _TEXT},
        },
        "api_secret",
    ),
    "Node": fields(
        {
            **{"node": _TEXT, "node_status": _TEXT, "role": _TEXT, "kind": _TEXT, "version": _TEXT, "edition": _TEXT},
            **{"uptime": _WHOLE, "revision": _WHOLE, "problem": _TEXT, "memory_used": _WHOLE},
        },
        "memory_used",
    ),
    "Cluster": fields({"name": _TEXT, "nodes": _TEXTS, "self": _TEXT}),
    "Current": {"type": "object", "additionalProperties": _NUMBER},
    "Step": fields(dict.fromkeys(("time_stamp", *COUNTED, "connections", "lag"), _WHOLE)),
    "ObjectStep": fields({"time_stamp": _WHOLE, "count": _WHOLE, "rate": _NUMBER}),
    "Changes": fields({"data": {"type": "array", "items": ref("ConfigChange")}, "meta": _META}),
    "ConfigChange": fields(
        {
            **{"key": _TEXT, "revision": _WHOLE, "by": _TEXT, "at": _WHOLE, "source": _TEXT, "change": _TEXT},
            "value": or_null(ref("StoredValue")),
        }
    ),
    "Partitions": {
        "type": "array",
        "items": fields(
            {
                **{"topic": _TEXT, "partition": _WHOLE, "start": _WHOLE, "end": _WHOLE, "lag": _WHOLE},
                "committed": {"type": ["integer", "null"]},
            }
        ),
    },
    "RuleEvent": fields(
        {
            **{"event": _TEXT, "topics": _TEXTS, "event_type": _TEXT, "title": _WORDS, "description": _WORDS},
            **{
                "columns": _TEXTS,
                "test_columns": by_name(_EXAMPLE, "An example and its help, by column."),
                "sql_example": _TEXT,
            },
        }
    ),
    "Function": fields(
        {
            **{"name": _TEXT, "theme": _TEXT, "signatures": _TEXTS, "description": _TEXT},
            "examples": {"type": "array", "items": fields({"call": _TEXT, "result": _TEXT})},
        }
    ),
    "Checked": fields({"errors": _PROBLEMS, "warnings": _PROBLEMS}),
    "Trial": fields(
        {
            "outcome": {"enum": ["rows", "no_result", "not_matched", "error"]},
            "rows": many(ref("Row")),
            "rendered": {"type": "array", "items": {"type": "array", "items": _RENDERED}},
            "error": {"oneOf": [fields({"message": _TEXT, **_PLACE}, *_PLACE), {"type": "null"}]},
        }
    ),
    "Session": fields({"session": {"oneOf": [_SESSION, {"type": "null"}]}, "first": _BOOLEAN}),
    "Rows": {"oneOf": [ref("Row"), many(ref("Row"))]},
    "Trace": fields(
        {
            **{"name": _TEXT, "type": _TEXT, "start_at": _WHOLE, "end_at": _WHOLE},
            **{
                "status": _TEXT,
                "log_size": by_name(_WHOLE, "Bytes by node."),
                "payload_encode": _TEXT,
                "formatter": _TEXT,
            },
            **dict.fromkeys(_TRACED, _TEXT),
        },
        *_TRACED,
    ),
    "Backup": fields({"filename": _TEXT, "node": _TEXT, "created_at": _TEXT, "created_at_sec": _WHOLE, "size": _WHOLE}),
    "RuleEngine": fields(_ENGINE, *_ENGINE),
    "TraceLog": fields({"items": _TEXT, "meta": fields({"position": _WHOLE, "bytes": _WHOLE})}),
    **_CLUSTER,
    **_FREE,
}
