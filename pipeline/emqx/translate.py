"""Makes our objects of EMQX's configuration, and says of each part whether it was taken, changed or left out, and why. Pure.

Names of settings are the same where both have them. A setting that we do not have is left out with a note, and an object that
cannot be used is left out with its reason. No note has a value in it, for it may be a secret.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pipeline.config.base.secrets import MASK, Secret
from pipeline.config.base.section import Section, keys_of, members, sections_in, statement_of, tag_of
from pipeline.config.load import load_object
from pipeline.config.model import Rule, Schema
from pipeline.config.s3 import S3Action, S3Connector
from pipeline.config.sources import MqttSource
from pipeline.emqx.source_names import by_topics
from pipeline.errors import ConfigError

Outcome = Literal["taken", "changed", "left out"]
NAME: Final = re.compile(r"[0-9a-zA-Z][-0-9a-zA-Z_]{0,254}")
# What EMQX adds to objects, and what has no meaning in a file. Left out without a word.
_OF_EMQX: Final = frozenset(
    {
        *("created_at", "last_modified_at", "metadata", "status", "status_reason", "node_status", "error", "namespace"),
        *(
            "rules",
            "actions",
            "sources",
            "type",
            "name",
            "id",
            "from",
            "action_details",
            "pool_type",
            "enable_pipelining",
        ),
    }
)


@dataclass
class Item:
    """What became of one part. `what` is its path in EMQX, `key` that of our object, empty if there is none."""

    what: str
    key: str = ""
    notes: list[str] = field(default_factory=list)
    left_out: bool = False

    @property
    def outcome(self) -> Outcome:
        """One of three words."""
        return "left out" if self.left_out else "changed" if self.notes else "taken"


@dataclass
class Takeover:
    """Our objects by key, and the report."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    report: list[Item] = field(default_factory=list)

    def take(self, item: Item, value: dict[str, Any]) -> None:
        """Take an object."""
        self.objects[item.key] = value
        self.report.append(item)

    def leave(self, what: str, why: str) -> None:
        """Leave a part out."""
        self.report.append(Item(what, notes=[why], left_out=True))

    def drop(self, key: str, why: str) -> None:
        """Leave out an object that was taken, because the whole cannot be used with it."""
        self.objects.pop(key, None)
        for item in self.report:
            if item.key == key and not item.left_out:
                item.left_out, item.notes = True, [*item.notes, why]


def translated(found: Mapping[str, Any], *, keep_secrets: bool) -> Takeover:
    """Everything that can be taken over. Without `keep_secrets`, a reference to a variable replaces each clear secret."""
    to = Takeover()
    for type_, name, value in _typed(found, "connectors"):
        _connector(to, type_, name, value, keep_secrets)
    for type_, name, value in _typed(found, "actions"):
        _action(to, type_, name, value, keep_secrets)
    for type_, name, value in (*_typed(found, "sources"), *_typed(found, "bridges")):
        _source(to, type_, name, value, found, keep_secrets)
    for server in _list(found.get("exhook"), "servers"):
        _exhook(to, server)
    for name, value in _map(_map(found.get("schema_registry")).get("schemas")).items():
        _plain(to, "schema", f"schema_registry.schemas.{name}", name, Schema, value)
    rules = {**_map(_map(found.get("rule_engine")).get("rules")), **_map(found.get("rules"))}
    for id, value in rules.items():
        _rule(to, id, value)
    return to


# --- Objects of one kind


def _connector(to: Takeover, type_: str, name: str, value: Any, keep: bool) -> None:
    if type_ == "s3":
        _object(to, f"connectors.s3.{name}", "connector/s3", name, S3Connector, value, keep)
    elif type_ != "mqtt":  # those of sources are taken with them
        to.leave(f"connectors.{type_}.{name}", f"there is no connector of the type {type_}")


def _action(to: Takeover, type_: str, name: str, value: Any, keep: bool) -> None:
    what = f"actions.{type_}.{name}"
    if type_ != "s3":
        to.leave(what, f"there is no action of the type {type_}")
    elif f"connector/s3/{_map(value).get('connector')}" not in to.objects:
        to.leave(what, f"its connector {str(_map(value).get('connector'))[:80]!r} is not taken over")
    else:
        _object(to, what, "action/s3", name, S3Action, _with_container(_map(value)), keep)


