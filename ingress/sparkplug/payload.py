"""The parts of Sparkplug B's topics and payloads that the ingress reads: who speaks, and the names, aliases and types of metrics.

Source: Eclipse Sparkplug 3.0, sections 4.1 (topics) and 6.4.1 (payloads). Pure. All other parts of a payload are skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, Final, NamedTuple

NAMESPACE: Final = b"spBv1.0"
BIRTHS: Final = frozenset({b"NBIRTH", b"DBIRTH"})
USES: Final = frozenset({b"NDATA", b"DDATA", b"NCMD", b"DCMD"})
OWNER_BYTES_MAX: Final = 512
PAYLOAD_BYTES_MAX: Final = 4 << 20
METRICS_MAX: Final = 50_000  # of one message; later metrics keep their aliases

_PROTO: Final = """
syntax = "proto2";
message Payload {
  message Metric { optional bytes name = 1; optional uint64 alias = 2; optional uint32 datatype = 4; }
  repeated Metric metrics = 2;
}
"""


class Speaker(NamedTuple):
    """A speaker, by the topic. `owner` is the node or device whose birth gives the names: group/node or group/node/device."""

    owner: bytes
    is_birth: bool


class Metric(NamedTuple):
    """What one metric says of itself. An empty name and a missing type were not sent."""

    alias: int
    name: str
    datatype: int | None


def speaker_of(topic: bytes) -> Speaker | None:
    """The speaker of a message that defines or uses aliases, or None for all other topics."""
    if not topic.startswith(NAMESPACE):
        return None
    levels = topic.split(b"/")
    if levels[0] != NAMESPACE or len(levels) not in (4, 5) or len(topic) > OWNER_BYTES_MAX:
        return None
    kind = levels[2]
    if kind not in BIRTHS | USES or (kind[:1] == b"D") != (len(levels) == 5):
        return None
    return Speaker(b"/".join((levels[1], *levels[3:])), kind in BIRTHS)


def metrics_of(payload: bytes) -> Iterator[Metric]:
    """The metrics with an alias. There are none in a payload that is too long or not a Sparkplug B message."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        return
    message_class, decode_error = protobuf()
    message = message_class()
    try:
        message.ParseFromString(payload)
    except decode_error:
        return
    for each in islice(message.metrics, METRICS_MAX):
        if each.HasField("alias"):
            yield Metric(each.alias, each.name.decode("utf-8", "replace"), _datatype(each))


def _datatype(metric: Any) -> int | None:
    return int(metric.datatype) if metric.HasField("datatype") else None


@cache
def protobuf() -> Any:
    """The class of a payload and the error of the library, which only those need who keep aliases."""
    from google.protobuf import descriptor_pool, message_factory
    from google.protobuf.message import DecodeError

    from pipeline.sql.runtime.protobuf import file_descriptor

    pool = descriptor_pool.DescriptorPool()
    pool.Add(file_descriptor(_PROTO))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("Payload")), DecodeError
