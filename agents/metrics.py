"""The worker's counters, as Prometheus reads them. Incremented per batch and per object, never per record."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge

RECORDS: Final = Counter("tidegate_records", "Records read from Kafka.", ["action"])
ROWS: Final = Counter("tidegate_rows", "Rows that rules made of them.", ["action"])
FILTERED: Final = Counter("tidegate_filtered", "Records of which no rule made a row.", ["action"])
DEAD_LETTERS: Final = Counter("tidegate_dead_letters", "Records sent to the dead letter topic.", ["action", "cause"])
OBJECTS: Final = Counter("tidegate_objects", "Objects that S3 confirmed.", ["action"])
OBJECT_BYTES: Final = Counter("tidegate_object_bytes", "Bytes of these objects.", ["action"])
OVERWRITTEN: Final = Counter("tidegate_overwritten", "Objects replaced by a later row of the same key.", ["action"])
FAILURES: Final = Counter(
    "tidegate_action_failures", "Failed calls of S3 or Kafka, each of which is made again.", ["action", "reason"]
)
CUTS: Final = Counter("tidegate_cuts", "Cuts of aggregated uploads.", ["action"])
RESTARTS: Final = Counter(
    "tidegate_action_restarts", "Times an action stopped with an error and was started again.", ["action"]
)
LAG: Final = Gauge(
    "tidegate_lag", "Records between the end of the partition and what is durable.", ["action", "topic", "partition"]
)
HELD_BYTES: Final = Gauge("tidegate_held_bytes", "Bytes read from Kafka and not yet durable.", ["action"])
STATUS: Final = Gauge(
    "tidegate_action_connected", "1 if the last request to the store succeeded, 0 if it failed.", ["action"]
)