def _with_container(action: dict[str, Any]) -> dict[str, Any]:
    """An action with the container that EMQX takes if none is named: CSV. Ours is JSON Lines."""
    parameters = _map(action.get("parameters"))
    if parameters.get("mode") != "aggregated":
        return action
    return {**action, "parameters": {**parameters, "container": {"type": "csv", **_map(parameters.get("container"))}}}


def _source(to: Takeover, type_: str, name: str, value: Any, found: Mapping[str, Any], keep: bool) -> None:
    what = f"{'sources' if name in _map(_map(found.get('sources')).get(type_)) else 'bridges'}.{type_}.{name}"
    value = _map(value)
    remote = _map(_map(value.get("ingress")).get("remote")) or _map(value.get("parameters"))
    connector = (
        value
        if "server" in value
        else _map(_map(_map(found.get("connectors")).get("mqtt")).get(value.get("connector")))
    )
    if type_ != "mqtt" or not remote.get("topic") or not connector.get("server"):
        why = "only MQTT sources, which subscribe to a broker, can be taken over"
        to.leave(what, why)
        return
    names = ("server", "username", "password", "ssl", "keepalive")
    made = {each: connector[each] for each in names if connector.get(each) not in (None, "")}
    made |= {"topics": [remote["topic"]], "qos": min(1, int(remote.get("qos", 1)))}
    made |= {each: value[each] for each in ("enable", "description") if each in value}
    if connector.get("proto_ver") in ("v3", "v4"):
        made["protocol"] = "3.1.1"
    item = _object(to, what, "source/mqtt", name, MqttSource, made, keep)
    if item is not None and int(remote.get("qos", 1)) == 2:
        item.notes.append("qos: 1 instead of 2; a message that comes twice has the same client and time")
    if item is not None and _map(_map(value.get("ingress")).get("local")).get("topic") not in (None, "", "${topic}"):
        item.notes.append(
            "without local.topic: messages keep the topic that they have at the broker; let rules name that"
        )


def _exhook(to: Takeover, server: Any) -> None:
    server = _map(server)
    name = re.sub(r"[^-0-9a-zA-Z_]", "_", str(server.get("name", "")))
    url = re.fullmatch(r"(https?)://[^:/]+:(\d{1,5})/?", str(server.get("url", "")))
    what = f"exhook.servers.{name}"
    if not NAME.fullmatch(name) or url is None:
        to.leave(what, "expected a server with a name and a url with a port")
    elif url[1] == "https":
        to.leave(what, "it speaks TLS, which needs the certificate and key of the server; create the source with them")
    else:
        note = "a source of ours takes the place of the server: it listens on this machine; set bind and EMQX's url to meet"
        value = {"bind": f"127.0.0.1:{url[2]}", "enable": bool(server.get("enable", True))}
        to.take(Item(what, f"source/exhook/{name}", [note]), value)


def _rule(to: Takeover, id: str, value: Any) -> None:
    value, own = _map(value), re.sub(r"[^-0-9a-zA-Z_]", "_", str(id))
    item = Item(f"rule_engine.rules.{id}", f"rule/{own}")
    made: dict[str, Any] = {name: value[name] for name in ("sql", "enable", "description") if name in value}
    if isinstance(made.get("sql"), str):
        made["sql"] = by_topics(made["sql"], _topics_of_sources(to), item.notes)
    if own != id:
        item.notes.append(f"its id is {own}, since ids have letters, digits, - and _")
    if not made.get("description") and value.get("name"):
        made["description"] = str(value["name"])
    made["actions"] = [each for each in _list(value, "actions") if isinstance(each, str) and _has(to, each)]
    for each in _list(value, "actions"):
        if each not in made["actions"]:
            item.notes.append(f"without its action {_called(each)}, which is not taken over")
    if not made["actions"] and made.get("enable", True):
        made["enable"] = False
        item.notes.append("switched off: no action is left")
    try:
        load_object(Rule, made, at=f"rules.{own}")
    except ConfigError as error:
        to.leave(item.what, str(error))
        return
    to.take(item, made)


def _topics_of_sources(to: Takeover) -> dict[str, list[str]]:
    """The topic filters of the sources that are taken, by EMQX's name such as `mqtt:up`."""
    found = {key.removeprefix("source/"): value for key, value in to.objects.items() if key.startswith("source/mqtt/")}
    return {key.replace("/", ":", 1): value["topics"] for key, value in found.items()}


