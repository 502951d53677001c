"""The current message: functions that read the event's own fields.

In WHERE and INCASE these functions give `undefined`, and `flags()` gives `{}`. Use the columns of the same name there.
"""

from __future__ import annotations

from typing import Any

from pipeline.sql.functions.registry import function
from pipeline.sql.runtime.event import Event
from pipeline.sql.runtime.paths import read
from pipeline.sql.runtime.values import UNDEFINED, Text, octets, refuse, text_of


def _column(event: Event, name: str) -> Any:
    return event.columns.get(name, UNDEFINED)


@function("msgid() -> any", example=("msgid()", "'0005F1A2B3C4D5E6F40500000A1B2C3D'"), reads="event", message=True)
def msgid(event: Event) -> Any:
    """The message's id, the column `id`."""
    return _column(event, "id")


@function("qos() -> any", example=("qos()", "1"), reads="event", message=True)
def qos(event: Event) -> Any:
    """The quality of service, 0 to 2."""
    return _column(event, "qos")


@function(
    "topic([level: integer]) -> any",
    examples=(("topic()", "'plant/7/up'"), ("topic(2)", "'7'")),
    reads="event",
    message=True,
)
def topic(event: Event, level: int | None = None) -> Any:
    """The topic name, or one of its levels counted from 1. Raises for a level that the topic does not have."""
    name = _column(event, "topic")
    if level is None or name is UNDEFINED:
        return name
    levels = octets(name).split(b"/")
    if not 1 <= level <= len(levels):
        refuse(f"a topic with at least {level} levels", name)
    return text_of(levels[level - 1])


@function("clientid() -> any", example=("clientid()", "'pump-1'"), reads="event", message=True)
def clientid(event: Event) -> Any:
    """The clientid of the publisher."""
    return _column(event, "clientid")


@function("username() -> any", example=("username()", "'eve'"), reads="event", message=True)
def username(event: Event) -> Any:
    """The user name of the publisher."""
    return _column(event, "username")


@function("clientip() -> any", example=("clientip()", "'192.0.2.10'"), reads="event", message=True)
def clientip(event: Event) -> Any:
    """The client's IP address, the column `peerhost`."""
    return _column(event, "peerhost")


@function("peerhost() -> any", example=("peerhost()", "'192.0.2.10'"), reads="event", message=True)
def peerhost(event: Event) -> Any:
    """The same as `clientip()`."""
    return _column(event, "peerhost")


@function("payload([path: string]) -> any", example=("payload('place.room')", "'boiler'"), reads="event", message=True)
def payload(event: Event, path: Text | None = None) -> Any:
    """The raw payload, or the value at a path of keys joined by dots. Raises if a path is given and the payload is not JSON."""
    if path is None:
        return event.payload()
    document = event.document()
    return read(document, tuple(str(path).split(".")), document)


@function(
    "flags() -> any", example=("flags()", 'json_decode(\'{"dup":false,"retain":true}\')'), reads="event", message=True
)
def flags(event: Event) -> Any:
    """The message's flags as a map. The map is empty if the message has no flags."""
    found = _column(event, "flags")
    return {} if found is UNDEFINED else found


@function("flag(name: string) -> any", example=("flag('retain')", "true"), reads="event", message=True)
def flag(event: Event, name: Text) -> Any:
    """One flag, or `undefined`."""
    return read(_column(event, "flags"), (str(name),), UNDEFINED)


@function(
    "contains_topic(topics: list, topic: string[, qos: integer]) -> boolean",
    example=("contains_topic([], 't')", "false"),
)
def contains_topic(topics: list[Any], topic_name: Text, quality: int | None = None) -> bool:
    """Searches subscriptions for a topic. It exists for old rules. Always false, because no list in a rule can hold
    subscriptions.
    """
    return False


@function(
    "contains_topic_match(topics: list, topic: string[, qos: integer]) -> boolean",
    example=("contains_topic_match([], 't')", "false"),
)
def contains_topic_match(topics: list[Any], topic_name: Text, quality: int | None = None) -> bool:
    """The same as `contains_topic()`, with wildcards. Always false, for the same reason."""
    return False
