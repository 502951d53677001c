"""A configuration with a distinct canary in every setting that can hold a secret, as the model declares them.

A new setting of that kind is planted without a line here, as long as its section stands in SETTINGS.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any, Final, get_origin

from pydantic.fields import FieldInfo

from pipeline.config import Config
from pipeline.config.base.secrets import Secret
from pipeline.config.base.section import Section, keys_of, members, sections_in, statement_of, tag_of
from pipeline.config.kafka import KafkaLogin
from pipeline.hidden import forms_of

_TLS: Final[dict[str, Any]] = {"enable": True, "certfile": "/nowhere/cert.pem"}
# Every section that can hold a secret, once at least.
SETTINGS: Final[dict[str, Any]] = {
    "pipeline": "canaries",
    "kafka": {
        "bootstrap_servers": "127.0.0.1:1",
        "ssl": {"enable": True, "certfile": "/nowhere/cert.pem"},
        "authentication": {"mechanism": "plain", "username": "u"},
    },
    "sources": {
        "mqtt": {"plant": {"server": "127.0.0.1:1", "topics": ["t/#"], "username": "u", "ssl": _TLS}},
        "exhook": {"hook": {"bind": "127.0.0.1:18831", "ssl": _TLS}},
        "listener": {"door": {"bind": "127.0.0.1:18832", "topics": ["t/#"], "authentication": "none", "ssl": _TLS}},
    },
    "connectors": {
        "s3": {
            "lake": {
                "host": "127.0.0.1",
                "port": 1,
                "access_key_id": "key",
                "transport_options": {"ssl": {"enable": True, "certfile": "/nowhere/cert.pem"}},
            }
        }
    },
    "actions": {
        "s3": {
            "raw": {"connector": "lake", "parameters": {"bucket": "sink", "key": "raw/${id}"}},
            "rows": {
                "connector": "lake",
                "parameters": {"mode": "aggregated", "bucket": "sink", "key": "rows/x.jsonl"},
            },
        }
    },
    "rules": {"r": {"sql": 'SELECT * FROM "t/#"', "actions": ["s3:raw", "s3:rows"]}},
    "otel": {"endpoint": "http://127.0.0.1:1"},
}


# Other logins at Kafka, each with a secret of its own.
LOGINS: Final[tuple[dict[str, Any], ...]] = (
    {"mechanism": "oauth", "endpoint_uri": "http://127.0.0.1:1/token", "client_id": "c"},
    {"mechanism": "oauth"},
)


def with_login(login: dict[str, Any]) -> dict[str, Any]:
    """The settings with another login at Kafka, without TLS."""
    return {**SETTINGS, "kafka": {"bootstrap_servers": "127.0.0.1:1", "authentication": login}}


def can_hold_a_secret(field: FieldInfo) -> bool:
    """Whether a setting is declared so."""
    said = statement_of(field)
    return Secret in members(field.annotation) or bool(said and said.private)


def declared(section: type[Section] = Config) -> set[tuple[str, str]]:
    """Every setting of the model that can hold a secret: section and name."""
    found = {(section.__name__, name) for name, field in section.model_fields.items() if can_hold_a_secret(field)}
    for field in section.model_fields.values():
        for inner in sections_in(field.annotation):
            found |= declared(inner)
    return found


class Canaries:
    """The configuration, planted. `by_place` has each canary by where it stands; `planted` names what was declared."""

    def __init__(self, settings: dict[str, Any] = SETTINGS) -> None:
        self.settings = copy.deepcopy(settings)
        self.by_place: dict[str, str] = {}
        self.planted: set[tuple[str, str]] = set()
        self._plant(Config, self.settings, "")

    def _plant(self, section: type[Section], data: dict[str, Any], place: str) -> None:
        for name, field in section.model_fields.items():
            key = keys_of(name, field)[0]
            if section is KafkaLogin and name != _secret_of(data) and can_hold_a_secret(field):
                continue  # it is refused beside the one of this login
            if can_hold_a_secret(field):
                data[key] = self._value(field, f"{place}.{key}")
                self.planted.add((section.__name__, name))
                continue
            for inner, there, where in _inner(field, data.get(key), f"{place}.{key}"):
                self._plant(inner, there, where)

    def _value(self, field: FieldInfo, place: str) -> Any:
        # What JSON, URLs and Python write otherwise is in it.
        canary = f'canary+{len(self.by_place)}/"=\\ {place.rpartition(".")[2]}&end'
        self.by_place[place] = canary
        shape = get_origin(members(field.annotation)[0])
        if shape is dict:
            return {"x-canary": canary.replace('"', "'")}
        return [{"password": canary}] if shape is list else canary

    def found_in(self, text: str) -> list[str]:
        """The places whose canaries are in a text, in whatever form."""
        return [
            place
            for place, canary in self.by_place.items()
            if canary.partition("/")[0] + "/" in text  # however the rest is written
            or any(form in text for each in (canary, canary.replace('"', "'")) for form in forms_of(each))
        ]

    def text(self) -> str:
        """The configuration as a file."""
        return json.dumps(self.settings)


def _secret_of(login: dict[str, Any]) -> str:
    """The setting that holds the secret of a login."""
    if login["mechanism"] != "oauth":
        return "password"
    return "client_secret" if "endpoint_uri" in login else "token"


def _inner(field: FieldInfo, value: Any, place: str) -> Iterator[tuple[type[Section], dict[str, Any], str]]:
    """The sections in the value of a setting, with what stands for them."""
    shapes = list(sections_in(field.annotation))
    if not shapes or not isinstance(value, dict):
        return
    if get_origin(members(field.annotation)[0]) is dict:
        for name, each in value.items():
            yield shapes[0], each, f"{place}.{name}"
        return
    tag = tag_of(field)
    wanted = str(value.get(tag, "direct")) if tag else ""
    for shape in shapes:
        if not tag or wanted in str(shape.model_fields[tag].annotation):
            yield shape, value, place
            return
