"""Random values that a replay repeats: the record's place in Kafka seeds them."""

from __future__ import annotations

import uuid

from pipeline.sql.functions.registry import function
from pipeline.sql.runtime.event import Event


@function("random() -> float", example=("random() < 1", "true"), reads="event")
def random(event: Event) -> float:
    """A random float from 0 to 1, without 1. The same record gives the same number, also in a replay."""
    return (int.from_bytes(event.draw()[:8], "big") >> 11) / (1 << 53)


@function("uuid_v4() -> string", example=("strlen(uuid_v4())", "36"), reads="event")
def uuid_v4(event: Event) -> str:
    """A random UUID in lower case with hyphens. The same record gives the same UUID."""
    return str(uuid.UUID(bytes=event.draw()[:16], version=4))


@function("uuid_v4_no_hyphen() -> string", example=("strlen(uuid_v4_no_hyphen())", "32"), reads="event")
def uuid_v4_no_hyphen(event: Event) -> str:
    """As `uuid_v4()`, without the hyphens."""
    return uuid_v4(event).replace("-", "")
