"""EMQX's `resource_opts`: limits and health checks of connectors and actions, with the meaning of each option in
Tidegate.

EMQX buffers in memory and drops. In Tidegate, records wait in Kafka and are never dropped. Options that need dropping are
accepted, so that you can use a configuration body of EMQX unchanged. Their help says that they have no effect.
"""

import math
from typing import Literal

from pydantic import AliasChoices

from pipeline.config.base.section import Section, setting
from pipeline.config.base.values import RECORDS_MAX, Bytes, Seconds, SecondsOrInfinity


class _Watched(Section):
    """Options that connectors and actions have in common."""

    start_after_created: bool = setting(
        True, advanced=True, description="Without effect: `enable` decides whether it runs."
    )
    start_timeout: Seconds = setting(5.0, advanced=True, description="Without effect: no request waits for a start.")


class ConnectorResourceOpts(_Watched):
    """Accepted for compatibility with EMQX. Health checks of a connector are those of its actions' buckets."""

    health_check_interval: Seconds = setting(
        15.0,
        gt=0,
        le=3600,
        description="Without effect: each action uses its own interval.",
        advanced=True,
    )
    health_check_timeout: SecondsOrInfinity = setting(
        60.0,
        gt=0,
        description="Without effect: each action uses its own limit.",
        advanced=True,
    )


class ResourceOpts(_Watched):
    """Limits and health checks of an action."""

    inflight_window: int = setting(
        100,
        advanced=True,
        ge=1,
        le=10_000,
        validation_alias=AliasChoices("inflight_window", "async_inflight_window"),
        description="The most PUTs under way at once for each partition (direct). Each client always has at most one.",
    )
    query_mode: Literal["async", "sync"] = setting(
        "async",
        description="sync: one PUT at a time for each partition, in Kafka's order across clients (direct).",
        advanced=True,
    )
    max_buffer_bytes: Bytes = setting(
        256 << 20,
        advanced=True,
        ge=1 << 20,
        validation_alias=AliasChoices("max_buffer_bytes", "max_queue_bytes"),
        description="The most bytes that the action holds in one worker, rows included as they are made. At this bound the worker"
        " stops fetching and drops nothing.",
    )
    health_check_interval: Seconds = setting(
        15.0, advanced=True, ge=0.001, le=3600, description="Time between two health checks of the bucket."
    )
    health_check_interval_jitter: Seconds = setting(
        0.0, advanced=True, ge=0, description="The most random time that is added to the interval."
    )
    health_check_timeout: SecondsOrInfinity = setting(
        60.0, advanced=True, gt=0, description="A health check that takes longer than this has failed."
    )
    resume_interval: Seconds = setting(
        20.0, advanced=True, gt=0, le=3600, description="The longest wait between two tries of a request."
    )
    row_patience: Seconds = setting(
        180.0,
        advanced=True,
        ge=1,
        description="How long a row is tried that the store refuses without saying why, while it takes other objects in the"
        " same bucket; then it is a dead letter.",
    )
    worker_pool_size: int = setting(
        16,
        ge=1,
        le=1024,
        description="Without effect: each partition has its own task.",
        advanced=True,
    )
    dispatch_strategy: Literal["per_clientid", "random"] = setting(
        "per_clientid",
        description="Without effect: rows are always distributed by clientid, through Kafka's partitions.",
        advanced=True,
    )
    request_ttl: SecondsOrInfinity = setting(
        math.inf,
        advanced=True,
        validation_alias=AliasChoices("request_ttl", "request_timeout"),
        description="Without effect: a row waits until it is written and never expires.",
    )
    batch_size: int = setting(
        100,
        advanced=True,
        ge=1,
        le=RECORDS_MAX,
        description="Without effect: a Kafka fetch is a batch; 1 in direct mode.",
    )
    batch_time: Seconds = setting(
        0.01, advanced=True, ge=0, description="Without effect: a Kafka fetch is a batch; 0 in direct mode."
    )
    buffer_mode: Literal["memory_only", "volatile_offload"] = setting(
        "memory_only",
        description="Without effect: Kafka is the buffer.",
        advanced=True,
    )
    buffer_seg_bytes: Bytes | None = setting(None, advanced=True, description="Without effect: Kafka is the buffer.")
    metrics_flush_interval: Seconds = setting(
        5.0, advanced=True, gt=0, description="Without effect: counters are always current."
    )

    @property
    def puts_at_once(self) -> int:
        """How many PUTs of a partition may be under way."""
        return 1 if self.query_mode == "sync" else self.inflight_window