def _has(to: Takeover, action: str) -> bool:
    return f"action/{action.replace(':', '/', 1)}" in to.objects


def _called(action: Any) -> str:
    return str(action)[:80] if isinstance(action, str) else f"function {str(_map(action).get('function'))[:80]}"


def _plain(to: Takeover, kind: str, what: str, name: str, section: type[Section], value: Any) -> None:
    _object(to, what, kind, name, section, value, True)


def _object(
    to: Takeover, what: str, kind: str, name: str, section: type[Section], value: Any, keep: bool
) -> Item | None:
    item = Item(what, f"{kind}/{name}")
    if not NAME.fullmatch(name):
        to.leave(what, "expected a name of letters, digits, - and _")
        return None
    made = _fitted(section, _map(value), item.notes, "")
    if not keep or kind.startswith(("connector", "source")):
        made = _without_secrets(section, made, item.notes, f"{name}".upper().replace("-", "_"), keep)
    try:
        load_object(section, made, at=item.key.replace("/", "."))
    except ConfigError as error:
        to.leave(what, str(error))
        return None
    to.take(item, made)
    return item


# --- Settings


def _fitted(section: type[Section], value: Mapping[str, Any], notes: list[str], path: str) -> dict[str, Any]:
    """The settings that our section has. Others are left out, with a note if they are not EMQX's own."""
    fields = {key: (name, each) for name, each in section.model_fields.items() for key in keys_of(name, each)}
    found: dict[str, Any] = {}
    for key, each in value.items():
        if key not in fields:
            if key not in _OF_EMQX:
                notes.append(f"without {path}{key}: there is no such setting")
            continue
        field = fields[key][1]
        inner = [one for one in sections_in(field.annotation) if isinstance(each, dict)]
        chosen = _chosen(inner, tag_of(field), each)
        is_section = chosen is not None and not isinstance(_map_type(field.annotation), bool)
        found[key] = _fitted(chosen, each, notes, f"{path}{key}.") if chosen is not None and is_section else each
    return {key: each for key, each in found.items() if each is not None}


def _map_type(annotation: Any) -> Any:
    """False for a mapping of sections, which has names of its own."""
    return False if str(annotation).startswith("dict[") else annotation


def _chosen(sections: list[type[Section]], tag: str, value: Mapping[str, Any]) -> type[Section] | None:
    if len(sections) < 2:
        return sections[0] if sections else None
    wanted = value.get(tag)
    for each in sections:
        if wanted in getattr(each.model_fields[tag].annotation, "__args__", ()):
            return each
    return None


def _without_secrets(
    section: type[Section], value: dict[str, Any], notes: list[str], name: str, keep: bool
) -> dict[str, Any]:
    """A reference in the place of each secret that is masked, or that must not be kept."""
    found = dict(value)
    for attribute, each in section.model_fields.items():
        key = keys_of(attribute, each)[0]
        inner, variable = found.get(key), f"{name}_{key.upper()}"
        said = statement_of(each)
        if Secret in members(each.annotation) and isinstance(inner, str | int):
            found[key] = _kept(str(inner), variable, key, notes, keep)
        elif isinstance(inner, dict) and said and said.private:
            found[key] = {
                header: _kept(str(text), f"{variable}_{re.sub('[^A-Z0-9]', '_', header.upper())}", header, notes, keep)
                for header, text in inner.items()
            }
        elif isinstance(inner, dict):
            for part in sections_in(each.annotation):
                found[key] = _without_secrets(part, inner, notes, name, keep)
    return found


def _kept(text: str, variable: str, key: str, notes: list[str], keep: bool) -> str:
    secret = Secret(text)
    if text != MASK and (keep or not secret.is_clear):
        return text
    why = "EMQX masked it" if text == MASK else "it was a clear text"
    notes.append(f"{key} is the variable {variable}, which the workers and ingresses need: {why}")
    return f"${{{variable}}}"


# --- Plain data


def _map(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _list(value: Any, name: str) -> list[Any]:
    found = _map(value).get(name)
    return list(found) if isinstance(found, list) else []


def _typed(found: Mapping[str, Any], kind: str) -> Iterator[tuple[str, str, Any]]:
    for type_, named in _map(found.get(kind)).items():
        for name, value in _map(named).items():
            yield str(type_), str(name), value
