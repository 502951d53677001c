"""What connectors and actions may use, and how they are watched: EMQX's `resource_opts`, each with its meaning here.

EMQX buffers in memory and drops; here records wait in Kafka and are never dropped. What only makes sense with dropping is
accepted, so that a body of EMQX's can be used as it is, and its help says that it has no effect.
"""

from __future__ import annotations

import math
from typing import Literal

from pydantic import AliasChoices

from pipeline.config.base.section import Section, setting
from pipeline.config.base.values import Bytes, Seconds, SecondsOrInfinity


class _Watched(Section):
    """What connectors and actions have in common."""

    start_after_created: bool = setting(
        True, advanced=True, description="Without effect: `enable` says whether it runs."
    )
    start_timeout: Seconds = setting(5.0, advanced=True, description="Without effect: nothing waits for a start.")


class ConnectorResourceOpts(_Watched):
    """Accepted as EMQX has them: a connector is watched through the buckets of its actions."""

    health_check_interval: Seconds = setting(
        15.0,
        gt=0,
        le=3600,
        description="Without effect: each action's own interval counts.",
        advanced=True,
    )
    health_check_timeout: SecondsOrInfinity = setting(
        60.0,
        gt=0,
        description="Without effect: each action's own limit counts.",
        advanced=True,
    )


class ResourceOpts(_Watched):
    """What an action may use."""

    inflight_window: int = setting(
        100,
        advanced=True,
        ge=1,
        le=10_000,
        validation_alias=AliasChoices("inflight_window", "async_inflight_window"),
        description="PUTs under way at once, per partition (direct); one of each client in any case.",
    )
    query_mode: Literal["async", "sync"] = setting(
        "async",
        description="sync: one PUT at a time per partition, in Kafka's order across clients (direct).",
        advanced=True,
    )
    max_buffer_bytes: Bytes = setting(
        256 << 20,
        advanced=True,
        ge=1 << 20,
        validation_alias=AliasChoices("max_buffer_bytes", "max_queue_bytes"),
        description="Bytes held by the action in one worker, at most; beyond it nothing is fetched, and nothing dropped.",
    )
    health_check_interval: Seconds = setting(
        15.0, advanced=True, ge=0.001, le=3600, description="How often the bucket is asked for."
    )
    health_check_interval_jitter: Seconds = setting(
        0.0, advanced=True, ge=0, description="At most so much is added, by chance."
    )
    health_check_timeout: SecondsOrInfinity = setting(
        60.0, advanced=True, gt=0, description="A check that takes longer has failed."
    )
    resume_interval: Seconds = setting(
        20.0, advanced=True, gt=0, le=3600, description="Longest wait between two tries of a request."
    )
    worker_pool_size: int = setting(
        16,
        ge=1,
        le=1024,
        description="Without effect: each partition has a task of its own.",
        advanced=True,
    )
    dispatch_strategy: Literal["per_clientid", "random"] = setting(
        "per_clientid",
        description="Without effect: always per clientid, by Kafka's partitions.",
        advanced=True,
    )
    request_ttl: SecondsOrInfinity = setting(
        math.inf,
        advanced=True,
        validation_alias=AliasChoices("request_ttl", "request_timeout"),
        description="Without effect: a row waits until it is written, and none expires.",
    )
    batch_size: int = setting(
        100, advanced=True, ge=1, description="Without effect: a Kafka fetch is a batch; 1 in direct mode."
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
        """The window that counts."""
        return 1 if self.query_mode == "sync" else self.inflight_window
