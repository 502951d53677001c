"""Payloads of Sparkplug B: a birth, and data that uses its aliases."""

from __future__ import annotations

from typing import Any

from pipeline.sql.functions.schemas import sparkplug_encode
from pipeline.sql.runtime.values import octets


def payload(*metrics: dict[str, Any]) -> bytes:
    """A message with these metrics."""
    return octets(sparkplug_encode({"seq": 1, "metrics": list(metrics)}))


BIRTH = payload(
    {"name": "temp", "alias": 5, "datatype": 10, "double_value": 1.0}, {"name": "on", "alias": 6}, {"name": "bdSeq"}
)
DATA = payload({"alias": 5, "double_value": 2.5}, {"alias": 6, "boolean_value": True}, {"name": "other", "alias": 7})
